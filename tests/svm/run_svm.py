#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Runs programs on ordinary kvm_amd: Debian's cloud kernel inside QEMU's TCG, which emulates SVM.

usage: run_svm.py [--mitos build/mitos] [--script FILE] [--file HOST:GUEST]... [PROGRAM...]

The guest boots from an initramfs with busybox, the KVM modules, mitos and the given static
programs. Each program runs first natively, then under `mitos run --backend kvm --`; standard output
and exit status must be equal. Without --mitos it runs natively only. The guest reports on a second
serial port, lines that begin with RESULT, DATA, OUTPUT and END; the kernel's console has the first.

Prints JSON lines: {"kind": "result", "name", "status": "ok"|"fail"|"timeout"|"missing", ...}, and a
last line {"kind": "summary"} or, if this machine cannot run the guest, {"kind": "unavailable",
"reason"}. Exit status 0: all ok, 1: not, 77: unavailable. From Python: run(tests, ...) below.
"""

import argparse
import base64
import fcntl
import json
import os
import queue
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / "build/svm-cache"
KERNEL_PACKAGE = "linux-image-cloud-amd64"
MODULES = ("irqbypass", "kvm", "kvm-amd")
EXIT_UNAVAILABLE = 77


class Unavailable(Exception):
    """This machine cannot run the guest; the text is the reason."""


@dataclass
class Test:
    """One program. Its path is on this machine; in the guest it is /t/NAME."""
    name: str
    path: Path
    args: list = field(default_factory=list)
    limit_s: int = 60


# --- the guest kernel ---------------------------------------------------------------------------

def _apt(command, **kwargs):
    return subprocess.run(command, capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
                          **kwargs)


def _download_kernel(folder):
    """Downloads the package that KERNEL_PACKAGE stands for into folder; its path or None."""
    depends = _apt(["apt-cache", "depends", KERNEL_PACKAGE]).stdout
    for line in depends.splitlines():
        word, _, package = line.strip().partition(": ")
        if word == "Depends" and package.startswith("linux-image-"):
            _apt(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package],
                 cwd=folder)
            return next(folder.glob("*.deb"), None)
    return None


def _unpack_kernel(package, folder):
    """Leaves in folder what the guest needs of the package: the kernel and MODULES."""
    everything = folder.with_name("everything")
    subprocess.run(["dpkg-deb", "-x", package, everything], check=True)
    folder.mkdir()
    wanted = [next(everything.glob("boot/vmlinuz-*"), None)]
    wanted += [next(everything.rglob(f"{name}.ko"), None) for name in MODULES]
    if None in wanted:
        raise Unavailable(f"{package.name} lacks vmlinuz or a module of {', '.join(MODULES)}")
    for path in wanted:
        shutil.copy(path, folder)


def fetch_kernel(cache=CACHE):
    """Unpacks the kernel package into cache unless it is there; returns (vmlinuz, [modules])."""
    tree = cache / "kernel"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.is_dir():
            if not shutil.which("apt-get"):
                raise Unavailable("no apt-get to download Debian's cloud kernel with")
            with tempfile.TemporaryDirectory(dir=cache) as name:
                folder = Path(name)
                package = _download_kernel(folder)
                if package is None and os.geteuid() == 0:
                    _apt(["apt-get", "-q", "update"])
                    package = _download_kernel(folder)
                if package is None:
                    raise Unavailable(f"apt-get cannot download {KERNEL_PACKAGE} "
                                      "(no network, or apt-get update is needed)")
                _unpack_kernel(package, folder / "kernel")
                (folder / "kernel").rename(tree)
    return next(tree.glob("vmlinuz-*")), [tree / f"{name}.ko" for name in MODULES]


# --- the guest's file system --------------------------------------------------------------------

INIT = r"""#!/bin/busybox sh
/bin/busybox mkdir -p /bin /sbin /usr/bin /usr/sbin
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ TERM=dumb
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /tmp /run
mount -t devpts pts /dev/pts
mount -t tmpfs tmp /dev/shm
mount -t tmpfs tmp /tmp
ln -sf /proc/self/fd /dev/fd
ip link set lo up
stty -F /dev/ttyS1 raw -echo
exec 3>/dev/ttyS1 </dev/null
for module in %(modules)s; do insmod /m/$module.ko || echo "OUTPUT insmod $module failed" >&3; done
. /run.sh
echo END >&3
sleep 0.2
poweroff -f
"""

# The functions that run.sh uses: one call of `t` for each test.
RUN_HEAD = r"""
uptime_ms() { read up rest </proc/uptime; echo "${up%.*}${up#*.}0"; }
data() { echo "DATA $1 $2 $(head -c 6000 "$3" | base64 | tr -d '\n')" >&3; }
report() {  # a script may print results of its own
    while IFS= read -r line; do
        case $line in RESULT\ *|DATA\ *) echo "$line" ;; *) echo "OUTPUT $line" ;; esac
    done
}
run() {  # directory for the results, seconds, command: leaves $status and $ms
    dir=$1 limit=$2; shift 2
    rm -rf /tmp/* "$dir"; mkdir -p "$dir"; cd /tmp
    begin=$(uptime_ms)
    timeout -s KILL "$limit" "$@" >"$dir/out" 2>"$dir/err" </dev/null 3>&-
    status=$?
    ms=$(($(uptime_ms) - begin))
    cd /
}
t() {  # name, seconds, program, arguments
    name=$1 limit=$2; shift 2
    run /r/native "$limit" "$@"
    native=$status native_ms=$ms
    if [ -z "$MITOS" ]; then
        verdict=ok; [ "$native_ms" -lt "${limit}000" ] || verdict=timeout
        echo "RESULT $name $verdict native=$native native_ms=$native_ms" >&3
        data "$name" native_out /r/native/out
        [ -s /r/native/err ] && data "$name" native_err /r/native/err
        return
    fi
    run /r/mitos "$limit" $MITOS "$@"
    verdict=ok
    cmp -s /r/native/out /r/mitos/out && [ "$native" = "$status" ] || verdict=fail
    [ "$ms" -lt "${limit}000" ] || verdict=timeout
    left=$(pidof mitos | wc -w)
    [ "$left" = 0 ] || { sleep 1; left=$(pidof mitos | wc -w); }
    if [ "$left" != 0 ]; then
        [ $verdict = ok ] && verdict=fail
        kill -9 $(pidof mitos)
    fi
    echo "RESULT $name $verdict native=$native mitos=$status native_ms=$native_ms" \
        "mitos_ms=$ms left=$left" >&3
    if [ $verdict != ok ]; then
        for side in native mitos; do
            for stream in out err; do data "$name" ${side}_$stream /r/$side/$stream; done
        done
    fi
}
"""


def _write(path, text):
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def _run_script(tests, mitos_command, script):
    lines = [RUN_HEAD, f"MITOS={shlex.quote(mitos_command)}"]
    for test in tests:
        words = [test.name, str(test.limit_s), f"/t/{test.name}", *map(str, test.args)]
        lines.append("t " + " ".join(map(shlex.quote, words)))
    if script:
        lines.append("sh /script 2>&1 </dev/null 3>&- | report >&3")
    return "\n".join(lines) + "\n"


def build_initramfs(folder, modules, tests, mitos=None, mitos_args=(), files=(), script=None):
    """Builds the guest's file system below folder; returns the path of the cpio archive."""
    busybox = shutil.which("busybox")
    if not busybox or not shutil.which("cpio"):
        raise Unavailable("busybox-static or cpio is not installed")
    tree = folder / "tree"
    for name in ("bin", "dev", "proc", "sys", "tmp", "m", "t", "r"):
        (tree / name).mkdir(parents=True)
    shutil.copy(busybox, tree / "bin/busybox")
    for module in modules:
        shutil.copy(module, tree / "m")
    for test in tests:
        shutil.copy(test.path, tree / "t" / test.name)
    mitos_command = ""
    if mitos:
        shutil.copy(mitos, tree / "bin/mitos")
        words = ["/bin/mitos", "run", "--backend", "kvm", *mitos_args, "--"]
        mitos_command = " ".join(words)
    for source, target in files:
        (tree / target.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tree / target.lstrip("/"))
    if script:
        _write(tree / "script", script)
    _write(tree / "init", INIT % {"modules": " ".join(MODULES)})
    _write(tree / "run.sh", _run_script(tests, mitos_command, script))
    archive = folder / "initramfs.cpio"
    names = subprocess.run(["find", ".", "-print0"], cwd=tree, check=True, capture_output=True)
    with open(archive, "wb") as output:
        subprocess.run(["cpio", "-o", "-0", "-H", "newc", "--quiet", "-R", "0:0"], cwd=tree,
                       check=True, input=names.stdout, stdout=output)
    return archive


# --- the virtual machine ------------------------------------------------------------------------

def _qemu_command(image, archive, console, memory_mib, cpus):
    qemu = shutil.which("qemu-system-x86_64")
    if not qemu:
        raise Unavailable("qemu-system-x86_64 is not installed")
    return [qemu, "-nodefaults", "-no-user-config", "-machine", "q35", "-accel", "tcg",
            "-cpu", "max", "-smp", str(cpus), "-m", str(memory_mib), "-display", "none",
            "-no-reboot", "-serial", f"file:{console}", "-serial", "stdio",
            "-kernel", str(image), "-initrd", str(archive),
            "-append", "console=ttyS0 quiet panic=-1 mitigations=off"]


def _lines_of(process, deadline):
    """Yields the guest's lines until it ends or the deadline (time.monotonic) has passed."""
    lines = queue.Queue()

    def reader():
        for raw in process.stdout:
            lines.put(raw.decode(errors="replace").rstrip("\r\n"))
        lines.put(None)

    threading.Thread(target=reader, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return
        if line is None:
            return
        yield line


def _parse_result(line):
    _, name, status, *pairs = line.split()
    result = {"kind": "result", "name": name, "status": status}
    for pair in pairs:
        key, _, value = pair.partition("=")
        result[key] = int(value) if value.lstrip("-").isdigit() else value
    return result


def _parse_lines(lines):
    """Turns the guest's lines into events; DATA lines follow the RESULT they belong to."""
    pending = None
    for line in lines:
        word = line.partition(" ")[0]
        if word == "DATA" and pending:
            parts = line.split(" ")
            text = base64.b64decode(parts[3] if len(parts) > 3 else "")
            pending[parts[2]] = text.decode(errors="replace")
            continue
        if pending:
            yield pending
            pending = None
        if word == "RESULT" and len(line.split()) >= 3:
            pending = _parse_result(line)
        elif word == "OUTPUT":
            yield {"kind": "output", "line": line[len("OUTPUT "):]}
        elif word == "END":
            yield {"kind": "end"}
    if pending:
        yield pending


def _tail(path, count=30):
    try:
        return path.read_text(errors="replace").splitlines()[-count:]
    except OSError:
        return []


def run(tests, mitos=None, mitos_args=(), files=(), script=None, timeout_s=600, memory_mib=1024,
        cpus=1, cache=CACHE):
    """Boots the guest, runs the tests and yields one dict per event, while they happen.

    Events: "result" for each test (those that never ran end as "missing"), "output" for each line
    of script, at last "summary". Raises Unavailable before the first event if this machine cannot
    run the guest.
    """
    tests = list(tests)
    image, modules = fetch_kernel(Path(cache))
    with tempfile.TemporaryDirectory(prefix="mitos-svm-") as name:
        folder = Path(name)
        console = folder / "console"
        archive = build_initramfs(folder, modules, tests, mitos, mitos_args, files, script)
        command = _qemu_command(image, archive, console, memory_mib, cpus)
        start = time.monotonic()
        missing = {test.name for test in tests}
        failed, ended = 0, False
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as process:
            try:
                for event in _parse_lines(_lines_of(process, start + timeout_s)):
                    if event["kind"] == "end":
                        ended = True
                        break
                    if event["kind"] == "result":
                        missing.discard(event["name"])
                        failed += event["status"] != "ok"
                    yield event
            finally:
                process.kill()
        for lost in [test.name for test in tests if test.name in missing]:
            yield {"kind": "result", "name": lost, "status": "missing"}
        summary = {"kind": "summary", "ended": ended, "failed": failed, "missing": len(missing),
                   "passed": len(tests) - failed - len(missing),
                   "seconds": round(time.monotonic() - start, 1)}
        if not ended or missing:
            summary["console"] = _tail(console)
        yield summary


def _arguments():
    parser = argparse.ArgumentParser(description="run programs on kvm_amd inside QEMU's TCG")
    parser.add_argument("programs", nargs="*", type=Path, help="static programs; names are unique")
    parser.add_argument("--mitos", type=Path, help="the executable; without it: natively only")
    parser.add_argument("--mitos-arg", action="append", default=[], metavar="ARG",
                        help="another argument of mitos run, as in --mitos-arg=-v")
    parser.add_argument("--script", type=Path, help="shell script to run after the tests")
    parser.add_argument("--file", action="append", default=[], metavar="HOST:GUEST",
                        help="copy a file into the guest")
    parser.add_argument("--limit", type=int, default=60, help="seconds for each program")
    parser.add_argument("--timeout", type=int, default=600, help="seconds for everything")
    parser.add_argument("--memory", type=int, default=1024, help="MiB")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=CACHE, help="where the kernel is unpacked")
    return parser.parse_args()


def main():
    arguments = _arguments()
    tests = [Test(path.name, path, limit_s=arguments.limit) for path in arguments.programs]
    good = False
    try:
        for event in run(tests, mitos=arguments.mitos, mitos_args=arguments.mitos_arg,
                         files=[tuple(pair.split(":", 1)) for pair in arguments.file],
                         script=arguments.script.read_text() if arguments.script else None,
                         timeout_s=arguments.timeout, memory_mib=arguments.memory,
                         cpus=arguments.cpus, cache=arguments.cache):
            print(json.dumps(event), flush=True)
            if event["kind"] == "summary":
                good = event["ended"] and not event["failed"] and not event["missing"]
    except Unavailable as reason:
        print(json.dumps({"kind": "unavailable", "reason": str(reason)}), flush=True)
        return EXIT_UNAVAILABLE
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
