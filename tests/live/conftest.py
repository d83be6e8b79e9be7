# SPDX-License-Identifier: MIT
"""Fixtures of the live tests. The tests observe real processes with BPF, which needs root. Without
root they are skipped; in continuous integration they fail."""

import json
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "kit"), os.path.join(os.path.dirname(HERE), "apps")]

import harness
import machine


def pytest_configure(config):
    config.addinivalue_line("markers", "unprivileged: needs neither root nor BPF")
    config.addinivalue_line(
        "markers",
        "beside: holds whatever else the machine does, so tools/check runs it beside others",
    )


def unavailable(reason):
    """Skips the test, or fails it in continuous integration, where everything is installed."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"cannot run here: {reason}")
    pytest.skip(reason)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if os.geteuid() != 0 and not item.get_closest_marker("unprivileged"):
        unavailable("needs root: BPF")
    if not os.access(harness.GILSCOPE, os.X_OK):
        pytest.fail(f"{harness.GILSCOPE} is missing: run make", pytrace=False)


def stalls_of(report):
    """A line for each stall: what a failure on a machine that nobody can ask again needs."""
    wanted = "start_ns", "end_ns", "whole", "ongoing", "cause", "states", "locks"
    for process in report.get("processes", []):
        for stall in (stall for loop in process["loops"] for stall in loop["stalls"]):
            line = {name: stall[name] for name in wanted if name in stall}
            line["blockers"] = [(row["tid"], row["states"]) for row in stall["blockers"]]
            line["handlers"] = [
                part["handler"]["function"] for part in stall["parts"] if part["handler"]
            ]
            line["states"] = {state: ns for state, ns in stall["states"].items() if ns}
            yield json.dumps(line)


def missed_by_the_kernel(report):
    """How many switches and wake-ups the kernel of this machine did not report, as the report says:
    docs/decisions/probes.md#switches-that-the-kernel-does-not-report."""
    evidence = report.get("evidence", {})
    return evidence.get("gaps", 0) + evidence.get("contradictions", 0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    # tools/check reads these: such a test is judged by another run
    if not item.get_closest_marker("beside"):
        taken, late_ns = machine.now()
        item.user_properties.append(("taken_by_the_hypervisor", f"{taken:.4f}"))
        item.user_properties.append(("late_after_a_pause_ns", late_ns))
    if not harness.Outcome.last:
        return
    item.user_properties.append(
        ("missed_by_the_kernel", missed_by_the_kernel(harness.Outcome.last))
    )
    lines = list(stalls_of(harness.Outcome.last))[:40]
    if lines:
        report.sections.append(("stalls of the last report that a test has read", "\n".join(lines)))


@pytest.fixture(autouse=True, scope="module")
def forget_the_last_report():
    """A module's fixtures read reports for all of its tests, and for no other's."""
    harness.Outcome.last = None


@pytest.fixture(scope="session")
def slow_port():
    with harness.slow_server() as port:
        yield port


@pytest.fixture
def sleeper():
    """A Python process that does nothing."""
    with harness.Script("print('ready', flush=True)\nimport time\ntime.sleep(600)") as app:
        yield app
