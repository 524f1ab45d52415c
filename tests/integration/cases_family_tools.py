# SPDX-License-Identifier: ISC
"""What families with names have beside their verbs: restarts."""

import os
import signal

from harness.cases import Case, require
from integration.cases_families import SLEEP, state_of, wait_for


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
            for check in (restarts,)
            for backend in context.backends()]
