# SPDX-License-Identifier: ISC
"""The test suites that Debian's source packages carry, run with the installed programs.

Every file of a suite is a case of its own. What counts is not that a test succeeds (some need what
a minimal machine lacks, or the program's build folder) but that a family does what the host does:
output and status have to be equal. The source is fetched at test time, see harness/programs.py.
"""

import dataclasses
import os
import pathlib
import shutil
import subprocess
from typing import Callable

from harness import programs
from harness.cases import Case, Failed, Skipped

# Of bash: helpers that its tests call, from its own folder support/.
BASH_HELPERS = ("recho", "zecho", "xcase", "printenv")


def prepare_bash(tree):
    (tree / "config.h").touch()
    for name in BASH_HELPERS:
        command = ["gcc", "-w", "-DHAVE_STRING_H", "-DHAVE_STDLIB_H", "-DHAVE_UNISTD_H", "-I.",
                   "-Iinclude", "-o", f"tests/{name}", f"support/{name}.c"]
        done = subprocess.run(command, cwd=tree, capture_output=True, check=False)
        if done.returncode:
            raise Failed(f"cannot build {name}: {done.stderr.decode(errors='replace')[-500:]}")


def prepare_perl(tree):
    """The tests want the built perl and its library beside them: links to the installed ones."""
    library = tree / "installed"
    for source in ("/usr/share/perl", "/usr/lib/x86_64-linux-gnu/perl"):
        for version in sorted(pathlib.Path(source).glob("5.[0-9]*")):
            if not version.is_symlink():
                link_tree(version, library)
    link_tree(pathlib.Path("/usr/lib/x86_64-linux-gnu/perl-base"), library)


def link_tree(source, target):
    shutil.copytree(source, target, copy_function=os.symlink, symlinks=True, dirs_exist_ok=True,
                    ignore=lambda folder, names: [
                        name for name in names
                        if (target / pathlib.Path(folder).relative_to(source) / name).is_symlink()])


BASH = """cp -a {tree}/tests . && cd tests &&
TMPDIR=$WORK THIS_SH=/bin/bash BUILD_DIR=.. BASH_TSTOUT=$WORK/out PATH=.:$PATH sh ./{test}"""

PERL = """mkdir t && cp -a {tree}/t/*.pl {tree}/t/TEST {tree}/t/lib {tree}/t/op {tree}/t/io t &&
ln -s {tree}/installed lib && ln -s /usr/bin/perl perl && ln -s /usr/bin/perl t/perl &&
touch MANIFEST && cd t && PERL_HASH_SEED=0 PERL_RAND_SEED=1 ./perl {test}"""

# Every program of gawk's tests that begins with one letter, with its input if there is one.
GAWK = """cp -a {tree}/test . && cd test && for script in {test}*.awk; do
	input=${{script%.awk}}.in; test -f $input || input=/dev/null; echo "== $script"
	timeout 10 gawk -f $script <$input; echo "status $?"; done"""

SED = """cp -a {tree}/testsuite . && cd testsuite && for script in *.sed; do
	input=${{script%.sed}}.inp; test -f $input || input=/dev/null; echo "== $script"
	timeout 10 sed -f $script <$input; echo "status $?"; done"""

GREP = """cp -a {tree}/tests . && mkdir src && cd tests &&
srcdir=. abs_srcdir=$PWD abs_top_srcdir={tree} AWK=gawk LOCALE_FR=none LOCALE_FR_UTF8=none \
CONFIG_HEADER=/dev/null timeout 60 sh ./{test}"""

# Left out: drivers, what only measures time or memory, and TCP.
LEFT_OUT = {"run-all", "run-minimal", "run-gprof", "op/time_loop.t", "io/socket.t",
            "big-hole",
            "long-line-vs-2GiB-read", "init.sh", "init.cfg"}
GAWK_LETTERS = "abcdefghijklmnoprstuvwxz"


def bash_tests(tree):
    return [path.name for path in (tree / "tests").glob("run-*")]


def perl_tests(tree):
    return [str(path.relative_to(tree / "t")) for folder in ("op", "io")
            for path in (tree / "t" / folder).glob("*.t")]


def grep_tests(tree):
    return [path.name for path in (tree / "tests").iterdir()
            if path.is_file() and b"init.sh" in path.read_bytes()[:2000]
            and path.read_bytes().startswith(b"#!/bin/sh")]


@dataclasses.dataclass(frozen=True)
class Suite:
    """One source package's tests: `tests` lists them, `command` runs the one named {test}."""

    program: str
    package: str
    tests: Callable
    command: str
    seconds: float
    prepare: Callable = None


SUITES = [
    Suite("bash's tests", "bash", bash_tests, BASH, 240, prepare_bash),
    Suite("perl's tests", "perl", perl_tests, PERL, 120, prepare_perl),
    Suite("gawk's tests", "gawk", lambda tree: GAWK_LETTERS, GAWK, 120),
    Suite("sed's tests", "sed", lambda tree: ["all"], SED, 60),
    Suite("grep's tests", "grep", grep_tests, GREP, 90),
]


def check_of(context, backend, suite, test):
    def check():
        programs.need_packages(context, [suite.package, "dpkg-dev", "gcc", "make"])
        tree = programs.source(context, suite.package, suite.prepare)
        name = f"{suite.package}-{test.replace('/', '-')}"
        command = suite.command.format(tree=tree, test=test)
        programs.same_in_family(context, backend, name, command, suite.seconds, varies=True)
    return check


def suite_cases(context, suite):
    """The tests are known once the source is there; where it cannot be had one case says so."""
    try:
        programs.need_packages(context, ["dpkg-dev", "gcc"])
        tests = sorted(suite.tests(programs.source(context, suite.package, suite.prepare)))
    except (Skipped, Failed) as reason:
        def missing(reason=reason):
            raise reason
        return [Case(f"programs/{suite.program}/source@{backend}", missing)
                for backend in context.wanted]
    return [Case(f"programs/{suite.program}/{test}@{backend}",
                 check_of(context, backend, suite, test))
            for test in tests if test not in LEFT_OUT
            for backend in context.wanted]


def cases(context):
    if context.group != "programs":
        return []
    return [case for suite in SUITES for case in suite_cases(context, suite)]
