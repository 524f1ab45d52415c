#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Checks the rules of size, licence lines, names, layers and include directions, locks in kin, and
who may signal processes and read kin on the host side; prints file:line messages.

usage: check.py [FILE...]     (without files: everything that git tracks or would track)

Functions are measured from a `{` in column 0 to the next `}` in column 0. Exit status 1 if a rule
is broken.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import layers
import locks

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
TABLES = ("kernel/syscall/syscalls.def", "kernel/arch/syscall_numbers.h")
# The command line uses what the monitor declares for it, not how a backend works.
CLI_FORBIDDEN = ("monitor/backend/",)

# A freestanding kernel has the compiler's headers, the ABI of Linux, and queues and trees.
KERNEL_SYSTEM = re.compile(
    r"^(std(arg|align|atomic|bool|def|int|noreturn)\.h|limits\.h|elf\.h|cpuid\.h|"
    r"(linux|asm|asm-generic)/.*|sys/queue\.h|bsd/sys/(queue|tree)\.h)$")

# Includes that go up in kernel/ all the same (tools/layers.py has the order), each with its reason.
# An exception that is no longer needed is a mistake, too.
LAYER_EXCEPTIONS = {
}

# File names are unique over these folders.
NAMED_ONCE = ("abi/", "common/", "kernel/", "monitor/", "cli/")
NAMED_SUFFIXES = {".c", ".h", ".S", ".def", ".ld"}

# The architecture's own headers: what others may know of it lies in kernel/arch.
ARCH_PRIVATE = "kernel/arch/x86_64/"

# What the rest of the kernel includes of it: one header, and the hooks that it defines.
ARCH_PUBLIC = ("kernel/arch/arch.h", "kernel/arch/arch_hooks.h")
# What belongs to one processor: registers, their areas, instructions, the page at PERCPU_ADDR.
ARCH_WORDS = re.compile(
    r"\b(?:[er](?:ax|bx|cx|dx|si|di|bp|sp|ip)|r(?:8|9|1[0-5])|orig_rax|[er]flags|[fg]s_?base\w*|"
    r"\w*xsave\w*|fpu_\w+|rdtsc\w*|cpuid|__asm__|asm\s+volatile|PERCPU\w*|x86_64|USER_[CS]S)\b")

# The order of stores is spelled in one way (locks are made of it themselves).
ORDER_WORDS = re.compile(r"\b__ATOMIC_(?:RELEASE|ACQUIRE|ACQ_REL|SEQ_CST|CONSUME)\b|"
                         r"\bmemory_order_(?:release|acquire|acq_rel|seq_cst|consume)\b|"
                         r"\batomic_(?:thread|signal)_fence\b|#\s*define\s+publish\b")
ORDER_FILES = ("kernel/arch/", "kernel/lib/order.h", "kernel/kin/kin_lock.c")

# Who on the host side may signal a process.
SIGNALLING = re.compile(r"\b(?:t?g?kill|tkill|killpg|sigqueue|pidfd_send_signal)\s*\(|"
                        r"\bSYS_(?:t?g?kill|tkill|pidfd_send_signal|rt_t?g?sigqueueinfo)\b")
SIGNALLERS = {
    "monitor/supervisor/child.c": "children of the supervisor, which are checked to be that",
    "monitor/supervisor/front.c": "its own child, the supervisor",
    "monitor/supervisor/host_proc.c": "the host's list of the supervisor's children",
    "monitor/supervisor/net_user.c": "the minder's own child, pasta",
    "monitor/supervisor/limits.c": "a victim that the host's list of children names",
    "monitor/core/sleep.c": "a kick, in a PID namespace where there is nobody but the family",
}

# monitor/supervisor reads fields of kin once, through KIN_READ (monitor/core/kin_access.h).
KIN_READERS = "monitor/supervisor/"
KIN_READ_EXCEPTIONS = {
    "monitor/supervisor/limits.c": "to be rewritten",
    "monitor/supervisor/usage.c": "to be rewritten",
}
KIN_POINTER = re.compile(r"\bstruct kin_(?:header|member)\s*\*\s*(\w+)")
KIN_ACCESS = r"(?:\w+(?:->|\.))*(?:%s)->\w+(?:\[[^\]]*\]|(?:->|\.)\w+)*"
# memcpy copies an array once into a local, too.
KIN_TAKES = re.compile(r"^(?:KIN_READ|KIN_WRITE|kin_\w+|memcpy|sizeof|ARRAY_SIZE|__typeof__)$")
KIN_ASSIGNED = re.compile(r"\s*(?:=(?!=)|[-+|&^]=|\+\+|--)")

# The one way to what <linux/stat.h> defines, whatever was included before.
MODES = "kernel/lib/modes.h"

# Only kernel/host/ leaves the machine, through an entry stub of kernel/arch/. The structures of
# abi/hypercall.h may be used elsewhere, the numbers and the frame may not.
HYPERCALL_FOLDERS = ("kernel/host/", "kernel/arch/")
HYPERCALL_USE = re.compile(r'\bHYP_[a-z]|\bHYPERCALL_(PORT|ADDR)\b|abi/hypercalls\.def|'
                           r'"[^"]*\b(out[bwl]?\s+%|vmcall|vmmcall)')


# Where the linker's script puts variables by their names.
SCRIPT = "kernel/arch/x86_64/kernel.ld"
SCRIPT_SECTION = re.compile(r"\.bss\.(\w+)")

exceptions_used = set()


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


def check_layer(name, number, target, report):
    if target.startswith(ARCH_PRIVATE) and not name.startswith(("kernel/arch/", "tests/")):
        report(name, number, f'"{target}" is private to the architecture; see kernel/arch/')
    if (target.startswith("kernel/arch/") and target not in ARCH_PUBLIC
            and name.startswith("kernel/") and not name.startswith("kernel/arch/")):
        report(name, number, f'of the architecture include "{ARCH_PUBLIC[0]}" only')
    if not layers.goes_up(name, target):
        return
    if (name, target) in LAYER_EXCEPTIONS:
        exceptions_used.add((name, target))
        return
    report(name, number, f'kernel/{layers.room_of(name)} must not include "{target}", which is not '
                         f"below it (docs/adr/0006; order: tools/layers.py)")


def check_rooms(report):
    for path in sorted({layers.room_of(layers.relative(p)) for p in layers.sources()} - {None}):
        if path not in layers.LEVEL:
            report(f"kernel/{path}", 1, "this room has no place in the order: tools/layers.py")


def check_declarations(report):
    """A function is declared by the room that defines it, or is a hook of one below that."""
    for header, function, rooms in layers.declarations():
        room = layers.room_of(header)
        if not rooms:
            report(header, 1, f"{function} is defined nowhere")
        elif not layers.is_hooks(header) and room not in rooms:
            report(header, 1, f"{function} is defined in kernel/{min(rooms)}: declare it there, or "
                              f"in kernel/{room}/*_hooks.h if kernel/{room} has to call it")
        elif layers.is_hooks(header) and min(map(layers.LEVEL.get, rooms)) <= layers.LEVEL[room]:
            report(header, 1, f"{function} is no hook: kernel/{min(rooms)} is not above")


def check_locks(report):
    """Every lock in kin has a rank, and every field beside one says which lock it has."""
    for path, line, what in locks.look()[1]:
        report(path, line, what)


def check_names(names, report):
    places = {}
    for name in names:
        path = Path(name)
        if name.startswith(NAMED_ONCE) and path.suffix in NAMED_SUFFIXES:
            places.setdefault(path.name, []).append(name)
    for base, found in sorted(places.items()):
        for name in found[1:]:
            report(name, 1, f"{found[0]} has the same name: say in each what it holds")


def check_script(names, report):
    """What the linker's script names is there: it takes no notice of a name that nothing has."""
    sources = [uncommented((ROOT / name).read_text(encoding="utf-8")) for name in names
               if name.startswith("kernel/") and name.endswith(".c")]
    for number, line in enumerate((ROOT / SCRIPT).read_text(encoding="utf-8").splitlines(), 1):
        for name in SCRIPT_SECTION.findall(line):
            variable = re.compile(rf"^\s*(?:\}}|(?:static|struct|_Atomic|[us]\d+)\b)[^(;]*\b{name}"
                                  r"(?:\[|\s*[;=,]|\s+__attribute__)", re.MULTILINE)
            if not any(variable.search(text) for text in sources):
                report(SCRIPT, number, f"no variable in kernel/ has the name {name}")


def blanked(text):
    """Without comments and strings, every character in its place."""
    return re.sub(r'/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)\'',
                  lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.DOTALL)


def uncommented(text):
    """Without comments, every character in its place."""
    return re.sub(r'/\*.*?\*/|("(?:[^"\\\n]|\\.)*")',
                  lambda m: m.group(1) or re.sub(r"[^\n]", " ", m.group()), text, flags=re.DOTALL)


def check_signalling(name, text, report):
    if not name.startswith("monitor/") or name in SIGNALLERS:
        return
    for match in SIGNALLING.finditer(text):
        report(name, text.count("\n", 0, match.start()) + 1,
               f"{match.group().rstrip('( ')}: tools/check.py lists who may signal processes")


def check_arch_words(name, text, report):
    """text is without comments; strings count, as they name registers, too."""
    if not name.startswith("kernel/") or name.startswith("kernel/arch/"):
        return
    for match in ARCH_WORDS.finditer(text):
        line = text[text.rfind("\n", 0, match.start()) + 1:match.end()]
        if not INCLUDE.match(line):
            report(name, text.count("\n", 0, match.start()) + 1,
                   f"{match.group()} belongs behind kernel/arch/arch.h")


def check_order(name, text, report):
    if not name.startswith("kernel/") or name.startswith(ORDER_FILES):
        return
    for match in ORDER_WORDS.finditer(text):
        report(name, text.count("\n", 0, match.start()) + 1,
               f"{match.group()}: kernel/lib/order.h has the words for the order of stores")


def calls_around(text, position):
    """Names of the functions in whose arguments the position lies, to the statement's start."""
    depth = 0
    for at in range(position - 1, -1, -1):
        c = text[at]
        if c in ";{}":
            return
        if c == ")":
            depth += 1
        elif c == "(" and depth:
            depth -= 1
        elif c == "(":
            match = re.search(r"(\w+)\s*$", text[:at])
            if match:
                yield match.group(1)


def check_kin_reads(name, text, report):
    """
    A plain read of kin: not under KIN_READ, KIN_WRITE or a kin_*() helper, not under & or a cast to
    a pointer, not what is assigned to. Pointers are known by their declarations in the file, and
    `kin` as a field.
    """
    if not (name.startswith(KIN_READERS) and name.endswith(".c")) or name in KIN_READ_EXCEPTIONS:
        return
    pointers = set(KIN_POINTER.findall(text)) | {"kin"}
    for match in re.finditer(KIN_ACCESS % "|".join(sorted(pointers)), text):
        before = text[:match.start()].rstrip()
        if (before.endswith("&") and not before.endswith("&&")) or before.endswith("*)"):
            continue
        if KIN_ASSIGNED.match(text, match.end()):
            continue
        if any(KIN_TAKES.match(call) for call in calls_around(text, match.start())):
            continue
        report(name, text.count("\n", 0, match.start()) + 1,
               f"{match.group()} is read without KIN_READ: a member may change it meanwhile")


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
        check_layer(name, number, target, report)
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
    if path.suffix in (".c", ".h"):
        text = blanked("\n".join(lines))
        check_signalling(path.as_posix(), text, report)
        check_kin_reads(path.as_posix(), text, report)
        check_order(path.as_posix(), text, report)
        check_arch_words(path.as_posix(), uncommented("\n".join(lines)), report)


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
    given = [os.path.relpath(os.path.abspath(a), ROOT) for a in sys.argv[1:]]
    names = given or source_files()
    report = Report()
    sizes = []
    for name in names:
        check_file(Path(name), report, sizes)
    check_functions(sizes, report)
    if not given:
        check_names(names, report)
        check_script(names, report)
        check_rooms(report)
        check_declarations(report)
        check_locks(report)
        for exception in LAYER_EXCEPTIONS.keys() - exceptions_used:
            report("tools/check.py", 1, f"{exception} is no longer needed: LAYER_EXCEPTIONS")
    print(f"check: {len(names)} files, {len(sizes)} functions, {report.count} violations")
    return 1 if report.count else 0


if __name__ == "__main__":
    sys.exit(main())
