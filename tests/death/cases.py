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
SCRIPT = "#!/bin/true\n" + "x" * 9000
# A death in these may still cost memory of kin: inodes that the dead was looking at (and what they
# hold), objects that it was making or had just taken out.
MAY_LEAVE_MEMORY = frozenset("""
    chdir exec exec_shared_files fifo_open file_append file_attributes file_chmod
    file_copy_up file_create file_exchange file_folder file_link file_lock file_memfd
    file_move file_open file_proc file_punch file_rename file_rename_folder file_rename_over
    file_sendfile file_symlink file_tmpfile file_truncate file_truncate_open file_unlink
    file_unlink_open file_unlock file_volume inotify_noticed inotify_read
    inotify_unlink inotify_watch kill_queue map_file mq msg pty pty_session sem sem_undo shm
    shm_open shm_removed socket_connect socket_listen spawn spawn_wait
""".split())


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
        path = folder / f"fresh-{number}"
        path.write_text(SCRIPT)
        path.chmod(0o755)


def check_of(context, operation):
    def check():
        context.needs("process")
        if os.geteuid() != 0:
            raise Skipped("members of a family may be traced by user 0 only")
        wanted = deaths(context)
        seed = os.environ.get("UNIFORK_SEED", str(random.randrange(1 << 20)))
        folder = context.scratch / f"death-{operation}"
        make_host_folder(folder, 1000 if wanted == "all" else 20 + int(wanted))
        tests = context.build / "tests" / "death"
        how = ["-a"] if wanted == "all" else ["-n", wanted, "-s", seed]
        if operation in MAY_LEAVE_MEMORY:
            how.append("-l")
        result = context.run(
            [tests / "step", *how, operation, "--", context.unifork, "run",
             "--backend", "process", "-v", f"{folder / 'volume'}:/volume", "--",
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
    return [Case(f"death/{name}", check_of(context, name)) for name in found]
