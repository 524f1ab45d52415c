#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Checks the rules of size, licence lines and include directions; prints file:line messages.

usage: check.py [FILE...]     (without files: everything that git tracks or would track)

Functions are measured from a `{` in column 0 to the next `}` in column 0. Exit status 1 if a rule
is broken.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

MAX_COLUMNS = 100
TAB = 4
MAX_FILE_LINES = {".c": 900, ".h": 250}
FUNCTION_LONG = 60
FUNCTION_MAX = 100
LONG_SHARE = 0.04

COLUMN_SUFFIXES = {".c", ".h", ".S", ".ld", ".py", ".sh"}
SPDX_SUFFIXES = COLUMN_SUFFIXES | {".def", ".build"}
SPDX_NAMES = {"Makefile", "meson_options.txt", "run"}
SPDX = "SPDX-License-Identifier: ISC"

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')

# Which folders a quoted include may name, by the including file's place; the first match counts.
DIRECTIONS = [
    ("kernel/", ("abi/", "common/", "kernel/")),
    ("monitor/", ("abi/", "common/", "monitor/")),
    ("cli/", ("abi/", "common/", "monitor/", "cli/")),
    ("common/", ("abi/", "common/")),
    ("abi/", ("abi/", "common/")),
]
# Tables that are data, not interface: their names may be printed anywhere.
TABLES = ("kernel/syscall/syscalls.def",)
# The command line uses what the monitor declares for it, not how a backend works.
CLI_FORBIDDEN = ("monitor/backend/",)

# A freestanding kernel has the compiler's headers, the ABI of Linux, and queues and trees.
KERNEL_SYSTEM = re.compile(
    r"^(std(arg|align|atomic|bool|def|int|noreturn)\.h|limits\.h|elf\.h|cpuid\.h|"
    r"(linux|asm|asm-generic)/.*|sys/queue\.h|bsd/sys/(queue|tree)\.h)$")

# The one way to what <linux/stat.h> defines, whatever was included before.
MODES = "kernel/lib/modes.h"

# Only kernel/host/ leaves the machine, through an entry stub of kernel/arch/. The structures of
# abi/hypercall.h may be used elsewhere, the numbers and the frame may not.
HYPERCALL_FOLDERS = ("kernel/host/", "kernel/arch/")
HYPERCALL_USE = re.compile(r'\bHYP_[a-z]|\bHYPERCALL_(PORT|ADDR)\b|abi/hypercalls\.def|'
                           r'"[^"]*\b(out[bwl]?\s+%|vmcall|vmmcall)')


class Report:
    def __init__(self):
        self.count = 0

    def __call__(self, path, line, message):
        self.count += 1
        print(f"{path}:{line}: {message}")


def source_files():
    """All files of the project, relative to ROOT."""
    git = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT,
                         capture_output=True, text=True)
    if git.returncode == 0:
        return sorted(name for name in set(git.stdout.splitlines()) if (ROOT / name).is_file())
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [f for f in folders if not f.startswith((".", "build")) and f != "__pycache__"]
        found += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names]
    return sorted(found)


def needs_spdx(path):
    return path.suffix in SPDX_SUFFIXES or path.name in SPDX_NAMES


def check_spdx(path, lines, report):
    first = 1 if lines and lines[0].startswith("#!") else 0
    if len(lines) <= first or SPDX not in lines[first]:
        report(path, first + 1, f"the first line must say {SPDX}")


def check_columns(path, lines, report):
    for number, line in enumerate(lines, 1):
        width = len(line.expandtabs(TAB))
        if width > MAX_COLUMNS:
            report(path, number, f"{width} columns, {MAX_COLUMNS} allowed")
        if line != line.rstrip():
            report(path, number, "white space at the end of the line")


def functions(lines):
    """Yields (line number, name, length in lines) of each function."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            # The name stands in the nearest line above that begins in column 0.
            name = ""
            for above in reversed(lines[:start - 1]):
                if above and not above[0].isspace():
                    match = re.search(r"(\w+)\s*\(", above)
                    name = match.group(1) if match else above.strip()
                    break
            yield start, name, number - start + 1
            start = None


def allowed_folders(name):
    for prefix, allowed in DIRECTIONS:
        if name.startswith(prefix):
            return allowed
    return None


def check_includes(path, lines, report):
    name = path.as_posix()
    allowed = allowed_folders(name)
    if allowed is None:
        return
    folder = name.split("/", 1)[0]
    for number, line in enumerate(lines, 1):
        if folder == "kernel" and not name.startswith(HYPERCALL_FOLDERS):
            if HYPERCALL_USE.search(line):
                report(path, number, "only kernel/host/ makes hypercalls")
        match = INCLUDE.match(line)
        if not match:
            continue
        kind, target = match.groups()
        if kind == "<":
            if folder in ("kernel", "common") and not KERNEL_SYSTEM.match(target):
                report(path, number, f"<{target}> is not for freestanding code")
            if folder == "kernel" and target == "linux/stat.h" and name != MODES:
                report(path, number, f"include {MODES}, which says why")
            continue
        if not target.startswith(allowed) and target not in TABLES:
            report(path, number, f'{folder}/ must not include "{target}" '
                                 f"(allowed: {' '.join(allowed)})")
        if folder == "cli" and target.startswith(CLI_FORBIDDEN):
            report(path, number, f'cli/ must not include "{target}", a backend\'s own header')


def check_file(path, report, sizes):
    try:
        lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return
    if needs_spdx(path):
        check_spdx(path, lines, report)
    if path.suffix in COLUMN_SUFFIXES:
        check_columns(path, lines, report)
    limit = MAX_FILE_LINES.get(path.suffix)
    if limit and len(lines) > limit:
        report(path, limit, f"{len(lines)} lines, {limit} allowed")
    if path.suffix in (".c", ".h"):
        sizes += [(path, number, name, length) for number, name, length in functions(lines)]
    if path.suffix in (".c", ".h", ".S", ".def"):
        check_includes(path, lines, report)


def check_functions(sizes, report):
    for path, number, name, length in sizes:
        if length > FUNCTION_MAX:
            report(path, number, f"{name} has {length} lines, {FUNCTION_MAX} allowed")
    long = [size for size in sizes if size[3] > FUNCTION_LONG]
    if len(long) > LONG_SHARE * len(sizes):
        for path, number, name, length in sorted(long, key=lambda size: -size[3]):
            report(path, number, f"{name} has {length} lines; {len(long)} of {len(sizes)} functions"
                                 f" are above {FUNCTION_LONG}, {LONG_SHARE:.0%} allowed")


def main():
    names = [os.path.relpath(os.path.abspath(a), ROOT) for a in sys.argv[1:]] or source_files()
    report = Report()
    sizes = []
    for name in names:
        check_file(Path(name), report, sizes)
    check_functions(sizes, report)
    print(f"check: {len(names)} files, {len(sizes)} functions, {report.count} violations")
    return 1 if report.count else 0


if __name__ == "__main__":
    sys.exit(main())
