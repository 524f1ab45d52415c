#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Runs programs in an emulated Debian: its cloud kernel inside QEMU's TCG, which emulates SVM, so
that there is an ordinary kvm_amd; and its Landlock, cgroups and namespaces are what users have.

usage: run_svm.py [--unifork build/unifork] [--script FILE] [--file HOST:GUEST]... [PROGRAM...]

The guest boots from an initramfs with busybox, the KVM modules, unifork and the given static
programs. Each program runs first natively, then under `unifork run --backend kvm --` (or process),
as root or as an ordinary user; standard output and exit status must be equal. Without --unifork it
runs natively only. The guest reports on
a second serial port, lines that begin with BEGIN, RESULT, DATA, OUTPUT and END; the kernel's
console has the first. A test that takes too long is killed in the guest; if the guest itself ends
or says nothing for longer than its test may take, that test is `lost` and another guest boots for
the rest.

Prints JSON lines: {"kind": "result", "name", "status": "ok"|"fail"|"timeout"|"lost"|"missing",
...}, and a last line {"kind": "summary"} or, if this machine cannot run the guest, {"kind":
"unavailable", "reason"}. Exit status 0: all ok, 1: not, 77: unavailable. From Python: run(tests,
...) below.
"""

import argparse
import base64
import json
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

# pylint: disable=wrong-import-position
from image import Unavailable, build_initramfs, fetch_kernel

CACHE = HERE.parent.parent / "build/svm-cache"
EXIT_UNAVAILABLE = 77
BOOT_S = 120
# What a test may take in the guest besides the two runs that it bounds itself.
SLACK_S = 45


@dataclass
class Test:
    """One program. Its path is on this machine; in the guest it is /t/ with the same last name.

    kind "t": natively and in a family, outputs and statuses are equal. "hostile": only in a family;
    it must end with status 0, not print BROKEN, and leave every file of the guest as it was but
    those in /srv/volume. "script": a shell script that runs /bin/unifork itself as it likes and
    ends with status 0 without printing BROKEN. user: "root" or "user", who has a home, a cgroup of
    his own and a part of /srv/host (init.sh, run_head.sh). options: unifork's. program: what it is
    called in the family, if not the same.
    """
    name: str
    path: Path
    args: list = field(default_factory=list)
    limit_s: int = 60
    kind: str = "t"
    backend: str = "kvm"
    user: str = "root"
    options: tuple = ()
    program: str | None = None


@dataclass
class Machine:
    """What is the same for every boot."""
    unifork: Path | None = None
    unifork_args: tuple = ()
    files: tuple = ()
    script: str | None = None
    memory_mib: int = 2048
    cpus: int = 1
    kernel_args: str = ""
    cache: Path = CACHE

    def command(self, image, archive, console):
        qemu = shutil.which("qemu-system-x86_64")
        if not qemu:
            raise Unavailable("qemu-system-x86_64 is not installed")
        # Several processors take turns in one thread. With a thread for each QEMU has races of
        # its own: while another processor loads x87 state, it may lose a change of the first
        # one's virtual machine flags, because it clears IGNNE in the same word without a lock
        # (cpu_clear_ignne); the guest then runs on without nested paging, or the host with it.
        # The TSC is the emulator's and reliable, but only real processors say so. Without SMAP:
        # until QEMU 9.1 an iret that stays in user mode, as unifork's kernel makes them, reads its
        # stack as the supervisor, and where SMAP forbids that Linux meets a fault of its own.
        words = f"console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable {self.kernel_args}"
        return [qemu, "-nodefaults", "-no-user-config", "-machine", "q35",
                "-accel", "tcg,thread=single", "-cpu", "max,-smap", "-smp", str(self.cpus),
                "-m", str(self.memory_mib), "-display", "none", "-no-reboot",
                "-serial", f"file:{console}", "-serial", "stdio",
                "-kernel", str(image), "-initrd", str(archive), "-append", words.strip()]


class Boot:
    """One boot: yields the guest's events until it ends, is silent for too long, or time is up."""

    def __init__(self, machine, tests, deadline):
        self.machine, self.tests, self.deadline = machine, tests, deadline
        self.limits = {test.name: test.limit_s for test in tests}
        self.ended, self.current, self.console = False, None, []
        self._silence = BOOT_S

    def events(self):
        image, modules = fetch_kernel(Path(self.machine.cache))
        with tempfile.TemporaryDirectory(prefix="unifork-svm-") as name:
            folder = Path(name)
            archive = build_initramfs(folder, modules, self.tests, self.machine.unifork,
                                      self.machine.unifork_args, self.machine.files,
                                      self.machine.script)
            command = self.machine.command(image, archive, folder / "console")
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT) as process:
                try:
                    yield from self._parse(self._lines(process))
                finally:
                    process.kill()
            self.console = _tail(folder / "console")

    def _lines(self, process):
        lines = queue.Queue()

        def reader():
            for raw in process.stdout:
                lines.put(raw.decode(errors="replace").rstrip("\r\n"))
            lines.put(None)

        threading.Thread(target=reader, daemon=True).start()
        while not self.ended:
            left = min(self._silence, self.deadline - time.monotonic())
            try:
                line = lines.get(timeout=max(0.0, left))
            except queue.Empty:
                return
            if line is None:
                return
            yield line

    def _begin(self, name):
        self.current = name
        self._silence = 2 * self.limits.get(name, 60) + SLACK_S

    def _parse(self, lines):
        """DATA lines follow the RESULT they belong to."""
        pending = None
        for line in lines:
            word, _, rest = line.partition(" ")
            if word == "DATA" and pending:
                parts = line.split(" ")
                text = base64.b64decode(parts[3] if len(parts) > 3 else "")
                pending[parts[2]] = text.decode(errors="replace")
                continue
            if pending:
                yield pending
                pending = None
            if word == "BEGIN":
                self._begin(rest)
            elif word == "RESULT" and len(line.split()) >= 3:
                pending = _parse_result(line)
                self.current, self._silence = None, BOOT_S
            elif word == "OUTPUT":
                yield {"kind": "output", "line": rest}
            elif word == "END":
                self.ended = True
        if pending:
            yield pending


def _parse_result(line):
    _, name, status, *pairs = line.split()
    result = {"kind": "result", "name": name, "status": status}
    for pair in pairs:
        key, _, value = pair.partition("=")
        result[key] = int(value) if value.lstrip("-").isdigit() else value
    return result


def _tail(path, count=30):
    try:
        return path.read_text(errors="replace").splitlines()[-count:]
    except OSError:
        return []


def run(tests, timeout_s=600, **machine):
    """Boots the guest, runs the tests and yields one dict per event, while they happen.

    Events: "result" for each test (those that never ran end as "missing"), "output" for each line
    of script, at last "summary". Raises Unavailable before the first event if this machine cannot
    run the guest.
    """
    machine = Machine(**machine)
    tests = list(tests)
    start = time.monotonic()
    counts = {"passed": 0, "failed": 0, "boots": 0}
    remaining = tests
    while True:
        boot = Boot(machine, remaining, start + timeout_s)
        counts["boots"] += 1
        for event in boot.events():
            if event["kind"] == "result":
                remaining = [test for test in remaining if test.name != event["name"]]
                counts["passed" if event["status"] == "ok" else "failed"] += 1
            yield event
        if boot.ended or not boot.current or time.monotonic() >= start + timeout_s:
            break
        remaining = [test for test in remaining if test.name != boot.current]
        counts["failed"] += 1
        yield {"kind": "result", "name": boot.current, "status": "lost",
               "console": "\n".join(boot.console)}
    for test in remaining:
        yield {"kind": "result", "name": test.name, "status": "missing"}
    summary = {"kind": "summary", "ended": boot.ended, **counts, "missing": len(remaining),
               "seconds": round(time.monotonic() - start, 1)}
    if not boot.ended:
        summary["console"] = boot.console
    yield summary


def _arguments():
    parser = argparse.ArgumentParser(description="run programs on kvm_amd inside QEMU's TCG")
    parser.add_argument("programs", nargs="*", type=Path, help="static programs; names are unique")
    parser.add_argument("--unifork", type=Path, help="the executable; without it: natively only")
    parser.add_argument("--unifork-arg", action="append", default=[], metavar="ARG",
                        help="another argument of unifork run, as in --unifork-arg=-v")
    parser.add_argument("--script", type=Path, help="shell script to run after the tests")
    parser.add_argument("--file", action="append", default=[], metavar="HOST:GUEST",
                        help="copy a file into the guest")
    parser.add_argument("--limit", type=int, default=60, help="seconds for each program")
    parser.add_argument("--timeout", type=int, default=600, help="seconds for everything")
    parser.add_argument("--memory", type=int, default=2048, help="MiB")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--backend", choices=("kvm", "process"), default="kvm")
    parser.add_argument("--user", choices=("root", "user"), default="root")
    parser.add_argument("--kernel-args", default="", help="more for the kernel's command line")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where the kernel is unpacked")
    return parser.parse_args()


def main():
    arguments = _arguments()
    tests = [Test(path.name, path, limit_s=arguments.limit, backend=arguments.backend,
                  user=arguments.user) for path in arguments.programs]
    good = False
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and the machine ends with us
    try:
        for event in run(tests, timeout_s=arguments.timeout, unifork=arguments.unifork,
                         unifork_args=tuple(arguments.unifork_arg),
                         files=tuple(tuple(pair.split(":", 1)) for pair in arguments.file),
                         script=arguments.script.read_text() if arguments.script else None,
                         memory_mib=arguments.memory, cpus=arguments.cpus,
                         kernel_args=arguments.kernel_args, cache=arguments.cache):
            print(json.dumps(event), flush=True)
            if event["kind"] == "summary":
                good = event["ended"] and not event["failed"] and not event["missing"]
    except Unavailable as reason:
        print(json.dumps({"kind": "unavailable", "reason": str(reason)}), flush=True)
        return EXIT_UNAVAILABLE
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
