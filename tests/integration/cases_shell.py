# SPDX-License-Identifier: ISC
"""Shell scripts under Debian's busybox-static and bash-static: equal natively and in a family.

Each script gets WORK, a directory of its own that a prologue makes inside the family (the host's is
never changed), and a PATH with one symbolic link per busybox applet: both shells run those.
"""

import pathlib
import re

from harness.cases import Case, Failed, Skipped, require

SCRIPTS = pathlib.Path(__file__).resolve().parent / "scripts"
SHELLS = {"busybox": ["/bin/busybox", "sh"], "bash": ["/bin/bash-static"]}
APPLETS = ("sort uniq sed grep wc seq head tail cat tr yes md5sum mkdir mkfifo ln find xargs tar "
           "gzip rm ls dd readlink diff pwd true false sleep echo printf kill env").split()
# With every applet a program of its own, so that each stage of a pipeline is a fork and an exec.
PROLOGUE = """\
WORK=/tmp/unifork-script-$$; export WORK
/bin/busybox mkdir -p $WORK/bin $WORK/w || exit 90
for applet in {applets}; do /bin/busybox ln -s /bin/busybox $WORK/bin/$applet; done
/bin/busybox ln -s /bin/busybox $WORK/bin/busybox
PATH=$WORK/bin; export PATH
base=$WORK; WORK=$WORK/w; cd $WORK
({shell} {script}); status=$?
cd /; /bin/busybox rm -rf $base
exit $status
"""
DIRECT_SHARE = 0.80


def check_of(context, backend, script, shell):
    def check():
        for needed in ("/bin/busybox", "/bin/bash-static"):
            if not pathlib.Path(needed).exists():
                raise Skipped(f"{needed} is not installed")
        command = ["/bin/busybox", "sh", "-c",
                   PROLOGUE.format(applets=" ".join(APPLETS), shell=" ".join(SHELLS[shell]),
                                   script=script)]
        native = context.oracle(command, 60)
        require(native.status not in (90, 126, 127), f"natively: status {native.status}")
        if backend == "native":
            return
        _, stats = context.same_as_native(backend, command, timeout=90, stats=True)
        if script.stem == "functions":
            share = direct_share(stats)
            require(share >= DIRECT_SHARE, f"{share:.1%} of the system calls were direct")
    return check


def direct_share(stats):
    """The share of direct calls; first executions of a site count apart, if the kernel says so."""
    calls = stats.get("syscalls")
    if not isinstance(calls, dict) or not calls:
        raise Failed(f"--stats has no system calls: {sorted(stats)}")
    trapped = sum(call["trapped"] for call in calls.values())
    direct = sum(call["direct"] for call in calls.values())
    first = stats.get("first_executions", 0)
    return direct / max(1, trapped + direct - first)


def cases(context):
    found = []
    for script in sorted(SCRIPTS.glob("*.sh")):
        only = re.search(r"^# shells: (.*)$", script.read_text(encoding="utf-8"), re.MULTILINE)
        for shell in only.group(1).split() if only else SHELLS:
            for backend in context.wanted:
                found.append(Case(f"integration/shell/{script.stem}.{shell}@{backend}",
                                  check_of(context, backend, script, shell)))
    return found
