# SPDX-License-Identifier: ISC
"""The guest tests on ordinary kvm_amd, emulated by QEMU: the short selection, or with --svm all,
and the hostile guests as well: there ring 0 is the processor's own. With --svm also a selection on
the process backend, as root and as an ordinary user, because the emulated machine's Linux is the
one that Debian's users have.

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
    """One boot for several cases: the first that asks starts it, the others read its results.

    Cases are svm/NAME, with the names of the tests that `tests` returns for a run_svm module.
    """

    def __init__(self, context, tests, seconds, cpus):
        self.context, self.seconds, self.cpus = context, seconds, cpus
        self.run_svm = load()
        self.tests = tests(self)
        self.lock = threading.Lock()
        self.results, self.unavailable = None, None

    def limit_s(self, seconds):
        return int(max(LIMIT_MIN_S, seconds * SLOWER) * self.context.scale)

    def of_guest(self, guest, name=None, **more):
        kind = "hostile" if guest.folder == "security" else "t"
        return self.run_svm.Test(name or guest.name, guest.binary(self.context.build),
                                 more.pop("args", list(guest.args)), self.limit_s(guest.timeout),
                                 kind, **more)

    def of_script(self, name, **more):
        return self.run_svm.Test(name, HERE / more.pop("file"), [], self.limit_s(20), "script",
                                 **more)

    def boot(self):
        tests = [test for test in self.tests if test.path.exists()
                 and f"svm/{test.name}" in self.context.selected]
        self.results = {}
        try:
            for event in self.run_svm.run(tests, unifork=self.context.unifork, cpus=self.cpus,
                                          timeout_s=self.seconds):
                if event["kind"] == "result":
                    self.results[event["name"]] = event
        except self.run_svm.Unavailable as reason:
            self.unavailable = str(reason)

    def check_of(self, test):
        def check():
            if not self.context.unifork.exists():
                raise Failed("build/unifork does not exist")
            if not test.path.exists():
                raise Failed(f"{test.path} was not built")
            with self.lock:
                if self.results is None:
                    self.boot()
            if self.unavailable:
                raise Skipped(f"svm: {self.unavailable}")
            event = self.results.get(test.name, {"status": "missing"})
            if event["status"] != "ok":
                raise Failed("\n".join(f"{key}: {value}" for key, value in event.items()
                                       if key != "kind"))
        return check

    def cases(self):
        return [Case(f"svm/{test.name}", self.check_of(test)) for test in self.tests]


def everything():
    return [guest for folder in ("guest", "security") for guest in guests.guests(folder)]


def short(guest):
    return "svm" in guest.words and guest.name == guest.source.stem


def on_kvm(machine):
    return [machine.of_guest(guest) for guest in everything() if short(guest)]


def all_on_kvm(machine):
    return [machine.of_guest(guest) for guest in everything()
            if not guest.words & {"slow", "nosvm"}]


def elsewhere(machine):
    """The machine itself, the process backend there, and the ordinary user on both backends."""
    found = [machine.of_script(f"machine/{user}", file="machine.sh", user=user)
             for user in ("root", "user")]
    for backend, user in (("process", "root"), ("process", "user"), ("kvm", "user")):
        found += [machine.of_guest(guest, f"{backend}/{user}/{guest.name}", backend=backend,
                                   user=user)
                  for guest in everything() if short(guest) and "root" not in guest.words]
    return found


def security(machine):
    """Nothing that a guest does changes a file of its host, whoever started it: on a Linux whose
    Landlock does not know O_TRUNC, and where the host's own permissions would allow it."""
    named = {guest.name: guest for guest in guests.guests("security")}
    files = [f"/srv/host/{owner}/{mode}" for owner in ("root", "user") for mode in (600, 644, 666)]
    how = {"calls": {}, "instructions": {}, "memory": {},
           "reach": {"args": files},
           "reach.volume": {"args": files, "options": ("-v", "/srv/volume:/v")},
           "reach.outside": {"args": [f"={path}" for path in files], "options": ("--root", "/t"),
                             "program": "/reach"},
           "volume": {"args": ["/srv/host/user"], "options": ("-v", "/srv/volume:/v")}}
    return [machine.of_guest(named[name.partition(".")[0]], f"security/{backend}/{user}/{name}",
                             backend=backend, user=user, **more)
            for backend in ("process", "kvm") for user in ("root", "user")
            for name, more in how.items()]


def cases(context):
    if context.wanted == ["native"] or not (HERE / "run_svm.py").exists():
        return []
    if context.group != "svm":
        return Machine(context, on_kvm, 300, 1).cases()
    return (Machine(context, all_on_kvm, 3400, 2).cases()
            + Machine(context, elsewhere, 1200, 2).cases()
            + Machine(context, security, 1200, 2).cases())
