# SPDX-License-Identifier: MIT
"""The edges of stalls on event loops with no framework between the iteration and the mark."""

import pytest

import harness
import laws
import names
from measure import edge_errors, percentile

COUNT = 200
# 100 us are promised; measured inside the application, at its own calls of epoll_wait, it is
# about 1 us in mode exact. In mode edges nothing says when a wait returns that does not sleep:
# such a turn begins where the wait does.
PROMISES_NS = {"exact": 20_000, "edges": 100_000}


@pytest.mark.parametrize("mode", PROMISES_NS)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_edges_are_within_100_us_of_the_marks(loop, mode):
    with harness.RawApp(
        loop, prefix=harness.undisturbed(), env={"LD_PRELOAD": harness.polls_library()}
    ) as app:
        app.call("short 3")
        known = len(app.marks())
        with harness.attach(app, "--mode", mode, stall="10ms") as running:
            app.call(f"short {COUNT}")
            outcome = running.finish()
        marks = app.marks()[known:]
    laws.check_laws(outcome.report)
    laws.check_evidence(outcome)
    errors = edge_errors(outcome.report, marks)
    middle, high = percentile(errors, 0.5), percentile(errors, 0.99)
    print(
        f"{loop}, {mode}: {len(errors)} edges, p50 {middle / 1e3:.1f} us, "
        f"p99 {high / 1e3:.1f} us, max {max(errors) / 1e3:.1f} us"
    )
    assert len(marks) == COUNT and all(mark.turn_t0_ns for mark in marks)
    assert high <= PROMISES_NS[mode]
    assert not laws.uninvited(outcome.report, marks)
    for mark in marks:
        names.check_stall(laws.the_stall(outcome.report, mark), mark, ruled=loop == "asyncio")
