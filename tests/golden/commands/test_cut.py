# SPDX-License-Identifier: MIT
"""--from and --to: a part of a recording is read as a recording of its own."""

import json
import subprocess

import jsonschema
import pytest

from test_golden import CASES, GILSCOPE, ROOT, SCRIPTS

SCHEMA = json.loads((ROOT / "docs/report.schema.json").read_text())
# of a day's time, with clocks that read 100 s and 2026-03-29T00:59:58Z at the begin
HEAD = {
    "version": "0.2.0",
    "mode": "exact",
    "realtime_ns": 1774745998000000000,
    "monotonic_ns": 100000000000,
}
DAY = f"""gilscope-script 1 {json.dumps(HEAD)}
process {{"pid": 100, "cmdline": "python3 app.py", "python": "3.11.2", "machine": "x86_64"}}
100.000 100 gil gil=0 address=0x7f0000001000
100.000 100 thread python pid=100
100.000 0 window
100.000 100 switch_in cpu=0
100.000 100 take gil=0
104.000 100 drop gil=0
110.000 0 window end
"""


def run(*words, **kwargs):
    return subprocess.run(
        [GILSCOPE, *map(str, words)], capture_output=True, text=True, timeout=60, **kwargs
    )


def cut(script, *points, **kwargs):
    done = run("report", "--json", *points, script, **kwargs)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def window(report):
    return report["window"]["start_ns"], report["window"]["end_ns"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_part_says_what_the_whole_does(script, tmp_path):
    whole = cut(script)
    start, end = window(whole)
    first, last = start + (end - start) // 3, start + (end - start) * 2 // 3
    points = ("--from", f"{first - start}ns", "--to", f"{last - start}ns")
    done = run("report", "--json", *points, script)
    assert done.stdout, done.stderr
    part = json.loads(done.stdout)
    jsonschema.validate(part, SCHEMA)
    assert window(part) == (first, last)
    # no thread did anything for longer than in all of the recording
    sums = {
        (process["pid"], thread["tid"]): thread["states"]
        for process in whole["processes"]
        # a contradiction retracts the states before it, and may lie outside the part
        if not process["sites"].get("fault") and script.stem != "contradiction"
        for thread in process["threads"]
    }
    for process in part["processes"]:
        for thread in process["threads"]:
            states = dict(thread["states"])
            unknown = states.pop("unknown", 0)
            assert sum(states.values()) + unknown <= last - first
            before = sums.get((process["pid"], thread["tid"]), states)
            for state, ns in states.items():
                assert ns <= before.get(state, 0), (thread["tid"], state)
    # and a recording of the part is the same
    made = tmp_path / "part.gsc"
    assert run("export", "--format", "trace", *points, script, "-o", made).returncode in (0, 5)
    again = cut(made)
    for report in (part, again):
        report["evidence"]["events"] = report["truncated"] = None
    assert part == again
    assert made.stat().st_size < 2_000_000


@pytest.mark.parametrize("option", ["--from", "--to"])
def test_an_end_alone(option):
    start, end = window(cut(CASES / "blame.script"))
    half = (end - start) // 2
    expected = (start + half, end) if option == "--from" else (start, start + half)
    assert window(cut(CASES / "blame.script", option, f"{half}ns")) == expected


def test_a_hold_in_progress_counts_from_the_begin(tmp_path):
    (tmp_path / "day.script").write_text(DAY)
    (gil,) = cut(tmp_path / "day.script", "--from", "1", "--to", "6")["processes"][0]["gils"]
    assert gil["held_ns"] == 3_000_000_000


@pytest.mark.parametrize(
    "zone, points, expected",
    [
        ("UTC", ("00:59:59", "01:00:03.5"), (101, 105.5)),
        ("UTC", ("1:00", "01:00:01"), (102, 103)),
        ("UTC", ("00:00", "1:30"), (100, 110)),  # before and after the recording
        # the clocks go forward while it is made: 01:59:59 is followed by 03:00:00
        ("Europe/Berlin", ("01:59:59", "03:00:05"), (101, 107)),
        ("Asia/Kolkata", ("06:30:01", "6:30:02.250"), (103, 104.25)),
    ],
)
def test_a_time_of_day_is_local(zone, points, expected, tmp_path):
    (tmp_path / "day.script").write_text(DAY)
    report = cut(tmp_path / "day.script", "--from", points[0], "--to", points[1], env={"TZ": zone})
    assert window(report) == tuple(int(seconds * 1e9) for seconds in expected)


def test_a_time_of_day_beyond_midnight(tmp_path):
    late = DAY.replace("1774745998000000000", "1774742398000000000")  # 23:59:58Z
    (tmp_path / "day.script").write_text(late)
    points = ("--from", "23:59:59", "--to", "00:00:01")
    report = cut(tmp_path / "day.script", *points, env={"TZ": "UTC"})
    assert window(report) == (101_000_000_000, 103_000_000_000)


@pytest.mark.parametrize(
    "points, why",
    [
        (("--from", "1h"), "the recording has nothing between --from and --to"),
        (("--from", "20ms", "--to", "20ms"), "the recording has nothing between"),
        (("--from", "30ms", "--to", "20ms"), "the recording has nothing between"),
        (("--from", "12:00"), "does not say at what time of day it was made"),
        (("--from", "24:00"), "'24:00' is neither an offset"),
        (("--to", "12:00:60"), "'12:00:60' is neither"),
        (("--to", "12:00:5ms"), "'12:00:5ms' is neither"),
        (("--to", "-1s"), "'-1s' is neither"),
        (("--to", ""), "'' is neither"),
    ],
)
@pytest.mark.parametrize("command", [["report"], ["export", "--format", "trace"], ["timeline"]])
def test_what_is_no_part_is_refused(command, points, why, tmp_path):
    output = () if command == ["report"] else ("-o", "out.html")
    done = run(*command, *points, CASES / "blame.script", *output, cwd=tmp_path)
    assert done.returncode == 2 and why in done.stderr and not list(tmp_path.iterdir()), done
