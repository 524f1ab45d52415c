# SPDX-License-Identifier: ISC
"""Guests that take more than --memory and --pids allow, past their kernels: refused, killed, or the
family is ended, and one line says so. Each with the host's cgroups, where one can be made, and
without: then the supervisor counts. limits.c says what is taken.
"""

import ctypes
import os
import signal
import struct
import subprocess
import tempfile
import time

from harness import runs
from harness.cases import Case, Skipped, require, tail
from harness.cgroups import Group, command, need_cgroup

MIB = 1 << 20
# Above the limit: what is taken between two looks of a supervisor that may have to wait for its
# turn. What is wrong is wrong by hundreds.
SLACK = 64 * MIB
TOO_MANY = b"monitors, more than --pids allows; it was ended"
# An honest family's monitors are at most twice as many as its tasks, and a few that are dying.
MONITORS_ABOVE = 80
ORDINARY = 12345
SYS_SCHED_GETATTR = 315
UNSHARED = 12399 # nobody else's processes count with its
TURN_SHORT_NS = 100000 # monitor/supervisor/turns.c


def one_line_each(result, processes):
    lines = [line for line in result.stderr.splitlines() if line.startswith(b"unifork: ")]
    require(1 <= len(lines) <= processes, f"{len(lines)} messages\n{tail(result)}")


def memory(context, backend, by, what, amount, limit):
    """Who takes it is refused, or killed with a message, and the host gave no more than that."""
    def check():
        context.needs(backend)
        if by == "cgroup":
            need_cgroup(context, backend)
        program = [context.build / "tests/security/limits", what, amount]
        meter = Group("memory")
        try:
            result = context.run(command(context, backend, by, ["-m", f"{limit}M"], program,
                                         [meter]), timeout=60)
            peak = meter.read("memory.max_usage_in_bytes")
        finally:
            meter.remove()
        require(not result.problem, f"{result.problem}\n{tail(result)}")
        require(b"BROKEN" not in result.stdout, tail(result))
        require(peak < limit * MIB + SLACK, f"{peak >> 20} MiB were given\n{tail(result)}")
        told = any(words in result.stderr for words in (b"was killed: out of memory",
                                                        b"it was ended"))
        if told:
            # A host that ends one frees his tables late, and may take another one meanwhile.
            one_line_each(result, {"mappings": 2, "tables": 2, "crowd": 3}.get(what, 1))
        elif what == "shared": # the allowlist has no such memory
            require(b"shared: killed" in result.stdout, tail(result))
        else:
            require(b"refused" in result.stdout, tail(result))
        # The host may have chosen the family's first process, and many that are no members end all.
        require(b"the family goes on" in result.stdout or result.status in (137, 111), tail(result))
        require(b"from outside" not in result.stderr, tail(result))
    return check


def buffers(context, backend):
    """What sockets of the host hold is the family's memory, as far as a cgroup keeps that."""
    def check():
        need_cgroup(context, backend)
        result = context.in_family(backend, [context.build / "tests/security/buffers", "256"],
                                   options=["--net", "host", "-m", "64M"], timeout=60)
        held = b": held" in result.stdout or b"was killed: out of memory" in result.stderr
        require(held and b"BROKEN" not in result.stdout, tail(result))
    return check


def members(context, backend, by):
    """A guest that has freed its kernel of --pids is refused, or its family is ended."""
    def check():
        context.needs(backend)
        if by == "cgroup":
            need_cgroup(context, backend)
        program = [context.build / "tests/security/limits", "members", "150"]
        result = context.run(command(context, backend, by, ["--pids", "8"], program), timeout=60)
        require(not result.problem, f"{result.problem}\n{tail(result)}")
        require(b"BROKEN" not in result.stdout, tail(result))
        if b"refused" not in result.stdout:
            require(result.status == 111 and TOO_MANY in result.stderr, tail(result))
            one_line_each(result, 1)
    return check


def few_files(context, backend):
    """With too few descriptors to count the family does not go on uncounted."""
    def check():
        context.needs(backend)
        taken = ("crowd", "300") if backend == "process" else ("tables", "100")
        program = [context.build / "tests/security/limits", *taken]
        for soft, hard in (*((n, n) for n in (12, 13, 14, 20)), (12, 4096)):
            words = command(context, backend, "counting", ["-m", "64M"], program)
            at = words.index(context.unifork)
            words[at:at] = ["prlimit", f"--nofile={soft}:{hard}"]
            result = context.run(words, timeout=60)
            require(not result.problem, f"{result.problem}\n{tail(result)}")
            require(b"BROKEN" not in result.stdout, f"{soft}, {hard}: {tail(result)}")
            require(result.status in (0, 111, 137), f"{soft}, {hard}: {tail(result)}")
            require(b"unifork: " in result.stderr or b"refused" in result.stdout,
                    f"{soft}, {hard}: nobody counted\n{tail(result)}")
            if hard > soft: # the supervisor may have more than the family's programs
                require(b"Too many open files" not in result.stderr, tail(result))
    return check


def watch(process, group, seconds):
    """The most tasks that were in the group until the process had ended; None: it has not."""
    most, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        most = max(most, group.read("pids.current"))
        if process.poll() is not None:
            return most
        time.sleep(0.01)
    return None


def bomb(context, by, options, monitors):
    """Clones that clone: few at any time, an end soon, and nobody is left."""
    def check():
        context.needs("process")
        if by == "cgroup":
            need_cgroup(context, "process")
        guard = Group("pids", limit=monitors + 400)
        if not guard.path:
            raise Skipped("no cgroup of version 1 that would keep a bomb from the host")
        program = [context.build / "tests/security/limits", "bomb", "1"]
        words = command(context, "process", by, options, program, [guard])
        process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=runs.environment(), start_new_session=True)
        try:
            most = watch(process, guard, 12 * context.scale)
            if most is None and not options:
                # Nothing was asked for: it is bounded, and ends when the user says so.
                most = guard.read("pids.current")
                process.send_signal(signal.SIGKILL)
                require(watch(process, guard, 10 * context.scale) is not None, "it cannot be ended")
            require(most is not None, f"it goes on: {guard.read('pids.current')} tasks")
            require(most <= monitors, f"{most} tasks")
            out, err = process.communicate(timeout=20)
            for _ in range(100):
                if not guard.read("pids.current"):
                    break
                time.sleep(0.02)
            require(guard.read("pids.current") == 0, f"{guard.read('pids.current')} are left")
            require(not options or (process.returncode == 111 and err.count(b"\n") == 1 and
                                    TOO_MANY in err), f"{process.returncode}: {out} {err}")
        finally:
            guard.kill()
            process.kill()
            process.wait()
            guard.remove()
    return check


def turn_ns(pid):
    """The turn that a process asked of the host's scheduler for, or has by default."""
    attr = ctypes.create_string_buffer(48)
    if ctypes.CDLL(None, use_errno=True).syscall(SYS_SCHED_GETATTR, pid, attr, len(attr), 0) < 0:
        raise OSError(ctypes.get_errno(), "sched_getattr")
    return struct.unpack_from("<IIQiIQ", attr)[5]


def spinning(context, user):
    """As many monitors as there may be, all computing: SIGTERM ends them all the same, for the two
    who end them need not wait until everybody had a turn. How long that takes is the machine's.
    """
    def check():
        context.needs("process")
        guard = Group("pids", limit=4096 + MONITORS_ABOVE + 400)
        if not guard.path:
            raise Skipped("no cgroup of version 1 that would keep a bomb from the host")
        program = [context.build / "tests/security/limits", "spin", "1"]
        words = command(context, "process", "counting", ["--stop-timeout", "0"], program, [guard])
        at = words.index(context.unifork)
        if user:
            words[at:at] = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=runs.environment(), start_new_session=True)
        try:
            end = time.monotonic() + 20
            while guard.read("pids.current") < 2000:
                require(time.monotonic() < end and process.poll() is None, "no bomb")
                time.sleep(0.01)
            supervisor = runs.supervisor(process.pid)
            turns = [turn_ns(pid) for pid in (process.pid, supervisor)]
            usual = turn_ns(runs.children(supervisor)[0])
            require(max(turns) == TURN_SHORT_NS < usual, f"turns of {turns}, {usual} ns")
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)
            require(process.returncode == -signal.SIGTERM, f"{process.returncode}: {out} {err}")
        finally:
            guard.kill()
            process.kill()
            process.wait()
            guard.remove()
    return check


def few_tasks(context):
    """A user whose limit of processes leaves KVM no task for a virtual machine is told so."""
    def check():
        context.needs("kvm")
        if os.geteuid() != 0:
            raise Skipped("needs root to become another user")
        with tempfile.TemporaryDirectory(prefix="unifork-kvm-", dir="/var/tmp") as folder:
            os.chmod(folder, 0o755)
            node = f"{folder}/kvm"
            os.mknod(node, 0o020600, os.stat("/dev/kvm").st_rdev)
            os.chmod(node, 0o666)
            for most in range(2, 7):
                result = context.run(
                    ["unshare", "-m", "sh", "-c", f'mount --bind {node} /dev/kvm && exec "$@"',
                     "sh", "setpriv", f"--reuid={UNSHARED}", f"--regid={UNSHARED}",
                     "--clear-groups", "prlimit", f"--nproc={most}", context.unifork, "run", "-b",
                     "kvm", "--", "/bin/busybox", "sh", "-c",
                     "echo hi; /bin/busybox true; /bin/busybox true"], timeout=20)
                require(not result.problem, f"{most}: {tail(result)}")
                told = b"no task for another virtual machine" in result.stderr
                require(told or result.status in (0, 2, 111), f"{most}: {tail(result)}")
            require(result.status == 0, tail(result))
    return check


def short_turns():
    """Does the host let processes ask for short turns (Linux 6.12)?"""
    return tuple(int(word) for word in os.uname().release.split("-")[0].split(".")[:2]) >= (6, 12)


def cases(context):
    taken = [("shared", 1024, 64, ["process"]), ("tables", 100, 64, ["process", "kvm"]),
             ("mappings", 30000, 16, ["process"]), ("files", 3000, 64, ["process"]),
             ("crowd", 300, 64, ["process"])]
    found = []
    for by in ("cgroup", "counting"):
        for backend in context.backends():
            found += [Case(f"security/limits_{what}_{by}@{backend}",
                           memory(context, backend, by, what, amount, limit))
                      for what, amount, limit, backends in taken if backend in backends]
            if by == "counting":
                found.append(Case(f"security/limits_few_files@{backend}",
                                  few_files(context, backend)))
            found.append(Case(f"security/limits_members_{by}@{backend}",
                              members(context, backend, by)))
        if "process" in context.backends():
            found.append(Case(f"security/limits_bomb_{by}@process",
                              bomb(context, by, ["--pids", "8"], 8 + MONITORS_ABOVE),
                              exclusive=True))
    found += [Case(f"security/limits_buffers_cgroup@{backend}", buffers(context, backend))
              for backend in context.backends()] # not by counting: docs/caveats.md
    if "kvm" in context.backends():
        found.append(Case("security/limits_few_tasks@kvm", few_tasks(context)))
        # Not by counting: docs/caveats.md.
        found.append(Case("security/limits_shadow_cgroup@kvm",
                          memory(context, "kvm", "cgroup", "shadow", 15, 128)))
    if "process" in context.backends():
        found.append(Case("security/limits_bomb_default@process",
                          bomb(context, "counting", [], 4096 + MONITORS_ABOVE), exclusive=True))
        if short_turns():
            found += [Case(f"security/limits_spinning.{name}@process", spinning(context, user),
                           exclusive=True) for name, user in (("root", 0), ("user", ORDINARY))]
    return found
