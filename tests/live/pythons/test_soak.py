# SPDX-License-Identifier: MIT
"""The short form of `make soak`: a service that restarts its workers, so fast that more have ended
than are reported one by one."""

import json
import os
import sys

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "soak"))

import pytest
import soak


def test_memory_does_not_grow_with_the_workers_that_have_ended():
    plan = soak.Plan(seconds=45, settled_s=28, period_s=0.2, life_s=1.6, inject=5, growth_kb=25)
    run = soak.Soak(harness.GILSCOPE, plan, harness.undisturbed())
    assert not run.run(), (run.faults, run.samples)
    assert run.stands_for > 40 and len(run.marks) > 20, run.summary()


def test_threads_that_have_ended_are_summed_up():
    seconds, kept, after_s = 12, 256, 5  # as docs/model.md says
    app = harness.App(
        [
            harness.DEBIAN_PYTHON,
            os.path.join(harness.APPS, "service/threads_truth.py"),
            str(seconds),
        ],
        stdin=harness.subprocess.PIPE,
        stdout=harness.subprocess.PIPE,
        text=True,
    )
    with app:
        assert app.process.stdout.readline() == "ready\n"
        with harness.Running("attach", app.pid, "--json", "-d", "100s") as running:
            print(file=app.process.stdin, flush=True)
            truth = json.loads(app.process.stdout.readline())
            done = running.finish()
    assert done.status == 0, done
    [process] = json.loads(done.stdout)["processes"]
    threads, loops = process["threads"], process["loops"]
    begun = sum(thread.get("stands_for", 1) for thread in threads) - 1
    [loop] = [loop for loop in loops if loop["tid"] == app.pid]
    assert begun == truth["threads"]
    assert len(threads) < truth["threads"] * after_s / seconds + 2 * kept + 100, len(threads)
    assert len(threads) < begun, "none was summed up: the test proves nothing"
    assert all(
        any(
            abs(stall["start_ns"] - begin) < 5e6 and abs(stall["end_ns"] - end) < 5e6
            for stall in loop["stalls"]
        )
        for begin, end in truth["marks"]
    )


NAMES = 65_536  # as many as are kept at a time (user/stream/stream.h, DEFINE_TEXTS_MAX)


def resident_kb(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1])


def texts_of(recording):
    done = harness.gilscope("export", "--format", "script", recording, timeout=60)
    return {line for line in done.stdout.splitlines() if line.startswith("text ")}


@pytest.mark.parametrize("command", ["attach", "record"])
def test_threads_are_named_however_many_names_there_have_been(command, tmp_path):
    threads, rounds, more = 2000, NAMES // 2000 + 8, 20
    recording = str(tmp_path / "names.gsc")
    kind = {"attach": ("--json",), "record": ("-o", recording)}[command]
    app = harness.App(
        [
            harness.DEBIAN_PYTHON,
            os.path.join(harness.APPS, "service/renames_truth.py"),
            str(threads),
        ],
        stdin=harness.subprocess.PIPE,
        stdout=harness.subprocess.PIPE,
        text=True,
    )
    target = ("-p", app.pid) if command == "record" else (app.pid,)
    with app:
        assert app.process.stdout.readline() == "ready\n"
        with harness.Running(command, *target, *kind, "-d", "200s") as running:
            print(rounds, file=app.process.stdin, flush=True)
            app.process.stdout.readline()
            before = resident_kb(running.process.pid)
            print(more, file=app.process.stdin, flush=True)
            truth = json.loads(app.process.stdout.readline())
            after = resident_kb(running.process.pid)
            done = running.finish()
    assert done.status == 0, done
    if command == "record":
        assert len(texts_of(recording)) > NAMES, "too few names: the test proves nothing"
        done = harness.gilscope("report", "--json", recording, timeout=60)
    [process] = json.loads(done.stdout)["processes"]
    names = {str(thread["tid"]): thread.get("python_name") for thread in process["threads"]}
    assert {tid: names.get(tid) for tid in truth} == truth
    assert after < before + 4096, (before, after)
