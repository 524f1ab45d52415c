# SPDX-License-Identifier: ISC
"""What --stats has to show: keys, one clone per fork, pipes without exits, direct system calls."""

from harness.cases import Case, require

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


def one_clone_per_fork(context, backend):
    _, stats = context.same_as_native(backend, program(context, "stats_fork"), stats=True)
    require(stats["forks"] == 100, f"forks: {stats['forks']}")
    require(calls(stats, "clone") == 100, f"clone hypercalls: {stats['hypercalls']}")
    require(count(stats["members"]) == 101, f"members: {count(stats['members'])}")


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
    checks = [keys, one_clone_per_fork, pipe_without_exits, direct_calls]

    def bound(check, backend):
        return lambda: check(context, backend)

    return [Case(f"integration/stats/{check.__name__}@{backend}", bound(check, backend))
            for check in checks for backend in context.backends()]
