# SPDX-License-Identifier: ISC
"""The command line: usage, statuses, options, streams, signals from outside, the terminal."""

import fcntl
import json
import hashlib
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time

from harness import runs
from harness.cases import Case, Failed, require, tail

BUSYBOX = "/bin/busybox"
TERMINAL_WAIT = 30


def one_line(result):
    lines = result.stderr.decode(errors="replace").strip().splitlines()
    require(len(lines) == 1, f"not one line on standard error: {lines}")
    require(not result.stdout, f"unexpected output: {result.stdout[:200]!r}")


def usage(context, backend):
    require(context.unifork.exists(), "build/unifork does not exist")
    for arguments in ([], ["nonsense"], ["run"], ["run", "--"],
                      ["run", "--backend", "none", "--", "x"],
                      ["run", "--no-such-option", "--", "x"], ["run", "-e"]):
        result = context.run([context.unifork, *arguments])
        require(result.status == 100, f"{arguments}: status {result.status}\n{tail(result)}")
        one_line(result)


def help_and_version(context, backend):
    for arguments, expected in ((["--help"], b"run"), (["--version"], b"unifork"),
                                (["syscalls"], b"fork")):
        result = context.run([context.unifork, *arguments])
        require(result.status == 0 and expected in result.stdout, f"{arguments}: {tail(result)}")


def statuses(context, backend):
    hello = context.build / "tests" / "guest" / "hello"
    for program, expected in (([hello], 7), ([BUSYBOX, "sh", "-c", "exit 255"], 255),
                              ([BUSYBOX, "sh", "-c", "kill -9 $$"], 137),
                              ([BUSYBOX, "sh", "-c", "kill -TERM $$"], 143)):
        result = context.in_family(backend, program)
        require(result.status == expected,
                f"{program}: {result.status}, not {expected}\n{tail(result)}")
    for program, expected in ((["/no/such/program"], 127), (["/etc/passwd"], 126), (["/etc"], 126)):
        result = context.in_family(backend, program)
        require(result.status == expected,
                f"{program}: {result.status}, not {expected}\n{tail(result)}")
        one_line(result)


def environment(context, backend):
    result = context.in_family(backend, [BUSYBOX, "sh", "-c", "echo $A-$B-; pwd"],
                               options=["-e", "A=first", "-e", "B=two words", "-w", "/usr/share"])
    require(result.stdout == b"first-two words-\n/usr/share\n", tail(result))
    result = context.in_family(backend, [BUSYBOX, "env"], env={"SECRET_OF_THE_HOST": "x"})
    require(b"SECRET_OF_THE_HOST" not in result.stdout, "the host's environment is passed on")


def streams(context, backend):
    data = hashlib.shake_128(b"unifork").digest(5_000_000)
    for program in ([BUSYBOX, "cat"], [BUSYBOX, "sh", "-c", "busybox cat | busybox cat"]):
        result = context.in_family(backend, program, stdin=data, timeout=60)
        require(result.stdout == data, f"{program}: {len(result.stdout)} bytes came back\n"
                + result.stderr.decode(errors="replace")[-500:])
    result = context.in_family(backend, [BUSYBOX, "sh", "-c", "echo out; echo err >&2"])
    require(result.stdout == b"out\n" and result.stderr == b"err\n", tail(result))
    result = context.in_family(backend, [BUSYBOX, "head", "-c", "3"], stdin=b"abcdef")
    require(result.stdout == b"abc", tail(result))


def verbose(context, backend):
    result = context.in_family(backend, [BUSYBOX, "sh", "-c", "busybox true; busybox true"],
                               options=["--verbose"])
    require(result.stdout == b"", "-v writes to standard output")
    require(backend.encode() in result.stderr, f"-v does not name the backend: {tail(result)}")
    unknown = "syscall(178, 0)"  # query_module: long gone from Linux, too
    result = context.in_family(backend, ["/usr/bin/perl", "-e", unknown],
                               options=["--verbose"])
    require(b"answered ENOSYS: " in result.stderr and b"query_module (1)" in result.stderr,
            f"-v does not name a call that was answered ENOSYS: {tail(result)}")


def automatic(context, backend):
    """auto takes one of the backends and says with -v which."""
    result = context.in_family("auto", [BUSYBOX, "echo", "x"], options=["--verbose"])
    require(result.status == 0 and result.stdout == b"x\n", tail(result))
    require(b"kvm" in result.stderr or b"process" in result.stderr, tail(result))


def init(context, backend):
    script = ("busybox sh -c '(busybox sleep 0.2; exit 3) & exit 0'; echo $$; busybox sleep 0.5; "
              "busybox ls /proc | busybox grep -c '^[0-9]*$'; exit 9")
    result = context.in_family(backend, [BUSYBOX, "sh", "-c", script], options=["--init"])
    lines = result.stdout.split()
    require(result.status == 9, f"status {result.status}\n{tail(result)}")
    require(lines and lines[0] == b"2", f"the program is not PID 2: {tail(result)}")


def host_unchanged(context, backend):
    name = f"/var/tmp/unifork-written-{os.getpid()}"
    result = context.in_family(backend, [BUSYBOX, "sh", "-c", f"echo x > {name} && cat {name}; "
                                         f"busybox cat {name}"])
    require(b"x" in result.stdout, f"the family does not see its own file: {tail(result)}")
    if os.path.exists(name):
        os.unlink(name)
        raise Failed(f"{name} was made on the host")


class Started:
    """A running `unifork run`, for the cases that treat it from outside; always cleaned up."""

    def __init__(self, context, backend, program, options=(), before=(), **more):
        context.needs(backend)
        self.mark, self.scale = runs.new_mark(), context.scale
        self.process = subprocess.Popen(
            [str(word) for word in
             [*before, context.unifork, "run", "--backend", backend, *options, "--", *program]],
            stdin=more.pop("stdin", subprocess.DEVNULL), stdout=more.pop("stdout", subprocess.PIPE),
            stderr=more.pop("stderr", subprocess.PIPE), cwd="/", start_new_session=True,
            env=runs.environment(self.mark), **more)

    def __del__(self):
        """A case that failed on the way ends with what it started: others may run beside it."""
        if getattr(self, "process", None) and self.process.poll() is None:
            runs.kill_all([self.process.pid])

    def line(self, seconds=20):
        ready, _, _ = select.select([self.process.stdout], [], [], seconds * self.scale)
        require(ready, "no output")
        return self.process.stdout.readline()

    def end(self, seconds=20):
        """The exit status; what is left over is a failure."""
        try:
            status = self.process.wait(seconds * self.scale)
        except subprocess.TimeoutExpired:
            status = None
        return self.clean(status)

    def clean(self, status):
        if status is None:
            self.process.kill()
            self.process.wait()
        left = runs.wait_until_gone(self.mark, self.process.pid)
        text = ", ".join(runs.describe(pid) for pid in left)
        runs.kill_all(left)
        require(status is not None, "hang: no end")
        require(not left, f"left over: {text}")
        return runs.status_of(status)


def terminated(context, backend):
    family = Started(context, backend, [BUSYBOX, "sh", "-c",
                     "trap 'echo caught; exit 5' TERM; echo ready; "
                     "while :; do busybox sleep 0.05; done"])
    require(family.line() == b"ready\n", "not ready")
    family.process.send_signal(signal.SIGTERM)
    require(family.line() == b"caught\n", "SIGTERM did not reach PID 1")
    status = family.end()
    require(status == 5, f"status {status}")


def terminated_twice(context, backend):
    family = Started(context, backend, [BUSYBOX, "sh", "-c",
                     "trap '' TERM; echo ready; while :; do busybox sleep 0.05; done"])
    require(family.line() == b"ready\n", "not ready")
    for _ in range(3):  # within the grace period they are one
        family.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    require(family.process.poll() is None, "ignored SIGTERMs ended the family at once")
    time.sleep(1)
    require(family.process.poll() is None, "a SIGTERM within the grace period ended the family")
    family.process.send_signal(signal.SIGTERM)
    status = family.end(5)
    require(status == 128 + signal.SIGTERM, f"status {status}")


def stop_timeout(context, backend):
    """An ignored SIGTERM ends the family after --stop-timeout, and with -1 never."""
    loop = "trap '' TERM; echo ready; while :; do busybox sleep 0.05; done"
    family = Started(context, backend, [BUSYBOX, "sh", "-c", loop], options=["--stop-timeout", "1"])
    require(family.line() == b"ready\n", "not ready")
    start = time.monotonic()
    family.process.send_signal(signal.SIGTERM)
    status = family.end(8)
    require(status == 128 + signal.SIGTERM and time.monotonic() - start >= 0.9,
            f"status {status} after {time.monotonic() - start} s")
    family = Started(context, backend, [BUSYBOX, "sh", "-c", loop],
                     options=["--stop-timeout", "-1"])
    require(family.line() == b"ready\n", "not ready")
    family.process.send_signal(signal.SIGTERM)
    time.sleep(1.5)
    require(family.process.poll() is None, "--stop-timeout -1 ended the family")
    family.process.send_signal(signal.SIGTERM)
    status = family.end(5)
    require(status == 128 + signal.SIGTERM, f"status {status}")


def stopped_twice(context, backend):
    """timeout(1) sends SIGTERM to its child and to the group; what the program says is not lost."""
    for _ in range(5):
        result = context.run(["timeout", "1", context.unifork, "run", "-b", backend, "--", "bash",
                              "-c", "trap 'echo bye' EXIT; coproc cat; wait"], timeout=20)
        require(result.stdout == b"bye\n" and result.status == 124, tail(result))


def ended_by_signal(context, backend):
    """Who starts unifork sees the signal that ended the program, so that Ctrl-C ends a loop."""
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV):
        context.needs(backend)
        process = subprocess.run([context.unifork, "run", "-b", backend, "--", BUSYBOX, "sh", "-c",
                                  f"kill -{int(sig)} $$"], timeout=20, check=False)
        require(process.returncode == -sig, f"{sig.name}: {process.returncode}")


def stats_to(context, backend):
    """--stats - is standard output; a file that cannot be written is said before the run."""
    result = context.in_family(backend, [BUSYBOX, "sh", "-c", "exit 3"], options=["--stats", "-"])
    require(result.status == 3 and json.loads(result.stdout)["members"] == 1, tail(result))
    result = context.in_family(backend, [BUSYBOX, "echo", "ran"],
                               options=["--stats", "/no/such/folder/file"])
    require(result.status == 111 and not result.stdout, tail(result))
    one_line(result)
    with tempfile.TemporaryDirectory(prefix="unifork-fifo-") as folder:
        os.mkfifo(f"{folder}/fifo")
        result = context.in_family(backend, [BUSYBOX, "echo", "ran"],
                                   options=["--stats", f"{folder}/fifo"])
    require(result.status == 111 and b"which nobody reads" in result.stderr, tail(result))
    one_line(result)
    result = context.in_family(backend, [BUSYBOX, "sh", "-c", "exit 4"],
                               options=["--stats", "/dev/full"])
    require(result.status == 4, tail(result))
    one_line(result)


def working_directory(context, backend):
    """-w names a directory that is there; of a long path the reason is not cut off."""
    for path, reason in (("/no/such", "No such file or directory"), ("/etc/passwd", "Not a dir"),
                         ("/" + "x" * 200 + "/" + "y" * 200, "No such file or directory")):
        result = context.in_family(backend, [BUSYBOX, "pwd"], options=["-w", path])
        require(result.status == 100 and not result.stdout, tail(result))
        one_line(result)
        require(reason.encode() in result.stderr, tail(result))
    result = context.in_family(backend, [BUSYBOX, "pwd"], cwd="/proc/self/fd")
    require(result.status == 0, tail(result))  # not asked for: / serves as well
    gone = context.scratch / f"gone-{backend}"
    gone.mkdir(exist_ok=True)
    script = f"cd {gone} && rmdir {gone} && exec {context.unifork} run --backend {backend}"
    result = context.run(["/bin/sh", "-c", f"{script} -- {BUSYBOX} pwd"])
    require(result.status == 100 and b"current directory" in result.stderr, tail(result))
    one_line(result)
    gone.mkdir()
    result = context.run(["/bin/sh", "-c", f"{script} -w / -- {BUSYBOX} pwd"])
    require(result.status == 0 and result.stdout == b"/\n", tail(result))


def no_core_limit(context, backend):
    """Core files may have been forbidden to whoever starts a family."""
    context.needs(backend)
    result = context.run(["prlimit", "--core=0:0", context.unifork, "run", "-b", backend, "--",
                          BUSYBOX, "echo", "ran"], timeout=20)
    require(result.status == 0 and result.stdout == b"ran\n", tail(result))


def caller_limits(context, backend):
    """Limits of the caller that a family cannot live with: left where they may be, else named."""
    context.needs(backend)
    family = [context.unifork, "run", "-b", backend, "--", "/bin/bash-static", "-c", "ulimit -f"]
    for limit, wanted in (("--fsize=4096:unlimited", b"4\n"), ("--as=300000000:unlimited",
                                                              b"unlimited\n")):
        result = context.run(["prlimit", limit, *family], timeout=20)
        require(result.status == 0 and result.stdout == wanted, f"{limit}: {tail(result)}")
    for limit, name in (("--fsize=4096:4096", b"ulimit -f"), ("--as=300000000:300000000",
                                                              b"ulimit -v")):
        result = context.run(["prlimit", limit, "setpriv", "--bounding-set", "-sys_resource",
                              *family], timeout=20)
        require(result.status == 111 and name in result.stderr, f"{limit}: {tail(result)}")
        one_line(result)


def in_family(context, backend):
    """A family in a family says what it is that cannot be."""
    result = context.in_family(backend, ["/u", "run", "-b", "process", "--", BUSYBOX, "true"],
                               options=["-v", f"{context.unifork}:/u:ro"])
    require(result.status == 111 and b"cannot run in another" in result.stderr, tail(result))
    one_line(result)


def closed_streams(context, backend):
    """What is closed outside is /dev/null inside."""
    context.needs(backend)
    script = "read x; echo out; echo err >&2; readlink /proc/self/fd/0"
    result = subprocess.run(["sh", "-c", '"$@" <&- >&- 2>&-; echo $?', "sh", context.unifork, "run",
                             "-b", backend, "--", BUSYBOX, "sh", "-c", f"{script}; exit 5"],
                            capture_output=True, timeout=20, check=False)
    require(result.stdout == b"5\n" and not result.stderr, f"{result}")


def ignored(context, backend):
    """What unifork inherits as ignored, as under nohup, its program inherits, too."""
    shell = [BUSYBOX, "sh", "-c", "trap '' HUP USR1; exec \"$@\"", "sh"]
    probe = [BUSYBOX, "sh", "-c", "grep SigIgn /proc/self/status; "
             "kill -HUP $$; busybox sh -c 'kill -USR1 $$; echo child'; echo alive; "
             "trap 'echo caught' HUP; kill -HUP $$"]
    native = context.run([*shell, *probe], timeout=20)
    result = context.run([*shell, context.unifork, "run", "-b", backend, "--", *probe], timeout=20)
    # glibc's own signals, 32 and 33, are left out: make leaves them ignored, but unifork has them.
    seen = [(int(line.split()[1], 16) & ~(3 << 31), rest)
            for line, _, rest in (run.stdout.partition(b"\n") for run in (native, result))]
    require(seen[0] == ((1 << 0) | (1 << 9), b"child\nalive\n"), tail(native))
    require(seen[0] == seen[1] and result.status == native.status, tail(result))
    family = Started(context, backend, [BUSYBOX, "sh", "-c", "echo ready; busybox sleep 100"],
                     before=shell)
    require(family.line() == b"ready\n", "not ready")
    family.process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    require(family.process.poll() is None, "an ignored SIGHUP ended the family")
    family.process.send_signal(signal.SIGTERM)
    family.end(15)


def killed(context, backend):
    family = Started(context, backend, [BUSYBOX, "sh", "-c",
                     "(while :; do :; done) & busybox sleep 100 | busybox cat & echo ready; wait"])
    require(family.line() == b"ready\n", "not ready")
    family.process.kill()
    status = family.end(5)
    require(status == 137, f"status {status}")


def command_line(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return text.rstrip(b"\0").decode(errors="replace")


def titles(context, backend):
    """ps on the host tells members apart: what they run, and nothing that a terminal obeys."""
    family = Started(context, backend, ["/usr/bin/perl", "-e",
                     "$| = 1; if (!fork) { my $n = qq(a\\e[31m\\nb); syscall(157, 15, $n); "
                     "exec qw(/bin/busybox sleep 100) if !fork; print qq(ready\\n); } sleep 100"])
    try:
        require(family.line() == b"ready\n", "not ready")
        wanted = {f"unifork: {what} of {family.process.pid}]"
                  for what in ("perl [pid 1", "a?[31m?b [pid 2", "busybox [pid 3")}
        deadline, seen = time.monotonic() + 30, set()
        while not wanted <= seen and time.monotonic() < deadline:
            seen = {command_line(pid) for pid in runs.marked_processes(family.mark)}
            time.sleep(0.05)
        require(wanted <= seen, f"{seen}")
    finally:
        family.process.send_signal(signal.SIGTERM)
        family.end()


def read_until(fd, wanted, seconds=TERMINAL_WAIT):
    text, deadline = b"", time.monotonic() + seconds
    while wanted not in text:
        ready, _, _ = select.select([fd], [], [], max(0, deadline - time.monotonic()))
        require(ready, f"{wanted!r} did not come: {text!r}")
        try:
            chunk = os.read(fd, 4096)
        except OSError:
            chunk = b""
        require(chunk, f"{wanted!r} did not come before the end: {text!r}")
        text += chunk
    return text


def terminal(context, backend):
    """A terminal: isatty, its size, and Ctrl-C, which reaches the group inside."""
    program = context.build / "tests" / "integration" / "terminal"
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))

    def take_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    family = Started(context, backend, [program], stdin=inner, stdout=inner, stderr=inner,
                     preexec_fn=take_terminal)
    os.close(inner)
    try:
        text = read_until(outer, b"ready")
        require(b"isatty: 1 1 1" in text, f"no terminal inside: {text!r}")
        require(b"size: 101 x 33" in text, f"wrong size: {text!r}")
        require(b"locked: 0\r" in text and b"lock ECHO: 0\r" in text
                and b"changed: echo 0 echok 1" in text, f"locked settings: {text!r}")
        os.write(outer, b"\x03")
        text = read_until(outer, b"parent: SIGINT")
        require(b"child: killed by SIGINT" in text, f"the child: {text!r}")
    finally:
        status = family.clean(family.process.wait() if family_ends(family) else None)
        os.close(outer)
    require(status == 0, f"status {status}")


def family_ends(family):
    try:
        family.process.wait(10 * family.scale)
        return True
    except subprocess.TimeoutExpired:
        return False


def job(context, backend):
    """A job of a shell: Ctrl-Z stops it, fg goes on with it, Ctrl-C ends it; a loop, too."""
    context.needs(backend)
    mark = runs.new_mark()
    pid, outer = pty.fork()
    if pid == 0:
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"],
                   {**runs.environment(mark), "PS1": "$ ", "TERM": "dumb"})
    family = (f"{context.unifork} run -b {backend} -- {BUSYBOX} sh -c 'while :; do busybox sleep "
              "0.1; n=$((n+1)); echo ti''ck$n; done'")
    try:
        os.write(outer, family.encode() + b"\n")
        for _ in range(3):
            read_until(outer, b"tick")
            os.write(outer, b"\x1a")
            read_until(outer, b"Stopped")
            os.write(outer, b"jobs; echo sta''te:$?\n")
            require(b"tick" not in read_until(outer, b"state:0").split(b"Stopped", 1)[-1],
                    "the family goes on")
            os.write(outer, b"fg\n")
        read_until(outer, b"tick")
        os.write(outer, b"\x03")
        os.write(outer, b"echo sta''tus:$?\n")
        read_until(outer, b"status:130")
        os.write(outer, b"while :; do " + family.encode() + b"; done\n")
        read_until(outer, b"tick2")
        os.write(outer, b"\x03")
        os.write(outer, b"echo lo''op:$?\n")
        read_until(outer, b"loop:130")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(outer)
    left = runs.wait_until_gone(mark)
    require(not left, f"left over: {left}")


def cases(context):
    once = [usage, help_and_version, automatic]
    every = [statuses, environment, streams, verbose, init, host_unchanged, terminated,
             terminated_twice, stop_timeout, stopped_twice, ended_by_signal, stats_to,
             working_directory, no_core_limit, caller_limits, in_family,
             closed_streams, ignored, killed,
             terminal, job, titles]

    def bound(check, backend):
        return lambda: check(context, backend)

    if not context.backends():
        return []
    return ([Case(f"integration/cli/{check.__name__}", bound(check, None)) for check in once]
            + [Case(f"integration/cli/{check.__name__}@{backend}", bound(check, backend))
               for check in every for backend in context.backends()])
