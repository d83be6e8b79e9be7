# SPDX-License-Identifier: MIT
"""A recording gives the same report whenever it is read, and in every format."""

import re

import pytest

import harness
import laws


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The file of a recording with stalls of three kinds, and the application's marks."""
    path = tmp_path_factory.mktemp("recording") / "three.gsc"
    with harness.RawApp("asyncio", prefix=harness.undisturbed()) as app:
        with harness.Running(
            "record", "-p", app.pid, "-d", "60s", "-o", path, prefix=app.prefix
        ) as running:
            for name in ("time_sleep", "regex", "hog_regex"):
                app.call(name)
            marks = app.marks()
            done = running.finish()
    assert done.status == 0, done
    return path, marks


def report(path):
    outcome = harness.gilscope("report", path, "--json", "--stall", "20ms")
    laws.check_laws(outcome.report)
    laws.check_evidence(outcome)
    return outcome.report


def test_a_recording_reports_what_attach_would(recorded):
    path, marks = recorded
    stalls = [laws.the_stall(report(path), mark) for mark in marks]
    assert [stall["cause"] for stall in stalls] == ["blocked", "python", "gil_wait"]


def test_two_reports_of_one_recording_are_equal(recorded):
    assert report(recorded[0]) == report(recorded[0])


def test_the_text_script_of_a_recording_reports_the_same(recorded, tmp_path):
    script = tmp_path / "three.txt"
    assert harness.gilscope("export", recorded[0], "--format", "script", "-o", script).status == 0
    assert report(script) == report(recorded[0])


def test_a_recorded_command_is_run_to_its_end(tmp_path):
    path = tmp_path / "command.gsc"
    source = (
        "import threading, time\nt = threading.Thread(target=time.sleep, args=(3,)); t.start(); "
        "t.join(); raise SystemExit(7)"
    )
    done = harness.gilscope("record", "-o", path, "--", harness.DEBIAN_PYTHON, "-c", source)
    assert done.status in (0, 7), done
    (process,) = report(path)["processes"]
    assert process["python"].startswith("3.") and len(process["threads"]) == 2


def test_the_last_line_says_what_was_written_and_what_is_next(sleeper, tmp_path):
    for options, size, name in (
        ((), r"\(\d+ ms, 0 stalls, [\d.]+ kB\)", "gilscope.gsc"),
        (("-q",), r"\([\d.]+ kB\)", "gilscope-2.gsc"),
    ):
        with harness.Running(
            "record", "-p", sleeper.pid, "-d", "0.2", *options, cwd=tmp_path
        ) as running:
            done = running.result()
        assert done.status == 0 and re.search(
            rf"gilscope: wrote {name} {size}\. Next: gilscope report {name}, or gilscope timeline "
            rf"{name}\n$",
            done.stderr,
        ), done.stderr
    with harness.Running(
        "record", "-p", sleeper.pid, "-d", "0.2", "-o", "/dev/null", cwd=tmp_path
    ) as running:
        assert "Next" not in running.result().stderr
