# SPDX-License-Identifier: ISC
"""Small helpers around families with names: labels, published ports, attach, events,
restarts, completion in bash."""

import json
import os
import pathlib
import select
import signal
import subprocess

from harness import runs
from harness.cases import Case, Skipped, require
from integration.cases_families import SLEEP, state_of, wait_for

BASH = "/bin/bash"


def labels(context, backend):
    with state_of(context, backend) as state:
        state.start("a", *SLEEP, options=["-l", "tier=web", "--label", "on"])
        state.start("b", *SLEEP, options=["-l", "tier=data", "-l", "tier=\x1bdata"])
        rows = {row["name"]: row["labels"] for row in json.loads(state("ps", "--format", "json"))}
        require(rows == {"a": {"tier": "web", "on": ""}, "b": {"tier": "\\x1bdata"}}, f"{rows}")
        require(state.inspect("a")["labels"] == rows["a"], "inspect does not know them")
        for words, expected in ((["label=tier"], "ab"), (["label=tier=web"], "a"),
                                (["label=tier=\x1bdata"], "b"), (["label=on"], "a"),
                                (["label=tier=w"], ""), (["label=ti"], "")):
            found = "".join(sorted(state("ps", "-q", "--filter", *words).split()))
            require(found == expected, f"{words}: {found}")
        state("ps", "--filter", "name=a", status=100)
        require("label=KEY" in state.stderr, state.stderr)
        for words in (["--name", "c", "-l", "=x"], ["-l", "x=y"]):
            state("run", *words, "--", *SLEEP, status=100)
            require("--label" in state.stderr, state.stderr)


def ports(context, backend):
    with state_of(context, backend) as state:
        state.start("f", *SLEEP, options=["-p", "127.0.0.1:48080:80", "-p", "[::1]:48081:443"])
        require(state("port", "f") == "80/tcp -> 127.0.0.1:48080\n443/tcp -> [::1]:48081\n",
                state("port", "f"))
        require(state("port", "f", "443/tcp") == "[::1]:48081\n", "one port")
        state("port", "f", "81", status=1)
        require("has not published port 81" in state.stderr, state.stderr)
        for words in (["f", "0"], ["f", "80/udp"], ["f", "80", "81"]):
            state("port", *words, status=100)


def completion(context, backend):
    if not os.path.exists(BASH):
        raise Skipped(f"needs {BASH}")
    script = pathlib.Path(__file__).parents[2] / "cli/completion.bash"

    def complete(state, *words):
        line = " ".join(f"'{word}'" for word in ("unifork", *words))
        shell = (f"unifork() {{ :; }}; . {script}; COMP_WORDS=({line});"
                 f" COMP_CWORD={len(words)}; _unifork {context.unifork};"
                 " printf '%s\\n' \"${COMPREPLY[@]}\"")
        result = subprocess.run([BASH, "--norc", "-c", shell], capture_output=True, check=False,
                                stdin=subprocess.DEVNULL, env=runs.environment(state.mark),
                                timeout=30 * context.scale)
        require(result.stderr == b"", f"{words}: {result.stderr!r}")
        return set(result.stdout.decode().split())

    with state_of(context, backend) as state:
        state.start("runs", *SLEEP)
        state.start("rests", *SLEEP)
        state("kill", "rests")
        state("wait", "rests")
        where = ["--state-dir", state.folder]
        require({"run", "exec", "ps", "rm"} <= complete(state, ""), "verbs")
        require(complete(state, "un") == {"unpause"}, "a verb")
        require(complete(state, "exec", *where, "r") == {"runs"}, "who runs")
        require(complete(state, "rm", *where, "r") == {"runs", "rests"}, "all of them")
        require(complete(state, "exec", *where, "runs", "r") == set(), "a program")
        require({"--env", "--tty", "-t"} <= complete(state, "exec", "-"), "options of exec")
        require(complete(state, "run", "--memo") == {"--memory"}, "an option of run")
        require(complete(state, "run", "-b", "k") == {"kvm"}, "a backend")
        require(complete(state, "kill", "-s", "SIGKI") == {"SIGKILL"}, "a signal")


def attach(context, backend):
    """What is written from now on, signals, and the status."""
    with state_of(context, backend) as state:
        state.start("f", "/bin/busybox", "sh", "-c", "trap 'echo got; exit 6' INT; echo before;"
                    " while :; do echo line; busybox sleep 0.1; done")
        wait_for(lambda: "line" in state("logs", "f"), "it writes")

        def client(*words):
            return subprocess.Popen([str(context.unifork), "attach", "--state-dir", state.folder,
                                     *words, "f"], stdout=subprocess.PIPE, start_new_session=True,
                                    env=runs.environment(state.mark))
        with client("--sig-proxy", "false") as alone, client() as passing:
            for process in (alone, passing):
                require(process.stdout.readline() == b"line\n", "what was written before")
            os.kill(alone.pid, signal.SIGINT)
            require(alone.wait(20 * context.scale) == -signal.SIGINT, "--sig-proxy false")
            require(state.states() == {"f": "running"}, "it ended the family")
            os.kill(passing.pid, signal.SIGINT)
            out = passing.stdout.read()
            require(passing.wait(20 * context.scale) == 6 and out.endswith(b"got\n"), f"{out}")
        state("attach", "f", status=1)
        require("is not running" in state.stderr, state.stderr)


def events(context, backend):
    """fork, exec, exit in the order in which they happen to a process; the front's own; the end."""
    with state_of(context, backend) as state:
        state.start("f", *SLEEP)

        def watch():
            process = subprocess.Popen([str(context.unifork), "events", "--state-dir", state.folder,
                                        "--format", "json", "f"], stdout=subprocess.PIPE,
                                       env=runs.environment(state.mark), start_new_session=True)
            wait_for(lambda: marked(process), "it watches")
            return process

        def marked(process):
            """Until something that happens now is seen."""
            state("exec", "f", "/bin/true")
            return bool(select.select([process.stdout], [], [], 0.2)[0])

        with watch() as first, watch() as second:
            state("exec", "f", "sh", "-c", "/bin/false; kill -9 $$", status=None)
            state("exec", "f", "sh", "-c", "for i in 1 2 3 4 5; do /bin/true; done")
            state("pause", "f")
            state("unpause", "f")
            second.kill()
            state("kill", "f")
            lines = [json.loads(line) for line in first.stdout.read().splitlines()]
            require(first.wait() == 0, "its status")
        by_pid = {}
        for line in lines:
            by_pid.setdefault(line.get("pid"), []).append(line)
        names = [line["event"] for line in by_pid[None]]
        require(names == ["pause", "unpause", "end"], str(names))
        require(by_pid[None][2]["status"] == 137, str(by_pid[None]))
        false, = [each for each in by_pid.values() if each[-1].get("name") == "false"]
        require([line["event"] for line in false] == ["fork", "exec", "exit"], str(false))
        require(false[-1]["status"] == 1 and false[0]["ppid"] == false[-1]["ppid"], str(false))
        shell = by_pid[false[0]["ppid"]]
        require([line["event"] for line in shell] == ["fork", "exec", "exit"], str(shell))
        require(shell[-1]["status"] == 137 and shell[-1]["ppid"] == 0, str(shell))
        require(shell[0]["time"] <= false[0]["time"] <= false[2]["time"] <= shell[2]["time"],
                "the times")
        whole = [each for each in by_pid.values() if each[0]["event"] == "fork"]
        require(sum(each[-1].get("name") == "true" for each in whole) >= 5, "some are missing")
        state("events", "f", status=1)
        require("is not running" in state.stderr, state.stderr)


def events_flood(context, backend):
    """More than anybody reads: they are counted, and nobody waits for who stands still."""
    with state_of(context, backend) as state:
        state.start("f", "/bin/busybox", "sh", "-c", "while :; do (:); done")
        client = state.connect("f") # which reads one answer, and no more
        client.send(b'{"version": 1, "request": "events"}')
        require(json.loads(client.recv(65536)) == {"version": 1}, "no answer")
        with state.connect("f") as reader:
            reader.send(b'{"version": 1, "request": "events"}')
            require(json.loads(reader.recv(65536)) == {"version": 1}, "no answer")
            seen = 0
            while seen < 600:
                packet = json.loads(reader.recv(65536))
                seen += len(packet["events"]) + packet["lost"]
        require(state.states() == {"f": "running"} and state.inspect("f")["members"], "held up")
        client.close()


def restarts(context, backend):
    """--restart on-failure: again while it fails, until somebody asks for the end."""
    def lives(name):
        return state("logs", name).count("life")

    with state_of(context, backend) as state:
        fails = ["/bin/busybox", "sh", "-c", "trap 'exit 9' USR1; echo life; exit 3"]
        state.start("some", *fails, options=["--restart", "on-failure:2"])
        require(state("wait", "some") == "3\n" and lives("some") == 3, state("logs", "some"))
        state.start("well", "/bin/busybox", "sh", "-c", "echo life",
                    options=["--restart", "on-failure"])
        require(state("wait", "well") == "0\n" and lives("well") == 1, state("logs", "well"))

        state.start("again", *fails, options=["--restart", "on-failure"])
        wait_for(lambda: lives("again") >= 4, "four lives") # it waits 0.8 s before the next
        wait_for(lambda: state.inspect("again")["supervisor"] == 0, "in between")
        state("exec", "again", "true", status=1)
        require("started again" in state.stderr, state.stderr)
        state("stop", "again")
        require(state.states()["again"] == "exited" and state("wait", "again") == "3\n", "stop")

        state.start("killed", *SLEEP, options=["--restart", "on-failure"])
        wait_for(lambda: state.inspect("killed")["members"], "it runs")
        seen = state.inspect("killed")
        os.kill(seen["members"][0]["host_pid"], signal.SIGKILL)
        wait_for(lambda: state.inspect("killed").get("restarts") == 1
                 and state.inspect("killed")["members"], "it runs again")
        require(state.inspect("killed")["front"] == seen["front"], "another front")
        state("exec", "killed", "true")
        state("kill", "killed")
        require(state("wait", "killed") == "137\n", "kill does not end it")
        for words, text in ((["--restart", "always", "-d"], "choose"),
                            (["--restart", "on-failure:0", "-d"], "choose"),
                            (["--restart", "on-failure", "--rm", "-d"], "exclude"),
                            (["--restart", "on-failure"], "--name")):
            state("run", *words, "--", *SLEEP, status=100)
            require(text in state.stderr, state.stderr)


def cases(context):
    def bound(check, backend):
        return lambda: check(context, backend)

    return [Case(f"integration/families/{check.__name__}@{backend}", bound(check, backend))
            for check in (labels, ports, attach, events, events_flood, restarts, completion)
            for backend in context.backends()]
