#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The coverage-guided targets, and how each is built: from sources of the project, which are
instrumented, and from glue in targets/, which is not.

    targets.py NAME VARIANT OUTPUT BUILD [DEPFILE]

VARIANT: fuzz      clang's libFuzzer, ASan and UBSan
         coverage  clang's source coverage; runs files (targets/replay.c)
         replay    gcc, ASan and UBSan, no clang needed; runs files
"""

import concurrent.futures
import dataclasses
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
GLUE = "tests/fuzz/targets"
COMMON = ["-g", "-O1", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wno-unused-parameter",
          "-Wno-unknown-warning-option", "-Wno-gnu-variable-sized-type-not-at-end",
          "-fno-omit-frame-pointer", "-I", ".", "-I", GLUE,
          "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@dataclasses.dataclass(frozen=True)
class Target:
    """sources: what is looked at. flags: for both. boundary: its host calls are caught."""

    sources: tuple
    glue: tuple
    flags: tuple = ()
    source_flags: tuple = ()
    link: tuple = ()
    longest: int = 512


def core(*names):
    return tuple(f"monitor/core/{name}.c" for name in names)


def kernel(folder, *names):
    return tuple(f"kernel/{folder}/{name}.c" for name in names)


BOUNDARY = ("-include", f"{GLUE}/boundary.h")
WORLD = ("world", "boundary", "boundary_net", "boundary_fds", "hostile", "finding")

TARGETS = {
    "hypercall": Target(
        sources=core("clock", "clone", "error", "fs", "guest", "host_constants", "hyp_io",
                     "hyp_memory", "hyp_misc", "hyp_net", "hyp_volume", "hypercall", "member",
                     "owners", "ps_title", "receive", "sleep")
        + ("monitor/backend/kvm/slots.c", "monitor/backend/kvm/slot_memory.c",
           "monitor/backend/process/process.c", "monitor/backend/process/xsave.c"),
        glue=("fuzz_hypercall", "hypercall_net", "net_world", *WORLD), source_flags=BOUNDARY,
        longest=1024),
    "elf": Target(
        sources=("common/elf.c",
                 *kernel("exec", "exec_open", "exec_load", "exec_script", "exec_args"),
                 *kernel("mm", "vma", "mmap", "populate", "ranges", "resident",
                         "holdings"),
                 *core("private_memory", "error")),
        glue=("fuzz_elf", "elf_image", "finding"),
        source_flags=("-include", f"{GLUE}/elf_memory.h")),
    "mailbox": Target(
        sources=tuple(f"monitor/supervisor/{name}.c"
                      for name in ("child", "doom", "family_events", "limits", "members",
                                   "report", "session", "shelf"))
        + core("error"),
        glue=("fuzz_mailbox", "net_world", "hostile", "finding"),
        source_flags=("-include", f"{GLUE}/mailbox_host.h"), link=("-ljansson", "-lpthread")),
    "volume": Target(
        sources=core("fs", "owners", "host_constants", "hyp_volume", "volume_request", "guest",
                     "hypercall", "ps_title", "error"),
        glue=("fuzz_volume", *WORLD), source_flags=BOUNDARY),
}

VARIANTS = {
    # compiler, flags for what is looked at, flags to link
    "fuzz": ("clang", ["-fsanitize=fuzzer-no-link"], ["-fsanitize=fuzzer"]),
    "coverage": ("clang", ["-fprofile-instr-generate", "-fcoverage-mapping"],
                 ["-fprofile-instr-generate"]),
    "replay": ("gcc", [], []),
}


def compile_one(command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    if done.stderr:
        print(done.stderr, file=sys.stderr)


def build(name, variant, output, folder, depfile=None):
    target = TARGETS[name]
    compiler, source_flags, link_flags = VARIANTS[variant]
    if compiler == "clang" and "hostile" in target.glue:  # gcc cannot: kin then changes less often
        source_flags = source_flags + ["-fsanitize-coverage=trace-loads"]
    objects = pathlib.Path(folder) / f"{name}-{variant}.p"
    objects.mkdir(parents=True, exist_ok=True)
    glue = [f"{GLUE}/{part}.c" for part in target.glue]
    if variant != "fuzz":
        glue.append(f"{GLUE}/replay.c")
    made, commands = [], []
    for source in [*target.sources, *glue]:
        made.append(str(objects / (source.replace("/", "_") + ".o")))
        own = [] if source in glue else source_flags + list(target.source_flags)
        commands.append([compiler, *COMMON, *target.flags, *own, "-MMD", "-MF", made[-1] + ".d",
                         "-c", source, "-o", made[-1]])
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(compile_one, commands))
    compile_one([compiler, *COMMON, *link_flags, *made, "-o", str(output), *target.link])
    if depfile:
        needed = {str(ROOT / word) for path in made
                  for word in pathlib.Path(path + ".d").read_text(encoding="utf-8")
                  .replace("\\\n", " ").split()[1:] if not word.startswith("/usr")}
        pathlib.Path(depfile).write_text(f"{output}: {' '.join(sorted(needed))}\n",
                                         encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6):
        raise SystemExit(__doc__)
    build(sys.argv[1], sys.argv[2], os.path.abspath(sys.argv[3]), os.path.abspath(sys.argv[4]),
          *sys.argv[5:])
