# SPDX-License-Identifier: ISC
"""What the tests of Debian's programs share: packages, sources, one bounded run, and the page.

A program's case is named `programs/PROGRAM/WHAT@BACKEND`; the table of docs/programs.md counts its
outcomes by PROGRAM. Missing packages are installed and sources fetched at test time, by one thread
at a time; the quick selection installs nothing and skips instead. The latest outcome of each case
is kept below the build folder, so that the page may come from several runs with --only.
"""

import collections
import hashlib
import json
import pathlib
import shutil
import subprocess
import threading

from harness.cases import Failed, Skipped, diff, require

SECONDS_APT = 300
MIRROR = "deb-src http://deb.debian.org/debian bookworm main\n"
PAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "programs.md"
_apt = threading.Lock()
_unsupported = collections.defaultdict(collections.Counter)
_counting = threading.Lock()
_thread = threading.local()
_left_out = {}


def leave_out(program, what, reason):
    """Notes for the page what of a program's suite is not run, and why."""
    _left_out[program, what] = reason


def installed(package):
    found = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package],
                           capture_output=True, check=False)
    return found.stdout == b"installed"


def need_packages(context, packages):
    """Installs what is missing; Skipped in the quick selection or where that is not possible."""
    if not shutil.which("dpkg-query"):
        raise Skipped("this is not a Debian system")
    with _apt:
        missing = [package for package in packages if not installed(package)]
        if not missing:
            return
        names = " ".join(missing)
        if context.group == "quick":
            raise Skipped(f"{names} is not installed (make test-programs installs it)")
        command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
        done = apt(command, {"DEBIAN_FRONTEND": "noninteractive"})
        if done:
            raise Skipped(f"apt-get cannot install {names}: {done}")


def apt(command, env=None, cwd="/"):
    """Runs apt-get; returns nothing, or the last line of what it said if it failed."""
    setting = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", **(env or {})}
    try:
        done = subprocess.run(command, env=setting, cwd=cwd, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=SECONDS_APT)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    return (lines[-1] if lines else "no output") if done.returncode else None


def source(context, package, prepare=None):
    """The unpacked source of a Debian package below the build folder, fetched once.

    apt's own configuration is not touched: lists and cache are below the build folder too.
    `prepare` is called once with the source's path, before anybody uses it.
    """
    base = context.build / "programs"
    ready, prepared = base / f"{package}.ready", base / f"{package}.prepared"
    with _apt:
        if not ready.exists():
            fetch(base, package)
            prepared.unlink(missing_ok=True)
            ready.touch()
        if prepare and not prepared.exists():
            prepare(unpacked(base, package))
            prepared.touch()
    return unpacked(base, package)


def unpacked(base, package):
    found = sorted(path for path in base.glob(f"{package}-[0-9]*") if path.is_dir())
    if not found:
        raise Skipped(f"apt-get source {package} unpacked nothing")
    return found[-1]


def fetch(base, package):
    (base / "apt" / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (base / "apt" / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    (base / "apt" / "sources.list").write_text(MIRROR, encoding="ascii")
    options = [f"-oDir::Etc::SourceList={base}/apt/sources.list",
               "-oDir::Etc::SourceParts=/dev/null", f"-oDir::State::Lists={base}/apt/lists",
               f"-oDir::Cache={base}/apt/cache", "-oAPT::Sandbox::User=root"]
    if not any((base / "apt" / "lists").glob("*_Sources*")):
        problem = apt(["apt-get", *options, "-q", "update"])
        if problem:
            raise Skipped(f"no list of Debian's sources: {problem}")
    for tree in base.glob(f"{package}-[0-9]*"):
        shutil.rmtree(tree)  # left by a run that was interrupted
    problem = apt(["apt-get", *options, "-q", "source", package], cwd=base)
    if problem:
        raise Skipped(f"apt-get source {package}: {problem}")


PROLOGUE = """\
WORK={work}; export WORK
rm -rf $WORK; mkdir -p $WORK && cd $WORK || exit 90
HOME=$WORK LC_ALL=C TZ=UTC; export HOME LC_ALL TZ
({command}) 2>&1; status=$?
cd /; rm -rf $WORK
exit $status
"""
# Every run has a fresh directory of its own: a family sees what another run makes on the host.
WORK_OF = {"native": "0", "again": "1", "process": "2", "kvm": "3"}


def shell_run(context, run, name, command):
    """The shell command of one run of a case, and the function that takes its output apart."""
    work = f"/tmp/{context.scratch.name}/{name}/{WORK_OF[run]}"
    text = PROLOGUE.format(work=work, command=command)
    return (["/bin/sh", "-c", text], lambda output: output.replace(work.encode(), b"$WORK"))


def same_in_family(context, backend, name, command, timeout, varies=False, only=bytes):
    """Runs a shell command natively and in a family, each in a fresh directory WORK.

    Standard error is part of the output that is compared. Where the output `varies` (pids, times),
    a difference is looked at against a second native run: lines in which the host differs from
    itself do not count. `only` reduces an output to what is to be compared.
    """
    shell, seen = shell_run(context, "native", name, command)
    try:
        # A test may leave something behind on Linux; a family ends with its first process.
        native = context.oracle(shell, timeout, linger=10)
    except Failed as reason:
        raise (Skipped if varies else Failed)(str(reason)) from reason
    # A tool's script ends with status 0: one that gives up half-way would prove nothing.
    if native.status in (90, 126, 127) or (native.status and not varies):
        raise Failed(f"natively: exit status {native.status}\n"
                     + native.stdout.decode(errors="replace")[-2000:])
    if backend == "native":
        return
    expected = only(seen(native.stdout))
    shell, seen = shell_run(context, backend, name, command)
    result, stats = context.unifork_stats(backend, shell, timeout=timeout)
    count_unsupported(stats)
    actual = only(seen(result.stdout))
    if varies and (expected, native.status) != (actual, result.status):
        shell, seen = shell_run(context, "again", name, command)
        again = context.oracle(shell, timeout, linger=10)
        expected, actual = without_variation(expected, only(seen(again.stdout)), actual)
        if again.status != native.status:
            raise Skipped("the host's own exit status differs from run to run")
    require(result.status == native.status,
            f"exit status {result.status}, natively {native.status}\n"
            + diff(expected, actual, "native", backend))
    require(actual == expected, diff(expected, actual, "native", backend))


def without_variation(first, second, actual):
    """The first native output and the family's without the lines in which the host varies."""
    ours, again, theirs = first.split(b"\n"), second.split(b"\n"), actual.split(b"\n")
    if len(ours) != len(again):
        raise Skipped("the host's own output differs in length from run to run")
    if len(ours) != len(theirs):
        return first, actual
    kept = [at for at, line in enumerate(ours) if line == again[at]]
    return b"\n".join(ours[at] for at in kept), b"\n".join(theirs[at] for at in kept)


def begin(name):
    """This thread now runs the case of that name: what it counts is noted under it."""
    _thread.name = name
    with _counting:
        _unsupported.pop(name, None)


def count_unsupported(stats):
    with _counting:
        _unsupported[_thread.name].update(stats.get("unsupported", {}))


def program_of(name):
    """The program and the backend of a case's name; None where it has no place in the table."""
    parts = name.split("/")
    if parts[0] != "programs" or len(parts) < 3 or "@" not in name:
        return None
    return parts[1], name.rpartition("@")[2]


def row(count):
    return " | ".join(str(count[word]) for word in ("passed", "failed", "skipped", "not run"))


def page(records, latest):
    """The text of docs/programs.md; records are by name, see Records; latest names a build."""
    counts = collections.defaultdict(collections.Counter)
    for name, record in records.items():
        counts[program_of(name)][record["outcome"]] += 1
    ran = [record for record in records.values() if record["outcome"] != "not run"]
    earlier = sum(record.get("build") != latest for record in ran)
    lines = ["# Programs of Debian 12", "",
             "Generated by `make test-programs`. A case runs natively and in a family; it passed",
             "if output and exit status are equal. " +
             ("All ran with the same build." if not earlier else
              f"{earlier} of the {len(ran)} ran with earlier builds."),
             "",
             "| Program | Backend | Passed | Failed | Skipped | Not run |",
             "|---|---|---:|---:|---:|---:|"]
    total = collections.Counter()
    for program, backend in sorted(counts):
        count = counts[program, backend]
        total += count
        lines.append(f"| {program} | {backend} | {row(count)} |")
    lines.append(f"| **all** | | {row(total)} |")
    for outcome in ("failed", "skipped"):
        names = sorted(name for name in records if records[name]["outcome"] == outcome)
        if names:
            lines += ["", f"## {outcome.capitalize()}", ""]
            lines += [f"- `{name}`: {records[name]['reason']}" for name in names]
    if _left_out:
        lines += ["", "## Left out", ""]
        lines += [f"- {program}: {what}: {reason}"
                  for (program, what), reason in sorted(_left_out.items())]
    calls = collections.Counter()
    for record in records.values():
        calls.update(record["unsupported"])
    lines += ["", "## System calls answered ENOSYS", "",
              "By all members of all runs above together.", "", "| Name | Times |", "|---|---:|"]
    lines += [f"| `{name}` | {times} |" for name, times in calls.most_common()]
    return "\n".join(lines) + "\n"


def first_line(text):
    """One line for the page, without what would differ from one machine to the next."""
    lines = [line for line in text.strip().splitlines()
             if not line.startswith(("---", "+++", "@@"))]
    return lines[0].strip().replace("`", "'")[:160] if lines else "no reason was given"


class Records:
    """The latest outcome of every case, kept below the build folder as they come.

    By name: outcome, reason, the unsupported calls by name, seconds, and the build that ran it. A
    run that is cut short loses nothing; what was not run since keeps its older outcome.
    """

    def __init__(self, context, known):
        self.path = context.build / "programs" / "results.json"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        binary = context.unifork.read_bytes() if context.unifork.exists() else b""
        self.build = hashlib.sha256(binary).hexdigest()[:12]
        kept = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}
        names = {name.rpartition("@")[0] for name in known}
        self.records = {name: record for name, record in kept.items()
                        if name.rpartition("@")[0] in names}
        for name in known:
            if program_of(name) and not name.endswith("@native"):
                self.records.setdefault(name, {"outcome": "not run", "reason": "",
                                               "unsupported": {}})
        self.lock = threading.Lock()

    def add(self, name, outcome, text, seconds):
        if not program_of(name) or name.endswith("@native") or text.startswith("not run:"):
            return
        with self.lock:
            self.records[name] = {"outcome": outcome, "reason": first_line(text),
                                  "unsupported": dict(_unsupported.get(name, {})),
                                  "seconds": round(seconds, 1), "build": self.build}
            new = self.path.with_suffix(".new")
            new.write_text(json.dumps(self.records, indent=1), encoding="utf-8")
            new.replace(self.path)

    def write_page(self):
        """Writes docs/programs.md, and prints its table."""
        text = page(self.records, self.build)
        print(text[text.index("| Program"):].rstrip())
        PAGE.write_text(text, encoding="utf-8")
