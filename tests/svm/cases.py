# SPDX-License-Identifier: ISC
"""The guest tests on ordinary kvm_amd, emulated by QEMU: the short selection, or with --svm all,
and the hostile guests as well: there ring 0 is the processor's own.

The short selection runs on one processor, which is the fastest; all run on two, because members
race only where they really run at the same time.
"""

import importlib.util
import pathlib
import sys
import threading

from harness import guests
from harness.cases import Case, Failed, Skipped

HERE = pathlib.Path(__file__).resolve().parent
# An emulated machine is slow: what takes milliseconds takes seconds there. No run takes less than
# a few seconds, and what else this machine does is felt twice.
SLOWER = 3
LIMIT_MIN_S = 60


def load():
    spec = importlib.util.spec_from_file_location("run_svm", HERE / "run_svm.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["run_svm"] = module
    spec.loader.exec_module(module)
    return module


class Machine:
    """One boot for all cases: the first case that asks starts it, the others read its results."""

    def __init__(self, context, chosen, seconds, cpus):
        self.context, self.chosen, self.seconds, self.cpus = context, chosen, seconds, cpus
        self.lock = threading.Lock()
        self.results, self.unavailable = None, None

    def limit_s(self, guest):
        return int(max(LIMIT_MIN_S, guest.timeout * SLOWER) * self.context.scale)

    def boot(self):
        run_svm = load()
        tests = [run_svm.Test(guest.name, guest.binary(self.context.build), list(guest.args),
                              self.limit_s(guest), guest.folder == "security")
                 for guest in self.chosen
                 if guest.binary(self.context.build).exists()
                 and f"svm/{guest.name}" in self.context.selected]
        self.results = {}
        try:
            for event in run_svm.run(tests, unifork=self.context.unifork, cpus=self.cpus,
                                     timeout_s=self.seconds):
                if event["kind"] == "result":
                    self.results[event["name"]] = event
        except run_svm.Unavailable as reason:
            self.unavailable = str(reason)

    def check_of(self, guest):
        def check():
            if not self.context.unifork.exists():
                raise Failed("build/unifork does not exist")
            with self.lock:
                if self.results is None:
                    self.boot()
            if self.unavailable:
                raise Skipped(f"svm: {self.unavailable}")
            event = self.results.get(guest.name, {"status": "missing"})
            if event["status"] != "ok":
                raise Failed("\n".join(f"{key}: {value}" for key, value in event.items()
                                       if key != "kind"))
        return check


def cases(context):
    if context.wanted == ["native"] or not (HERE / "run_svm.py").exists():
        return []
    whole = context.group == "svm"
    chosen = [guest for folder in ("guest", "security") for guest in guests.guests(folder)
              if (not guest.words & {"slow", "nosvm"} if whole else
                  ("svm" in guest.words and guest.name == guest.source.stem))]
    machine = Machine(context, chosen, 3400 if whole else 300, 2 if whole else 1)
    return [Case(f"svm/{guest.name}", machine.check_of(guest)) for guest in chosen]
