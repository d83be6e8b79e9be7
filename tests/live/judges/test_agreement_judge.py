# SPDX-License-Identifier: MIT
"""Tests of the comparison of two observers (agreement.py): equal reports agree, what the limits
allow agrees, and each kind of difference is noticed."""

import copy

import pytest

import agreement

pytestmark = [pytest.mark.unprivileged, pytest.mark.beside]

MS = 1_000_000


def thread(tid, waits=0, sampled_ns=0, **ms):
    states = {state: int(length * MS) for state, length in ms.items()}
    return {"tid": tid, "waits": waits, "sampled_ns": sampled_ns, "states": states}


def gil(contended_ms, held_ms):
    ns = {"contended_ns": contended_ms * MS, "held_ns": held_ms * MS}
    return {"address": "0x1", **ns, "wait": {"count": 9}}


def report():
    """A second: a loop was stalled twice, by a thread that slept with the GIL, and by Python."""
    waited = {
        "start_ns": 1100 * MS,
        "end_ns": 1200 * MS,
        "states": {"gil_wait": 90 * MS, "python": 10 * MS},
        "cause": "gil_wait",
        "handler": {"function": "route"},
        "blockers": [{"tid": 8, "ns": 90 * MS, "states": {"held_blocked": 90 * MS}}],
        "syscalls": [],
        "preempted_by": [],
    }
    ran = {
        **waited,
        "start_ns": 1500 * MS,
        "end_ns": 1560 * MS,
        "states": {"python": 40 * MS, "blocked": 15 * MS, "runnable": 5 * MS},
        "cause": "python",
        "blockers": [],
        "syscalls": [{"name": "read", "ns": 15 * MS}],
        "preempted_by": [{"pid": 9, "ns": 5 * MS}],
    }
    return {
        "mode": "exact",
        "window": {"start_ns": 1000 * MS, "end_ns": 2000 * MS},
        "stall_ns": 50 * MS,
        "evidence": {"unknown_ns": 0, "thread_ns": 2000 * MS, "lost": 0, "late": 0, "missed": 0},
        "findings": [
            {"id": "gil_held_by", "process": 7, "ns": 90 * MS, "count": 1, "evidence": "traced"},
            {
                "id": "running_python",
                "process": 7,
                "ns": 40 * MS,
                "count": 1,
                "evidence": "sampled",
            },
        ],
        "processes": [
            {
                "pid": 7,
                "gils": [gil(contended_ms=90, held_ms=140)],
                "threads": [
                    thread(7, 9, python=50, gil_wait=90, blocked=15, runnable=5, idle=840),
                    thread(8, 0, native=100, held_blocked=90, blocked=810),
                ],
                "loops": [{"tid": 7, "turns": 10, "stalls": [waited, ran]}],
            }
        ],
    }


def parts(found):
    process = found["processes"][0]
    return process, process["threads"], process["loops"][0]["stalls"]


def judged(change):
    """The groups of what disagrees when the second report is changed."""
    other = copy.deepcopy(report())
    change(other)
    return sorted(agreement.groups(agreement.disagreements(agreement.compare(report(), other))))


def shift(states, source, target, ms):
    states[source] -= int(ms * MS)
    states[target] = states.get(target, 0) + int(ms * MS)


def in_thread(number, source, target, ms, **more):
    def change(found):
        of = parts(found)[1][number]
        shift(of["states"], source, target, ms)
        of.update(more)

    return change


def in_stall(number, source, target, ms, **more):
    def change(found):
        stall = parts(found)[2][number]
        shift(stall["states"], source, target, ms)
        stall.update(more)

    return change


def with_stall(number, **more):
    return lambda found: parts(found)[2][number].update(more)


def blocker(**more):
    return lambda found: parts(found)[2][0]["blockers"][0].update(more)


def both(*changes):
    def change(found):
        for each in changes:
            each(found)

    return change


def in_gil(**more):
    return lambda found: parts(found)[0]["gils"][0].update(more)


def contended(ms):
    """A finding of a subject that only one of them has over the limit."""
    row = {"id": "gil_contended_by", "process": 7, "ns": ms * MS, "count": 3, "evidence": "traced"}
    return lambda found: found["findings"].append(row)


def unknown(found):
    found["evidence"]["unknown_ns"] += 30 * MS


def in_edges(found):
    found["mode"] = "edges"


def waits(count):
    return lambda found: parts(found)[1][0].update(waits=count)


def short_stall(ms):
    """One more, barely a stall."""

    def change(found):
        stall = copy.deepcopy(parts(found)[2][1])
        stall.update(start_ns=1700 * MS, end_ns=1700 * MS + int(ms * MS))
        stall["states"] = {"python": int(ms * MS)}
        parts(found)[2].append(stall)

    return change


RIGHT = {
    "held for longer, sampled": both(
        in_gil(held_ns=180 * MS), in_thread(1, "native", "python", 0, sampled_ns=50 * MS)
    ),
    "hardly anything contended": contended(60),
    "nothing": lambda found: None,
    "1 % of a wait": in_thread(0, "gil_wait", "idle", 0.9),
    "3 % between python and native": in_thread(1, "native", "python", 3),
    "sampled": in_thread(1, "native", "python", 50, sampled_ns=100 * MS),
    "retries that count as waits": both(in_edges, waits(12)),
    "unknown": both(in_thread(0, "gil_wait", "unknown", 30, waits=7), unknown),
    "edges within 10 µs": with_stall(0, start_ns=1100 * MS - 9_000, end_ns=1200 * MS + 9_000),
    "an interrupt between two stamps": with_stall(0, end_ns=1200 * MS + 50_000),
    "a blocker that is not said": blocker(ns=89 * MS, states={"held_blocked": 89 * MS}),
    "a stall that hardly is one": short_stall(50.01),
    "as much unknown in the stall": in_stall(1, "python", "unknown", 20),
    "a cause that is hardly ahead": both(
        in_stall(1, "python", "blocked", 12.4, cause="python"),
        in_stall(1, "blocked", "python", 12.4),
    ),
    "a blocker within 1 %": blocker(ns=int(89.2 * MS), states={"held_blocked": int(89.2 * MS)}),
    "a blocker unknown in part": blocker(states={"held_blocked": 60 * MS, "unknown": 30 * MS}),
    "a handler that is not known": with_stall(0, handler=None),
    "a sampled finding within 3 %": lambda found: found["findings"][1].update(ns=41 * MS),
    "a finding about two functions": lambda found: found.update(
        findings=[
            found["findings"][0],
            {**found["findings"][1], "ns": 30 * MS},
            {**found["findings"][1], "ns": 10 * MS},
        ]
    ),
    "a wait cut at the window's end": waits(10),
}
WRONG = {
    "less contention": (in_gil(contended_ns=80 * MS), ["GILs"]),
    "held for longer": (in_gil(held_ns=150 * MS), ["GILs"]),
    "no GIL": (lambda found: parts(found)[0].update(gils=[]), ["GILs"]),
    "nobody contended": (contended(300), ["findings"]),
    "a wait shorter by 2 %": (in_thread(0, "gil_wait", "idle", 2), ["waits for the GIL"]),
    "a trap before the take": (
        both(in_edges, in_thread(0, "gil_wait", "python", 1.1)),
        ["waits for the GIL"],
    ),
    "the same in two modes": (
        both(in_edges, in_thread(0, "gil_wait", "idle", 2, sampled_ns=50 * MS)),
        ["waits for the GIL"],
    ),
    "a trap that is in both": (in_thread(0, "gil_wait", "idle", 1.1), ["waits for the GIL"]),
    "too many retries": (both(in_edges, waits(14)), ["waits for the GIL"]),
    "a wait less": (waits(7), ["waits for the GIL"]),
    "asleep with the GIL and without": (
        in_thread(1, "held_blocked", "blocked", 80),
        ["other states"],
    ),
    "more on a CPU": (
        in_thread(0, "runnable", "python", 5),
        ["on a CPU", "other states", "python, native"],
    ),
    "7 % between python and native": (in_thread(1, "native", "python", 7), ["python, native"]),
    "less sampled than differs": (
        in_thread(1, "native", "python", 50, sampled_ns=10 * MS),
        ["python, native"],
    ),
    "too much unknown": (
        lambda found: found["evidence"].update(unknown_ns=50 * MS),
        ["unknown time"],
    ),
    "a loss": (lambda found: found["evidence"].update(lost=1), ["lost events"]),
    "no thread": (lambda found: parts(found)[1].pop(), None),
    "no loop": (lambda found: parts(found)[0].update(loops=[]), ["loops"]),
    "no process": (lambda found: found.update(processes=[]), ["processes"]),
    "turns": (lambda found: parts(found)[0]["loops"][0].update(turns=12), ["loops"]),
    "no stall": (lambda found: parts(found)[2].pop(0), ["stalls"]),
    "a stall too many": (short_stall(51), ["stalls"]),
    "a stall in two": (
        lambda found: parts(found)[2].insert(
            0, {**copy.deepcopy(parts(found)[2][0]), "end_ns": 1150 * MS}
        ),
        None,
    ),
    "a start": (with_stall(0, start_ns=1100 * MS + 101_000), ["edges of stalls"]),
    "an end": (with_stall(1, end_ns=1560 * MS - 101_000), ["edges of stalls"]),
    "half of the edges": (
        both(
            with_stall(0, start_ns=1100 * MS + 11_000, end_ns=1200 * MS + 11_000),
            with_stall(1, end_ns=1560 * MS + 11_000),
        ),
        ["edges of stalls"],
    ),
    "another cause": (
        in_stall(1, "python", "blocked", 30, cause="blocked"),
        ["causes", "states of stalls"],
    ),
    "another cause by its name": (with_stall(1, cause="blocked"), ["causes"]),
    "2 % of a stall's wait": (in_stall(0, "gil_wait", "python", 2), ["states of stalls"]),
    "another blocker": (blocker(tid=9), ["blockers", "states of blockers"]),
    "no blocker": (with_stall(0, blockers=[]), ["blockers"]),
    "a blocker's time": (blocker(ns=88 * MS), ["blockers"]),
    "a blocker's state": (blocker(states={"python": 90 * MS}), ["states of blockers"]),
    "another call": (
        with_stall(1, syscalls=[{"name": "write", "ns": 15 * MS}]),
        ["system calls"],
    ),
    "another neighbour": (
        with_stall(1, preempted_by=[{"pid": 3, "ns": 5 * MS}]),
        ["who had the CPU"],
    ),
    "another handler": (with_stall(0, handler={"function": "job"}), ["handlers"]),
    "no finding": (lambda found: found["findings"].pop(), ["findings"]),
    "another finding": (lambda found: found["findings"][0].update(id="held_asleep"), ["findings"]),
    "a finding's time": (lambda found: found["findings"][0].update(ns=88 * MS), ["findings"]),
    "a sampled finding's": (lambda found: found["findings"][1].update(ns=52 * MS), ["findings"]),
}


@pytest.mark.parametrize("change", RIGHT.values(), ids=RIGHT)
def test_what_the_limits_allow_agrees(change):
    assert judged(change) == []


@pytest.mark.parametrize("change, groups", WRONG.values(), ids=WRONG)
def test_what_differs_is_noticed(change, groups):
    found = judged(change)
    assert found == groups if groups else found


def test_reports_of_different_times_are_not_compared():
    other = report()
    other["window"]["end_ns"] += 1
    with pytest.raises(AssertionError):
        agreement.compare(report(), other)


def test_words_say_what_disagrees():
    other = report()
    other["processes"][0]["threads"][0]["states"]["gil_wait"] += 5 * MS
    words = agreement.describe(agreement.compare(report(), other))
    assert "waits for the GIL: 3 of 4 agree, differ by up to 5000000" in words
    assert "thread 7: gil_wait: 90000000 and 95000000, allowed" in words
