# SPDX-License-Identifier: ISC
"""--memory and --pids by cgroups of version 2, in the emulated machine: cgroup.sh does it all."""

import importlib.util
import pathlib
import re
import sys
import threading

from harness.cases import Case, Failed, Skipped

HERE = pathlib.Path(__file__).resolve().parent
SCRIPT = HERE / "cgroup.sh"


class Script:
    """One boot; each of its results is a case."""

    def __init__(self, context):
        self.context, self.lock = context, threading.Lock()
        self.results, self.output, self.unavailable = None, [], None

    def run(self):
        spec = importlib.util.spec_from_file_location("run_svm", HERE / "run_svm.py")
        run_svm = importlib.util.module_from_spec(spec)
        sys.modules["run_svm"] = run_svm
        spec.loader.exec_module(run_svm)
        hog = self.context.build / "tests/integration/limits_memory"
        self.results = {}
        try:
            for event in run_svm.run([], timeout_s=900, unifork=self.context.unifork,
                                     files=((hog, "/t/limits_memory"),),
                                     script=SCRIPT.read_text(encoding="utf-8")):
                if event["kind"] == "result":
                    self.results[event["name"]] = event["status"]
                self.output.append(str(event))
        except run_svm.Unavailable as reason:
            self.unavailable = str(reason)

    def check_of(self, name):
        def check():
            with self.lock:
                if self.results is None:
                    self.run()
            if self.unavailable:
                raise Skipped(f"svm: {self.unavailable}")
            if self.results.get(name) != "ok":
                raise Failed(f"{name}: {self.results.get(name, 'no result')}\n"
                             + "\n".join(self.output[-60:]))
        return check


def cases(context):
    if context.group != "svm" or context.wanted == ["native"]:
        return []
    script = Script(context)
    names = re.findall(r"^verdict (\w+)", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)
    return [Case(f"svm/{name}", script.check_of(name)) for name in names]
