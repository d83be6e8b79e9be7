# SPDX-License-Identifier: MIT
"""A FastAPI application under uvicorn with eight workers, observed by the PID of their supervisor:
whichever of them blocks its loop, its report must agree with its own marks, as that of a single
process does (test_truth.py)."""

import concurrent.futures
import contextlib
import json
import os
import threading
import time

import pytest

import harness
import laws
import names
import work

WORKERS = 8
GAP_S = 0.15


def workers_of(folder):
    """The PIDs of the workers, once all are ready."""
    deadline = time.monotonic() + 60 * harness.PATIENCE
    while len(list(folder.iterdir())) < WORKERS:
        assert time.monotonic() < deadline, f"only {os.listdir(folder)} are ready"
        time.sleep(0.1)
    return {int(path.name) for path in folder.iterdir()}


def warm(app):
    """Calls so many at once that each worker has some of them."""
    with concurrent.futures.ThreadPoolExecutor(2 * WORKERS) as pool:
        list(pool.map(app.call, ["time_sleep", "hog_regex"] * WORKERS))


@contextlib.contextmanager
def requests(app):
    """Requests that never block, so that all loops turn."""
    over = threading.Event()

    def ask():
        while not over.wait(0.01):
            app.get("/ping")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def marks_of(folder):
    return [
        harness.Mark(json.loads(line))
        for path in folder.iterdir()
        for line in path.read_text().splitlines()
    ]


class Recording:
    """One run of eight workers under one gilscope; every route is called twice."""

    def __init__(self, mode, slow_port, folder):
        env = {"TRUTH_SLOW_PORT": str(slow_port), "TRUTH_FOLDER": str(folder)}
        arguments = ("--workers", str(WORKERS))
        with harness.WebApp("asyncio", *arguments, prefix=harness.undisturbed(), env=env) as app:
            self.supervisor, self.workers = app.pid, workers_of(folder)
            warm(app)
            with harness.attach(app, "--mode", mode) as running, requests(app):
                time.sleep(GAP_S)
                begin = time.monotonic_ns()
                for name in [*work.WORK] * 2:
                    app.call(name)
                    time.sleep(GAP_S)
                self.outcome = running.finish()
        self.marks = [mark for mark in marks_of(folder) if mark.t0_ns > begin]
        self.mode, self.report = mode, self.outcome.report
        self.slow_ns = laws.slow_ns(self.marks)

    def of_worker(self, pid):
        """The report as if there were only this process."""
        processes = [each for each in self.report["processes"] if each["pid"] == pid]
        return {**self.report, "processes": processes}


@pytest.fixture(scope="module", params=["edges"])  # exact is right as well, and takes as long
def recording(request, slow_port, tmp_path_factory):
    return Recording(request.param, slow_port, tmp_path_factory.mktemp("workers"))


def test_all_of_the_service_is_observed(recording):
    laws.check_laws(recording.report)
    laws.check_evidence(recording.outcome)
    processes = {process["pid"]: process for process in recording.report["processes"]}
    assert {recording.supervisor, *recording.workers} <= set(processes)
    for pid in recording.workers:
        assert [loop["tid"] for loop in processes[pid]["loops"]] == [pid], processes[pid]
    assert processes[recording.supervisor]["loops"] == []


@pytest.mark.parametrize("name", work.WORK)
def test_a_worker_that_blocks_is_one_stall_with_its_cause_and_its_function(recording, name):
    marks = [mark for mark in recording.marks if mark.name == name]
    assert len(marks) == 2
    for mark in marks:
        own = recording.of_worker(mark.tid)
        stall = laws.the_stall(own, mark)
        laws.check_cause(stall, mark, work.WORK[name], recording.mode, recording.slow_ns)
        laws.check_details(own, stall, mark, work.WORK[name])
        names.check_stall(stall, mark)


def test_no_stall_of_any_worker_is_invented(recording):
    for pid in recording.workers:
        marks = [mark for mark in recording.marks if mark.tid == pid]
        assert not laws.uninvited(recording.of_worker(pid), marks)


def test_the_service_adds_up_its_workers(recording):
    service = recording.report["service"]
    stalls = laws.stalls_of(recording.report)
    assert service["loops"] == WORKERS and service["stalls"] == len(stalls)
    worst = service["worst_first"]
    stalled = {
        process["pid"]: sum(
            stall["end_ns"] - stall["start_ns"]
            for loop in process["loops"]
            for stall in loop["stalls"]
        )
        for process in recording.report["processes"]
    }
    assert [stalled[pid] for pid in worst] == sorted(stalled.values(), reverse=True)
