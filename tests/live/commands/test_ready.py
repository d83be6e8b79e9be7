# SPDX-License-Identifier: MIT
"""--ready-fd: writes one line when everything from then on is seen, then closes the file."""

import os
import pty
import select
import subprocess

import pytest

import harness

pytestmark = pytest.mark.beside

WAIT_S = 30


def all_of(reader):
    """Everything written until every copy of the writing end is closed."""
    text = b""
    while select.select([reader], [], [], WAIT_S * harness.PATIENCE)[0]:
        piece = os.read(reader, 64)
        if not piece:
            return text.decode()
        text += piece
    raise AssertionError(f"after {text!r} the descriptor is still open")


def test_what_happens_after_the_line_is_seen():
    """The stall starts immediately after the line, so a probe that is set too late would miss
    it."""
    with harness.RawApp("asyncio") as app:
        with harness.Running(
            "attach",
            app.pid,
            "--stall",
            "20ms",
            "--json",
            wait=False,
        ) as running:
            assert all_of(running.reader) == "ready\n"
            app.call("time_sleep")
            (mark,) = [mark for mark in app.marks() if mark.name == "time_sleep"]
            outcome = running.finish()
    assert outcome.status == 0, outcome
    (process,) = outcome.report["processes"]
    assert outcome.report["window"]["start_ns"] < mark.t0_ns
    (stall,) = [
        stall for loop in process["loops"] for stall in loop["stalls"] if mark.overlaps(stall)
    ]
    assert stall["cause"] == "blocked" and stall["start_ns"] <= mark.t0_ns, stall
    assert stall["end_ns"] >= mark.t1_ns, stall


def test_no_command_and_no_keeper_keeps_it_open(tmp_path):
    source = "import time\nwhile True: time.sleep(0.01)"
    with harness.Running(
        "record",
        "-o",
        tmp_path / "x.gsc",
        "--",
        harness.DEBIAN_PYTHON,
        "-c",
        source,
        wait=False,
    ) as running:
        assert all_of(running.reader) == "ready\n"
        assert running.process.poll() is None
        outcome = running.finish()
    assert outcome.status == 0, outcome


def test_top_reports_it_too(sleeper):
    (reader, writer), (terminal, ours) = os.pipe(), pty.openpty()
    with subprocess.Popen(
        [harness.GILSCOPE, "top", "--ready-fd", str(writer), str(sleeper.pid)],
        stdin=ours,
        stdout=ours,
        stderr=ours,
        env={**os.environ, "TERM": "xterm"},
        pass_fds=[writer],
    ) as top:
        os.close(ours)
        os.close(writer)
        assert all_of(reader) == "ready\n"
        os.write(terminal, b"q")
        while True:
            try:
                if not os.read(terminal, 4096):
                    break
            except OSError:
                break
        assert top.wait(WAIT_S) == 0
    os.close(terminal)
    os.close(reader)


@pytest.mark.unprivileged
def test_a_failure_before_ends_the_file_without_the_line():
    with harness.App(["sleep", "60"]) as app:
        with harness.Running("attach", app.pid, wait=False) as running:
            assert all_of(running.reader) == ""
            outcome = running.result()
    assert outcome.status in (3, 4), outcome


@pytest.mark.unprivileged
@pytest.mark.parametrize("command", ["attach", "record", "top"])
@pytest.mark.parametrize("given", ["closed", "read-only", "path", "standard", "word"])
def test_what_cannot_be_written_is_refused(command, given):
    reader, writer = os.pipe()
    place = os.open("/tmp", os.O_PATH)
    fds = {"closed": 999, "read-only": reader, "path": place, "standard": 2, "word": "ready"}
    target = ["-p", os.getpid()] if command == "record" else [os.getpid()]
    outcome = harness.gilscope(
        command, *target, "--ready-fd", fds[given], pass_fds=[reader, writer, place]
    )
    assert outcome.status == 2 and f"not '{fds[given]}'" in outcome.stderr, outcome
    for fd in (reader, writer, place):
        os.close(fd)
