#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Reads the line with which a C test program says how it is built and run.

    @test timeout=SECONDS members=N [status=N] [libc=musl] [pie] [svm] [slow] [nosvm] [root]
          [also=pie,musl,musl-pie] [args=A,B]

timeout   seconds on the slowest backend; natively a program needs well under two
members   the most members that the program makes, itself included; the runner checks it
status    the exit status expected natively (128+N for signal N), 0 unless given
libc, pie how it is linked; `also` builds and runs further variants, named NAME.pie and so on
svm       belongs to the short selection that runs on kvm_amd inside QEMU
slow      left out of the svm run
nosvm     too: it needs what is not there (arguments of its case, a file system on disk,
          or an answer that newer kernels than that of the emulated machine give
root      only meaningful as user 0: skipped otherwise
args      the arguments, separated by commas

As a program it prints one line per binary for Meson: `OUTPUT SOURCE COMPILER FLAGS...`.
"""

import dataclasses
import pathlib
import re
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
VARIANT_FLAGS = {
    "": ["gcc", "-static", "-no-pie"],
    "pie": ["gcc", "-static-pie", "-fPIE"],
    "musl": ["musl-gcc", "-static", "-no-pie"],
    "musl-pie": ["musl-gcc", "-static-pie", "-fPIE"],
}
WORDS = {"pie", "svm", "slow", "nosvm", "root"}
VALUES = {"timeout", "members", "status", "libc", "also", "args"}


@dataclasses.dataclass(frozen=True)
class Guest:
    """One binary: a source in one of its variants."""

    folder: str
    name: str
    source: pathlib.Path
    variant: str
    timeout: float
    members: int
    status: int
    args: tuple
    words: frozenset

    def binary(self, build):
        return pathlib.Path(build) / "tests" / self.folder / self.name


def parse(source):
    """The fields of a source's @test line, as (values, words); None where there is none."""
    text = source.read_text(encoding="utf-8")
    match = re.search(r"@test\b(.*)", text.split("*/", 2)[0] + text.split("*/", 2)[1])
    if not match:
        return None
    values, words = {}, set()
    for field in match.group(1).split():
        key, equals, value = field.partition("=")
        if equals and key in VALUES:
            values[key] = value
        elif not equals and key in WORDS:
            words.add(key)
        else:
            raise SystemExit(f"{source}: unknown field {field!r} in the @test line")
    for key in ("timeout", "members"):
        if key not in values:
            raise SystemExit(f"{source}: the @test line lacks {key}=")
    return values, words


def guests(folder):
    """All binaries of one folder, by name."""
    found = []
    for source in sorted((TESTS / folder).glob("*.c")):
        fields = parse(source)
        if fields is None:
            raise SystemExit(f"{source}: no @test line")
        values, words = fields
        base = "-".join([v for v in (values.get("libc"), "pie" if "pie" in words else None) if v])
        variants = [base] + [v for v in values.get("also", "").split(",") if v]
        for number, variant in enumerate(variants):
            if variant not in VARIANT_FLAGS:
                raise SystemExit(f"{source}: unknown variant {variant!r}")
            found.append(Guest(
                folder=folder, source=source, variant=variant,
                name=source.stem if number == 0 else f"{source.stem}.{variant}",
                timeout=float(values["timeout"]), members=int(values["members"]),
                status=int(values.get("status", "0")),
                args=tuple(a for a in values.get("args", "").split(",") if a),
                words=frozenset(words)))
    return found


def main():
    if len(sys.argv) != 2:
        raise SystemExit("usage: guests.py FOLDER")
    for guest in guests(sys.argv[1]):
        print(guest.name, guest.source.name, *VARIANT_FLAGS[guest.variant])


if __name__ == "__main__":
    main()
