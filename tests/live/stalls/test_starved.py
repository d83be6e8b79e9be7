# SPDX-License-Identifier: MIT
"""gilscope with hardly any CPU time of its own: the end of the window is recorded, and all commands
agree on what was lost."""

import contextlib
import json
import time

import pytest

import harness

BUSY = """
import threading, time
def work():
    while True:
        time.sleep(0.0002)
        sum(range(2000))
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
print("ready", flush=True)
time.sleep(600)
"""
SHARE = 0.02


@contextlib.contextmanager
def starved(*arguments):
    """gilscope with its probes in place, limited to a fiftieth of a CPU from then on."""
    try:
        quota = harness.Quota(SHARE)
    except OSError as error:
        pytest.skip(f"control groups with a quota cannot be made here: {error}")
    with quota, harness.Running(*arguments) as running:
        quota.add(running.pid)
        time.sleep(2)
        yield running
        running.process.wait()


def read_back(path):
    """The exit status and the JSON of `report` for a recording."""
    outcome = harness.gilscope("report", path, "--json")
    return outcome.status, outcome.report


@pytest.mark.parametrize(
    "options", [(), ("--quiet",), ("--ring-size", "1")], ids=["model", "quiet", "losses"]
)
def test_record_and_report_agree_under_a_quota(tmp_path, options):
    path = tmp_path / "starved.gsc"
    with harness.Script(BUSY) as app:
        with starved("record", "-p", app.pid, "-o", path, *options) as running:
            begun = time.monotonic_ns()
            running.signal()
            done = running.result(timeout=240)
    status, report = read_back(path)
    assert not report["truncated"], done
    assert report["window"]["end_ns"] >= begun, "the window ended before the signal"
    assert status == done.status, (done, report["evidence"])
    reported = {
        word: f"{report['evidence'][key]} {words}" in done.stderr
        for key, word, words in (
            ("late", "late", "events came too late"),
            ("missed", "missed", "probe hits"),
        )
    }
    for word, was_reported in reported.items():
        assert was_reported == (report["evidence"][word] > 0), (done, report["evidence"])
    lost = report["evidence"]["lost"] - report["evidence"]["late"] - report["evidence"]["missed"]
    assert (f"{lost} events were lost" in done.stderr) == (lost > 0), (done, report["evidence"])


def test_attach_ends_whole_under_a_quota():
    with harness.Script(BUSY) as app:
        with starved("attach", app.pid, "--json", "--quiet") as running:
            begun = time.monotonic_ns()
            running.signal()
            done = running.result(timeout=240)
    report = json.loads(done.stdout)
    assert not report["truncated"]
    assert report["window"]["end_ns"] >= begun
    assert (done.status == 5) == report["partial"], done
