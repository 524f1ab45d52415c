# SPDX-License-Identifier: ISC
"""unifork exec: a further process in a running family, its streams, its terminal, and who of
client, process and family may end first."""

import contextlib
import fcntl
import json
import os
import pty
import random
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

from harness import runs
from harness.cases import Case, Skipped, require
from integration.cases_families import BUSYBOX, SLEEP, state_of, wait_for

SH = [BUSYBOX, "sh", "-c"]
PYTHON = "/usr/bin/python3"


class Client:
    """unifork exec, with pipes or a terminal in front of it."""

    def __init__(self, state, *words, terminal=None):
        self.command = [str(state.context.unifork), "exec", "--state-dir", state.folder,
                        *(str(word) for word in words)]
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE if terminal is None else terminal,
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.PIPE if terminal is None else terminal,
            env=runs.environment(state.mark), start_new_session=True)
        self.seconds = 30 * state.context.scale

    def result(self, given=b""):
        out, err = self.process.communicate(given, timeout=self.seconds)
        return runs.status_of(self.process.returncode), out, err

    def wait(self):
        return runs.status_of(self.process.wait(timeout=self.seconds))


@contextlib.contextmanager
def family(context, backend, *program, options=(), begun=True):
    """begun: its first member is there, and so is listed."""
    with state_of(context, backend) as state:
        state.start("f", *(program or SLEEP), options=options)
        if begun:
            wait_for(lambda: state.inspect("f")["members"], "it runs")
        state.pipes = streams(state)
        yield state


def members(state):
    return {member["name"]: member for member in state.inspect("f")["members"]}


def left(state):
    """How many members there are but the first."""
    return len(state.inspect("f")["members"]) - 1


def streams(state):
    """Which pipes the supervisor has: its own, and those that it keeps for sessions."""
    folder = f"/proc/{state.inspect('f')['supervisor']}/fd"
    found = set()
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(f"{folder}/{name}"))
    return {link for link in found if link.startswith("pipe:")}


def exec_status(context, backend):
    with family(context, backend) as state:
        for command, expected in ((["true"], 0), (["sh", "-c", "exit 7"], 7),
                                  (["sh", "-c", "kill -9 $$"], 137),
                                  (["sh", "-c", "kill -TERM $$"], 143), (["nosuch"], 127)):
            status, out, err = Client(state, "f", *command).result()
            require((status, out) == (expected, b""), f"{command}: {status} {out!r} {err!r}")
        require(err == b"unifork: nosuch: No such file or directory\n", f"{err!r}")
        for command in (["/etc/passwd"], ["/etc"]):
            status, out, err = Client(state, "f", *command).result()
            require(status == 126 and b"Permission denied" in err, f"{command}: {status} {err!r}")
        status, out, err = Client(state, "-w", "/nosuch", "f", "true").result()
        require(status == 126 and b"/nosuch" in err, f"-w: {status} {err!r}")
        require(state.states() == {"f": "running"}, "the family did not outlive it")


def exec_streams(context, backend):
    with family(context, backend) as state:
        both = [*SH, "echo out; echo err >&2"]
        require(Client(state, "f", *both).result() == (0, b"out\n", b"err\n"), "out and err")
        require(Client(state, "f", "cat").result(b"lost") == (0, b"", b""), "input without -i")
        large = random.Random(1).randbytes(3 << 20)
        status, out, err = Client(state, "-i", "f", "cat").result(large)
        require((status, err) == (0, b"") and out == large, f"{status} {len(out)} {err!r}")
        # What comes late from somebody who was left behind is nobody's: podman waits neither.
        begun = time.monotonic()
        require(Client(state, "f", *SH, "busybox sleep 8 & echo done").result()
                == (0, b"done\n", b""), "a child that stays")
        require(time.monotonic() - begun < 7, "it waited for the child")
        # Who does not read any more ends who writes.
        client = Client(state, "f", "yes")
        require(client.process.stdout.readline() == b"y\n", "no line")
        client.process.stdout.close()
        require(client.wait() == 141, "yes was not ended by SIGPIPE")
        # Descriptors of a session are of no use to who has another one, but nothing breaks.
        wait_for(lambda: left(state) == 0, "all have ended")
        wait_for(lambda: streams(state) == state.pipes, "the supervisor keeps no pipe")


def exec_inherits(context, backend):
    """Children have the same streams: by fork, by exec after vfork, after the program has ended."""
    with family(context, backend) as state:
        script = ("busybox echo one; (busybox echo two); busybox sh -c 'busybox echo three >&2';"
                  " for i in 1 2 3 4 5 6; do busybox true; busybox echo $i | busybox cat; done")
        status, out, err = Client(state, "f", *SH, script).result()
        require((status, out, err) == (0, b"one\ntwo\n1\n2\n3\n4\n5\n6\n", b"three\n"),
                f"{status} {out!r} {err!r}")
        spawn = "import subprocess\nfor i in range(9): subprocess.run(['echo', str(i)])"
        if os.path.exists(PYTHON):
            status, out, err = Client(state, "f", PYTHON, "-c", spawn).result()
            require((status, out, err) == (0, b"".join(b"%d\n" % i for i in range(9)), b""),
                    f"{status} {out!r} {err!r}")


def exec_passed(context, backend):
    """A standard stream that is passed to a process of another session answers EIO there."""
    if not os.path.exists(PYTHON):
        raise Skipped(f"needs {PYTHON}")
    taker = """import os, socket
s = socket.socket(socket.AF_UNIX); s.bind('/tmp/s'); s.listen(); print('up', flush=True)
fd = socket.recv_fds(s.accept()[0], 9, 1)[1][0]
for what in (lambda: os.write(fd, b'stolen'), lambda: os.read(fd, 9), lambda: os.fstat(fd)):
    try: print(what())
    except OSError as e: print(e.errno)"""
    giver = """import socket
s = socket.socket(socket.AF_UNIX); s.connect('/tmp/s'); socket.send_fds(s, [b'x'], [1])
print('own', flush=True); s.recv(1)"""
    with family(context, backend) as state:
        client = Client(state, "f", PYTHON, "-c", taker)
        require(client.process.stdout.readline() == b"up\n", "it does not listen")
        require(Client(state, "f", PYTHON, "-c", giver).result()[:2] == (0, b"own\n"), "the giver")
        status, out, err = client.result()
        require((status, out) == (0, b"5\n5\n5\n"), f"{status} {out!r} {err!r}")


def exec_options(context, backend):
    with family(context, backend, options=["-e", "A=run", "-e", "B=run", "-w", "/usr"]) as state:
        def say(*words):
            status, out, err = Client(state, *words).result()
            require((status, err) == (0, b""), f"{words}: {status} {err!r}")
            return out.decode().split()

        shown = [*SH, "echo $A $B $C; pwd; id -u; id -g; id -G; echo $HOME"]
        here = say("f", *shown)
        require(here[:3] == ["run", "run", "/usr"], f"{here}")
        there = say("-e", "B=exec", "-e", "C=exec", "-w", "/tmp", "-u", "1234:77", "f", *shown)
        require(there == ["run", "exec", "exec", "/tmp", "1234", "77", "77", "/"], f"{there}")
        named = say("-u", "daemon", "f", *shown)
        require(named[3] == "1", f"{named}")
        require(say("f", *SH, "echo $PPID; ps -o pid,ppid,comm | grep -c '  *1  *0 '")[0] == "0",
                "it has a parent in the family")
        state("exec", "-d", "f", *SH, "echo $$ > /tmp/here; exec busybox sleep 500")
        wait_for(lambda: left(state) == 1, "-d runs")
        member = max(state.inspect("f")["members"], key=lambda m: m["pid"])
        require((str(member["pid"]), member["ppid"]) == (say("f", "cat", "/tmp/here")[0], 0),
                f"{member}")
        say("f", "kill", member["pid"])
        wait_for(lambda: left(state) == 0, "it has ended")


def exec_refused(context, backend):
    with family(context, backend) as state:
        for words, status, text in (
                (["nosuch", "true"], 1, "there is no family"), (["f"], 100, "needs a family"),
                (["-u", "nosuch", "f", "true"], 100, "no user"),
                (["-w", "tmp", "f", "true"], 100, "not absolute"),
                (["-it", "f", "true"], 100, "needs a terminal"),
                (["-e", "=x", "f", "true"], 100, "no name"),
                (["f", "echo", "x" * 70000], 111, "too long"),
                (["f", b"echo", os.fsdecode(b"\xff")], 100, "UTF-8")):
            state("exec", *words, status=status)
            require(text in state.stderr, f"{words}: {state.stderr}")
        state("pause", "f")
        state("exec", "f", "true", status=1)
        require("paused" in state.stderr, state.stderr)
        state("unpause", "f")
        state("exec", "f", "true")
        front = state.inspect("f")["front"]
        os.kill(front, signal.SIGSTOP)
        state("exec", "f", "true", status=111)
        require("does not answer" in state.stderr, state.stderr)
        os.kill(front, signal.SIGCONT)
        state("exec", "f", "true")
        state("kill", "f")
        state("exec", "f", "true", status=1)
        require("is not running" in state.stderr, state.stderr)


def exec_rude(context, backend):
    """Packets that `unifork exec` would not send."""
    with family(context, backend) as state:
        null = os.open("/dev/null", os.O_RDWR)
        file = os.open(state.folder, os.O_RDONLY)

        def ask(fds, **more):
            with state.connect("f") as client:
                packet = {"version": 1, "request": "exec", "command": ["true"], **more}
                socket.send_fds(client, [json.dumps(packet).encode()], fds)
                return json.loads(client.recv(65536))

        for fds in ([], [null], [null, null], [null, null, file], [file] * 3, [null] * 50):
            answer = ask(fds)
            require(("error" in answer) == (len(fds) < 3 or file in fds), f"{fds}: {answer}")
        for more in ({"command": []}, {"command": "true"}, {"command": [1]}, {"env": {}},
                     {"workdir": ""}, {"uid": -1}, {"uid": 1 << 32}, {"terminal": 2}, {"more": 1}):
            require("error" in ask([null] * 3, **more), f"{more}")
        require(ask([null] * 3) == {"version": 1, "exit_status": 0}, "it does not answer any more")
        wait_for(lambda: left(state) == 0, "all have ended")
        os.close(null)
        os.close(file)


def exec_at_once(context, backend):
    """Fifty at the same time, and the family answers others meanwhile."""
    with family(context, backend) as state:
        clients = [Client(state, "-i", "f", *SH, f"read line; echo $line {i}; exit {i}")
                   for i in range(50)]
        wait_for(lambda: left(state) == 50, "all run", seconds=60 * context.scale)
        require(state.states() == {"f": "running"}, "ps")
        for i, client in enumerate(clients):
            require(client.result(b"hello\n") == (i, b"hello %d\n" % i, b""), f"{i}")
        wait_for(lambda: left(state) == 0 and streams(state) == state.pipes, "nothing is left")


def exec_client_gone(context, backend):
    """The client is killed: its program sees the end of its input, and that nobody reads."""
    with family(context, backend) as state:
        reader = Client(state, "-i", "f", *SH, "cat > /dev/null; echo end > /tmp/reader")
        writer = Client(state, "f", *SH, "trap '' PIPE; while echo line; do :; done;"
                                         " echo end > /tmp/writer")
        sleeper = Client(state, "f", *SLEEP)
        wait_for(lambda: left(state) >= 4, "they run")
        for client in (reader, writer, sleeper):
            client.process.kill()
            client.process.communicate()
        for name in ("reader", "writer"):
            wait_for(lambda name=name: Client(state, "f", "cat", f"/tmp/{name}").result()[1]
                     == b"end\n", f"{name} sees it")
        wait_for(lambda: left(state) == 1, "who neither reads nor writes stays, as with docker")
        state("exec", "f", "killall", "sleep", status=None)


def exec_slow_client(context, backend):
    """A client that stands still holds up nobody but its own program."""
    with family(context, backend) as state:
        client = Client(state, "f", "yes")
        require(client.process.stdout.readline() == b"y\n", "no line")
        os.kill(client.process.pid, signal.SIGSTOP)
        for _ in range(5):
            require(Client(state, "f", "echo", "x").result() == (0, b"x\n", b""), "held up")
        os.kill(client.process.pid, signal.SIGCONT)
        client.process.stdout.close()
        require(client.wait() == 141, "yes was not ended")


def exec_flood(context, backend):
    """Who was left behind writes without an end: the program has ended all the same."""
    with family(context, backend) as state:
        for words in (["f"], ["-t", "f"]):
            script = "trap '' HUP; busybox yes & busybox sleep 1; exit 4"
            require(Client(state, *words, *SH, script).result()[0] == 4, f"{words}")


def exec_any_first(context, backend):
    """Whatever the first program does: it computes, sleeps, is stopped, or has just begun."""
    for program in ([*SH, "while :; do :; done"], SLEEP, [*SH, "kill -STOP $$"]):
        with family(context, backend, *program, begun=False) as state:
            for _ in range(3):
                require(Client(state, "f", "echo", "x").result() == (0, b"x\n", b""), f"{program}")


def exec_family_ends(context, backend):
    with family(context, backend, *SH, "trap 'exit 3' TERM; while :; do busybox sleep 1; done"
                ) as state:
        client = Client(state, "f", *SH, "trap '' TERM; echo up; while :; do busybox sleep 1; done")
        require(client.process.stdout.readline() == b"up\n", "no line")
        state("stop", "f")
        status, _, err = client.result()
        require(status == 137 and b"the family ended" in err, f"{status} {err!r}")
        require(state("wait", "f") == "3\n", "the family's status is not the first program's")


def exec_killed_at_random(context, backend):
    """Monitors, relays and clients are killed while others come and go: nobody waits for ever."""
    chance = random.Random(7)
    with family(context, backend) as state:
        front = state.inspect("f")["front"]
        wait_for(lambda: state.inspect("f")["members"], "the first program has begun")
        first = [member["host_pid"] for member in state.inspect("f")["members"]]
        over = threading.Event()
        failures = []

        def client_loop(number):
            while not over.is_set():
                client = Client(state, "-i", "f", *SH, "busybox sleep 0.1 | cat; busybox true; cat")
                if number == 0:
                    time.sleep(chance.random() * 0.3)
                    client.process.kill()
                try:
                    client.result(b"text")
                except subprocess.TimeoutExpired:
                    failures.append("a client hangs")
                    client.process.kill()
                    client.process.communicate()

        threads = [threading.Thread(target=client_loop, args=(i,)) for i in range(3)]
        for thread in threads:
            thread.start()
        supervisor = state.inspect("f")["supervisor"]
        for _ in range(60):
            time.sleep(0.05)
            victims = [pid for pid in runs.children(supervisor) if pid not in first]
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(chance.choice(victims), signal.SIGKILL)
        over.set()
        for thread in threads:
            thread.join()
        require(not failures, f"{failures}")
        require(state.states() == {"f": "running"}, f"it has ended: {state('logs', 'f')}"
                f" {state.stderr}")
        require(state.inspect("f")["front"] == front, "another front")
        require(Client(state, "f", "echo", "x").result() == (0, b"x\n", b""), "it does not go on")
        wait_for(lambda: left(state) == 0 and streams(state) == state.pipes, "nothing is left")


# ---- -t


class Terminal:
    def __init__(self, state, *words, rows=33, columns=101):
        self.outer, inner = pty.openpty()
        self.size(rows, columns)
        self.before = termios.tcgetattr(inner)
        self.client = Client(state, *words, terminal=inner)
        self.inner, self.text = inner, b""

    def size(self, rows, columns):
        fcntl.ioctl(self.outer, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def expect(self, text, seconds=20):
        deadline = time.monotonic() + seconds
        while text not in self.text:
            require(time.monotonic() < deadline, f"in vain: {text!r} in {self.text!r}")
            if select.select([self.outer], [], [], 0.05)[0]:
                self.text += os.read(self.outer, 65536)
        self.text = self.text.partition(text)[2]

    def type(self, text):
        os.write(self.outer, text)

    def end(self):
        status = self.client.wait()
        require(termios.tcgetattr(self.inner) == self.before, "the terminal was left raw")
        os.close(self.inner)
        os.close(self.outer)
        return status


def exec_terminal(context, backend):
    with family(context, backend) as state:
        t = Terminal(state, "-it", "f", *SH, "tty; stty size; echo $TERM.; exec busybox sh -i")
        t.expect(b"/dev/pts/")
        t.expect(b"33 101\r\n")
        t.expect(b"# ")
        t.type(b"echo a$((1 + 1))b\r")
        t.expect(b"a2b\r\n")
        t.type(b"/bin/sleep 1000\r")
        t.expect(b"1000\r\n")
        wait_for(lambda: "sleep" in members(state), "it runs")
        t.type(b"\x03")
        wait_for(lambda: "sleep" not in members(state), "Ctrl-C ends it")
        t.expect(b"# ")
        t.type(b"echo s$?s\r")
        t.expect(b"s130s")
        t.size(50, 111)
        os.kill(t.client.process.pid, signal.SIGWINCH)
        t.type(b"stty size\r")
        t.expect(b"50 111\r\n")
        t.type(b"/bin/cat\r")
        wait_for(lambda: "cat" in members(state), "it runs")
        t.type(b"text\r\x04")
        t.expect(b"text\r\ntext\r\n")
        wait_for(lambda: "cat" not in members(state), "Ctrl-D ends it")
        t.type(b"/bin/sleep 1000\r")
        wait_for(lambda: "sleep" in members(state), "it runs")
        t.type(b"\x1a")
        t.expect(b"Stopped")
        t.type(b"kill -9 %1\r")
        wait_for(lambda: "sleep" not in members(state), "the job is gone")
        t.type(b"jobs; exit 9\r")
        require(t.end() == 9, "the status is lost")
        wait_for(lambda: left(state) == 0 and streams(state) == state.pipes, "nothing is left")


def exec_terminal_output(context, backend):
    """What it wrote last is shown, all of it; a terminal without -i has no input."""
    with family(context, backend) as state:
        status, out, err = Client(state, "-t", "f", *SH, "busybox seq 1 20000; tty").result()
        lines = out.split(b"\r\n")
        require(status == 0 and err == b"", f"{status} {err!r}")
        require(lines[:20000] == [b"%d" % i for i in range(1, 20001)], f"{lines[-3:]}")
        require(lines[20000].startswith(b"/dev/pts/"), f"{lines[20000]}")
        status, out, err = Client(state, "-t", "f", "nosuch").result()
        require((status, out) == (127, b"unifork: nosuch: No such file or directory\r\n"),
                f"{status} {out!r} {err!r}")


def exec_terminal_gone(context, backend):
    """The client is killed: the shell and its job get SIGHUP. So if the relay is."""
    with family(context, backend) as state:
        for victim in ("client", "relay"):
            t = Terminal(state, "-it", "f", *SH,
                         "trap 'echo hup > /tmp/hup; exit' HUP; echo up; while :; do"
                         " busybox sleep 1; done")
            t.expect(b"up\r\n")
            if victim == "client":
                t.client.process.kill()
            else:
                os.kill(members(state)["unifork"]["host_pid"], signal.SIGKILL)
            require(t.client.wait() == 137, f"{victim}: the status of the client")
            os.close(t.inner)
            os.close(t.outer)
            wait_for(lambda: Client(state, "f", "rm", "/tmp/hup").result()[0] == 0,
                     f"{victim}: HUP")
            wait_for(lambda: left(state) == 0 and streams(state) == state.pipes, "nothing is left")


def cases(context):
    every = [exec_status, exec_streams, exec_inherits, exec_passed, exec_options, exec_refused,
             exec_rude, exec_at_once, exec_client_gone, exec_slow_client, exec_any_first,
             exec_family_ends, exec_flood, exec_killed_at_random, exec_terminal,
             exec_terminal_output, exec_terminal_gone]

    def bound(check, backend):
        return lambda: check(context, backend)

    return [Case(f"integration/families/{check.__name__}@{backend}", bound(check, backend))
            for check in every for backend in context.backends()]
