#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Writes the table of docs/families.md: what can be asked of a living family over its socket.

usage: gen_requests_md.py [--check]     (--check: only say whether the page is up to date)

Source: monitor/families/requests.def.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/families.md"
TABLE = ROOT / "monitor/families/requests.def"
BEGIN = "<!-- tools/gen_requests_md.py writes from here -->"
END = "<!-- to here -->"

REQUEST = re.compile(r'^REQUEST\((\w+), "([^"]*)",\s*"([^"]*)"(.*?)\)$', re.MULTILINE | re.DOTALL)
ARGUMENT = re.compile(r'(OPTIONAL_)?(NUMBER|TEXTS?)\((\w+), ([^,]+), ([^,]+), "([^"]*)"\)')
UNITS = {"NUMBER": "", "TEXT": " bytes", "TEXTS": " texts"}


def table():
    text = re.sub(r"/\*.*?\*/", "", TABLE.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = REQUEST.findall(text)
    if len(found) != len(re.findall(r"^REQUEST\(", text, re.MULTILINE)) or not found:
        sys.exit(f"{TABLE}: a request that this tool cannot read")
    lines = ["| Request | Arguments | Answer | What it is |", "|---|---|---|---|"]
    for name, answer, what, rest in found:
        arguments = "<br>".join(
            f"`{argument}`: {meaning} ({least} to {most}{UNITS[kind]}"
            f"{', may be missing' if optional else ''})"
            for optional, kind, argument, least, most, meaning in ARGUMENT.findall(rest))
        members = ", ".join(f"`{member}`" for member in answer.split(", ") if member)
        lines.append(f"| `{name}` | {arguments} | {members} | {what} |")
    return "\n".join(lines)


def main():
    old = PAGE.read_text(encoding="utf-8")
    head, begin, rest = old.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{PAGE}: no place for the table")
    new = f"{head}{BEGIN}\n{table()}\n{END}{tail}"
    if "--check" in sys.argv[1:]:
        if new != old:
            sys.exit("docs/families.md is out of date: tools/gen_requests_md.py (make docs)")
    elif new != old:
        PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
