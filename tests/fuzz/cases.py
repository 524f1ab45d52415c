# SPDX-License-Identifier: ISC
"""Fuzzing: random system calls in families, and coverage-guided targets (targets.py).

Random system calls: the kernel of a family neither panics nor hangs, whatever comes.
UNIFORK_FUZZ_SEED chooses the seed, which a failure names; UNIFORK_FUZZ_ROUNDS how many rounds of
two children. `unifork run --pids 64 -m 512M -- build/tests/fuzz/syscalls SEED ROUND 1 v` repeats a
round and names each call before it is made.

Targets: hypercalls (targets/fuzz_hypercall.c), the supervisor's mailbox, ELF files, and requests
about volumes. An input of the first two also chooses what of the network its family was granted:
sockets are real, in a network namespace that the target makes for itself (targets/net_world.h);
hypercalls have peers there, who connect and speak as the input says.

Each target runs UNIFORK_FUZZ_SECONDS seconds (60 unless given) under libFuzzer, from the corpus in
the tree and from what earlier runs have added in the build folder, and prints one line: executions,
covered edges, and the covered regions of the files that it looks at (by file in
build/tests/fuzz/NAME/coverage.txt). A finding is a file that `build/tests/fuzz/NAME/fuzz FILE`
repeats; put into corpus/NAME it is looked at by `make test`, which replays the corpora with a build
that needs no clang. What runs have found of interest is in build/tests/fuzz/NAME/corpus; as few
inputs as reach as much go into the tree by

    build/tests/fuzz/NAME/fuzz -set_cover_merge=1 -use_counters=0 tests/fuzz/corpus/NAME \\
        build/tests/fuzz/NAME/corpus
"""

import json
import os
import pathlib
import random
import re
import shutil
import subprocess

from fuzz import targets
from harness import guests
from harness.cases import Case, Failed, Skipped, require, tail

ROUNDS = int(os.environ.get("UNIFORK_FUZZ_ROUNDS", "10000"))
SECONDS = int(os.environ.get("UNIFORK_FUZZ_SECONDS", "60"))
CHUNK = 50
ROUND_S = 4
OPTIONS = ("--pids", "64", "-m", "512M")
CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
WITHOUT = r"WITHOUT NETWORK: (.*)"  # a target that could make no network namespace (net_world.c)
SHARED_MEMORY = pathlib.Path("/dev/shm")
INPUT_TIMEOUT_S = 30
TOOLS = ("clang", "llvm-cov", "llvm-profdata")


def random_calls(context, backend, guest, seed, first):
    def check():
        program = [guest.binary(context.build), seed, first, CHUNK]
        result = context.in_family(backend, program, options=OPTIONS, timeout=ROUND_S * CHUNK)
        require(result.status == 0 and result.stdout == b"%d rounds\n" % CHUNK,
                f"seed {seed}, rounds from {first}: status {result.status}\n{tail(result)}")
        require(b"exception" not in result.stderr and b"panic" not in result.stderr,
                f"seed {seed}, rounds from {first}\n{tail(result)}")
    return check


def folders_clean():
    """Folders of targets that died of a finding (world.c)."""
    for path in SHARED_MEMORY.glob("unifork-fuzz-*"):
        if not pathlib.Path("/proc", path.name.rpartition("-")[2]).exists():
            shutil.rmtree(path, ignore_errors=True)


def regions(folder, name, inputs):
    """Covered regions of the sources, by clang's own count, after running all inputs once."""
    program, raw, merged = folder / "coverage", folder / "raw", folder / "profile"
    targets.build(name, "coverage", program, folder)
    done = subprocess.run([program, *inputs], env={**os.environ, "LLVM_PROFILE_FILE": str(raw)},
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if done.returncode:
        return "the corpus fails"
    subprocess.run(["llvm-profdata", "merge", raw, "-o", merged], check=True)
    sources = targets.TARGETS[name].sources
    report = subprocess.run(["llvm-cov", "export", "-summary-only", program,
                             f"-instr-profile={merged}"], capture_output=True, text=True,
                            cwd=targets.ROOT, check=True).stdout
    covered = total = 0
    lines = []
    for entry in json.loads(report)["data"][0]["files"]:
        source = os.path.relpath(entry["filename"], targets.ROOT)
        if source not in sources:
            continue
        count = entry["summary"]["regions"]
        covered, total = covered + count["covered"], total + count["count"]
        lines.append(f"{count['covered']:5} of {count['count']:5} regions  {source}\n")
    (folder / "coverage.txt").write_text("".join(sorted(lines)), encoding="utf-8")
    return f"{covered} of {total} regions"


def last_of(pattern, text):
    found = re.findall(pattern, text)
    return found[-1] if found else "?"


def network_look(text):
    """All else was run, and that is not all."""
    without = re.search(WITHOUT, text)
    if without:
        raise Skipped(f"ran without sockets of the host: {without[1]}")


def guided(context, name, variant, environment):
    def check():
        missing = [tool for tool in TOOLS if not shutil.which(tool)]
        if missing:
            raise Skipped(f"{' '.join(missing)} not installed; `make fuzz` does it")
        folder = context.build / "tests" / "fuzz" / name
        grown = folder / "corpus"
        grown.mkdir(parents=True, exist_ok=True)
        program = folder / "fuzz"
        if not variant:
            targets.build(name, "fuzz", program, folder)
        inputs = [grown, CORPUS / name]
        found = folder / f"found{variant}-"
        result = context.run(
            [program, f"-max_total_time={SECONDS}", f"-max_len={targets.TARGETS[name].longest}",
             f"-timeout={INPUT_TIMEOUT_S}", "-detect_leaks=0", "-close_fd_mask=1",
             "-print_final_stats=1", f"-artifact_prefix={found}", *inputs],
            SECONDS + 120, env=environment)
        folders_clean()
        text = result.stderr.decode(errors="replace")
        executions = last_of(r"stat::number_of_executed_units: (\d+)", text)
        edges = last_of(r"cov: (\d+)", text)
        total = last_of(r"\((\d+) inline 8-bit counters\)", text)
        size = last_of(r"corp: (\d+)/", text)
        if result.problem or result.status:
            at = text.find("FINDING")
            at = at if at >= 0 else text.find("ERROR")
            at = at if at >= 0 else max(len(text) - 1000, 0)
            what = result.problem or f"status {result.status}"
            raise Failed(f"{what} after {executions} executions\n"
                         f"{text[at:at + 3000]}\n{last_of(r'Test unit written to (.*)', text)}")
        print(f"fuzz/{name}{variant}: {executions} executions in {SECONDS} s, {edges} of {total} "
              f"edges, {regions(folder, name, inputs)}, {size} inputs", flush=True)
        network_look(text)
    return check


def replayed(context, name):
    def check():
        program = context.build / "tests" / "fuzz" / f"replay-{name}"
        result = context.run([program, CORPUS / name], 60)
        folders_clean()
        require(result.status == 0 and not result.problem,
                f"{result.problem or f'status {result.status}'}\n{tail(result)}")
        network_look(result.stderr.decode(errors="replace"))
    return check


def cases(context):
    replays = [Case(f"fuzz/replay-{name}", replayed(context, name)) for name in targets.TARGETS]
    if context.group == "quick":
        return replays
    guest = next(g for g in guests.guests("fuzz") if g.name == "syscalls")
    seed = int(os.environ.get("UNIFORK_FUZZ_SEED", random.SystemRandom().randrange(1 << 32)))
    found = [Case(f"fuzz/target-{name}", guided(context, name, "", {})) for name in targets.TARGETS]
    # After the first, whose build and corpus it uses.
    found.append(Case("fuzz/target-mailbox-thread", guided(context, "mailbox", "-thread",
                                                           {"UNIFORK_FUZZ_THREAD": "1"}),
                      exclusive=True))
    return found + replays + [
        Case(f"fuzz/syscalls-{seed}-{first}@{backend}",
             random_calls(context, backend, guest, seed, first))
        for backend in context.backends() for first in range(0, ROUNDS, CHUNK)]
