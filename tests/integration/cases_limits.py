# SPDX-License-Identifier: ISC
"""--memory and --pids: at the limit Linux's answer, and the family goes on; with a cgroup of the
host's, where one can be made, and counted by the supervisor.
"""

import json
import os
import pathlib
import signal
import subprocess
import time

from harness import runs
from harness.cases import Case, Failed, require, tail
from harness.cgroups import command, need_cgroup, own_group

BUSYBOX = "/bin/busybox"
# Fresh memory is drawn from what is left, by several members at once in chunks: up to 6 MiB were
# seen under load, and 15 to 71 before there was that credit.
ABOVE_KIB = 10 << 10


def program(context, name):
    return str(context.build / "tests" / "integration" / name)


def limited(context, backend, by, options, words):
    """A run with limits that are kept by a "cgroup" or by "counting": (result, statistics)."""
    context.needs(backend)
    if by == "cgroup":
        need_cgroup(context, backend)
    path = context.scratch / f"limits-{runs.new_mark()}.json"
    result = context.run(command(context, backend, by, [*options, "--stats", path], words),
                         timeout=60)
    require(not result.problem, f"{result.problem}\n{tail(result)}")
    try:
        stats = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Failed(f"no statistics\n{tail(result)}") from error
    kept = "cgroup" if by == "cgroup" else "supervisor"
    require(stats["memory_limit_by"] == kept, f"kept by {stats['memory_limit_by']}")
    return result, stats


def memory_hog(context, backend, by):
    """The largest member is killed with a message; its parent sees 137 and goes on."""
    def check():
        hog = program(context, "limits_memory")
        script = f"{hog} 20; {hog} 400; echo $?; {hog} 20"
        result, stats = limited(context, backend, by, ["-m", "64M"], [BUSYBOX, "sh", "-c", script])
        require(result.stdout == b"survived\n137\nsurvived\n", tail(result))
        require(b"(limits_memory) was killed: out of memory" in result.stderr and
                result.stderr.count(b"unifork: ") == 1, tail(result))
        peak = stats["memory_peak_kib"]
        require(stats["memory_kills"] == 1 and stats["memory_limit_kib"] == 65536, f"{stats}")
        # The host lets nobody have more, and takes a part of the machine's page cache with it.
        require(56 << 10 < peak <= 65536 if by == "cgroup" else
                65536 <= peak < 65536 + ABOVE_KIB, f"peak {peak}")
    return check


def memory_first(context, backend, by):
    """A first process that takes it all is killed, and nobody says that that came from outside."""
    def check():
        result, _ = limited(context, backend, by, ["-m", "64M"],
                            [program(context, "limits_memory"), "400"])
        require(result.status == 137 and result.stderr.count(b"\n") == 1 and
                b"(limits_memory) was killed: out of memory" in result.stderr, tail(result))
    return check


def memory_shared(context, backend, by):
    """Memory that a fork shares counts once: five members with the same 40 MiB fit into 64."""
    def check():
        result, stats = limited(context, backend, by, ["--memory", "65536k"],
                                [program(context, "limits_memory"), "40", "4"])
        require(result.status == 0 and result.stdout == b"survived\n", tail(result))
        require(stats["memory_kills"] == 0 and 40 << 10 < stats["memory_peak_kib"] < 65536,
                f"peak {stats['memory_peak_kib']}")
    return check


def memory_files(context, backend, by):
    """Files in memory: ENOSPC before the limit, and room again when they are gone."""
    def check():
        script = ("grep MemTotal /proc/meminfo; free -m | grep -c ' 64 '; "
                  "for n in 1 2; do dd if=/dev/zero of=/big bs=1M count=100 2>&1 | "
                  "grep -o 'No space left on device'; test $(stat -c %s /big) -gt 40000000 && "
                  "echo large; rm /big; done; "
                  "dd if=/dev/zero of=/dev/shm/x bs=1M count=100 2>/dev/null || echo refused")
        result, _ = limited(context, backend, by, ["-m", "64M"], [BUSYBOX, "sh", "-c", script])
        require(result.stdout == b"MemTotal:          65536 kB\n1\n" +
                b"No space left on device\nlarge\n" * 2 + b"refused\n", tail(result))
        require(b"killed" not in result.stderr, tail(result))
    return check


def tasks(context, backend):
    def check():
        result = context.in_family(backend, [program(context, "limits_tasks")],
                                   options=["--pids", "12"], timeout=60)
        require(result.stdout == b"11 children, then EAGAIN\n11 threads, then EAGAIN\n"
                b"11 children, then EAGAIN\n", tail(result))
        result = context.in_family(backend, [program(context, "limits_tasks")],
                                   options=["--pids-limit=1000"], timeout=60)
        require(result.stdout.count(b"no more were asked for") == 3, tail(result))
    return check


def bomb(context, backend):
    """Everybody forks: the family stays bounded and ends."""
    def check():
        script = ("f() { test $1 -eq 0 && return; (f $(($1-1))) & (f $(($1-1))) & "
                  "(f $(($1-1))) & wait; }; f 5 2>/dev/null; echo end")
        result = context.in_family(backend, [BUSYBOX, "sh", "-c", script],
                                   options=["--pids", "20"], timeout=60)
        require(b"more than --pids" not in result.stderr, tail(result))
        require(result.status in (0, 2), tail(result))
    return check


EXHAUSTED = {
    "files": b"open: EMFILE after some\n",
    "pipes": b"pipe: ENFILE after some\n",
    "threads": b"thread: EAGAIN after some\n",
    "shared_write": b"pwrite: ENOSPC after some\n",
    "shared_store": b"shared_store: signal 7\n",
    "memory": b"memory: some killed\n",
}


def exhaust(context, backend, by):
    """Each thing that there can be too much of: an error or a signal, and the parent goes on."""
    def check():
        problems = []
        for mode, expected in EXHAUSTED.items():
            result, stats = limited(context, backend, by, ["-m", "64M", "--pids", "40"],
                                    [program(context, "limits_exhaust"), mode])
            if stats["memory_peak_kib"] > 65536 + ABOVE_KIB:
                problems.append(f"{mode}: {stats['memory_peak_kib']} KiB")
            if result.status != 0 or result.stdout != expected + b"after: 1 1\n":
                problems.append(f"{mode}: status {result.status}\n{tail(result)}")
            if mode != "memory" and b"killed" in result.stderr:
                problems.append(f"{mode}: somebody was killed\n{tail(result)}")
        require(not problems, "\n".join(problems))
    return check


def wrong(context, backend):
    for options in (["-m", "1M"], ["-m", "x"], ["-m", "64Q"], ["-m", "-5M"], ["-m", "64MM"],
                    ["--memory", "99999999999999999999G"], ["--pids", "-2"], ["--pids", "many"],
                    ["--pids", ""]):
        result = context.run([context.unifork, "run", *options, "--", BUSYBOX, "true"])
        require(result.status == 100 and len(result.stderr.splitlines()) == 1,
                f"{options}: {tail(result)}")


def unlimited(context, backend):
    """--pids 0 and -1 are Podman's words for no limit; without the option it is 2048."""
    def check():
        for options, expected in (([], b"pids: 2048 limit\n"), (["--pids", "0"], b"pids: no end\n"),
                                  (["--pids-limit", "-1"], b"pids: no end\n")):
            result = context.in_family(backend, [program(context, "limits_exhaust"), "pids"],
                                       options=options, timeout=60)
            require(result.stdout.startswith(expected), f"{options}: {tail(result)}")
    return check


def unmeasured(context, backend):
    """Without --memory nobody looks, and the statistics do not say that there was nothing."""
    def check():
        _, stats = context.unifork_stats(backend, [BUSYBOX, "true"])
        require("memory_peak_kib" not in stats and stats["memory_limit_kib"] == 0, f"{stats}")
    return check


def groups_below(folder):
    return sorted(path.name for path in folder.glob("unifork-*"))


def removed(context, backend):
    """The cgroup is there while the family lives, with its limits, and no longer; one that a killed
    unifork has left is removed by the next.
    """
    def check():
        context.needs(backend)
        need_cgroup(context, backend)
        memory, pids = own_group("memory"), own_group("pids")
        require(memory and pids, "unifork's cgroup is not where this test looks (version 1)")
        run = [context.unifork, "run", "--backend", backend, "-m", "64M", "--pids", "9", "--",
               BUSYBOX, "sh", "-c", "echo on; busybox sleep 60 & wait"]
        for end in (signal.SIGTERM, signal.SIGKILL):
            before = set(groups_below(memory))
            process = subprocess.Popen([str(word) for word in run], stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, env=runs.environment())
            try:
                require(process.stdout.readline() == b"on\n", "it did not start")
                new = [name for name in groups_below(memory) if name not in before
                       and f"-{process.pid}-" in name]
                require(len(new) == 1, f"new cgroups: {new}")
                inside = (memory / new[0] / "cgroup.procs").read_text(encoding="ascii").split()
                require(inside and str(process.pid) not in inside, f"in it: {inside}")
                limit = (memory / new[0] / "memory.limit_in_bytes").read_text(encoding="ascii")
                require(int(limit) == 64 << 20, limit)
                process.send_signal(end)
                process.wait(timeout=30)
            finally:
                process.kill()
                process.stdout.close()
            deadline = time.monotonic() + 10
            while end == signal.SIGKILL and runs_inside(memory / new[0]):
                require(time.monotonic() < deadline, "its monitors outlive it")
                time.sleep(0.02)
            if end == signal.SIGKILL: # the next one finds it
                context.in_family(backend, [BUSYBOX, "true"], options=["-m", "64M"])
            require(new[0] not in groups_below(memory), f"{new[0]} is left after {end!r}")
            require(not [name for name in groups_below(pids) if f"-{process.pid}-" in name],
                    f"one of pids is left after {end!r}")
    return check


def runs_inside(group):
    try:
        return (group / "cgroup.procs").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def cases(context):
    found = [Case("integration/limits_options", lambda: wrong(context, None))]
    for backend in context.backends():
        for check in (tasks, bomb, unlimited, unmeasured, removed):
            found.append(Case(f"integration/limits_{check.__name__}@{backend}",
                              check(context, backend)))
        for check in (memory_hog, memory_first, memory_shared, memory_files, exhaust):
            found += [Case(f"integration/limits_{check.__name__}_{by}@{backend}",
                           check(context, backend, by)) for by in ("cgroup", "counting")]
    return found
