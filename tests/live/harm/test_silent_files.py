# SPDX-License-Identifier: MIT
"""Python on a file system that stops answering: gilscope still ends, says why, and leaves nothing
that another process would wait for."""

import contextlib
import os
import signal
import subprocess
import time

import pytest

import conftest
import harness

pytestmark = pytest.mark.beside

SOURCE = """
import time
def computes():
    until = time.monotonic() + 0.02
    while time.monotonic() < until: pass
print('ready', flush=True)
while True:
    computes()
    time.sleep(0.01)
"""


class SilentFileSystem(harness.App):
    """silent_fs.py: serves the system's Python as `python` until told to be silent."""

    def __init__(self, mountpoint):
        os.mkdir(mountpoint)
        super().__init__(
            [
                harness.DEBIAN_PYTHON,
                os.path.join(os.path.dirname(harness.__file__), "silent_fs.py"),
                mountpoint,
                os.path.realpath(harness.DEBIAN_PYTHON),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.python = os.path.join(mountpoint, "python3")
        assert self.process.stdout.readline() == "ready\n"

    def silence(self, *requests):
        for request in requests:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
            assert self.process.stdout.readline() == "ok\n"

    def stop(self):
        if not self.process.stdin.closed:
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()


@contextlib.contextmanager
def python_on_it(path):
    """A file system, and a Python process on it that computes."""
    if not os.path.exists("/dev/fuse"):
        conftest.unavailable("no FUSE")
    with SilentFileSystem(path) as files, harness.Script(
        SOURCE, python=files.python, prefix=("env", "PYTHONHOME=/usr")
    ) as app:
        try:
            yield files, app
        finally:
            files.stop()  # first: Python cannot exit while it waits for a page of its file


@pytest.fixture
def served(tmp_path):
    with python_on_it(tmp_path / "files") as (files, app):
        yield files, app


def test_python_on_a_file_system_that_answers_is_observed(served):
    _, app = served
    outcome = harness.gilscope("attach", app.pid, "-d", "1s", "--json")
    assert outcome.status in (0, 5), outcome
    (process,) = outcome.report["processes"]
    assert process["gils"][0]["held_ns"] > 0 and process["sites"]["take"] > 0, process
    assert "computes" in outcome.stdout, outcome


def test_it_ends_and_says_which_file_does_not_answer(tmp_path):
    """Whichever request is the first without an answer. All cases run at once, since each takes its
    time."""
    with contextlib.ExitStack() as stack:
        runs = {}
        for number, requests in enumerate(
            [
                ["getattr"],
                ["open"],
                ["read"],
                ["flush"],
                ["read 12"],
                ["getattr", "open", "read", "flush"],
            ]
        ):
            files, app = stack.enter_context(python_on_it(tmp_path / str(number)))
            files.silence(*requests)
            runs[" ".join(requests)] = (
                files,
                stack.enter_context(harness.Running("attach", app.pid, "-d", "60s", wait=False)),
            )
        for requests, (files, running) in runs.items():
            outcome = running.result(timeout=60)
            assert outcome.status == 1 and outcome.stdout == "", (requests, outcome)
            assert f"do not answer; the last that was read is {files.python}" in outcome.stderr, (
                requests,
                outcome,
            )
            assert "FUSE" in outcome.stderr, (requests, outcome)
        # the child that gilscope gave up, still asleep, does not hold up a fork()
        subprocess.run(["true"], check=True)


def test_doctor_says_it_too(served):
    files, app = served
    files.silence("read")
    outcome = harness.gilscope("doctor", app.pid, timeout=60)
    assert outcome.status == 1, outcome
    assert f"do not answer; the last that was read is {files.python}" in outcome.stdout, outcome


@pytest.mark.parametrize(
    "command", [["attach"], ["record", "-o", "x.gsc", "-p"], ["doctor"]], ids=" ".join
)
def test_the_first_interrupt_ends_it_at_once(served, command, tmp_path):
    files, app = served
    files.silence("open")
    with harness.Running(*command, app.pid, wait=False, cwd=tmp_path) as running:
        time.sleep(3)
        assert running.process.poll() is None
        running.signal()
        outcome = running.result(timeout=5)  # without the signal it would have waited longer
    assert outcome.status in (130, -signal.SIGINT), outcome


LEADS_THERE = """
import ctypes, mmap, sys, threading, time
with open(sys.argv[1], 'rb') as file:
    page = mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
ctypes.pythonapi.PyInterpreterState_Head.restype = ctypes.c_void_p
print('ready', flush=True)
sys.stdin.readline()
# PyInterpreterState.next, up to 3.11
ctypes.c_uint64.from_address(ctypes.pythonapi.PyInterpreterState_Head()).value = address
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
time.sleep(60)
"""


def system_minor():
    return int(
        subprocess.run(
            [harness.DEBIAN_PYTHON, "-c", "import sys; print(sys.version_info[1])"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


@pytest.mark.skipif(system_minor() > 11, reason="its list of interpreters lies elsewhere")
def test_memory_that_may_never_answer_is_missing_and_the_report_says_so(tmp_path):
    with SilentFileSystem(tmp_path / "files") as files:
        files.silence("read")
        with harness.App(
            [harness.DEBIAN_PYTHON, "-c", LEADS_THERE, files.python],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as app:
            assert app.process.stdout.readline() == "ready\n"
            with harness.attach(app) as running:
                app.process.stdin.write("go\n")
                app.process.stdin.flush()
                time.sleep(2)
                outcome = running.finish()
            app.process.kill()
    assert outcome.status in (0, 5), outcome
    assert outcome.report["evidence"]["unread"] > 0, outcome


def test_silence_while_it_observes_costs_nothing(served):
    files, app = served
    with harness.attach(app) as running:
        files.silence("getattr", "open", "read", "flush")
        time.sleep(1)
        outcome = running.finish()
    assert outcome.status in (0, 5), outcome
    assert "computes" in outcome.stdout, outcome
