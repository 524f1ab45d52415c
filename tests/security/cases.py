# SPDX-License-Identifier: ISC
"""Hostile guests: each gets an error or dies, and the host stays as it was. Never run natively."""

import os
import pathlib
import shutil
import signal
import socket
import tempfile
import time

from harness import guests, runs
from harness.cases import Case, require, tail
from integration.cases_cli import Started

BUSYBOX = "/bin/busybox"
# Guests that have cases of their own, here and in cases_reach.py.
SPECIAL = ("filter", "processor", "volume", "hypercalls", "monitors", "limits", "reach", "kill_any",
           "survivor", "landlock_abi", "busy", "starting",
           "ended", "residue", "sockets", "lingering", "buffers", "handed")
# cap_dac_override and cap_dac_read_search at most: what reading --root needs.
READING_CAPABILITIES = (1 << 1) | (1 << 2)


def hostile(context, backend, guest):
    outside = [str(pid) for pid in (os.getpid(), os.getppid()) if pid > 1] # 1 is inside, too
    arguments = outside if guest.name == "calls" else []

    def check():
        result = context.in_family(backend, [guest.binary(context.build), *arguments],
                                   timeout=guest.timeout)
        require(b"BROKEN" not in result.stdout, tail(result))
        # A member may be ended with a clear message, but never the tests' own parent process.
        require(result.status == 0, f"status {result.status}\n{tail(result)}")
    return check


def host_files(context, backend):
    """A family writes to host files in every way there is; none changes."""
    def check():
        with tempfile.TemporaryDirectory(prefix="unifork-host-", dir="/var/tmp") as folder:
            victim = pathlib.Path(folder, "victim")
            victim.write_text("host's own\n", encoding="utf-8")
            before = victim.stat()
            script = (f"echo x > {victim}; echo x >> {victim}; busybox chmod 777 {victim}; "
                      f"busybox touch {victim}; busybox ln {victim} {folder}/hard; "
                      f"busybox mv {victim} {folder}/moved; busybox rm -f {victim} {folder}/moved; "
                      f"busybox mkdir {folder}/new; busybox truncate -s 0 {victim}; echo done")
            result = context.in_family(backend, [BUSYBOX, "sh", "-c", script])
            require(b"done" in result.stdout, tail(result))
            after = victim.stat()
            require(os.listdir(folder) == ["victim"], f"names: {os.listdir(folder)}")
            require(victim.read_text(encoding="utf-8") == "host's own\n", "the content changed")
            require((before.st_mode, before.st_mtime_ns, before.st_nlink)
                    == (after.st_mode, after.st_mtime_ns, after.st_nlink), "its state changed")
    return check


def hostile_volume(context, backend):
    """A guest calls the host past its monitor's checks, in a family that may write a volume."""
    def check():
        with tempfile.TemporaryDirectory(prefix="unifork-host-", dir="/var/tmp") as folder:
            outside, volume = pathlib.Path(folder, "outside"), pathlib.Path(folder, "volume")
            for path in (outside, volume, outside / "empty"):
                path.mkdir()
            (outside / "file").write_text("host's own\n", encoding="utf-8")
            before = (outside / "file").stat()
            guest = context.build / "tests/security/volume"
            result = context.in_family(backend, [guest, outside],
                                       options=["-v", f"{volume}:/v"], timeout=60)
            require(b"BROKEN" not in result.stdout and result.status == 0, tail(result))
            require(b"held" in result.stdout or backend == "kvm", tail(result))
            after = (outside / "file").stat()
            require(sorted(os.listdir(outside)) == ["empty", "file"], str(os.listdir(outside)))
            require(before == after, f"{before} became {after}")
            require(os.listdir(volume) == ["own"], str(os.listdir(volume)))
    return check


def hostile_arguments(context, backend):
    """A guest makes its monitor's host calls with arguments of its own."""
    def check():
        with tempfile.TemporaryDirectory(prefix="unifork-host-", dir="/var/tmp") as folder:
            fifo = pathlib.Path(folder, "fifo")
            os.mkfifo(fifo)
            # Held open for both, so that the secret waits for the first reader.
            end = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
            try:
                os.write(end, b"for a service of the host")
                result = context.in_family(backend, [context.build / "tests/security/filter", fifo],
                                           timeout=120)
                require(b"BROKEN" not in result.stdout and result.status == 0, tail(result))
                require(b"held" in result.stdout or backend == "kvm", tail(result))
                require(os.read(end, 99) == b"for a service of the host", "it was read")
            finally:
                os.close(end)
    return check


def starting_monitors(context, backend):
    """What the supervisor and its caller have open is not got from a monitor that starts."""
    program = context.build / "tests/security/starting"

    def check():
        context.needs(backend)
        with tempfile.TemporaryDirectory(prefix="unifork-host-", dir="/var/tmp") as folder:
            secret, volume = pathlib.Path(folder, "secret"), pathlib.Path(folder, "volume")
            volume.mkdir()
            secret.write_text("host's own\n", encoding="utf-8")
            result = context.run(
                ["sh", "-c", 'exec 9<>"$0"; exec "$@"', secret, context.unifork, "run", "-b",
                 backend, "--stats", f"{folder}/stats", "-v", f"{volume}:/v", "--", program],
                timeout=120)
            require(b"BROKEN" not in result.stdout and b"held" in result.stdout, tail(result))
            require(result.status == 0, tail(result))
    return check


def ended(context, backend):
    """No wait status that a guest makes up stops the process that reports it."""
    program = context.build / "tests/security/ended"

    def check():
        for status in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU,
                       signal.SIGCONT, 126):
            result = context.in_family(backend, [program, str(int(status))])
            require(result.status == 128 + status, f"{status}: {result.status}\n{tail(result)}")
    return check


def residue(context, backend):
    """A guest that reads its monitor's memory finds no environment of the host's there."""
    program = context.build / "tests/security/residue"

    def check():
        result = context.in_family(backend, [program], options=["-e", "GIVEN"], timeout=60,
                                   env={"GIVEN": "given away", "OF_THE_HOST": "a secret of it"})
        require(b"all of it" in result.stdout or backend == "kvm", tail(result))
        require(b"given away" in result.stdout or backend == "kvm", "it was not looked at")
        for word in (b"OF_THE_HOST", b"a secret of it"):
            require(word not in result.stdout, f"{word} is there")
        require(result.status == 0, f"status {result.status}")
    return check


def sockets(context, kind):
    """A guest that enters the host past its monitor makes only the sockets that were granted."""
    program = context.build / "tests/security/sockets"

    def check():
        context.needs("process")
        with socket.create_server(("127.0.0.1", 0)) as listener, \
                socket.create_server(("127.0.0.1", 0)) as other:
            listener.setblocking(False)
            free = other.getsockname()[1]
            other.close()
            options = {"none": [], "published": ["-p", f"127.0.0.1:{free}:80"],
                       "net": ["--net", "host"]}[kind]
            result = context.in_family("process", [program, kind, listener.getsockname()[1]],
                                       options=options, timeout=60)
            require(b"BROKEN" not in result.stdout and result.status == 0, tail(result))
            require(result.stdout.count(b": held") == (39 if kind == "net" else 43), tail(result))
            try:
                listener.accept()
            except BlockingIOError:
                return
            require(False, "it connected to the host")
    return check


def odd_passwd(context):
    """What lies below --root in the place of the files that name users is not waited for."""
    def check():
        context.needs("process")
        with tempfile.TemporaryDirectory(prefix="unifork-root-", dir="/var/tmp") as folder:
            root = pathlib.Path(folder)
            root.chmod(0o755)
            (root / "bin").mkdir()
            (root / "etc").mkdir()
            shutil.copy(BUSYBOX, root / "bin" / "busybox")
            for name in ("passwd", "group"):
                os.mkfifo(root / "etc" / name)
            options = ["--root", root, "--user"]
            for user in ("7", "7:8", "7:crew"):
                result = context.in_family("process", ["/bin/busybox", "echo", "7"],
                                           options=[*options, user])
                known = user != "7:crew"
                require(result.status == (0 if known else 100), tail(result))
                require(result.stdout == (b"7\n" if known else b""), tail(result))
            for name in ("passwd", "group"):
                (root / "etc" / name).unlink()
                with open(root / "etc" / name, "wb") as file:
                    file.truncate(1 << 40)
            result = context.in_family("process", ["/bin/busybox", "echo", "7"],
                                       options=[*options, "7"])
            require(result.stdout == b"7\n", tail(result))
    return check


def processor(context, backend):
    """What CPUID shows to a guest, but for bits that the KVM here adds to what it is told."""
    program = context.build / "tests/security/processor"

    def check():
        context.needs(backend)
        added = []
        if backend == "kvm":
            asked = context.run([program, "--added"])
            require(asked.status == 0, tail(asked))
            added = asked.stdout.decode().split()
        result = context.in_family(backend, [program, *added])
        require(b"BROKEN" not in result.stdout and result.status == 0, tail(result))
    return check


def timers_unshared(context, backend):
    """A family's timers need nothing that other processes of the host's user could use up."""
    guest = next(guest for guest in guests.guests("guest") if guest.name == "signal_busy")

    def check():
        context.needs(backend)
        program = guest.binary(context.build)
        native = context.oracle([program], guest.timeout)
        result = context.run(["prlimit", "--sigpending=0:0", context.unifork, "run", "--backend",
                              backend, "--", program], guest.timeout)
        require(result.problem is None, f"{result.problem}\n{tail(result)}")
        require((result.stdout, result.status) == (native.stdout, native.status), tail(result))
    return check


def volume_links(context, backend):
    """Links on a volume lead through the family's tree, never out of the volume; nor do swaps."""
    def check():
        with tempfile.TemporaryDirectory(prefix="unifork-host-", dir="/var/tmp") as folder:
            outside, volume, root = (pathlib.Path(folder, n) for n in ("outside", "volume", "root"))
            for path in (outside, volume, root, root / "bin", volume / "real"):
                path.mkdir()
            shutil.copy(BUSYBOX, root / "bin" / "busybox")
            (outside / "secret").write_text("secret", encoding="utf-8")
            (volume / "up").symlink_to("../outside/secret")
            (volume / "absolute").symlink_to(f"{outside}/secret")
            (volume / "out").symlink_to("../outside")
            script = (
                f"B=/bin/busybox; cd /v; for f in up absolute out/secret ../outside/secret "
                f"real/../../outside/secret; do $B cat $f; done 2>/dev/null; "
                "$B mkdir ../outside; $B echo mine > ../outside/secret; $B cat up out/secret; "
                "(i=0; while [ $i -lt 60 ]; do $B mv real r 2>/dev/null; "
                "$B ln -s ../outside real; $B rm -f real; $B mv r real; i=$((i+1)); done) & "
                "i=0; while [ $i -lt 60 ]; do $B echo x > real/made 2>/dev/null; "
                "$B chmod 777 real/secret 2>/dev/null; $B rm -f real/secret; i=$((i+1)); done; "
                "wait; $B echo end")
            before = (outside / "secret").stat()
            result = context.in_family(backend, [BUSYBOX, "sh", "-c", script], timeout=120,
                                       options=["--root", root, "-v", f"{volume}:/v"])
            require(result.stdout.replace(b"mine\n", b"").split() == [b"end"], tail(result))
            require(os.listdir(outside) == ["secret"], str(os.listdir(outside)))
            require(before == (outside / "secret").stat(), "the secret changed")
            require((outside / "secret").read_text(encoding="utf-8") == "secret", "its content")
    return check


def monitors_bounded(context, backend):
    """Monitors that a guest clones past its kernel end the family; those it may have do not."""
    def check():
        program = context.build / "tests/security/monitors"
        result = context.in_family(backend, [program], options=["--pids", "4"], timeout=60)
        require(b"BROKEN" not in result.stdout, tail(result))
        if backend == "kvm":
            require(result.status == 0, tail(result))
            return
        require(result.status == 111 and b"monitors, more than --pids allows; it was ended"
                in result.stderr, tail(result))
    return check


def past_the_kernel(context, backend):
    """A guest that makes hypercalls and host system calls itself stays below --root."""
    guest = next(guest for guest in guests.guests("security") if guest.name == "hypercalls")

    def check():
        with tempfile.TemporaryDirectory(prefix="unifork-root-", dir="/var/tmp") as folder:
            root = pathlib.Path(folder, "root")
            (root / "bin").mkdir(parents=True)
            program = root / "bin" / "hostile"
            program.write_bytes(guest.binary(context.build).read_bytes())
            program.chmod(0o755)
            secret = pathlib.Path(folder, "outside")
            secret.write_text("secret", encoding="utf-8")
            pathlib.Path(folder, "outside.link").symlink_to("outside")
            (root / "up").symlink_to("../outside")
            (root / "absolute").symlink_to(secret)
            (root / "outside").symlink_to("..")
            result = context.in_family(backend, ["/bin/hostile", secret],
                                       options=["--root", root], timeout=guest.timeout)
            require(b"BROKEN" not in result.stdout and b"canary: 4711" in result.stdout,
                    tail(result))
            require(result.status == 0, f"status {result.status}\n{tail(result)}")
            require(sorted(os.listdir(folder)) == ["outside", "outside.link", "root"]
                    and sorted(os.listdir(root)) == ["absolute", "bin", "outside", "up"],
                    "the host's directories changed")
    return check


def outside_root(context, backend):
    """--root keeps everything else away, through .. and links too."""
    def check():
        with tempfile.TemporaryDirectory(prefix="unifork-root-", dir="/var/tmp") as folder:
            root = pathlib.Path(folder, "root")
            (root / "bin").mkdir(parents=True)
            (root / "bin" / "busybox").write_bytes(pathlib.Path(BUSYBOX).read_bytes())
            (root / "bin" / "busybox").chmod(0o755)
            pathlib.Path(folder, "secret").write_text("secret", encoding="utf-8")
            (root / "up").symlink_to("../secret")
            (root / "absolute").symlink_to(f"{folder}/secret")
            script = ("for f in /../secret /up /absolute /bin/../../secret /proc/1/root/../secret "
                      f"{folder}/secret; do busybox cat $f; done 2>/dev/null; busybox echo end")
            result = context.in_family(backend, [BUSYBOX, "sh", "-c", script],
                                       options=["--root", root])
            require(result.stdout == b"end\n", tail(result))
    return check


def status_of(pid):
    """The host's words on a process; None: it is gone or going."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return None
    return None if "State:\tZ" in text else text


def monitors_confined(context, backend, started):
    """What the host says of each monitor: no new privileges, few capabilities, a seccomp filter."""
    def check():
        family = started(context, backend, [BUSYBOX, "sh", "-c",
                         "busybox seq 6 | busybox xargs -n 1 busybox true; "
                         "busybox sleep 30 & echo ready; wait"])
        problems = []
        try:
            require(family.line() == b"ready\n", "not ready")
            # The spawner is made while the family runs, and the last of its commands may be ending.
            end = time.monotonic() + 20
            while True:
                texts = [(pid, status_of(pid))
                         for pid in runs.monitors(family.process.pid).values()]
                confined = [text and "Seccomp:\t2" in text for _, text in texts]
                if (len(texts) >= 3 and all(confined)) or time.monotonic() > end:
                    break
                time.sleep(0.05)
            require(len(texts) >= 3, f"two monitors and the spawner: {[pid for pid, _ in texts]}")
            for pid, text in texts:
                if not text:
                    continue
                fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
                if fields["NoNewPrivs"] != "1":
                    problems.append(f"{pid}: no_new_privs is not set")
                if int(fields["CapEff"], 16) & ~READING_CAPABILITIES:
                    problems.append(f"{pid}: capabilities {fields['CapEff']}")
                if int(fields["CapPrm"], 16) & ~READING_CAPABILITIES:
                    problems.append(f"{pid}: permitted {fields['CapPrm']}")
                if fields["Seccomp"] != "2":
                    problems.append(f"{pid}: no seccomp filter")
                limits = pathlib.Path(f"/proc/{pid}/limits").read_text(encoding="utf-8")
                core = next(line for line in limits.splitlines() if line.startswith("Max core"))
                if core.split()[4:6] != ["1", "1"]:
                    problems.append(f"{pid}: {core}")
        finally:
            family.process.kill()
            family.end(5)
        require(not problems, "\n".join(problems))
    return check


def cases(context):
    found = [Case("security/odd_passwd", odd_passwd(context))]
    for backend in context.backends():
        found += [Case(f"security/{guest.name}@{backend}", hostile(context, backend, guest))
                  for guest in guests.guests("security")
                  if guest.name not in SPECIAL]
        found.append(Case(f"security/processor@{backend}", processor(context, backend)))
        found.append(Case(f"security/filter@{backend}", hostile_arguments(context, backend)))
        found.append(Case(f"security/timers_unshared@{backend}", timers_unshared(context, backend)))
        found.append(Case(f"security/starting@{backend}", starting_monitors(context, backend)))
        found.append(Case(f"security/ended@{backend}", ended(context, backend)))
        found.append(Case(f"security/residue@{backend}", residue(context, backend)))
        if backend == "process":
            found += [Case(f"security/sockets_{kind}@{backend}", sockets(context, kind))
                      for kind in ("none", "published", "net")]
        found.append(Case(f"security/volume@{backend}", hostile_volume(context, backend)))
        found.append(Case(f"security/monitors@{backend}", monitors_bounded(context, backend)))
        found.append(Case(f"security/volume_links@{backend}", volume_links(context, backend)))
        found.append(Case(f"security/hypercalls@{backend}", past_the_kernel(context, backend)))
        found.append(Case(f"security/host_files@{backend}", host_files(context, backend)))
        found.append(Case(f"security/outside_root@{backend}", outside_root(context, backend)))
        found.append(Case(f"security/monitors_confined@{backend}",
                          monitors_confined(context, backend, Started)))
    return found
