# SPDX-License-Identifier: MIT
"""Every NAME.script exported for Perfetto: decoded by protoc with our .proto, checked as a trace,
and compared with the report; some are also compared with NAME.perfetto."""

import json
import re
import subprocess
from collections import Counter, defaultdict

import pytest

from perfetto import MONOTONIC, REALTIME, Trace, decoded, shown
from test_exports import ALL, STATES, export, parse_folded
from test_golden import (
    CHEAP,
    EXIT_OK,
    EXIT_PARTIAL,
    EXIT_UNSUPPORTED,
    GILSCOPE,
    CASES,
    SCRIPTS,
    compare,
    report,
)

EXPECTED = [
    CASES / f"{name}.script"
    for name in (
        "blame",
        "cut_off",
        "gil_wait",
        "hostile_names",
        "lost",
        "losses_apart",
        "ongoing",
        "two_processes",
    )
]


@pytest.fixture(params=SCRIPTS, ids=lambda path: path.stem)
def script(request):
    return request.param


@pytest.fixture
def trace(script):
    return Trace(decoded(export(script, "perfetto")[0]))


@pytest.fixture
def found(script):
    return json.loads(report(script, "--json")[0])


def length(slices):
    return sum(each["end"] - each["ts"] for each in slices)


# ── the trace by itself ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("script", EXPECTED, ids=lambda path: path.stem)
def test_trace_is_as_expected(request, script, trace):
    compare(request, script.with_suffix(".perfetto"), shown(trace))


def test_exit_status_is_that_of_the_report(script):
    result = subprocess.run(
        [GILSCOPE, "export", "-f", "perfetto", script], capture_output=True, timeout=60, check=False
    )
    status = report(script)[1]
    assert result.returncode == (EXIT_OK if status == EXIT_UNSUPPORTED else status)


def test_slices_nest_and_only_frames_have_others_inside(trace):
    for uuid, track in trace.tracks.items():
        for each in trace.slices(uuid):
            assert each["ts"] <= each["end"]
            assert all(
                outer["ts"] <= each["ts"] and each["end"] <= outer["end"]
                for outer in each["inside"]
            )
            assert not each["inside"] or track["name"].startswith("Python frames")


def test_times_of_a_track_are_written_in_order(script):
    last = Counter()
    for packet in decoded(export(script, "perfetto")[0]):
        event = packet.get("track_event", {"type": "TYPE_INSTANT"})
        if event["type"] != "TYPE_INSTANT":  # instants at a GIL mark the waits of several threads
            assert packet["timestamp"] >= last[event["track_uuid"]]
            last[event["track_uuid"]] = packet["timestamp"]


def test_every_wait_for_the_gil_leads_to_the_gils_track(trace):
    begins = {event["flow_ids"][0]: event for event in trace.events if "flow_ids" in event}
    ends = {
        event["terminating_flow_ids"][0]: event
        for event in trace.events
        if "terminating_flow_ids" in event
    }
    assert begins.keys() == ends.keys() and len(begins) == sum(
        event.get("name") == "gil_wait" for event in trace.events
    )
    assert sum(
        len(event.get(key, []))
        for event in trace.events
        for key in ("flow_ids", "terminating_flow_ids")
    ) == 2 * len(begins)
    for flow, begin in begins.items():
        pid, tid = trace.threads()[begin["track"]]
        assert (
            begin["name"] == "gil_wait"
            and ends[flow]["ts"] == begin["ts"]
            and ends[flow]["type"] == "instant"
        )
        assert re.fullmatch(rf"waited for by .* \({tid}\)", ends[flow]["name"], re.S)
        assert ends[flow]["track"] in trace.named("GIL of interpreter .*", trace.process(pid))
        assert trace.events.index(begin) < trace.events.index(ends[flow])


def test_names_harm_no_terminal(trace):
    for event in trace.events:
        assert (
            event.get("name", "").isprintable()
            and event.get("place", {}).get("file_name", "").isprintable()
        )
    assert all(
        track.get("name", "").isprintable()
        and track.get("thread", {}).get("thread_name", "").isprintable()
        for track in trace.tracks.values()
    )


# ── the trace and the report ──────────────────────────────────────────────────────────────────────


def test_states_are_those_of_the_report(trace, found):
    sums = defaultdict(Counter)
    for uuid, who in trace.threads().items():
        for each in trace.slices(uuid):
            assert each["name"] in STATES
            sums[who][each["name"]] += each["end"] - each["ts"]
    for process in found["processes"]:
        reported = defaultdict(Counter)
        for thread in process["threads"]:
            reported[process["pid"], thread["tid"]].update(thread["states"])
        for who, states in reported.items():
            assert +states == sums[who]


def test_states_have_no_gaps(trace):
    for uuid in trace.threads():
        slices = trace.slices(uuid)
        assert all(before["end"] == after["ts"] for before, after in zip(slices, slices[1:]))


def seen_with_a_gil(trace, pid):
    """The slices in which threads of the process held a GIL, known only by sampling."""
    return [
        each
        for uuid, (owner, _) in trace.threads().items()
        if owner == pid
        for each in trace.slices(uuid)
        if each["name"] == "python" and each["facts"].get("sampled", False)
    ]


def test_gils_are_those_of_the_report(trace, found):
    for process in found["processes"]:
        sampled = length(seen_with_a_gil(trace, process["pid"]))
        certain = 0
        listed = [gil for gil in process["gils"] if "stands_for" not in gil]
        for gil in listed:
            name, parent = f"GIL of interpreter {gil['interpreter']}", trace.process(process["pid"])
            if not trace.named(name, parent):
                assert gil["held_ns"] <= sampled and not gil["contended_ns"]
                continue
            holds, changes = (
                trace.slices(trace.named(name, parent)[0]),
                trace.of(trace.named(f"waiting for the {name}", parent)[0]),
            )
            if found["mode"] in CHEAP:
                assert length(holds) == gil["held_ns"]
                continue
            assert length(holds) <= gil["held_ns"]
            certain += length(holds)
            assert sum(hold["facts"].get("forced", False) for hold in holds) == gil["forced"]
            assert sum(hold["facts"].get("handoff", False) for hold in holds) == gil["handoffs"]
            assert sum(hold["facts"].get("whole", True) for hold in holds) == gil["hold"]["count"]
            waited = [
                (after["ts"] - before["ts"], before["counter_value"])
                for before, after in zip(changes, changes[1:])
            ]
            assert sum(ns for ns, waiters in waited if waiters) == gil["contended_ns"]
            assert not changes or changes[-1]["counter_value"] == 0
        if found["mode"] not in CHEAP and listed == process["gils"]:
            assert certain + sampled == sum(gil["held_ns"] for gil in process["gils"])


def test_as_many_wait_as_are_in_that_state(trace, found):
    for process in found["processes"]:
        counted = sum(
            (after["ts"] - before["ts"]) * before["counter_value"]
            for track in trace.named("waiting for the GIL .*", trace.process(process["pid"]))
            for before, after in zip(trace.of(track), trace.of(track)[1:])
        )
        assert counted == sum(thread["states"]["gil_wait"] for thread in process["threads"])


def thread_track(trace, process, loop):
    """The track of the thread that runs the loop."""
    loop_thread = (process["pid"], loop["tid"])
    return next(uuid for uuid, thread in trace.threads().items() if thread == loop_thread)


def test_turns_are_those_of_the_report(trace, found):
    for process in found["processes"]:
        for loop in process["loops"]:
            thread = thread_track(trace, process, loop)
            tracks = trace.named("turns of the event loop", thread)
            turns = trace.slices(tracks[0]) if tracks else []
            whole = [turn for turn in turns if turn["facts"].get("whole", True)]
            assert len(whole) == loop["turns"]
            assert (
                max((turn["end"] - turn["ts"] for turn in whole), default=0)
                == loop["turn"]["max_ns"]
            )
            counted = [
                (event["ts"], event["counter_value"])
                for track in trace.named("length of the event loop's turn", thread)
                for event in trace.of(track)
            ]
            assert counted == [
                each
                for turn in turns
                for each in ((turn["ts"], turn["end"] - turn["ts"]), (turn["end"], 0))
            ]


def pruned(value):
    """Without the values that slices leave out."""
    if isinstance(value, list):
        return [pruned(each) for each in value]
    if isinstance(value, dict):
        return {
            key: pruned(each)
            for key, each in value.items()
            if each not in (None, [], {}) and (each != 0 or isinstance(each, bool))
        }
    return (
        re.sub(
            "[\0-\x1f\x7f-\x9f\\\\]",
            lambda c: "".join(f"\\x{byte:02x}" for byte in c[0].encode()),
            value,
        )
        if isinstance(value, str)
        else value
    )


def check_stalls(trace, found):
    for process in found["processes"]:
        for loop in process["loops"]:
            thread = thread_track(trace, process, loop)
            stalls = [
                stall
                for track in trace.named("stalls of the event loop", thread)
                for stall in trace.slices(track)
            ]
            assert [(stall["ts"], stall["end"]) for stall in stalls] == [
                (stall["start_ns"], stall["end_ns"]) for stall in loop["stalls"]
            ]
            assert [stall["facts"] for stall in stalls] == [
                pruned(stall) for stall in loop["stalls"]
            ]
            for stall, reported in zip(stalls, loop["stalls"]):
                assert re.fullmatch(
                    rf"stall: {reported['cause']} [\d.]+ (ns|µs|ms|s)( so far| or more)?",
                    stall["name"],
                )
                assert stall["name"].endswith(" so far") == reported["ongoing"]


def test_stalls_are_those_of_the_report(trace, found):
    check_stalls(trace, found)


def test_stalls_have_the_handlers_that_were_asked_for(tmp_path):
    script, root = tmp_path / "installed.script", "--app-root=/usr/lib/python3/dist-packages/shop"
    script.write_text(
        (CASES / "blame.script")
        .read_text()
        .replace("/srv/shop/", "/usr/lib/python3/dist-packages/shop/")
    )
    found = report(script, "--json", root)[0]
    assert found != report(script, "--json")[0]
    check_stalls(Trace(decoded(export(script, "perfetto", root)[0])), json.loads(found))


LISTS = ("findings", "blame", "processes")


def test_the_recording_is_that_of_the_report(trace, found):
    (recording,) = trace.slices(trace.named("gilscope: the recording")[0])
    assert (recording["ts"], recording["end"]) == (
        found["window"]["start_ns"],
        found["window"]["end_ns"],
    )
    assert recording["facts"] == pruned(
        {key: value for key, value in found.items() if key not in LISTS}
    )
    cut = [event for event in trace.of(recording["track"]) if event["type"] == "instant"]
    assert [event["name"] for event in cut] == ["the recording is cut off here"] * found[
        "truncated"
    ]
    lost = [each for track in trace.named("gilscope: lost events") for each in trace.slices(track)]
    assert sum(each["facts"]["events"] for each in lost) == found["evidence"]["lost"]


def stacks_of(trace, track):
    """The stack of the thread over time, in the folded format: begin, end, frames."""
    stretches, stack, since = [], [], None
    for event in trace.of(track):
        if stack and event["ts"] > since:
            stretches.append((since, event["ts"], tuple(stack)))
        since = event["ts"]
        if event["type"] == "slice_end":
            stack.pop()
            continue
        place = event.get("place")
        line = f":{place['line_number']}" if place and "line_number" in place else ""
        word = f"{event['name']} ({place['file_name']}{line})" if place else event["name"]
        stack.append({"unknown": "[no stack]"}.get(word, word).replace(";", "\\x3b"))
    return stretches


def test_frames_have_no_gaps_and_are_those_of_the_flames(script, trace, found):
    """On a CPU a flame graph spreads a state's time over its samples, while a trace gives a stretch
    to the next sample. All other times are exact in both."""
    tracks = {uuid: trace.named("Python frames.*", uuid) for uuid in trace.threads()}
    if '"stacks": true' not in script.read_text():
        assert not any(tracks.values())
        return
    flames, sums, several = Counter(), Counter(), len(found["processes"]) > 1
    for frames, ns in parse_folded(export(script, "folded", ALL)[0].decode()):
        tid = int(re.search(r"\((\d+)\)$", frames[several])[1])
        if frames[-1] not in ("python", "native"):
            flames[tid, tuple(frames[several + 2 :])] += ns
    for uuid, (_, tid) in trace.threads().items():
        states, stretches = trace.slices(uuid), stacks_of(trace, *tracks[uuid])
        assert (states[0]["ts"], states[-1]["end"]) == (stretches[0][0], stretches[-1][1])
        assert all(before[1] == after[0] for before, after in zip(stretches, stretches[1:]))
        for state in states:
            for start, end, frames in stretches:
                ns = min(end, state["end"]) - max(start, state["ts"])
                if ns > 0 and state["name"] not in ("python", "native"):
                    sums[tid, (*frames, state["name"])] += ns
    assert sums == flames


# ── what is not in the scripts ────────────────────────────────────────────────────────────────────


def test_the_time_of_day_is_there(tmp_path):
    head = (
        '{"version": "0.1.0", "mode": "exact", "realtime_ns": 1700000000123456789, "monotonic_ns": '
        "100000000000}"
    )
    script = tmp_path / "now.script"
    script.write_text(
        (CASES / "quiet.script").read_text().replace('{"version": "0.1.0", "mode": "exact"}', head)
    )
    trace = Trace(decoded(export(script, "perfetto")[0]))
    clocks = {clock["clock_id"]: clock["timestamp"] for clock in trace.clocks["clocks"]}
    assert clocks == {MONOTONIC: 100_000_000_000, REALTIME: 1_700_000_000_123_456_789}
    assert trace.clocks["primary_trace_clock"] == "BUILTIN_CLOCK_MONOTONIC"


def test_chunks_before_damage_are_exported(tmp_path):
    recording = tmp_path / "damaged.gsc"
    whole = export(CASES / "gil_wait.script", "trace")[0]
    recording.write_bytes(whole[:-20] + bytes(20))
    result = subprocess.run(
        [GILSCOPE, "export", "-f", "perfetto", recording],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == EXIT_PARTIAL and b"what was whole before that" in result.stderr
    trace = Trace(decoded(result.stdout))
    assert any(event.get("name") == "the recording is cut off here" for event in trace.events)


def test_a_failed_write_is_reported():
    result = subprocess.run(
        [GILSCOPE, "export", "-f", "perfetto", "-o", "/dev/full", CASES / "gil_wait.script"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1 and b"No space left" in result.stderr
