# SPDX-License-Identifier: ISC
"""What the options of `unifork run` do, for root and for an ordinary user."""

import os
import pathlib
import tempfile

from harness.cases import Case, Skipped, require, tail

BUSYBOX = "/bin/busybox"
USER = 12345


class Folder(type(pathlib.Path())):
    """A temporary directory of the host that everybody may look through."""

    def __new__(cls):
        return super().__new__(cls, tempfile.mkdtemp(prefix="unifork-options-"))

    def __enter__(self):
        os.chmod(self, 0o755)
        return self

    def __exit__(self, *_):
        os.system(f"rm -rf {self}")


def as_user(context, backend, folder, arguments, *, groups=(), timeout=60):
    """`unifork run` by an ordinary user, who may open /dev/kvm; folder: for nothing else."""
    if os.getuid() != 0:
        raise Skipped("needs root to become another user")
    context.needs(backend)
    prepare = ""
    if backend == "kvm":
        device = os.stat("/dev/kvm").st_rdev
        prepare = (f"mount -t tmpfs none {folder} && mknod -m 666 {folder}/kvm c "
                   f"{os.major(device)} {os.minor(device)} && mount --bind {folder}/kvm /dev/kvm "
                   "|| exit 99; ")
    wanted = f"--groups {','.join(map(str, groups))}" if groups else "--clear-groups"
    return context.run(["unshare", "-m", "sh", "-c", prepare + f"exec setpriv --reuid {USER} "
                        f"--regid {USER} {wanted} \"$@\"", "sh", context.unifork, "run", "-b",
                        backend, *arguments], timeout)


def sh(script):
    return ["--", BUSYBOX, "sh", "-c", script]


def own_folder(folder):
    own = folder / "own"
    own.mkdir()
    os.chown(own, USER, USER)
    (folder / "kvm").mkdir()
    return own


def ordinary_ids(context, backend):
    """An ordinary user is itself inside, with a home to write to; its files are its own."""
    with Folder() as folder:
        own = own_folder(folder)
        script = ("id -u; id -g; id -G; id -un; id -gn; echo $HOME; echo x > $HOME/f; cat $HOME/f; "
                  "echo y > /v/f; stat -c %u:%g /v/f /v; stat -c %u /etc/passwd; "
                  "chown 0 /v/f 2>&1; "
                  "chown $(id -u):$(id -g) /v/f && echo same; echo err > /dev/stderr; "
                  "echo x > /etc/passwd || echo refused; grep CapEff /proc/self/status")
        result = as_user(context, backend, folder / "kvm", ["-v", f"{own}:/v", *sh(script)])
        wanted = (3 * f"{USER}\n" + 2 * f"user{USER}\n" + f"/home/user{USER}\nx\n"
                  + 2 * f"{USER}:{USER}\n" + "0\n"
                  "chown: /v/f: Operation not permitted\nsame\nrefused\n"
                  "CapEff:\t0000000000000000\n")
        require(result.stdout.decode() == wanted and b"err\n" in result.stderr, tail(result))
        st = (own / "f").stat()
        require((st.st_uid, st.st_gid) == (USER, USER), f"on the host: {st}")


def ordinary_root(context, backend):
    """With -u root an ordinary user is root inside, over what is its own and nothing else."""
    with Folder() as folder:
        own = own_folder(folder)
        foreign = folder / "foreign"
        foreign.write_text("", encoding="utf-8")
        script = ("id -u; echo $HOME; echo x > $HOME/f && cat $HOME/f; echo y > /v/f; "
                  "stat -c %u:%g /v/f /v; chown 0:0 /v/f && echo same; chown 7 /v/f 2>&1; "
                  "echo z > /etc/passwd && echo layer; stat -c %u /foreign")
        result = as_user(context, backend, folder / "kvm",
                         ["-u", "root", "-v", f"{own}:/v", "-v", f"{foreign}:/foreign",
                          *sh(script)])
        wanted = ("0\n/root\nx\n0:0\n0:0\nsame\nchown: /v/f: Operation not permitted\nlayer\n"
                  "65534\n")
        require(result.stdout.decode() == wanted, tail(result))
        require((own / "f").stat().st_uid == USER, "the file on the host is not the user's")


def ordinary_groups(context, backend):
    """A group of the user's on the host opens what it opens there."""
    with Folder() as folder:
        own_folder(folder)
        shared, closed = folder / "shared", folder / "closed"
        for directory, group in ((shared, 777), (closed, 778)):
            directory.mkdir()
            os.chown(directory, 0, group)
            directory.chmod(0o770)
        script = "echo x > /s/f && cat /s/f; echo x > /c/f || echo refused"
        result = as_user(context, backend, folder / "kvm",
                         ["-v", f"{shared}:/s", *sh(script)], groups=[777])
        require(result.stdout == b"x\nrefused\n", tail(result))
        result = as_user(context, backend, folder / "kvm", ["-v", f"{closed}:/s", *sh(script)],
                         groups=[777])
        require(result.status == 100 and b"Permission denied" in result.stderr, tail(result))


def tools(context, backend):
    """git, tar and cp -a by an ordinary user in a volume of its own, as itself and as root."""
    script = ("cd /w && git init -q r && cd r && git config user.email a@b && "
              "git config user.name n && echo a > a && git add a && git commit -qm m && "
              "git status --short && cd .. && git clone -q r s && tar cf t.tar r && mkdir c && "
              "tar xf t.tar -C c && cp -a r c/copy && git -C c/r log --format=%s && "
              "git -C c/copy fsck 2>&1 | grep -c error; rm -rf r s c t.tar; ls")
    for user in ([], ["-u", "root"]):
        with Folder() as folder:
            own = own_folder(folder)
            result = as_user(context, backend, folder / "kvm",
                             [*user, "-v", f"{own}:/w", "--", "sh", "-c", script])
            require(result.stdout == b"m\n0\n" and not result.stderr, tail(result))


def user_names(context, backend):
    """-u by root: names and numbers of the root directory's passwd and group, and the groups."""
    for user, wanted in (("nobody", "65534 65534 /nonexistent"), ("4321", "4321 0 /"),
                         ("4321:tty", "4321 5 /"), ("nobody:17", "65534 17 /nonexistent"),
                         ("0:5", "0 5 /root")):
        result = context.in_family(backend, [BUSYBOX, "sh", "-c",
                                             "echo $(id -u) $(id -g) $HOME; echo x > /root/x"],
                                   options=["-u", user])
        require(result.stdout.decode().strip() == wanted, f"{user}: {tail(result)}")
        require((b"denied" in result.stderr) == (user[0] != "0"), f"{user}: {tail(result)}")


def names(context, backend):
    """The host's name resolves inside; hostname changes it for the whole family."""
    script = ("hostname; grep -c '127.0.1.1.*box$' /etc/hosts; cat /etc/hostname; "
              "busybox hostname other; busybox sh -c 'hostname; cat /proc/sys/kernel/hostname'; "
              "uname -n; grep -c localhost /etc/hosts; busybox stat -c %h /etc/hosts /etc/hostname")
    result = context.in_family(backend, [BUSYBOX, "sh", "-c", script],
                               options=["--hostname", "box"])
    lines = result.stdout.decode().split("\n")
    require(lines[:6] == ["box", "1", "box", "other", "other", "other"] and int(lines[6]) > 0
            and lines[7:9] == ["1", "1"], tail(result))
    result = context.in_family(backend, ["getent", "hosts", "unifork"])
    require(result.stdout.split() == [b"127.0.1.1", b"unifork"], tail(result))
    result = context.in_family(backend, [BUSYBOX, "hostname", "x"], options=["-u", "nobody"])
    require(result.status != 0 and b"not permitted" in result.stderr, tail(result))


def file_volume(context, backend):
    """A file is a volume: written on both sides, and its name stays."""
    with Folder() as folder:
        file = folder / "file"
        file.write_text("one\n", encoding="utf-8")
        script = ("cat /deep/file; echo two >> /deep/file; cat /deep/file; rm /deep/file 2>&1; "
                  "mv /etc/passwd /deep/file 2>&1; cat /ro; echo x >> /ro || echo refused; "
                  "busybox sleep 0.1; stat -c %s /deep/file; ls /deep")
        result = context.in_family(backend, [BUSYBOX, "sh", "-c", script],
                                   options=["-v", f"{file}:/deep/file", "-v", f"{file}:/ro:ro,Z"])
        busy = "Device or resource busy\n"
        require(result.stdout.decode() == f"one\none\ntwo\nrm: can't remove '/deep/file': {busy}"
                f"mv: can't rename '/etc/passwd': {busy}one\ntwo\nrefused\n8\nfile\n",
                tail(result))
        require(file.read_text(encoding="utf-8") == "one\ntwo\n", "the host's file differs")


def many_volumes(context, backend):
    """More than a few volumes, each its own."""
    with Folder() as folder:
        options = []
        for i in range(40):
            (folder / str(i)).mkdir()
            (folder / str(i) / "f").write_text(f"{i}\n", encoding="utf-8")
            options += ["-v", f"{folder}/{i}:/v/{i}"]
        result = context.in_family(backend, [BUSYBOX, "sh", "-c", "cat /v/*/f | sort -n | md5sum; "
                                             "for i in /v/*; do echo x > $i/new; done; "
                                             "busybox true & wait"], options=options)
        wanted = context.run([BUSYBOX, "sh", "-c", "seq 0 39 | md5sum"])
        require(result.stdout == wanted.stdout and not result.stderr, tail(result))
        require(all((folder / str(i) / "new").exists() for i in range(40)), "a file is missing")


def read_only_root(context, backend):
    """--read-only: EROFS wherever the root directory's layer would change; --tmpfs is free."""
    script = ("for c in 'touch /new' 'mkdir /new' 'ln -s a /new' 'rm /etc/passwd' 'mkfifo /new' "
              "'mv /etc/passwd /new' 'chmod 700 /etc/passwd' 'touch /etc/passwd' 'touch /tmp/x' "
              "'chown 1 /etc' 'rmdir /mnt' 'truncate -s 0 /etc/passwd' 'ln /etc/passwd /new'; do "
              "busybox $c 2>&1 | grep -q 'Read-only file system' || echo \"$c\"; done; "
              "echo x > /etc/passwd || echo refused; echo a > /t/a && cat /t/a; "
              "stat -c %a:%u:%g /t; echo b > /dev/shm/b && cat /dev/shm/b; "
              "mv /t/a /new 2>&1 | grep -c -e Read-only -e Cross; "
              "grep -c ' / overlay ro' /proc/mounts")
    result = context.in_family(backend, [BUSYBOX, "sh", "-c", script],
                               options=["--read-only", "--tmpfs",
                                        "/t:mode=750,uid=3,gid=4,size=1m"])
    require(result.stdout == b"refused\na\n750:3:4\nb\n1\n1\n", tail(result))


TMPFS_SIZE = """
t=$1; cd $t
df -k . | awk 'NR==2{print $2, $4}'
echo $(stat -f -c '%b %S' .)
head -c 300000 /dev/zero > a; head -c 900000 /dev/zero > b; echo "b: $?"; stat -c %s b
echo x > c; echo "c: $?"
df -k . | awk 'NR==2{print $4}'
truncate -s 8192 b && df -k . | awk 'NR==2{print $4}'
fallocate -l 1m d; echo "d: $?"; rm -f d
busybox sleep 0 < b; rm a b c
df -k . | awk 'NR==2{print $4}'
truncate -s 100m sparse && stat -c '%s %b' sparse
exec 3> open; rm open; head -c 500000 /dev/zero >&3; df -k . | awk 'NR==2{print $4}'
exec 3>&-; df -k . | awk 'NR==2{print $4}'
grep -o " $t tmpfs .*size=[0-9]*k" /proc/mounts | sed "s| $t||;s|rw.*size|size|"
echo x > y; mv y $2/z; ln $2/z zz 2>&1 | grep -c -i cross
[ "$(stat -c %d $t)" = "$(stat -c %d $2)" ] || echo two devices
"""


def tmpfs_size(context, backend):
    """--tmpfs DIR:size=: no more than that, as the host's own tmpfs has it; statfs tells."""
    script = TMPFS_SIZE.replace("awk", "busybox awk")
    result = context.in_family(backend, ["/bin/sh", "-c", script, "sh", "/t", "/u"],
                               options=["--tmpfs", "/t:size=1000k", "--tmpfs", "/u:size=64k"])
    with Folder() as folder:
        (folder / "t").mkdir()
        (folder / "u").mkdir()
        mounting = (f"mount -t tmpfs -o size=1000k none {folder}/t && "
                    f"mount -t tmpfs -o size=64k none {folder}/u || exit 77; "
                    f"exec sh -c \"$0\" sh {folder}/t {folder}/u")
        wanted = context.run(["unshare", "-m", "sh", "-c", mounting, script])
    if wanted.status == 77:
        raise Skipped("the host does not let us mount")
    require(result.stdout.replace(b"sh: ", b"") == wanted.stdout.replace(b"sh: ", b""),
            f"{tail(result)} instead of {tail(wanted)}")


def limits(context, backend):
    script = "ulimit -n; ulimit -Hn; ulimit -f; ulimit -c; ulimit -s"
    result = context.in_family(backend, ["/bin/bash-static", "-c", script], options=[
        "--ulimit", "nofile=100:200", "--ulimit", "fsize=1024", "--ulimit", "core=-1",
        "--ulimit", "stack=1048576:unlimited"])
    require(result.stdout == b"100\n200\n1\nunlimited\n1024\n", tail(result))


def environment_file(context, backend):
    with Folder() as folder:
        file = folder / "env"
        file.write_text("# comment\n\nA=1\n  B=two words=x\nHERE\nMISSING\nHOME=/h\r\nA=2\n",
                        encoding="utf-8")
        result = context.in_family(
            backend, [BUSYBOX, "sh", "-c", "echo $A-$B-$HERE-${MISSING-none}-$HOME-$C"],
            options=["--env-file", file, "-e", "C=3"], env={"HERE": "here"})
        require(result.stdout == b"2-two words=x-here-none-/h-3\n", tail(result))


def arguments(context, backend):
    """As much as Linux takes goes in, and one word more than that does not."""
    words = ["x" * 999] * 2060
    result = context.in_family(backend, [BUSYBOX, "echo", *words], env={})
    require(result.status == 0 and len(result.stdout) == 2060000, f"{len(result.stdout)} bytes")
    script = "v=$(printf %0131000d 0); exec \"$@\"" + 17 * " $v"
    command = ["bash", "-c", f"ulimit -s 65536; {script}", "sh"]
    result = context.run([*command, context.unifork, "run", "-b", backend, "--", BUSYBOX, "echo"])
    require(result.status == 126 and b"Argument list too long" in result.stderr, tail(result))


def sizes(context, backend):
    script = "awk '/MemTotal/{print $2}' /proc/meminfo"
    for text, kib in (("64MB", 65536), ("64MiB", 65536), ("1.5G", 1572864), ("65536k", 65536),
                      ("17825792", 17408), ("0.5g", 524288), ("20971520b", 20480)):
        result = context.in_family(backend, [BUSYBOX, "sh", "-c", script], options=["-m", text])
        require(result.stdout.decode().strip() == str(kib), f"{text}: {tail(result)}")


WRONG = {
    "-m 64QB": "is not a size", "-m 1.5": "too small", "-m 9999999999T": "is not a size",
    "-m .5G": "is not a size", "--pids x": "not a number",
    "--ulimit foo=1": "NAME is one of", "--ulimit nofile": "NAME=SOFT", "--ulimit nofile=5:1":
    "above the hard", "--ulimit nofile=9999999": "at most", "--env-file /no/such":
    "No such file or directory", "--hostname a:b": "is not a name",
    "-u nobody-here": "no user 'nobody-here'", "-u 0:grr": "no group 'grr'", "-u -1": "no user",
    "-u 4294967295": "no user", "--tmpfs x": "not absolute", "--tmpfs /x:ro": "cannot use 'ro'",
    "--tmpfs /x:mode=9": "cannot use", "--tmpfs /": "another path", "--tmpfs /x --tmpfs /x/y":
    "one in the other", "-v /usr:/x:RO": "small letters", "-v /usr:/x:delegate": "unknown option",
    "-v /dev/null:/x": "neither a directory", "-v no-such:/x": "No such file", "--root /etc/passwd":
    "Not a directory", "--root /no/such": "No such file", "--memroy 3": "did you mean --memory",
    "--memmory 3": "did you mean --memory",
    "--hotsname x": "did you mean --hostname", "--rm=x": "takes no value", "-itx": "option '-x'",
    "--nonsense": "--help",
}


def wrong(context, backend):
    """Each bad value is a line that says what is wrong with it, and status 100."""
    for options, reason in WRONG.items():
        result = context.run([context.unifork, "run", *options.split(), "--", BUSYBOX, "true"])
        lines = result.stderr.decode().strip().splitlines()
        require(result.status == 100 and len(lines) == 1 and reason in lines[0],
                f"{options}: {tail(result)}")


def cases(context):
    if not context.backends():
        return []
    every = [ordinary_ids, ordinary_root, ordinary_groups, tools, user_names, names, file_volume,
             many_volumes, read_only_root, tmpfs_size, limits, environment_file, arguments, sizes]

    def bound(check, backend):
        return lambda: check(context, backend)

    return ([Case("integration/options/wrong", bound(wrong, None))]
            + [Case(f"integration/options/{check.__name__}@{backend}", bound(check, backend))
               for check in every for backend in context.backends()])
