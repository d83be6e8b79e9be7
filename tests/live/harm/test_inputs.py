# SPDX-License-Identifier: MIT
"""Whatever gilscope is given, it exits with the promised status and one clear sentence, and never
crashes or says something false."""

import os
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

import harness
import interpreters
import laws

pytestmark = pytest.mark.beside

OK, FAILED, USAGE, NOT_PERMITTED, UNSUPPORTED, INTERRUPTED = 0, 1, 2, 3, 4, 130
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def expect(outcome, status, *words):
    """The status, nothing on stdout, and a message on stderr that contains these words."""
    assert outcome.status == status, outcome
    assert outcome.stdout == "", outcome
    assert outcome.stderr.strip(), "no message"
    for word in words:
        assert word in outcome.stderr, outcome
    return outcome


@pytest.fixture
def trace(sleeper, tmp_path):
    """A small real recording."""
    path = tmp_path / "real.gsc"
    done = harness.gilscope("record", "-p", sleeper.pid, "-d", "300ms", "-o", path)
    assert done.status == OK, done
    return path


# ── targets ───────────────────────────────────────────────────────────────────────────────────────


def test_a_pid_that_is_gone():
    child = subprocess.Popen(["true"])
    child.wait()
    expect(harness.gilscope("attach", child.pid, "-d", "1s"), FAILED, str(child.pid))


def test_a_process_that_is_not_python():
    with harness.App(["sleep", "60"]) as app:
        expect(harness.gilscope("attach", app.pid, "-d", "1s"), UNSUPPORTED, str(app.pid), "ython")


def test_a_kernel_thread():
    expect(harness.gilscope("attach", 2, "-d", "1s"), UNSUPPORTED)


OLD = [
    version
    for version in interpreters.pyenv_pythons()
    if interpreters.version_key(version) < (3, 8)
]


@pytest.mark.parametrize(
    "version",
    OLD or [pytest.param("none", marks=pytest.mark.skip("no Python older than 3.8 installed"))],
)
def test_a_python_that_is_too_old(version):
    source = "import sys, time\nsys.stdout.write('ready\\n'); sys.stdout.flush()\ntime.sleep(60)"
    with harness.Script(source, python=interpreters.pyenv_pythons()[version]) as app:
        expect(
            harness.gilscope("attach", app.pid, "-d", "1s"), UNSUPPORTED, version.rpartition(".")[0]
        )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_target_that_ends_meanwhile_is_reported(number):
    with harness.RawApp("asyncio") as app:
        with harness.attach(app) as running:
            app.call("time_sleep")
            (mark,) = app.marks()
            app.process.send_signal(number)
            app.process.wait()
            outcome = running.result(timeout=5)
    assert outcome.status == OK, outcome
    laws.check_laws(outcome.report)
    laws.the_stall(outcome.report, mark)


def test_a_stopped_target_can_be_observed(sleeper):
    os.kill(sleeper.pid, signal.SIGSTOP)
    try:
        outcome = harness.gilscope("attach", sleeper.pid, "-d", "500ms", "--json")
    finally:
        os.kill(sleeper.pid, signal.SIGCONT)
    assert outcome.status == OK, outcome
    laws.check_laws(outcome.report)


# ── options ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.unprivileged
@pytest.mark.parametrize(
    "arguments",
    [
        ["attach", "--no-such-option"],
        ["attach"],
        ["attach", "none"],
        ["attach", "-1"],
        ["attach", "1", "-d", "fast"],
        ["attach", "1", "-d", "-1s"],
        ["attach", "1", "--stall", "10"],
        ["report", "a", "b"],
        ["no-such-command"],
        ["export", "x", "--format", "no-such-format"],
        [],
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments):
    expect(harness.gilscope(*arguments), USAGE)


@pytest.mark.unprivileged
@pytest.mark.parametrize("command", ["attach", "record", "report", "export"])
def test_every_command_has_help_with_an_example(command):
    outcome = harness.gilscope(command, "--help")
    assert (
        outcome.status == OK and outcome.stderr == "" and f"gilscope {command}" in outcome.stdout
    ), outcome


# ── recordings ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.unprivileged
def test_a_recording_that_is_not_there(tmp_path):
    expect(harness.gilscope("report", tmp_path / "missing.gsc"), FAILED, "missing.gsc")


@pytest.mark.unprivileged
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 4096,
        b"#!/bin/sh\necho hello\n",
        os.urandom(4096),
        b"gilscope-script 1 nonsense\n",
    ],
    ids=["empty", "zeros", "text", "noise", "broken script"],
)
def test_a_file_that_is_not_a_recording(tmp_path, content):
    path = tmp_path / "garbage.gsc"
    path.write_bytes(content)
    expect(harness.gilscope("report", path, "--json"), FAILED, "garbage.gsc")


@pytest.mark.unprivileged
def test_a_directory_is_not_a_recording(tmp_path):
    expect(harness.gilscope("report", tmp_path), FAILED)


def test_a_recording_cut_off_anywhere_is_reported_as_far_as_it_goes(trace, tmp_path):
    whole, statuses = trace.read_bytes(), {}
    for length in range(0, len(whole), max(1, len(whole) // 40)):
        path = tmp_path / "cut.gsc"
        path.write_bytes(whole[:length])
        outcome = harness.gilscope("report", path, "--json")
        assert outcome.status in (OK, FAILED, 5), (length, outcome)
        if outcome.status == FAILED:
            assert outcome.stderr.strip() and not outcome.stdout, (length, outcome)
        else:
            laws.check_laws(outcome.report)
            assert outcome.report["truncated"], (length, outcome)
        statuses[outcome.status] = statuses.get(outcome.status, 0) + 1
    print(f"{len(whole)} bytes: {statuses}")
    assert set(statuses) != {FAILED}


def test_a_recording_with_flipped_bytes_is_refused_or_read_but_never_kills(trace, tmp_path):
    whole = trace.read_bytes()
    for position in range(0, len(whole), max(1, len(whole) // 60)):
        path = tmp_path / "flipped.gsc"
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        outcome = harness.gilscope("report", path, "--json")
        assert outcome.status in (OK, FAILED, UNSUPPORTED, 5), (position, outcome)


def test_a_full_disk_is_reported(sleeper):
    outcome = harness.gilscope("record", "-p", sleeper.pid, "-d", "300ms", "-o", "/dev/full")
    expect(outcome, FAILED, "No space left")


def test_a_full_disk_behind_stdout_is_reported(trace):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [harness.GILSCOPE, "report", trace, "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == FAILED and "No space left" in done.stderr, done


def test_a_place_that_cannot_be_written(sleeper, tmp_path):
    expect(
        harness.gilscope(
            "record",
            "-p",
            sleeper.pid,
            "-d",
            "300ms",
            "-o",
            tmp_path / "no" / "such" / "folder.gsc",
        ),
        FAILED,
        "folder.gsc",
    )


# ── permission ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def public_binary():
    """A copy that every user may run, wherever the tree is."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield shutil.copy(harness.GILSCOPE, folder)


@pytest.mark.parametrize("owner", ["root", "nobody"])
def test_without_privileges_the_missing_capability_is_named(public_binary, owner):
    source = "print('ready', flush=True)\nimport time\ntime.sleep(60)"
    with harness.Script(source, prefix=NOBODY if owner == "nobody" else ()) as app:
        done = subprocess.run(
            [*NOBODY, public_binary, "attach", str(app.pid), "-d", "1s"],
            capture_output=True,
            text=True,
            timeout=30,
        )
    expect(harness.Outcome(done.returncode, done.stdout, done.stderr), NOT_PERMITTED, "CAP_")


# ── the end of an observation ─────────────────────────────────────────────────────────────────────


def test_the_first_ctrl_c_prints_the_result(sleeper):
    with harness.attach(sleeper) as running:
        time.sleep(0.2)
        outcome = running.finish()
    assert outcome.status == OK, outcome
    laws.check_laws(outcome.report, sleeper.threads())


def test_the_duration_is_kept(sleeper):
    begun = time.monotonic_ns()
    outcome = harness.gilscope("attach", sleeper.pid, "-d", "750ms", "--json")
    ended = time.monotonic_ns()
    assert outcome.status == OK, outcome
    window = outcome.report["window"]
    assert window["end_ns"] - window["start_ns"] >= 740e6
    assert begun <= window["start_ns"] and window["end_ns"] <= ended


def test_a_stall_at_the_end_is_reported_as_ongoing():
    hang = os.path.join(harness.APPS, "hang.py")
    with harness.RawApp("asyncio", prefix=harness.undisturbed(), script=hang) as app:
        with harness.attach(app) as running:
            begun_ns = app.answer("blocked forever")["t0_ns"]
            time.sleep(0.06)
            asked_ns = time.monotonic_ns()
            outcome = running.finish()
    laws.check_laws(outcome.report)
    stall = laws.stalls_of(outcome.report)[-1]
    assert stall["ongoing"] and stall["cause"] == "blocked" and stall["start_ns"] <= begun_ns, (
        laws.describe(stall)
    )
    assert asked_ns <= stall["end_ns"] == outcome.report["window"]["end_ns"]


def test_a_second_ctrl_c_breaks_off(sleeper):
    """Nobody reads stdout, so the result cannot be delivered. The second Ctrl-C must end that."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b" " * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    try:
        with harness.Running("attach", sleeper.pid, "-d", "60s", stdout=writer) as running:
            os.close(writer)
            running.signal()
            time.sleep(1)
            assert running.process.poll() is None, "it ended although nobody took its result"
            running.signal()
            assert running.process.wait(5) == INTERRUPTED
    finally:
        os.close(reader)
