# SPDX-License-Identifier: MIT
"""A FastAPI application marks what it does to its event loop. The report must agree: every stall,
its edges, its cause, and nothing else."""

import time

import pytest

import harness
import laws
import names
import work

GAP_S = 0.15
BLOCKING = [*work.WORK, "requests_get"]
HARMLESS = ["def_sleep", "async_sleep", "thread_pbkdf2", "pool_regex"]


class Recording:
    """One run of the application under one gilscope, with every route called once."""

    def __init__(self, loop, mode, slow_port):
        with harness.WebApp(
            loop, prefix=harness.undisturbed(), env={"TRUTH_SLOW_PORT": str(slow_port)}
        ) as app:
            for name in ("warm", "def_sleep", "time_sleep", "hog_regex"):
                app.call(name)
            before, self.pid = app.threads(), app.pid
            with harness.attach(app, "--mode", mode) as running:
                begin = time.monotonic_ns()
                for name in BLOCKING + HARMLESS:
                    time.sleep(GAP_S)
                    app.call(name)
                time.sleep(GAP_S)
                self.outcome = running.finish()
            marks = app.marks()
            self.threads = before & app.threads()
        self.loop, self.mode, self.report = loop, mode, self.outcome.report
        self.marks = {mark.name: mark for mark in marks if mark.t0_ns > begin}


@pytest.fixture(
    scope="module",
    params=[(loop, mode) for loop in ("asyncio", "uvloop") for mode in ("exact", "edges")],
    ids="-".join,
)
def recording(request, slow_port):
    return Recording(*request.param, slow_port)


def test_every_report_obeys_the_laws(recording):
    laws.check_laws(recording.report, recording.threads)
    laws.check_evidence(recording.outcome)


def test_the_process_is_described(recording):
    process = next(p for p in recording.report["processes"] if p["pid"] == recording.pid)
    assert "uvicorn" in process["cmdline"] and process["gil"] == "on"
    (loop,) = process["loops"]
    assert loop["tid"] == recording.pid and loop["kind"] == recording.loop
    assert [thread["tid"] for thread in process["threads"] if thread["loop"]] == [recording.pid]


@pytest.mark.parametrize("name", BLOCKING)
def test_a_blocked_loop_is_one_stall_with_its_cause(recording, name):
    mark, known = recording.marks[name], work.WORK.get(name, work.WORK["socket_wait"])
    stall = laws.the_stall(recording.report, mark)
    slow_ns = laws.slow_ns(recording.marks.values())
    laws.check_cause(stall, mark, known, recording.mode, slow_ns)
    laws.check_details(recording.report, stall, mark, known)


@pytest.mark.parametrize("name", BLOCKING)
def test_a_stall_names_the_function_the_line_and_the_handler(recording, name):
    mark = recording.marks[name]
    names.check_stall(laws.the_stall(recording.report, mark), mark)


@pytest.mark.parametrize("name", HARMLESS)
def test_what_leaves_the_loop_alone_is_no_stall(recording, name):
    mark = recording.marks[name]
    stalls = [
        stall
        for stall in laws.stalls_of(recording.report)
        if mark.overlaps(stall) and stall["cause"] not in ("runnable", "held_runnable")
    ]
    assert not stalls, [laws.describe(stall) for stall in stalls]


def test_no_stall_is_invented(recording):
    assert not laws.uninvited(recording.report, recording.marks.values())
