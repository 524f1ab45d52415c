# SPDX-License-Identifier: ISC
"""The tree itself: sizes, includes and licences (tools/check.py), and that generated documents are
as their sources say."""

import subprocess
import sys

from harness.cases import Case, TESTS, require

TOP = TESTS.parent


def tool(*command):
    def check():
        done = subprocess.run([sys.executable, *command], cwd=TOP, timeout=60, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        require(done.returncode == 0, done.stdout.decode(errors="replace")[-4000:])
    return check


def cases(_context):
    return [Case("tree/layout", tool("tools/check.py")),
            Case("tree/syscalls.md", tool("tools/gen_syscalls_md.py", "--check")),
            Case("tree/security.md", tool("tools/gen_security_md.py", "--check")),
            Case("tree/locks.md", tool("tools/gen_locks_md.py", "--check")),
            Case("tree/families.md", tool("tools/gen_requests_md.py", "--check")),
            Case("tree/layers", tool("tools/layers.py", "--check"))]
