# SPDX-License-Identifier: MIT
"""gilscope top: the filter, the mouse, and going to another process."""

import os
import re
import signal
import time

import pytest

import harness
from terminal import App, Terminal, pid_of_top


@pytest.fixture
def app():
    with App() as app:
        yield app


@pytest.fixture
def top(app, tmp_path):
    with Terminal(tmp_path, app.pid) as terminal:
        terminal.ready()
        yield terminal


def test_a_filter(app, top):
    for command in ("nap 0.2", "spin 0.3"):
        app.send(command)
        time.sleep(0.7)
    top.wait("2 stalls in")
    top.press("/", "S", "P", "I", "N")
    assert "nap " not in top.wait("STALLS 1 newest first /SPIN").split("STALLS")[1]
    top.press("Enter")
    top.wait("no events lost")
    top.press("Escape")
    top.wait(r"STALLS 2 newest first\n")


def test_the_mouse(app, top):
    for seconds in (0.4, 0.2):
        app.send(f"nap {seconds}")
        time.sleep(0.7)
    lines = top.wait("2 stalls in").split("\n")
    [row] = [i for i, line in enumerate(lines) if re.search(r"-\d+ s +4\d\d ms", line)]
    place = f"{chr(32 + 10)}{chr(32 + row + 1)}"  # as tmux reports a press and a release
    click = f"\x1b[M {place}\x1b[M#{place}"
    top.press("-l", click)
    top.wait(r"\n> +-\d+ s +4\d\d ms")
    top.press("-l", click)
    top.wait("STALL of 4")


def test_another_process(app, tmp_path):
    """Attaching there needs what the one before has given up."""
    with App() as other, Terminal(tmp_path, app.pid, columns=110) as top:
        top.ready()
        before = pid_of_top(tmp_path)
        assert re.search(r"^Seccomp:\s+2$", harness.read(f"/proc/{before}/status"), re.MULTILINE)
        top.press("o")
        screen = top.wait("which process")
        pids = [int(pid) for pid in re.findall(r"^[> ] +(\d+) ", screen, re.MULTILINE)]
        by = pids.index(other.pid) - pids.index(app.pid)
        top.press(*["Down" if by > 0 else "Up"] * abs(by), "Enter")
        top.wait(rf"gilscope top · PID {other.pid} ")
        other.send("nap 0.3")
        top.wait("1 stall in")
        top.press("o")
        top.wait("which process")
        top.press("Escape")
        top.wait(rf"gilscope top · PID {other.pid} ")
        top.press("o")
        top.wait("which process")
        assert top.quit("q") == (0, "")
    deadline = time.monotonic() + 5
    while os.path.exists(f"/proc/{before}") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not os.path.exists(f"/proc/{before}")


def test_the_waiting_process_ends_with_it(app, top, tmp_path):
    pid = pid_of_top(tmp_path)
    children = harness.read(f"/proc/{pid}/task/{pid}/children").split()
    assert children
    os.kill(pid, signal.SIGKILL)
    top.quit()
    deadline = time.monotonic() + 5
    while any(os.path.exists(f"/proc/{child}") for child in children):
        assert time.monotonic() < deadline, children
        time.sleep(0.1)
