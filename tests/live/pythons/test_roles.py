# SPDX-License-Identifier: MIT
"""Which threads run event loops, and the names of threads and tasks in Python."""

import os
import re
import subprocess

import pytest

import harness
import interpreters
import laws

TASK = "задача 🐍"


class Recording:
    """Everything roles_truth.py does, once, under one gilscope."""

    def __init__(self, loop):
        with harness.RawApp(
            loop, script=os.path.join(harness.APPS, "roles_truth.py"), prefix=harness.undisturbed()
        ) as app:
            self.pid = app.pid
            with harness.attach(app) as running:
                app.call(f"task {TASK}")
                app.call("again")
                app.call("rename")
                app.call(f"task {TASK}")
                self.roles = {int(tid): row for tid, row in app.answer("roles").items()}
                self.outcome = running.finish()
            self.marks = app.marks()
        self.report = self.outcome.report
        (self.process,) = self.report["processes"]
        self.threads = {thread["tid"]: thread for thread in self.process["threads"]}

    def tid(self, name):
        return next(tid for tid, row in self.roles.items() if row["name"] == name)


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def recording(request):
    return Recording(request.param)


def test_every_report_obeys_the_laws(recording):
    laws.check_laws(recording.report)
    laws.check_evidence(recording.outcome)


def test_all_loops_are_found_by_python_s_own_state_and_nothing_else(recording):
    loops = {loop["tid"]: (loop["kind"], loop["evidence"]) for loop in recording.process["loops"]}
    assert loops == {
        tid: (row["loops"], "python") for tid, row in recording.roles.items() if row["loops"]
    }
    assert {tid for tid, thread in recording.threads.items() if thread["loop"]} == set(loops)


def test_a_loop_turns(recording):
    for loop in recording.process["loops"]:
        assert loop["turns"] > 10, f"{recording.roles[loop['tid']]}: {loop['turns']} turns"


def test_threads_have_the_names_that_python_gives_them(recording):
    for tid, row in recording.roles.items():
        expected = "renamed" if row["name"] == "worker" else row["name"]
        assert recording.threads[tid]["python_name"] == expected


def test_a_blocked_loop_of_several_is_the_one_that_stalls(recording):
    for mark in recording.marks:
        stall = laws.the_stall(recording.report, mark)
        (loop,) = [loop for loop in recording.process["loops"] if stall in loop["stalls"]]
        assert loop["tid"] == mark.tid == recording.pid and stall["cause"] == "blocked"


def test_tasks_have_names_where_the_version_shows_them(recording):
    version = interpreters.version_key(recording.process["python"])
    for mark in recording.marks:
        stall = laws.the_stall(recording.report, mark)
        assert stall["task"] == (TASK if version >= (3, 14) else None)


RENAMES = """
import ctypes, sys, threading, time
def wakes():
    while True:
        time.sleep(0.001)
threading.Thread(target=wakes, daemon=True).start()
set_name = ctypes.CDLL(None).prctl
print("ready", flush=True)
sys.stdin.readline()
for number in range(100):
    set_name(15, b"name-%d" % number)
    end = time.monotonic() + 0.003
    while time.monotonic() < end:
        pass
print("done", flush=True)
time.sleep(600)
"""


def test_a_name_that_was_given_up_does_not_come_back(tmp_path):
    """Also where another thread waits for the CPU, which has its occupant's reported."""
    trace = str(tmp_path / "names.gsc")
    with harness.Script(RENAMES, prefix=("taskset", "-c", "0"), stdin=subprocess.PIPE) as app:
        with harness.Running("record", "-p", app.pid, "-d", "60s", "-o", trace) as running:
            print("go", file=app.process.stdin, flush=True)
            assert app.process.stdout.readline() == "done\n"
            assert running.finish().status == 0
    script = harness.gilscope("export", trace, "--format", "script").stdout
    found = re.findall(rf" {app.pid} comm .*comm=name-(\d+)", script)
    assert found == [str(number) for number in range(100)], found
