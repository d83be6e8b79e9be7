# SPDX-License-Identifier: MIT
"""Tests of the live tests' own checks: they accept a right report and reject each kind of wrong
one."""

import copy
import json

import pytest

import harness
import laws
import work

pytestmark = [pytest.mark.unprivileged, pytest.mark.beside]

DIST = {"count": 1, "p50_ns": 5, "p90_ns": 5, "p99_ns": 5, "max_ns": 5}
MS = 1_000_000


def frame(function, line, **more):
    return {"function": function, "file": "app.py", "line": line, **more}


def blame(handler, loop_states, elsewhere_states, waited_ns, stall_ns):
    return {
        "handler": handler,
        "loop_states": loop_states,
        "elsewhere_states": elsewhere_states,
        "made_loops_wait_ns": waited_ns,
        "made_wait_ns": waited_ns,
        "gc_ns": 0,
        "stalls": stall_ns // (50 * MS),
        "stall_ns": stall_ns,
        "worst_ns": stall_ns,
        "worst_start_ns": 1020 * MS if stall_ns else None,
        "samples": 10,
    }


def report():
    """A window of 100 ms in which the loop waited 40 ms for a thread that held the GIL for 60
    ms."""
    route, job = frame("route", 5, role="route"), frame("job", 9, role="thread")
    parts = [
        {
            "handler": route,
            "task": "Task-1",
            "start_ns": 1020 * MS,
            "end_ns": 1069 * MS,
            "states": {"gil_wait": 40 * MS, "python": 9 * MS},
        },
        {
            "handler": None,
            "task": None,
            "start_ns": 1069 * MS,
            "end_ns": 1070 * MS,
            "states": {"python": MS},
        },
    ]
    stall = {
        "start_ns": 1020 * MS,
        "end_ns": 1070 * MS,
        "began_before": False,
        "ongoing": False,
        "states": {"gil_wait": 40 * MS, "python": 10 * MS},
        "cause": "gil_wait",
        "stack": [frame("route", 6)],
        "handler": route,
        "task": "Task-1",
        "parts": parts,
        "resolution_ns": 5 * MS,
        "syscalls": [],
        "preempted_by": [],
        "remedy": "move it off the loop",
        "throttled_ns": 0,
        "gc_ns": 2 * MS,
        "gc_sampled": False,
        "stopped_ns": 0,
        "stopped_by": {},
        "blockers": [
            {
                "tid": 8,
                "thread": "helper",
                "python_name": "helper 1",
                "ns": 39 * MS,
                "states": {"python": 39 * MS},
                "gc_ns": 0,
                "stack": [frame("job", 10)],
                "handler": job,
            }
        ],
    }
    return {
        "schema": "gilscope.report/1",
        "version": "0",
        "mode": "exact",
        "window": {"start_ns": 1000 * MS, "end_ns": 1100 * MS},
        "realtime_ns": None,
        "evidence": {
            "events": 9,
            "lost": 0,
            "late": 0,
            "unknown_ns": 0,
            "sampled_ns": 0,
            "stacks": {
                "taken": 30,
                "missing": 1,
                "torn": 2,
                "unsure": 0,
                "distinct": 3,
                "full": False,
            },
        },
        "stall_ns": 20 * MS,
        "service": {
            "loops": 1,
            "loop_ns": 100 * MS,
            "stalls": 1,
            "stalled_ns": 50 * MS,
            "longest_ns": 50 * MS,
            "worst_first": [7],
        },
        "not_measured": [],
        "rate_hz": 199,
        "findings": [
            {
                "id": "gil_held_by",
                "process": 7,
                "subject": {
                    "kind": "thread",
                    "handler": job,
                    "inner": None,
                    "call": None,
                    "syscall": None,
                    "tid": 8,
                    "thread": "helper 1",
                    "neighbours": [],
                },
                "ns": 39 * MS,
                "count": 1,
                "worst_ns": 39 * MS,
                "stalls": [0],
                "ongoing": False,
                "evidence": "traced",
                "text": "job had the GIL",
                "advice": "move it to a process pool",
            }
        ],
        "blame": [
            blame(job, {}, {"python": 55 * MS}, 39 * MS, 50 * MS),
            blame(route, {"gil_wait": 40 * MS, "python": 9 * MS}, {}, 0, 0),
        ],
        "processes": [
            {
                "pid": 7,
                "cmdline": "app",
                "title": "app",
                "python": "3.11.2",
                "gil": "on",
                "gc": "probes",
                "sites": {"method": "scan", "confidence": "exact", "take": 2, "drop": 6, "wait": 1},
                "gils": [
                    {
                        "address": "0x1",
                        "interpreter": 0,
                        "held_ns": 70 * MS,
                        "contended_ns": 40 * MS,
                        "unknown_ns": 0,
                        "handoffs": 2,
                        "forced": 0,
                        "hold": DIST,
                        "wait": DIST,
                    }
                ],
                "threads": [
                    {
                        "tid": 7,
                        "name": "app",
                        "python_name": "MainThread",
                        "loop": True,
                        "states": {"gil_wait": 40 * MS, "python": 10 * MS, "idle": 50 * MS},
                        "holds": 2,
                        "waits": 1,
                        "forced_drops": 0,
                    },
                    {
                        "tid": 8,
                        "name": "helper",
                        "python_name": "helper 1",
                        "loop": False,
                        "states": {"python": 60 * MS, "blocked": 40 * MS},
                        "holds": 1,
                        "waits": 0,
                        "forced_drops": 0,
                    },
                ],
                "loops": [
                    {
                        "tid": 7,
                        "kind": "asyncio",
                        "evidence": "python",
                        "turns": 1,
                        "turn": DIST,
                        "stalls": [stall],
                    }
                ],
            }
        ],
    }


def the_mark(**changes):
    return harness.Mark(
        {
            "name": "hog_regex",
            "cause": "gil_wait",
            "t0_ns": 1020 * MS + 50_000,
            "t1_ns": 1070 * MS - 50_000,
            "cpu_ns": 10 * MS,
            "from_ns": 1030 * MS,
            "blocker": 8,
            "tid": 7,
            **changes,
        }
    )


def the_stall(found):
    return found["processes"][0]["loops"][0]["stalls"][0]


def check_all(found, mark):
    laws.check_laws(found, alive={7, 8})
    stall = laws.the_stall(found, mark)
    laws.check_cause(stall, mark, work.WORK["hog_regex"])
    laws.check_details(found, stall, mark, work.WORK["hog_regex"])


def test_a_right_report_is_accepted():
    check_all(report(), the_mark())
    assert not laws.uninvited(report(), [the_mark()])


WRONG = {
    "a state too long": lambda found: the_stall(found)["states"].update(python=11 * MS),
    "a state of no name": lambda found: the_stall(found)["states"].update(python=0, busy=10 * MS),
    "another cause": lambda found: the_stall(found).update(cause="python"),
    "a wrong largest state": lambda found: the_stall(found).update(
        cause="python", states={"gil_wait": 10 * MS, "python": 40 * MS}
    ),
    "blockers beyond the wait": lambda found: the_stall(found)["blockers"][0].update(
        ns=41 * MS, states={"python": 41 * MS}
    ),
    "a blocker's states unlike its time": lambda found: the_stall(found)["blockers"][0].update(
        ns=38 * MS
    ),
    "an innocent blocker": lambda found: the_stall(found)["blockers"][0].update(tid=9),
    "a blocker asleep": lambda found: the_stall(found)["blockers"][0].update(
        states={"held_blocked": 39 * MS}
    ),
    "half the blame missing": lambda found: the_stall(found)["blockers"][0].update(
        ns=20 * MS, states={"python": 20 * MS}
    ),
    "a beginning too late": lambda found: the_stall(found).update(
        start_ns=1020 * MS + 60_000, end_ns=1070 * MS + 60_000, parts=[]
    ),
    "an end too early": lambda found: the_stall(found).update(
        start_ns=1020 * MS - 60_000, end_ns=1070 * MS - 60_000, parts=[]
    ),
    "a stall twice": lambda found: found["processes"][0]["loops"][0]["stalls"].append(
        copy.deepcopy(the_stall(found))
    ),
    "no stall": lambda found: (
        found["processes"][0]["loops"][0]["stalls"].clear(),
        found["blame"].clear(),
    ),
    "a thread with a gap": lambda found: found["processes"][0]["threads"][0]["states"].update(
        idle=49 * MS
    ),
    "a thread longer than the window": lambda found: found["processes"][0]["threads"][0][
        "states"
    ].update(idle=51 * MS),
    "more holders than holds": lambda found: found["processes"][0]["gils"][0].update(
        held_ns=60 * MS
    ),
    "a field missing": lambda found: the_stall(found).pop("throttled_ns"),
    "a part before the stall": lambda found: the_stall(found)["parts"][0].update(
        start_ns=1019 * MS
    ),
    "parts not in order": lambda found: the_stall(found)["parts"].reverse(),
    "a part longer than it takes": lambda found: the_stall(found)["parts"][1].update(
        states={"python": MS + 1}
    ),
    "parts with more than the stall": lambda found: the_stall(found)["parts"][0].update(
        states={"gil_wait": 41 * MS}
    ),
    "more garbage than stall": lambda found: the_stall(found).update(gc_ns=51 * MS),
    "a role of no name": lambda found: the_stall(found)["handler"].update(role="culprit"),
    "more found than its stall has": lambda found: found["findings"][0].update(
        ns=51 * MS, worst_ns=51 * MS
    ),
    "a stall without a finding": lambda found: found["findings"][0].update(stalls=[], count=2),
    "more waits blamed than waited": lambda found: found["blame"][0].update(
        made_loops_wait_ns=41 * MS, made_wait_ns=41 * MS
    ),
    "loops waited more than all": lambda found: found["blame"][0].update(made_wait_ns=38 * MS),
    "more time blamed than there was": lambda found: found["blame"][1]["loop_states"].update(
        gil_wait=41 * MS
    ),
    "more time blamed in two places than there was": lambda found: found["blame"][0][
        "elsewhere_states"
    ].update(python=62 * MS),
    "a stall blamed twice": lambda found: found["blame"][0].update(stalls=2, stall_ns=100 * MS),
    "a worst that is none": lambda found: found["blame"][0].update(worst_ns=20 * MS),
    "a handler twice": lambda found: found["blame"][1].update(handler=found["blame"][0]["handler"]),
    "more stacks missing than taken": lambda found: found["evidence"]["stacks"].update(missing=29),
    "a negative time": lambda found: found["evidence"].update(unknown_ns=-1),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_report_is_noticed(change):
    found = report()
    change(found)
    with pytest.raises((AssertionError, laws.jsonschema.ValidationError)):
        check_all(found, the_mark())


def test_a_wait_that_is_too_short_is_noticed():
    with pytest.raises(AssertionError):
        check_all(report(), the_mark(from_ns=1029 * MS))


def test_an_invented_stall_is_noticed():
    assert laws.uninvited(report(), [])
    assert laws.uninvited(report(), [the_mark(cause="none")])
    assert laws.uninvited(report(), [the_mark(t0_ns=1, t1_ns=2)])


@pytest.mark.parametrize("evidence", [{"lost": 1}, {"late": 1}, {"unknown_ns": 5 * MS}], ids=str)
def test_missing_evidence_is_noticed(evidence):
    found = report()
    laws.check_evidence(harness.Outcome(0, json.dumps(found), ""))
    found["evidence"].update(evidence)
    with pytest.raises(AssertionError):
        laws.check_evidence(harness.Outcome(0, json.dumps(found), ""))
    with pytest.raises(AssertionError):
        laws.check_evidence(harness.Outcome(5, json.dumps(report()), ""))
