# SPDX-License-Identifier: MIT
"""--ready-fd: a line when everything that happens from then on is seen, and the end of the file."""

import os
import pty
import select
import subprocess

import pytest

import harness

WAIT_S = 30


class Ready:
    """A pipe whose writing end is gilscope's; this process keeps none."""

    def __init__(self):
        self.reader, self.writer = os.pipe()

    def options(self):
        return ("--ready-fd", self.writer)

    def popen(self):
        return {"pass_fds": [self.writer]}

    def read(self):
        """All that is written until every copy of the writing end is closed."""
        os.close(self.writer)
        text = b""
        while select.select([self.reader], [], [], WAIT_S * harness.PATIENCE)[0]:
            piece = os.read(self.reader, 64)
            if not piece:
                os.close(self.reader)
                return text.decode()
            text += piece
        raise AssertionError(f"after {text!r} the descriptor is still open")


def test_what_happens_after_the_line_is_seen():
    """The stall is asked for at once, so it begins when the probes would be half set."""
    ready = Ready()
    with harness.RawApp("asyncio") as app:
        with harness.Running(
            "attach",
            app.pid,
            "--stall",
            "20ms",
            "--json",
            *ready.options(),
            wait=False,
            **ready.popen(),
        ) as running:
            assert ready.read() == "ready\n"
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
    ready = Ready()
    source = "import time\nwhile True: time.sleep(0.01)"
    with harness.Running(
        "record",
        "-o",
        tmp_path / "x.gsc",
        *ready.options(),
        "--",
        harness.DEBIAN_PYTHON,
        "-c",
        source,
        wait=False,
        **ready.popen(),
    ) as running:
        assert ready.read() == "ready\n"
        assert running.process.poll() is None
        outcome = running.finish()
    assert outcome.status == 0, outcome


def test_top_reports_it_too(sleeper):
    ready, (terminal, ours) = Ready(), pty.openpty()
    with subprocess.Popen(
        [harness.GILSCOPE, "top", *map(str, ready.options()), str(sleeper.pid)],
        stdin=ours,
        stdout=ours,
        stderr=ours,
        env={**os.environ, "TERM": "xterm"},
        **ready.popen(),
    ) as top:
        os.close(ours)
        assert ready.read() == "ready\n"
        os.write(terminal, b"q")
        while True:
            try:
                if not os.read(terminal, 4096):
                    break
            except OSError:
                break
        assert top.wait(WAIT_S) == 0
    os.close(terminal)


@pytest.mark.unprivileged
def test_a_failure_before_ends_the_file_without_the_line():
    ready = Ready()
    with harness.App(["sleep", "60"]) as app:
        with harness.Running(
            "attach", app.pid, *ready.options(), wait=False, **ready.popen()
        ) as running:
            assert ready.read() == ""
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
