#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Runs the tests of unifork.

The guest programs run natively first, which is the oracle, and then on every backend; outputs and
statuses must be equal. The last line is always `N passed, N failed, N skipped`; the exit status is
1 if anything failed. What cannot be run is skipped with a reason and counted.

    tests/run.py                         what `make test` runs (--quick)
    tests/run.py --only guest/pipe       cases whose names match a regular expression
    tests/run.py --backend process -v    one backend only (kvm, process, or native for the oracle)
"""

import argparse
import collections
import concurrent.futures
import importlib.util
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import traceback

TESTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS))

# pylint: disable=wrong-import-position
from harness import guests, programs
from harness.cases import Case, Context, Failed, Skipped, stderr_tail

# Group: the folders whose cases it consists of, and the seconds it may take altogether.
GROUPS = {
    "quick": (["tree", "unit", "guest", "integration",
               "security", "stress", "death", "fuzz", "fault", "programs", "svm"], 840),
    "svm": (["svm"], 3600),
    "stress": (["stress", "death"], 5400),
    "programs": (["programs"], 4 * 3600),
    "fuzz": (["fuzz"], 6 * 3600),
    "fault": (["fault"], 3600),
    "soak": (["soak"], 4 * 3600),
}


def guest_check(context, guest, backend):
    def check():
        binary = guest.binary(context.build)
        if not binary.exists():
            raise Failed(f"{binary} was not built: meson setup --reconfigure {context.build}")
        if "root" in guest.words and os.geteuid() != 0:
            raise Skipped("needs user 0")
        command = [binary, *guest.args]
        native = context.oracle(command, guest.timeout)
        if native.status != guest.status:
            raise Failed(f"natively: exit status {native.status}, not {guest.status}\n"
                         + native.stdout.decode(errors="replace"))
        if backend == "native":
            return
        _, stats = context.same_as_native(backend, command, timeout=guest.timeout, stats=True)
        context.called.update(stats["syscalls"])
        members = stats.get("members")
        if isinstance(members, list):
            members = len(members)
        if members is not None and members > guest.members:
            raise Failed(f"made {members} members, declares {guest.members}")
    return check


def guest_cases(context):
    found = [Case(f"guest/{guest.name}@{backend}", guest_check(context, guest, backend))
             for guest in guests.guests("guest") for backend in context.wanted]
    return found + [Case("guest/every_call", coverage_check(context, found), exclusive=True)]


def coverage_check(context, cases):
    """Every system call that the table calls FULL or PARTIAL is made by some guest test."""
    def check():
        if not context.backends():
            raise Skipped("looks at families only")
        if not {case.name for case in cases} <= context.selected:
            raise Skipped("looks at complete runs of the guest tests only")
        table = (TESTS.parent / "kernel" / "syscall" / "syscalls.def").read_text(encoding="utf-8")
        promised = re.findall(r'^SYSCALL\((\w+), \d, "\w*", (?:FULL|PARTIAL),', table,
                              re.MULTILINE)
        if len(promised) < 200:
            raise Failed(f"only {len(promised)} rows read from the table of system calls")
        missing = [name for name in promised if name not in context.called]
        if missing:
            raise Failed("no guest test makes these calls: " + " ".join(missing))
    return check


def unit_cases(context):
    def check_of(binary):
        def check():
            result = context.run([binary], 60)
            if result.problem or result.status:
                raise Failed(f"{result.problem or f'exit status {result.status}'}\n"
                             + stderr_tail(result, 30) + result.stdout.decode(errors="replace"))
        return check

    found = sorted((context.build / "tests" / "unit").glob("test_*"))
    return [Case(f"unit/{binary.name}", check_of(binary))
            for binary in found if os.access(binary, os.X_OK) and binary.is_file()]


def folder_cases(context, folder, group):
    """The cases of every module cases*.py in a folder of tests/."""
    found = []
    for path in sorted((TESTS / folder).glob("cases*.py")):
        spec = importlib.util.spec_from_file_location(f"{folder}_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        context.group = group
        found += module.cases(context)
    if not found:
        def nothing():
            raise Skipped(f"tests/{folder} has no cases yet")
        found = [Case(f"{folder}/none", nothing)]
    return found


def collect(context, group):
    cases = []
    for folder in GROUPS[group][0]:
        if folder == "guest":
            cases += guest_cases(context)
        elif folder == "unit":
            cases += unit_cases(context)
        else:
            found = folder_cases(context, folder, group)
            if folder == "programs" and group == "quick":
                found = [case for case in found if case.quick]
            cases += found
    return cases


class Report:
    """Counts outcomes and prints them as they come; may be used by several threads."""

    def __init__(self, verbose, records):
        self.verbose, self.records = verbose, records
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.reasons = collections.Counter()
        self.times = []
        self.failures = []

    def add(self, name, outcome, text, seconds):
        if self.records:
            self.records.add(name, outcome, text, seconds)
        with self.lock:
            self.counts[outcome] += 1
            self.times.append((seconds, name))
            if outcome == "failed":
                self.failures.append(name)
                print(f"FAILED {name} ({seconds:.1f} s)")
                print("\n".join("    " + line for line in text.splitlines()))
            elif outcome == "skipped":
                self.reasons[text] += 1
                if self.verbose:
                    print(f"skipped {name}: {text}")
            elif self.verbose:
                print(f"passed {name} ({seconds:.1f} s)")
            sys.stdout.flush()

    def end(self):
        slowest = sorted(self.times, reverse=True)[:8]
        if slowest and slowest[0][0] > 1:
            print("slowest: " + ", ".join(f"{name} {seconds:.1f} s"
                                          for seconds, name in slowest if seconds > 0.5))
        for reason, count in sorted(self.reasons.items()):
            print(f"skipped {count}: {reason}")
        if self.failures:
            print("failed: " + " ".join(sorted(self.failures)))
        print(f"{self.counts['passed']} passed, {self.counts['failed']} failed, "
              f"{self.counts['skipped']} skipped")
        return 1 if self.counts["failed"] else 0


def run_case(case, report, deadline):
    began = time.monotonic()
    if began > deadline:
        report.add(case.name, "failed", "not run: the time for all tests is over", 0)
        return
    outcome, text = "passed", ""
    programs.begin(case.name)
    try:
        case.check()
    except Skipped as reason:
        outcome, text = "skipped", str(reason)
    except Failed as reason:
        outcome, text = "failed", str(reason)
    except Exception:  # pylint: disable=broad-except
        outcome, text = "failed", traceback.format_exc()
    report.add(case.name, outcome, text, time.monotonic() - began)


def run_cases(cases, report, jobs, seconds):
    deadline = time.monotonic() + seconds
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        try:
            futures = [pool.submit(run_case, case, report, deadline)
                       for case in cases if not case.exclusive]
            concurrent.futures.wait(futures)
        except BaseException:  # told to end: what has begun comes to its end, the rest does not run
            pool.shutdown(cancel_futures=True)
            raise
    for case in cases:
        if case.exclusive:
            run_case(case, report, deadline)


def build_missing(build):
    """A test program that was added after the last configuration is not known to Ninja yet."""
    missing = [guest for folder in ("guest", "integration", "security", "fuzz", "stress", "fault",
                                    "soak")
               for guest in guests.guests(folder) if not guest.binary(build).exists()]
    if missing and (pathlib.Path(build) / "build.ninja").exists():
        subprocess.run(["meson", "setup", "--reconfigure", build], check=False,
                       stdout=subprocess.DEVNULL)
        subprocess.run(["ninja", "-C", build], check=False, stdout=subprocess.DEVNULL)


def arguments():
    parser = argparse.ArgumentParser(description="Runs the tests of unifork.")
    group = parser.add_mutually_exclusive_group()
    for name in GROUPS:
        group.add_argument(f"--{name}", dest="group", action="store_const", const=name,
                           help=f"the folders {', '.join(GROUPS[name][0])}")
    parser.add_argument("--only", metavar="PATTERN", help="cases whose names match")
    parser.add_argument("--backend", action="append", choices=["native", "process", "kvm"],
                        help="may be given more than once; process and kvm unless given")
    parser.add_argument("--build", default=str(TESTS.parent / "build"), metavar="DIR")
    parser.add_argument("--seconds", type=float, help="the time for all tests together")
    parser.add_argument("--scale", type=float, default=3,
                        help="multiplies every time-out: they are there for hangs (default 3)")
    parser.add_argument("-j", dest="jobs", type=int, default=2, metavar="N")
    parser.add_argument("-v", dest="verbose", action="store_true")
    parser.add_argument("--page", action="store_true",
                        help="write docs/programs.md, from the latest outcome of every case, "
                             "after a run with --only too")
    parser.add_argument("--list", action="store_true", help="print the names of the cases only")
    parser.set_defaults(group="quick")
    return parser.parse_args()


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # What nohup or a background job ignores would be inherited by native runs, not by families.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    build_missing(options.build)
    context = Context(options.build, options.backend or ["process", "kvm"], options.scale)
    try:
        cases = collect(context, options.group)
        known = [case.name for case in cases]
        if options.only:
            cases = [case for case in cases if re.search(options.only, case.name)]
        context.selected = {case.name for case in cases}
        if options.list:
            print("\n".join(case.name for case in cases))
            return 0
        context.probe()
        for backend, reason in context.unusable.items():
            print(f"{backend} cannot be used here: {reason}")
        records = programs.Records(context, known) if options.group == "programs" else None
        report = Report(options.verbose, records)
        run_cases(cases, report, options.jobs, options.seconds or GROUPS[options.group][1])
        if records and (options.page or not options.only):
            records.write_page()
        return report.end()
    finally:
        context.close()


if __name__ == "__main__":
    sys.exit(main())
