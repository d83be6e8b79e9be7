# SPDX-License-Identifier: MIT
"""Laws for every JSON report: it is compared with the script it was made from, with the same report
at another threshold, and with itself. Only a few reports, which together have every field, are
compared byte for byte (test_golden.py)."""

import json
import re
from collections import Counter, defaultdict

import pytest

from test_exports import STATES
from test_golden import SCRIPTS, WITH_JSON, report

ROLES = "route dependency background middleware callback timer task executor thread frame"
NO_DISTRIBUTION = {"count": 0, "p50_ns": 0, "p90_ns": 0, "p99_ns": 0, "max_ns": 0}
BUCKET = 1 / 32  # a percentile may exceed the true value by this share


def unescape(word):
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), word)


def nanoseconds(seconds):
    whole, _, part = seconds.partition(".")
    return int(whole) * 10**9 + int(part.ljust(9, "0"))


class Script:
    """A text script, parsed independently of gilscope. events: (ns, tid, kind, words, fields)."""

    def __init__(self, path):
        self.processes, self.events, self.texts, self.functions = [], [], {}, {}
        for line in path.read_text().splitlines():
            words = line.split(" ")
            if words[0] == "gilscope-script":
                self.header = json.loads(line.split(" ", 2)[2])
            elif words[0] == "process":
                self.processes.append(json.loads(line.split(" ", 1)[1]))
            elif words[0] in ("text", "function"):
                fields = dict(word.split("=", 1) for word in words[2:])
                if words[0] == "text":
                    self.texts[int(words[1])] = unescape(fields["text"])
                else:
                    self.functions[unescape(fields["name"])] = unescape(fields["file"])
            elif re.match(r"\d+\.\d+ ", line):
                ns, tid, kind, *rest = words
                fields = dict(word.split("=", 1) for word in rest if "=" in word)
                flags = {word for word in rest if "=" not in word}
                self.events.append((nanoseconds(ns), int(tid), kind, flags, fields))

    def of(self, kind):
        return [event for event in self.events if event[2] == kind]


@pytest.fixture(params=SCRIPTS, ids=lambda path: path.stem)
def script(request):
    return request.param


@pytest.fixture
def found(script):
    return json.loads(report(script, "--json")[0])


@pytest.fixture
def every(script):
    """The same report with every iteration as a stall."""
    return json.loads(report(script, "--json", "--stall", "1ns")[0])


@pytest.fixture
def source(script):
    return Script(script)


def loops_of(found):
    return [loop for process in found["processes"] for loop in process["loops"]]


def stalls_of(found):
    return [stall for loop in loops_of(found) for stall in loop["stalls"]]


def length(stall):
    return stall["end_ns"] - stall["start_ns"]


def fields_of(value, path=""):
    """The names of all fields, with their paths."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path}.{key}"
            yield from fields_of(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from fields_of(inner, path)


def test_the_compared_reports_have_every_field():
    def fields(scripts):
        reports = [json.loads(report(script, "--json")[0]) for script in scripts]
        return {field for found in reports for field in fields_of(found)}

    assert fields(SCRIPTS) - fields(WITH_JSON) == set()


def test_what_is_lost_is_a_processs_or_is_said_not_to_be(found):
    evidence = found["evidence"]
    of_processes = sum(process.get("lost", 0) for process in found["processes"])
    of_none = evidence.get("lost_anywhere", 0) + evidence.get("lost_runs", 0)
    assert of_processes + of_none == evidence["lost"]


# ── with the script ──────────────────────────────────────────────────────────────────────────────


def test_the_head_is_that_of_the_recording(source, found):
    assert found["schema"] == "gilscope.report/1" and found["stall_ns"] == 50_000_000
    for key in ("version", "mode"):
        assert found[key] == source.header[key]
    assert found["rate_hz"] == source.header.get("rate_hz", 0)
    (begin,) = [event[0] for event in source.of("window")][:1] or [source.events[0][0]]
    assert found["window"]["start_ns"] == begin
    assert begin < found["window"]["end_ns"] <= source.events[-1][0]


def test_processes_are_those_of_the_recording(source, found):
    assert len(found["processes"]) == len(source.processes)
    for process, known in zip(found["processes"], source.processes):
        for key in ("pid", "python"):
            assert process[key] == known[key]
        assert process["gc"] == known.get("gc", "none")
        assert ("gc_ns" in found["not_measured"]) == all(
            not each.get("gc") for each in source.processes
        )
        sites = process["sites"]
        for key in ("take", "drop", "wait", "method"):
            assert sites[key] == known[key]
        assert sites["confidence"] == ("unknown" if "fault" in sites else known["confidence"])
        gils = {
            (event[4]["address"], int(event[4].get("interpreter", 0))) for event in source.of("gil")
        }
        assert {
            (gil["address"], gil["interpreter"])
            for gil in process["gils"]
            if "stands_for" not in gil
        } <= gils
    assert (set(found["not_measured"]) == {"gc_ns"}) <= source.header.get("stacks", False)


def test_threads_are_those_of_the_recording(source, found):
    pids = {tid: int(fields["pid"]) for _, tid, _, _, fields in source.of("thread")}
    names = {tid: unescape(fields["comm"]) for _, tid, _, _, fields in source.of("comm")}
    python = {
        tid: source.texts.get(int(fields.get("text", 0)))
        for _, tid, _, _, fields in source.of("python_name")
    }
    gone = {tid for _, tid, *_ in source.of("thread_exit")}
    closed = {tid for _, tid, *_ in source.of("epoll_close")}  # threads whose loop has been closed
    for process in found["processes"]:
        for thread in process["threads"]:
            tid = thread["tid"]
            assert pids[tid] == process["pid"]
            assert thread["gone"] == (tid in gone)
            assert set(thread["states"]) == set(STATES)
            for field, known in (("name", names), ("python_name", python)):
                shown = thread[field] or ""
                assert len(shown) == len(known.get(tid) or "") or not known.get(tid, "").isascii()
        assert {loop["tid"] for loop in process["loops"]} - closed == {
            thread["tid"] for thread in process["threads"] if thread["loop"]
        } - closed


def test_what_is_counted_is_in_the_script(source, found):
    """Where nothing is missing, every acquisition in the window is a hold, and so on."""
    evidence = found["evidence"]
    taken = len(source.of("stack")) + len(source.of("still"))
    assert evidence["stacks"]["taken"] == taken
    assert evidence["stacks"]["torn"] == sum("torn" in event[3] for event in source.of("stack"))
    assert evidence["lost"] == sum(int(event[4]["count"]) for event in source.of("lost"))
    for kind in ("late", "missed"):
        lost = [int(event[4]["count"]) for event in source.of("lost") if kind in event[3]]
        assert evidence[kind] == sum(lost), kind
    for process in found["processes"]:
        tids = {thread["tid"] for thread in process["threads"]}
        gils, threads = process["gils"], process["threads"]
        assert sum(gil["forced"] for gil in gils) == sum(
            thread["forced_drops"] for thread in threads
        )
        if evidence["lost"] or evidence["contradictions"] or found["mode"] != "exact":
            continue
        if "fault" in process["sites"]:
            continue
        takes = Counter(tid for _, tid, *_ in source.of("take") if tid in tids)
        forced = Counter(
            tid for _, tid, _, flags, _ in source.of("drop") if tid in tids and "requested" in flags
        )
        for thread in threads:
            # a thread that holds the GIL when the window begins took it earlier
            assert thread["holds"] - takes[thread["tid"]] in (0, 1)
            assert thread["forced_drops"] == forced[thread["tid"]]
        assert sum(gil["hold"]["count"] for gil in gils) <= sum(
            thread["holds"] for thread in threads
        )


def transitions(source):
    """(ns, thread, kind) of its events, with each take where the thread acquires the GIL: at the
    end of the wait that finds it free, and not at the TAKE that follows."""
    announced = set()
    for ns, tid, kind, flags, _ in source.events:
        if kind == "wait_end" and not flags & {"locked", "off"}:
            announced.add(tid)
            yield ns, tid, "take"
        elif kind == "take" and tid in announced:
            announced.remove(tid)
        else:
            yield ns, tid, kind


def pairs(source, opening, closing):
    """(begin, end) of the stretches that start with an opening event of a thread and end with its
    next closing event."""
    begun = {}
    for ns, tid, kind in transitions(source):
        if kind in closing and tid in begun:
            yield begun.pop(tid), ns
        if kind in opening:
            begun.setdefault(tid, ns)


def expect_distribution(dist, lengths):
    """Percentiles are nearest ranks, reported as the end of their bucket but never beyond the
    maximum."""
    lengths = sorted(lengths)
    assert dist["count"] == len(lengths)
    if not lengths:
        assert dist == NO_DISTRIBUTION
        return
    assert dist["max_ns"] == lengths[-1]
    for percent in (50, 90, 99):
        true = lengths[-(-percent * len(lengths) // 100) - 1]
        assert true <= dist[f"p{percent}_ns"] <= min(true * (1 + BUCKET) + 1, lengths[-1]), percent


def test_holds_and_waits_are_those_of_the_script(source, found):
    evidence = found["evidence"]
    gils = [gil for process in found["processes"] for gil in process["gils"]]
    certain = found["mode"] == "exact" and not evidence["lost"] and not evidence["contradictions"]
    if not certain or len(gils) != 1 or gils[0]["violations"]:
        for gil in gils:
            assert_ordered(gil["hold"])
            assert_ordered(gil["wait"])
        return
    holds = [end - begin for begin, end in pairs(source, ["take"], ["drop"])]
    expect_distribution(gils[0]["hold"], holds)
    if any(event[3] & {"gil_mutex", "handover"} for event in source.of("switch_out")):
        return  # sleeps on the GIL's own futexes are waits, too
    waits = [end - begin for begin, end in pairs(source, ["wait"], ["take"])]
    expect_distribution(gils[0]["wait"], waits)


def held_ns(source, end_ns):
    """How long the GIL was held, including by the initial holder and the last one."""
    begun = {
        tid: event[0]
        for event in source.of("observe")
        if {"definite", "locked"} <= event[3]
        for tid in [int(event[4].get("holder", event[1]))]
    }
    held = 0
    for ns, tid, kind in transitions(source):
        if kind == "take":
            begun[tid] = ns
        elif kind == "drop" and tid in begun:
            held += ns - begun.pop(tid)
    return held + sum(end_ns - ns for ns in begun.values())


def test_gils_are_held_as_long_as_the_script_says(source, found):
    evidence = found["evidence"]
    if evidence["lost"] or evidence["contradictions"] or found["mode"] != "exact":
        return
    if any("fault" in process["sites"] for process in found["processes"]):
        return
    gils = [gil for process in found["processes"] for gil in process["gils"]]
    if any(gil["violations"] for gil in gils):
        return
    assert sum(gil["held_ns"] for gil in gils) == held_ns(source, found["window"]["end_ns"])


def waits_of(source, tid):
    """How often the thread began to wait for the GIL. A wait may be announced repeatedly, and may
    have begun before the window."""
    waits, waiting = 0, False
    for _, who, kind, flags, _ in source.events:
        begins = kind == "wait" or kind == "state" and "gil_wait" in flags
        if who == tid and (begins or kind == "take"):
            waits += begins and not waiting
            waiting = begins
    return waits


def test_threads_wait_as_often_as_the_script_says(source, found):
    evidence = found["evidence"]
    if evidence["lost"] or evidence["contradictions"] or found["mode"] != "exact":
        return
    if any(event[3] & {"gil_mutex", "handover"} for event in source.of("switch_out")):
        return  # sleeps on the GIL's own futexes are waits, too
    for process in found["processes"]:
        for thread in process["threads"]:
            assert thread["waits"] == waits_of(source, thread["tid"]), thread["tid"]


def count_in(text, pattern):
    """The number in a sentence of the text; 0 if the sentence is absent."""
    found = re.search(r"(\d+) " + pattern, re.sub(r"\s+", " ", text))
    return int(found[1]) if found else 0


def test_the_text_counts_the_same_gaps(script, found):
    text, evidence = report(script)[0], found["evidence"]
    assert evidence["gaps"] == count_in(text, "context switch")
    assert evidence["contradictions"] == count_in(text, "times? an earlier event of a thread must")


def assert_ordered(dist):
    assert 0 <= dist["p50_ns"] <= dist["p90_ns"] <= dist["p99_ns"] <= dist["max_ns"]
    assert dist["count"] or dist == NO_DISTRIBUTION


# ── with every turn ──────────────────────────────────────────────────────────────────────────────


def test_turns_are_the_stalls_of_a_threshold_that_all_are_longer_than(found, every):
    for loop, all_of_it in zip(loops_of(found), loops_of(every)):
        lengths = [length(stall) for stall in all_of_it["stalls"]]
        whole = [length(stall) for stall in all_of_it["stalls"] if stall["whole"]]
        assert loop["turns"] == loop["turn"]["count"]
        expect_distribution(loop["turn"], whole)
        assert loop["longest_ns"] == max(lengths, default=0)


def test_a_freeze_is_a_run_of_stalls(found):
    for loop in loops_of(found):
        freeze = loop["longest_freeze"]
        assert (freeze is None) == (loop["freezes"] == 0)
        if freeze:
            inside = [
                stall
                for stall in loop["stalls"]
                if freeze["start_ns"] <= stall["start_ns"] and stall["end_ns"] <= freeze["end_ns"]
            ]
            assert len(inside) == freeze["stalls"] >= 2
            assert inside[0]["start_ns"] == freeze["start_ns"]
            assert inside[-1]["end_ns"] == freeze["end_ns"]


def test_only_a_stall_that_reaches_the_end_is_ongoing(every):
    for stall in stalls_of(every):
        assert stall["ongoing"] == (stall["end_ns"] == every["window"]["end_ns"])


def test_a_stall_is_its_parts(every):
    for stall in stalls_of(every):
        assert set(stall["states"]) == set(STATES)
        for part in stall["parts"]:
            assert stall["start_ns"] <= part["start_ns"] < part["end_ns"] <= stall["end_ns"]
            assert sum(part["states"].values()) <= part["end_ns"] - part["start_ns"]
        for state, ns in stall["states"].items():
            parts = [part["states"][state] for part in stall["parts"]]
            assert not parts or sum(parts) == ns, state
        stopped = sum(stall["stopped_by"].values())
        assert stall["stopped_ns"] == stopped
        calls = {call["name"]: call["ns"] for call in stall["syscalls"]}
        for kind, ns in stall["stopped_by"].items():
            assert calls.get(kind, 0) <= ns
        assert 0 <= stall["gc_ns"] <= length(stall)
        assert len({blocker["tid"] for blocker in stall["blockers"]}) == len(stall["blockers"])
        assert stall["remedy"].endswith((".", ":")) or stall["remedy"] == ""


def handlers_of(found):
    for stall in stalls_of(found):
        yield from [stall["handler"], *(part["handler"] for part in stall["parts"])]
        yield from (blocker["handler"] for blocker in stall["blockers"])
    yield from (row["handler"] for row in found["blame"])


def frames_of(found):
    for stall in stalls_of(found):
        yield from stall["stack"]
        for blocker in stall["blockers"]:
            yield from blocker["stack"]
    yield from filter(None, handlers_of(found))


def test_frames_are_functions_of_the_script(source, every):
    for frame in frames_of(every):
        if frame["function"] == "?":
            continue
        name, file = frame["function"], frame["file"]
        if not name.isascii() or not file.isascii():
            continue
        assert source.functions.get(name) == file, frame
        assert frame["line"] >= 0 and frame.get("role", "frame") in ROLES.split()


def test_a_stall_is_in_its_handlers_stack(every):
    """The handler of a stall is a frame of its stack, and the handler of a blocker a frame of the
    blocker's."""
    for stall in stalls_of(every):
        for one in [stall, *stall["blockers"]]:
            if one["handler"] and one["stack"]:
                known = [(frame["function"], frame["file"]) for frame in one["stack"]]
                assert (one["handler"]["function"], one["handler"]["file"]) in known


# ── blame ────────────────────────────────────────────────────────────────────────────────────────


def key_of(handler):
    return handler["function"], handler["file"], handler["role"]


def culprit_of(stall):
    """The handler that the table of blame charges with the stall: that of the thread that held the
    GIL longest while the loop waited for it, otherwise the loop's own. None if it was stopped from
    outside."""
    if 2 * stall["stopped_ns"] > length(stall):
        return None
    if stall["cause"] == "gil_wait" and "stopped from outside" in stall["remedy"]:
        return None
    if stall["cause"] == "gil_wait":
        return stall["blockers"][0]["handler"] if stall["blockers"] else None
    return stall["handler"]


@pytest.mark.parametrize("threshold", ["50ms", "1ns"])
def test_the_table_of_blame_adds_up_the_stalls(script, threshold):
    found = json.loads(report(script, "--json", "--stall", threshold)[0])
    stalls = defaultdict(list)
    for stall in stalls_of(found):
        culprit = culprit_of(stall)
        if culprit:
            stalls[key_of(culprit)].append(stall)
    rows = {key_of(row["handler"]): row for row in found["blame"]}
    assert len(rows) == len(found["blame"])
    for key, row in rows.items():
        own = stalls.pop(key, [])
        lengths = [length(stall) for stall in own]
        assert row["stalls"] == len(own), key
        assert row["stall_ns"] == sum(lengths) and row["worst_ns"] == max(lengths, default=0)
        worst = [stall["start_ns"] for stall in own if length(stall) == row["worst_ns"]]
        assert row["worst_start_ns"] in (worst or [None])
        assert row["made_loops_wait_ns"] <= row["made_wait_ns"]
    assert not stalls, "stalls of handlers that are not in the table"


def test_blame_is_not_more_than_there_was(found):
    """For each state, the rows' total is at most the threads' total, and their share in iterations
    at most the loops'."""
    threads = [thread for process in found["processes"] for thread in process["threads"]]
    for state in STATES:
        loops, elsewhere = (
            sum(row[key][state] for row in found["blame"])
            for key in ("loop_states", "elsewhere_states")
        )
        there = [(thread["loop"], thread["states"][state]) for thread in threads]
        assert loops <= sum(ns for is_loop, ns in there if is_loop), state
        assert loops + elsewhere <= sum(ns for _, ns in there), state
    waited = sum(thread["states"]["gil_wait"] for thread in threads)
    assert sum(row["made_wait_ns"] for row in found["blame"]) <= waited
    of_loops = sum(thread["states"]["gil_wait"] for thread in threads if thread["loop"])
    assert sum(row["made_loops_wait_ns"] for row in found["blame"]) <= of_loops
    assert sum(row["samples"] for row in found["blame"]) <= found["evidence"]["stacks"]["taken"]


def test_blame_for_waits_of_loops_is_that_of_their_turns(found, every):
    """Handlers that made loops wait are among the blockers of the loops' iterations, for the same
    time. While a process is stopped from outside nobody is blamed."""
    made = Counter()
    for stall in stalls_of(every):
        for blocker in stall["blockers"]:
            if blocker["handler"]:
                made[key_of(blocker["handler"])] += blocker["ns"]
    outside = any(stall["stopped_ns"] for stall in stalls_of(every)) or any(
        "stopped from outside" in stall["remedy"] for stall in stalls_of(every)
    )
    for row in found["blame"]:
        expected = made[key_of(row["handler"])]
        assert row["made_loops_wait_ns"] == expected or outside, row
        assert row["made_loops_wait_ns"] <= expected, row


def test_a_gil_is_not_both_held_and_unknown(found):
    length = found["window"]["end_ns"] - found["window"]["start_ns"]
    for process in found["processes"]:
        for gil in process["gils"]:
            held = gil["held_ns"] if found["mode"] == "exact" else 0
            assert held + gil["unknown_ns"] <= length


def test_contention_lies_within_the_waits(found):
    for process in found["processes"]:
        waited = [thread["states"]["gil_wait"] for thread in process["threads"]]
        contended = sum(gil["contended_ns"] for gil in process["gils"])
        assert contended <= sum(waited)
        if (
            found["evidence"]["lost"] == 0
            and found["mode"] == "exact"
            and len(process["gils"]) == 1
        ):
            assert contended >= max(waited, default=0)
        for gil in process["gils"]:
            # a handoff lies between the holds of two threads
            assert gil["handoffs"] <= sum(thread["holds"] for thread in process["threads"])
            assert gil["hold"]["max_ns"] <= gil["held_ns"] or gil["violations"]


# ── over all processes ───────────────────────────────────────────────────────────────────────────


def stalled_ns(process):
    return sum(length(stall) for loop in process["loops"] for stall in loop["stalls"])


def test_the_service_is_its_processes(found):
    service, loops = found["service"], loops_of(found)
    left_out = sum(loop.get("stalls_left_out", 0) for loop in loops)
    assert service["loops"] == len(loops)
    assert service["stalls"] == len(stalls_of(found)) + left_out
    assert service["longest_ns"] == max(map(length, stalls_of(found)), default=0)
    by_pid = {process["pid"]: process for process in found["processes"]}
    if len(by_pid) == len(found["processes"]):
        assert sorted(service["worst_first"]) == sorted(by_pid)
    if not left_out:
        worst = [stalled_ns(by_pid[pid]) for pid in service["worst_first"]]
        assert all(a >= b - 1_000_000 for a, b in zip(worst, worst[1:]))


def test_findings_about_several_processes_name_those_of_their_stalls(found):
    owners = [
        process["pid"]
        for process in found["processes"]
        for loop in process["loops"]
        for _ in loop["stalls"]
    ]
    for finding in found["findings"]:
        pids = {owners[number] for number in finding["stalls"]}
        if "processes" in finding:
            assert finding["process"] is None and len(finding["processes"]) > 1
            assert set(finding["processes"]) == pids or not pids
        elif finding["process"] is not None:
            assert pids <= {finding["process"]}


def test_deaths_are_those_of_the_recording(source, found):
    died = {event[1]: event for event in source.of("death")}
    told = {
        process["pid"]: process["death"] for process in found["processes"] if "death" in process
    }
    assert told.keys() == died.keys()
    for pid, death in told.items():
        assert death["at_ns"] == died[pid][0]
