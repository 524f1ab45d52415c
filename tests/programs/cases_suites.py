# SPDX-License-Identifier: ISC
"""The suites of bash, perl, gawk, sed and grep, which run as they are unpacked; see suites.py."""

import os
import pathlib
import shutil

from harness.suites import Suite, build, suite_cases, tap

# Of bash: helpers that its tests call, from its own folder support/.
BASH_HELPERS = ("recho", "zecho", "xcase", "printenv")


def prepare_bash(tree):
    (tree / "config.h").touch()
    build(tree, *[f"gcc -w -DHAVE_STRING_H -DHAVE_STDLIB_H -DHAVE_UNISTD_H -I. -Iinclude "
                  f"-o tests/{name} support/{name}.c" for name in BASH_HELPERS])


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

PERL = """mkdir t && cp {tree}/t/*.pl {tree}/t/TEST t &&
ln -s {tree}/t/lib {tree}/t/op {tree}/t/io t && ln -s {tree}/installed lib &&
ln -s /usr/bin/perl perl && ln -s /usr/bin/perl t/perl && touch MANIFEST &&
cd t && PERL_SKIP_TTY_TEST=1 PERL_HASH_SEED=0 PERL_RAND_SEED=1 ./perl {test}"""

# Every program of gawk's tests that begins with one letter, with its input if there is one. Some
# write for ever without the arguments of their makefile. nonfatal1 wants a message of AF_INET's.
GAWK = """cp -a {tree}/test . && cd test && rm nonfatal1.awk && for script in {test}*.awk; do
	input=${{script%.awk}}.in; test -f $input || input=/dev/null; echo "== $script"
	(timeout 60 gawk -f $script <$input; echo "status $?") 2>&1 | head -c 100000; done"""

SED = """cp -a {tree}/testsuite . && cd testsuite && for script in *.sed; do
	input=${{script%.sed}}.inp; test -f $input || input=/dev/null; echo "== $script"
	timeout 60 sed -f $script <$input; echo "status $?"; done"""

GREP = """cp -a {tree}/tests . && mkdir src && cd tests &&
srcdir=. abs_srcdir=$PWD abs_top_srcdir={tree} AWK=gawk LOCALE_FR=none LOCALE_FR_UTF8=none \
CONFIG_HEADER=/dev/null timeout 300 sh ./{test}"""

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


def any_order(output):
    """grep -r follows the order of a directory's entries, which no two file systems share."""
    return b"\n".join(sorted(output.split(b"\n")))


DRIVER = "starts all the others"
SUITES = [
    Suite("bash's tests", "bash", bash_tests, BASH, 240, prepare_bash,
          left_out={"run-all": DRIVER, "run-minimal": DRIVER,
                    "run-gprof": "needs a profiled bash",
                    "run-read": "a time-out of 10 us: what comes first depends on the machine"}),
    Suite("perl's tests", "perl", perl_tests, PERL, 120, prepare_perl, only=tap,
          left_out={"op/time_loop.t": "only measures time",
                    "io/socket.t": "needs sockets of the Internet"}),
    Suite("gawk's tests", "gawk", lambda tree: GAWK_LETTERS, GAWK, 120),
    Suite("sed's tests", "sed", lambda tree: ["all"], SED, 60),
    Suite("grep's tests", "grep", grep_tests, GREP, 90, only=any_order,
          left_out={"big-hole": "only measures time",
                    "long-line-vs-2GiB-read": "only measures memory",
                    "init.sh": "is included by the others",
                    "init.cfg": "is included by the others"}),
]


def cases(context):
    if context.group != "programs":
        return []
    return [case for suite in SUITES for case in suite_cases(context, suite)]
