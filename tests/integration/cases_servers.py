# SPDX-License-Identifier: ISC
"""nginx, unmodified, a master and four workers: what it answers on a published port is, byte for
byte, what the host's own run of the same configuration answers."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

from harness import runs
from harness.cases import Case, Skipped, require
from integration.cases_network import Running, free_port, reach

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / "examples"
PLACES = ("nginx/usr/sbin/nginx", "/usr/sbin/nginx")   # below the build folder: `make deps`
MEMBERS = 5
SECONDS = 20
# What a client may ask, several in one connection. {etag}, {since}: of the page before.
REQUESTS = (
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /big HTTP/1.1\r\nHost: a\r\n\r\n",
    "HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /big HTTP/1.1\r\nHost: a\r\nRange: bytes=299990-300009\r\n\r\n",
    "GET /big HTTP/1.1\r\nHost: a\r\nRange: bytes=0-3, 70000-70003\r\n\r\n",
    "GET /none HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /sub HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "GET / HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: Thu, 01 Jan 2015 00:00:00 GMT\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /sub/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
)
LONELY = ("GET / HTTP/1.0\r\n\r\n", "NONSENSE\r\n\r\n", "GET / HTTP/1.1\r\n\r\n")
# The time of the answer, and the border of a multipart body, are different each time.
VARYING = re.compile(rb"(Date: )[^\r]*|(boundary=|\r\n--)[0-9]{20}")


def nginx(context):
    for place in PLACES:
        path = context.build / place
        if os.access(path, os.X_OK):
            return path
    raise Skipped("no nginx: make deps unpacks it below the build folder")


def site(folder, port):
    """The configuration of the demo, listening on that port, and pages of known times."""
    (folder / "www/sub").mkdir(parents=True)
    (folder / "tmp").mkdir()
    text = (EXAMPLES / "nginx.conf").read_text(encoding="ascii")
    (folder / "nginx.conf").write_text(text.replace("listen 8080", f"listen 127.0.0.1:{port}"),
                                       encoding="ascii")
    for name, data in (("index.html", b"hello\n" * 100), ("sub/index.html", b"below\n"),
                       ("big", bytes(range(1, 251)) * 1200)):
        (folder / "www" / name).write_bytes(data)
        os.utime(folder / "www" / name, (1420070400, 1420070400))
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)   # workers are nobody's


@contextlib.contextmanager
def native(program, folder, port):
    mark = runs.new_mark()
    with subprocess.Popen([program, "-p", f"{folder}/", "-c", "nginx.conf"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, env=runs.environment(mark)) as process:
        try:
            reach(process, port).close()
            yield
        finally:
            process.send_signal(signal.SIGQUIT)
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                runs.kill_all(runs.wait_until_gone(mark, seconds=1))


def receive(connection):
    """What comes until the server closes, or says nothing for longer than it ever takes."""
    connection.settimeout(SECONDS)
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def answers(port):
    found = []
    for batch in (REQUESTS, *((request,) for request in LONELY)):
        with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
            connection.sendall("".join(batch).encode())
            found.append(receive(connection))
    return VARYING.sub(rb"\1\2*", b"\n====\n".join(found))


def first_difference(expected, actual):
    at = next((at for at, (ours, theirs) in enumerate(zip(expected, actual)) if ours != theirs),
              min(len(expected), len(actual)))
    start = max(at - 100, 0)
    return (f"{len(actual)} bytes, natively {len(expected)}; they part at {at}:\n"
            f"native {expected[start:at + 100]!r}\nfamily {actual[start:at + 100]!r}")


def crowd(port):
    """Many connections at once, more than one worker takes before the others wake."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(socket.create_connection(("127.0.0.1", port), SECONDS))
                  for _ in range(64)]
        for connection in opened:
            connection.sendall(b"GET /sub/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        for connection in opened:
            require(receive(connection).endswith(b"below\n"), "an answer is missing")


def same(context, backend):
    """Every answer is the host's, from a family of five members that ends in order."""
    def check():
        program, port, ours = nginx(context), free_port(), free_port()
        context.needs(backend)
        folder = context.scratch / f"nginx-{backend}"
        context.scratch.chmod(0o755)
        site(folder / "native", port)
        site(folder / "family", 8080)
        try:
            with native(program, folder / "native", port):
                expected = answers(port)
            require(expected.count(b"HTTP/1.1 ") > len(REQUESTS), f"natively: {expected[:2000]!r}")
            with Running(context, backend, [program, "-p", f"{folder}/family/", "-c",
                                            "nginx.conf"],
                         options=["-p", f"127.0.0.1:{ours}:8080"]) as family:
                reach(family.process, ours).close()
                actual = answers(ours)
                require(actual == expected, first_difference(expected, actual))
                crowd(ours)
                shown = [runs.describe(pid) for pid in runs.monitors(family.process.pid).values()]
                members = [title for title in shown if "unifork: nginx " in title]
                require(len(members) == MEMBERS, f"not {MEMBERS} members: {shown}")
                family.process.send_signal(signal.SIGQUIT)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return check


def cases(context):
    return [Case(f"integration/nginx_same@{backend}", same(context, backend))
            for backend in context.backends()]
