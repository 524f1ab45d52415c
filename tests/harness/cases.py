# SPDX-License-Identifier: ISC
"""Cases, their outcomes, and the context that every group of tests is given.

A group is a folder of tests/ with modules `cases*.py`; each has `cases(context)`, which returns a
list of Case. A case's `check` returns nothing if it passes and raises Failed or Skipped otherwise.
"""

import dataclasses
import difflib
import json
import os
import pathlib
import shutil
import tempfile
import threading
from typing import Callable

from harness import runs

TESTS = pathlib.Path(__file__).resolve().parent.parent
SYSTEM_FAILED = 111
USAGE_WRONG = 100


class Failed(Exception):
    """The case failed; the text says how."""


class Skipped(Exception):
    """The case could not be run; the text says why."""


@dataclasses.dataclass
class Case:
    """One thing to check. An exclusive case runs while no other does.

    Of tests/programs only the quick cases belong to `make test`.
    """

    name: str
    check: Callable
    exclusive: bool = False
    quick: bool = False


def require(truth, text):
    if not truth:
        raise Failed(text)


def diff(expected, actual, expected_name, actual_name):
    def lines(data):
        return data.decode("utf-8", "backslashreplace").splitlines()

    found = list(difflib.unified_diff(lines(expected), lines(actual), expected_name, actual_name,
                                      lineterm="", n=2))
    if not found and expected != actual:
        found = ["outputs differ in line ends only"]
    if len(found) > 60:
        found = found[:60] + [f"... {len(found) - 60} further lines"]
    return "\n".join(found)


class Context:
    """Where things are, which backends work, and how to run a program on one of them."""

    def __init__(self, build, backends, scale):
        self.build = pathlib.Path(build).resolve()
        self.unifork = self.build / "unifork"
        self.scale = scale
        self.wanted = backends
        self._oracle, self._locks, self._lock = {}, {}, threading.Lock()
        self.unusable = {}
        self.group, self.selected = "quick", set()
        self.called = set()             # the system calls that guest tests made in a family
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="unifork-run-"))

    def close(self):
        shutil.rmtree(self.scratch, ignore_errors=True)

    def probe(self):
        """Finds out which of the wanted backends work here: self.unusable says why one does not."""
        for backend in self.backends():
            if not self.unifork.exists():
                self.unusable[backend] = "build/unifork does not exist"
                continue
            hello = self.build / "tests" / "guest" / "hello"
            result = runs.run([self.unifork, "run", "--backend", backend, "--", hello], 20)
            if result.status == SYSTEM_FAILED:
                lines = result.stderr.decode(errors="replace").strip().splitlines()
                self.unusable[backend] = lines[-1] if lines else "unifork run exits with 111"

    def backends(self):
        return [backend for backend in self.wanted if backend != "native"]

    def needs(self, backend):
        if not self.unifork.exists():
            raise Failed("build/unifork does not exist")
        if backend in self.unusable:
            raise Skipped(f"{backend}: {self.unusable[backend]}")

    def run(self, command, timeout=30, **options):
        if str(command[0]).startswith(str(self.build)) and not os.path.exists(command[0]):
            raise Failed(f"{command[0]} was not built")
        return runs.run(command, timeout * self.scale, **options)

    def in_family(self, backend, program, *, options=(), timeout=30, **more):
        """`unifork run` on a backend; hangs and leftovers fail the case at once."""
        self.needs(backend)
        command = [self.unifork, "run", "--backend", backend, *options, "--", *program]
        result = self.run(command, timeout, **more)
        if result.problem:
            raise Failed(f"{result.problem}\n{tail(result)}")
        return result

    def unifork_stats(self, backend, program, **more):
        """Like in_family, with the statistics; returns (result, dictionary)."""
        handle, path = tempfile.mkstemp(prefix="stats-", dir=self.scratch)
        os.close(handle)
        options = [*more.pop("options", ()), "--stats", path]
        try:
            result = self.in_family(backend, program, options=options, **more)
            text = pathlib.Path(path).read_text(encoding="utf-8")
        finally:
            os.unlink(path)
        try:
            return result, json.loads(text)
        except ValueError as error:
            raise Failed(f"--stats wrote no JSON: {error}\n{text[:500]}\n{tail(result)}") from error

    def oracle(self, command, timeout=30, **options):
        """The native run of a command, once per run of the tests."""
        key = (tuple(str(word) for word in command), repr(sorted(options.items())))
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._oracle:
                self._oracle[key] = self.run(command, timeout, **options)
        result = self._oracle[key]
        if result.problem:
            raise Failed(f"natively: {result.problem}\n{tail(result)}")
        return result

    def same_as_native(self, backend, command, *, timeout=30, stats=False, **options):
        """Runs natively and in a family; outputs and statuses have to be equal."""
        self.needs(backend)
        native = self.oracle(command, timeout, **options)
        statistics = None
        if stats:
            result, statistics = self.unifork_stats(backend, command, timeout=timeout, **options)
        else:
            result = self.in_family(backend, command, timeout=timeout, **options)
        problems = []
        if result.status != native.status:
            problems.append(f"exit status {result.status}, natively {native.status}")
        if result.stdout != native.stdout:
            problems.append(diff(native.stdout, result.stdout, "native", backend))
        if problems:
            raise Failed("\n".join(problems + [stderr_tail(result)]))
        return result, statistics


def stderr_tail(result, lines=15):
    text = result.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
    return "\n".join("stderr: " + line for line in text[-lines:])


def tail(result):
    text = result.stdout.decode("utf-8", "backslashreplace").splitlines()[-10:]
    return "\n".join(["stdout: " + line for line in text] + [stderr_tail(result)]).strip()
