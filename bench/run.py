#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Benchmarks: the same program natively, on process and on kvm, in alternation.

Prints medians, spread and ratios, writes bench/results.json, docs/benchmarks.md and docs/*.svg
(gnuplot). With --check compares counts and ratios with the committed bench/results.json and fails
beyond the stated tolerances.
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, "build")
UNIFORK = os.path.join(BUILD, "unifork")
BINS = os.path.join(BUILD, "bench")
PLATFORMS = ["native", "process", "kvm"]


def program(name):
    return os.path.join(BINS, "bench_" + name)


# name, metric of the program, argv, pinning, {platform: (kind, bound)}. Kinds: ratio to native,
# abs in the unit, higher (a ratio of which larger is better).
CASES = [
    (
        "fork+exit+wait, small",
        "fork_wait",
        ["fork_wait", "0", "60"],
        None,
        {"process": ("ratio", 2.0), "kvm": ("abs", 1300)},
    ),
    ("  parent resumed", "fork_resumed", ["fork_wait", "0", "60"], None, {"kvm": ("abs", 300)}),
    (
        "fork+exit+wait, small, one core",
        "fork_wait",
        ["fork_wait", "0", "60"],
        "0",
        {"process": ("ratio", 2.0), "kvm": ("abs", 1300)},
    ),
    (
        "fork, 64 MiB touched",
        "fork_wait",
        ["fork_wait", "64", "20"],
        None,
        {"process": ("ratio", 0.5), "kvm": ("abs", 1800)},
    ),
    (
        "fork, 512 MiB touched",
        "fork_wait",
        ["fork_wait", "512", "8"],
        None,
        {"process": ("ratio", 0.15), "kvm": ("abs", 3000)},
    ),
    (
        "fork again after rewrite, child alive",
        "fork_after_rewrite",
        ["fork_rewrite", "512", "alive"],
        None,
        {"process": ("ratio", 1.0)},
    ),
    (
        "fork again after rewrite, child gone",
        "fork_after_rewrite",
        ["fork_rewrite", "512", "gone"],
        None,
        {"process": ("ratio", 0.3)},
    ),
    (
        "posix_spawn+wait",
        "spawn_wait",
        ["spawn_wait", "@nothing", "40", "0"],
        None,
        {"process": ("ratio", 1.2), "kvm": ("abs", 3000)},
    ),
    (
        "posix_spawn+wait, 256 MiB parent",
        "spawn_wait",
        ["spawn_wait", "@nothing", "20", "256"],
        None,
        {},
    ),
    (
        "start to main",
        "start",
        ["start", "@now"],
        None,
        {"process": ("abs", 2500), "kvm": ("abs", 5000)},
    ),
    ("getpid", "getpid", ["calls"], None, {"process": ("abs", 15), "kvm": ("abs", 15)}),
    (
        "clock_gettime",
        "clock_gettime",
        ["calls"],
        None,
        {"process": ("ratio", 1.2), "kvm": ("ratio", 1.2)},
    ),
    (
        "pipe, 1 byte, one thread",
        "pipe_byte",
        ["calls"],
        None,
        {"process": ("ratio", 0.3), "kvm": ("ratio", 0.3)},
    ),
    (
        "pipe stream 4 KiB",
        "pipe_stream",
        ["pipe_stream", "4096", "1000"],
        None,
        {"process": ("higher", 1.2), "kvm": ("higher", 1.2)},
    ),
    (
        "pipe stream 64 KiB",
        "pipe_stream",
        ["pipe_stream", "65536", "1000"],
        None,
        {"process": ("higher", 4.0), "kvm": ("higher", 4.0)},
    ),
    (
        "pipe stream 1 MiB",
        "pipe_stream",
        ["pipe_stream", "1048576", "1000"],
        None,
        {"process": ("higher", 4.0), "kvm": ("higher", 4.0)},
    ),
    (
        "pipe round trip, two cores",
        "pipe_round_trip",
        ["pipe_pingpong", "5000"],
        None,
        {"process": ("ratio", 0.05), "kvm": ("ratio", 0.05)},
    ),
    (
        "pipe round trip, one core",
        "pipe_round_trip",
        ["pipe_pingpong", "2000"],
        "0",
        {"process": ("ratio", 1.5), "kvm": ("abs", 80)},
    ),
    (
        "AF_UNIX stream round trip, two cores",
        "socket_round_trip",
        ["pipe_pingpong", "5000", "stream"],
        None,
        {"process": ("ratio", 0.1), "kvm": ("ratio", 0.1)},
    ),
    (
        "AF_UNIX datagram round trip, two cores",
        "socket_round_trip",
        ["pipe_pingpong", "5000", "dgram"],
        None,
        {"process": ("ratio", 0.1), "kvm": ("ratio", 0.1)},
    ),
    (
        "TCP round trip over loopback, two cores",
        "tcp_round_trip",
        ["tcp", "pingpong", "5000"],
        None,
        {"process": ("ratio", 0.1), "kvm": ("ratio", 0.1)},
    ),
    (
        "TCP stream 64 KiB",
        "tcp_stream",
        ["tcp", "stream", "65536", "1000"],
        None,
        {"process": ("higher", 4.0), "kvm": ("higher", 4.0)},
    ),
    (
        "TCP connect, accept, close",
        "tcp_connects",
        ["tcp", "connect", "4000"],
        None,
        {"process": ("higher", 2.0), "kvm": ("higher", 1.0)},
    ),
    (
        "eventfd round trip, two cores",
        "event_round_trip",
        ["pipe_pingpong", "5000", "eventfd"],
        None,
        {},
    ),
    (
        "epoll and eventfd round trip, two cores",
        "event_round_trip",
        ["pipe_pingpong", "5000", "epoll"],
        None,
        {},
    ),
    (
        "first touch of 4 KiB",
        "first_touch",
        ["touch"],
        None,
        {"process": ("ratio", 1.2), "kvm": ("ratio", 4.0)},
    ),
    (
        "copy-on-write fault",
        "cow_fault",
        ["touch"],
        None,
        {"process": ("ratio", 1.2), "kvm": ("ratio", 4.0)},
    ),
    (
        "busybox sh, 200 commands",
        "wall",
        ["!sh200"],
        None,
        {"process": ("ratio", 1.5), "kvm": ("ratio", 8.0)},
    ),
    (
        "cat|tr|grep|wc over 200 MB",
        "wall",
        ["!pipeline"],
        None,
        {"process": ("ratio", 0.7), "kvm": ("ratio", 1.0)},
    ),
]


class Runner:
    def __init__(self, scratch):
        self.scratch = scratch
        self.text = os.path.join(scratch, "text")
        with open(self.text, "wb") as f:
            line = b"the quick brown fox jumps over the lazy dog and runs away again\n"
            block = line * 16384
            while f.tell() < 200_000_000:
                f.write(block)
        self.stats = os.path.join(scratch, "stats.json")

    def expand(self, argv):
        if argv[0] == "!sh200":
            return [
                "/bin/busybox",
                "sh",
                "-c",
                "i=0; while [ $i -lt 200 ]; do /bin/busybox true; i=$((i+1)); done",
            ]
        if argv[0] == "!pipeline":
            b = "/bin/busybox "
            return [
                "/bin/busybox",
                "sh",
                "-c",
                f"{b}cat {self.text} | {b}tr a-z A-Z | {b}grep FOX | {b}wc -l",
            ]
        out = [program(argv[0])]
        for a in argv[1:]:
            out.append(program(a[1:]) if a.startswith("@n") and a != "@now" else a)
        return out

    def command(self, platform, argv, pin):
        cmd = self.expand(argv)
        if platform != "native":
            cmd = [UNIFORK, "run", "--backend", platform, "--stats", self.stats, "--"] + cmd
        if pin is not None:
            cmd = ["taskset", "-c", pin] + cmd
        return cmd

    def run(self, platform, argv, pin):
        cmd = self.command(platform, argv, pin)
        start = time.monotonic_ns()
        cmd = [str(start) if a == "@now" else a for a in cmd]
        p = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=120)
        wall = (time.monotonic_ns() - start) / 1e6
        if p.returncode != 0:
            raise RuntimeError(f"{platform}: {' '.join(cmd)}: status {p.returncode}")
        values = {"wall": (wall, "ms")}
        for line in p.stdout.decode(errors="replace").splitlines():
            m = re.match(r"(\w+) ([\d.]+) (\S+)$", line)
            if m:
                values[m.group(1)] = (float(m.group(2)), m.group(3))
        return values


def settle(memfree, tries=40):
    """Waits until what ended before has given its memory back (at most 10 s)."""
    last = memfree()
    for _ in range(tries):
        time.sleep(0.25)
        now = memfree()
        if abs(now - last) < 512:
            return
        last = now


def idle_children(platform, n=1000):
    """Memory (KiB each, fall of MemFree) and time (ms) of the second, warmed-up round."""

    def memfree():
        with open("/proc/meminfo") as f:
            return int(re.search(r"MemFree:\s+(\d+)", f.read()).group(1))

    cmd = [program("idle_children"), str(n)]
    if platform != "native":
        cmd = [UNIFORK, "run", "--backend", platform, "--"] + cmd
    p = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    each = ms = None
    try:
        for _ in range(2):
            p.stdout.readline()
            settle(memfree)
            before = memfree()
            p.stdin.write("go\n")
            p.stdin.flush()
            ms = float(p.stdout.readline().split()[1])
            each = (before - memfree()) / n
            p.stdin.write("go\n")
            p.stdin.flush()
        if p.wait(timeout=60) != 0:
            raise RuntimeError(f"idle_children on {platform} failed")
    finally:
        if p.poll() is None:
            p.kill()
    return {"idle_memory": (each, "KiB"), "idle_time": (ms, "ms")}


def idle_family(platform, scratch, seconds=3, rounds=3):
    """CPU time and hypercalls of the waiting alone: less those of a family that waits 1 s.

    Start and end vary by a few hypercalls, which is what a difference of two runs shows, so it is
    the median of some rounds.
    """
    stats = os.path.join(scratch, "idle.json")

    def total(wait):
        command = [UNIFORK, "run", "--backend", platform, "--stats", stats, "--"]
        subprocess.run([*command, program("idle"), str(wait)], check=True)
        with open(stats) as f:
            d = json.load(f)
        return sum(d["hypercalls"].values()), sum(m["cpu_us"] for m in d["member_list"])

    rates = []
    for _ in range(rounds):
        short, long = total(1), total(1 + seconds)
        rates.append([(more - less) / seconds for less, more in zip(short, long)])
    return {
        "hypercalls_per_s": statistics.median(rate[0] for rate in rates),
        "cpu_us_per_s": statistics.median(rate[1] for rate in rates),
    }


def counts(platform, runner):
    """Exact figures per operation: the difference of two runs, so that start and end cancel."""

    def total(argv):
        runner.run(platform, argv, None)
        with open(runner.stats) as f:
            return json.load(f)

    def per_operation(argv):
        """Hypercalls of one of 100 operations, and system calls that trapped."""
        few, many = (total([str(n) if a == "N" else a for a in argv]) for n in (10, 110))
        out = {
            k: (many["hypercalls"][k] - few["hypercalls"].get(k, 0)) / 100
            for k in many["hypercalls"]
        }
        out["(trapped calls)"] = sum(
            sign * (c["trapped"] + c["first"]) / 100
            for sign, d in ((1, many), (-1, few))
            for c in d["syscalls"].values()
        )
        return {k: round(v, 2) for k, v in out.items() if abs(v) >= 0.005}

    calls = total(["calls"])
    stream = total(["pipe_stream", "65536", "100"])
    one = calls["syscalls_total"]
    return {
        "hypercalls_per_fork": per_operation(["fork_wait", "0", "N"]),
        "hypercalls_per_spawn": per_operation(["spawn_wait", "@nothing", "N", "0"]),
        "direct_share_of_calls": round(one["direct"] / max(1, one["direct"] + one["trapped"]), 5),
        "hypercalls_for_1.2_million_calls": sum(calls["hypercalls"].values()),
        "sleeps_and_wakes_for_100_MiB_stream": stream["hypercalls"].get("sleep", 0)
        + stream["hypercalls"].get("wake", 0),
    }


def verdict(kind, bound, value, native):
    if kind == "abs":
        return value <= bound, f"<= {bound:g}"
    if kind == "higher":
        return value >= bound * native, f">= {bound:g}x"
    return value <= bound * native, f"<= {bound:g}x"


def measure_case(rounds, platforms, case, runner):
    name, metric, argv, pin, bounds = case
    samples = {p: [] for p in platforms}
    unit = ""
    n = min(rounds, 3) if argv[0] in ("fork_rewrite", "!pipeline") else rounds
    for r in range(-1, n):
        for p in platforms:
            value, unit = runner.run(p, argv, pin)[metric]
            if r >= 0:
                samples[p].append(value)
    row = {"name": name, "unit": unit, "pinned": pin is not None, "values": {}}
    for p in platforms:
        v = sorted(samples[p])
        row["values"][p] = {
            "median": statistics.median(v),
            "low": v[0],
            "high": v[-1],
            "rounds": len(v),
        }
    row["bounds"] = {p: list(b) for p, b in bounds.items() if p in platforms}
    print_row(row)
    return row


def measure(rounds, platforms, only, runner):
    return [
        measure_case(rounds, platforms, case, runner)
        for case in CASES
        if not only or re.search(only, case[0])
    ]


def print_row(row):
    native = row["values"]["native"]["median"]
    parts = [f"{row['name']:<40} native {native:10.3f} {row['unit']}"]
    for p, v in row["values"].items():
        if p == "native":
            continue
        text = f"{p} {v['median']:10.3f} ({v['median'] / native:6.3f}x)"
        if p in row["bounds"]:
            ok, bar = verdict(*row["bounds"][p], v["median"], native)
            text += f" {'ok ' if ok else 'OFF'} {bar}"
        parts.append(text)
    print(" | ".join(parts), flush=True)


def idle_rows(platforms):
    rows = {"idle_memory": {}, "idle_time": {}}
    units = {}
    for p in platforms:
        got = idle_children(p)
        for k, (v, u) in got.items():
            rows[k][p] = {"median": v, "low": v, "high": v, "rounds": 1}
            units[k] = u
    bars = {
        "idle_memory": {"process": ["abs", 200], "kvm": ["abs", 350]},
        "idle_time": {"process": ["ratio", 3.0], "kvm": ["abs", 1500]},
    }
    names = {
        "idle_memory": "1,000 idle children, memory each",
        "idle_time": "1,000 idle children, time",
    }
    out = []
    for k in rows:
        row = {
            "name": names[k],
            "unit": units[k],
            "pinned": False,
            "values": rows[k],
            "bounds": {p: b for p, b in bars[k].items() if p in platforms},
        }
        out.append(row)
        print_row(row)
    return out


def machine():
    def grep(path, pattern):
        try:
            with open(path) as f:
                m = re.search(pattern, f.read())
                return m.group(1).strip() if m else "?"
        except OSError:
            return "?"

    kvm = next(
        (m for m in ("kvm_pvm", "kvm_intel", "kvm_amd") if os.path.isdir(f"/sys/module/{m}")), "?"
    )
    return {
        "cpu": grep("/proc/cpuinfo", r"model name\s*:\s*(.*)"),
        "cores": os.cpu_count(),
        "memory_kib": grep("/proc/meminfo", r"MemTotal:\s+(\d+)"),
        "kernel": os.uname().release,
        "kvm": kvm,
        "date": time.strftime("%Y-%m-%d"),
    }


def markdown(data):
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench` (bench/run.py). The same static program runs natively, on the "
        "process backend and "
        "on kvm, in alternation; medians, with the lowest and highest round in brackets.",
        "",
    ]
    m = data["machine"]
    lines += [
        f"Machine: {m['cpu']}, {m['cores']} cores, Linux {m['kernel']}, KVM {m['kvm']}, "
        f"{m['date']}. With kvm_pvm (nested, page-table based) an exit costs 10-35 us, on VT-x "
        "1-2 us.",
        "",
    ]
    lines += [
        "| question | unit | native | process | ratio | kvm | ratio | bars |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in data["rows"]:
        native = r["values"]["native"]["median"]
        cells = [r["name"].strip().replace("|", "\\|"), r["unit"], f"{native:.4g}"]
        bars = []
        for p in ("process", "kvm"):
            v = r["values"].get(p)
            if not v:
                cells += ["-", "-"]
                continue
            cells += [
                f"{v['median']:.4g} [{v['low']:.4g}, {v['high']:.4g}]",
                f"{v['median'] / native:.3g}x",
            ]
            if p in r["bounds"]:
                ok, bar = verdict(*r["bounds"][p], v["median"], native)
                bars.append(f"{p} {bar}: {'met' if ok else '**missed**'}")
        lines.append("| " + " | ".join(cells + ["; ".join(bars)]) + " |")
    lines += [
        "",
        "![ratios to native](benchmarks.svg)",
        "",
        "## Exact counts",
        "",
        "From `--stats`. Sleeps and wakes of a stream and the idle rates depend on what else runs, "
        "and a process asks once for its `usage` if it ran for 5 ms; the others do not depend on "
        "the machine.",
        "",
        "```json",
        json.dumps(data["counts"], indent=2),
        "```",
        "",
        f"Size: unifork {data['size']['unifork'] / 1024:.0f} KiB (stripped), "
        f"kernel {data['size']['kernel'] / 1024:.0f} KiB.",
        "",
    ]
    return "\n".join(lines)


def plot(data, scratch, out):
    if not shutil.which("gnuplot"):
        print("gnuplot is not installed: no plot")
        return
    dat = os.path.join(scratch, "plot.dat")
    with open(dat, "w") as f:
        for r in data["rows"]:
            n = r["values"]["native"]["median"]
            v = [
                r["values"][p]["median"] / n if p in r["values"] else float("nan")
                for p in ("process", "kvm")
            ]
            f.write('"%s" %g %g\n' % (r["name"].strip(), *v))
    reference = "1 with lines dt 2 title 'native'"
    script = f"""set terminal svg size 1000,640 font 'sans,11'; set output '{out}'
set style data histograms; set style fill solid 0.8; set logscale y; set grid y
set ylabel 'ratio to native (log)'; set xtics rotate by -40; set key top left
plot '{dat}' using 2:xtic(1) title 'process', '' using 3 title 'kvm', {reference}"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


IDLE_MORE = 2.0
USAGE_AT_END = 1.0  # hypercalls of one process


def check_counts(old, new):
    """
    What is counted per operation may grow by 10% + 0.15, totals by 10% + 1 (a program's start
    and end), the share of direct calls may fall by 0.01, an idle family may make 2 more hypercalls
    per second (a tick would be 100). A process that ran for 5 ms asks for its usage when it ends
    (kernel/proc/exit.c), so whether a child does depends on how fast and how busy the machine is:
    once is right, more is not. Two are shown, not checked: CPU time, and sleeps of a stream, which
    depend on whether both ends had a processor.
    """
    bad = []

    def compare(where, now, then, more):
        if isinstance(now, dict):
            for k in now if isinstance(then, dict) else ():
                before = max(then.get(k, 0), USAGE_AT_END if k == "usage" else 0)
                compare(f"{where}, {k}", now[k], before, 0.15)
        elif "direct_share" in where:
            if now < then - 0.01:
                bad.append(f"{where}: {now}, committed {then} (tolerance 0.01)")
        elif "idle, hypercalls" in where:
            if now > max(then, 0) + IDLE_MORE:
                bad.append(f"{where}: {now:.2f}, committed {then:.2f} (tolerance {IDLE_MORE})")
        elif "cpu_us" not in where and now > then * 1.1 + more:
            bad.append(f"{where}: {now}, committed {then} (tolerance 10% + {more})")

    for p, counts_now in new.items():
        for k, v in counts_now.items():
            if k in old.get(p, {}) and not k.startswith("sleeps_"):
                compare(f"{p}: {k}", v, old[p][k], 1)
    return bad


TOLERANCE = 1.6


def behind(old, row):
    """The platforms on which a row is behind the committed one, each with a line that says so.

    Machines are shared and their states differ: sometimes the native run alone is faster than
    when the figures were committed, sometimes all are slower. So both the ratio to native and
    the figure itself have to be worse by more than the tolerance.
    """
    lines = []
    for p, v in row["values"].items():
        if p == "native" or not old or p not in old["values"]:
            continue
        now = [v["median"] / row["values"]["native"]["median"], v["median"]]
        o = old["values"]
        then = [o[p]["median"] / o["native"]["median"], o[p]["median"]]
        if row["bounds"].get(p, [""])[0] == "higher":
            now, then = then, now
        if min(new / max(before, 1e-9) for new, before in zip(now, then)) > TOLERANCE:
            lines.append(
                f"{row['name'].strip()} on {p}: {v['median']:.4g} {row['unit']}, committed "
                f"{o[p]['median']:.4g}; the ratio to native is worse, too (tolerance 60%)"
            )
    return lines


def check(old, data, again):
    """Rows that seem behind are measured again and have to be so twice; see check_counts, too."""
    before = {r["name"]: r for r in old["rows"]}
    bad = []
    for row in data["rows"]:
        found = row["name"] in before and behind(before[row["name"]], row)
        if found:
            print(f"once more: {row['name'].strip()}")
            bad += behind(before[row["name"]], again(row["name"]))
    bad += check_counts(old["counts"], data["counts"])
    for line in bad:
        print("BEHIND:", line)
    return 1 if bad else 0


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--check", action="store_true")
    ap.add_argument("--rounds", type=int, default=7)
    ap.add_argument("--only", help="cases whose name matches; nothing is written or checked")
    ap.add_argument("--counts", action="store_true", help="with --check: the exact counts alone")
    a = ap.parse_args()
    platforms = ["native", "process"]
    probe = subprocess.run(
        [UNIFORK, "run", "--backend", "kvm", "--", program("nothing")], capture_output=True
    )
    if probe.returncode == 0:
        platforms.append("kvm")
    else:
        print("kvm is left out:", probe.stderr.decode(errors="replace").strip())
    with tempfile.TemporaryDirectory(prefix="unifork-bench-") as scratch:
        runner = Runner(scratch)
        if a.check and a.counts:
            with open(os.path.join(TOP, "bench", "results.json")) as f:
                old = json.load(f)
            new = {"rows": [], "counts": {p: counts(p, runner) for p in platforms[1:]}}
            return check({"rows": [], "counts": old["counts"]}, new, None)
        rows = measure(3 if a.check else a.rounds, platforms, a.only, runner)
        if a.only:
            return 0
        rows += idle_rows(platforms)
        data = {
            "machine": machine(),
            "rows": rows,
            "counts": {
                p: dict(counts(p, runner), idle=idle_family(p, scratch)) for p in platforms[1:]
            },
        }
        stripped = os.path.join(scratch, "unifork")
        subprocess.run(["strip", "-o", stripped, UNIFORK], check=True)
        data["size"] = {
            "unifork": os.path.getsize(stripped),
            "kernel": os.path.getsize(os.path.join(BUILD, "kernel", "kernel-stripped.elf")),
        }
        print(json.dumps(data["counts"], indent=2))
        path = os.path.join(TOP, "bench", "results.json")
        if a.check:
            with open(path) as f:
                old = json.load(f)

            def again(name):
                case = next((case for case in CASES if case[0] == name), None)
                if case:
                    return measure_case(a.rounds, platforms, case, runner)
                return next(row for row in idle_rows(platforms) if row["name"] == name)

            return check(old, data, again)
        with open(path, "w") as f:
            json.dump(data, f, indent=1)
        with open(os.path.join(TOP, "docs", "benchmarks.md"), "w") as f:
            f.write(markdown(data))
        plot(data, scratch, os.path.join(TOP, "docs", "benchmarks.svg"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
