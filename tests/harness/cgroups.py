# SPDX-License-Identifier: ISC
"""The host's cgroups in tests: around a run, to measure and to bound it, or hidden from unifork,
so that its supervisor has to count.
"""

import os
import pathlib
import time

from harness import runs
from harness.cases import Failed, Skipped, require, tail


def own_group(controller):
    """The directory of this process' cgroup of version 1; None: there is no such tree."""
    for line in pathlib.Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            folder = pathlib.Path("/sys/fs/cgroup", controller, path.lstrip("/"))
            return folder if folder.is_dir() else None
    return None


class Group:
    """A cgroup of version 1 around a run, to measure and to bound it; without one nothing is."""

    def __init__(self, controller, limit=None):
        own = own_group(controller) if os.geteuid() == 0 else None
        self.path = None
        if own:
            self.path = own / f"test-of-unifork-{runs.new_mark()}"
            self.path.mkdir()
            if limit:
                (self.path / f"{controller}.max").write_text(str(limit), encoding="ascii")

    def read(self, name):
        return int((self.path / name).read_text(encoding="ascii")) if self.path else 0

    def enter(self):
        return f"echo $$ > {self.path}/cgroup.procs && " if self.path else ""

    def kill(self):
        """Until it is empty: what clones itself is faster than one look."""
        for _ in range(200):
            pids = (self.path / "cgroup.procs").read_text(encoding="ascii").split()
            if not pids:
                return True
            runs.kill_all([int(pid) for pid in pids])
            time.sleep(0.02)
        return False

    def remove(self):
        for _ in range(200):
            try:
                if self.path:
                    self.path.rmdir()
                return
            except OSError:
                time.sleep(0.02)
        raise Failed(f"{self.path} is not empty")


def command(context, backend, by, options, program, groups=()):
    """unifork run; by "counting": it does not see the host's cgroups."""
    run = [context.unifork, "run", "--backend", backend, *options, "--", *program]
    enter = "".join(group.enter() for group in groups)
    if by == "cgroup":
        return ["sh", "-c", enter + 'exec "$@"', "sh", *run]
    if os.geteuid() != 0:
        raise Skipped("only user 0 can hide the host's cgroups from unifork")
    return ["unshare", "-m", "sh", "-c", enter + "mount -t tmpfs none /sys/fs/cgroup && "
            'exec "$@"', "sh", *run]


def need_cgroup(context, backend):
    """Skipped if unifork can make no cgroup here; the reason is its own."""
    result = context.in_family(backend, ["/bin/busybox", "true"],
                               options=["-m", "64M", "--verbose"])
    lines = [line for line in result.stderr.decode().splitlines() if "--memory is kept by" in line]
    require(len(lines) == 1, tail(result))
    if "by a cgroup" not in lines[0]:
        raise Skipped(lines[0])
