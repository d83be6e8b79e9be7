# SPDX-License-Identifier: MIT
"""Loss of the CPU: to busy neighbours, and to a control group's quota."""

import os
import time

import pytest

import harness
import laws

LAST_CPU = max(os.sched_getaffinity(0))


def observe(app, names, throttled_ns=lambda: 0):
    """Runs each kind of work once. Returns its stall, its mark, and how long its control group was
    throttled meanwhile."""
    known, throttled = len(app.marks()), []
    with harness.attach(app) as running:
        for name in names:
            before = throttled_ns()
            app.call(name)
            throttled.append(throttled_ns() - before)
            time.sleep(0.1)
        marks = app.marks()[known:]
        outcome = running.finish()
    laws.check_laws(outcome.report)
    laws.check_evidence(outcome)
    stalls = [laws.the_stall(outcome.report, mark) for mark in marks]
    return list(zip(stalls, marks, throttled))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_neighbours_that_take_the_cpu_are_named(loop):
    with harness.RawApp(loop) as app, harness.Neighbours(LAST_CPU, 3) as neighbours:
        harness.move_to_cpu(app.pid, LAST_CPU)
        for (stall, mark, _), cause in zip(
            observe(app, ["python_loop", "pbkdf2"]), ["held_runnable", "runnable"]
        ):
            assert stall["cause"] == cause, f"{mark}: {laws.describe(stall)}"
            lost = mark.length_ns - mark.cpu_ns
            tolerance, unknown = max(0.02 * lost, 2_000_000), stall["states"].get("unknown", 0)
            # work that computes without the GIL has code around it that has it
            share = stall["states"]["runnable"] + stall["states"]["held_runnable"]
            # before the mark and after it, in the same turn, the CPU may be taken as well
            around = stall["end_ns"] - stall["start_ns"] - mark.length_ns
            assert lost - unknown - tolerance <= share <= lost + around + tolerance, (
                f"{mark}: {laws.describe(stall)}, {lost / 1e6:.2f} ms without a CPU"
            )
            taken = {run["pid"]: run["ns"] for run in stall["preempted_by"]}
            assert sum(taken.values()) >= 0.95 * share, (
                f"{mark}: {stall['preempted_by']} of {laws.describe(stall)}"
            )
            # other processes of this machine may be in the list as well
            assert {
                run["pid"] for run in stall["preempted_by"] if run["comm"] == "neighbour"
            } == neighbours.pids
            assert stall["throttled_ns"] == 0


def test_a_used_up_quota_is_distinguished_from_neighbours():
    with harness.RawApp("asyncio") as app:
        with harness.Quota(0.1) as quota:
            quota.add(app.pid)
            ((stall, _, throttled),) = observe(app, ["python_loop"], quota.throttled_ns)
        assert throttled > 100_000_000, "the quota did not bite: the test's own fault"
        assert stall["cause"] == "held_runnable", laws.describe(stall)
        # The kernel counts until the group may run again, the stall lasts until the thread runs
        # again. In between others may have its CPU.
        others = sum(run["ns"] for run in stall["preempted_by"])
        story = (
            f"{laws.describe(stall)}, throttled {stall['throttled_ns'] / 1e6:.2f} ms, by the "
            f"kernel's count {throttled / 1e6:.2f} ms; others ran {others / 1e6:.2f} ms"
        )
        assert 0.95 * throttled <= stall["throttled_ns"] + stall["states"].get("unknown", 0), story
        assert stall["throttled_ns"] <= 1.1 * throttled + 20_000_000 + others, story
        # no longer in the group
        with harness.Neighbours(LAST_CPU, 3):
            harness.move_to_cpu(app.pid, LAST_CPU)
            ((stall, _, _),) = observe(app, ["python_loop"])
        assert stall["cause"] == "held_runnable" and stall["throttled_ns"] == 0, stall
