# SPDX-License-Identifier: MIT
"""Sleeps that are not the application's: a process stopped from outside, and the GIL's own futexes.
Also the first iteration of a loop that begins while observed."""

import contextlib
import ctypes
import json
import os
import signal
import time

import pytest

import harness
import laws

STOP_S = 0.5
MACHINE_NS = 100_000_000  # the time a busy machine may take to stop it, and to resume it
PTRACE_ATTACH, PTRACE_DETACH, WAIT_ALL = 16, 17, 0x40000000
FREEZER = "/sys/fs/cgroup/freezer"

IDLE = """
import asyncio, sys
async def main():
    sys.stdout.write("ready\\n"); sys.stdout.flush()
    while True:
        await asyncio.sleep(0.02)
asyncio.run(main())
"""

BEGINS = """
import asyncio, json, sys, time
sys.stdout.write("ready\\n"); sys.stdout.flush()
sys.stdin.readline()
def mark(seconds):
    t0 = time.monotonic_ns()
    time.sleep(seconds)
    return t0, time.monotonic_ns()
async def main():
    found = [mark(0.6)]
    for _ in range(5):
        await asyncio.sleep(0.05)
    found.append(mark(0.3))
    await asyncio.sleep(0.2)
    return found
marks = asyncio.run(main())
print(json.dumps(marks), flush=True)
"""

SPIN = """
import sys, threading, time
sys.setswitchinterval(1e-5)
def spin():
    while True:
        pass
for _ in range(6):
    threading.Thread(target=spin, daemon=True).start()
sys.stdout.write("ready\\n"); sys.stdout.flush()
time.sleep(60)
"""


@contextlib.contextmanager
def signalled(pid):
    os.kill(pid, signal.SIGSTOP)
    yield
    os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def traced(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.ptrace(PTRACE_ATTACH, pid, None, None) == 0, os.strerror(ctypes.get_errno())
    os.waitpid(pid, WAIT_ALL)
    yield
    assert libc.ptrace(PTRACE_DETACH, pid, None, None) == 0, os.strerror(ctypes.get_errno())


def frozen_v1(pid):
    if not os.path.isdir(FREEZER):
        pytest.skip("control groups of version 1 have no freezer here")
    return frozen(pid, FREEZER, "freezer.state", "FROZEN", "THAWED")


def frozen_v2(pid):
    base = next(
        (
            base
            for base in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
            if os.path.exists(os.path.join(base, "cgroup.subtree_control"))
        ),
        None,
    )
    if not base:
        pytest.skip("no control groups of version 2 here")
    return frozen(pid, base, "cgroup.freeze", "1", "0")


@contextlib.contextmanager
def frozen(pid, base, switch, on, off):
    group = os.path.join(base, f"gilscope-test-{os.getpid()}")
    os.mkdir(group)
    try:
        harness.write(os.path.join(group, "cgroup.procs"), pid)
        harness.write(os.path.join(group, switch), on)
        yield
        harness.write(os.path.join(group, switch), off)
    finally:
        harness.write(os.path.join(base, "cgroup.procs"), pid)
        os.rmdir(group)


@pytest.mark.parametrize(
    "stop, kind",
    [(signalled, "stopped"), (traced, "traced"), (frozen_v1, "frozen"), (frozen_v2, "frozen")],
)
def test_a_process_stopped_from_outside_is_reported_as_such(stop, kind):
    with harness.Script(IDLE) as app, harness.attach(app) as running:
        time.sleep(0.3 * harness.PATIENCE)  # its loop turns while it is observed
        with stop(app.pid):
            t0 = time.monotonic_ns()
            time.sleep(STOP_S)
            t1 = time.monotonic_ns()
        time.sleep(0.2)
        outcome = running.finish()
    laws.check_laws(outcome.report)
    stalls = laws.stalls_of(outcome.report)
    (stall,) = [
        stall
        for stall in stalls
        if stall["start_ns"] < t1 and t0 < stall["end_ns"] and stall["stopped_ns"]
    ]
    assert t1 - t0 - MACHINE_NS <= stall["stopped_by"][kind] <= t1 - t0 + MACHINE_NS, stall
    assert stall["stopped_by"] == {kind: stall["stopped_ns"]}
    assert (
        "was stopped from outside" in stall["remedy"]
        and "memory" not in stall["remedy"]
        and "extension" not in stall["remedy"]
    )
    assert kind in [call["name"] for call in stall["syscalls"]] and "none" not in [
        call["name"] for call in stall["syscalls"]
    ]


def test_the_first_turn_of_a_loop_that_begins_while_observed():
    marks, outcome = harness.observe_script(BEGINS)
    laws.check_laws(outcome.report)
    stalls = laws.stalls_of(outcome.report)
    for t0, t1 in marks:
        (stall,) = [stall for stall in stalls if stall["start_ns"] < t1 and t0 < stall["end_ns"]]
        assert stall["end_ns"] >= t1 and stall["cause"] == "blocked"
        # the first iteration may begin late, as a lower bound, but not by much
        assert stall["whole"] or stall["start_ns"] <= t0 + MACHINE_NS


def test_threads_that_only_compute_are_never_blocked_in_a_futex(tmp_path):
    recording, script = tmp_path / "spin.gsc", tmp_path / "spin.script"
    with harness.Script(SPIN) as app:
        done = harness.gilscope("record", "-p", app.pid, "-d", "1s", "-o", recording)
        main = app.pid
    assert done.status == 0, done
    report = json.loads(harness.gilscope("report", "--json", recording).stdout)
    assert harness.gilscope("export", "--format", "script", recording, "-o", script).status == 0
    sleeps = [
        line.split()
        for line in script.read_text().splitlines()
        if " switch_out " in line and " runnable" not in line
    ]
    futex = [words for words in sleeps if "sysno=202" in words or "sysno=98" in words]
    assert any("gil_mutex" in words for words in sleeps) and any(
        "handover" in words for words in sleeps
    )
    assert all(
        int(words[1]) == main or "gil_mutex" in words or "handover" in words for words in futex
    )
    for thread in report["processes"][0]["threads"]:
        assert thread["tid"] == main or thread["states"]["blocked"] == 0, thread
