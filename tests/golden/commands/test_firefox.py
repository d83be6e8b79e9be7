# SPDX-License-Identifier: MIT
"""export --format firefox: a profile of version 70 for the Firefox Profiler, as its own
src/types/profile.ts has it (github.com/firefox-devtools/profiler), with the report's figures."""

import json
import subprocess
from collections import defaultdict

import pytest

from test_golden import CHEAP, CASES, GILSCOPE, SCRIPTS, compare

LABELS = [
    "python",
    "native",
    "gil_wait",
    "held_blocked",
    "held_runnable",
    "blocked",
    "runnable",
    "idle",
    "unknown",
]
COLUMNS = {
    "stackTable": {"frame", "prefixOffset"},
    "frameTable": {
        "address",
        "lib",
        "inlineDepth",
        "category",
        "subcategory",
        "func",
        "nativeSymbol",
        "innerWindowID",
        "line",
        "column",
        "originalLocation",
    },
    "funcTable": {
        "name",
        "isJS",
        "relevantForJS",
        "resource",
        "source",
        "lineNumber",
        "columnNumber",
        "originalLocation",
    },
    "resourceTable": {"name", "host", "type"},
    "nativeSymbols": {"libIndex", "address", "name", "functionSize"},
    "sources": {"id", "filename", "startLine", "startColumn", "sourceMapURL", "content"},
    "sourceLocationTable": {"source", "line", "column"},
}


def run(*words):
    done = subprocess.run([GILSCOPE, *words], capture_output=True, timeout=60)
    assert done.returncode in (0, 4, 5), done.stderr
    return done.stdout.decode()


def export(script, *options):
    return run("export", "--format", "firefox", *options, script)


def nanoseconds(milliseconds):
    return round(milliseconds * 1e6)


def whole(table, columns):
    assert set(table) - {"length", "weightType"} == columns
    assert {len(table[column]) for column in columns} == {table["length"]}


@pytest.fixture(params=SCRIPTS, ids=lambda path: path.stem, name="both", scope="module")
def profile_and_report(request):
    return json.loads(export(request.param)), json.loads(run("report", "--json", request.param))


def test_tables_are_whole(both):
    profile, _ = both
    shared = profile["shared"]
    assert set(shared) == {*COLUMNS, "stringArray"} and profile["libs"] == []
    for name, columns in COLUMNS.items():
        whole(shared[name], columns)
    for i, (frame, offset) in enumerate(
        zip(shared["stackTable"]["frame"], shared["stackTable"]["prefixOffset"])
    ):
        assert 0 <= frame < shared["frameTable"]["length"] and 0 <= offset <= i
    assert all(0 <= func < shared["funcTable"]["length"] for func in shared["frameTable"]["func"])
    for names in (shared["funcTable"]["name"], shared["sources"]["filename"]):
        assert all(0 <= name < len(shared["stringArray"]) for name in names)
    for thread in profile["threads"]:
        whole(thread["samples"], {"stack", "time", "weight"})
        whole(thread["markers"], {"data", "name", "startTime", "endTime", "phase", "category"})
        assert thread["samples"]["time"] == sorted(thread["samples"]["time"])
        assert thread["markers"]["startTime"] == sorted(thread["markers"]["startTime"])
    assert profile["meta"]["preprocessedProfileVersion"] == 70
    types = {schema["name"] for schema in profile["meta"]["markerSchema"]}
    for thread in profile["threads"]:
        assert {data["type"] for data in thread["markers"]["data"]} <= types


def test_samples_add_up_to_the_report(both):
    profile, report = both
    frames, stacks = profile["shared"]["frameTable"], profile["shared"]["stackTable"]
    reported = [(p["pid"], thread) for p in report["processes"] for thread in p["threads"]]
    assert [(str(pid), t["tid"]) for pid, t in reported] == [
        (t["pid"], t["tid"]) for t in profile["threads"]
    ]
    for (_, thread), found in zip(reported, profile["threads"]):
        sums = defaultdict(int)
        for stack, weight in zip(found["samples"]["stack"], found["samples"]["weight"]):
            category = frames["category"][stacks["frame"][stack]]
            sums[LABELS[category - 1]] += nanoseconds(weight)
        states = {state: ns for state, ns in thread["states"].items() if ns}
        assert {state: ns for state, ns in sums.items() if ns} == states, found["name"]


def test_markers_are_those_of_the_report(both):
    profile, report = both
    start = report["window"]["start_ns"]
    for process in report["processes"]:
        stalls = {loop["tid"]: loop["stalls"] for loop in process["loops"]}
        for thread in process["threads"]:
            (found,) = [
                t
                for t in profile["threads"]
                if (t["pid"], t["tid"]) == (str(process["pid"]), thread["tid"])
            ]
            markers = found["markers"]
            of_type = defaultdict(list)
            for data, begin, end in zip(markers["data"], markers["startTime"], markers["endTime"]):
                of_type[data["type"]].append((nanoseconds(begin), nanoseconds(end)))
            assert of_type["gilscope-stall"] == [
                (stall["start_ns"] - start, stall["end_ns"] - start)
                for stall in stalls.get(thread["tid"], [])
            ]
            assert (
                len(of_type["gilscope-hold"]) >= thread["holds"]
                or report["evidence"]["lost"]
                or report["mode"] in CHEAP
            )


@pytest.mark.parametrize("name", ["blame", "hostile_names"])
def test_a_profile_is_as_expected(request, name):
    text = export(CASES / f"{name}.script").replace(run("--version").split()[1], "VERSION")
    compare(request, CASES / f"{name}.firefox.json", text)


def test_stacks_have_functions_with_lines():
    shared = json.loads(export(CASES / "blame.script"))["shared"]
    names = [shared["stringArray"][name] for name in shared["funcTable"]["name"]]
    function = names.index("async_sleep_blocking")
    source = shared["funcTable"]["source"][function]
    assert shared["stringArray"][shared["sources"]["filename"][source]] == "/srv/shop/app.py"
    lines = {
        line
        for func, line in zip(shared["frameTable"]["func"], shared["frameTable"]["line"])
        if func == function
    }
    assert 42 in lines
