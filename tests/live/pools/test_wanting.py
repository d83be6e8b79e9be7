# SPDX-License-Identifier: MIT
"""Threads that want the GIL and do not get it for a second or longer."""

import contextlib
import http.client
import os
import subprocess
import time

import pytest

import harness
import laws

HOG = os.path.join(harness.APPS, "gil_hog.py")
TOLERANCE_NS = 20_000_000


def findings(report, name):
    return [finding for finding in report["findings"] if finding["id"] == name]


def hog(seconds):
    """gilscope's report of one hog, and the threads' own marks."""
    with harness.RawApp("-", script=HOG, prefix=harness.undisturbed()) as app:
        with harness.attach(app) as running:
            marks = app.answer(f"hog {seconds}")
            done = running.finish()
    assert done.status == 0, done
    laws.check_laws(done.report)
    return done.report, marks


def test_a_thread_that_wanted_the_gil_for_long_and_who_had_it():
    report, marks = hog(1.8)
    [finding] = findings(report, "thread_starved")
    waited = marks["wants"]["got_ns"] - marks["wants"]["wanted_ns"]
    assert waited > 1.2e9, marks
    assert finding["subject"]["tid"] == marks["wants"]["tid"]
    assert abs(finding["worst_ns"] - waited) < TOLERANCE_NS, (finding, marks)
    assert finding["evidence"] == "traced" and finding["count"] == 1
    assert finding["subject"]["handler"]["function"] == "hog"
    [thread] = [
        thread
        for thread in report["processes"][0]["threads"]
        if thread["tid"] == marks["wants"]["tid"]
    ]
    blocker = thread["starved"]["blockers"][0]
    assert blocker["tid"] == marks["hog"]["tid"]
    assert abs(blocker["ns"] - waited) < TOLERANCE_NS
    assert [frame["function"] for frame in thread["starved"]["stack"]][:2] == [
        "sleep_until",
        "want",
    ]
    assert "nothing_found" not in [finding["id"] for finding in report["findings"]]


def test_a_wait_of_less_than_a_second_starves_nobody():
    report, marks = hog(0.8)
    assert 0.2e9 < marks["wants"]["got_ns"] - marks["wants"]["wanted_ns"] < 1e9, marks
    assert not findings(report, "thread_starved")


# ── uvicorn's supervisor ──────────────────────────────────────────────────────────────────────────

SERVED = """
import gil_hog, os, time


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"] == "/hog":
        gil_hog.compute_until(time.monotonic_ns() + 6_500_000_000)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""


@pytest.fixture(scope="session")
def uvicorn(tmp_path_factory):
    """A uvicorn whose supervisor asks its workers whether they live, from PyPI."""
    folder = tmp_path_factory.mktemp("uvicorn")
    python = str(folder / "bin" / "python")
    try:
        subprocess.run([harness.DEBIAN_PYTHON, "-m", "venv", folder], check=True, timeout=120)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "uvicorn>=0.37"], check=True, timeout=300
        )
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"uvicorn cannot be installed: {error}")
    return python


def connect(port):
    """A connection to one of the workers, and which that is."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        with contextlib.suppress(OSError):
            connection.request("GET", "/")
            return connection, int(connection.getresponse().read())
        time.sleep(0.1)
    raise AssertionError("uvicorn does not answer")


@pytest.mark.beside
def test_uvicorn_kills_a_worker_whose_answer_waits_for_the_gil(uvicorn, tmp_path):
    (tmp_path / "served.py").write_text(SERVED)
    port, log = harness.free_port(), tmp_path / "log"
    argv = [uvicorn, "-m", "uvicorn", "served:app", "--app-dir", tmp_path, "--port", port]
    with (
        open(log, "w") as file,
        harness.App(
            [*map(str, argv), "--workers", "2"],
            env={"PYTHONPATH": harness.APPS},
            stdout=file,
            stderr=file,
        ),
    ):
        connection, worker = connect(port)
        with harness.Running("attach", worker, "-d", "60s", "--json") as running:
            connection.request("GET", "/hog")
            done = running.result(timeout=40)  # until the worker is killed
    assert f"Child process [{worker}] died" in log.read_text()
    assert done.status == 0, done
    laws.check_laws(done.report)
    [finding] = findings(done.report, "thread_starved")
    assert "answers uvicorn's supervisor" in finding["text"]
    assert "Child process died" in finding["advice"]
    assert "always_pong" in finding["subject"]["thread"]
    assert finding["worst_ns"] > 4.5e9, finding
    assert finding["subject"]["handler"]["function"] == "app"
