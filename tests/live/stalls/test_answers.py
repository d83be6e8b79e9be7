# SPDX-License-Identifier: MIT
"""Regression tests for wrong answers: one small program for each kind of mistake."""

import os

import harness
import laws

LAST_CPU = max(os.sched_getaffinity(0))

THREE_CALLS = """
import asyncio, os, subprocess, tempfile, time

async def nap():
    time.sleep(0.15)

async def convert():
    subprocess.run(["sleep", "0.12"], capture_output=True)

async def save():
    read_end, write_end = os.pipe()
    pid = os.posix_spawn("/bin/sleep", ["sleep", "0.1"], {})
    os.close(write_end)
    os.waitpid(pid, 0)

async def main():
    for _ in range(2):
        for function in (nap, convert, save):
            await asyncio.sleep(0.03)
            t0 = time.monotonic_ns()
            await function()
            marks[function.__name__] = marks.get(function.__name__, 0) + time.monotonic_ns() - t0
"""

SQLITE = """
import asyncio, sqlite3, tempfile, threading, time
folder = tempfile.TemporaryDirectory()
path = folder.name + "/orders.db"
sqlite3.connect(path).execute("create table orders(x)")
taken, done = threading.Event(), threading.Event()

def batch():
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma synchronous = off")
    connection.execute("begin immediate")
    taken.set()
    done.wait(0.5)
    connection.execute("commit")

async def save():
    t0 = time.monotonic_ns()
    connection = sqlite3.connect(path, timeout=5)
    connection.execute("pragma synchronous = off")  # no time for the disk, which is another call
    connection.execute("insert into orders values(1)")
    connection.commit()
    marks["save"] = time.monotonic_ns() - t0

async def main():
    thread = threading.Thread(target=batch)
    thread.start()
    while not taken.is_set():
        await asyncio.sleep(0.01)
    await save()
    thread.join()
"""

COLLECTS = """
import asyncio, gc, threading, time
HEAP = [[{"i": i}] for i in range(600000)]
gc.disable()

def importer():
    for _ in range(2):
        time.sleep(0.1)
        t0 = time.monotonic_ns()
        gc.collect()
        marks["collected"] = marks.get("collected", 0) + time.monotonic_ns() - t0

async def main():
    thread = threading.Thread(target=importer, name="importer")
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.005)
"""

NEEDS_CPU = """
import asyncio, time

async def count():
    t0, cpu = time.monotonic_ns(), time.thread_time_ns()
    while time.thread_time_ns() - cpu < 300_000_000:
        pass
    marks["count"] = time.monotonic_ns() - t0

async def main():
    await asyncio.sleep(0.05)
    await asyncio.create_task(count())
"""

TWO_LOOPS = """
import asyncio, threading, time

async def serve(name, seconds):
    for _ in range(3):
        await asyncio.sleep(0.05)
        t0 = time.monotonic_ns()
        time.sleep(seconds)
        marks[name] = marks.get(name, 0) + time.monotonic_ns() - t0

async def main():
    thread = threading.Thread(target=lambda: asyncio.run(serve("second", 0.09)), name="second")
    thread.start()
    await serve("first", 0.06)
    while thread.is_alive():
        await asyncio.sleep(0.005)
"""

RUN = """
import json, sys
marks = {}
%s
sys.stdout.write("ready\\n"); sys.stdout.flush()
sys.stdin.readline()
asyncio.run(main())
print(json.dumps(marks), flush=True)
sys.stdin.readline()
"""


def observe(source, prefix=None):
    """(nanoseconds by the program's own clock, the outcome of attach)"""
    return harness.observe_script(RUN % source, prefix or harness.undisturbed())


def findings(source, prefix=None):
    marks, outcome = observe(source, prefix)
    laws.check_laws(outcome.report)
    return marks, outcome.report["findings"]


def name_of(finding):
    subject = finding["subject"]
    return (subject["inner"] or subject["handler"])["function"]


def test_each_call_has_its_own_advice():
    marks, found = findings(THREE_CALLS)
    # a page that is read from the disk meanwhile is a blocking call as well, and short
    calls = [f for f in found if f["id"] == "blocking_call" and f["ns"] > 0.1 * marks["nap"]]
    by_name = {name_of(finding): finding for finding in calls}
    assert set(by_name) == {"nap", "convert", "save"}, found
    for name, finding in by_name.items():
        assert finding["count"] == 2, finding
        assert 0.8 * marks[name] < finding["ns"] <= marks[name], (marks, finding)
    assert "asyncio.sleep()" in by_name["nap"]["advice"]
    assert "create_subprocess_exec()" in by_name["convert"]["advice"]
    assert by_name["save"]["advice"] not in (by_name["nap"]["advice"], "")


def test_the_advice_for_a_sleep_mentions_libraries():
    marks, found = findings(SQLITE)
    finding = found[0]
    assert finding["id"] == "blocking_call" and name_of(finding) == "save", found
    assert 0.7 * marks["save"] < finding["ns"] <= marks["save"], (marks, finding)
    assert finding["advice"].startswith("time.sleep(), or C code that sleeps, such as"), finding


def test_a_collection_in_another_thread_is_reported():
    marks, found = findings(COLLECTS)
    finding = found[0]
    assert finding["id"] == "garbage_collection", found
    assert finding["subject"]["thread"] == "importer", finding
    assert 0.7 * marks["collected"] < finding["ns"] <= marks["collected"], (marks, finding)
    assert "gc.freeze()" in finding["advice"]


def test_computing_ranks_before_lack_of_cpu_and_no_neighbour_is_singled_out():
    with harness.Neighbours(LAST_CPU, 4):
        marks, found = findings(NEEDS_CPU, ("taskset", "-c", str(LAST_CPU)))
    ids = [finding["id"] for finding in found]
    assert ids[:2] == ["running_python", "no_cpu"], found
    needs, lacks = found[:2]
    assert name_of(needs) == "count"
    assert 0.9 * 300_000_000 < needs["ns"] < 1.15 * 300_000_000, needs
    assert lacks["ns"] <= marks["count"] - 300_000_000 + 30_000_000, (marks, lacks)
    assert "mostly" not in lacks["text"] and " others used it" in lacks["text"], lacks


def test_each_loop_has_its_own_stalls():
    marks, outcome = observe(TWO_LOOPS)
    laws.check_laws(outcome.report)
    (process,) = outcome.report["processes"]
    names = {thread["tid"]: thread["python_name"] for thread in process["threads"]}
    for loop in process["loops"]:
        name = {"MainThread": "first", "second": "second"}[names[loop["tid"]]]
        slept = sum(stall["states"]["blocked"] for stall in loop["stalls"])
        assert 0.9 * marks[name] < slept <= marks[name], (marks, loop)
    assert len(process["loops"]) == 2
