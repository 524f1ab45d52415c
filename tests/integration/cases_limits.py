# SPDX-License-Identifier: ISC
"""--memory and --pids: at the limit Linux's answer, and the family goes on."""

from harness.cases import Case, require, tail

BUSYBOX = "/bin/busybox"
# Fresh memory is drawn from what is left, by several members at once in chunks: up to 6 MiB were
# seen under load, and 15 to 71 before there was that credit.
ABOVE_KIB = 10 << 10


def program(context, name):
    return str(context.build / "tests" / "integration" / name)


def memory_hog(context, backend):
    """The largest member is killed with a message; its parent sees 137 and goes on."""
    def check():
        hog = program(context, "limits_memory")
        script = f"{hog} 20; {hog} 400; echo $?; {hog} 20"
        result, stats = context.unifork_stats(backend, [BUSYBOX, "sh", "-c", script],
                                            options=["-m", "64M"], timeout=60)
        require(result.stdout == b"survived\n137\nsurvived\n", tail(result))
        require(b"(limits_memory) was killed: out of memory" in result.stderr, tail(result))
        require(stats["memory_kills"] == 1 and stats["memory_limit_kib"] == 65536 and
                65536 < stats["memory_peak_kib"] < 65536 + ABOVE_KIB, f"{stats}")
    return check


def memory_shared(context, backend):
    """Memory that a fork shares counts once: five members with the same 40 MiB fit into 64."""
    def check():
        result, stats = context.unifork_stats(
            backend, [program(context, "limits_memory"), "40", "4"], options=["--memory", "65536k"],
            timeout=60)
        require(result.status == 0 and result.stdout == b"survived\n", tail(result))
        require(stats["memory_kills"] == 0 and 40 << 10 < stats["memory_peak_kib"] < 65536,
                f"peak {stats['memory_peak_kib']}")
    return check


def memory_files(context, backend):
    """Files in memory: ENOSPC before the limit, and room again when they are gone."""
    def check():
        script = ("grep MemTotal /proc/meminfo; free -m | grep -c ' 64 '; "
                  "for n in 1 2; do dd if=/dev/zero of=/big bs=1M count=100 2>&1 | "
                  "grep -o 'No space left on device'; test $(stat -c %s /big) -gt 40000000 && "
                  "echo large; rm /big; done; "
                  "dd if=/dev/zero of=/dev/shm/x bs=1M count=100 2>/dev/null || echo refused")
        result = context.in_family(backend, [BUSYBOX, "sh", "-c", script], options=["-m", "64M"])
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


def exhaust(context, backend):
    """Each thing that there can be too much of: an error or a signal, and the parent goes on."""
    def check():
        problems = []
        for mode, expected in EXHAUSTED.items():
            result, stats = context.unifork_stats(
                backend, [program(context, "limits_exhaust"), mode],
                options=["-m", "64M", "--pids", "40"], timeout=60)
            if stats["memory_peak_kib"] > 65536 + ABOVE_KIB:
                problems.append(f"{mode}: {stats['memory_peak_kib']} KiB")
            if result.status != 0 or result.stdout != expected + b"after: 1 1\n":
                problems.append(f"{mode}: status {result.status}\n{tail(result)}")
            if mode != "memory" and b"killed" in result.stderr:
                problems.append(f"{mode}: somebody was killed\n{tail(result)}")
        require(not problems, "\n".join(problems))
    return check


def wrong(context, backend):
    for options in (["-m", "1M"], ["-m", "x"], ["-m", "64Q"], ["-m", "-5M"], ["-m", "64MB"],
                    ["--memory", "99999999999999999999G"], ["--pids", "0"], ["--pids", "many"]):
        result = context.run([context.unifork, "run", *options, "--", BUSYBOX, "true"])
        require(result.status == 100 and len(result.stderr.splitlines()) == 1,
                f"{options}: {tail(result)}")


def cases(context):
    found = [Case("integration/limits_options", lambda: wrong(context, None))]
    for backend in context.backends():
        for check in (memory_hog, memory_shared, memory_files, tasks, bomb,
                      exhaust):
            found.append(Case(f"integration/limits_{check.__name__}@{backend}",
                              check(context, backend)))
    return found
