# SPDX-License-Identifier: ISC
"""A million forks and execs, pipes and signals at full load; then everything is as at the start.

A family on every backend works at the same time, each with as many workers as there are processors,
on files in memory and on a volume by turns (soak.c). It is looked at from outside before the first
share of the work that counts, and after every other, when it is idle: pages of kin in use, host
processes, and for each of them descriptors and memory. The last look must be like the first, the
shares in between are printed when a look fails.

UNIFORK_SOAK_SECONDS (7200) is the time, UNIFORK_SOAK_COUNT (1000000) the number of forks and execs
of all families together after which it is over sooner.
"""

import dataclasses
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time

from harness import runs
from harness.cases import Case, Failed, require

SECONDS = int(os.environ.get("UNIFORK_SOAK_SECONDS", "7200"))
COUNT = int(os.environ.get("UNIFORK_SOAK_COUNT", "1000000"))
# The supervisor keeps a row for each of the first 10000 members; what grows later piles up.
WARM_UP = 11000
SHARE = 2000
SHARE_S = 600
SETTLE_S = 10
PAGES_MORE = 16
RECORD_PAGES = 3  # what the kernel and a process slot keep for one more member at a time
RESIDENT_MORE_KIB = 1024
TESTS = pathlib.Path(__file__).resolve().parent.parent


def load(folder, name):
    spec = importlib.util.spec_from_file_location(name, TESTS / folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclasses.dataclass
class Look:
    """What the host says of an idle family; sizes in KiB."""

    pages: int
    records: int
    descriptors: list
    threads: int
    resident: int
    private: int

    def same_as(self, first):
        pages = first.pages + PAGES_MORE + RECORD_PAGES * (self.records - first.records)
        return (self.pages <= pages and self.descriptors == first.descriptors
                and self.threads == first.threads
                and self.resident <= first.resident + RESIDENT_MORE_KIB
                and self.private <= first.private + RESIDENT_MORE_KIB)

    def __str__(self):
        return (f"{self.pages} pages of kin, {len(self.descriptors)} processes with "
                f"{self.threads} threads and {sum(self.descriptors)} descriptors, "
                f"{self.resident} KiB resident, {self.private} KiB anonymous")


def field(pid, name):
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)[1])


def look(context, stress, family):
    pids = runs.marked_processes(family.mark, family.process.pid)
    words = stress.kin_look(context, family).split()
    return Look(pages=int(words[-1]) - int(words[-3]), records=int(words[-5]),
                descriptors=sorted(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),
                threads=sum(field(pid, "Threads") for pid in pids),
                resident=sum(field(pid, "VmRSS") for pid in pids),
                private=sum(field(pid, "RssAnon") for pid in pids))


def settled(context, stress, family, first=None):
    """A look when the last monitors are gone; they are taken down off the path of the work."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        time.sleep(0.5)
        try:
            found = look(context, stress, family)
        except (OSError, IndexError, ValueError):  # a process ended meanwhile
            found = None
        over = time.monotonic() > deadline
        if found and (over or (first and found.same_as(first))):
            return found
        require(not over, "the family cannot be looked at")
        if found and not first and len(found.descriptors) <= 4:
            return found


class Soaking:
    """One family and what was counted of it; works in a thread of its own."""

    def __init__(self, context, backend, stress, started):
        self.context, self.backend, self.stress = context, backend, stress
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="unifork-soak-", dir="/var/tmp"))
        self.stats = self.folder / "stats"
        (self.folder / "volume").mkdir()
        self.family = started(
            context, backend,
            [context.build / "tests" / "soak" / "soak", str(os.cpu_count() or 2), "/vol"],
            options=["-v", f"{self.folder}/volume:/vol", "--stats", self.stats],
            stdin=subprocess.PIPE)
        self.counts, self.looks, self.problem = [0, 0, 0, 0], [], None

    def share(self, number):
        self.family.process.stdin.write(b"%d\n" % number)
        self.family.process.stdin.flush()
        words = self.family.line(SHARE_S).split()
        require(words and words[0] == b"did", f"the program said {b' '.join(words)!r}")
        self.counts = [a + int(b) for a, b in zip(self.counts, words[1:])]

    def work(self, over):
        try:
            require(self.family.line(60) == b"ready\n", "not ready")
            self.share(WARM_UP)
            self.looks.append(settled(self.context, self.stress, self.family))
            while not over():
                self.share(SHARE)
                self.looks.append(settled(self.context, self.stress, self.family, self.looks[0]))
        except Failed as reason:
            self.problem = str(reason)

    def end(self):
        """Ends the family; raises Failed if anything was not as it must be."""
        try:
            self.family.process.stdin.close()
            if self.problem:
                self.stress.give_up(self.family, f"{self.backend}: {self.problem}",
                                    self.stress.kin_look(self.context, self.family))
            require(self.family.end(60) == 0, f"{self.backend}: the program failed")
            first, last = self.looks[0], self.looks[-1]
            require(last.same_as(first), f"{self.backend}: not as at the start\n"
                    + "\n".join(str(one) for one in self.looks[:3] + self.looks[-3:])
                    + "\npages of kin, and members that lived at a time: "
                    + " ".join(f"{one.pages}/{one.records}" for one in self.looks))
            left = list((self.folder / "volume").iterdir())
            require(not left, f"{self.backend}: left on the volume: {left}")
            require(self.stats.stat().st_size > 0, f"{self.backend}: no statistics")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


def soak(context):
    def check():
        stress = load("stress", "cases")
        started = load("integration", "cases_cli").Started
        began = time.monotonic()
        families = [Soaking(context, backend, stress, started) for backend in context.backends()
                    if backend not in context.unusable]
        require(families, "no backend can be used")

        def over():
            return (time.monotonic() - began > SECONDS or any(one.problem for one in families)
                    or sum(sum(one.counts[:2]) for one in families) >= COUNT)

        threads = [threading.Thread(target=one.work, args=(over,), daemon=True) for one in families]
        problems = []
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:  # told to end before it is over, too
            for one in families:
                try:
                    one.end()
                except Failed as reason:
                    problems.append(str(reason))
        forks, execs, signals, count = (sum(one.counts[i] for one in families) for i in range(4))
        seconds = time.monotonic() - began
        print(f"soak: {forks} forks, {execs} execs, {signals} signals, {count >> 20} MiB through "
              f"pipes in {seconds:.0f} s on {' and '.join(one.backend for one in families)}; "
              + "; ".join(f"{one.backend} {one.looks[0]} -> {one.looks[-1]}"
                          for one in families if one.looks), flush=True)
        require(not problems, "\n".join(problems))
    return check


def cases(context):
    return [Case("soak/forks_and_execs", soak(context), exclusive=True)]
