# SPDX-License-Identifier: MIT
"""Free-threaded Pythons: the world is stopped, by whom and for how long, and what a thread waits
for in Python's parking lot. The application says of itself when it could not run."""

import json
import os

import pytest

import harness
import interpreters
import laws

MS = 1_000_000
BUILDS = ("3.13t", "3.14t", "3.15t")
PAUSES = 4
# from the clock's reading before a sleep to the sleep, and from a wake-up to the next reading
LATE_NS = 3 * MS

# `runner` reads the clock all the time, so a stretch in which it could not is as long as it was
# suspended. The collector has much to look at. `uses` looks for a key; comparing it with the
# one that is there takes long, and keeps the dict's critical section meanwhile.
APPLICATION = f"""
import asyncio, gc, json, os, sys, threading, time
keep = [[n] for n in range(400_000)]
gaps, marks, shared = [], [], {{}}
class Key:
    def __init__(self, ns): self.ns = ns
    def __hash__(self): return 1
    def __eq__(self, other):
        end = time.monotonic_ns() + self.ns
        while time.monotonic_ns() < end: pass
        return False
def mark(name, t0): marks.append([name, threading.get_native_id(), t0, time.monotonic_ns()])
def runner():
    last = time.monotonic_ns()
    while not over:
        now = time.monotonic_ns()
        if now - last > {MS}: gaps.append([last, now])
        last = now
def collector():
    for _ in range({PAUSES}):
        t0 = time.monotonic_ns()
        gc.collect()
        mark("collect", t0)
        time.sleep(0.1)
def uses():
    t0 = time.monotonic_ns()
    shared[Key(0)] = 2
    mark("uses", t0)
def store():
    t0 = time.monotonic_ns()
    shared["x"] = 1
    mark("store", t0)
async def main():
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.readline)
    threads = [threading.Thread(target=run, name=run.__name__) for run in (runner, collector)]
    for thread in threads: thread.start()
    while threads[1].is_alive(): await asyncio.sleep(0.002)
    global over
    over = True
    threads[0].join()
    shared[Key({120 * MS})] = 1
    user = threading.Thread(target=uses, name="uses")
    user.start()
    await asyncio.sleep(0.03)
    store()
    await asyncio.sleep(0.02)
    user.join()
    tids = [thread.native_id for thread in threads]
    print(json.dumps([gaps, marks, tids, user.native_id]), flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
over = False
gc.disable()
print("ready", flush=True)
asyncio.run(main())
"""


def built(label):
    name = "built-" + label
    found = interpreters.built_pythons()
    if name not in found:
        pytest.skip(f"no {name}: tests/matrix/run builds it, once")
    return found[name]


class Observed:
    def __init__(self, python, mode, folder):
        trace = os.path.join(folder, "free.gsc")
        with harness.Script(
            APPLICATION, python=python, prefix=harness.undisturbed(), stdin=harness.subprocess.PIPE
        ) as app:
            observed = ("-p", app.pid, "-d", "60s", "-o", trace, "--mode", mode)
            with harness.Running("record", *observed, prefix=app.prefix) as running:
                app.process.stdin.write("go\n")
                app.process.stdin.flush()
                self.gaps, marks, (self.runner, self.collector), self.user = json.loads(
                    app.process.stdout.readline()
                )
                assert running.finish().status == 0
            self.pid = app.pid
        self.marks = {}
        for name, tid, t0, t1 in marks:
            self.marks.setdefault(name, []).append((t0, t1))
        outcome = harness.gilscope("report", trace, "--json", "--stall", "10ms")
        laws.check_laws(outcome.report)
        self.report, self.text = outcome.report, harness.gilscope("report", trace).stdout
        (self.process,) = outcome.report["processes"]
        (self.loop,) = self.process["loops"]

    def within(self, name, intervals):
        return [
            (t0, t1)
            for t0, t1 in intervals
            if any(begin < t1 and t0 < end for begin, end in self.marks[name])
        ]

    def stalls_in(self, t0, t1):
        return [
            stall
            for stall in self.loop["stalls"]
            if stall["start_ns"] < t1 and t0 < stall["end_ns"]
        ]

    def finding(self, name):
        (found,) = [finding for finding in self.report["findings"] if finding["id"] == name]
        return found


@pytest.mark.parametrize("mode", ["exact", "edges"])
@pytest.mark.parametrize("label", BUILDS)
def test_who_stopped_the_world_and_what_was_waited_for(label, mode, tmp_path):
    seen = Observed(built(label), mode, tmp_path)
    assert seen.process["gil"] == "off"
    assert "The GIL is off in this process" in seen.text
    # the world was stopped as often, and as long, as a thread that never sleeps could not run
    gaps = seen.within("collect", seen.gaps)
    assert len(gaps) >= PAUSES
    (by,) = [thread for thread in seen.process["threads"] if thread["tid"] == seen.collector]
    pauses = by["stopped_world"]
    long = [t1 - t0 for t0, t1 in gaps if t1 - t0 > 2 * LATE_NS]
    assert len(long) >= PAUSES and pauses["count"] >= len(long)
    assert abs(pauses["ns"] - sum(t1 - t0 for t0, t1 in gaps)) <= LATE_NS * len(gaps)
    assert abs(pauses["worst_ns"] - max(long)) <= LATE_NS
    assert pauses["stack"][0]["function"] == "collector"
    assert not [
        thread
        for thread in seen.process["threads"]
        if thread is not by and thread.get("stopped_world", {"ns": 0})["ns"] > LATE_NS
    ]
    finding = seen.finding("world_stopped")
    assert "collector" in finding["text"]
    assert finding["ns"] <= seen.process["world_stopped"]["ns"]
    assert "WORLD STOPPED" in seen.text
    # an object in use
    ((t0, t1),) = seen.marks["store"]
    (stall,) = seen.stalls_in(t0, t1)
    (lock,) = [lock for lock in stall["locks"] if lock["ns"] > 10 * MS]
    assert lock["kind"] == "critical_section" and lock["by_tid"] == seen.user, lock
    assert lock["by_stack"][0]["function"] == "uses" and lock["address"]
    assert abs(lock["ns"] - (t1 - t0)) <= LATE_NS
    assert "critical section" in seen.finding("lock_held_by")["text"]
