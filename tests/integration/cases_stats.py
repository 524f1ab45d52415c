# SPDX-License-Identifier: ISC
"""What --stats has to show: keys, one clone per fork, pipes without exits, direct system calls."""

import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import time

from harness import runs
from harness.cases import Case, require
from integration.cases_cli import Started, command_line

KEYS = ("backend", "boot_us", "members", "forks", "execs", "hypercalls", "syscalls")
PIPE_BYTES = 100_000_000


def count(value):
    """How many members there were: a number or one entry for each."""
    return len(value) if isinstance(value, list) else value


def program(context, name):
    return [context.build / "tests" / "integration" / name]


def calls(stats, name):
    """How often a hypercall was made: a number, or an object with a count."""
    value = stats["hypercalls"].get(name, 0)
    return value.get("count", 0) if isinstance(value, dict) else value


def keys(context, backend):
    _, stats = context.unifork_stats(backend, program(context, "stats_fork"))
    missing = [key for key in KEYS if key not in stats]
    require(not missing, f"--stats lacks {missing}; it has {sorted(stats)}")
    require(stats["backend"] == backend, f"backend is {stats['backend']!r}")
    require(any("peak" in key for key in stats), f"no peak memory in {sorted(stats)}")
    for name, value in stats["syscalls"].items():
        require(set(value) >= {"trapped", "direct"}, f"syscalls.{name} is {value}")


def fields(context, backend):
    """What is said of members that end, are killed and outlive PID 1 is the same every time."""
    script = ("(exec perl -e 'system q(true); $x = q(x) x 30000000; kill 9, $$') & wait $!; "
              "/bin/busybox sleep 100 & exec /bin/busybox sleep 0.3")
    _, stats = context.unifork_stats(backend, ["/bin/bash-static", "-c", script])
    require(not any(row["killed"] for row in stats["member_list"]), "killed from inside, or not")
    require("memory_peak_kib" not in stats, "a peak of what nobody measured")
    require(0 < stats["boot_us"] < 30_000_000, f"boot_us {stats['boot_us']}")
    require(7000 < stats["page_faults"] < 1000000, f"page_faults {stats['page_faults']}")
    require(stats["page_faults"] == sum(row["page_faults"] for row in stats["member_list"]),
            "page_faults are not those of the members")
    require(stats["peak_kin_kib"] >= stats["kin_kib_at_end"] > 0, "shared memory: peak and end")
    for row in stats["member_list"]:
        require(row["clone_us"] < 30_000_000 and row["parent_resumed_us"] < 30_000_000, f"{row}")
    require(sum(row["clone_us"] > 0 for row in stats["member_list"]) >= 4, "clone_us")
    with_kill = Started(context, backend, ["/bin/bash-static", "-c",
                        "/bin/busybox sleep 100 & echo ready; wait; exit 0"],
                        options=["--stats", context.scratch / f"killed-{backend}.json"])
    require(with_kill.line() == b"ready\n", "not ready")
    deadline, sleeper = time.monotonic() + 20, []
    while not sleeper and time.monotonic() < deadline:
        sleeper = [pid for pid in runs.marked_processes(with_kill.mark)
                   if command_line(pid).startswith("unifork: busybox")]
    if not sleeper:
        with_kill.clean(None)
    os.kill(sleeper[0], signal.SIGKILL)
    with_kill.end()
    stats = json.loads((context.scratch / f"killed-{backend}.json").read_text(encoding="utf-8"))
    killed = [(row["comm"], row["killed"]) for row in stats["member_list"]]
    require(sorted(killed) == [("bash-static", False), ("busybox", True)], f"{killed}")


def one_clone_per_fork(context, backend):
    _, stats = context.same_as_native(backend, program(context, "stats_fork"), stats=True)
    require(stats["forks"] == 100, f"forks: {stats['forks']}")
    require(calls(stats, "clone") == 100, f"clone hypercalls: {stats['hypercalls']}")
    require(count(stats["members"]) == 101, f"members: {count(stats['members'])}")


# Pages that the host has to map or copy for a child that only ends, and room for what the place of
# the stacks and of the executable in memory add.
FORK_FAULTS = {"process": 22, "kvm": 30}


def fork_touches_little(context, backend):
    """What a child needs lies together: kernel.ld, fork_text.ld, FORK_PATH, the first of kin."""
    _, stats = context.unifork_stats(backend, program(context, "stats_fork"))
    faults = statistics.median(row["page_faults"] for row in stats["member_list"])
    require(faults <= FORK_FAULTS[backend], f"a child that only ends takes {faults} page faults")


def fork_text(context):
    """Each function that the linker is to put with the others of a fork is there."""
    script = pathlib.Path(__file__).parents[2] / "kernel" / "arch" / "x86_64" / "fork_text.ld"
    wanted = set(re.findall(r"\.text\.(\w+)", script.read_text(encoding="utf-8")))
    symbols = subprocess.run(["nm", context.build / "kernel" / "kernel.elf"], check=True,
                             capture_output=True, text=True).stdout.split()
    missing = wanted - {symbol.split(".")[0] for symbol in symbols}
    require(len(wanted) > 100 and not missing, f"fork_text.ld names {sorted(missing)}")


def children_counted(context, backend):
    """What a child has counted is there, although its parent ends the family when told of it."""
    for _ in range(20):
        _, stats = context.unifork_stats(backend, [context.build / "tests" / "guest" / "calls_ids"])
        found = sum(stats["syscalls"].get("getgroups", {"none": 0}).values())
        require(found == 3, f"{found} of a child's 3 calls of getgroups are counted")


def pipe_without_exits(context, backend):
    _, stats = context.same_as_native(backend, program(context, "stats_pipe"), timeout=60,
                                      stats=True)
    blocks = PIPE_BYTES // 32768
    moving = {name: calls(stats, name) for name in stats["hypercalls"]
              if name in ("read", "write", "readv", "writev", "file_read", "file_write")}
    require(sum(moving.values()) < 100, f"data left the machine: {moving}")
    total = sum(calls(stats, name) for name in stats["hypercalls"])
    # Each full or empty pipe may block one side once and wake the other once, and no more.
    require(total < 4 * blocks + 500,
            f"{total} hypercalls for {blocks} blocks: {stats['hypercalls']}")


def direct_calls(context, backend):
    _, stats = context.same_as_native(backend, program(context, "stats_calls"), stats=True)
    trapped = sum(call["trapped"] for call in stats["syscalls"].values())
    direct = sum(call["direct"] for call in stats["syscalls"].values())
    require(trapped + direct >= 50000, f"{trapped} trapped, {direct} direct: too few")
    share = direct / (trapped + direct)
    require(share >= 0.95, f"{share:.1%} direct ({trapped} trapped)")


def cases(context):
    checks = [keys, fields, one_clone_per_fork, fork_touches_little, children_counted,
              pipe_without_exits, direct_calls]

    def bound(check, backend):
        return lambda: check(context, backend)

    return [Case(f"integration/stats/{check.__name__}@{backend}", bound(check, backend))
            for check in checks for backend in context.backends()] + [
                Case("integration/stats/fork_text", lambda: fork_text(context))]
