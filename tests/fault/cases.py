# SPDX-License-Identifier: ISC
"""Fault injection: for N = 1, 2, ... the Nth host call of a family fails, with each likely error.

A family does one thing (subject.c): start, fork, exec, spawn, memory, volume; a start by an
ordinary user, too. A first run names its
host calls; then each of them fails once with each error of errors.py, by way of inject.c. Whatever
fails, the run ends in time and leaves no process behind, no host process dies of a signal (but
SIGKILL from its supervisor), and it ends in one of these ways:

    the whole output and status 0
    a beginning of the output, a line `failed: ...` and status 3: the program was told
    a beginning of the output, status 111 and a line `unifork: ...` on standard error
    a beginning of the output, a status that the program's own libc chose, and a line of its own

No monitor is confined less than in the first run, or than in one with --without namespaces on the
backend that needs none.

In the same way each allocation of the host side fails once, in a second executable in which it can
be made to (host/allocate.c), for a start with a volume and --stats.

`make test` runs a short selection, `make test-fault` everything.
"""

import collections
import errno
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile

from fault import errors
from harness import runs
from harness.cases import SYSTEM_FAILED, USAGE_WRONG, Case, Failed, Skipped, require, tail

VERBS = ("start", "fork", "exec", "spawn", "memory", "volume")
SECONDS = 40    # for a run that takes a tenth of one; the supervisor's patience is 8 times 3 s
ALLOCATION_S = 8
USER = 12345
FAILED = 3      # of subject.c
LIBC_FAILED = {126, 127, 134, 139}
UNWRITABLE = {98, 128 + signal.SIGPIPE}  # of subject.c: it cannot say anything
SHOWN = 40
# Of more calls of one kind by one process, which do the same again and again (looks at /proc, all
# 64 signals), the first and the last.
FIRST_CALLS, LAST_CALLS = 16, 8
QUICK_SHARE = {"start": 6, "fork": 5, "exec": 3, "spawn": 5, "memory": 3, "volume": 8}
CLONE = 56
LATER_CALLS = {452: "fchmodat2"}


def call_names():
    """The names of the host's system calls, from its header."""
    command = ["gcc", "-E", "-dM", "-include", "asm/unistd_64.h", "-x", "c", "/dev/null"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return LATER_CALLS | {int(nr): name for name, nr in
                          re.findall(r"^#define __NR_(\w+) (\d+)$", done.stdout, re.MULTILINE)}


Fault = collections.namedtuple("Fault", "proc nr sub count error late")


def states_of(report):
    return {" ".join(line[2:]) for line in report if line[0] == "state"}


def died_wrongly(proc, status, raised=None):
    """`unifork run` itself ends by the signal that ended its program; others are killed at most."""
    if not os.WIFSIGNALED(int(status)) or os.WTERMSIG(int(status)) == signal.SIGKILL:
        return False
    return proc != "0" or not raised or os.WTERMSIG(int(status)) == signal.SIGABRT


def nearest(state, allowed):
    """How a state differs from the one that is most like it."""
    words = collections.Counter(state.split())
    others = [collections.Counter(other.split()) for other in allowed]
    found = [(other - words, words - other) for other in others]
    lacks, has = min(found, key=lambda pair: len(pair[0]) + len(pair[1]))
    return f"lacks {' '.join(lacks)}, has {' '.join(has)}"


class Subject:
    """One thing that a family does, on one backend."""

    def __init__(self, context, backend, verb, user=0):
        self.context, self.backend, self.verb, self.user = context, backend, verb, user
        self.inject = context.build / "tests" / "fault" / "inject"
        self.program = context.build / "tests" / "fault" / "subject"
        self.options = ["-m", "64M"] if verb == "memory" else []
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="unifork-fault-", dir="/var/tmp"))
        if user:
            self.folder.chmod(0o777)
        self.whole, self.states = None, set()
        self.names = call_names()

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, fault, options=()):
        volume = self.folder / "volume"
        if self.verb == "volume":
            self.options = ["-v", f"{volume}:/vol", "-w", "/vol"]
        wanted = []
        if fault:
            late = ["late"] if fault.late else []
            wanted = ["-f", ",".join(str(part) for part in [*fault[:5], *late])]
        before = [] if not self.user else \
            ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]
        return [*before, self.inject, "-s", SECONDS, "-o", self.folder / "report", *wanted, "--",
                self.context.unifork, "run", "--backend", self.backend, *self.options,
                *options, "--", self.program, self.verb]

    def run(self, fault=None, options=()):
        shutil.rmtree(self.folder / "volume", ignore_errors=True)
        (self.folder / "volume").mkdir()
        result = self.context.run(self.command(fault, options), SECONDS + 20)
        report = (self.folder / "report").read_text(encoding="ascii").splitlines()
        return result, [line.split() for line in report]

    def calls(self):
        """The calls of a run without a fault: for each process (NR, SUB) in their order."""
        result, report = self.run()
        require(result.status == 0 and not result.problem, f"without a fault: {tail(result)}")
        self.whole = result.stdout
        # Root can do without a user namespace of its own, and the kvm backend without any.
        self.states = self.state()
        if not self.user:
            self.states |= self.state(Fault(0, CLONE, 0, 1, errno.EPERM, False))
        if self.backend == "kvm":
            self.states |= self.state(options=["--without", "namespaces"])
        found = collections.defaultdict(list)
        for _, proc, nr, sub in (line for line in report if line[0] == "call"):
            found[int(proc)].append((int(nr), int(sub)))
        return found

    def state(self, *fault, **options):
        result, report = self.run(*fault, **options)
        states = states_of(report)
        require(states, f"no monitor was confined: {tail(result)}")
        return states

    def faults(self, known):
        """What can be injected into calls that a start, whose calls are known, does not make."""
        found = []
        for proc, calls in sorted(self.calls().items()):
            counts, totals = collections.Counter(), collections.Counter(calls)
            before = len(os.path.commonprefix([calls, known.get(proc, [])]))
            for i, (nr, sub) in enumerate(calls):
                counts[nr, sub] += 1
                name = self.names.get(nr, str(nr))
                plausible = errors.errors_of(name, sub)
                require(plausible is not None,
                        f"tests/fault/errors.py does not say how {name} can fail")
                middle = FIRST_CALLS < counts[nr, sub] <= totals[nr, sub] - LAST_CALLS
                if i >= before and not middle:
                    found += [Fault(proc, nr, sub, counts[nr, sub], errors.number(error),
                                    name in errors.LATE) for error in plausible]
        return found

    def libc_start(self):
        """The first calls of the first process, up to the protection of what libc relocated."""
        names = [self.names.get(nr) for nr, _ in self.calls()[0]]
        return {0: self.calls()[0][:names.index("mprotect") + 1]}

    def describe(self, fault):
        code = errno.errorcode.get(fault.error, "nothing given")
        sub = f"({fault.sub:#x})" if fault.sub else ""
        return (f"process {fault.proc}, {self.names.get(fault.nr, fault.nr)}{sub} number "
                f"{fault.count}: {code}")

    def judge(self, fault):
        """None, or how it went wrong; 'missed' if the call was not made this time."""
        result, report = self.run(fault)
        kinds = {line[0] for line in report}
        if result.problem or "hang" in kinds:
            return result.problem or f"hang: no end after {SECONDS} s"
        for line in report:
            if line[0] == "ended" and died_wrongly(*line[1:]):
                name = signal.Signals(os.WTERMSIG(int(line[2]))).name
                return f"host process {line[1]} died of {name}\n{tail(result)}"
        if result.seconds > 10:
            return f"took {result.seconds:.1f} s\n{tail(result)}"
        less = states_of(report) - self.states
        if less and states_of(report) - self.refreshed():
            return f"a monitor was confined differently: {nearest(less.pop(), self.states)}"
        return self.ending(result) or (None if "hit" in kinds else "missed")

    def refreshed(self):
        """The host's mounts, which are part of the states, may have changed since."""
        self.calls()
        return self.states

    def ending(self, result):
        """None if the run ended as it may."""
        lines = result.stdout.splitlines(keepends=True)
        last = lines[-1] if lines else b""
        own = [line for line in result.stderr.splitlines() if line.startswith(b"unifork: ")]
        if result.status == 0:
            if result.stdout == self.whole and not self.whole_differs():
                return None
            return f"wrong output with status 0: {tail(result)}\n{self.whole_differs()}"
        if result.status == FAILED and last.startswith(b"failed: "):
            told = not last.endswith(b"SIGKILL\n") or own
            while lines and lines[-1].startswith(b"failed: "):
                lines.pop()
        elif result.status in (SYSTEM_FAILED, USAGE_WRONG) or \
                result.status in (128 + signal.SIGKILL, 128 + signal.SIGSEGV) and own:
            told = own
        else:
            told = result.status in UNWRITABLE or (result.status in LIBC_FAILED and result.stderr)
        if not told:
            return f"status {result.status} without a word: {tail(result)}"
        if not self.whole.startswith(b"".join(lines)):
            return f"wrong output: {tail(result)}"
        return None

    def whole_differs(self):
        """What a successful run has not left on the volume as it should."""
        if self.verb != "volume":
            return ""
        volume = self.folder / "volume"
        names = sorted(str(path.relative_to(volume)) for path in volume.rglob("*"))
        if names != ["dir", "dir/moved"]:
            return f"on the volume: {names}"
        text = (volume / "dir" / "moved").read_bytes()
        mode = (volume / "dir" / "moved").stat().st_mode & 0o7777
        return "" if (text, mode) == (b"first li++", 0o600) else f"on the volume: {text!r} {mode:o}"


def selection(faults, verb):
    """For `make test`: some that are the same on every run, and some by chance."""
    if len(faults) <= QUICK_SHARE[verb]:
        return faults
    step = len(faults) / (QUICK_SHARE[verb] - 1)
    fixed = [faults[int(i * step)] for i in range(QUICK_SHARE[verb] - 1)]
    return fixed + [random.choice(faults)]


def every_call(context, backend, verb, user=0):
    def check():
        context.needs(backend)
        if user and os.geteuid() != 0:
            raise Skipped("needs user 0")
        subject = Subject(context, backend, verb, user)
        try:
            start = Subject(context, backend, "start", user)
            known = start.libc_start() if verb == "start" else start.calls()
            start.close()
            faults = subject.faults(known)
            if context.group == "quick":
                faults = selection(faults, verb)
            wrong, missed = [], 0
            for fault in faults:
                verdict = subject.judge(fault)
                if verdict == "missed":
                    missed += 1
                elif verdict:
                    words = " ".join(str(word) for word in subject.command(fault))
                    wrong.append(f"{subject.describe(fault)}\n{verdict}\n{words}")
        finally:
            subject.close()
        if context.group != "quick":
            name = f"fault/{verb}{'-as-user' if user else ''}@{backend}"
            print(f"{name}: {len(faults)} cases, {len(wrong)} wrong, {missed} not reached",
                  flush=True)
        if wrong:
            more = [f"... and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
            raise Failed("\n".join(wrong[:SHOWN] + more))
        require(missed <= max(len(faults) // 4, 2),
                f"{missed} of {len(faults)} calls were not reached")
    return check


def allocation_judge(context, command, number):
    """(number of allocations or None, did the program run whole, None or how it went wrong)"""
    result = context.run(command, ALLOCATION_S, env={"UNIFORK_FAULT_ALLOCATION": str(number)})
    lines = result.stderr.splitlines()
    own = [line for line in lines if line.startswith(b"unifork: ")]
    total = next((int(line.split()[-1]) for line in lines if b"allocations in all" in line), None)
    if result.problem:
        return total, False, result.problem
    if result.status == 0 and result.stdout == b"done\n":
        return total, True, None
    told = result.status in (SYSTEM_FAILED, USAGE_WRONG) and len(own) == 1 and len(lines) == 2
    return total, False, None if told else f"status {result.status}: {tail(result)}"


def counted_calls(subject):
    """The system calls that --stats names; None if it wrote nothing."""
    text = (subject.folder / "stats").read_text(encoding="ascii")
    return sorted(json.loads(text)["syscalls"]) if text else None


def every_allocation(context, backend):
    def check():
        context.needs(backend)
        subject = Subject(context, backend, "start")
        try:
            (subject.folder / "volume").mkdir()
            command = [context.build / "tests" / "fault" / "unifork-allocate", "run", "--backend",
                       backend, "--stats", subject.folder / "stats", "-v",
                       f"{subject.folder}/volume:/vol", "--", subject.program, "start"]
            total, _, _ = allocation_judge(context, command, 1 << 40)
            require(total, "the allocations were not counted")
            whole, wrong = counted_calls(subject), []
            for number in range(1, total + 1):
                (subject.folder / "stats").write_text("", encoding="ascii")
                _, done, verdict = allocation_judge(context, command, number)
                counted = counted_calls(subject)
                if done and counted not in (whole, None):
                    verdict = "the statistics lack something"
                if verdict:
                    wrong.append(f"allocation {number}: {verdict}")
                if len(wrong) == SHOWN:
                    break
        finally:
            subject.close()
        print(f"fault/allocations@{backend}: {number} cases, {len(wrong)} wrong", flush=True)
        require(not wrong, "\n".join(wrong))
    return check


def cases(context):
    found = [Case(f"fault/{verb}@{backend}", every_call(context, backend, verb))
             for backend in context.backends() for verb in VERBS]
    # Not on kvm: whether an ordinary user has /dev/kvm is the host's business.
    found += [Case("fault/start-as-user@process", every_call(context, "process", "start", USER))
              for backend in context.backends() if backend == "process"]
    if context.group != "quick":
        found += [Case(f"fault/allocations@{backend}", every_allocation(context, backend))
                  for backend in context.backends()]
    return found
