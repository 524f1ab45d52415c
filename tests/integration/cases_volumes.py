# SPDX-License-Identifier: ISC
"""Volumes: host directories shared with a family. The same programs natively and on one."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from harness import guests, runs
from harness.cases import Case, Skipped, diff, require, tail

BUSYBOX = "/bin/busybox"
# Guests whose working directory is below /tmp, which then is a volume.
ON_VOLUME = ("files_at", "files_basic", "files_dirs", "files_held", "files_links", "files_locks",
             "files_owner", "files_random", "files_shared_map", "files_shared_offset",
             "files_passed", "files_tmpfile", "inotify", "memory_file", "exec_busy", "exec_errors",
             "exec_script", "pipe_fifo", "signal_calls", "signal_fault", "sync_mutex",
             "unix_stream")


class Folder:
    """A fresh directory of the host, not in /tmp, which some cases hide."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="unifork-volume-", dir="/var/tmp"))
        return self.path

    def __exit__(self, *unused):
        shutil.rmtree(self.path, ignore_errors=True)


def guest_on_volume(context, backend, guest):
    def check():
        native = context.oracle([guest.binary(context.build), *guest.args], guest.timeout)
        with Folder() as folder:
            folder.chmod(0o1777)
            shutil.copy(guest.binary(context.build), folder / guest.name)
            result = context.in_family(backend, [f"/tmp/{guest.name}", *guest.args],
                                       options=["-v", f"{folder}:/tmp"], timeout=guest.timeout)
            require(result.stdout == native.stdout,
                    diff(native.stdout, result.stdout, "native", "on a volume"))
            require(result.status == native.status, f"status {result.status}\n{tail(result)}")
            left = sorted(p.name for p in folder.iterdir() if p.name != guest.name)
            require(not left, f"left behind on the volume: {left}")
    return check


def shared(context, backend):
    """What the family does is on the host, and the other way round, names and modes included."""
    def check():
        with Folder() as folder:
            (folder / "given").write_text("from the host\n", encoding="utf-8")
            script = ("cat /v/w/given; cd /v/w; mkdir -p a/b; echo text > a/b/file; "
                      "chmod 640 a/b/file; ln -s ../given a/link; cat a/link; mkfifo a/pipe; "
                      "ln a/b/file hard; "
                      "touch -d '2001-02-03 04:05:06' given; mv a/b/file renamed; "
                      "truncate -s 5000 renamed; sync; mv /v/w/renamed /elsewhere; "
                      "test -e renamed || wc -c < /elsewhere; pwd; ls")
            result = context.in_family(backend, [BUSYBOX, "sh", "-c", script],
                                       options=["--volume", f"{folder}:/v/w/"])
            require(result.stdout == b"from the host\nfrom the host\n5000\n/v/w\na\ngiven\nhard\n",
                    tail(result))
            info = (folder / "hard").stat()
            require((info.st_mode & 0o7777, info.st_size, info.st_nlink) == (0o640, 5000, 1),
                    f"hard: {info}")
            require(os.readlink(folder / "a" / "link") == "../given", "the link differs")
            require((folder / "a" / "pipe").is_fifo(), "no FIFO")
            require(abs((folder / "given").stat().st_mtime - 981173106) < 86400, "mtime")
            require(not pathlib.Path("/elsewhere").exists() and not pathlib.Path("/v").exists(),
                    "the host's root changed")
    return check


def read_only(context, backend):
    def check():
        with Folder() as folder:
            (folder / "file").write_text("x\n", encoding="utf-8")
            before = sorted(os.listdir(folder)), (folder / "file").stat().st_mtime_ns
            script = ("cd /v; cat file; for c in 'touch new' 'rm file' 'mkdir d' 'mv file g' "
                      "'ln file g' 'ln -s file g' 'chmod 600 file' 'touch file' "
                      "'truncate -s 0 file' 'mkfifo p' 'cp /bin/busybox file'; do "
                      "$c 2>&1 | sed 's/.*: //'; done; "
                      "echo y 2>/dev/null > file || echo refused")
            result = context.in_family(backend, [BUSYBOX, "sh", "-c", script],
                                       options=["-v", f"{folder}:/v:ro"])
            lines = result.stdout.decode().splitlines()
            require(lines == ["x"] + ["Read-only file system"] * 11 + ["refused"], tail(result))
            after = sorted(os.listdir(folder)), (folder / "file").stat().st_mtime_ns
            require(before == after, f"{before} became {after}")
    return check


def read_only_calls(context, backend):
    """Every call answers as on a bind mount of Linux that may only be read."""
    def check():
        program = context.build / "tests" / "integration" / "read_only"
        with Folder() as folder:
            for name, mode in ("file", 0o644), ("open", 0o666):
                (folder / name).write_text(name, encoding="utf-8")
                (folder / name).chmod(mode)
            (folder / "dir").mkdir()
            (folder / "link").symlink_to("file")
            os.mkfifo(folder / "fifo")
            (folder / "fifo").chmod(0o666)
            folder.chmod(0o777)
            script = (f"mount --bind {folder} {folder} 2>/dev/null && "
                      f"mount -o remount,bind,ro {folder} || exit 77; exec {program} {folder}")
            native = context.run(["unshare", "-m", "sh", "-c", script])
            if native.status in (1, 77) and not native.stdout:
                raise Skipped("no right to make a mount that may only be read")
            result = context.in_family(backend, [program, "/v"], options=["-v", f"{folder}:/v:ro"])
            require(result.stdout == native.stdout,
                    diff(native.stdout, result.stdout, "native", "on a volume"))
            require(result.status == native.status == 0, f"status {result.status}")
    return check


def wrong_options(context, backend):
    with Folder() as folder:
        file = folder / "file"
        file.write_text("", encoding="utf-8")
        for options in ([f"{folder}/missing:/v"], [f"{file}:/v", "--volume", f"{file}:/v"],
                        [f"{folder}:v"], [f"{folder}"],
                        [f"{folder}:/v:wo"], [f"{folder}:/"], [f"{folder}:/proc/x"], ["/proc:/v"],
                        [f"{folder}:/a/../b"], [f"{folder}:/v", "--volume", f"{folder}:/v/."],
                        [f"{folder}:/v", "--volume", f"{folder}:/v/w"], [":/v"]):
            result = context.run([context.unifork, "run", "--volume", *options, "--", BUSYBOX,
                                  "true"])
            require(result.status in (100, 111), f"{options}: {tail(result)}")
            lines = result.stderr.decode().strip().splitlines()
            require(len(lines) == 1 and "volume" in lines[-1], f"{options}: {lines}")


def appenders(context, backend):
    """Members and a program of the host append to one file: every line is there, and whole."""
    def check():
        with Folder() as folder:
            line = "x" * 60
            script = (f"for m in 1 2 3; do (i=0; while [ $i -lt 200 ]; do echo $m {line} >>/v/log; "
                      "i=$((i+1)); done) & done; wait; echo done")
            host = subprocess.Popen([BUSYBOX, "sh", "-c",
                                     f"i=0; while [ $i -lt 200 ]; do echo 0 {line} >>{folder}/log; "
                                     "i=$((i+1)); done"])
            try:
                result = context.in_family(backend, [BUSYBOX, "sh", "-c", script], timeout=60,
                                           options=["-v", f"{folder}:/v"])
            finally:
                host.wait(60)
            require(result.stdout == b"done\n", tail(result))
            lines = (folder / "log").read_text(encoding="utf-8").splitlines()
            counts = [lines.count(f"{m} {line}") for m in range(4)]
            require(counts == [200] * 4 and len(lines) == 800, f"{counts} of {len(lines)} lines")
    return check


def full_disk(context, backend):
    """A volume on a small tmpfs: ENOSPC where the host says it, and it can be used afterwards."""
    def check():
        with Folder() as folder:
            script = (f"mount -t tmpfs -o size=1m none {folder} 2>/dev/null || exit 77; "
                      f"exec {context.unifork} run -b {backend} -v {folder}:/v -- {BUSYBOX} sh -c "
                      "'dd if=/dev/zero of=/v/big bs=64k count=32 2>/dev/null; echo $?; "
                      "rm /v/big; echo fits > /v/small && cat /v/small'")
            result = context.run(["unshare", "-m", "sh", "-c", script])
            if result.status in (1, 77):
                raise Skipped("no right to mount a tmpfs")
            require(result.stdout == b"1\nfits\n", tail(result))
    return check


def kept_space(context, backend):
    """Files without a name that were passed on give their space back."""
    def check():
        guest = next(g for g in guests.guests("guest") if g.name == "files_passed")
        with Folder() as folder:
            script = (f"mount -t tmpfs -o size=3m,mode=1777 none {folder} 2>/dev/null || exit 77; "
                      f"cp {guest.binary(context.build)} {folder}; "
                      f"exec {context.unifork} run -b {backend} -v {folder}:/tmp "
                      f"-- /tmp/{guest.name}")
            result = context.run(["unshare", "-m", "sh", "-c", script], timeout=60)
            if result.status in (1, 77) and not result.stdout:
                raise Skipped("no right to mount a tmpfs")
            require(result.stdout.endswith(b"many: 0 wrong\n") and result.status == 0,
                    tail(result))
    return check


def held_many(context, backend):
    """Many files without a name: none is lost, what does not fit is refused."""
    def check():
        with Folder() as folder:
            result = context.in_family(backend, [context.build / "tests/integration/held_many",
                                                 "/v"],
                                       options=("-v", f"{folder}:/v"), timeout=60)
            require(result.status == 0, tail(result))
    return check


def attributes(context, backend):
    """Extended attributes are refused, not lost later."""
    def check():
        program = context.build / "tests" / "integration" / "attributes"
        with Folder() as folder:
            result = context.in_family(backend, [program, "/v"], options=["-v", f"{folder}:/v"])
            require(result.stdout == b"set: EOPNOTSUPP\nset by descriptor: EOPNOTSUPP\n"
                    b"get: EOPNOTSUPP\nlist: 0\nremove: EOPNOTSUPP\n", tail(result))
    return check


def killed(context, backend):
    """A member that writes is killed from outside; the family and the volume go on."""
    def check():
        context.needs(backend)
        with Folder() as folder:
            script = ("(while :; do echo x >> /v/a; mv /v/a /v/b; mv /v/b /v/a; chmod 600 /v/a; "
                      "done) 2>/dev/null & echo ready; wait $!; echo $?; rm -f /v/a /v/b; "
                      "echo y > /v/c; ls /v")
            for _ in range(5):
                family = subprocess.Popen([context.unifork, "run", "-b", backend,
                                           "-v", f"{folder}:/v", "--", BUSYBOX, "sh", "-c", script],
                                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                try:
                    require(family.stdout.readline() == b"ready\n", "not ready")
                    end = time.monotonic() + 20
                    while not (folder / "a").exists() and not (folder / "b").exists():
                        require(time.monotonic() < end, "nothing was written")
                    os.kill(runs.children(runs.supervisor(family.pid))[1], 9)
                    out = family.communicate(timeout=30 * context.scale)[0]
                finally:
                    family.kill()
                    family.wait()
                require(out == b"137\nc\n", f"{out!r}")
                (folder / "c").unlink()
    return check


def other_user(context, backend):
    """Run by an ordinary user the host's permissions hold."""
    def check():
        if os.getuid() != 0:
            raise Skipped("needs root to become another user")
        with Folder() as folder:
            own, foreign = folder / "own", folder / "foreign"
            own.mkdir()
            foreign.mkdir()
            os.chown(own, 12345, 12345)
            (foreign / "file").write_text("", encoding="utf-8")
            script = ("id -u; echo x > /v/own/f && stat -c %u /v/own/f; chmod 600 /v/own/f && "
                      "stat -c %a /v/own/f; echo x > /v/foreign/f || echo refused; "
                      "chmod 777 /v/foreign/file || echo refused; "
                      "rm /v/foreign/file || echo refused")
            command = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups",
                       context.unifork, "run", "-b", backend, "-v", f"{folder}:/v", "--",
                       BUSYBOX, "sh", "-c", script]
            folder.chmod(0o755)
            result = context.run(command)
            if b"/dev/kvm" in result.stderr:
                raise Skipped("an ordinary user may not open /dev/kvm here")
            require(result.stdout == b"12345\n12345\n600\n" + 3 * b"refused\n", tail(result))
    return check


def cases(context):
    found = [Case("integration/volume_options", lambda: wrong_options(context, None))]
    on_volume = [g for g in guests.guests("guest") if g.name in ON_VOLUME]
    for backend in context.backends():
        found += [Case(f"integration/volume.{g.name}@{backend}",
                       guest_on_volume(context, backend, g)) for g in on_volume]
        for name in (shared, read_only, read_only_calls, appenders, full_disk, kept_space,
                     held_many, attributes, killed, other_user):
            found.append(Case(f"integration/volume_{name.__name__}@{backend}",
                              name(context, backend)))
    return found
