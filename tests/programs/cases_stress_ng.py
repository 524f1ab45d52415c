# SPDX-License-Identifier: ISC
"""stress-ng --verify, two workers of each stressor: no failure that the host does not have.

A stressor is run natively only after it failed in a family, to see whether the host fails as well.
UNIFORK_STRESS_SECONDS overrides how long each one runs.
"""

import os

from harness import programs
from harness.cases import Case, Failed, tail

SECONDS = int(os.environ.get("UNIFORK_STRESS_SECONDS", "10"))
SLACK = 60  # seconds that the end of a stressor may take

STRESSORS = """
    fork vfork clone exec spawn zombie daemon pipe pipeherd fifo sockpair sockfd futex mutex sem
    sem-sysv shm shm-sysv msg mq mmap mmapfork mremap fault brk sigfd sigq sigsuspend sigrt sigsegv
    sigpending kill timer timerfd eventfd epoll poll switch get dup dir dentry rename symlink flock
    lockf pthread wait vm""".split()
# stress-ng refuses to run these as user 0.
NOBODY = ("exec", "spawn")
SETPRIV = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def check_of(context, backend, name):
    command = ["/usr/bin/stress-ng", "--verify", f"--{name}", "2", "--timeout", str(SECONDS),
               "--temp-path", "/tmp"]
    if name in NOBODY:
        command = SETPRIV + command

    def check():
        programs.need_packages(context, ["stress-ng"])
        if backend == "native":
            result = context.run(command, SECONDS + SLACK)
        else:
            result, stats = context.unifork_stats(backend, command, timeout=SECONDS + SLACK)
            programs.count_unsupported(stats)
        if result.status == 0 and not result.problem:
            return
        if backend == "native" or context.oracle(command, SECONDS + SLACK).status == 0:
            raise Failed(f"exit status {result.status} {result.problem or ''}\n{tail(result)}")
    return check


def cases(context):
    return [Case(f"programs/stress-ng/{name}@{backend}", check_of(context, backend, name))
            for backend in context.wanted for name in STRESSORS]
