# SPDX-License-Identifier: ISC
"""The network: --net and --publish. Peers are on loopback or in network namespaces of the tests."""

import itertools
import json
import os
import pathlib
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from harness import guests, runs
from harness.cases import Case, Skipped, diff, require, tail
from integration.cases_cli import Started, one_line

BUSYBOX = "/bin/busybox"
ADDRESS = "198.51.100.7"    # of a network namespace, never of the host: TEST-NET-2
OUTER, GATEWAY = "203.0.113.2", "203.0.113.1" # of another: TEST-NET-3
ORDINARY = 12345
# Guests that speak to themselves: over the address of a namespace it is the host that carries it.
OVER_HOST = ("tcp_connect", "tcp_edges", "tcp_ends", "tcp_options", "tcp_processes",
             "tcp_transfer", "udp_loopback")
SECONDS = 20


class Peer:
    """What net_talk.c speaks to; everything it does is bounded."""

    def __enter__(self):
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        for target in (self.serve_tcp, self.serve_udp):
            threading.Thread(target=target, daemon=True).start()
        self.ports = [str(s.getsockname()[1]) for s in (self.tcp, self.udp)]
        return self

    def serve_tcp(self):
        while True:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    @staticmethod
    def answer(connection):
        connection.settimeout(SECONDS)
        with connection:
            try:
                line = connection.makefile("rb").readline()
                if line.startswith(b"call "):
                    _, port, text = line.split()
                    with socket.create_connection(("127.0.0.1", int(port)), SECONDS) as other:
                        other.sendall(text)
                        line = b"".join(iter(lambda: other.recv(100), b""))
                connection.sendall(b"you said " + line.strip())
            except OSError:
                pass

    def serve_udp(self):
        while True:
            try:
                text, sender = self.udp.recvfrom(1000)
                self.udp.sendto(b"you said " + text, sender)
            except OSError:
                return

    def __exit__(self, *unused):
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.udp.close()
        self.tcp.close()


class Namespace:
    """A network namespace of the test's own with an address, and a path that names it."""

    def __init__(self):
        if os.geteuid() != 0 or not shutil.which("ip"):
            raise Skipped("needs root and ip(8) to make a network namespace")

    def __enter__(self):
        script = (f"ip link set lo up && ip addr add {ADDRESS}/32 dev lo && "
                  "echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range && "
                  "echo ready && exec sleep 600")
        self.holder = subprocess.Popen(["unshare", "-n", "sh", "-c", script],
                                       stdout=subprocess.PIPE)
        self.path = f"/proc/{self.holder.pid}/ns/net"
        if self.holder.stdout.readline() != b"ready\n":
            self.__exit__()
            raise Skipped("no right to make a network namespace")
        return self

    def __exit__(self, *unused):
        self.holder.kill()
        self.holder.wait()


class Running(Started):
    """A family for the time of a block; what fails in there is what is told."""

    def __enter__(self):
        return self

    def __exit__(self, kind, *unused):
        if kind:
            self.process.kill()
            self.process.wait()
            runs.kill_all(runs.wait_until_gone(self.mark, self.process.pid))
            return
        if self.process.stdin:
            self.process.stdin.close()
        status = self.end()
        require(status in (0, 143), f"status {status}")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def own_copy(context, user):
    """A program that this user may execute, wherever the build is."""
    path = context.scratch / f"net_talk-{user}"
    shutil.copy(context.build / "tests/integration/net_talk", path)
    context.scratch.chmod(0o755)
    return path


def outside(context, backend, user):
    """A family speaks to a peer as a program of the host does."""
    def check():
        if user and os.geteuid() != 0:
            raise Skipped("needs root to become another user")
        if user and backend == "kvm" and not os.stat("/dev/kvm").st_mode & 0o006:
            raise Skipped("/dev/kvm is not for every user here")
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        program = own_copy(context, user) if user else context.build / "tests/integration/net_talk"
        context.needs(backend)
        with Peer() as peer:
            native = context.run([*become, program, *peer.ports], SECONDS)
            require(native.status == 0, f"natively: {tail(native)}")
            result = context.run([*become, context.unifork, "run", "-b", backend, "--net", "host",
                                  "--", program, *peer.ports], SECONDS)
            require(result.problem is None, f"{result.problem}\n{tail(result)}")
            require(result.stdout == native.stdout,
                    diff(native.stdout, result.stdout, "native", backend) + "\n" + tail(result))
            require(result.status == 0, tail(result))
    return check


def over_host(context, backend, guest):
    """What a guest test says of TCP or UDP, carried by the host in a namespace."""
    def check():
        with Namespace() as namespace:
            environment = {"GUEST_ADDRESS": ADDRESS}
            native = context.run(["nsenter", f"--net={namespace.path}",
                                  guest.binary(context.build), *guest.args], guest.timeout,
                                 env=environment)
            result = context.in_family(backend, [guest.binary(context.build), *guest.args],
                                       options=["--net", f"ns:{namespace.path}", "-e",
                                                f"GUEST_ADDRESS={ADDRESS}"],
                                       timeout=guest.timeout)
            require(result.stdout == native.stdout,
                    diff(native.stdout, result.stdout, "native", backend))
            require(result.status == native.status, f"status {result.status}\n{tail(result)}")
    return check


def only_there(context, backend):
    """With a namespace a family reaches what is in it, and not what the host has."""
    def check():
        with Namespace() as namespace, Peer() as peer:
            script = (f"busybox nc -w 5 127.0.0.1 {peer.ports[0]} </dev/null; echo $?; "
                      "busybox nc -l -p 4000 -e busybox cat & busybox sleep 0.3; "
                      f"echo over | busybox nc -w 5 {ADDRESS} 4000")
            result = context.in_family(backend, [BUSYBOX, "sh", "-c", script],
                                       options=["--net", f"ns:{namespace.path}"])
            require(result.stdout == b"1\nover\n", tail(result))
    return check


ECHO = """
import socket, struct, sys
def packet(number):
    data = struct.pack("!BBHHH", 8, 0, 0, 0, number) + b"are you there"
    total = sum(struct.unpack("!%dH" % ((len(data) + 1) // 2), data + b"\\0" * (len(data) % 2)))
    total = (total >> 16) + (total & 0xffff)
    return data[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + data[4:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
s.settimeout(5)
s.sendto(packet(1), (sys.argv[1], 0))
answer, sender = s.recvfrom(100)
print(answer[0], answer[6:], sender)
s.connect((sys.argv[1], 0))
s.send(packet(2))
print(s.recv(100)[6:])
"""


def echo(context, backend):
    """What ping needs: ICMP echo, where the namespace lets users have it."""
    def check():
        python = shutil.which("python3", path="/usr/bin:/bin")
        if not python:
            raise Skipped("no python3 of Debian's")
        with Namespace() as namespace:
            command = [python, "-c", ECHO, ADDRESS]
            native = context.run(["nsenter", f"--net={namespace.path}", *command])
            require(native.status == 0, f"natively: {tail(native)}")
            result = context.in_family(backend, command, options=["--net", f"ns:{namespace.path}"])
            require(result.stdout == native.stdout, f"{native.stdout}\n{tail(result)}")
    return check


LINES = (
    "link add eth0 type veth peer name nobody", "link set eth0 up", "link set nobody up",
    f"addr add {OUTER}/24 brd + dev eth0", "addr add 203.0.113.77/24 dev eth0 label eth0:2",
    "addr add 192.0.2.1 peer 192.0.2.9 dev nobody", "-6 addr add 2001:db8::2/64 dev eth0 nodad",
    f"route add default via {GATEWAY}", "route add 192.0.2.64/26 via 203.0.113.9 metric 30",
    "route add unreachable 192.0.2.128/25", "-6 route add default via 2001:db8::1")
LOOKS = (
    "cat /proc/net/route", "sort /proc/net/if_inet6", "cat /proc/net/arp", "ip -o link",
    "ip -o addr", "ip route show table all", "ip -6 route", "ip link show eth0",
    "ip addr show dev nobody", "ip route get 203.0.113.9", "ip route get 8.8.8.8",
    "ip route get 192.0.2.65", "ip route get 192.0.2.200", "ip route get 127.0.0.1",
    f"ip route get {OUTER}", "ip route get 192.0.2.9", "ip -6 route get 2001:db8::9",
    "ip -6 route get 2001:db8:1::1", "ip link show none0", "getent ahostsv4 192.0.2.1",
    "getent ahostsv6 2001:db8::7")


def views(context, backend):
    """Interfaces, addresses and routes of a namespace, as programs ask for them in many ways, are
    those that a program of the host sees in there; also what changes while the family runs."""
    def check():
        context.needs(backend)
        with Namespace() as namespace:
            enter = ["nsenter", f"--net={namespace.path}"]
            for line in LINES:
                done = subprocess.run([*enter, "ip", *line.split()], check=False,
                                      capture_output=True)
                if done.returncode:
                    raise Skipped(f"ip {line}: {done.stderr.decode().strip()}")
            looks = ["/bin/sh", "-c", "sleep 2; " + "".join(
                f"echo '== {look}'; {look} 2>&1; " for look in LOOKS)]
            options = ["--net", f"ns:{namespace.path}"]
            for program in (looks, [context.build / "tests/integration/net_views"]):
                result = context.in_family(backend, program, options=options)
                native = context.run([*enter, *program])
                require(result.stdout == native.stdout,
                        diff(native.stdout, result.stdout, "native", backend))
            script = ("echo ready; while ! ip -o addr show dev eth0 | grep -q 203.0.113.99; do "
                      "busybox sleep 0.05; done; cat /proc/net/dev; echo seen")
            with Running(context, backend, ["/bin/sh", "-c", script], options=options) as family:
                require(family.line() == b"ready\n", "it did not start")
                subprocess.run([*enter, "ip", "addr", "add", "203.0.113.99/24", "dev", "eth0"],
                               check=True)
                seen = [family.line() for _ in range(6)]
                require(seen[-1] == b"seen\n" and counted(seen), f"{seen}")
    return check


def counted(lines):
    """Each of /proc/net/dev has 16 numbers, and the pair of interfaces has sent something."""
    rows = {line.split(b":")[0].strip(): line.split(b":")[1].split() for line in lines[2:-1]}
    return (set(rows) == {b"lo", b"eth0", b"nobody"} and int(rows[b"eth0"][0]) > 0
            and all(len(row) == 16 for row in rows.values()))


SHOWN = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.connect(("127.0.0.1", int(sys.argv[2])))
own = {str(os.fstat(s.fileno()).st_ino): name for s, name in
       ((listener, "listener"), (client, "client"), (datagrams, "datagrams"))}
for path in ("/proc/net/tcp", "/proc/net/udp"):
    for words in map(str.split, open(path)):
        if len(words) > 9 and words[9] in own:
            print(own[words[9]], *words[2:5], words[7])
"""


def shown(context, backend):
    """/proc/net/tcp has what a family is connected to outside, by the socket's inode."""
    def check():
        python = shutil.which("python3", path="/usr/bin:/bin")
        if not python:
            raise Skipped("no python3 of Debian's")
        with Peer() as peer:
            command = [python, "-c", SHOWN, *peer.ports]
            native = sorted(context.run(command).stdout.splitlines())
            result = context.in_family(backend, command, options=["--net", "host"])
            require(sorted(result.stdout.splitlines()) == native and len(native) == 3,
                    f"{native}\n{tail(result)}")
    return check


def counts(context, backend):
    """/proc/net/snmp counts what a network namespace of nobody else's counts."""
    def check():
        context.needs(backend)
        with Namespace() as namespace:
            program = [context.build / "tests/integration/net_counts"]
            native = context.run(["nsenter", f"--net={namespace.path}", *program])
            result = context.in_family(backend, program)
            require(result.stdout == native.stdout,
                    diff(native.stdout, result.stdout, "native", backend))
    return check


RESOLVER = """
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.53", 53))
print("ready", flush=True)
while True:
    query, sender = s.recvfrom(512)
    end = query.index(b"\\0", 12) + 5
    known = query[12:end - 5] == b"\\4name\\4test" and query[end - 4:end - 2] == b"\\0\\1"
    head = query[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, known, 0, 0)
    answer = struct.pack("!HHHIH4B", 0xc00c, 1, 1, 60, 4, 192, 0, 2, 77) if known else b""
    s.sendto(head + query[12:end] + answer, sender)
"""


def resolver(context, backend):
    """The C library asks the server that --dns names, in the network that the family was given."""
    def check():
        with Namespace() as namespace:
            server = subprocess.Popen(["nsenter", f"--net={namespace.path}", sys.executable, "-c",
                                       RESOLVER], stdout=subprocess.PIPE)
            try:
                require(server.stdout.readline() == b"ready\n", "no resolver")
                result = context.in_family(backend, ["getent", "ahostsv4", "name.test"],
                                           options=["--net", f"ns:{namespace.path}", "--dns",
                                                    "127.0.0.53"])
                require(result.stdout.split()[:3] == [b"192.0.2.77", b"STREAM", b"name.test"],
                        tail(result))
                result = context.in_family(backend, ["getent", "hosts", "none.test"],
                                           options=["--net", f"ns:{namespace.path}", "--dns",
                                                    "127.0.0.53"])
                require(result.status == 2, tail(result))
            finally:
                server.kill()
                server.wait()
    return check


def none(context, backend):
    """Without --net nothing of the host is reached, and all is as it was."""
    def check():
        with Peer() as peer:
            result = context.in_family(backend, [context.build / "tests/integration/net_talk",
                                                 *peer.ports])
            require(result.stdout == b"die: connect: number 111\n", tail(result))
    return check


def published(context, backend):
    """What connects to the host's port reaches who listens inside, before and after it does."""
    def check():
        port = free_port()
        with Running(context, backend, [BUSYBOX, "sh", "-c", "echo started; sleep 0.2; "
                                        "exec busybox nc -ll -p 80 -e busybox cat"],
                     options=["-p", f"127.0.0.1:{port}:80"]) as family:
            require(family.line() == b"started\n", "it did not start")
            for number in range(20):
                with socket.create_connection(("127.0.0.1", port), SECONDS) as s:
                    s.settimeout(SECONDS)
                    text = f"hello {number} ".encode() * 1000
                    s.sendall(text)
                    s.shutdown(socket.SHUT_WR)
                    back = b"".join(iter(lambda: s.recv(65536), b""))
                    require(back == text, f"{number}: {len(back)} of {len(text)} bytes came back")
            family.process.send_signal(signal.SIGTERM)
    return check


DATAGRAMS = """
import os, select, socket, sys
stranger = (sys.argv[1], int(sys.argv[2]))
print("started", flush=True)
sys.stdin.readline()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 53))
chosen = select.epoll()
chosen.register(s, select.EPOLLIN)
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if os.fork() == 0:
    other.bind(("127.0.0.1", 0))
    other.settimeout(20)
    while True:                       # one of the family's own: in shared memory
        other.sendto(b"inside", ("127.0.0.1", 53))
        if other.recvfrom(100) == (b"answer inside", ("127.0.0.1", 53)):
            os._exit(0)
left = {b"inside", b"end"}               # in whichever order they come
while left:
    chosen.poll()
    text, sender = s.recvfrom(65535)
    try:
        s.sendto(b"not for you", stranger)
    except OSError as error:
        assert error.errno in (101, 111), error
    s.sendto(b"answer " + text, sender)
    left.discard(text)
print("child", os.wait()[1], flush=True)
"""


def own_address():
    """Of this host, beside loopback: what a member sends there can only go through the host."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.254", 9))   # nothing is sent
            return s.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def published_udp(context, backend, *options):
    """A datagram to the host's port reaches who is bound inside, and the answer its client, from
    that port; to others nothing can be sent."""
    def check():
        python, port = shutil.which("python3", path="/usr/bin:/bin"), free_port()
        if not python:
            raise Skipped("no python3 of Debian's")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind((own_address(), 0))
            stranger.setblocking(False)
            with Running(context, backend, [python, "-c", DATAGRAMS,
                                            *map(str, stranger.getsockname())],
                         options=["-p", f"127.0.0.1:{port}:53/udp", *options],
                         stdin=subprocess.PIPE, bufsize=0) as family:
                require(family.line() == b"started\n", "it did not start")
                clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
                for number, client in enumerate(clients):
                    client.settimeout(SECONDS)
                    client.sendto(b"early %d" % number, ("127.0.0.1", port))
                family.process.stdin.write(b"go\n")
                for turn in (b"early %d", b"later %d", b"x" * 60000 + b"%d", b""):
                    for number, client in enumerate(clients):
                        text = turn % number if turn else turn
                        if not turn.startswith(b"early"):
                            client.sendto(text, ("127.0.0.1", port))
                        back, sender = client.recvfrom(65535)
                        require((back, sender) == (b"answer " + text, ("127.0.0.1", port)),
                                f"{number}: {back[:40]!r} from {sender}")
                clients[0].sendto(b"end", ("127.0.0.1", port))
                require(family.line() == b"child 0\n", "the family's own was not answered")
                for client in clients:
                    client.close()
            try:
                require(False, f"a stranger got {stranger.recvfrom(100)}")
            except BlockingIOError:
                pass
    return check


def refused(context, backend):
    """What cannot be granted is said in one line, before anything starts."""
    def check():
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for options, word in (
                    (["-p", f"127.0.0.1:{port}:80"], b"another port"), (["-p", "80"], b"HOSTPORT"),
                    (["-p", "1:0"], b"1 to 65535"), (["-p", "x:80"], b"1 to 65535"),
                    (["-p", "::1:80:80"], b"HOSTPORT"), (["-p", "80:80/sctp"], b"protocol"),
                    (["--net", "bridge"], b"choose none"),
                    (["--net", "ns:"], b"choose none"), (["--net", "ns:/no/such"], b"/no/such"),
                    (["--net", "ns:/etc/passwd"], b"no network namespace"),
                    (["--net", "ns:/proc/self/ns/uts"], b"no network namespace")):
                result = context.run([context.unifork, "run", "-b", backend, *options, "--",
                                      BUSYBOX, "echo", "ran"])
                require(result.status in (100, 111), f"{options}: {tail(result)}")
                one_line(result)
                require(word in result.stderr, f"{options}: {tail(result)}")
    return check


def descriptors(pid):
    """Sockets of the Internet that a process of the host has open."""
    known, found = set(), []
    try:
        for name in ("tcp", "udp", "tcp6", "udp6"):
            for line in pathlib.Path(f"/proc/net/{name}").read_text("ascii").splitlines()[1:]:
                known.add(f"socket:[{line.split()[9]}]")
        found = [os.readlink(entry) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
    except OSError: # it is going away, and what it has with it
        pass
    return sorted(name for name in found if name in known)


KILLED = """
import os, socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)
for generation in range(2):
    child = os.fork()
    if child == 0:
        connection, _ = listener.accept()
        connection.sendall(b"accepted")
        time.sleep(60)
    print("child", flush=True)
    print("ended", os.waitpid(child, 0)[1], flush=True)
connection, _ = listener.accept()
connection.sendall(b"parent")
sys.stdin.read()
"""


def killed(context, backend):
    """A member that is killed with a connection: its peer hears the end, its parent goes on."""
    def check():
        python = shutil.which("python3", path="/usr/bin:/bin")
        if not python:
            raise Skipped("no python3 of Debian's")
        with Running(context, backend, [python, "-c", KILLED], options=["--net", "host"],
                     stdin=subprocess.PIPE, bufsize=0) as family:
            port = int(family.line().split()[1])
            for _ in range(2):
                require(family.line() == b"child\n", "no child")
                with socket.create_connection(("127.0.0.1", port), SECONDS) as s:
                    s.settimeout(SECONDS)
                    require(s.recv(100) == b"accepted", "it was not accepted")
                    members = runs.monitors(family.process.pid).values()
                    holders = [pid for pid in members if len(descriptors(pid)) > 1]
                    require(len(holders) == 1, f"who has the connection: {holders}")
                    os.kill(holders[0], signal.SIGKILL)
                    require(s.recv(100) == b"", "the connection lives on")
                require(family.line() == b"ended 9\n", "another status")
            with socket.create_connection(("127.0.0.1", port), SECONDS) as s:
                s.settimeout(SECONDS)
                require(s.recv(100) == b"parent", "the listener is gone")
                require(not descriptors(runs.supervisor(family.process.pid)), "the supervisor's")
    return check


PASSED = """
import os, socket, sys
port = int(sys.argv[1])
pair = socket.socketpair()
for number in range(30):
    child = os.fork()
    if child == 0:
        s = socket.create_connection(("127.0.0.1", port))
        socket.send_fds(pair[0], [b"x"], [s.fileno()])
        if number % 2:
            os.kill(os.getpid(), 9)
        os._exit(0)
    os.waitpid(child, 0)
    _, fds, _, _ = socket.recv_fds(pair[1], 1, 1)
    s = socket.socket(fileno=fds[0])
    s.sendall(b"line\\n")
    assert s.recv(100) == b"you said line", number
    s.close()
print("done", flush=True)
sys.stdin.read()
"""


def passed(context, backend):
    """Sockets that are passed on, whose makers die, are all closed once nobody uses them."""
    def check():
        python = shutil.which("python3", path="/usr/bin:/bin")
        if not python:
            raise Skipped("no python3 of Debian's")
        with Peer() as peer, Running(context, backend, [python, "-c", PASSED, peer.ports[0]],
                                     options=["--net", "host"], stdin=subprocess.PIPE,
                                     bufsize=0) as family:
            require(family.line(60) == b"done\n", "not done")
            front, left = family.process.pid, ["?"]
            deadline = time.monotonic() + 10
            while left and time.monotonic() < deadline:
                everybody = [runs.supervisor(front), *runs.monitors(front).values()]
                left = [name for pid in everybody for name in descriptors(pid)]
            require(not left, f"still open: {left}")
    return check


MANY = """
import selectors, socket, sys
listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
listener.setblocking(False)
chosen = selectors.EpollSelector()
chosen.register(listener, selectors.EVENT_READ)
print(listener.getsockname()[1], flush=True)
connections = 0
while connections < int(sys.argv[1]):
    chosen.select()
    try:
        while True:
            connection, _ = listener.accept()
            connection.setblocking(False)
            chosen.register(connection, selectors.EVENT_READ)
            connections += 1
    except BlockingIOError:
        pass
print("all", flush=True)
while connections:
    for key, _ in chosen.select():
        data = key.fileobj.recv(100)
        key.fileobj.send(data)
        if not data:
            chosen.unregister(key.fileobj)
            key.fileobj.close()
            connections -= 1
"""


MANY_CLIENTS = """
import socket, sys
port, count = int(sys.argv[1]), int(sys.argv[2])
opened = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(count)]
for number in (0, count // 2, count - 1, 1, 1100):
    opened[number].sendall(b"%d" % number)
    assert opened[number].recv(100) == b"%d" % number, f"{number} was not heard"
"""


def many(context, backend):
    """Thousands of connections in one epoll: each is heard, and none costs the others."""
    def check():
        python, count = shutil.which("python3", path="/usr/bin:/bin"), 1500
        if not python:
            raise Skipped("no python3 of Debian's")
        if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2 * count:
            raise Skipped("no right to open so many files")
        with Running(context, backend, [python, "-c", MANY, str(count)], bufsize=0,
                     options=["--net", "host", "--ulimit", f"nofile={2 * count}"]) as family:
            port = family.line().decode().strip()
            clients = context.run(["prlimit", f"--nofile={2 * count}:", python, "-c", MANY_CLIENTS,
                                   port, str(count)], 60)
            require(clients.status == 0, tail(clients))
            require(family.line() == b"all\n", "not all were accepted")
    return check


def user_network(context, backend):
    """An ordinary user's family gets a network by pasta, and published ports beside it."""
    def check():
        if os.geteuid() != 0:
            raise Skipped("needs root to become another user, and to make /dev/net/tun for it")
        if not shutil.which("pasta"):
            raise Skipped("no pasta (package passt)")
        if backend == "kvm" and not os.stat("/dev/kvm").st_mode & 0o006:
            raise Skipped("/dev/kvm is not for every user here")
        port = free_port()
        command = (f"{context.unifork} run -b {backend} --net user -p 127.0.0.1:{port}:80 -- "
                   f"{BUSYBOX} sh -c 'busybox ip route; echo up; "
                   "busybox nc -l -p 80 -e busybox cat'")
        script = ("mount -t tmpfs none /dev/net 2>/dev/null && "
                  "mknod -m 666 /dev/net/tun c 10 200 && "
                  f"exec setpriv --reuid={ORDINARY} --regid={ORDINARY} --clear-groups "
                  f"sh -c \"exec {command}\"")
        context.needs(backend)
        process = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, cwd="/")
        try:
            ready, _, _ = select.select([process.stdout], [], [], 30)
            lines = list(itertools.takewhile(lambda line: line != b"up\n", process.stdout)
                         if ready else ())
            if not any(line.startswith(b"default via ") for line in lines):
                process.kill()
                require(False, f"no default route: {lines} {process.stderr.read()!r}")
            with socket.create_connection(("127.0.0.1", port), SECONDS) as s:
                s.settimeout(SECONDS)
                s.sendall(b"through")
                s.shutdown(socket.SHUT_WR)
                require(s.recv(100) == b"through", "nothing came back")
            require(process.wait(30) == 0, "its status")
        finally:
            process.kill()
            process.wait()
    return check


SERVE = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
server.accept()[0].sendall(b"reached")
"""


def user_bounded(context, backend):
    """The host's loopback is not behind the gateway that pasta shows."""
    def check():
        if not shutil.which("pasta"):
            raise Skipped("no pasta (package passt)")
        if backend == "kvm" and not os.stat("/dev/kvm").st_mode & 0o006:
            raise Skipped("/dev/kvm is not for every user here")
        context.needs(backend)
        with Namespace() as namespace:
            enter = ["nsenter", f"--net={namespace.path}"]
            for line in ("link add eth0 type veth peer name nobody", "link set eth0 up",
                         "link set nobody up", f"addr add {OUTER}/24 dev eth0",
                         f"route add default via {GATEWAY}"):
                subprocess.run([*enter, "ip", *line.split()], check=True)
            server = subprocess.Popen([*enter, sys.executable, "-c", SERVE],
                                      stdout=subprocess.PIPE)
            try:
                port = int(server.stdout.readline())
                script = ("mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && "
                          f"exec setpriv --reuid={ORDINARY} --regid={ORDINARY} --clear-groups "
                          f"{context.unifork} run -b {backend} --net user -- {BUSYBOX} "
                          f"nc -w 2 {GATEWAY} {port}")
                result = context.run([*enter, "unshare", "-m", "sh", "-c", script], SECONDS)
            finally:
                server.kill()
                server.wait()
            require(b"unifork" not in result.stderr and b"pasta" not in result.stderr, tail(result))
            require(result.status == 1 and b"reached" not in result.stdout, tail(result))
    return check


# How net_echo waits, and calls for each request: as many as Linux's own system calls, which in read
# waits as well (2).
PRICES = {"read": 3, "epoll": 3, "level": 3, "poll": 3, "threads": 3}
FEW, MORE = 20, 220


def served(context, backend, how, requests):
    """Calls of the monitor that a server made for so many requests, one after the other."""
    port = free_port()
    path = context.scratch / f"price-{backend}-{how}-{requests}"
    program = context.build / "tests/integration/net_echo"
    with Running(context, backend, [program, how],
                 options=["-p", f"127.0.0.1:{port}:7777", "--stats", path]) as family:
        with reach(family.process, port) as connection:
            for number in range(requests):
                connection.sendall(b"%d" % number)
                require(connection.recv(100) == b"%d" % number, f"{number} did not come back")
    return sum(json.loads(path.read_text("ascii"))["hypercalls"].values())


def price(context, backend):
    """A request costs as many calls of the monitor as Linux's own system calls, or one more."""
    def check():
        for how, limit in PRICES.items():
            asked = served(context, backend, how, MORE) - served(context, backend, how, FEW)
            each = asked / (MORE - FEW)
            require(each <= limit + 0.05, f"{how}: {each} calls for a request, not {limit}")
            # one to receive and one to send; the two runs differ by a few calls beside them
            require(each >= 1.9, f"{how}: {each} calls for a request cannot be all")
    return check


def reach(process, port):
    """A connection to who listens there, or will."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), SECONDS)
            connection.settimeout(SECONDS)
            return connection
        except ConnectionRefusedError:
            require(process.poll() is None and time.monotonic() < deadline, "nobody listens")
            time.sleep(0.02)


def cases(context):
    found = []
    known = {guest.name: guest for guest in guests.guests("guest")}
    for backend in context.backends():
        for name, check in (("outside", outside(context, backend, None)),
                            ("outside_user", outside(context, backend, ORDINARY)),
                            ("only_there", only_there(context, backend)),
                            ("echo", echo(context, backend)),
                            ("shown", shown(context, backend)),
                            ("counts", counts(context, backend)),
                            ("views", views(context, backend)),
                            ("resolver", resolver(context, backend)),
                            ("none", none(context, backend)),
                            ("published", published(context, backend)),
                            ("published_udp", published_udp(context, backend)),
                            ("refused", refused(context, backend)),
                            ("killed", killed(context, backend)),
                            ("many", many(context, backend)),
                            ("passed", passed(context, backend)),
                            ("user", user_network(context, backend)),
                            ("price", price(context, backend)),
                            ("user_bounded", user_bounded(context, backend))):
            found.append(Case(f"integration/network_{name}@{backend}", check))
        for guest in OVER_HOST:
            found.append(Case(f"integration/network.{guest}@{backend}",
                              over_host(context, backend, known[guest])))
    return found
