# SPDX-License-Identifier: MIT
"""Every NAME.script in cases/ is reported as text and compared with NAME.txt, some also as JSON and
compared with NAME.json. All JSON must match the schema and the contract's laws (here and in
test_json_laws.py).

A new case is a new script: tests/golden/run --update writes the expected output; read it before you
commit it.
"""

import difflib
import functools
import json
import os
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest

CASES = Path(__file__).resolve().parent / "cases"
ROOT = CASES.parent.parent.parent
GILSCOPE = os.environ.get("GILSCOPE", str(ROOT / os.environ.get("B", "build") / "gilscope"))
SCRIPTS = sorted(CASES.glob("*.script"))
# together they have every field of the report; test_json_laws.py has laws for all scripts
WITH_JSON = [
    CASES / f"{name}.script"
    for name in (
        "arbiter",
        "blame",
        "c_code",
        "chain_at_the_end",
        "edges_handover",
        "ended_interpreters",
        "foreign_thread",
        "freeze",
        "held_runnable",
        "locks",
        "locks_stale",
        "losses_apart",
        "native_threads",
        "never_passed",
        "stopped",
        "supervisor",
        "pools",
        "sources",
        "starved",
        "told_wake",
        "two_processes",
        "unread",
        "untold_wake",
        "worker_deaths",
        "world",
    )
]
HOLDING = {"python", "held_blocked", "held_runnable"}
EXIT_OK, EXIT_UNSUPPORTED, EXIT_PARTIAL = 0, 4, 5
SUPERVISORS = {"arbiter", "supervisor", "workers"}  # scripts in which other processes serve
FORMATS = subprocess.check_output([GILSCOPE, "--formats"], text=True).split()  # of exports
CHEAP = ("edges", "futex")  # modes in which drops that nobody waits for are not traced
SITES_FAULTS = ("never_taken", "never_released", "never_passed")


@functools.lru_cache(maxsize=None)
def report(script, *options):
    """gilscope's report and exit status, cached."""
    result = subprocess.run(
        [GILSCOPE, "report", *options, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert result.returncode in (EXIT_OK, EXIT_UNSUPPORTED, EXIT_PARTIAL), result.stderr.decode()
    return result.stdout.decode(), result.returncode


def compare(request, expected, found):
    if request.config.getoption("--update"):
        expected.write_text(found)
    want = expected.read_text()
    diff = difflib.unified_diff(
        want.splitlines(True), found.splitlines(True), expected.name, "found"
    )
    assert want == found, "\n" + "".join(diff)


@pytest.fixture(params=SCRIPTS, ids=lambda path: path.stem)
def script(request):
    return request.param


def test_text_is_as_expected(request, script):
    compare(request, script.with_suffix(".txt"), report(script)[0])


@pytest.mark.parametrize("script", WITH_JSON, ids=lambda path: path.stem)
def test_json_is_as_expected(request, script):
    compare(request, script.with_suffix(".json"), report(script, "--json")[0])


def test_json_keeps_its_schema(script):
    schema = json.loads((ROOT / "docs/report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(report(script, "--json")[0]))


def test_a_wake_up_that_the_kernel_only_noted_is_as_good_as_one_that_it_reported():
    noted, told = (report(CASES / f"{name}_wake.script")[0] for name in ("noted", "told"))
    assert noted == told and "unknown" not in noted


def properties(schema):
    """The names of all properties in a schema."""
    if isinstance(schema, dict):
        yield from schema.get("properties", ())
    for value in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(value, (dict, list)):
            yield from properties(value)


def test_every_event_is_in_a_case():
    table = (ROOT / "bpf/events.def").read_text()
    events = re.findall(r"^EVENT\(\d+, \w+, (\w+),", table, re.M)
    written = {
        name
        for script in SCRIPTS
        for name in re.findall(r"^[\d.]+ \d+ (\w+)", script.read_text(), re.M)
    }
    assert events and [name for name in events if name not in written] == []


def test_the_schema_knows_every_key_that_is_written():
    table = (ROOT / "user/view/json/report.def").read_text()
    keys = set(re.findall(r"^\t(?:KEY|OPTIONAL|STREAMED)\((\w+)", table, re.M))
    schema = json.loads((ROOT / "docs/report.schema.json").read_text())
    assert keys - {"origin_ns"} == set(properties(schema))  # only in the page


def test_the_exit_status_says_whether_the_report_is_partial(script):
    text, status = report(script, "--json")
    evidence = json.loads(text)["evidence"]
    partial = evidence["lost"] > 0 and evidence["unknown_ns"] * 1000 > evidence["thread_ns"]
    partial |= script.stem in SITES_FAULTS
    assert json.loads(text)["partial"] == partial
    whole = EXIT_UNSUPPORTED if script.stem in SUPERVISORS else EXIT_OK
    assert status == (EXIT_PARTIAL if partial else whole)


def test_doubtful_sites_are_reported(script):
    """Only where events prove it, since a healthy Python must not be accused. With --json also on
    stderr, for users who keep only some of the figures."""
    text, _ = report(script, "--json")
    found = [process["sites"] for process in json.loads(text)["processes"]]
    message = subprocess.run(
        [GILSCOPE, "report", "--json", script], capture_output=True, text=True, check=False
    ).stderr
    if script.stem in SITES_FAULTS:
        assert [(sites["fault"], sites["confidence"]) for sites in found] == [
            (script.stem, "unknown")
        ]
        assert "the GIL of process 100" in message
    else:
        assert not any("fault" in sites for sites in found) and message == ""


def test_states_of_threads_add_up(script):
    found = json.loads(report(script, "--json")[0])
    window = found["window"]["end_ns"] - found["window"]["start_ns"]
    began = dict(re.findall(r" (\d+) began since=(\d+)", script.read_text()))
    total = unknown = 0
    for process in found["processes"]:
        held = 0
        for thread in process["threads"]:
            lived = sum(thread["states"].values())
            # all other threads of these scripts exist from the begin of the window
            since = max(int(began.get(str(thread["tid"]), 0)), found["window"]["start_ns"])
            lives = found["window"]["end_ns"] - since
            assert lived == lives or thread["gone"] and lived < lives
            total += lived
            unknown += thread["states"]["unknown"]
            held += sum(thread["states"][state] for state in HOLDING)
        # a GIL has one holder at a time
        assert (
            held <= sum(gil["held_ns"] for gil in process["gils"]) <= window * len(process["gils"])
        )
    assert found["evidence"]["thread_ns"] == total
    assert found["evidence"]["unknown_ns"] == unknown


def test_states_of_stalls_add_up(script):
    found = json.loads(report(script, "--json", "--stall", "1ns")[0])
    for process in found["processes"]:
        tids = {thread["tid"] for thread in process["threads"]}
        for loop in process["loops"]:
            for stall in loop["stalls"]:
                states = stall["states"]
                assert sum(states.values()) == stall["end_ns"] - stall["start_ns"]
                assert states[stall["cause"]] == max(states.values())
                assert sum(blocker["ns"] for blocker in stall["blockers"]) <= states["gil_wait"]
                assert (
                    sum(call["ns"] for call in stall["syscalls"])
                    == states["blocked"] + states["held_blocked"]
                )
                assert (
                    sum(task["ns"] for task in stall["preempted_by"])
                    <= states["runnable"] + states["held_runnable"]
                )
                assert stall["throttled_ns"] <= states["runnable"] + states["held_runnable"]
                for blocker in stall["blockers"]:
                    assert blocker["ns"] == sum(blocker["states"].values()) and blocker[
                        "tid"
                    ] in tids - {loop["tid"]}
                for entries in (stall["blockers"], stall["syscalls"], stall["preempted_by"]):
                    assert [entry["ns"] for entry in entries] == sorted(
                        (entry["ns"] for entry in entries), reverse=True
                    )


def test_the_threshold_only_chooses_among_the_stalls(script):
    """It also decides which stalls get advice."""

    def stalls(threshold):
        found = json.loads(report(script, "--json", "--stall", f"{threshold}ns")[0])
        return [
            {key: value for key, value in stall.items() if key != "remedy"}
            for process in found["processes"]
            for loop in process["loops"]
            for stall in loop["stalls"]
        ]

    every = stalls(1)
    for threshold in (10_000_000, 60_010_000, 10_000_000_000):
        assert stalls(threshold) == [
            stall for stall in every if stall["end_ns"] - stall["start_ns"] >= threshold
        ]


def test_colours_add_nothing_but_colour(script):
    coloured = report(script, "--color=always")[0]
    assert "\033[" in coloured
    assert re.sub(r"\033\[[0-9;]*m", "", coloured) == report(script, "--color=never")[0]


def test_text_harms_no_terminal_and_keeps_its_width(script):
    for line in report(script)[0].splitlines():
        assert line == line.rstrip()
        assert all(c.isprintable() for c in line)
        assert len(line) <= 100
