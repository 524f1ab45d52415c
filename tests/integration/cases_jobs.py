# SPDX-License-Identifier: ISC
"""A family as a job of an interactive shell: what it may do in the background, and the end of its
terminal. With `--backend native` (beside another) the host's programs do the same without it."""

import os
import pty
import signal
import time

from harness import runs
from harness.cases import Case, Failed, require
from integration.cases_cli import read_until

BUSYBOX = "/bin/busybox"


class Shell:
    """bash -i on a terminal of its own; always ended, and what it left is a failure."""

    def __init__(self, context, backend):
        if backend == "native":
            self.prefix = ""
        else:
            context.needs(backend)
            self.prefix = f"{context.unifork} run -b {backend} -- "
        self.mark = runs.new_mark()
        self.pid, self.outer = pty.fork()
        if self.pid == 0:
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"],
                       {**runs.environment(self.mark), "PS1": "$ ", "TERM": "dumb",
                        "IGNOREEOF": "100"})
        self.type("set -b; PS1='$ '; echo be''gun")
        self.expect("begun")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self.outer >= 0:
            os.close(self.outer)
        left = runs.wait_until_gone(self.mark)
        runs.kill_all(left)
        require(kind or not left, f"left over: {left}")

    def type(self, line):
        os.write(self.outer, line.encode() + b"\n")

    def expect(self, text):
        return read_until(self.outer, text.encode())

    def insist(self, text, expected):
        """Typed again and again: what comes before the program has the terminal is the shell's."""
        for _ in range(20):
            os.write(self.outer, text.encode())
            try:
                return read_until(self.outer, expected.encode(), 1)
            except Failed:
                pass
        raise Failed(f"{expected!r} did not come")

    def hang_up(self):
        """The terminal goes away; the shell hears of it."""
        os.close(self.outer)
        self.outer = -1
        os.waitpid(self.pid, 0)
        self.pid = 0


def background_read(context, backend):
    """Reading the terminal in the background stops the job; fg goes on with it."""
    with Shell(context, backend) as shell:
        for program in ("cat", f"sh -c '{BUSYBOX} cat; exit 0'"):
            shell.type(f"{shell.prefix}{BUSYBOX} {program} &")
            shell.expect("Stopped")
            shell.type("jobs; echo st''ill")
            shell.expect("still")
            shell.type("fg; echo sta''tus:$?")
            shell.insist("o''ne\n", "o''ne\r\no''ne")
            shell.insist("\x04", "status:0")


def background_settings(context, backend):
    """So does changing its settings; it may be asked for them, and SIGTTOU may be ignored."""
    with Shell(context, backend) as shell:
        shell.type(f"{shell.prefix}{BUSYBOX} stty -echo &")
        shell.expect("Stopped")
        shell.type("fg; stty -a | grep -o -- '-echo '; stty echo; echo ech''o:$?")
        require("-echo" in shell.expect("echo:0").decode(), "fg did not let it go on")
        shell.type(f"{shell.prefix}{BUSYBOX} sh -c \"trap '' TTOU; stty -echo\" & wait; "
                   "stty -a | grep -o -- '-echo '; stty echo; echo ignor''ed")
        require("-echo " in shell.expect("ignored").decode(), "an ignored SIGTTOU stops it")


def background_write(context, backend):
    """tostop: writing stops the job as well, and without it it does not."""
    with Shell(context, backend) as shell:
        command = f"{shell.prefix}{BUSYBOX} sh -c 'echo o''ut; echo mo''re'"
        shell.type(f"{command} & wait; echo wait''ed")
        text = shell.expect("waited").decode()
        require("out" in text and "more" in text, f"without tostop: {text}")
        shell.type(f"stty tostop; {command} &")
        text = shell.expect("Stopped").decode()
        require("\nout" not in text, f"written with tostop: {text}")
        shell.type("fg; echo st''atus:$?")
        text = shell.expect("status:0").decode()
        require("out" in text and "more" in text, f"after fg: {text}")


def hang_up(context, backend):
    """The end of the terminal is SIGHUP for the foreground process group and for PID 1."""
    for script in (f"trap 'exit 5' HUP; {BUSYBOX} sleep 1000",
                   f"trap '' HUP; (trap - HUP; {BUSYBOX} sleep 1000); exit 1",
                   f"set -m; {BUSYBOX} sleep 1000; {BUSYBOX} true"):
        with Shell(context, backend) as shell:
            shell.type(f"{shell.prefix}/bin/bash-static -c \"echo rea''dy; {script}\"")
            shell.expect("ready")
            time.sleep(0.2)
            shell.hang_up()
            left = runs.wait_until_gone(shell.mark, seconds=10)
            require(not left, f"{script}: SIGHUP did not end it")


def cases(context):
    if not context.backends():
        return []

    def bound(check, backend):
        return lambda: check(context, backend)

    return [Case(f"integration/jobs/{check.__name__}@{backend}", bound(check, backend))
            for check in (background_read, background_settings, background_write, hang_up)
            for backend in context.wanted]
