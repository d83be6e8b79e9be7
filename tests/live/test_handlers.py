# SPDX-License-Identifier: MIT
"""Whose fault it was, in a FastAPI application: the function that a person would name, in whatever way it was called."""
import time

import pytest

import harness
import laws
import names

GAP_S = 0.12
ON_LOOP = ["async_route", "deep_route", "method_route", "async_dependency", "yielding_dependency", "async_background", "function_middleware", "dispatch",
           "__call__", "in_callback", "in_timer", "in_task"]
IN_THREADS = ["sync_route", "sync_dependency", "sync_background", "in_executor", "in_to_thread", "in_anyio_thread", "in_thread", "run"]


class Recording:
    def __init__(self, loop):
        with harness.WebApp(loop, module="handlers_truth:app", prefix=harness.undisturbed()) as app:
            app.call("sync_route")
            known = len(app.marks())
            with harness.attach(app) as running:
                for name in ON_LOOP + IN_THREADS:
                    app.call(name)
                    time.sleep(GAP_S)
                self.marks = {mark.name: mark for mark in app.marks()[known:]}
                self.outcome = running.finish()
        self.loop, self.report = loop, self.outcome.report


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def recording(request):
    return Recording(request.param)


def test_every_report_obeys_the_laws(recording):
    laws.check_laws(recording.report)
    laws.check_evidence(recording.outcome)


@pytest.mark.parametrize("name", ON_LOOP)
def test_who_blocks_the_loop_is_named_with_role_function_and_line(recording, name):
    mark = recording.marks[name]
    stall = laws.the_stall(recording.report, mark)
    assert stall["cause"] == "blocked", laws.describe(stall)
    names.check_place(stall["stack"], mark.place, name)
    names.check_handler(stall["handler"], mark.handler, name)


@pytest.mark.parametrize("name", IN_THREADS)
def test_who_keeps_the_gil_from_the_loop_is_named_with_role_function_and_line(recording, name):
    mark = recording.marks[name]
    # the holder's own mark begins before the loop wants the GIL
    stall, = [stall for stall in laws.stalls_of(recording.report) if mark.overlaps(stall)]
    assert stall["cause"] == "gil_wait", laws.describe(stall)
    names.check_holder(stall, mark)


def test_the_table_of_blame_has_them_all(recording):
    rows = {(row["handler"]["function"], row["handler"]["role"]): row for row in recording.report["blame"] if row["handler"]}
    for mark in recording.marks.values():
        who = mark.handler or mark.holder["handler"]
        row = rows.get((who["function"], who["role"]))
        assert row, f"{who} is not in {sorted(rows)}"
        assert row["stalls"] >= 1, f"{mark}: {row}"
