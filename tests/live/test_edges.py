# SPDX-License-Identifier: MIT
"""The edges of stalls, measured on event loops with no framework between the turn and the mark."""
import pytest

import harness
import laws

COUNT = 150
PROMISE_NS = 100_000


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def edge_errors(report, marks):
    """For each mark how much earlier its stall begins, and how much later it ends."""
    errors = []
    for mark in marks:
        stall = laws.the_stall(report, mark)
        errors += [mark.t0_ns - stall["start_ns"], stall["end_ns"] - mark.t1_ns]
    return errors


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_edges_are_within_100_us_of_the_marks(loop):
    with harness.RawApp(loop) as app:
        app.call("short 3")
        known = len(app.marks())
        with harness.attach(app, stall="10ms") as running:
            app.call(f"short {COUNT}")
            marks = app.marks()[known:]
            outcome = running.finish()
    laws.check_laws(outcome.report)
    laws.check_evidence(outcome)
    errors = edge_errors(outcome.report, marks)
    print(f"{loop}: {len(errors)} edges, p50 {percentile(errors, 0.5) / 1e3:.1f} us, p99 {percentile(errors, 0.99) / 1e3:.1f} us, max {max(errors) / 1e3:.1f} us")
    assert len(marks) == COUNT
    assert percentile(errors, 0.99) <= PROMISE_NS
    assert not laws.uninvited(outcome.report, marks)
