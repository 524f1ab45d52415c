# SPDX-License-Identifier: ISC
"""Guests that keep the supervisor and the front busy: signals of the user are obeyed."""

import contextlib
import os
import pathlib
import pty
import signal
import socket
import subprocess
import tempfile
import time

from harness import runs
from harness.cases import Case, require, tail
from integration.cases_cli import Started

# The supervisor's processor time from SIGTERM, with --stop-timeout 0, to the end: its turn at the
# mailbox and what the end takes, less than 10 ms, and 80 to 200 where it does all that was asked
# for before it looks at signals. How long that takes by the clock is the machine's.
OBEYED_MS = 40


@contextlib.contextmanager
def volume_made():
    """What is made there is too deep for Python to remove."""
    folder = tempfile.mkdtemp(prefix="unifork-busy-", dir="/var/tmp")
    try:
        yield folder
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)


def busy(context, mode):
    return [context.build / "tests/security/busy", mode]


def ready(family):
    for line in iter(family.line, b""):
        if line == b"busy\n":
            return
    require(False, f"not ready: {family.process.stderr.read()}")


def computed_ms(pid):
    """The processor time of a process; None: it is gone."""
    try:
        return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text("ascii").split()[0]) / 1e6
    except (OSError, IndexError):
        return None


def obeyed(context, backend, mode):
    """SIGTERM ends a family at once that gives its supervisor more to do than it can."""
    def check():
        with volume_made() as volume:
            family = Started(context, backend, busy(context, mode),
                             options=["--stop-timeout", "0", "-v", f"{volume}:/v"])
            times = [time.monotonic()]
            ready(family)
            times.append(time.monotonic())
            time.sleep(1)
            supervisor = runs.supervisor(family.process.pid)
            before = last = computed_ms(supervisor)
            family.process.send_signal(signal.SIGTERM)
            times.append(time.monotonic())
            end = time.monotonic() + 30 * context.scale
            while family.process.poll() is None and time.monotonic() < end:
                last = computed_ms(supervisor) or last
                time.sleep(0.002)
            status = family.end(5)
            times = [f"{moment - times[0]:.1f}" for moment in [*times[1:], time.monotonic()]]
            require(status == 128 + signal.SIGTERM,
                    f"status {status}; ready, SIGTERM, end after {' '.join(times)} s")
            require(last - before < OBEYED_MS, f"it took the supervisor {last - before:.0f} ms")
    return check


def state(pid):
    text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    return text.rpartition(")")[2].split()[0]


def unstopped(context, backend):
    """A guest cannot stop the front where no shell would continue it, though on a terminal."""
    def check():
        inner, outer = pty.openpty()
        try:
            family = Started(context, backend, busy(context, "stops"),
                             options=["--stop-timeout", "0"], stdin=outer)
            ready(family)
            for _ in range(50):
                require(state(family.process.pid) != "T", "the front is stopped")
                time.sleep(0.01)
            family.process.send_signal(signal.SIGTERM)
            status = family.end(5)
            require(status == 128 + signal.SIGTERM, f"status {status}")
        finally:
            os.close(inner)
            os.close(outer)
    return check


def job_ends(context, backend):
    """A job that stops again and again ends after SIGTERM: that goes on counting."""
    def check():
        context.needs(backend)
        mark = runs.new_mark()
        pid, outer = pty.fork()
        if pid == 0: # as a shell would, with job control
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            family = subprocess.Popen(
                [str(word) for word in (context.unifork, "run", "-b", backend, "--stop-timeout",
                                        "1", "--", *busy(context, "stops"))],
                stdout=subprocess.DEVNULL, env=runs.environment(mark), process_group=0)
            os.tcsetpgrp(0, family.pid)
            _, status = os.waitpid(family.pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                os._exit(1)
            family.send_signal(signal.SIGTERM)
            family.send_signal(signal.SIGCONT)
            _, status = os.waitpid(family.pid, os.WUNTRACED)
            os._exit(0 if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGTERM else 2)
        try:
            end = time.monotonic() + 20
            while True:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    break
                require(time.monotonic() < end, "it goes on")
                time.sleep(0.02)
            pid = 0
            require(status == 0, {1: "the job did not stop", 2: "it stopped again"}.get(
                os.waitstatus_to_exitcode(status), status))
        finally:
            left = runs.wait_until_gone(mark)
            runs.kill_all([*left, *([pid] if pid else [])])
            if pid:
                os.waitpid(pid, 0)
            os.close(outer)
        require(not left, f"left over: {left}")
    return check


def followed(context, backend):
    """The supervisor dies with its front also after it made files for other users."""
    def check():
        with volume_made() as volume:
            script = ("import os, time; os.chown('/v', 12345, 12345); os.setegid(12345); "
                      "os.seteuid(12345); open('/v/made', 'w').close(); print('busy', flush=True); "
                      "time.sleep(60)")
            family = Started(context, backend, ["/usr/bin/python3", "-c", script],
                             options=["-v", f"{volume}:/v"])
            ready(family)
            require(os.geteuid() != 0 or os.stat(f"{volume}/made").st_uid == 12345, "its owner")
            supervisor = runs.supervisor(family.process.pid)
            # It cannot hear from its socket that the front is gone: only the host can end it.
            os.kill(supervisor, signal.SIGSTOP)
            family.process.kill()
            status = family.end(5)
            require(status == 128 + signal.SIGKILL, f"status {status}")
    return check


def lingering(context, backend):
    """A socket whose last holder waits when it closes it is not left to the supervisor."""
    program = context.build / "tests/security/lingering"

    def check():
        with volume_made() as volume, socket.create_server(("127.0.0.1", 0)) as listener:
            pathlib.Path(volume).chmod(0o777)
            family = Started(context, backend, [program, str(listener.getsockname()[1])],
                             options=["--net", "host", "-v", f"{volume}:/v"])
            line = family.line()
            family.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            status = family.end(30)
            require(line.startswith(b"let go"), f"{line}")
            require(status == 128 + signal.SIGTERM,
                    f"status {status} after {time.monotonic() - began:.1f} s")
    return check


def handed(context, backend):
    """A guest that watches one socket under more numbers than it has is ended."""
    def check():
        with volume_made() as volume:
            pathlib.Path(volume).chmod(0o777)
            context.needs(backend)
            result = context.run(["prlimit", "--nofile=1024:1024", context.unifork, "run",
                                  "--backend", backend, "--net", "host", "-v", f"{volume}:/v",
                                  "--", context.build / "tests/security/handed", "50000"],
                                 timeout=120)
            require(result.status == 111 and b"BROKEN" not in result.stdout
                    and b"watches more sockets than it can have" in result.stderr, tail(result))
    return check


def cases(context):
    found = []
    for backend in context.backends():
        found += [Case(f"security/busy_requests@{backend}", obeyed(context, backend, "requests")),
                  Case(f"security/busy_stops@{backend}", unstopped(context, backend)),
                  Case(f"security/busy_job@{backend}", job_ends(context, backend)),
                  Case(f"security/lingering@{backend}", lingering(context, backend)),
                  Case(f"security/handed@{backend}", handed(context, backend)),
                  Case(f"security/front_followed@{backend}", followed(context, backend))]
    if "process" in context.backends():
        found.append(Case("security/busy_deaths@process", obeyed(context, "process", "deaths"),
                          exclusive=True)) # it leaves little for the others
    return found
