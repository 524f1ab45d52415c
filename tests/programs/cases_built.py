# SPDX-License-Identifier: ISC
"""The suites of coreutils, findutils, tar, xz and git, with what they want built beside them.

The programs under test are the installed ones; only helpers are built from the source packages.
coreutils' and findutils' tests report by exit status (77 is a skip) and are run in batches.
"""

import re

from harness import programs
from harness.suites import Suite, batches, build, suite_cases, tap

# Stands for a helper that coreutils' build makes: the limits of x86-64 as shell assignments.
LIMITS = {"CHAR": (-2**7, 2**7 - 1), "SCHAR": (-2**7, 2**7 - 1), "UCHAR": (0, 2**8 - 1),
          "SHRT": (-2**15, 2**15 - 1), "INT": (-2**31, 2**31 - 1), "UINT": (0, 2**32 - 1),
          "LONG": (-2**63, 2**63 - 1), "ULONG": (0, 2**64 - 1), "SIZE": (0, 2**64 - 1),
          "SSIZE": (-2**63, 2**63 - 1), "TIME_T": (-2**63, 2**63 - 1), "UID_T": (0, 2**32 - 1),
          "GID_T": (0, 2**32 - 1), "PID_T": (-2**31, 2**31 - 1), "OFF_T": (-2**63, 2**63 - 1),
          "INTMAX": (-2**63, 2**63 - 1), "UINTMAX": (0, 2**64 - 1)}
FLOATS = ("FLT_MIN=1.175494e-38 FLT_MAX=3.402823e+38 DBL_MIN=2.225074e-308 DBL_MAX=1.797693e+308 "
          "LDBL_MIN=3.362103e-4932 LDBL_MAX=1.189731e+4932")


def prepare_coreutils(tree):
    words = [FLOATS]
    for name, (low, high) in LIMITS.items():
        words.append(f"{name}_MAX={high} {name}_OFLOW={high + 1}")
        if low:
            words.append(f"{name}_MIN={low} {name}_UFLOW={low - 1}")
    helper = tree / "src" / "getlimits"
    (tree / "src" / "ginstall").unlink(missing_ok=True)
    helper.write_text("#!/bin/sh\ncat <<END\n" + "\n".join(words) + "\nEND\n", encoding="ascii")
    helper.chmod(0o755)
    (tree / "src" / "ginstall").symlink_to("/usr/bin/install")


GNULIB = """mkdir src && cd src && ln -s {tree}/src/getlimits {tree}/src/ginstall . 2>/dev/null
cd .. && export srcdir={tree} top_srcdir={tree} abs_srcdir={tree} abs_top_srcdir={tree}
export abs_top_builddir=$PWD CONFIG_HEADER=/dev/null SHELL=/bin/bash AWK=awk PERL=perl TMPDIR=$WORK
export built_programs="$(dpkg -L %s | sed -n 's,.*/s*bin/,,p' | tr '\\n' ' ')"
. {tree}/tests/lang-default
for test in {test}; do
	case $test in
	*.sh) timeout 300 bash {tree}/tests/$test ;;
	*) timeout 300 perl -w -I{tree}/tests -MCuSkip -MCoreutils \\
		-M"CuTmpdir qw($(echo $test | tr / -))" {tree}/tests/$test ;;
	esac >log 2>&1 9>/dev/null </dev/null
	echo "$test $?"
done"""

SLOW = "runs for more than five seconds natively"
COREUTILS_LEFT_OUT = {
    "cp/same-file.sh": SLOW, "cp/sparse-extents-2.sh": SLOW, "dd/no-allocate.sh": SLOW,
    "du/long-sloop.sh": SLOW, "du/threshold.sh": SLOW, "misc/help-version.sh": SLOW,
    "misc/od-multiple-t.sh": SLOW, "misc/sort-compress.sh": SLOW,
    "misc/usage_vs_getopt.sh": SLOW, "misc/wc-parallel.sh": SLOW,
    "split/line-bytes.sh": SLOW,
    "df/df-symlink.sh": "wants the device behind / to be a path, which it is in no overlay",
    "factor/create-test.sh": "makes tests instead of being one",
    "factor/run.sh": "needs generated tests",
}


# What a test's text says when it needs what no family has (docs/caveats.md).
NEEDS = {
    r"valgrind": "runs under valgrind",
    r"mkfs|^ *mount |mount -|\bunshare\b": "mounts a file system",
    r"chattr": "needs the flags of ext4",
}


def gnulib_tests(tree, program, left_out=()):
    names = []
    for path in sorted([*(tree / "tests").glob("*/*.sh"), *(tree / "tests").glob("*/*.pl")]):
        name, text = str(path.relative_to(tree / "tests")), path.read_text(encoding="latin-1")
        reason = next((NEEDS[word] for word in NEEDS if re.search(word, text, re.MULTILINE)), None)
        if reason and name not in left_out:
            programs.leave_out(program, f"`{name}`", reason)
        elif name not in left_out:
            names.append(name)
    return batches(names, 12)


def prepare_tar(tree):
    build(tree, "FORCE_UNSAFE_CONFIGURE=1 ./configure --disable-nls --disable-dependency-tracking "
          "CFLAGS=-O0", "make -j2", "make -C tests genfile checkseekhole ckmtime")


TAR = """ln -s {tree}/tests/atconfig {tree}/tests/atlocal . && export TEST_DATA_DIR=$WORK/none
PATH={tree}/tests:$PATH {tree}/tests/testsuite {test} AUTOTEST_PATH=/bin; rm -rf testsuite.dir"""


BIG_SPARSE = "reads a sparse file of more than eight gigabytes to its end"
TAR_LEFT_OUT = {"119": "mounts a file system, which nobody in a family can",
                "167": BIG_SPARSE, "169": BIG_SPARSE}


def tar_tests(tree):
    text = (tree / "tests" / "testsuite").read_text(encoding="latin-1")
    count = len(re.findall(r"^#AT_START_\d+$", text, re.MULTILINE))
    return {f"{at:03d}-{min(at + 19, count):03d}":
            " ".join(str(number) for number in range(at, min(at + 20, count + 1))
                     if str(number) not in TAR_LEFT_OUT)
            for at in range(1, count + 1, 20)}


def prepare_xz(tree):
    build(tree, "./configure --disable-nls --disable-shared --disable-doc CFLAGS=-O1", "make -j2",
          "make -C tests check TESTS=")


XZ = """mkdir -p tests src/xz src/xzdec src/scripts && cp {tree}/config.h . &&
ln -s /usr/bin/xz src/xz && ln -s {tree}/src/xzdec/xzdec src/xzdec &&
ln -s /usr/bin/xzdiff /usr/bin/xzgrep src/scripts && cd tests && export srcdir={tree}/tests &&
ln -s {tree}/tests/create_compress_files . && {test}"""


def xz_tests(tree):
    found = {path.stem: f"{tree}/tests/{path.stem}"
             for path in (tree / "tests").glob("test_*.c")}
    for name in ("test_files", "test_scripts"):
        found[name] = f"sh {tree}/tests/{name}.sh"
    for name in ("abc", "random", "text"):
        found[f"compress-{name}"] = f"sh {tree}/tests/test_compress.sh compress_generated_{name}"
    return found


def prepare_git(tree):
    build(tree, "make -j2 CFLAGS=-O0 NO_CURL=1 NO_EXPAT=1 NO_GETTEXT=1 NO_OPENSSL=1 NO_TCLTK=1 "
          "NO_PERL=1 NO_PYTHON=1 GIT-BUILD-OPTIONS t/helper/test-tool", "make -C templates")


# Of a thousand files those about creating, storing, starting programs, packs, merging, transport.
GIT_TESTS = """t0001-init t0005-signals t0021-conversion t0061-run-command t1006-cat-file
t1050-large t1300-config t1400-update-ref t2000-conflict-when-checking-files-out t3200-branch
t3905-stash-include-untracked t4013-diff-various t5000-tar-tree t5300-pack-object t5510-fetch
t5516-fetch-push t5601-clone t6300-for-each-ref t7502-commit-porcelain t7600-merge
t9300-fast-import""".split()

GIT = """cd {tree}/t && GIT_TEST_INSTALLED=/usr/bin TEST_OUTPUT_DIRECTORY=$WORK sh ./{test}.sh \\
--root=$WORK/trash"""

SUITES = [
    Suite("coreutils' tests", "coreutils",
          lambda tree: gnulib_tests(tree, "coreutils' tests", COREUTILS_LEFT_OUT),
          GNULIB % "coreutils", 500,
          prepare_coreutils, needs=("strace",), left_out=COREUTILS_LEFT_OUT),
    Suite("findutils' tests", "findutils", lambda tree: gnulib_tests(tree, "findutils' tests"),
          GNULIB % "findutils", 300),
    Suite("tar's tests", "tar", tar_tests, TAR, 300, prepare_tar, left_out=TAR_LEFT_OUT),
    Suite("xz's tests", "xz-utils", xz_tests, XZ, 300, prepare_xz),
    Suite("git's tests", "git", lambda tree: GIT_TESTS, GIT, 600, prepare_git,
          needs=("zlib1g-dev",), only=tap),
]


def cases(context):
    if context.group != "programs":
        return []
    return [case for suite in SUITES for case in suite_cases(context, suite)]
