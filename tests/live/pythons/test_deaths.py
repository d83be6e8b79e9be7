# SPDX-License-Identifier: MIT
"""How processes end: by which signal, who sent it, and what their loop was in, against what the
processes themselves know."""

import json
import os
import signal
import subprocess
import time

import pytest

import harness
import laws

EDGE_NS = 20_000_000

# A supervisor that does to its workers what it is told, a line each: what the worker shall do, and
# the signal that it gets some time later (0: none). It answers when the worker has ended.
SUPERVISOR = """
import itertools, multiprocessing, os, sys, threading, time

def keep(ready):
    ready.put(time.monotonic_ns())
    sum(itertools.repeat(1))  # one call, which does not release the GIL

def block(seconds):
    time.sleep(seconds)

def parse(seconds):
    import ctypes
    end = time.monotonic() + seconds  # gilscope reads its name meanwhile
    while time.monotonic() < end:
        pass
    ctypes.string_at(0)

def work(what, ready):
    import asyncio
    async def main():
        await asyncio.sleep(0.3)  # until it is covered
        if what == "hog":
            threading.Thread(target=time.sleep, args=(60,), daemon=True, name="still").start()
            await asyncio.sleep(0.8)
            threading.Thread(target=keep, args=(ready,), daemon=True, name="hog").start()
            while True:
                await asyncio.sleep(0.01)
        ready.put(time.monotonic_ns())
        if what == "block":
            block(60)
        elif what == "crash":
            parse(0.4)
        elif what == "abort":
            os.abort()
        elif what == "fail":
            os._exit(3)
        elif what == "eat":
            eaten = []
            while True:
                eaten.append(b"x" * 10_000_000)
        await asyncio.sleep(60)
    asyncio.run(main())

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    print("ready", flush=True)
    for line in sys.stdin:
        what, number = line.split()
        ready = context.SimpleQueue()
        worker = context.Process(target=work, args=(what, ready))
        worker.start()
        print(worker.pid, flush=True)
        began_ns = ready.get()
        if int(number):
            time.sleep(0.7 if what == "hog" else 0.3)
            os.kill(worker.pid, int(number))
        sent_ns = time.monotonic_ns()
        worker.join()
        print(began_ns, sent_ns, time.monotonic_ns(), flush=True)
"""


@pytest.fixture
def supervisor():
    with harness.Script(SUPERVISOR, stdin=subprocess.PIPE) as app:
        yield app


def tell(app, what, number=0):
    print(what, int(number), file=app.process.stdin, flush=True)
    return int(app.process.stdout.readline())


def end_of(app):
    return map(int, app.process.stdout.readline().split())


def observe(app, what, number=0, *options):
    """(the dead worker as it is reported, the findings about deaths, when it began to do that, when
    the signal was sent, when its end was known)"""
    with harness.attach(app, *options) as running:
        pid = tell(app, what, number)
        began_ns, sent_ns, ended_ns = end_of(app)
        time.sleep(0.1)
        outcome = running.finish()
    assert outcome.status == 0, outcome
    laws.check_laws(outcome.report)
    (worker,) = (each for each in outcome.report["processes"] if each["pid"] == pid)
    deaths = [each for each in outcome.report["findings"] if each["id"] == "worker_died"]
    assert began_ns < worker["death"]["at_ns"] < ended_ns
    return worker, deaths, began_ns, sent_ns, ended_ns


def test_a_worker_killed_by_its_supervisor(supervisor):
    worker, deaths, began_ns, sent_ns, ended_ns = observe(supervisor, "block", signal.SIGKILL)
    death = worker["death"]
    assert death["signal"] == "SIGKILL" and death["status"] == 0
    assert not death["oom"] and not death["core"] and death["peak_bytes"] > 1_000_000
    assert death["sent"]["signal"] == "SIGKILL" and death["sent"]["sender"] == supervisor.pid
    assert abs(death["sent"]["at_ns"] - sent_ns) < EDGE_NS
    assert worker["title"].startswith("worker 1 of ")
    (stall,) = worker["loops"][0]["stalls"]
    assert abs(stall["start_ns"] - began_ns) < EDGE_NS
    assert sent_ns - EDGE_NS < stall["end_ns"] <= ended_ns
    (finding,) = deaths
    assert f"killed by SIGKILL from process {supervisor.pid} (" in finding["text"]
    assert "its event loop had been stalled for " in finding["text"] and "main (" in finding["text"]
    loop, last = death["last"]["threads"][0], death["last"]
    assert last["start_ns"] < began_ns and 0 <= death["at_ns"] - last["end_ns"] < EDGE_NS
    assert loop["tid"] == worker["pid"] and loop["loop"]
    assert laws.total(loop["states"]) == last["end_ns"] - last["start_ns"]
    blocked_ns = min(sent_ns, last["end_ns"]) - began_ns
    assert abs(loop["states"]["blocked"] - blocked_ns) < EDGE_NS
    assert "block" in [frame["function"] for frame in loop["stack"]]
    assert began_ns <= loop["seen_ns"] <= death["at_ns"]
    assert "its event loop was in blocking calls for " in finding["text"]


@pytest.mark.parametrize("mode", ["exact", "edges"])
def test_what_its_threads_did_in_its_last_second(supervisor, mode):
    """One has the GIL, for which the loop waits, and one sleeps."""
    worker, (finding,), began_ns, sent_ns, _ = observe(
        supervisor, "hog", signal.SIGKILL, "--mode", mode
    )
    last = worker["death"]["last"]
    whole_ns, kept_ns = last["end_ns"] - last["start_ns"], sent_ns - began_ns
    assert 1_000_000_000 <= whole_ns <= 1_075_000_000 and kept_ns >= 700_000_000
    loop, hog, *others = last["threads"]
    assert (loop["tid"], loop["loop"]) == (worker["pid"], True)
    assert 0 <= whole_ns - laws.total(loop["states"]) < EDGE_NS  # they do not end at once
    # its timer runs out at most 10 ms after the other one has the GIL
    assert kept_ns - 2 * EDGE_NS < loop["states"]["gil_wait"] < kept_ns + EDGE_NS
    assert loop["states"]["idle"] > whole_ns - kept_ns - 3 * EDGE_NS
    (named,) = [thread for thread in worker["threads"] if thread["python_name"] == "hog"]
    assert hog["tid"] == named["tid"] and hog["held_ns"] > kept_ns - EDGE_NS
    assert "keep" in [frame["function"] for frame in hog["stack"]], hog
    assert began_ns <= hog["seen_ns"] <= worker["death"]["at_ns"]
    assert not others and last["others"] == 1
    assert last["other_states"]["blocked"] > whole_ns - EDGE_NS
    text = finding["text"]
    assert ", its event loop was waiting for the GIL for " in text
    assert f"'hog' ({hog['tid']}) had the GIL for " in text and "last seen in keep (" in text


def test_a_worker_that_crashes(supervisor):
    worker, (finding,), *_ = observe(supervisor, "crash")
    death = worker["death"]
    assert death["signal"] == "SIGSEGV" and death["sent"]["sender"] == 0
    assert "ended by a crash, SIGSEGV" in finding["text"] and "faulthandler" in finding["advice"]
    crash = death["crash"]
    assert crash["signal"] == "SIGSEGV" and crash["tid"] == worker["pid"]
    assert 0 <= death["at_ns"] - crash["at_ns"] < EDGE_NS
    (line,) = (
        number for number, text in enumerate(SUPERVISOR.split("\n"), 1) if "string_at" in text
    )
    places = [(frame["function"], frame["line"]) for frame in crash["stack"]]
    assert ("parse", line) in places, places
    assert "SIGSEGV at " in finding["text"] and ", in work.<locals>.main (" in finding["text"]


def test_a_worker_that_aborts(supervisor):
    worker, (finding,), *_ = observe(supervisor, "abort")
    assert worker["death"]["signal"] == "SIGABRT" and worker["death"]["sent"] is None
    assert "SIGABRT" in finding["text"] and "faulthandler" in finding["advice"]
    loop, last = worker["death"]["last"]["threads"][0], worker["death"]["last"]
    assert loop["loop"] and loop["states"]["idle"] > (last["end_ns"] - last["start_ns"]) / 2


def test_a_worker_that_gives_up(supervisor):
    worker, (finding,), *_ = observe(supervisor, "fail")
    assert worker["death"]["signal"] is None and worker["death"]["status"] == 3
    assert "exited with status 3 at " in finding["text"]


def test_a_worker_that_is_asked_to_end_is_no_finding(supervisor):
    worker, deaths, *_ = observe(supervisor, "block", signal.SIGTERM)
    assert worker["death"]["signal"] == "SIGTERM" and not deaths


def test_workers_that_die_alike_are_one_finding(supervisor):
    with harness.attach(supervisor) as running:
        for _ in range(3):
            tell(supervisor, "wait", signal.SIGKILL)
            list(end_of(supervisor))
        outcome = running.finish()
    (finding,) = (each for each in outcome.report["findings"] if each["id"] == "worker_died")
    assert finding["count"] == 3 and finding["text"].startswith("3 processes were killed")
    titles = [each["title"].split(" of ")[0] for each in outcome.report["processes"][1:]]
    assert titles == ["worker 1", "worker 2", "worker 3"]


class MemoryLimit:
    """A control group for a process, with that much memory, of whichever version there is."""

    def __init__(self, size):
        old = "/sys/fs/cgroup/memory"
        base = old if os.path.isdir(old) else "/sys/fs/cgroup"
        self._base, self.path = base, os.path.join(base, f"gilscope-test-memory-{os.getpid()}")
        name = "memory.limit_in_bytes" if base == old else "memory.max"
        try:
            if base != old:
                harness.write(os.path.join(base, "cgroup.subtree_control"), "+memory")
            os.mkdir(self.path)
            harness.write(os.path.join(self.path, name), size)
        except OSError as error:
            pytest.skip(f"no control group with a memory controller: {error}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.rmdir(self.path)


def test_a_worker_that_the_kernel_kills_for_its_memory():
    size = 200_000_000
    with MemoryLimit(size) as limit:
        with harness.Script(SUPERVISOR, stdin=subprocess.PIPE) as app:
            harness.write(os.path.join(limit.path, "cgroup.procs"), app.pid)
            worker, (finding,), *_ = observe(app, "eat")
    death = worker["death"]
    assert death["oom"] and death["signal"] == "SIGKILL" and death["sent"]["sender"] == 0
    assert 0.5 * size < death["peak_bytes"] < 1.1 * size
    assert "killed by the kernel for lack of memory" in finding["text"]


def test_a_death_is_announced_at_once(supervisor):
    with harness.Running("attach", supervisor.pid, "-d", "60s") as running:
        pid = tell(supervisor, "block", signal.SIGKILL)
        list(end_of(supervisor))
        outcome = running.finish()
    (line,) = [line for line in outcome.stderr.splitlines() if " was killed by " in line]
    assert f"  process {pid} (worker 1 of " in line and line.count(str(supervisor.pid)) == 1, line
    assert "SIGKILL from process" in line


def test_the_death_of_the_only_process(tmp_path):
    """Recorded, it is the same when it is read."""
    with harness.Script("import time; print('ready', flush=True); time.sleep(60)") as app:
        file = tmp_path / "last.gsc"
        with harness.Running("record", "-p", app.pid, "-o", file, "-q") as running:
            running.ready()
            os.kill(app.pid, signal.SIGUSR1)
            outcome = running.result()
    assert outcome.status == 0, outcome
    report = json.loads(harness.gilscope("report", "--json", file).stdout)
    (process,) = report["processes"]
    assert process["death"]["signal"] == "SIGUSR1"
    assert process["death"]["sent"]["sender"] == os.getpid()
    assert report["findings"][0]["id"] == "worker_died"
