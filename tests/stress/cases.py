# SPDX-License-Identifier: ISC
"""Random kills with kill -9 from the host during a running pipeline.

Two hundred times: one monitor, a parent and its child together, or the supervisor is killed at a
random moment. The family has to go on or to end with one clear message in a bounded time; nobody
may be left over and no file of the host may change. All monitors are children of `mitos run`.
"""

import collections
import hashlib
import importlib.util
import os
import pathlib
import random
import select
import signal
import time

from harness import runs
from harness.cases import Case, Failed, require

KILLS = int(os.environ.get("MITOS_KILLS", "200"))
SECONDS = 25
PIPELINE = ("echo ready; n=0; while [ $n -lt 3 ]; do busybox seq 1 30000 | busybox sort -n | "
            "busybox tr 1 2 | (busybox md5sum; busybox true) | busybox cat; "
            "n=$((n + 1)); done; echo end")
WATCHED = ("/etc", "/usr/local/bin", "/var/tmp")


def children(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return [int(word) for word in text.split()]
    except OSError:
        return []


def fingerprint():
    """Names, sizes and times of some host directories: a family may change none of them."""
    digest = hashlib.sha256()
    for top in WATCHED:
        for folder, names, files in os.walk(top):
            names.sort()
            for name in sorted(files):
                try:
                    info = os.lstat(os.path.join(folder, name))
                except OSError:
                    continue
                digest.update(f"{folder}/{name} {info.st_size} {info.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def kill_some(family, kind, chance):
    """Kills; returns how many host processes were hit."""
    supervisor = family.process.pid
    if kind == "supervisor":
        family.process.kill()
        return 1
    members = children(supervisor)
    if not members:
        return 0
    at = chance.randrange(len(members))
    # Monitors are listed in order of birth: a neighbour is most often the parent or a sibling.
    chosen = members[at:at + 1] if kind == "one" else members[max(0, at - 1):at + 1]
    for pid in chosen:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return len(chosen)


def one_round(context, backend, chance, started):
    kind = chance.choice(["one", "one", "one", "pair", "pair", "supervisor"])
    family = started(context, backend, ["/bin/busybox", "sh", "-c", PIPELINE])
    output = b""
    try:
        ready, _, _ = select.select([family.process.stdout], [], [], SECONDS)
        require(ready, "the pipeline did not start")
        time.sleep(chance.random() * 0.15)
        hit = kill_some(family, kind, chance)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            ready, _, _ = select.select([family.process.stdout], [], [], 0.5)
            if ready:
                chunk = os.read(family.process.stdout.fileno(), 65536)
                output += chunk
                if not chunk:
                    break
    except Failed:
        family.clean(None)
        raise
    status = family.end(max(1.0, deadline - time.monotonic()))
    errors = family.process.stderr.read().decode(errors="replace").strip().splitlines()
    own = [line for line in errors if "mitos" in line]
    require(status != 111 or len(own) == 1,
            f"ended by the system without one clear message: {errors}")
    return kind, hit, status


def random_kills(context, backend, started):
    def check():
        context.needs(backend)
        seed = int(os.environ.get("MITOS_SEED", str(random.randrange(1 << 30))))
        chance = random.Random(seed)
        before, summary, hits = fingerprint(), collections.Counter(), 0
        for number in range(KILLS):
            try:
                kind, hit, status = one_round(context, backend, chance, started)
            except Failed as reason:
                raise Failed(f"round {number} of MITOS_SEED={seed}: {reason}") from reason
            hits += hit
            summary[f"{kind}: status {status}"] += 1
        require(fingerprint() == before, "a file of the host changed")
        print(f"{backend}: {KILLS} rounds, {hits} processes killed, MITOS_SEED={seed}: "
              + ", ".join(f"{name} x{count}" for name, count in sorted(summary.items())))
    return check


def cases(context):
    path = pathlib.Path(__file__).resolve().parent.parent / "integration" / "cases_cli.py"
    spec = importlib.util.spec_from_file_location("cases_cli", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [Case(f"stress/random_kills@{backend}", random_kills(context, backend, module.Started),
                 exclusive=True) for backend in context.backends()]
