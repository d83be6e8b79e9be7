# SPDX-License-Identifier: MIT
"""tests/apps/handlers_truth.py under gilscope: everything in a FastAPI application that can make
its loop wait, once each, and the handler to be named."""

import time

import harness
import laws
import names

GAP_S = 0.12
ON_LOOP = [
    "async_route",
    "deep_route",
    "method_route",
    "async_dependency",
    "yielding_dependency",
    "async_background",
    "function_middleware",
    "dispatch",
    "__call__",
    "in_callback",
    "in_timer",
    "in_task",
]
IN_THREADS = [
    "sync_route",
    "sync_dependency",
    "sync_background",
    "in_executor",
    "in_to_thread",
    "in_anyio_thread",
    "in_thread",
    "run",
]


class Recording:
    def __init__(self, loop, python=harness.DEBIAN_PYTHON):
        with harness.WebApp(
            loop, module="handlers_truth:app", python=python, prefix=harness.undisturbed()
        ) as app:
            app.call("sync_route")
            known = len(app.marks())
            with harness.attach(app) as running:
                for name in ON_LOOP + IN_THREADS:
                    app.call(name)
                    time.sleep(GAP_S)
                self.outcome = running.finish()
            self.marks = {mark.name: mark for mark in app.marks()[known:]}
        self.loop, self.report = loop, self.outcome.report

    def check(self, name):
        """Cause, function, line, handler and role are right."""
        mark = self.marks[name]
        if name in ON_LOOP:
            stall = laws.the_stall(self.report, mark)
            assert stall["cause"] == "blocked", laws.describe(stall)
            names.check_stall(stall, mark)
        else:
            # the holder's own mark begins before the loop wants the GIL
            (stall,) = [stall for stall in laws.stalls_of(self.report) if mark.overlaps(stall)]
            assert stall["cause"] == "gil_wait", laws.describe(stall)
            names.check_holder(stall, mark)

    def check_blame(self, name):
        """The table of blame has the handler and its stall."""
        mark = self.marks[name]
        who = mark.handler or mark.holder["handler"]
        rows = {
            (row["handler"]["function"], row["handler"]["role"]): row
            for row in self.report["blame"]
        }
        row = rows.get((who["function"], who["role"]))
        assert row, f"{who} is not in {sorted(rows)}"
        assert row["stalls"] >= 1, f"{mark}: {row}"
