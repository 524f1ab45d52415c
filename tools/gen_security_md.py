#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Writes the tables of docs/security.md: the host system calls that a confined monitor may make.

usage: gen_security_md.py [--check]     (--check: only say whether the page is up to date)

Sources: monitor/core/host_calls.def (which calls, with which arguments, why), abi/hypercalls.def
(what needs them), the requests of monitor/backend/kvm/kvm.c and monitor/core/hyp_io.c, and the
kinds of families with their pinned numbers from tests/unit/test_confine.c, which counts them in the
compiled program: numbers that differ from the table's are an error.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/security.md"
CALLS = "monitor/core/host_calls.def"
HYPERCALLS = "abi/hypercalls.def"
PINNED = "tests/unit/test_confine.c"
OPTIONS = "monitor/core/net_options.h"
OWN = "monitor/core/confine_rules.c"
BEGIN = "<!-- tools/gen_security_md.py writes from here -->"
END = "<!-- to here -->"

STRING = r'"(?:[^"\\]|\\.)*"'
CONFIG = re.compile(r'^\t\{"([^"]+)", (true|false), (\d+), (true|false), (true|false), '
                    r"(true|false), (\w+), (\d+), (\d+)\},$", re.MULTILINE)
WHERE = {
    frozenset(): "all",
    frozenset({"WHEN_VM"}): "kvm",
    frozenset({"WHEN_HOST"}): "process",
    frozenset({"WHEN_VOLUMES"}): "with a volume",
    frozenset({"WHEN_WRITES"}): "with a writable volume",
    frozenset({"WHEN_HOST", "WHEN_NO_FSGSBASE"}): "process, no FSGSBASE",
    frozenset({"WHEN_NAMESPACED"}): "in namespaces",
    frozenset({"WHEN_PLAIN"}): "without namespaces",
    frozenset({"WHEN_GIFTS"}): "with a volume or sockets",
    frozenset({"WHEN_SOCKETS"}): "with sockets",
    frozenset({"WHEN_NET"}): "with --net",
    frozenset({"WHEN_PUBLISHED"}): "with published ports",
}
FDS = {
    "KIN_FD": "kin", "NOTIFY_FD": "the supervisor's eventfd", "KVM_FD": "/dev/kvm",
    "VM_FD": "the VM", "VCPU_FD": "the vCPU", "GIFT_FD": "the supervisor's gifts",
    "WATCH_FD": "the set's number",
    "STANDARD_FDS": "terminals",
}
CONSTANTS = {
    "NO_PATH": 'the empty path', "HOST_HOWS_READ": "one of the ways to look and read",
    "HOST_HOWS_WRITE": "one of the ways to write",
    "LINGERS": "off, or 0 seconds",
}


class TableError(Exception):
    pass


def source(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)


def split_arguments(text):
    """The arguments between the parentheses of a macro, at its top level."""
    found, depth, quoted, current = [], 0, False, ""
    for number, char in enumerate(text):
        if char == '"' and (number == 0 or text[number - 1] != "\\"):
            quoted = not quoted
        if not quoted and char in "([{":
            depth += 1
        if not quoted and char in ")]}":
            depth -= 1
        if char == "," and depth == 0 and not quoted:
            found.append(current.strip())
            current = ""
        else:
            current += char
    return found + [current.strip()]


def macros(text, name):
    """The contents of each NAME(...) of a text, parentheses matched outside of strings."""
    for start in re.finditer(rf"^{name}\(", text, re.MULTILINE):
        depth, quoted, at = 1, False, start.end()
        while depth:
            if at >= len(text):
                raise TableError(f"{name}( without an end")
            if text[at] == '"' and text[at - 1] != "\\":
                quoted = not quoted
            depth += 0 if quoted else {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        yield text[start.end():at - 1]


def literal(text):
    return "".join(part[1:-1] for part in re.findall(STRING, text)).replace('\\"', '"')


def macro(text):
    match = re.fullmatch(r"(\w+)\((.*)\)", text, re.DOTALL)
    if not match:
        raise TableError(f"{CALLS}: not a macro: {text}")
    return match[1], [" ".join(word.split()) for word in split_arguments(match[2])]


def read_calls():
    """Rows (name, why, rules); a rule is (set of conditions, tests); a test (kind, arguments)."""
    rows = []
    for content in macros(source(CALLS), "CALL"):
        name, why, *rules = split_arguments(content)
        found = []
        for rule in rules:
            kind, (when, *tests) = macro(rule)
            if kind != "RULE":
                raise TableError(f"{CALLS}: {name}: not a rule: {rule}")
            conditions = frozenset(word for word in re.split(r"\s*\|\s*", when) if word != "0")
            if conditions not in WHERE:
                raise TableError(f"{CALLS}: {name}: no name for {when}")
            found.append((conditions, [macro(test) for test in tests]))
        rows.append((name, literal(why), found))
    return sorted(rows)


def read_needs():
    """Which hypercalls need each host call."""
    needs = {}
    for content in macros(source(HYPERCALLS), "HYPERCALL"):
        name, _, host, _ = split_arguments(content)
        for call in macro(host)[1]:
            needs.setdefault(call, []).append(name)
    own = re.search(rf"own\[\] = ({STRING})", source(OWN))
    other = re.search(rf"own_without_fsgsbase\[\] = ({STRING})", source(OWN))
    for call in literal(own[1]).split(", ") + literal(other[1]).split(", "):
        needs.setdefault(call, []).append("(every monitor)")
    return needs


def read_configs():
    """(name, conditions that hold, pinned calls, pinned checked calls)"""
    found = []
    for name, host, volumes, writes, fsgsbase, plain, sockets, calls, checked in CONFIG.findall(
            source(PINNED)):
        holds = {"WHEN_HOST" if host == "true" else "WHEN_VM"}
        holds |= {"WHEN_VOLUMES"} if int(volumes) else set()
        holds |= {"WHEN_WRITES"} if writes == "true" else set()
        holds |= {"WHEN_NO_FSGSBASE"} if fsgsbase == "false" else set()
        holds |= {"WHEN_PLAIN" if plain == "true" else "WHEN_NAMESPACED"}
        if sockets != "NO_SOCKETS":
            holds |= {"WHEN_SOCKETS", "WHEN_PUBLISHED"}
        holds |= {"WHEN_NET"} if sockets == "MADE" else set()
        holds |= {"WHEN_GIFTS"} if int(volumes) or sockets != "NO_SOCKETS" else set()
        found.append((name, holds, int(calls), int(checked)))
    if not found:
        raise TableError(f"{PINNED}: no kinds of families")
    return found


def counted(rows, holds):
    calls = checked = 0
    for _, _, rules in rows:
        mine = [tests for conditions, tests in rules if conditions <= holds]
        calls += bool(mine)
        checked += bool(mine) and all(mine)
    return calls, checked


def requests():
    """Which ioctls there are for each descriptor."""
    kvm = re.findall(r"\{(KVM_\w+), IOCTL_ON_(\w+)\}", source("monitor/backend/kvm/kvm.c"))
    tty = re.findall(r"^\t\{(\w+), sizeof", source("monitor/core/hyp_io.c"), re.MULTILINE)
    if not kvm or not tty:
        raise TableError("no tables of ioctls")
    found = {"STANDARD_FDS": tty}
    for request, on in kvm:
        found.setdefault(f"{on}_FD", []).append(request)
    return found


def expanded(words):
    """Names of a list; those of lists of options are replaced by what they stand for."""
    lists = dict(re.findall(r"#define ([SG]ET_\w+)((?:[^\n]*\\\n)*[^\n]*)", source(OPTIONS)))
    return [name for word in words
            for name in (re.findall(r"\w+", lists[word]) if word in lists else [word])]


def test_text(test, ioctls):
    """A test in words; arguments are numbered from 1 there, as in a manual page."""
    kind, words = test
    first = f"{int(words[0]) + 1}:"
    rest = ", ".join(words[1:])
    code = f"`{rest}`"
    return {
        "FD": lambda: f"{first} a descriptor above 2",
        "ANY_FD": lambda: f"{first} a descriptor",
        "STANDARD_FD": lambda: f"{first} 0, 1 or 2",
        "OWN_FD": lambda: f"{first} a descriptor above 2, none of the family's",
        "FAMILY_FD": lambda: f"{first} {FDS[rest]}",
        "PUBLISHED_FD": lambda: f"{first} a published port's",
        "PROCESS": lambda: f"{first} a process, not a group",
        "INT": lambda: f"{first} {code}",
        "INT_BITS": lambda: f"{first} no bits but {code}",
        "INT_MASKED": lambda: f"{first} of the bits `{words[1]}` "
                              + ("none" if words[2] == "0" else f"`{words[2]}`"),
        "UP_TO": lambda: f"{first} up to {code}",
        "ONE_OF": lambda: f"{first} " + " or ".join(f"`{word}`" for word in expanded(words[1:])),
        "REQUEST": lambda: f"{first} " + ", ".join(f"`{word}`" for word in ioctls[rest]),
        "WORD": lambda: f"{first} exactly {code}",
        "PROTECTION": lambda: f"{first} `PROT_READ | PROT_WRITE`, with process `PROT_EXEC`",
        "POINTS_TO": lambda: f"{first} {CONSTANTS[rest]}",
        "KIN_WORD": lambda: f"{first} in kin",
        "PRIVATE_RANGE": lambda: f"{first[:-1]} and {int(words[1]) + 1}: in private memory",
    }[kind]()


def call_row(row, needs, ioctls):
    name, why, rules = row
    wheres = {WHERE[conditions] for conditions, _ in rules}
    lines = []
    for conditions, tests in rules:
        text = "; ".join(test_text(test, ioctls)
                         for test in sorted(tests, key=lambda test: test[1][0])) or "any"
        only = f"({WHERE[conditions]}) " if len(wheres) > 1 and conditions else ""
        lines.append(only + text)
    where = "all" if "all" in wheres else ", ".join(sorted(wheres))
    by = ", ".join(needs.get(name, []))
    cells = [f"`{name}`", where, "<br>".join(lines), why, by]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def tables():
    rows, needs, ioctls = read_calls(), read_needs(), requests()
    lines = ["| Family | Host calls | with checked arguments |", "|---|---:|---:|"]
    for name, holds, calls, checked in read_configs():
        if counted(rows, holds) != (calls, checked):
            raise TableError(f"{PINNED}: {name}: {calls} calls, {checked} checked; {CALLS} has "
                             "{} and {}".format(*counted(rows, holds)))
        lines.append(f"| {name} | {calls} | {checked} |")
    lines += ["", "Arguments are numbered from 1; of an int only its 32 bits count, as in the host "
              "kernel. A row of alternatives allows a call if one of them fits; everything else "
              "ends the member.", "",
              "| Call | Families | Arguments | Why | For the hypercalls |", "|---|---|---|---|---|"]
    lines += [call_row(row, needs, ioctls) for row in rows]
    return "\n".join(lines)


def main():
    try:
        page = PAGE.read_text(encoding="utf-8")
        head, rest = page.split(BEGIN)
        text = head + BEGIN + "\n" + tables() + "\n" + END + rest.split(END)[1]
    except (OSError, TableError, ValueError, IndexError) as error:
        print(f"gen_security_md: {error}", file=sys.stderr)
        return 1
    if "--check" in sys.argv[1:]:
        if page == text:
            return 0
        print("docs/security.md:1: not what the tables say; run make docs")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
