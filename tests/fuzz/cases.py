# SPDX-License-Identifier: ISC
"""Random system calls in a family; its kernel neither panics nor hangs, whatever comes.

UNIFORK_FUZZ_SEED chooses the seed, which a failure names; UNIFORK_FUZZ_ROUNDS how many rounds of
two children. `unifork run --pids 64 -m 512M -- build/tests/fuzz/syscalls SEED ROUND 1 v` repeats a
round and names each call before it is made.
"""

import os
import random

from harness import guests
from harness.cases import Case, require, tail

ROUNDS = int(os.environ.get("UNIFORK_FUZZ_ROUNDS", "10000"))
CHUNK = 50
ROUND_S = 4
OPTIONS = ("--pids", "64", "-m", "512M")


def random_calls(context, backend, guest, seed, first):
    def check():
        program = [guest.binary(context.build), seed, first, CHUNK]
        result = context.in_family(backend, program, options=OPTIONS, timeout=ROUND_S * CHUNK)
        require(result.status == 0 and result.stdout == b"%d rounds\n" % CHUNK,
                f"seed {seed}, rounds from {first}: status {result.status}\n{tail(result)}")
        require(b"exception" not in result.stderr and b"panic" not in result.stderr,
                f"seed {seed}, rounds from {first}\n{tail(result)}")
    return check


def cases(context):
    guest = next(g for g in guests.guests("fuzz") if g.name == "syscalls")
    seed = int(os.environ.get("UNIFORK_FUZZ_SEED", random.SystemRandom().randrange(1 << 32)))
    return [Case(f"fuzz/syscalls-{seed}-{first}@{backend}",
                 random_calls(context, backend, guest, seed, first))
            for backend in context.backends() for first in range(0, ROUNDS, CHUNK)]
