# SPDX-License-Identifier: ISC
"""A family as a job of an interactive shell: what it may do in the background, and the end of its
terminal. With `--backend native` (beside another) the host's programs do the same without it."""

import contextlib
import os
import pty
import signal
import time

from harness import runs
from harness.cases import Case, Failed, require
from integration.cases_cli import read_until

BUSYBOX = "/bin/busybox"
STOPS_ITSELF = "sh -c 'kill -STOP $$; sleep 1; echo went:''on'"


def wait_for(pid, what):
    """Until its /proc/PID/status, as a dictionary, is as wanted."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with open(f"/proc/{pid}/status", encoding="utf-8") as lines:
            if what(dict(line.rstrip("\n").split(":\t", 1) for line in lines)):
                return
        time.sleep(0.001)
    raise Failed(f"process {pid} did not change its state")


def asleep(status):
    return status["State"][0] == "S"


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

    @contextlib.contextmanager
    def slow_family(self, backend):
        """
        Meanwhile the members of the shell's only job do nothing, so that what its front is sent
        comes to them at once. Gives the function that sends.
        """
        front = runs.children(self.pid)[0]
        members = [] if backend == "native" else list(runs.monitors(front).values())

        def send(sig):
            os.kill(front, sig)
            wait_for(front, lambda status: not int(status["ShdPnd"], 16))
            if members:
                wait_for(front, asleep)
                wait_for(runs.supervisor(front), asleep)

        for pid in members:
            os.kill(pid, signal.SIGSTOP)
            wait_for(pid, lambda status: status["State"][0] == "T")
        yield send
        for pid in members:
            os.kill(pid, signal.SIGCONT)

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


def in_script(context, backend):
    """Ctrl-Z and the background stop a script's family with the script: it is one job."""
    with Shell(context, backend) as shell:
        shell.type(f"bash -c '{shell.prefix}{BUSYBOX} cat; echo scr''ipt:$?' &")
        shell.expect("Stopped")
        shell.type("fg")
        shell.insist("w''ord\n", "w''ord\r\nw''ord")
        os.write(shell.outer, b"\x1a")
        shell.expect("Stopped")
        shell.type("echo pro''mpt")
        shell.expect("prompt")
        shell.type("fg")
        shell.insist("\x04", "script:0")


def stop_after_continue(context, backend):
    """SIGTSTP right after SIGCONT: a family that has heard of neither goes on, and stops again."""
    with Shell(context, backend) as shell:
        shell.type(f"{shell.prefix}{BUSYBOX} {STOPS_ITSELF}")
        shell.expect("Stopped")
        with shell.slow_family(backend) as send:
            send(signal.SIGCONT)
            send(signal.SIGTSTP)
        shell.expect("Stopped")
        shell.type("fg; echo sta''tus:$?")
        require("went:on" in shell.expect("status:0").decode(), "fg did not let it go on")


def continue_after_stop(context, backend):
    """SIGCONT right after SIGTSTP: a family that has heard of neither goes on."""
    with Shell(context, backend) as shell:
        shell.type(f"{shell.prefix}{BUSYBOX} {STOPS_ITSELF}")
        shell.expect("Stopped")
        with shell.slow_family(backend) as send:
            for sig in (signal.SIGCONT, signal.SIGTSTP, signal.SIGCONT):
                send(sig)
        shell.expect("went:on")


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
            for check in (background_read, background_settings, background_write, in_script,
                          stop_after_continue, continue_after_stop, hang_up)
            for backend in context.wanted]
