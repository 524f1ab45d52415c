# SPDX-License-Identifier: ISC
"""Debian's python3: scripts of tests/programs/python/, and parts of its own test suite.

A part of the suite is one case. Its tests run natively and in a family; a test that fails in the
family and not natively fails the case, unless KNOWN says why.
"""

import pathlib
import re

from harness import programs
from harness.cases import Case, Failed, Skipped, require, tail

SCRIPTS = pathlib.Path(__file__).resolve().parent / "python"
PYTHON = "/usr/bin/python3"
PACKAGES = ["python3", "libpython3.11-testsuite"]

SCRIPT_RUNS = [("processes", word) for word in ("fork", "spawn", "forkserver")]
SCRIPT_RUNS += [("parallel", word) for word in ("subprocesses", "forks", "threads", "asyncio")]

# Part of the suite: seconds on the slowest backend.
SUITE = {
    "fork1": 60, "wait3": 60, "wait4": 60, "signal": 240, "os": 120, "posix": 120,
    "subprocess": 300, "pty": 60, "pipes": 60, "select": 60, "selectors": 180, "epoll": 60,
    "threading": 240, "mmap": 60, "fcntl": 60, "tempfile": 120, "shutil": 120, "pathlib": 120,
    "multiprocessing_fork": 600, "multiprocessing_spawn": 900, "concurrent_futures": 900,
}

# Tests and classes that need sockets of the Internet, which families do not have yet.
LISTENERS = ["test_wait_socket*", "*TestListener*", "test_rapid_restart", "test_closefd",
             "TestTimeouts", "*TestPicklingConnections", "*TestRemoteManager"]
INTERNET = {
    "os": ["TestSendfile"],
    "signal": ["test_invalid_socket", "test_set_wakeup_fd_socket_result"],
    "epoll": ["TestEPoll"],
    "multiprocessing_fork": LISTENERS,
    "multiprocessing_spawn": LISTENERS,
}

# What fails in a family for a reason that docs/caveats.md gives.
KNOWN = {
    "test_fcntl_64_bit": "F_NOTIFY",
}


def failures(result, part):
    """The names of the tests that failed; the run has to have come to its end."""
    text = result.stdout.decode(errors="replace") + result.stderr.decode(errors="replace")
    if not re.search(r"^Ran \d+ tests? in ", text, re.MULTILINE):
        raise Failed(f"test_{part} did not come to its end, status {result.status}\n{tail(result)}")
    found = set(re.findall(r"^(?:ERROR|FAIL): (\S+ \([\w.]+\))", text, re.MULTILINE))
    return found, text


def suite_check(context, backend, part, seconds):
    def check():
        programs.need_packages(context, PACKAGES)
        command = [PYTHON, "-m", "test", "-v", f"test_{part}"]
        for pattern in INTERNET.get(part, []):
            command += ["-i", pattern]
        if part == "epoll":
            raise Skipped("all of test_epoll needs sockets of the Internet")
        # test_subprocess leaves a `sleep 3` behind on Linux; a family ends with its first process.
        native, _ = failures(context.oracle(command, seconds, linger=10), part)
        if backend == "native":
            return
        result, stats = context.unifork_stats(backend, command, timeout=seconds)
        programs.count_unsupported(stats)
        found, text = failures(result, part)
        new = sorted(name for name in found - native if name.split()[0] not in KNOWN)
        details = "\n".join(traceback_of(text, name) for name in new[:5])
        require(not new, f"{len(new)} fail that do not natively: {' '.join(new)}\n{details}")
    return check


def traceback_of(text, name):
    lines = text[text.find(f": {name}"):].splitlines()
    return "\n".join(lines[:25])


def script_check(context, backend, script, word):
    def check():
        programs.need_packages(context, ["python3"])
        programs.same_in_family(context, backend, f"python-{script}-{word}",
                                f"{PYTHON} -u {SCRIPTS / script}.py {word}", 90)
    return check


def cases(context):
    for part, patterns in INTERNET.items():
        for pattern in patterns:
            programs.leave_out("python3", f"`test_{part} {pattern}`",
                               "needs sockets of the Internet")
    found = []
    for backend in context.wanted:
        for script, word in SCRIPT_RUNS:
            found.append(Case(f"programs/python3/{script}-{word}@{backend}",
                              script_check(context, backend, script, word)))
        for part, seconds in SUITE.items():
            found.append(Case(f"programs/python3/test_{part}@{backend}",
                              suite_check(context, backend, part, seconds)))
    return found
