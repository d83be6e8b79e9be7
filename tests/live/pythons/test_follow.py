# SPDX-License-Identifier: MIT
"""Processes below a target that begin while it is observed become targets: however they come into
being, within 100 ms of their code's begin, and until they end."""

import json
import os
import signal
import subprocess
import time

import pytest

import harness
import laws

SERVICE = os.path.join(harness.APPS, "service", "follow_truth.py")
WAYS = ["fork", "spawn", "forkserver", "shell", "exec", "late_exec"]
# After the begin of a worker's code it takes 60 ms where there is a CPU to spare. How long it takes
# on a busy machine is not these tests' to say: what counts is that it comes, and what is told from
# then on.
COVERED_NS = 1_000_000_000
SETTLED_NS = 50_000_000  # … and that its loop has waited once
EDGE_NS = 5_000_000
WORKERS = 2


def run(way, folder, *arguments):
    """The outcome of observing the service from before its workers until after them."""
    argv = [*harness.PYTHON, SERVICE, way, str(folder)]
    with harness.App(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        prefix=harness.undisturbed(),
    ) as app:
        assert app.process.stdout.readline() == "ready\n"
        with harness.attach(app, *arguments, stall="20ms") as running:
            print(file=app.process.stdin, flush=True)
            assert app.process.stdout.readline() == "done\n"
            outcome = running.finish()
    workers = [json.loads(path.read_text()) for path in folder.iterdir()]
    assert len(workers) == WORKERS
    return outcome, workers


def main_of(report, pid):
    """The end of the process, and the states of its main thread. With an exec there is a process
    before it and one after it."""
    process = [each for each in report["processes"] if each["pid"] == pid][-1]
    end_ns = process["death"]["at_ns"] if "death" in process else report["window"]["end_ns"]
    (main,) = (thread for thread in process["threads"] if thread["tid"] == pid)
    return end_ns, main["states"]


def covered_ns(report, pid):
    """Since when its main thread is observed: it has a state that is known."""
    end_ns, states = main_of(report, pid)
    return end_ns - sum(ns for state, ns in states.items() if state != "unknown")


def loops_of(report, pid):
    return [
        loop
        for process in report["processes"]
        if process["pid"] == pid
        for loop in process["loops"]
    ]


@pytest.mark.parametrize("way", WAYS)
def test_every_stall_of_a_worker_that_begins_later(way, tmp_path):
    outcome, workers = run(way, tmp_path)
    assert outcome.status == 0, outcome
    laws.check_laws(outcome.report)
    for worker in workers:
        stalls = [
            stall for loop in loops_of(outcome.report, worker["pid"]) for stall in loop["stalls"]
        ]
        since_ns = covered_ns(outcome.report, worker["pid"])
        assert since_ns < worker["up_ns"] + COVERED_NS
        end_ns, states = main_of(outcome.report, worker["pid"])
        # what came before is unknown, from the fork or exec on, and its code began later
        began_ns = end_ns - sum(states.values())
        assert 0 < worker["up_ns"] - began_ns < COVERED_NS
        wanted = [mark for mark in worker["marks"] if mark[0] >= since_ns + SETTLED_NS]
        assert len(wanted) >= 4
        for t0_ns, t1_ns in wanted:
            found = [s for s in stalls if s["start_ns"] <= t0_ns and t1_ns <= s["end_ns"]]
            assert len(found) == 1, (worker["pid"], t0_ns - worker["up_ns"], len(stalls))
            assert found[0]["cause"] == "blocked"
            assert found[0]["end_ns"] - t1_ns < EDGE_NS
            functions = [frame["function"] for frame in found[0]["stack"]]
            assert "block" in functions and "work" in functions, found[0]["stack"]


def test_a_worker_leaves_its_figures_when_it_ends(tmp_path):
    outcome, workers = run("spawn", tmp_path)
    blame = {row["handler"]["function"]: row for row in outcome.report["blame"]}
    assert blame["block" if "block" in blame else "work"]["stalls"] >= 12, blame
    for worker in workers:
        process = next(p for p in outcome.report["processes"] if p["pid"] == worker["pid"])
        assert "spawn_main" in process["cmdline"]
        lived = sum(process["threads"][0]["states"].values())
        assert lived < worker["marks"][-1][1] - worker["up_ns"] + 2 * COVERED_NS


def test_no_follow_means_the_given_processes_only(tmp_path):
    outcome, workers = run("spawn", tmp_path, "--no-follow")
    assert outcome.status == 0
    pids = [process["pid"] for process in outcome.report["processes"]]
    assert len(pids) == 1 and pids[0] not in [worker["pid"] for worker in workers]


SUPERVISOR = """
import multiprocessing, os, time

def serve(started):
    import asyncio
    async def go():
        started.put((os.getpid(), time.monotonic_ns()))
        while os.getppid() == supervisor:
            await asyncio.sleep(0.01)
    supervisor = os.getppid()
    asyncio.run(go())

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    started = context.Queue()
    worker = context.Process(target=serve, args=(started,))
    worker.start()
    print("ready", flush=True)
    while True:
        pid, _ = started.get()
        print(pid, flush=True)
        worker.join()
        worker = context.Process(target=serve, args=(started,))
        worker.start()
"""


def test_workers_that_are_killed_and_restarted(tmp_path):
    """Each of them is in the report, with its loop."""
    kills, lives_s = 6, 0.8  # how soon a process is covered is the truth cases' to say
    with harness.Script(SUPERVISOR, prefix=harness.undisturbed()) as app:
        pids = [int(app.process.stdout.readline())]
        with harness.attach(app) as running:
            for _ in range(kills):
                time.sleep(0.5)
                os.kill(pids[-1], signal.SIGKILL)
                pids.append(int(app.process.stdout.readline()))
            time.sleep(lives_s)
            outcome = running.finish()
    assert outcome.status == 0, outcome
    laws.check_laws(outcome.report)
    for pid in pids:
        loops = loops_of(outcome.report, pid)
        assert len(loops) == 1 and loops[0]["turns"] >= 5, (pid, pids)


def test_nothing_is_left_of_the_helper():
    """It ends with gilscope, however that ends."""
    with harness.Script(SUPERVISOR) as app:
        app.process.stdout.readline()
        with harness.attach(app) as running:
            helpers = helpers_of(running.pid)
            assert len(helpers) >= 1
            running.process.kill()
            running.process.wait()
            deadline = time.monotonic() + 5
            while any(map(is_alive, helpers)) and time.monotonic() < deadline:
                time.sleep(0.01)
            assert not any(map(is_alive, helpers))


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def helpers_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(child) for child in children.read().split()]
