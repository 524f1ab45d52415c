# SPDX-License-Identifier: ISC
"""Signals and the host's descriptors: what waits is interrupted, what need not wait is not."""

import os
import pty
import select
import subprocess
import time

from harness import runs
from harness.cases import Case, diff, require

LIMIT = 60


class Talk:
    """A program whose standard error is read at once and whose output only when it says so."""

    def __init__(self, command, mark):
        self.errors, self.output = b"", 0
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/",
                                        start_new_session=True, env=runs.environment(mark))

    def run(self, seconds):
        """Until the end: the exit status, or None if that does not come."""
        out, err = self.process.stdout.fileno(), self.process.stderr.fileno()
        deadline, reading, drains = time.monotonic() + seconds, {err}, 0
        while reading:
            ready, _, _ = select.select(list(reading), [], [], deadline - time.monotonic()
                                        if deadline > time.monotonic() else 0)
            if not ready:
                return None
            for fd in ready:
                chunk = os.read(fd, 65536)
                if not chunk:
                    reading = reading - {fd}
                elif fd == err:
                    self.errors += chunk
                else:
                    self.output += len(chunk)
            # Full again between the first drain and the second: 64 KiB and 192 KiB are read.
            if self.errors.count(b"drain:") > drains:
                drains += 1
                reading = reading | {out}
            if drains == 1 and self.output >= 4 * 65536:
                reading = reading - {out}
        return self.process.wait(30)


def output_waits(context, backend):
    """Output that nobody reads: timers, kill, O_NONBLOCK, other threads, SA_RESTART as on Linux."""
    program = context.build / "tests" / "integration" / "output_waits"
    native = family = None
    for where in ("native", backend):
        command = [program]
        if where != "native":
            context.needs(backend)
            command = [context.unifork, "run", "--backend", backend, "--", program]
        mark = runs.new_mark()
        talk = Talk(command, mark)
        try:
            status = talk.run(LIMIT * context.scale)
        finally:
            left = runs.marked_processes(mark)
            runs.kill_all(left)
            talk.process.wait(30)
        require(status is not None, f"{where} hangs: {talk.errors!r}, {talk.output} bytes came")
        require(status == 0, f"{where}: status {status}: {talk.errors!r}")
        native, family = (talk, None) if where == "native" else (native, talk)
    require(native.errors == family.errors, diff(native.errors, family.errors, "native", backend))
    require(native.output == family.output, f"{native.output} bytes, {family.output} in a family")


def terminal_calls(context, backend):
    """isatty and its kind under a storm of signals, natively and in a family."""
    program = context.build / "tests" / "guest" / "signal_calls"
    texts = {}
    for where in ("native", backend):
        command = [program, "terminal"]
        if where != "native":
            context.needs(backend)
            command = [context.unifork, "run", "--backend", backend, "--", *command]
        outer, inner = pty.openpty()
        try:
            result = context.run(command, LIMIT, stdin=inner)
        finally:
            os.close(inner)
            os.close(outer)
        require(not result.problem and result.status == 0,
                f"{where}: {result.problem}, status {result.status}, {result.stdout!r}")
        texts[where] = result.stdout
    require(texts["native"] == texts[backend],
            diff(texts["native"], texts[backend], "native", backend))


def cases(context):
    return [Case(f"integration/signals/{check.__name__}@{backend}",
                 lambda check=check, backend=backend: check(context, backend))
            for check in (output_waits, terminal_calls) for backend in context.backends()]
