# SPDX-License-Identifier: MIT
"""Nothing is lost when the GIL changes hands as fast as it can."""

import time

import pytest

import harness
import laws
import workloads


CYCLES = 100_000


@pytest.mark.parametrize("threads", [1, 2])
def test_nothing_is_lost_in_100_000_cycles(threads):
    # Two real-time threads would leave the reader of the ring no CPU on a machine of two, so with
    # several threads none is undisturbed.
    prefix = harness.undisturbed() if threads == 1 else ()
    with harness.RawApp("asyncio", prefix=prefix) as app:
        app.call(f"yield {threads}")
        with harness.attach(app, "--mode", "exact") as running:
            before = done = app.answer("cycles")
            while done < before + CYCLES:
                time.sleep(0.1)
                done = app.answer("cycles")
            outcome = running.finish()
    laws.check_laws(outcome.report)
    laws.check_evidence(outcome)
    window = outcome.report["window"]
    holds = sum(thread["holds"] for thread in outcome.report["processes"][0]["threads"])
    rate = holds / (window["end_ns"] - window["start_ns"]) * 1e9
    print(
        f"{threads} threads: {rate:.0f} cycles a second, "
        f"{outcome.report['evidence']['events']} events"
    )
    assert holds >= done - before


@pytest.mark.parametrize("mode", ["exact", "edges"])
def test_nothing_is_lost_when_every_take_has_to_wait(mode):
    """With what is around the waits it is the most that a process can make of records."""
    with workloads.Contention() as app, harness.attach(app, "--mode", mode) as running:
        app.call("stress 4 2")
        outcome = running.finish()
    laws.check_laws(outcome.report)
    evidence = outcome.report["evidence"]
    assert evidence["lost"] == 0 and evidence["late"] == 0, outcome
    waits = sum(thread["waits"] for thread in outcome.report["processes"][0]["threads"])
    print(f"{waits} waits, {evidence['events']} events")
    assert waits > 1000
