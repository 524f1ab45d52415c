# SPDX-License-Identifier: ISC
"""Deaths at chosen instructions: a member is single-stepped through one operation and killed after
its Nth store to kin or call of the host; then the family has to work, nobody may hang, every count
has to be what the holdings say, and nothing of the dead may be left (step.c, and operations.c for
what is done).

`make test` kills a few members in each operation, at other places every time; `make test-stress`
kills one after every event. UNIFORK_DEATHS is the number of deaths for each operation, or `all`;
UNIFORK_SEED repeats the places. The kernel's code is the same in both backends; it is stepped in
the process backend, where the host can.
"""

import os
import random
import subprocess

from harness.cases import Case, Failed, Skipped, require

ALL_SECONDS = 900
SOME_SECONDS = 60
HOST_FILES = 8
ADDRESS = "198.51.100.7"    # of a network namespace, never of the host: TEST-NET-2
# Who waits for room in a listener is told of it by the family at once, by Linux in its own time.
FULL_LISTENERS = ("inet_accept", "inet_accept_sleeping", "inet_close_shared")
SCRIPT = "#!/bin/true\n" + "x" * 9000
# Where a death may still cost memory of kin, and what: each is allocated without an owner.
_INFO = "what /proc/PID shows of a process: counted without marks (kernel/task/procinfo.c)"
_EVENT = "watches and events of inotify, while they are linked or taken out"
_SYSV = "an object of System V IPC that is being made or taken out, or what hangs on it"
_LOCK = "locks on files, while they are linked or taken out"
_QUEUED = "the entry of a queued signal, while it is linked or taken out"
MAY_LEAVE_MEMORY = {
    "chdir": _INFO,
    "dnotify": _EVENT,
    "exec": _INFO,
    "exec_shared_files": _INFO,
    "spawn": _INFO,
    "spawn_wait": _INFO,
    "file_lock": _LOCK,
    "file_unlock": _LOCK,
    "file_truncate_open": "none: who dies early leaves a script, the first that check can run",
    "inotify_noticed": _EVENT,
    "inotify_read": _EVENT,
    "inotify_unlink": _EVENT,
    "inotify_watch": _EVENT,
    "kill_queue": _QUEUED,
    "owner": _QUEUED,
    "owner_told": _QUEUED,
    "mq": "a POSIX message queue or message that is being made or taken out",
    "msg": _SYSV,
    "sem": _SYSV,
    "sem_undo": _SYSV,
    "shm": _SYSV,
    "shm_removed": _SYSV,
}


def deaths(context):
    default = "2" if context.group == "quick" else "all"
    return os.environ.get("UNIFORK_DEATHS", default)


def make_host_folder(folder, rounds):
    """Files that the family copies up: `fresh` ones are scripts, each used once."""
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    (folder / "volume").mkdir()
    (folder / "volume").chmod(0o777)
    for number in range(HOST_FILES):
        (folder / f"host-{number}").write_text("host\n" * 100)
    for number in range(rounds):
        path = folder / f"fresh-{number:04}"
        path.write_text(SCRIPT)
        path.chmod(0o755)


def check_of(context, operation, network=False):
    """network: the host carries what the operation does, in a network namespace of the test's."""
    before, options = [], []
    if network:
        before = ["unshare", "-n", "sh", "-c",
                  f'ip link set lo up && ip addr add {ADDRESS}/32 dev lo && exec "$@"', "sh"]
        options = ["--net", "host", "-e", f"GUEST_ADDRESS={ADDRESS}"]

    def check():
        context.needs("process")
        if os.geteuid() != 0:
            raise Skipped("members of a family may be traced by user 0 only")
        wanted = deaths(context)
        seed = os.environ.get("UNIFORK_SEED", str(random.randrange(1 << 20)))
        folder = context.scratch / f"death-{operation}{'-network' if network else ''}"
        make_host_folder(folder, 1000 if wanted == "all" else 20 + int(wanted))
        tests = context.build / "tests" / "death"
        how = ["-a"] if wanted == "all" else ["-n", wanted, "-s", seed]
        if operation in MAY_LEAVE_MEMORY:
            how.append("-l")
        result = context.run(
            [*before, tests / "step", *how, operation, "--", context.unifork, "run",
             "--backend", "process", *options, "-v", f"{folder / 'volume'}:/volume", "--",
             tests / "operations", folder],
            ALL_SECONDS if wanted == "all" else SOME_SECONDS)
        text = (result.stdout + result.stderr).decode(errors="replace")
        if result.problem or result.status:
            raise Failed(f"{result.problem or f'exit status {result.status}'}, seed {seed}\n"
                         + text[-3000:])
        require(f"{operation}: " in text, "nothing was done")
    return check


def operations(context):
    program = context.build / "tests" / "death" / "operations"
    if not program.exists():
        return []
    listed = subprocess.run([program], capture_output=True, text=True, check=True, timeout=10)
    return listed.stdout.split()


def cases(context):
    if "process" not in context.backends():
        return []
    found = operations(context)
    if not found:
        def missing():
            raise Failed("tests/death/operations was not built")
        return [Case("death/none", missing)]
    return ([Case(f"death/{name}", check_of(context, name)) for name in found]
            + [Case(f"death/network.{name}", check_of(context, name, True))
               for name in found
               if name.startswith(("inet_", "udp_")) and name not in FULL_LISTENERS])
