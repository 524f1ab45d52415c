# SPDX-License-Identifier: ISC
"""One bounded run of a program: output, status, and a look whether any of its processes is left.

Every run gets a session of its own and a mark in its environment, which forks inherit: both are
used to find what is left over afterwards, and only what carries them is ever killed.
"""

import dataclasses
import itertools
import os
import pathlib
import signal
import subprocess
import threading
import time

MARK = "UNIFORK_TEST_RUN"
_numbers = itertools.count(1)
OUTPUT_MAX = 64 << 20


@dataclasses.dataclass
class Result:
    """What came of one run; problem is None, 'hang' or what was left over."""

    command: list
    stdout: bytes
    stderr: bytes
    status: int
    seconds: float
    problem: str | None


def new_mark():
    return f"{os.getpid()}-{next(_numbers)}"


def marked_processes(mark, session=None):
    """Host pids, no zombies, whose environment carries the mark or that are in the session."""
    needle = f"{MARK}={mark}".encode() + b"\0"
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            stat = pathlib.Path("/proc", entry, "stat").read_text(encoding="latin-1")
            fields = stat.rpartition(")")[2].split()
            if fields[0] in "ZX":
                continue
            if session is not None and int(fields[3]) == session:
                found.append(int(entry))
                continue
            if needle in pathlib.Path("/proc", entry, "environ").read_bytes() + b"\0":
                found.append(int(entry))
        except OSError:
            continue
    return found


def wait_until_gone(mark, session=None, seconds=10.0):
    """The processes that are still there after the given time; none is the usual answer."""
    deadline = time.monotonic() + seconds
    while True:
        left = marked_processes(mark, session)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.01)


def children(pid):
    """Its living children, oldest first; none if it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(word) for word in text.split()]


def supervisor(front):
    """The supervisor of the `unifork run` with that id: its only child."""
    found = children(front)
    return found[0] if found else None


def monitors(front):
    """{id in the family's PID namespace: host id} of the monitors, the spawner included."""
    found = {}
    for pid in children(supervisor(front)):
        try:
            text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        except OSError:
            continue
        ids = next(line for line in text.splitlines() if line.startswith("NSpid:")).split()
        found[int(ids[-1])] = pid
    return found


def kill_all(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def describe(pid):
    try:
        text = pathlib.Path("/proc", str(pid), "cmdline").read_bytes().replace(b"\0", b" ")
        return f"{pid} ({text.decode(errors='replace').strip()[:80]})"
    except OSError:
        return str(pid)


def environment(mark=None, extra=None):
    env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
           "HOME": "/", "LC_ALL": "C", "TERM": "dumb"}
    if mark:
        env[MARK] = mark
    env.update(extra or {})
    return env


def status_of(returncode):
    """Popen's return code as the status that a shell shows."""
    return 128 - returncode if returncode < 0 else returncode


class _Collector(threading.Thread):
    """Reads one stream to its end, so that a full pipe never stops the program.

    What writes more than OUTPUT_MAX bytes has gone wrong: its process group is killed.
    """

    def __init__(self, stream, group):
        super().__init__(daemon=True)
        self.stream, self.group, self.chunks, self.left = stream, group, [], OUTPUT_MAX
        self.start()

    def run(self):
        try:
            while chunk := os.read(self.stream.fileno(), 1 << 16):
                if self.left >= 0:
                    self.chunks.append(chunk)
                    self.left -= len(chunk)
                    if self.left < 0:
                        os.killpg(self.group, signal.SIGKILL)
        except (OSError, ValueError):
            pass

    def text(self, seconds):
        self.join(seconds)
        return b"".join(self.chunks)


def _feed(stream, data):
    try:
        stream.write(data)
        stream.close()
    except (BrokenPipeError, OSError):
        pass


def run(command, timeout, stdin=b"", cwd="/", env=None, linger=2.0):
    """Runs a command to its end, at most `timeout` seconds, and cleans up after it.

    stdin is the bytes to read, or a descriptor. What the command started may outlive it by `linger`
    seconds; anything later is a problem.
    """
    mark = new_mark()
    began = time.monotonic()
    feed = stdin if isinstance(stdin, int) else subprocess.PIPE if stdin else subprocess.DEVNULL
    process = subprocess.Popen(
        [str(word) for word in command], stdin=feed,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd, start_new_session=True,
        env=environment(mark, env), umask=0o022)
    out, err = (_Collector(stream, process.pid) for stream in (process.stdout, process.stderr))
    if feed == subprocess.PIPE:
        threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True).start()
    problem = None
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        problem = f"hang: no end after {timeout:g} s"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    seconds = time.monotonic() - began
    left = wait_until_gone(mark, process.pid, linger)
    if left:
        problem = problem or "left over: " + ", ".join(describe(pid) for pid in left)
        kill_all(left)
    stdout, stderr = out.text(2), err.text(2)
    if min(out.left, err.left) < 0:
        problem = f"more than {OUTPUT_MAX >> 20} MiB of output"
    process.stdout.close()
    process.stderr.close()
    return Result([str(word) for word in command], stdout, stderr,
                  status_of(process.returncode), seconds, problem)
