# SPDX-License-Identifier: ISC
"""Families with names: run --name and -d, ps, inspect, logs, stop, kill, wait, rm, and clients and
state directories that mean no good."""

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from harness import runs
from harness.cases import Case, Failed, Skipped, require

BUSYBOX = "/bin/busybox"
NOBODY = 65534
SLEEP = [BUSYBOX, "sleep", "1000"]


class State:
    """A state directory and the verbs in it. What is left of it at the end fails the case."""

    def __init__(self, context, backend, folder, mark):
        self.context, self.backend, self.folder, self.mark = context, backend, folder, mark
        self.user = None

    def __call__(self, *words, status=0, timeout=60):
        command = [self.context.unifork, words[0], "--state-dir", self.folder, *words[1:]]
        result = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                                capture_output=True, timeout=timeout * self.context.scale,
                                env=runs.environment(self.mark), user=self.user, check=False,
                                start_new_session=True)
        got = runs.status_of(result.returncode)
        require(status is None or got == status, f"{words}: status {got}, not {status}\n"
                f"{result.stdout[-500:]!r}\n{result.stderr[-500:]!r}")
        require(got == 0 or status is None or result.stderr.startswith(b"unifork: "),
                f"{words}: no reason is given: {result.stderr!r}")
        self.stderr = result.stderr.decode()
        return result.stdout.decode(errors="replace")

    def start(self, name, *program, options=(), **more):
        out = self("run", "-d", "--name", name, "-b", self.backend, *options, "--", *program,
                   **more)
        require(out == f"{name}\n", f"run -d printed {out!r}")

    def states(self):
        return {row["name"]: row["state"]
                for row in json.loads(self("ps", "-a", "--format", "json"))}

    def inspect(self, name):
        return json.loads(self("inspect", name))[0]

    def connect(self, name):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.connect(f"{self.folder}/{name}/control")
        client.settimeout(10)
        return client


@contextlib.contextmanager
def state_of(context, backend):
    context.needs(backend)
    folder, mark = tempfile.mkdtemp(prefix="families-", dir=context.scratch), runs.new_mark()
    state = State(context, backend, folder, mark)
    try:
        yield state
        names = state("ps", "-aq").split()
        if names:
            state("rm", "-f", *names)
        require(os.listdir(folder) == [], f"left in the state directory: {os.listdir(folder)}")
    finally:
        left = runs.wait_until_gone(mark, seconds=5)
        runs.kill_all(left)
        shutil.rmtree(folder, ignore_errors=True)
    require(not left, f"left over: {[runs.describe(pid) for pid in left]}")


def wait_for(truth, text, seconds=20):
    deadline = time.monotonic() + seconds
    while not truth():
        require(time.monotonic() < deadline, f"in vain: {text}")
        time.sleep(0.02)


def life(context, backend):
    """Start, list, look, stop, wait, remove, as hands that know podman do it."""
    with state_of(context, backend) as state:
        state.start("web.1", BUSYBOX, "sh", "-c",
                    "trap 'exit 7' TERM; busybox sleep 1000 & echo up; while :; do wait; done")
        wait_for(lambda: "up" in state("logs", "web.1"), "the log says up")
        require(state("ps", "-q") == "web.1\n", "ps -q does not list it")
        table = state("ps").splitlines()
        require(len(table) == 2 and "Up " in table[1] and table[1].startswith("web.1 "), str(table))
        wait_for(lambda: len(state.inspect("web.1")["members"]) == 2, "two members")
        seen = state.inspect("web.1")
        require(seen["state"] == "running" and seen["backend"] == backend, str(seen))
        require(seen["supervisor"] in runs.children(seen["front"]), "the ids are wrong")
        first, second = sorted(seen["members"], key=lambda m: m["pid"])
        require((first["pid"], first["ppid"], first["name"]) == (1, 0, "busybox"), str(first))
        require((second["pid"], second["ppid"]) == (2, 1), str(second))
        require({m["host_pid"] for m in seen["members"]}
                <= set(runs.children(seen["supervisor"])), "host ids are not the monitors'")
        require(first["memory_bytes"] > 0, "a member without memory")
        state("rm", "web.1", status=1)
        require("is running" in state.stderr, state.stderr)
        require(state("stop", "web.1") == "web.1\n", "stop does not print the name")
        require(state("wait", "web.1") == "7\n", "the trap's status is lost")
        require(state("ps", "-q") == "", "it is still listed as running")
        require("Exited (7)" in state("ps", "-a"), state("ps", "-a"))
        require(state("stop", "web.1") == "web.1\n", "stopping one that has ended is an error")
        state("kill", "web.1", status=1)
        require("is not running" in state.stderr, state.stderr)
        require(state.inspect("web.1")["exit_status"] == 7, "inspect does not know the status")
        require(state("rm", "web.1") == "web.1\n", "rm does not print the name")
        require(state("ps", "-aq") == "", "it is still there")


def descriptors(context, backend):
    """Of the host's files the supervisor keeps the lock, and a monitor nothing."""
    with state_of(context, backend) as state:
        def held(pid):
            links = []
            for name in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(FileNotFoundError):
                    links.append(os.readlink(f"/proc/{pid}/fd/{name}"))
            return {link for link in links if link.startswith(state.folder)}

        with open(f"{state.folder}/callers", "w", encoding="ascii") as callers:
            os.set_inheritable(callers.fileno(), True)
            command = [str(context.unifork), "run", "--state-dir", state.folder, "-d", "--name",
                       "f", "-b", backend, "--", *SLEEP]
            subprocess.run(command, check=True, close_fds=False, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, env=runs.environment(state.mark))
        os.unlink(f"{state.folder}/callers")
        wait_for(lambda: state.inspect("f")["members"], "it runs")
        seen = state.inspect("f")
        require(held(seen["supervisor"]) == {f"{state.folder}/f/lock"},
                f"the supervisor holds {held(seen['supervisor'])}")
        require(held(seen["front"]) == {state.folder, f"{state.folder}/f",
                                        f"{state.folder}/f/lock"},
                f"the front holds {held(seen['front'])}")
        for pid in runs.children(seen["supervisor"]):
            require(not held(pid), f"a monitor holds {held(pid)}")


def others_socket(context, backend):
    """A user puts a link to root's socket in its directory: root's verbs do not follow it."""
    if os.geteuid() != 0:
        raise Skipped("needs user 0")
    with state_of(context, backend) as state, state_of(context, backend) as other:
        state.start("roots", *SLEEP)
        state.start("trap", *SLEEP)
        os.rename(f"{state.folder}/trap", f"{other.folder}/trap") # alive, with its lock
        real = f"{other.folder}/trap/control"
        os.rename(real, real + "2")
        os.symlink(f"{state.folder}/roots/control", real)
        other("stop", "trap", status=1)
        os.unlink(real)
        os.rename(f"{other.folder}/trap/control2", real)
        os.chown(f"{other.folder}/trap", NOBODY, NOBODY) # somebody else listens than who owns it
        other("kill", "-s", "TERM", "trap", status=1)
        require("not permitted" in other.stderr, other.stderr)
        os.chown(f"{other.folder}/trap", 0, 0)
        require(state.states() == {"roots": "running"}, "root's family has suffered")
        other("rm", "-f", "trap")


# In a PID namespace of its own: who listened is dead, its child has socket and lock, and the id is
# that of a process of root's. The child hangs up once, so that the verb has to end the front.
REUSED = """
import fcntl, os, socket, struct, subprocess, sys, time
unifork, state, nobody = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.makedirs(state + "/trap", 0o700)
ready, told = os.pipe()
listener = os.fork()
if listener == 0:
    os.chown(state, nobody, nobody)
    os.chown(state + "/trap", nobody, nobody)
    os.setresuid(nobody, nobody, nobody)
    lock = open(state + "/trap/lock", "w")
    whole = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    fcntl.fcntl(lock, 37, whole) # F_OFD_SETLK
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.bind(state + "/trap/control")
    control.listen()
    if os.fork() == 0:
        os.write(told, b"x")
        control.accept()[0].close()
        kept = control.accept()
        time.sleep(2)
        os._exit(0)
    os._exit(0)
os.read(ready, 1)
os.waitpid(listener, 0)
with open("/proc/sys/kernel/ns_last_pid", "w") as file:
    file.write(str(listener - 1))
victim = subprocess.Popen(["sleep", "1000"])
assert victim.pid == listener, (victim.pid, listener)
subprocess.run([unifork, "rm", "--state-dir", state, "-f", "trap"])
print("suffered" if victim.poll() is not None else "alive")
"""


def reused_id(context, backend):
    """The id of who listened in a user's directory is root's meanwhile: root's verbs leave it."""
    if os.geteuid() != 0:
        raise Skipped("needs user 0")
    context.needs(backend)
    with tempfile.TemporaryDirectory(prefix="unifork-state-", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        result = context.run(["unshare", "-pf", "--mount-proc", "--kill-child", "python3", "-c",
                              REUSED, context.unifork, f"{folder}/state", NOBODY], timeout=60)
        require(result.stdout.split()[-1:] == [b"alive"], f"{result.stdout} {result.stderr}")


def linked(context, backend):
    """A family may write where its state directory is: it leads nobody out of there, nor stops."""
    with tempfile.TemporaryDirectory(prefix="unifork-outside-", dir="/var/tmp") as outside, \
            state_of(context, backend) as state:
        state.start("linked", BUSYBOX, "sh", "-c",
                    f"busybox ln -s {outside}/made /v/linked/paused && "
                    "busybox rm /v/linked/end.tmp && busybox mkfifo /v/linked/end.tmp && "
                    "busybox touch /v/linked/ready && exec busybox sleep 1000",
                    options=["-v", f"{state.folder}:/v"])
        wait_for(lambda: os.path.exists(f"{state.folder}/linked/ready"), "the family is ready")
        state("pause", "linked")
        state("unpause", "linked")
        require(not os.listdir(outside), f"{os.listdir(outside)} was made")
        state("stop", "-t", "0", "linked")
        os.unlink(f"{state.folder}/linked/ready")
        state("rm", "linked")


def foreground(context, backend):
    """--name without -d: streams and status as ever, kept afterwards but with --rm."""
    with state_of(context, backend) as state:
        out = state("run", "--name", "fore", "-b", backend, "--", BUSYBOX, "sh", "-c",
                    "echo out; exit 9", status=None)
        require(out == "out\n", f"printed {out!r}")
        require("Exited (9)" in state("ps", "-a"), state("ps", "-a"))
        state("logs", "fore", status=1)
        state("run", "--name", "fore", "-b", backend, "--", BUSYBOX, "true", status=111)
        require("in use" in state.stderr, state.stderr)
        require("Exited (9)" in state("ps", "-a"), "the second one has harmed the first")
        state("run", "--rm", "--name", "gone", "-b", backend, "--", BUSYBOX, "true")
        state("run", "-d", "--rm", "--name", "gone2", "-b", backend, "--", BUSYBOX, "true")
        wait_for(lambda: state("ps", "-aq") == "fore\n", "--rm removes it")
        name = state("run", "-d", "-b", backend, "--", *SLEEP).strip()
        require(name.startswith("busybox-") and state("ps", "-q") == name + "\n", name)


def statuses(context, backend):
    with state_of(context, backend) as state:
        for name, program, expected in (("ok", "true", "0"), ("three", "exit 3", "3"),
                                        ("killed", "kill -9 $$", "137")):
            state.start(name, BUSYBOX, "sh", "-c", program)
            require(state("wait", name) == expected + "\n", f"{name}: not {expected}")
        state.start("sig", *SLEEP)
        state("kill", "-s", "USR1", "sig")
        require(state("wait", "sig") == f"{128 + signal.SIGUSR1}\n", "kill -s USR1")
        state.start("kill", *SLEEP)
        require(state("kill", "kill") == "kill\n" and state("wait", "kill") == "137\n", "kill")
        state.start("deaf", BUSYBOX, "sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done")
        wait_for(lambda: "up" in state("logs", "deaf"), "the log says up")
        began = time.monotonic()
        state("stop", "-t", "1", "deaf")
        require(0.9 < time.monotonic() - began < 6 * context.scale, "stop -t 1 takes no second")
        state("run", "-d", "--name", "no", "-b", backend, "-r", "/etc", "-v", "/nosuch:/x", "--",
              "x", status=100)
        state("run", "-d", "--name", "no", "-b", backend, "--memory", "17M", "--stats",
              "/nosuch/x", "--", *SLEEP, status=111)
        require("/nosuch/x" in state.stderr, state.stderr)
        require("no" not in state.states(), "what did not start is kept")


def usage(context, backend):
    """One line that says what is wrong; names cannot leave the directory."""
    with state_of(context, backend) as state:
        for name in ("a/b", "../x", ".x", "-x", "", "a b", "x" * 101, "a\x1b[1m", "\u00e4"):
            state("run", "--name=" + name, "-b", backend, "--", BUSYBOX, "true", status=100)
            if name != "-x":
                state("inspect", name, status=1)
                require("\x1b" not in state.stderr and "\n" not in state.stderr[:-1], state.stderr)
        for words, status in ((["ps", "x"], 100), (["ps", "--format", "xml"], 100),
                              (["rm"], 100), (["stop", "-t", "x", "y"], 100),
                              (["kill", "-s", "NOSIG", "y"], 100), (["stop", "--nosuch"], 100),
                              (["logs", "a", "b"], 100), (["logs", "--since", "x", "b"], 100),
                              (["wait", "nosuch"], 1), (["rm", "nosuch"], 1)):
            state(*words, status=status)
            require(state.stderr.count("\n") == 1, f"{words}: {state.stderr}")
        state("rm", "-f", "nosuch")
        for verb in ("ps", "inspect", "logs", "stop", "kill", "wait", "rm", "pause", "unpause",
                     "stats", "top"):
            require(f"Usage: unifork {verb}" in state(verb, "--help"), f"{verb} --help")


def directories(context, backend):
    """State directories that are not there, not ours, open to others, or not to be written."""
    with state_of(context, backend) as state:
        def run(folder, status, user=None, verb="run"):
            state.folder, state.user = folder, user
            more = ["--name", "x", "-b", backend, "--", BUSYBOX, "true"] if verb == "run" else []
            state(verb, *more, status=status)
            text = state.stderr
            state.folder, state.user = top, None
            return text

        top = state.folder
        os.chmod(top, 0o755)
        os.chmod(context.scratch, 0o755)
        require("No such" in run(f"{top}/no/such", 111), "a missing parent")
        require(run(f"{top}/none", 0, verb="ps") == "", "ps without a directory")
        require(not os.path.exists(f"{top}/none"), "ps makes the directory")
        pathlib.Path(top, "file").write_text("x", encoding="ascii")
        require("Not a directory" in run(f"{top}/file", 111), "a file")
        os.unlink(f"{top}/file")
        os.mkdir(f"{top}/open")
        os.chmod(f"{top}/open", 0o777)
        require("others may write" in run(f"{top}/open", 111), "one that others may write to")
        os.chmod(f"{top}/open", 0o700)
        if os.geteuid() == 0:
            os.chown(f"{top}/open", NOBODY, NOBODY)
            require("belongs to user" in run(f"{top}/open", 111), "another user's")
            require("belongs to user" in run(top, 111, NOBODY), "root's, for an ordinary user")
            require("Permission" in run(f"{top}/x", 111, NOBODY), "one that cannot be made")
        os.rmdir(f"{top}/open")


def two_users(context, backend):
    if os.geteuid() != 0:
        raise Skipped("needs user 0")
    if backend == "kvm" and not os.stat("/dev/kvm").st_mode & 0o006 == 0o006:
        raise Skipped("/dev/kvm is not for everybody")
    with state_of(context, backend) as state, state_of(context, backend) as other:
        for folder in (context.scratch, other.folder):
            os.chmod(folder, 0o755)
        os.chown(other.folder, NOBODY, NOBODY)
        other.user = NOBODY
        with tempfile.TemporaryDirectory(dir=context.scratch) as copy:
            os.chmod(copy, 0o755)
            shutil.copy(context.unifork, copy)
            state.start("roots", *SLEEP)
            mine, context.unifork = context.unifork, pathlib.Path(copy, "unifork")
            try:
                other.start("theirs", *SLEEP, options=["-w", "/"])
                require(other("ps", "-q") == "theirs\n", "the user does not see its own")
                folder, other.folder = other.folder, state.folder
                other("ps", status=111)
                other("kill", "roots", status=111)
                other.folder = folder
                with_root = State(context, backend, other.folder, other.mark)
                require(with_root("ps", "-q") == "theirs\n", "root does not see all")
                require(with_root.inspect("theirs")["state"] == "running", "nor into it")
                require(with_root("kill", "theirs") == "theirs\n", "nor ends it")
                require(other("rm", "theirs") == "theirs\n", "the user cannot remove it")
            finally:
                context.unifork = mine
        require(state.states() == {"roots": "running"}, "root's has suffered")
        os.chown(other.folder, 0, 0)
        other.user = None


def killed_at_random(context, backend):
    """SIGKILL for front or supervisor at any moment: ps tells the truth, rm cleans."""
    dice = random.Random(20)
    mounts = len(pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines())
    with state_of(context, backend) as state:
        for turn in range(20):
            name = f"victim{turn}"
            if turn % 4 == 3: # while it starts
                command = [str(context.unifork), "run", "--state-dir", state.folder, "-d", "--name",
                           name, "-b", backend, "--", *SLEEP]
                starting = subprocess.Popen(command, env=runs.environment(state.mark),
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                            stdin=subprocess.DEVNULL)
                time.sleep(dice.random() * 0.02)
                runs.kill_all(runs.marked_processes(state.mark))
                starting.wait() # what was forked meanwhile may live, as a family that is whole
            else:
                state.start(name, BUSYBOX, "sh", "-c",
                            "busybox sleep 1000 & while :; do busybox true; done")
                seen = state.inspect(name)
                time.sleep(dice.random() * 0.05)
                os.kill(seen[dice.choice(["front", "supervisor"])], signal.SIGKILL)
                require(state("wait", name) == "137\n", "the status of one that was killed")
                require(state.states()[name] == "dead", f"{name} is {state.states()[name]}")
                require("Dead" in state("ps", "-a"), state("ps", "-a"))
            state("rm", "-f", name)
            require(state.states() == {}, f"{name} is still there")
            state.start(name, BUSYBOX, "true") # its name is free
            state("wait", name)
            state("rm", name)
        left = runs.wait_until_gone(state.mark, seconds=5)
        require(not left, f"left over: {[runs.describe(pid) for pid in left]}")
    now = len(pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines())
    require(now <= mounts, f"{now - mounts} mounts are left")


def many(context, backend):
    """30 families at once, listed and stopped; two of one name: one wins."""
    with state_of(context, backend) as state:
        names = [f"many{i:02}" for i in range(30)]
        problems = []

        def start(name):
            try:
                State(context, backend, state.folder, state.mark).start(name, *SLEEP)
            except (Failed, subprocess.SubprocessError) as error:
                problems.append(error)

        threads = [threading.Thread(target=start, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        require(not problems, f"{problems[:2]}")
        require(state.states() == {name: "running" for name in names}, f"{state.states()}")
        began = time.monotonic()
        require(sorted(state("ps", "-q").split()) == names, "ps -q")
        require(time.monotonic() - began < 2 * context.scale, "ps is slow")
        require(len(json.loads(state("inspect", *names))) == 30, "inspect of all")
        require(state("stop", *names).split() == names, "stop of all")
        require(set(state.states().values()) == {"exited"}, f"{state.states()}")
        problems.clear()
        threads = [threading.Thread(target=start, args=("twin",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        require(len(problems) == 7, f"{8 - len(problems)} families have one name")


def rude_clients(context, backend):
    """Silent ones, garbage, ones that vanish or never read: the others are served."""
    with state_of(context, backend) as state:
        state.start("polite", *SLEEP)
        wait_for(lambda: state.inspect("polite")["members"], "it runs")
        silent = [state.connect("polite") for _ in range(100)]
        require(state.inspect("polite")["members"], "not served beside silent clients")
        dice = random.Random(1)
        for turn in range(200):
            client = state.connect("polite")
            packet = dice.choice([dice.randbytes(dice.randrange(1, 3000)), b"[" * 5000, b"{}",
                                  b"null", b'{"version":1,"request":"nosuch"}', b"x" * 70000,
                                  b'{"version":1,"request":"members"}',
                                  b'{"version":1,"request":"members","from":-1}',
                                  b'{"version":1,"request":"members","from":1e9}',
                                  b'{"version":1,"request":"status","more":1}',
                                  b'{"version":2,"request":"status"}'])
            client.send(packet)
            if turn % 2:
                answer = json.loads(client.recv(1 << 17))
                require(answer["version"] == 1 and "error" in answer, f"{packet[:60]}: {answer}")
            client.close()
        asking = b'{"version":1,"request":"members","from":0}'
        vanishing = [state.connect("polite") for _ in range(20)]
        for client in vanishing:
            client.send(asking)
            client.close()
        deaf = state.connect("polite")
        deaf.setblocking(False)
        with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            while True:
                deaf.send(asking)
        require(state.inspect("polite")["members"], "not served beside a deaf client")
        seen = state.inspect("polite")
        used = os.listdir(f"/proc/{seen['front']}/fd")
        require(len(used) < 60, f"the front has {len(used)} descriptors open")
        for client in [*silent, deaf]:
            client.close()
        require(state("stop", "polite") == "polite\n", "it cannot be stopped")


def crowd(context, backend):
    """More members than a page has: each is listed once."""
    with state_of(context, backend) as state:
        state.start("crowd", BUSYBOX, "sh", "-c", "for i in $(busybox seq 70); do "
                    "busybox sleep 1000 & done; wait")
        wait_for(lambda: len(state.inspect("crowd")["members"]) == 71, "71 members", 60)
        seen = state.inspect("crowd")["members"]
        require(len({m["pid"] for m in seen}) == 71, "ids twice")
        require(len({m["host_pid"] for m in seen}) == 71, "host ids twice")
        require(len(state("top", "crowd").splitlines()) == 72, "top")


def hanging(context, backend):
    """A front that is stopped: everybody is told so in time, and rm -f ends it."""
    with state_of(context, backend) as state:
        state.start("hangs", *SLEEP)
        front = state.inspect("hangs")["front"]
        os.kill(front, signal.SIGSTOP)
        try:
            require(state.states() == {"hangs": "running"}, "ps asks the front")
            state("inspect", "hangs", status=1)
            require("does not answer" in state.stderr, state.stderr)
            require(state("rm", "-f", "hangs", timeout=90) == "hangs\n", "rm -f")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(front, signal.SIGCONT)


def hostile_names(context, backend):
    """What a member calls itself is shown escaped."""
    with state_of(context, backend) as state:
        state.start("named", "/usr/bin/perl", "-e", r'$0 = "a\x1b]0;b\x07\n\xff\\"; sleep 1000')
        wait_for(lambda: [m for m in state.inspect("named")["members"]
                          if m["name"].startswith("a")], "the name changes")
        raw = state("inspect", "named")
        require(not [c for c in raw if not (" " <= c <= "~" or c == "\n")], f"{raw!r}")
        name = json.loads(raw)[0]["members"][0]["name"]
        require(name == r"a\x1b]0;b\x07\x0a\xff\\", name)
        state("rm", "-f", "named")
        state.start("args", BUSYBOX, "sh", "-c", "sleep 1000; : \x1b[31m\n\u00e4",
                    options=["-e", "X=se\x1bcret"])
        for raw in (state("ps"), state("inspect", "args"), state("ps", "--format", "json")):
            require("\x1b" not in raw and "\\x1b" in raw, f"{raw!r}")
            require("cret" not in raw, "the environment's values are kept")


def logs(context, backend):
    with state_of(context, backend) as state:
        state.start("log", BUSYBOX, "sh", "-c",
                    "for i in 1 2 3; do echo out$i; echo err$i >&2; done; printf 'no end'; "
                    "busybox sleep 1.5; echo; printf '\\001\\377bytes'")
        follower = subprocess.Popen([context.unifork, "logs", "-f", "--state-dir", state.folder,
                                     "log"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = follower.communicate(timeout=30 * context.scale)
        require(out == b"out1\nout2\nout3\nno end\n\1\xffbytes", f"-f: {out!r}")
        require(err == b"err1\nerr2\nerr3\n", f"-f: {err!r}")
        require(state("logs", "log").startswith("out1\n"), "not after its end")
        require(state("logs", "--tail", "2", "log").startswith("no end\n"), "--tail 2")
        require(state("logs", "--tail", "0", "log") == "", "--tail 0")
        require(state("logs", "--since", "1h", "log").startswith("out1\n"), "--since 1h")
        require(state("logs", "--since", "2199-01-01", "log") == "", "--since in the future")
        stamped = state("logs", "-t", "log").splitlines()[0].split()
        require(stamped[1] == "out1" and stamped[0].endswith("Z"), f"-t: {stamped}")
        begun = state("logs", "-t", "log").splitlines()[3].split()[0][:19] + "Z"
        require("no end" in state("logs", "--since", begun, "log"), "--since a date")


def log_bounded(context, backend):
    """Far more than the log may hold: it stays small, the last part is whole and in order."""
    with state_of(context, backend) as state:
        lines, text = 400_000, "x" * 90
        state.start("much", BUSYBOX, "sh", "-c",
                    f"busybox seq {lines} | busybox sed 's/$/ {text}/'; echo LAST",
                    options=["--log-size", "1M"])
        follower = subprocess.Popen([context.unifork, "logs", "-f", "--state-dir", state.folder,
                                     "much"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        largest = 0
        while state.states()["much"] == "running":
            largest = max(largest, sum(entry.stat().st_size for entry in os.scandir(
                f"{state.folder}/much") if entry.name.startswith("log")))
            time.sleep(0.1)
        followed = follower.communicate(timeout=60 * context.scale)[0].splitlines()
        require(largest <= 1.3 * (1 << 20), f"the log had {largest} bytes")
        kept = state("logs", "much").splitlines()
        require(kept[-1] == "LAST" and len(kept) > 3000, f"{len(kept)} lines to {kept[-1]}")
        numbers = [int(line.split()[0]) for line in kept[:-1]]
        require(numbers == list(range(numbers[0], lines + 1)), "lines are missing")
        require(followed[-1] == b"LAST", f"-f ended with {followed[-1]}")


def log_full_disk(context, backend):
    """The disk is full: the family goes on, and its last words are kept."""
    if os.geteuid() != 0:
        raise Skipped("needs user 0, to mount")
    with tempfile.TemporaryDirectory(dir=context.scratch) as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "none", folder],
                              capture_output=True, check=False)
        if done.returncode:
            raise Skipped(f"cannot mount: {done.stderr.decode().strip()}")
        try:
            with state_of(context, backend) as state:
                own, state.folder = state.folder, folder
                state.start("full", BUSYBOX, "sh", "-c", "busybox seq 40000 | "
                            f"busybox sed 's/$/ {'x' * 90}/'; echo LAST; exit 4")
                require(state("wait", "full") == "4\n", "it does not end as it should")
                kept = state("logs", "full").splitlines()
                require(kept[-1] == "LAST", f"the last line is {kept[-1]!r}")
                numbers = [int(line.split()[0]) for line in kept[-500:-1]]
                require(numbers == list(range(numbers[0], 40001)), "the last part has gaps")
                require("were lost" in state.stderr, "nobody says that something is missing")
                state("rm", "full")
                state.folder = own
        finally:
            subprocess.run(["umount", folder], check=True)


def log_of_killed(context, backend):
    """The front is killed: what the family had written is not lost, and the writer ends."""
    with state_of(context, backend) as state:
        state.start("killed", BUSYBOX, "sh", "-c", "busybox seq 20000; echo READY; sleep 1000")
        wait_for(lambda: "READY" in state("logs", "--tail", "1", "killed"), "the log has it")
        os.kill(state.inspect("killed")["front"], signal.SIGKILL)
        state("wait", "killed")
        kept = state("logs", "killed").splitlines()
        require(kept == [str(i) for i in range(1, 20001)] + ["READY"], f"{len(kept)} lines")


def unnamed(context, backend):
    """A family without a name leaves nothing anywhere."""
    with state_of(context, backend) as state:
        state("run", "-b", backend, "--", BUSYBOX, "true")
        require(os.listdir(state.folder) == [], "something was made")


def paused(context, backend):
    """All of it stands still, whoever wants something, and goes on as if nothing had been."""
    with state_of(context, backend) as state:
        state.start("p", BUSYBOX, "sh", "-c",
                    "trap 'echo usr1' USR1; busybox yes > /dev/null & i=0; while :; do i=$((i+1)); "
                    "busybox true; echo $i; done")
        wait_for(lambda: len(state("logs", "p")) > 20, "it counts")
        require(state("pause", "p") == "p\n", "pause does not print the name")
        require(state.states() == {"p": "paused"} and "(Paused)" in state("ps"), state("ps"))
        state("pause", "p", status=1)
        used = state.inspect("p")
        time.sleep(0.2) # what was in the pipe is on its way to the log
        then = state("logs", "--tail", "1", "p")
        require(used["state"] == "paused" and len(used["members"]) >= 2, f"{used}")
        state("kill", "-s", "USR1", "p")
        time.sleep(1)
        require(state("logs", "--tail", "1", "p") == then, "it goes on counting")
        require(state.inspect("p")["members"] == used["members"], "processor time goes on")
        require(state("unpause", "p") == "p\n", "unpause does not print the name")
        wait_for(lambda: "usr1" in state("logs", "p"), "the signal comes afterwards")
        wait_for(lambda: state("logs", "--tail", "1", "p") != then, "it goes on")
        state("unpause", "p", status=1)
        state("pause", "p")
        began = time.monotonic()
        state("stop", "p")
        require(time.monotonic() - began < 5 * context.scale, "a paused one does not hear SIGTERM")
        require(state("wait", "p") == "143\n", "the status of one that was stopped when paused")
        state.start("k", *SLEEP)
        state("pause", "k")
        require(state("kill", "k") == "k\n" and state.states()["k"] == "exited", "kill of a paused")


def paused_long(context, backend):
    """Nobody answers the supervisor for a while: it ends no family that is paused for that."""
    with state_of(context, backend) as state:
        state.start("p", BUSYBOX, "sh", "-c",
                    "trap 'exit 5' USR1; echo up; while :; do busybox true; done",
                    options=["-m", "64M"])
        wait_for(lambda: "up" in state("logs", "p"), "the log says up")
        state("pause", "p")
        state("kill", "-s", "USR1", "p")
        front = state.inspect("p")["front"]
        ticks = sum(int(word) for word in pathlib.Path(
            f"/proc/{runs.children(front)[-1]}/stat").read_text("utf-8").split()[13:15])
        time.sleep(26) # eight times the supervisor's patience
        require(state.states() == {"p": "paused"}, "it did not stay")
        now = sum(int(word) for word in pathlib.Path(
            f"/proc/{runs.children(front)[-1]}/stat").read_text("utf-8").split()[13:15])
        require(now - ticks < 20, "the supervisor is busy meanwhile")
        state("unpause", "p")
        require(state("wait", "p") == "5\n", "it does not go on")


def stats(context, backend):
    with state_of(context, backend) as state:
        state.start("busy", BUSYBOX, "sh", "-c", "busybox yes > /dev/null & wait",
                    options=["-m", "256M"])
        state.start("idle", *SLEEP)
        wait_for(lambda: len(state.inspect("busy")["members"]) == 2, "it begins")
        wait_for(lambda: state.inspect("idle")["members"], "it begins")
        rows = {row["name"]: row for row in json.loads(
            state("stats", "--no-stream", "--format", "json", "busy", "idle"))}
        require(rows["busy"]["cpu_percent"] > 1 > rows["idle"]["cpu_percent"], f"{rows}")
        require(rows["busy"]["pids"] == 2 and rows["idle"]["pids"] == 1, f"{rows}")
        require(rows["busy"]["memory_limit_bytes"] == 256 << 20, f"{rows}")
        require(0 < rows["idle"]["memory_bytes"] < 64 << 20, f"{rows}")
        table = state("stats", "--no-stream", "idle", "busy").splitlines()
        require(table[1].startswith("idle ") and "256.0MiB" in table[2], f"{table}")
        tree = state("top", "busy").splitlines()
        require(tree[1].endswith(" busybox") and tree[2].endswith("   busybox"), f"{tree}")
        require([line.split()[:2] for line in tree[1:]] == [["1", "0"], ["2", "1"]], f"{tree}")
        state("kill", "idle")
        for verb in ("stats", "top"):
            state(verb, "idle", status=1)
            require("is not running" in state.stderr, state.stderr)


def cases(context):
    every = [life, descriptors, others_socket, reused_id, linked,
             foreground, statuses, usage, directories, two_users, killed_at_random, many,
             rude_clients, crowd, hanging, hostile_names, logs, log_bounded, log_full_disk,
             log_of_killed, unnamed, paused, paused_long, stats]

    def bound(check, backend):
        return lambda: check(context, backend)

    return [Case(f"integration/families/{check.__name__}@{backend}", bound(check, backend),
                 exclusive=check is two_users)
            for check in every for backend in context.backends()]
