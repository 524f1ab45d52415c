# SPDX-License-Identifier: ISC
"""Debian's dynamically linked shells and tools under the scripts of tests/programs/scripts/.

A script's first lines say what it needs:

    # program: git            its row in docs/programs.md
    # shell: /bin/bash        /bin/sh unless given
    # packages: git gzip      Debian packages; installed if missing
    # sources: lua5.4         Debian source packages; their folder is $SRC
    # timeout: 60             seconds on the slowest backend
    # quick                   belongs to `make test`
"""

import pathlib
import re

from harness import programs
from harness.cases import Case

SCRIPTS = pathlib.Path(__file__).resolve().parent / "scripts"


def fields(script):
    text = script.read_text(encoding="utf-8")
    found = dict(re.findall(r"^# (program|shell|packages|sources|timeout): (.*)$", text,
                            re.MULTILINE))
    found["quick"] = bool(re.search(r"^# quick$", text, re.MULTILINE))
    return found


def check_of(context, backend, script, head):
    def check():
        programs.need_packages(context, head.get("packages", "").split())
        command = f"{head.get('shell', '/bin/sh')} {script}"
        for package in head.get("sources", "").split():
            command = f"SRC={programs.source(context, package)} {command}"
        programs.same_in_family(context, backend, script.stem, command,
                                float(head.get("timeout", 60)))
    return check


def cases(context):
    found = []
    for script in sorted(SCRIPTS.glob("*.sh")):
        head = fields(script)
        for backend in context.wanted:
            found.append(Case(f"programs/{head['program']}/{script.stem}@{backend}",
                              check_of(context, backend, script, head), quick=head["quick"]))
    return found
