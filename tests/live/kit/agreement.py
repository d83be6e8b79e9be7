# SPDX-License-Identifier: MIT
"""Compares what two observers report of the same time of the same processes (pair.py): which
figures agree, and by how much the others differ.

A pure function of two JSON reports. The limits are the promise of docs/evidence/accuracy.md. Beyond
them a figure may differ only by time that the reports themselves call unknown or, of `python` and
`native`, sampled.
"""

import statistics

from harness import PATIENCE

EXACT = 0.01  # of times whose begin and end are traced
SPLIT = 0.03  # of python against native
EDGE_NS = 10_000  # of stalls' starts and ends, half of them; …
LATE_NS = 100_000  # … and of any, for there may be an interrupt between two observers' stamps
# The kernel runs the probes of two observers one after the other, so their stamps of one event
# differ by half a microsecond, and by some more where the first one reads a stack. Two observers in
# mode exact differ by as much. On a slow machine it takes them longer.
STAMP_NS = 5_000 * PATIENCE
# Who is woken on the GIL's mutex, and finds it taken again, is in the same wait. In mode edges that
# is known of nearly all: of a process's waits. Of one thread's chance may leave more.
RETRIES = 0.1
SWITCHES = 0.002 * PATIENCE  # of the window: what the stamps of a thread's switches add up to
FLOOR_NS = 200_000  # as in laws.py: what those of the parts of one stall add up to
MOST_UNKNOWN = 0.02
# Reported of each subject that has more than a twentieth of the window. Which functions and threads
# these are, a sample may decide; the waits themselves are compared.
BY_SUBJECT, MUCH = ("gil_contended_by",), 0.2
PERIODS_NS = 2 * 5_025_126  # of the clock: how far sampled time may be off at its ends

EDGES = "edges of stalls"
ON_CPU = ("python", "native")
FACTS = ("blocked", "idle", "held_blocked", "held_runnable", "runnable")


class Figure:
    """One thing that both report. `one`, `other`: nanoseconds, counts, or words."""

    def __init__(self, group, what, one, other, allowed=0):
        self.group, self.what, self.one, self.other = group, what, one, other
        self.allowed = allowed
        numbers = isinstance(one, (int, float)) and isinstance(other, (int, float))
        self.off = abs(one - other) if numbers else None
        self.agrees = self.off <= allowed if numbers else one == other

    @property
    def relative(self):
        """The difference as a share of the larger one; None of words."""
        if self.off is None:
            return None
        return self.off / max(abs(self.one), abs(self.other), 1)

    def __repr__(self):
        allowed = f", allowed {self.allowed:.0f}" if self.off is not None else ""
        return f"{self.group}: {self.what}: {self.one} and {self.other}{allowed}"


def compare(one, other):
    """All figures of two reports over the same window."""
    assert one["window"] == other["window"], "the reports are of different times"
    return [*of_evidence(one, other), *of_processes(one, other), *of_findings(one, other)]


def of_evidence(one, other):
    """What is unknown excuses what differs, so it must be little."""
    unknown, everything = (
        [report["evidence"][key] for report in (one, other)] for key in ("unknown_ns", "thread_ns")
    )
    yield Figure("unknown time", "of all threads", *unknown, MOST_UNKNOWN * max(everything))
    for name in ("lost", "late", "missed"):
        yield Figure("lost events", name, *(report["evidence"][name] for report in (one, other)))


def disagreements(figures):
    return [figure for figure in figures if not figure.agrees]


def by(key, ones, others):
    """(key, one or None, other or None) of two lists whose elements have that key."""
    left, right = ({key(each): each for each in each_list} for each_list in (ones, others))
    for name in sorted(left.keys() | right.keys(), key=repr):
        yield name, left.get(name), right.get(name)


def near(one, other, share=EXACT, floor=0):
    return max(share * max(one, other), floor)


# ── threads and GILs ──────────────────────────────────────────────────────────────────────────────


def of_processes(one, other):
    for pid, left, right in by(lambda each: each["pid"], one["processes"], other["processes"]):
        if not (left and right):
            yield Figure("processes", f"process {pid}", bool(left), bool(right))
            continue
        yield from of_gils(left, right)
        yield from of_threads(left, right, one["window"], one["mode"] == other["mode"])
        yield from of_loops(left, right, one["stall_ns"])


def in_states(thread, *states):
    return sum(thread["states"].get(state, 0) for state in states)


def of_gils(one, other):
    """`held_ns` has what is sampled, too."""
    unknown = unknown_of(one, other)
    sampled = max(
        sum(thread.get("sampled_ns", 0) for thread in process["threads"])
        for process in (one, other)
    )
    for address, left, right in by(lambda gil: gil["address"], one["gils"], other["gils"]):
        yield Figure("GILs", f"GIL {address}", bool(left), bool(right))
        if not (left and right):
            continue
        stamps = STAMP_NS * (max(left["wait"]["count"], right["wait"]["count"]) + 10)
        for key, more in (("contended_ns", 0), ("held_ns", sampled)):
            ns = [gil[key] for gil in (left, right)]
            yield Figure("GILs", f"{address}: {key}", *ns, near(*ns) + stamps + unknown + more)


def of_threads(one, other, window, same_mode):
    """A thread that only one of them has counts as one of which nothing is known."""
    nothing = {"states": {}, "waits": 0}
    switches = SWITCHES * (window["end_ns"] - window["start_ns"])
    for tid, left, right in by(lambda each: each["tid"], one["threads"], other["threads"]):
        name = f"thread {tid}"
        yield Figure("threads", name, bool(left), bool(right))
        yield from of_thread(name, left or nothing, right or nothing, switches, same_mode)
    if not same_mode:
        counts = [sum(thread["waits"] for thread in each["threads"]) for each in (one, other)]
        allowed = len(one["threads"]) + near(*counts, RETRIES, 2)
        yield Figure("waits for the GIL", f"process {one['pid']}: waits", *counts, allowed)


def of_thread(name, one, other, switches, same_mode):
    unknown = in_states(one, "unknown") + in_states(other, "unknown")
    sampled = max(one.get("sampled_ns", 0), other.get("sampled_ns", 0))
    waits = max(one["waits"], other["waits"])
    stamps = STAMP_NS * (waits + 10)

    def figure(group, states, more=0):
        left, right = in_states(one, *states), in_states(other, *states)
        allowed = near(left, right) + unknown + stamps + more
        return Figure(group, f"{name}: {' and '.join(states)}", left, right, allowed)

    yield figure("waits for the GIL", ["gil_wait"])
    if same_mode and not unknown:
        yield Figure("waits for the GIL", f"{name}: waits", one["waits"], other["waits"], 1)
    for state in FACTS:
        yield figure("other states", [state], switches)
    yield figure("on a CPU", ON_CPU, switches)
    split = SPLIT * max(in_states(one, *ON_CPU), in_states(other, *ON_CPU))
    for state in ON_CPU:
        yield figure("python, native", [state], switches + max(split, sampled))


# ── loops and stalls ──────────────────────────────────────────────────────────────────────────────


def unknown_of(*processes):
    """The most that is unknown in one of them."""
    return max(sum(in_states(each, "unknown") for each in it["threads"]) for it in processes)


def of_loops(one, other, threshold_ns):
    sampled = {
        thread["tid"]: thread.get("sampled_ns", 0)
        for process in (one, other)
        for thread in process["threads"]
    }
    for tid, left, right in by(lambda each: each["tid"], one["loops"], other["loops"]):
        yield Figure("loops", f"loop {tid}", bool(left), bool(right))
        if left and right:
            yield Figure("loops", f"loop {tid}: turns", left["turns"], right["turns"], 1)
            yield from of_stalls(left["stalls"], right["stalls"], threshold_ns, sampled[tid])
            yield from of_blame(left["stalls"], right["stalls"], unknown_of(one, other))


def pairs_of(ones, others):
    """Those that overlap belong together; None stands for one that the other has not."""
    left, right = list(ones), list(others)
    while left or right:
        if not right or (left and left[0]["end_ns"] <= right[0]["start_ns"]):
            yield left.pop(0), None
        elif not left or right[0]["end_ns"] <= left[0]["start_ns"]:
            yield None, right.pop(0)
        else:
            yield left.pop(0), right.pop(0)


def length(stall):
    return stall["end_ns"] - stall["start_ns"] if stall else 0


def of_stalls(ones, others, threshold_ns, sampled):
    pairs = list(pairs_of(ones, others))
    yield from of_pairs(pairs, threshold_ns, sampled)
    whole = [(one, other) for one, other in pairs if one and other]
    offs = [abs(a[edge] - b[edge]) for a, b in whole for edge in ("start_ns", "end_ns")]
    if offs:
        yield Figure(EDGES, "half of all", 0, statistics.median(offs), EDGE_NS)


def of_blame(ones, others, unknown):
    """While it is unknown what the threads of the process did, it is not said who blocked it."""
    whole = [(one, other) for one, other in pairs_of(ones, others) if one and other]
    if not whole:
        return
    waited, blamed = (
        [sum(figure(each) for each in stalls) for stalls in zip(*whole)]
        for figure in (lambda stall: in_states(stall, "gil_wait"), of_all_blockers)
    )
    if max(waited) > 0:
        allowed = near(*waited, MOST_UNKNOWN, FLOOR_NS) + unknown
        yield Figure("blockers", "of all stalls", *blamed, allowed)


def of_all_blockers(stall):
    return sum(blocker["ns"] for blocker in stall["blockers"])


def nobody(stall):
    """For how long it is not said who blocked it."""
    return in_states(stall, "gil_wait") - of_all_blockers(stall)


def of_pairs(pairs, threshold_ns, sampled):
    for one, other in pairs:
        there = one or other
        name = f"stall at {there['start_ns']} of {length(there) / 1e6:.1f} ms"
        if one and other:
            yield Figure("stalls", name, True, True)
            yield from of_stall(name, one, other, sampled)
        elif length(there) > threshold_ns + 2 * EDGE_NS:
            yield Figure("stalls", name, bool(one), bool(other))


def of_stall(name, one, other, sampled):
    for edge in ("start_ns", "end_ns"):
        yield Figure(EDGES, f"{name}: {edge}", one[edge], other[edge], LATE_NS)
    yield Figure("causes", name, *causes(one, other))
    unknown = in_states(one, "unknown") + in_states(other, "unknown")
    for state in ("gil_wait", *FACTS):
        yield of_state(name, state, one, other, unknown)
    for state in ON_CPU:
        split = max(SPLIT * max(in_states(one, *ON_CPU), in_states(other, *ON_CPU)), sampled)
        yield of_state(name, state, one, other, unknown + split)
    yield from of_blockers(name, one, other, unknown)
    yield from of_list("system calls", name, "syscalls", lambda call: call["name"], one, other)
    yield from of_list("who had the CPU", name, "preempted_by", lambda run: run["pid"], one, other)
    if one["handler"] and other["handler"] and one["cause"] not in ON_CPU:
        words = [stall["handler"]["function"] for stall in (one, other)]
        yield Figure("handlers", f"{name}: handler", *words)


def of_state(name, state, one, other, more):
    left, right = in_states(one, state), in_states(other, state)
    allowed = EXACT * length(one) + FLOOR_NS + more
    return Figure("states of stalls", f"{name}: {state}", left, right, allowed)


def causes(one, other):
    """What each calls the cause. A cause that is only ahead by what the limits allow, or by what is
    unknown, might as well be the other one's."""
    causes = [one["cause"], other["cause"]]
    lead = [
        in_states(stall, stall["cause"]) - in_states(stall, cause)
        for stall, cause in zip((one, other), reversed(causes))
    ]
    unknown = in_states(one, "unknown") + in_states(other, "unknown")
    if max(map(abs, lead)) <= near(length(one), length(other), floor=FLOOR_NS) + unknown:
        return causes[0], causes[0]
    return causes


def of_blockers(name, one, other, unknown):
    unknown += max(nobody(one), nobody(other))
    for tid, left, right in by(lambda each: each["tid"], one["blockers"], other["blockers"]):
        ns = [each["ns"] if each else 0 for each in (left, right)]
        not_known = sum(in_states(each, "unknown") for each in (left, right) if each)
        allowed = near(*ns, floor=FLOOR_NS) + unknown + not_known
        yield Figure("blockers", f"{name}: blocker {tid}", *ns, allowed)
        for state in ("held_blocked", "held_runnable", "python"):
            parts = [in_states(each, state) if each else 0 for each in (left, right)]
            allowed = near(*parts, floor=FLOOR_NS) + unknown + not_known
            what = f"{name}: blocker {tid}: {state}"
            yield Figure("states of blockers", what, *parts, allowed)


def of_list(group, name, key, identity, one, other):
    unknown = in_states(one, "unknown") + in_states(other, "unknown")
    allowed = EXACT * length(one) + FLOOR_NS + unknown
    for who, left, right in by(identity, one[key], other[key]):
        ns = [each["ns"] if each else 0 for each in (left, right)]
        yield Figure(group, f"{name}: {who}", *ns, allowed)


# ── findings ──────────────────────────────────────────────────────────────────────────────────────


def kinds(findings):
    """{(id, process): (ns, count, sampled)}. Of one kind all together: which function of a thread
    had its time is a sample, and two observers take theirs at different instants."""
    found = {}
    for each in findings:
        ns, count, sampled = found.get((each["id"], each["process"]), (0, 0, False))
        found[each["id"], each["process"]] = (
            ns + each["ns"],
            count + each["count"],
            sampled or each["evidence"] == "sampled",
        )
    return found


def of_findings(one, other):
    unknown = one["evidence"]["unknown_ns"] + other["evidence"]["unknown_ns"]
    left, right = kinds(one["findings"]), kinds(other["findings"])
    length_ns = one["window"]["end_ns"] - one["window"]["start_ns"]
    for kind in sorted(left.keys() | right.keys(), key=repr):
        both = [found.get(kind, (0, 0, False)) for found in (left, right)]
        ns = [each[0] for each in both]
        if kind[0] in BY_SUBJECT:
            if max(ns) > MUCH * length_ns:
                yield Figure("findings", kind[0], *(bool(each) for each in ns))
            continue
        share = SPLIT if any(each[2] for each in both) else EXACT
        sampled_ns = PERIODS_NS if share == SPLIT else 0
        more = (FLOOR_NS + sampled_ns) * max(each[1] for each in both)
        yield Figure("findings", kind[0], *ns, near(*ns, share) + more + unknown)


# ── in words ──────────────────────────────────────────────────────────────────────────────────────


def groups(figures):
    """{group: its figures}, in the order in which they first came."""
    found = {}
    for figure in figures:
        found.setdefault(figure.group, []).append(figure)
    return found


def describe(figures):
    """One line for each group, and one for each figure that disagrees."""
    lines = []
    for group, members in groups(figures).items():
        offs = [figure.off for figure in members if figure.off is not None]
        worst = f", differ by up to {max(offs)}" if offs else ""
        agree = len(members) - len(disagreements(members))
        lines.append(f"{group}: {agree} of {len(members)} agree{worst}")
    return "\n".join([*lines, *map(repr, disagreements(figures))])
