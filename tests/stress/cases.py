# SPDX-License-Identifier: ISC
"""Deaths and races: random kills with kill -9 from the host, and thousands of wake-ups.
`make test` runs a short part of them.

Kills: a family runs a shell pipeline or a storm of forks, execs, pipes, files, signals, stops,
locks and connections (storm.c). At random moments one monitor, a parent and its child together (by
the family's own parentage, read from kin), several at once, twenty one after the other, or the
supervisor are killed. A family whose first process was not hit has to go on to its end, or to end
with one clear message, in a bounded time; nobody may be left over and no file of the host may
change.

UNIFORK_KILLS is the number of rounds for each backend, UNIFORK_SEED repeats a run, UNIFORK_LOAD
names the one thing that the families do (pipeline, all, or a worker of storm.c).
"""

import collections
import hashlib
import os
import pathlib
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import time

from harness import runs
from harness.cases import Case, Failed, require
from integration.cases_cli import Started

SECONDS = 25
STORM_MS = 500
PIPELINE = ("echo ready; n=0; while [ $n -lt 3 ]; do busybox seq 1 30000 | busybox sort -n | "
            "busybox tr 1 2 | (busybox md5sum; busybox true) | busybox cat; "
            "n=$((n + 1)); done; echo end")
STORMS = ("forks", "execs", "pipes", "files", "signals", "stops", "locks", "sockets")
WAKEUPS = {"pipes": 4000, "polls": 2000, "futexes": 4000, "waits": 1000, "suspends": 1000,
           "signals": 3000, "stops": 1000, "execs": 300, "crowd": 1000, "sockets": 1000}
SYSTEM_FAILED, KILLED = 111, 137


def rounds(context):
    default = "6" if context.group == "quick" else "200"
    return int(os.environ.get("UNIFORK_KILLS", default))


class HostFiles:
    """A folder of the host that every storm tries to change; who looks sees every change."""

    def __init__(self, context, backend):
        self.path = context.build / "tests" / "stress" / f"host-files-{backend}"
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        for number in range(8):
            (self.path / f"host-{number}").write_text(f"the host's {number}\n" * 100)
        self.before = self.state()

    def state(self):
        """Everything but the time of the last access."""
        found = {}
        for path in [self.path, *sorted(self.path.rglob("*"))]:
            info = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            found[path.name] = (info.st_ino, info.st_mode, info.st_size, info.st_mtime_ns,
                                info.st_ctime_ns, hashlib.sha256(content).hexdigest())
        return found

    def check(self):
        now = self.state()
        changed = [name for name in sorted(set(now) | set(self.before))
                   if now.get(name) != self.before.get(name)]
        require(not changed, f"files of the host changed: {changed}")


def kin_look(context, family):
    look = context.build / "tests" / "stress" / "kin_look"
    return subprocess.run([look, str(runs.supervisor(family.process.pid))],
                          capture_output=True, text=True,
                          check=False, timeout=10).stdout


def members(context, family):
    """The living members, oldest first: (host pid, pid, ppid)."""
    rows = [line.split() for line in kin_look(context, family).splitlines()]
    host = runs.monitors(family.process.pid)
    return [(host[int(row[2])], int(row[3]), int(row[4])) for row in rows
            if len(row) >= 5 and row[1] != "free" and int(row[2]) in host]


def give_up(family, reason, look=""):
    """Ends the family, then fails for the reason given, not for having had to end it."""
    try:
        family.clean(None)
    except Failed:
        pass
    family.process.stdout.close()
    errors = family.process.stderr.read().decode(errors="replace").strip()
    raise Failed(f"{reason}\n{look}{errors[-1000:]}")


def victims(kind, living, chance):
    """Whom to kill: most often not PID 1, so that the family has to go on."""
    others = [row for row in living if row[1] != 1]
    if not others or chance.random() < (0.005 if kind == "rain" else 0.08):
        return living[:1]
    if kind == "pair":
        by_pid = {row[1]: row for row in others}
        pairs = [[by_pid[row[2]], row] for row in others if row[2] in by_pid]
        if pairs:
            return chance.choice(pairs)
    if kind == "several":
        return chance.sample(others, (len(others) + 1) // 2)
    return [chance.choice(others)]


def kill_some(context, family, kind, chance):
    """Kills; returns (host processes hit, whether PID 1 was among them)."""
    if kind == "front":
        family.process.kill()
        return 1, True
    if kind == "supervisor":
        pid = runs.supervisor(family.process.pid)
        if pid:
            os.kill(pid, signal.SIGKILL)
        return 1, True
    hit, first = 0, False
    for host_pid, pid, _ in victims(kind, members(context, family), chance):
        try:
            stat = pathlib.Path(f"/proc/{host_pid}/stat").read_text(encoding="latin-1")
            if int(stat.rpartition(")")[2].split()[1]) != runs.supervisor(family.process.pid):
                continue
            os.kill(host_pid, signal.SIGKILL)
        except OSError:
            continue
        hit += 1
        first |= pid == 1
    return hit, first


def read_to_end(family, deadline):
    output = b""
    while time.monotonic() < deadline:
        ready, _, _ = select.select([family.process.stdout], [], [], 0.5)
        chunk = os.read(family.process.stdout.fileno(), 65536) if ready else b"-"
        if not chunk:
            return output
        output += chunk if ready else b""
    raise Failed(f"hang: no end, output {output[-200:]!r}")


def verdict(status, first, output, errors):
    """Raises Failed unless the family went on, or ended as it may."""
    own = [line for line in errors if line.startswith("unifork: ")]
    shown = f"status {status}, output {output[-200:]!r}, errors {errors[-6:]}"
    require(not any(re.match(r"unifork: (member \d|a monitor)", line) for line in own),
            f"a member failed: {shown}")
    if status == SYSTEM_FAILED:
        require(len(own) == 1, f"ended by the system without one clear message: {shown}")
        return own[0]
    if not first:
        require(status == 0 and output.endswith(b"end\n"), f"the family did not go on: {shown}")
        return "went on"
    require(status in (0, KILLED), f"an odd end: {shown}")
    return "ended with its first process" if status else "had ended before"


def one_round(context, backend, chance, started, files):
    kind = chance.choice(["one"] * 3 + ["pair"] * 4 + ["several"] * 2 + ["rain"] * 3
                         + ["front", "supervisor"])
    load = (os.environ.get("UNIFORK_LOAD")
            or chance.choice(["pipeline"] * 2 + ["all"] * 2 + [*STORMS]))
    storm = [context.build / "tests" / "stress" / "storm", STORM_MS, files.path]
    program = (["/bin/busybox", "sh", "-c", PIPELINE] if load == "pipeline" else
               [*storm, *(chance.sample(STORMS, len(STORMS)) if load == "all" else [load])])
    moments = ([chance.random() * 0.03 for _ in range(20)] if kind == "rain" else
               [chance.random() * 0.25 for _ in range(chance.randrange(1, 5))])
    family, hits, first = started(context, backend, program), 0, False
    try:
        ready, _, _ = select.select([family.process.stdout], [], [], SECONDS)
        require(ready, "it did not start")
        for moment in moments if kind not in ("front", "supervisor") else moments[:1]:
            time.sleep(moment)
            hit, was_first = kill_some(context, family, kind, chance)
            hits, first = hits + hit, first or was_first
        deadline = time.monotonic() + SECONDS
        output = read_to_end(family, deadline)
    except Failed as reason:
        give_up(family, f"{load}, kill of {kind}: {reason}", kin_look(context, family))
    try:
        status = family.end(max(1.0, deadline - time.monotonic()))
        errors = family.process.stderr.read().decode(errors="replace").strip().splitlines()
        end = verdict(status, first, output, errors)
        files.check()
    except Failed as reason:
        raise Failed(f"{load}, kill of {kind}: {reason}") from reason
    finally:
        family.process.stdout.close()
        family.process.stderr.close()
    return kind, hits, end


def random_kills(context, backend, started):
    def check():
        context.needs(backend)
        seed = int(os.environ.get("UNIFORK_SEED", str(random.randrange(1 << 30))))
        files, summary, hits = HostFiles(context, backend), collections.Counter(), 0
        for number in range(rounds(context)):
            # A generator for each round: the moments differ from run to run, the choices do not.
            chance = random.Random(f"{seed} {number}")
            try:
                kind, hit, end = one_round(context, backend, chance, started, files)
            except Failed as reason:
                raise Failed(f"round {number} of UNIFORK_SEED={seed}: {reason}") from reason
            hits += hit
            summary[f"{kind}: {end}"] += 1
        shutil.rmtree(files.path, ignore_errors=True)
        if context.group != "quick":
            print(f"{backend}: {sum(summary.values())} rounds, {hits} processes killed, "
                  f"UNIFORK_SEED={seed}: "
                  + ", ".join(f"{name} x{count}" for name, count in sorted(summary.items())))
    return check


def wakeups(context, backend, kind, count):
    """Natively and in a family the same output, with a spinning process on every processor."""
    def check():
        context.needs(backend)
        share = 10 if context.group == "quick" else 1
        command = [context.build / "tests" / "stress" / "wakeups", kind, str(count // share)]
        spinners = [subprocess.Popen([sys.executable, "-c", "import time\nend = time.time() + 100\n"
                                      "while time.time() < end: pass"])
                    for _ in range(os.cpu_count() or 1)]
        try:
            context.same_as_native(backend, command, timeout=90)
        finally:
            for spinner in spinners:
                spinner.kill()
                spinner.wait()
    return check


def host_side(context, family):
    """Pages of kin, and for each host process of the family its descriptors."""
    text = kin_look(context, family)
    pids = runs.marked_processes(family.mark, family.process.pid)
    return (int(text.split()[-1]),
            sorted(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids), len(pids))


def resident_kib(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1])


def nothing_piles_up(context, backend, started):
    """A thousand children in four ways, looked at from outside after each 200 and a second."""
    def check():
        program = context.build / "tests" / "stress" / "idle"
        family = started(context, backend, [program, "200"], stdin=subprocess.PIPE)
        try:
            sizes, sides = [], []
            for _ in range(5):
                line = family.line(90)
                require(line == b"idle\n", f"the program said {line!r}")
                time.sleep(1)
                sides.append(host_side(context, family))
                sizes.append(sum(resident_kib(pid) for pid in
                                 runs.marked_processes(family.mark, family.process.pid)))
                family.process.stdin.write(b"x")
                family.process.stdin.flush()
        except Failed as reason:
            give_up(family, reason, kin_look(context, family))
        require(family.end() == 0, "the program failed")
        # The first look comes after a first share of children: what is kept for reuse is there.
        (pages, descriptors, processes), last = sides[1], sides[-1]
        require(last[0] <= pages + 8, f"pages of kin in use grow: {[side[0] for side in sides]}")
        require(last[1] == descriptors, f"descriptors grow: {[side[1] for side in sides]}")
        require(last[2] == processes, f"host processes grow: {[side[2] for side in sides]}")
        require(sizes[-1] <= sizes[1] + 1024, f"resident KiB grow: {sizes}")
    return check


def spawner_killed(context, backend, started):
    """The spawner is killed twice, idle and at work: every program is run all the same."""
    spawns = "busybox seq 30 | busybox xargs -n 1 busybox echo | busybox md5sum"

    def check():
        log = context.build / "tests" / "stress" / f"spawner-{backend}.log"
        with open(log, "wb") as stderr:
            family = started(context, backend, ["/bin/busybox", "sh", "-c",
                             f"{spawns}; read x; {spawns}; echo more; {spawns}; {spawns}"],
                             options=["--verbose"], stdin=subprocess.PIPE, stderr=stderr)
        lines, killed = [], set()
        try:
            for step in range(5):
                lines.append(family.line(60))
                named = re.findall(r"the spawner is process (\d+)", log.read_text("utf-8"))
                if named and step in (0, 2) and named[-1] not in killed:
                    # A list of children that is read while some end can lack others.
                    host = None
                    for _ in range(100):
                        host = host or runs.monitors(family.process.pid).get(int(named[-1]))
                    require(host, f"the spawner, process {named[-1]}, is not there")
                    os.kill(host, signal.SIGKILL)
                    killed.add(named[-1])
                if step == 0:
                    family.process.stdin.write(b"x\n")
                    family.process.stdin.flush()
        except Failed as reason:
            give_up(family, reason, log.read_text("utf-8")[-2000:])
        require(family.end() == 0, "the family failed")
        sums = [line for line in lines if line != b"more\n"]
        require(len(killed) == 2, f"spawners killed: {len(killed)}")
        require(len(set(sums)) == 1 and len(sums) == 4, f"outputs differ: {lines}")
    return check


def cases(context):
    found = []
    for backend in context.backends():
        found += [Case(f"stress/random_kills@{backend}",
                       random_kills(context, backend, Started), exclusive=True),
                  Case(f"stress/nothing_piles_up@{backend}",
                       nothing_piles_up(context, backend, Started), exclusive=True),
                  Case(f"stress/spawner_killed@{backend}",
                       spawner_killed(context, backend, Started))]
        found += [Case(f"stress/wakeups_{kind}@{backend}", wakeups(context, backend, kind, count),
                       exclusive=True) for kind, count in WAKEUPS.items()]
    return found
