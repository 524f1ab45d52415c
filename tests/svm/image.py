# SPDX-License-Identifier: ISC
"""What the machine of run_svm.py boots: Debian's cloud kernel and an initramfs with the tests.

The kernel package is downloaded once, unpacked into build/svm-cache and never installed. The
initramfs holds busybox, the KVM modules, unifork and static programs; init.sh and run_head.sh are
what runs in it.
"""

import fcntl
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
KERNEL_PACKAGE = "linux-image-cloud-amd64"
MODULES = ("irqbypass", "kvm", "kvm-amd")


class Unavailable(Exception):
    """This machine cannot run the guest; the text is the reason."""


# --- the guest kernel ---------------------------------------------------------------------------

def _apt(command, **kwargs):
    return subprocess.run(command, capture_output=True, text=True, check=False,
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


def fetch_kernel(cache):
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

def _write(path, text):
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def _line(test, unifork):
    """The line of run.sh that runs a test, with its options in the line before."""
    program = test.program or f"/t/{Path(test.path).name}"
    if test.kind == "script":
        words = ["script", test.name, test.limit_s, test.user]
    else:
        words = [test.kind, test.name, test.limit_s, test.backend if unifork else "native",
                 test.user]
    options = shlex.quote(" ".join(map(str, test.options)))
    return f"OPTIONS={options}\n" + " ".join(shlex.quote(str(word))
                                             for word in [*words, program, *test.args])


def _run_script(tests, unifork, unifork_args, script):
    lines = [(HERE / "run_head.sh").read_text(encoding="utf-8"),
             f"UNIFORK_OPTIONS={shlex.quote(' '.join(unifork_args))}"]
    lines += [_line(test, unifork) for test in tests]
    if script:
        lines.append("sh /script 2>&1 </dev/null 3>&- | report >&3")
    return "\n".join(lines) + "\n"


def build_initramfs(folder, modules, tests, unifork=None, unifork_args=(), files=(), script=None):
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
    _write(tree / "m/order", "\n".join(MODULES) + "\n")
    sources = {}
    for test in tests:
        path = Path(test.path)
        if sources.setdefault(path.name, path) != path:
            raise ValueError(f"two programs called {path.name}: {path} and {sources[path.name]}")
        if not (tree / "t" / path.name).exists():
            shutil.copy(path, tree / "t" / path.name)
    if unifork:
        shutil.copy(unifork, tree / "bin/unifork")
    for source, target in files:
        (tree / target.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tree / target.lstrip("/"))
    if script:
        _write(tree / "script", script)
    _write(tree / "init", (HERE / "init.sh").read_text(encoding="utf-8"))
    _write(tree / "run.sh", _run_script(tests, unifork, unifork_args, script))
    archive = folder / "initramfs.cpio"
    names = subprocess.run(["find", ".", "-print0"], cwd=tree, check=True, capture_output=True)
    with open(archive, "wb") as output:
        subprocess.run(["cpio", "-o", "-0", "-H", "newc", "--quiet", "-R", "0:0"], cwd=tree,
                       check=True, input=names.stdout, stdout=output)
    return archive
