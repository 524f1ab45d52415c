# SPDX-License-Identifier: ISC
"""The test suites that Debian's source packages carry, run with the installed programs.

Every file or batch of a suite is a case of its own. What counts is not that a test succeeds (some
need what a minimal machine lacks, or the program's build folder) but that a family does what the
host does: output and status have to be equal. The source is fetched at test time, see programs.py.
"""

import dataclasses
import re
import subprocess
from typing import Callable

from harness import programs
from harness.cases import Case, Failed, Skipped


@dataclasses.dataclass(frozen=True)
class Suite:
    """One source package's tests.

    `tests` returns names, or a dictionary from names to what {test} stands for in `command`.
    `prepare` builds what the tests need, with the Debian packages of `needs`. `only` reduces an
    output to what is compared. `left_out` names tests that are not run, and why.
    """

    program: str
    package: str
    tests: Callable
    command: str
    seconds: float
    prepare: Callable = None
    needs: tuple = ()
    only: Callable = bytes
    left_out: dict = dataclasses.field(default_factory=dict)
    installed: tuple = ()

    def packages(self):
        return [*(self.installed or (self.package,)), "dpkg-dev", "gcc", "make", *self.needs]

    def source(self, context, prepare=None):
        return programs.source(context, self.package, prepare)


def tap(output):
    """The results of a test that speaks TAP, without comments and what names pids and times."""
    lines = [line for line in output.split(b"\n") if not line.lstrip().startswith(b"#")]
    return b"\n".join(re.sub(rb"^((?:not )?ok \d+ .*?) \([^()]*\)$", rb"\1", line)
                      for line in lines)


def batches(names, size):
    """Names like FOLDER/TEST in batches of one folder: {FOLDER-1: "FOLDER/A FOLDER/B", ...}."""
    found = {}
    for folder in sorted({name.partition("/")[0] for name in names}):
        inside = sorted(name for name in names if name.partition("/")[0] == folder)
        for at in range(0, len(inside), size):
            found[f"{folder}-{at // size + 1}"] = " ".join(inside[at:at + size])
    return found


def build(tree, *commands):
    """Runs commands in a source tree; the last lines of the first one that fails are the reason."""
    for command in commands:
        done = subprocess.run(["/bin/sh", "-c", command], cwd=tree, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            text = done.stdout.decode(errors="replace")
            raise Failed(f"cannot prepare {tree.name}: {command}\n{text[-800:]}")


def check_of(context, backend, suite, name, test):
    def check():
        programs.need_packages(context, suite.packages())
        tree = suite.source(context, suite.prepare)
        command = suite.command.format(tree=tree, test=test)
        label = f"{suite.package}-{name.replace('/', '-')}"
        programs.same_in_family(context, backend, label, command, suite.seconds, varies=True,
                                only=suite.only)
    return check


def suite_cases(context, suite):
    """The tests are known once the source is there; where it cannot be had one case says so."""
    for test, reason in suite.left_out.items():
        programs.leave_out(suite.program, f"`{test}`", reason)
    try:
        programs.need_packages(context, ["dpkg-dev"])
        tests = suite.tests(suite.source(context))
    except (Skipped, Failed) as reason:
        def missing(reason=reason):
            raise reason
        return [Case(f"programs/{suite.program}/source@{backend}", missing)
                for backend in context.wanted]
    if not isinstance(tests, dict):
        tests = {test: test for test in tests}
    return [Case(f"programs/{suite.program}/{name}@{backend}",
                 check_of(context, backend, suite, name, test))
            for name, test in sorted(tests.items()) if name not in suite.left_out
            for backend in context.wanted]
