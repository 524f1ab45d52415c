# SPDX-License-Identifier: ISC
"""What the sources say of locks in kin: ranks, where each lock is declared, and which fields it
protects. Read by tools/check.py and tools/gen_locks_md.py.

A structure with a lock in it, and one that LOCKED lists, says of each field which lock it has: a
comment on the field's own line, or one on lines of its own before it, which is valid to the next
such comment or to an empty line, names the lock's field, or says "no lock" and why. Atomic fields,
counts of owners, wait queues and locks speak for themselves.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RANKS = "kernel/kin/lock_ranks.def"
FOR_TESTS = "TEST"
DEFINES = "kernel/kin/kin_core.h" # what a lock is

# Structures in kin whose lock is another structure's: {file: {structure: what their fields say}}
LOCKED = {
    "kernel/event/epoll.h": {"epoll_item": "lock"},
    "kernel/fd/file.h": {"fd_entry": "lock"},
    "kernel/ipc/mqueue.c": {"mqueue": "mq_lock", "mq_message": "mq_lock"},
    "kernel/task/task.h": {"kin_proc": "T"},
    "kernel/vfs/inode.h": {"inode": "rename_lock"},
    "kernel/vfs/file_lock.c": {"file_lock": "table_lock", "lock_wait": "table_lock"},
    "kernel/vfs/notify.h": {"watch": "watch_table_lock", "inotify": "watch_table_lock"},
}

RANK = re.compile(r'^LOCK_RANK\((\w+), "([^"]*)"\)', re.MULTILINE)
STRUCT = re.compile(r"^struct (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
DECLARED = re.compile(r"\bKIN_LOCKS?\((\w+)(?:, \w+)?, (\w+)\)")
RANKED = re.compile(r"\bkin_lock_ranked\(\w+, (\w+),")
BARE = re.compile(r"^\s+(?:struct kin_lock|_Atomic u32 lock)\s+\w+", re.MULTILINE)
COMMENT = re.compile(r"/\*(.*?)\*/", re.DOTALL)
SPEAKS = re.compile(r"_Atomic|\bKIN_LOCKS?\(|struct kin_(?:queue|ref|lock|signals)\b")
NAME = re.compile(r"(\w+)\s*(?:\[[^\]]*\])*\s*[,;]")
NONE = re.compile(r"\bno lock: \S")


def ranks():
    """[(name, what it is for)], the outermost first."""
    return RANK.findall((ROOT / RANKS).read_text(encoding="utf-8"))


def sources():
    for path in sorted((ROOT / "kernel").rglob("*.[ch]")):
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def structs(text):
    """Yields (name, line number of the first field, body)."""
    for match in STRUCT.finditer(text):
        yield match.group(1), text.count("\n", 0, match.start(2)) + 1, match.group(2)


def pieces(body):
    """Yields (line, kind, text): `comment` on lines of its own, `empty`, or `field` with its end
    of line."""
    line, at = 0, 0
    while at < len(body):
        end = body.find("\n", at)
        end = len(body) if end < 0 else end
        here = body[at:end].strip()
        kind = "field"
        if here.startswith("/*"):
            end = max(body.find("\n", body.find("*/", at)), at)
            kind = "comment"
        elif not here:
            kind = "empty"
        elif "/*" in here:
            end = body.find("\n", body.find("*/", at))
        text = body[at:end]
        yield line, kind, text
        line += text.count("\n") + 1
        at = end + 1


def fields(body, words):
    """Yields (line, field, lock): lock None if nothing says so, "" if there is none or none is
    needed."""
    named = re.compile(r"\b(%s)\b" % "|".join(map(re.escape, words)))
    above = ""
    for line, kind, text in pieces(body):
        if kind == "comment":
            above = text
            continue
        if kind == "empty":
            above = ""
            continue
        code = COMMENT.sub("", text).strip()
        if code.endswith("{") or code.startswith("}") or not code:
            continue
        if DECLARED.search(code) or "struct kin_queue" in code:
            continue
        field = ", ".join(NAME.findall(re.sub(r"__attribute__.*(?=;)|\([^)]*\)", "", code)))
        lock = None
        here = " ".join(COMMENT.findall(text))
        for comment in (here,) if "_Atomic" in code else (here, above):
            if NONE.search(comment):
                lock = ""
            elif named.search(comment):
                lock = named.search(comment).group(1)
            if lock is not None:
                break
        if lock is None and SPEAKS.search(code):
            lock = ""
        yield line, field, lock


class Lock:
    def __init__(self, rank, where, name):
        self.rank, self.where, self.name, self.fields = rank, where, name, []


def look():
    """(locks, complaints): every lock that is declared, and [(file, line, what is wrong)]"""
    locks, wrong = [], []
    known = {name for name, _ in ranks()}
    for path, text in sources():
        for match in BARE.finditer(text):
            if path == DEFINES:
                continue
            wrong.append((path, text.count("\n", 0, match.start()) + 1,
                          f"a lock without a rank: KIN_LOCK, {RANKS}"))
        for match in RANKED.finditer(text):
            if path != DEFINES and not any(match.group(1) == lock.rank for lock in locks):
                locks.append(Lock(match.group(1), path, ""))
        for name, first, body in structs(text):
            declared = DECLARED.findall(body)
            elsewhere = LOCKED.get(path, {}).get(name)
            if not declared and not elsewhere:
                continue
            own = {field: Lock(rank, f"{path}: struct {name}", field) for field, rank in declared}
            locks += own.values()
            for line, field, lock in fields(body, [*own, *([elsewhere] if elsewhere else [])]):
                if lock is None:
                    wrong.append((path, first + line,
                                  f"struct {name}: which lock has {field}? Name it, or say `no "
                                  f"lock: why` (tools/locks.py)"))
                elif lock in own:
                    own[lock].fields += field.split(", ")
    used = {lock.rank for lock in locks}
    wrong += [(RANKS, 1, f"no lock has the rank {rank}")
              for rank, what in ranks() if rank not in used and rank != FOR_TESTS]
    wrong += [(lock.where.split(":")[0], 1, f"{lock.rank} is no rank of {RANKS}")
              for lock in locks if lock.rank not in known]
    # kin_lock_ranked names arrays that are declared elsewhere, too.
    declared = {lock.rank for lock in locks if lock.name}
    return [lock for lock in locks if lock.name or lock.rank not in declared], wrong
