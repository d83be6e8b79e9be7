# SPDX-License-Identifier: MIT
"""Laws that hold for every report, and the comparison of a report with an application's marks."""

import collections
import json
import os

import jsonschema

from harness import ROOT
from work import TAKES_NS

STATES = {
    "python",
    "native",
    "gil_wait",
    "held_blocked",
    "held_runnable",
    "blocked",
    "runnable",
    "idle",
    "unknown",
}
SCHEMA = os.path.join(ROOT, "docs", "report.schema.json")
CAUSE_TOLERANCE = 0.01
CAUSE_TOLERANCE_NS = 200_000
MOST_UNKNOWN = 0.02
STOLEN = 0.02
# In modes other than exact a sample says whether a thread on a CPU has the GIL, so either end may
# be off by a period of the clock.
SAMPLED_NS = 2 * 5_025_126


def total(states):
    return sum(states.values())


def check_laws(report, alive=()):
    """`alive`: threads that lived during the whole window."""
    with open(SCHEMA) as file:
        jsonschema.validate(report, json.load(file))
    window = report["window"]
    length = window["end_ns"] - window["start_ns"]
    assert length > 0 or report.get("truncated")
    for process in report["processes"]:
        for thread in process["threads"]:
            check_thread(thread, length, thread["tid"] in alive)
        for gil in process["gils"]:
            most = length * gil.get("stands_for", 1)
            assert gil["held_ns"] <= most and gil["contended_ns"] <= most
            assert gil["unknown_ns"] <= most
            assert (
                gil["hold"]["max_ns"] <= length
                and gil["hold"]["p50_ns"] <= gil["hold"]["p99_ns"] <= gil["hold"]["max_ns"]
            )
        held = sum(
            thread["states"].get(state, 0)
            for thread in process["threads"]
            for state in ("python", "held_blocked", "held_runnable")
        )
        held_ns = sum(gil["held_ns"] for gil in process["gils"])
        assert held <= held_ns, (
            f"threads hold the GIL for {held} ns, it is held for {held_ns}: "
            f"{[(thread['tid'], thread['states']) for thread in process['threads']]}"
        )
        check_last(process)
        for loop in process["loops"]:
            before = window["start_ns"]
            for stall in loop["stalls"]:
                check_stall(stall, report["stall_ns"])
                assert before <= stall["start_ns"], "stalls of one loop overlap or are not in order"
                before = stall["end_ns"]
            assert before <= window["end_ns"]
    check_losses(report)
    check_blame(report)
    check_findings(report)


def check_last(process):
    """Of a process that has ended: no thread did more than there was time."""
    last = process.get("death", {}).get("last")
    if not last:
        return
    whole = last["end_ns"] - last["start_ns"]
    assert 0 < whole <= 1_075_000_000, last
    for thread in last["threads"]:
        assert total(thread["states"]) <= whole and thread["held_ns"] <= whole, thread
        assert thread["seen_ns"] <= last["end_ns"] if "seen_ns" in thread else not thread["stack"]
    assert total(last["other_states"]) <= last["others"] * whole, last
    loops = [thread["loop"] for thread in last["threads"]]
    assert loops == sorted(loops, reverse=True), last


def check_losses(report):
    """What is lost is a process's, or it is said that it is not."""
    evidence = report["evidence"]
    of_processes = sum(process.get("lost", 0) for process in report["processes"])
    of_none = evidence.get("lost_anywhere", 0) + evidence.get("lost_runs", 0)
    assert of_processes + of_none == evidence["lost"], evidence


WITHOUT_STALLS = {
    "worker_died",
    "gil_contended_by",
    "nothing_found",
    "pool_full",
    "supervisor",
    "thread_starved",
}
MACHINE = {"no_cpu", "quota", "stopped", "unexplained", "nothing_found"}


def check_findings(report):
    """No finding takes longer than its stalls, none is listed twice, those about the program are
    sorted by their time, and every listed stall has a finding."""
    stalls, found = stalls_of(report), report["findings"]
    explained = set()
    for finding in found:
        assert all(n < len(stalls) for n in finding["stalls"]), finding
        lengths = [stalls[n]["end_ns"] - stalls[n]["start_ns"] for n in finding["stalls"]]
        if lengths and len(lengths) == finding["count"]:
            assert finding["worst_ns"] <= finding["ns"] <= sum(lengths), finding
            assert finding["worst_ns"] <= max(lengths) and finding["count"] >= 1, finding
        assert finding["stalls"] == sorted(set(finding["stalls"])), finding
        explained.update(finding["stalls"])
    keys = [json.dumps([f["id"], f["process"], f["text"]], sort_keys=True) for f in found]
    assert len(keys) == len(set(keys)), "a finding is there twice"
    own = [f["ns"] for f in found if f["id"] not in (*MACHINE, "worker_died")]
    assert own == sorted(own, reverse=True), "findings are not ranked"
    if max((finding["count"] for finding in found), default=0) < 1024:
        assert explained == set(range(len(stalls))), "a stall has no finding"
    assert stalls or {finding["id"] for finding in found} <= WITHOUT_STALLS
    for process in report["processes"]:
        check_contention(process, found)
        for thread in process["threads"]:
            check_starved(thread, found, report["window"])
        for pool in process.get("pools", ()):
            check_pool(pool, report["window"]["end_ns"] - report["window"]["start_ns"])


def check_pool(pool, window_ns):
    """No more threads are busy than exist, and none for longer than the window."""
    assert 0 <= pool["busy_max"] <= pool["threads"] and pool["threads"] > 0, pool
    assert pool["busy_ns"] <= pool["threads"] * window_ns, pool
    assert pool["full_worst_ns"] <= pool["full_ns"] <= window_ns, pool
    assert pool["full_ns"] * pool["threads"] <= pool["busy_ns"], pool
    assert pool["busy_max"] == pool["threads"] or not pool["full_ns"], pool
    times = [function["ns"] for function in pool["functions"]]
    assert times == sorted(times, reverse=True), pool


def check_starved(thread, found, window):
    """The waits lie in the window, no thread had the GIL for longer than the longest wait, and
    there is a finding unless the thread runs a loop."""
    starved = thread.get("starved")
    if not starved:
        return
    longest = starved["end_ns"] - starved["start_ns"]
    assert 1_000_000_000 <= longest <= starved["ns"], starved
    assert starved["ns"] <= thread["states"]["gil_wait"], starved
    assert window["start_ns"] <= starved["start_ns"] < starved["end_ns"] <= window["end_ns"]
    assert sum(blocker["ns"] for blocker in starved["blockers"]) <= longest, starved
    assert thread["loop"] or any(finding["id"] == "thread_starved" for finding in found)


def check_contention(process, found):
    """No thread kept others waiting for longer than they waited. In a process with a loop the
    loop's stalls report that instead."""
    contended = [
        finding
        for finding in found
        if finding["id"] == "gil_contended_by" and finding["process"] == process["pid"]
    ]
    waited = [thread["states"].get("gil_wait", 0) for thread in process["threads"]]
    assert not contended or not process["loops"], contended
    assert sum(finding["ns"] for finding in contended) <= sum(waited), contended
    for finding in contended:
        assert finding["worst_ns"] <= min(finding["ns"], max(waited)), finding
        assert finding["ns"] <= finding["count"] * finding["worst_ns"], finding


def check_thread(thread, window_ns, alive):
    assert set(thread["states"]) <= STATES and min(thread["states"].values(), default=0) >= 0
    covered = total(thread["states"])
    assert covered <= window_ns * thread.get("stands_for", 1), (
        f"thread {thread['tid']} has more states than the window has time"
    )
    if alive:
        assert covered == window_ns, (
            f"the states of thread {thread['tid']} add up to {covered} ns of a window of "
            f"{window_ns} ns"
        )


def check_stall(stall, threshold_ns):
    states, duration = stall["states"], stall["end_ns"] - stall["start_ns"]
    assert total(states) == duration, (
        f"the states add up to {total(states)}, the stall is {duration} ns long"
    )
    assert duration >= threshold_ns
    assert states[stall["cause"]] == max(states.values()), f"cause {stall['cause']} of {states}"
    assert sum(blocker["ns"] for blocker in stall["blockers"]) <= states.get("gil_wait", 0)
    for blocker in stall["blockers"]:
        assert total(blocker["states"]) == blocker["ns"]
        assert set(blocker["states"]) <= {"python", "held_blocked", "held_runnable", "unknown"}
    assert sum(call["ns"] for call in stall["syscalls"]) <= states.get("blocked", 0) + states.get(
        "held_blocked", 0
    )
    waits = states.get("runnable", 0) + states.get("held_runnable", 0) + states.get("gil_wait", 0)
    assert sum(run["ns"] for run in stall["preempted_by"]) <= waits, (
        f"{describe(stall)}, preempted by {stall['preempted_by']}"
    )
    assert stall["throttled_ns"] <= waits, (
        f"{describe(stall)}, throttled for {stall['throttled_ns']} ns"
    )
    assert stall["gc_ns"] <= duration and all(
        blocker["gc_ns"] <= blocker["ns"] for blocker in stall["blockers"]
    )
    check_parts(stall)


def check_parts(stall):
    """Parts lie inside the stall, in order, and do not exceed it, in total and by state."""
    before, sums = stall["start_ns"], collections.Counter()
    for part in stall["parts"]:
        assert before <= part["start_ns"] <= part["end_ns"] <= stall["end_ns"], (
            f"{describe(stall)}: {part}"
        )
        assert total(part["states"]) <= part["end_ns"] - part["start_ns"], (
            f"{describe(stall)}: {part}"
        )
        before = part["start_ns"]
        sums.update(part["states"])
    for state, ns in sums.items():
        assert ns <= stall["states"].get(state, 0), (
            f"{describe(stall)}: the parts have {ns} ns of {state}"
        )


def check_blame(report):
    """Nobody is charged with more than there was."""
    threads = [thread for process in report["processes"] for thread in process["threads"]]
    ran_loops = {  # the "loop" of a thread is unset once the loop is closed
        loop["tid"] for process in report["processes"] for loop in process["loops"]
    }
    waited = {
        loops: sum(
            thread["states"].get("gil_wait", 0)
            for thread in threads
            if not loops or thread["loop"] or thread["tid"] in ran_loops
        )
        for loops in (True, False)
    }
    handlers = [
        tuple(row["handler"][key] for key in ("function", "file", "line", "role"))
        for row in report["blame"]
    ]
    assert len(set(handlers)) == len(handlers), f"a handler has two rows: {sorted(handlers)}"
    for row in report["blame"]:
        assert row["made_loops_wait_ns"] <= row["made_wait_ns"], row
        assert row["gc_ns"] <= total(row["loop_states"]) + total(row["elsewhere_states"]), row
        assert row["worst_ns"] <= row["stall_ns"] <= row["stalls"] * row["worst_ns"], row
        assert (row["worst_start_ns"] is None) == (row["stalls"] == 0), row
    made = {
        loops: sum(row[key] for row in report["blame"])
        for loops, key in ((True, "made_loops_wait_ns"), (False, "made_wait_ns"))
    }
    assert all(made[loops] <= waited[loops] for loops in made), (
        f"handlers made loops and all threads wait for {made} ns, they waited for {waited} ns"
    )
    assert sum(row["stalls"] for row in report["blame"]) <= len(stalls_of(report))
    for state in STATES:
        there = sum(thread["states"].get(state, 0) for thread in threads)
        blamed = sum(
            row[key].get(state, 0)
            for row in report["blame"]
            for key in ("loop_states", "elsewhere_states")
        )
        assert blamed <= there, f"blamed for {blamed} ns of {state}, there were {there} ns"
    seen = report["evidence"]["stacks"]
    assert seen["missing"] + seen["torn"] <= seen["taken"], seen


def check_evidence(outcome, most_unknown=MOST_UNKNOWN):
    """A quiet test loses nothing, exits with status 0, and has hardly any unknown time.

    Some is unknown until the first event of each thread. In the guests of some hypervisors the
    kernel also misses some switches of threads (ftrace misses the same ones).
    """
    evidence = outcome.report["evidence"]
    assert evidence["lost"] == 0 and evidence["late"] == 0, outcome
    everything = sum(
        total(thread["states"])
        for process in outcome.report["processes"]
        for thread in process["threads"]
    )
    assert evidence["unknown_ns"] <= most_unknown * everything, (
        f"{evidence} of {everything} ns; unknown of each thread: {unknown_of(outcome.report)}"
    )
    assert outcome.status == 0, outcome


def unknown_of(report):
    return [
        (thread["name"], thread["tid"], thread["states"].get("unknown", 0), total(thread["states"]))
        for process in report["processes"]
        for thread in process["threads"]
    ]


def stalls_of(report):
    return [
        stall
        for process in report["processes"]
        for loop in process["loops"]
        for stall in loop["stalls"]
    ]


def describe(stall):
    states = {state: round(ns / 1e6, 2) for state, ns in stall["states"].items() if ns}
    return (
        f"{(stall['end_ns'] - stall['start_ns']) / 1e6:.2f} ms, {stall['cause']}, ms by state "
        f"{states}"
    )


def the_stall(report, mark):
    """The one stall that the mark must have caused."""
    found = [stall for stall in stalls_of(report) if mark.overlaps(stall)]
    assert len(found) == 1, f"{mark}: {len(found)} stalls: {[describe(stall) for stall in found]}"
    stall = found[0]
    assert stall["start_ns"] <= mark.t0_ns, (
        f"{mark}: the stall begins {stall['start_ns'] - mark.t0_ns} ns too late"
    )
    assert stall["end_ns"] >= mark.t1_ns, (
        f"{mark}: the stall ends {mark.t1_ns - stall['end_ns']} ns too early"
    )
    assert not stall["ongoing"]
    return stall


def without_cpu_ns(stall):
    """Time the thread was ready but had no CPU, because of other tests and builds on the
    machine."""
    return stall["states"].get("runnable", 0) + stall["states"].get("held_runnable", 0)


def expected_causes(mark):
    """A cause "a|b" is decided by the CPU time the thread used: a when that is most of the mark, b
    when it is not, either when it is about half."""
    on_cpu, _, asleep = mark.cause.partition("|")
    share = mark.cpu_ns / mark.length_ns
    return [
        cause
        for cause, possible in (
            (on_cpu, not asleep or share > 0.45),
            (asleep, asleep and share < 0.55),
        )
        if possible
    ]


def slow_ns(marks):
    """How much longer the work took that only sleeps, in ns.

    On some virtual machines the code that runs first after a pause, or after a long computation,
    waits for each of its pages: 1 to 3 ms, where it is 0.1 ms elsewhere.
    """
    return max(
        (mark.length_ns - TAKES_NS for mark in marks if mark.name in ("time_sleep", "lock_wait")),
        default=0,
    )


def check_cause(stall, mark, work, mode="exact", slow_ns=0):
    """The stall has the right cause, for as long as the mark says.

    The iteration is a little longer than the mark, so the time may exceed it by that much. It may
    fall short by the time without a CPU, by the time that the report calls unknown, and, where a
    mark has code around what it is named after, by that code's time on a slow machine.
    """
    cause, story = stall["cause"], f"{mark}: {describe(stall)}"
    assert cause in expected_causes(mark), f"{story}, expected {mark.cause}"
    around = stall["end_ns"] - stall["start_ns"] - mark.length_ns
    most = mark.t1_ns - mark.from_ns
    unknown = stall["states"].get("unknown", 0)
    least = most * (1 - work.slack) - without_cpu_ns(stall) - unknown
    if cause in ("blocked", "held_blocked"):
        # The code around the sleeps inside the mark ran on a CPU: for as long as the kernel
        # accounts for, plus what a hypervisor took of that.
        on_cpu = stall["states"].get("python", 0) + stall["states"].get("native", 0)
        least -= min(on_cpu, mark.cpu_ns + STOLEN * mark.length_ns)
    elif cause != "python":
        least -= min(stall["states"].get("python", 0), slow_ns)
    tolerance = max(CAUSE_TOLERANCE * most, CAUSE_TOLERANCE_NS)
    if mode != "exact" and cause in ("python", "native"):
        tolerance += SAMPLED_NS
    share = stall["states"][cause]
    assert least - tolerance <= share <= most + around + tolerance, (
        f"{story}, expected {least / 1e6:.2f} to {most / 1e6:.2f} ms of {cause}"
    )
    if cause in ("python", "native") or "|" in mark.cause:
        on_cpu = stall["states"].get("python", 0) + stall["states"].get("native", 0)
        # The kernel accounts a thread's CPU time from its wake-up rather than from its switch, so
        # it errs by some us for each switch,
        tolerance = max(CAUSE_TOLERANCE * mark.cpu_ns, 1_000_000) + (
            0.03 * mark.length_ns if "|" in mark.cause else 0
        )
        # and leaves out what a hypervisor took, which the scheduler does not see.
        stolen = 0.1 * mark.length_ns
        assert (
            mark.cpu_ns - without_cpu_ns(stall) - unknown - tolerance
            <= on_cpu
            <= mark.cpu_ns + around + tolerance + stolen
        ), f"{story}, {mark.cpu_ns / 1e6:.2f} ms of CPU time"


def check_details(report, stall, mark, work):
    """The system call slept in, and the holder waited for. Nobody is blamed for time that the
    report itself calls unknown."""
    assert not stall["stopped_ns"], (
        f"{mark}: stopped by {stall['stopped_by']}, but nobody stopped it"
    )
    if work.syscalls:
        assert stall["syscalls"] and stall["syscalls"][0]["name"] in work.syscalls, (
            f"{mark}: system calls {stall['syscalls']}"
        )
    if work.blocker:
        assert stall["blockers"], f"{mark}: nobody is blamed"
        first = stall["blockers"][0]
        assert first["tid"] == mark.blocker, (
            f"{mark}: thread {first['tid']} is blamed, {mark.blocker} did it"
        )
        wait, unknown = stall["states"]["gil_wait"], report["evidence"]["unknown_ns"]
        assert first["ns"] + unknown >= 0.9 * wait, (
            f"{mark}: {first['ns']} of {wait} ns of waiting explained, {unknown} ns unknown"
        )
        # with one CPU, which gilscope itself needs now and then
        without_cpu = first["states"]["held_runnable"] if os.cpu_count() == 1 else 0
        assert first["states"].get(work.blocker, 0) + without_cpu + unknown >= 0.9 * wait, (
            f"{mark}: the blocker's states are {first['states']}"
        )


def uninvited(report, marks):
    """Stalls that no mark explains and that are not due to a busy machine."""
    explained = [mark for mark in marks if mark.cause != "none"]
    return [
        describe(stall)
        for stall in stalls_of(report)
        if not any(mark.overlaps(stall) for mark in explained)
        and stall["cause"] not in ("runnable", "held_runnable")
    ]
