# SPDX-License-Identifier: ISC
"""What hostile families reach of the host, its processes and its supervisor: nothing."""

import hashlib
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import time

from harness import runs
from harness.cases import Case, Skipped, require, tail
from integration.cases_cli import Started

BUSYBOX = "/bin/busybox"
NAMESPACES = ("pid", "mnt", "ipc", "uts", "cgroup", "user")
ORDINARY = 12345
ROUNDS = 20


def tree_hash(folder):
    """Names, kinds, modes, owners, sizes, times and contents of everything below a directory."""
    digest = hashlib.sha256()
    for path in sorted(pathlib.Path(folder).rglob("*")):
        st = path.lstat()
        digest.update(repr((str(path), st.st_mode, st.st_uid, st.st_gid, st.st_size, st.st_nlink,
                            st.st_mtime_ns, st.st_ctime_ns)).encode())
        if path.is_file() and not path.is_symlink():
            digest.update(path.read_bytes())
    return digest.hexdigest()


class Host:
    """A directory of the host with files that nobody was granted, a root and a volume beside."""

    def __enter__(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="unifork-reach-", dir="/var/tmp"))
        self.outside, self.root, self.volume = (self.top / n for n in ("outside", "root", "volume"))
        for path in (self.outside, self.root, self.volume, self.root / "bin",
                     self.outside / "empty"):
            path.mkdir()
        (self.outside / "secret").write_text("the host's own, 30 bytes long\n", encoding="utf-8")
        (self.root / "inside").write_text("granted for reading\n", encoding="utf-8")
        shutil.copy(BUSYBOX, self.root / "bin" / "busybox")
        self.top.chmod(0o755)
        return self

    def own(self, uid):
        for path in (self.top, *self.top.rglob("*")):
            os.lchown(path, uid, uid)

    def hash(self):
        return tree_hash(self.outside) + tree_hash(self.root)

    def __exit__(self, *unused):
        shutil.rmtree(self.top, ignore_errors=True)


def as_user(user):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []


def reach(context, abi, user, options):
    """Guests that enter the host past the monitor: the host's tree is as it was."""
    def check():
        context.needs("process")
        if user and os.geteuid() != 0:
            raise Skipped("needs root to become another user")
        with Host() as host:
            guest = host.root / "bin" / "reach"
            shutil.copy(context.build / "tests/security/reach", guest)
            if user:
                host.own(user)
            before = host.hash()
            command = [*as_user(user), context.build / "tests/security/landlock_abi", abi,
                       context.unifork, "run", "-b", "process", "--root", host.root,
                       *[word.format(volume=host.volume) for word in options], "--", "/bin/reach",
                       f"={host.outside}/secret", "/inside"]
            result = context.run(command, timeout=60)
            if result.status == 111 and b"needs Landlock" in result.stderr:
                require(abi == 0 and options, tail(result))
            else:
                require(result.status == 0 and b"BROKEN" not in result.stdout
                        and result.stdout.count(b": held") == 11, tail(result))
            require(host.hash() == before, "the host's files changed")
    return check


def device_nodes(context):
    """Device nodes and a nested /proc below what was granted do not open."""
    def check():
        context.needs("process")
        if os.geteuid() != 0:
            raise Skipped("needs root to make device nodes")
        with Host() as host:
            (host.root / "dev").mkdir()
            nested = host.root / "chroot" / "proc"
            nested.mkdir(parents=True)
            os.mknod(host.root / "dev" / "node", 0o666 | 0o020000, os.makedev(1, 5))
            shutil.copy(context.build / "tests/security/reach", host.root / "bin" / "reach")
            family = " ".join([str(context.unifork), "run", "-b", "process", "--root",
                               str(host.root), "-v", f"{host.root}:/v:ro", "--", "/bin/reach",
                               "-/dev/node", "=/chroot/proc/self/status",
                               "=/chroot/proc/sys/kernel/hostname"])
            result = context.run(["unshare", "-m", "sh", "-c",
                                  f"mount -t proc proc {nested} && exec {family}"], timeout=60)
            require(result.status == 0 and b"BROKEN" not in result.stdout
                    and result.stdout.count(b"write: held") == 3, tail(result))
    return check


RENAMING = """
import os, signal, subprocess, sys
unifork, backend, root, rounds = sys.argv[1:5]
places = [root + "/chroot/a", root + "/chroot/b"]
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", root + "/chroot"], check=True)
for number in range(100): # so many that covering the first ones takes a while
    os.makedirs(f"{places[0]}/proc{number}")
    subprocess.run(["mount", "-t", "proc", "proc", f"{places[0]}/proc{number}"], check=True)
renamer = os.fork()
if renamer == 0:
    while True:
        os.rename(places[0], places[1])
        os.rename(places[1], places[0])
try:
    for _ in range(int(rounds)):
        family = subprocess.Popen(
            [unifork, "run", "-b", backend, "--root", root, "--", "/bin/busybox", "sh", "-c",
             "echo ready; read x"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if family.stdout.readline() == b"ready\\n":
            supervisor = open(f"/proc/{family.pid}/task/{family.pid}/children").read().strip()
            mounts = [line.split() for line in open(f"/proc/{supervisor}/mountinfo")]
            under = {words[1] for words in mounts}
            own = [words[0] for words in mounts if words[words.index("-") + 1] == "proc"]
            family.communicate(b"\\n", timeout=20)
            print("hidden" if len(own) == 100 and under.issuperset(own) else "SHOWN")
        else:
            out, err = family.communicate(timeout=20)
            print("refused" if b"being renamed" in err else (out, err))
finally:
    os.kill(renamer, signal.SIGKILL)
"""


def renamed_mounts(context, backend):
    """A file system of the host is hidden though the directories above it are being renamed."""
    def check():
        context.needs(backend)
        if os.geteuid() != 0:
            raise Skipped("needs root to mount")
        with Host() as host:
            (host.root / "chroot").mkdir()
            result = context.run(["unshare", "-m", "/usr/bin/python3", "-c", RENAMING,
                                  context.unifork, backend, host.root, ROUNDS], timeout=120)
            lines = result.stdout.split(b"\n")[:-1]
            require(result.status == 0 and len(lines) == ROUNDS, tail(result))
            require(set(lines) <= {b"hidden", b"refused"} and b"hidden" in lines, tail(result))
    return check


def any_process(context, backend, options):
    """Forged records make the supervisor signal no process but its own children."""
    def check():
        context.needs(backend)
        with subprocess.Popen(["/bin/sleep", "100"]) as victim:
            try:
                result = context.in_family(
                    backend, [context.build / "tests/security/kill_any", victim.pid],
                    options=options, timeout=60)
                require(victim.poll() is None, f"the supervisor killed it\n{tail(result)}")
                require(result.status == 0 and b"done" in result.stdout, tail(result))
            finally:
                victim.kill()
    return check


def survivor(context, backend, whom, started):
    """Nothing outlives the front or the supervisor, not even what no kernel knows of."""
    def check():
        family = started(context, backend, [context.build / "tests/security/survivor"])
        first = family.line()
        lines = [first, *(family.process.stdout.readline() for _ in range(2))]
        require(lines[1:] == [b"cloned: yes\n", b"ready\n"], f"not ready: {lines}")
        pid = family.process.pid if whom == "front" else runs.supervisor(family.process.pid)
        os.kill(pid, signal.SIGKILL)
        status = family.end(5)
        require(status == (137 if whom == "front" else 111), f"status {status}")
    return check


def supervisor_kills(context, backend, started, rounds):
    """kill -9 of the front or the supervisor at random moments leaves no process."""
    loop = ("while :; do busybox seq 3 | busybox cat | busybox wc -l; (busybox true) & "
            "busybox true; done")

    def check():
        for number in range(rounds):
            family = started(context, backend, [BUSYBOX, "sh", "-c", loop])
            try:
                if number % 3:
                    family.line()
                time.sleep((number * 37 % 50) / 1000)
                pid = family.process.pid
                if number % 2:
                    pid = runs.supervisor(pid) or pid
                os.kill(pid, signal.SIGKILL)
            finally:
                status = family.end(10)
            family.process.stdout.close()
            family.process.stderr.close()
            require(status in (137, 111), f"round {number}: status {status}")
    return check


def namespaces(context, backend, started):
    """Monitors live in namespaces of their own, see no host process and no host mount."""
    def check():
        with Host() as host:
            family = started(context, backend, ["/bin/busybox", "sh", "-c",
                                                "echo ready; busybox sleep 100"],
                             options=["--root", host.root, "-v", f"{host.volume}:/v"])
            try:
                require(family.line() == b"ready\n", "not ready")
                monitors = runs.monitors(family.process.pid)
                require(monitors, "no monitors")
                for pid in (runs.supervisor(family.process.pid), *monitors.values()):
                    for name in NAMESPACES:
                        inside = os.readlink(f"/proc/{pid}/ns/{name}")
                        require(inside != os.readlink(f"/proc/self/ns/{name}"),
                                f"{pid} is in the host's {name} namespace")
                    mounts = pathlib.Path(f"/proc/{pid}/mountinfo").read_text("utf-8")
                    places = {line.split()[4] for line in mounts.splitlines()}
                    require(places == {"/", "/root", "/volumes/1"}, f"mounts: {places}")
                    allowed = {f"/proc/{pid}/root": "/", f"/proc/{pid}/cwd": "/"}
                    for link, target in allowed.items():
                        require(os.readlink(link) == target, f"{link}: {os.readlink(link)}")
            finally:
                family.process.kill()
                family.end(5)
    return check


def set_user_id(context, backend):
    """No set-user-ID program is left on a volume, whoever runs the family."""
    def check():
        with Host() as host:
            script = ("cp /bin/busybox /v/a; chmod 4755 /v/a || echo refused; chown 0:0 /v/a; "
                      "chmod 2755 /v/a || echo refused; chmod 755 /v/a; ls /v")
            result = context.in_family(backend, [BUSYBOX, "sh", "-c", script],
                                       options=["-v", f"{host.volume}:/v"])
            require(result.stdout == b"refused\nrefused\na\n", tail(result))
            require((host.volume / "a").stat().st_mode & 0o7777 == 0o755, "its mode")
    return check


def stopped_terminal(context, backend):
    """A guest that stops its terminal does not stop the supervisor."""
    def check():
        context.needs(backend)
        script = ("import termios, time; termios.tcflow(1, termios.TCOOFF); "
                  "[bytearray(8 << 20) for _ in range(3)]; time.sleep(100)")
        mark = runs.new_mark()
        pid, outer = pty.fork()
        if pid == 0:
            os.environ["UNIFORK_TEST_RUN"] = mark
            os.execv(context.unifork, ["unifork", "run", "--verbose", "-b", backend, "--",
                                       "/usr/bin/python3", "-c", script])
        try:
            end = time.monotonic() + 3
            while time.monotonic() < end:
                if select.select([outer], [], [], 0.1)[0]:
                    os.read(outer, 4096)
            os.kill(pid, signal.SIGTERM)
            end = time.monotonic() + 20
            while os.waitpid(pid, os.WNOHANG) == (0, 0):
                require(time.monotonic() < end, "SIGTERM does not end the family")
                time.sleep(0.05)
            pid = 0
            left = runs.wait_until_gone(mark)
            require(not left, f"left over: {left}")
        finally:
            if pid:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            os.close(outer)
    return check


def cases(context):
    started = Started
    found = []
    if "process" in context.backends():
        for abi in range(8):
            for user in (0, ORDINARY):
                for name, options in (("", ()), (".volume", ("-v", "{volume}:/v"))):
                    who = "user" if user else "root"
                    found.append(Case(f"security/reach{name}.abi{abi}.{who}",
                                      reach(context, abi, user, options)))
        found.append(Case("security/device_nodes", device_nodes(context)))
        found.append(Case("security/survivor.front", survivor(context, "process", "front",
                                                              started)))
        found.append(Case("security/survivor.supervisor", survivor(context, "process",
                                                                   "supervisor", started)))
    for backend in context.backends():
        found.append(Case(f"security/renamed_mounts@{backend}", renamed_mounts(context, backend)))
        found.append(Case(f"security/any_process@{backend}", any_process(context, backend, ())))
        found.append(Case(f"security/any_process.plain@{backend}",
                          any_process(context, backend, ("--without", "namespaces"))))
        found.append(Case(f"security/namespaces@{backend}", namespaces(context, backend, started)))
        found.append(Case(f"security/set_user_id@{backend}", set_user_id(context, backend)))
        found.append(Case(f"security/stopped_terminal@{backend}",
                          stopped_terminal(context, backend)))
        found.append(Case(f"security/supervisor_kills@{backend}",
                          supervisor_kills(context, backend, started,
                                           int(os.environ.get("UNIFORK_KILLS", 12)))))
    return found
