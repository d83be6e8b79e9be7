# SPDX-License-Identifier: MIT
"""Who had the lock: a loop that waits for a lock, for a result, for threads of C code, for the GIL
of a thread that waits for a mutex; and what is no release: a time-out. The applications note by
their own clock since when they waited, and when the lock was released."""

import json
import os
import re
import signal
import time

import pytest

import harness
import laws

APP = """
import asyncio, concurrent.futures, ctypes, json, os, queue, signal, sys, threading, time

without_gil, with_gil = ctypes.CDLL(LIBRARY), ctypes.PyDLL(LIBRARY)
without_gil.log_line.restype = ctypes.c_uint64
handler_lock, results, marks = threading.Lock(), queue.Queue(), []
pool = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="pool")
read_end, write_end = os.pipe()
page = b"x" * 65536
os.write(write_end, page)

def in_thread(target, name):
    thread = threading.Thread(target=target, name=name)
    thread.start()
    return thread

def note(released_ns):
    marks.append({"case": case, "ns": released_ns, "tid": threading.get_native_id()})

def rebuild():
    with handler_lock:
        time.sleep(0.15)
        note(time.monotonic_ns())

def wants_lock():
    with handler_lock:
        pass

def answer():
    time.sleep(0.15)
    note(time.monotonic_ns())
    results.put(1)

def wants_answer():
    results.get()

def compute():
    time.sleep(0.12)
    note(time.monotonic_ns())

def wants_result():
    pool.submit(compute).result()

def hold():
    with handler_lock:
        time.sleep(0.2)

def gives_up():
    handler_lock.acquire(timeout=0.1)

def calls_blas():
    without_gil.multiply(4, ctypes.c_uint64(40_000_000))

def write_log():
    note(without_gil.log_line(write_end, page, ctypes.c_uint64(len(page))))

def greedy():
    with_gil.lock()
    with_gil.unlock()

async def main():
    global case
    observed = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, observed.set)
    pool.submit(int).result()  # starts its thread, which would be a wait of its own
    print("ready", flush=True)
    await observed.wait()
    for case, other, name, wait in (
        ("lock", rebuild, "cache-rebuilder", wants_lock),
        ("queue", answer, "answerer", wants_answer),
        ("future", None, "", wants_result),
        ("timeout", hold, "holder", gives_up),
        ("blas", None, "", calls_blas),
    ):
        await asyncio.sleep(0.05)
        thread = in_thread(other, name) if other else None
        await asyncio.sleep(0.03)
        wait()
        await asyncio.sleep(0.15)
        if thread:
            thread.join()
    case = "chain"
    logger = in_thread(write_log, "logger")
    await asyncio.sleep(0.03)
    threading.Timer(0.05, threading.Thread(target=greedy, name="greedy").start).start()
    # what reads the pipe is a process of its own, which needs no GIL
    if not (reader := os.fork()):
        time.sleep(0.3)
        while len(os.read(read_end, 65536)):
            pass
    for _ in range(5):
        await asyncio.sleep(0.1)
    logger.join()
    os.kill(reader, signal.SIGKILL)
    print(json.dumps(marks), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def observed():
    source = APP.replace("LIBRARY", repr(harness.library("locks")))
    with harness.Script(source) as app, harness.attach(app) as running:
        os.kill(app.pid, signal.SIGUSR1)
        marks = json.loads(app.process.stdout.readline())
        outcome = running.finish()
    laws.check_laws(outcome.report)
    return outcome.report, {mark["case"]: mark for mark in marks}


def the_finding(report, identifier, function):
    found = [
        finding
        for finding in report["findings"]
        if finding["id"] == identifier and f"{function} (" in finding["text"]
    ]
    assert len(found) == 1, [finding["text"] for finding in report["findings"]]
    return found[0]


def the_stall(report, function):
    (loop,) = report["processes"][0]["loops"]
    found = [
        stall
        for stall in loop["stalls"]
        if any(frame["function"] == function for frame in stall["stack"])
    ]
    assert len(found) == 1, [stall["stack"] for stall in loop["stalls"]]
    return found[0]


@pytest.mark.parametrize(
    "case, waits, released_in, words",
    [
        ("lock", "wants_lock", "rebuild", "waited for a lock that"),
        ("queue", "wants_answer", "answer", "in Queue.get() until"),
        ("future", "wants_result", "", "in the wait for a concurrent future until"),
    ],
)
def test_who_let_the_loop_go_on(observed, case, waits, released_in, words):
    report, released = observed
    finding = the_finding(report, "lock_held_by", waits)
    # from 3.14 on threading.Lock is a PyMutex
    assert words in finding["text"].replace(" (PyMutex)", ""), finding
    assert f" in {released_in}" in finding["text"], finding
    assert finding["subject"]["tid"] == released[case]["tid"]
    stall = the_stall(report, waits)
    (lock,) = (entry for entry in stall["locks"] if entry["ns"] > 50_000_000)
    assert (
        lock["kind"] in ("semaphore", "pymutex")
        and not lock["with_gil"]
        and lock["by_tid"] == released[case]["tid"]
    )
    # the sleep ended when the other one released it, within what it takes to get there
    slept = stall["states"]["blocked"]
    assert abs(lock["ns"] - slept) < 20_000_000, (lock, stall["states"])
    latest_ns = released[case]["ns"] + 60_000_000 + laws.without_cpu_ns(stall)
    assert released[case]["ns"] < stall["end_ns"] < latest_ns
    assert not [
        other
        for other in report["findings"]
        if other["id"] == "blocking_call" and f"{waits} (" in other["text"]
    ]


def test_what_the_other_one_did_meanwhile_is_told(observed):
    report, _ = observed
    text = the_finding(report, "lock_held_by", "wants_lock")["text"]
    # until CPython 3.10, time.sleep() is select()
    assert re.search(
        r"; meanwhile that thread slept in (clock_nanosleep|p?select6?), in rebuild \(", text
    ), text


def test_a_time_out_is_no_release(observed):
    report, _ = observed
    finding = the_finding(report, "blocking_call", "gives_up")
    assert finding["subject"]["syscall"] == "futex"
    assert "locks" not in the_stall(report, "gives_up")


def test_threads_that_compute_for_it(observed):
    report, _ = observed
    finding = the_finding(report, "native_threads", "calls_blas")
    module = os.path.basename(harness.library("locks"))
    assert f"4 threads of C code (blas …, mostly in {module}) ran " in finding["text"], finding
    stall = the_stall(report, "calls_blas")
    helpers = stall["helpers"]
    computing = [helper for helper in helpers if helper["thread"] == "blas"]
    # So much CPU each of them took by its own clock. Between the end of one and the wait for the
    # next the loop is awake, and may wait for a CPU.
    least_ns = 39_000_000 - laws.without_cpu_ns(stall)
    assert len(computing) == 4, helpers
    assert all(least_ns < helper["ns"] < 60_000_000 for helper in computing), stall
    known = {helper["native"]["module"] for helper in computing if "native" in helper}
    # of an application in a chroot, the kernel's path of it
    assert any(module.endswith(harness.library("locks")) for module in known), known


def test_the_gil_waits_for_a_mutex_that_waits_for_a_pipe(observed):
    report, released = observed
    finding = the_finding(report, "gil_held_by", "greedy")
    assert "meanwhile it waited for a mutex that " in finding["text"], finding
    assert "released in write_log (" in finding["text"], finding
    (loop,) = report["processes"][0]["loops"]
    # not the one with the most GIL wait: on a busy machine that may be another's
    (stall,) = (
        stall
        for stall in loop["stalls"]
        for entry in stall["blockers"]
        if entry["tid"] == finding["subject"]["tid"] and entry["states"]["held_blocked"]
    )
    (lock,) = stall["locks"]
    assert lock["kind"] == "mutex" and lock["with_gil"]
    assert lock["tid"] == finding["subject"]["tid"] and lock["by_tid"] == released["chain"]["tid"]
    assert lock["by_slept"]["name"] == "write"
    # With the GIL it slept for nothing else. The loop's wait may have begun after that, and lasts
    # until that thread has had a CPU, too.
    (blocker,) = (entry for entry in stall["blockers"] if entry["tid"] == lock["tid"])
    assert abs(lock["ns"] - blocker["states"]["held_blocked"]) < 20_000_000, stall
    latest_ns = released["chain"]["ns"] + 60_000_000 + blocker["states"].get("held_runnable", 0)
    latest_ns += laws.without_cpu_ns(stall)
    assert released["chain"]["ns"] < stall["end_ns"] < latest_ns


DEADLOCK = """
import asyncio, ctypes, signal, threading, time

without_gil, with_gil = ctypes.CDLL(LIBRARY), ctypes.PyDLL(LIBRARY)

def greedy():
    with_gil.lock()

def handler():
    without_gil.lock()
    threading.Thread(target=greedy, name="greedy", daemon=True).start()
    time.sleep(0.1)

async def main():
    observed = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, observed.set)
    print("ready", flush=True)
    await observed.wait()
    handler()
asyncio.run(main())
"""


@pytest.mark.parametrize("before", [False, True])
def test_a_deadlock(before):
    source = DEADLOCK.replace("LIBRARY", repr(harness.library("locks")))
    with harness.Script(source) as app:
        if before:
            os.kill(app.pid, signal.SIGUSR1)
            time.sleep(0.5)
        with harness.attach(app) as running:
            if not before:
                os.kill(app.pid, signal.SIGUSR1)
            time.sleep(1.6)
            report = running.finish().report
        app.process.kill()
    laws.check_laws(report)
    (finding,) = (finding for finding in report["findings"] if finding["id"] == "deadlock")
    text = finding["text"]
    assert f"'MainThread' ({app.pid}), in handler (<string>:" in text, text
    assert " waits for the GIL that " in text and ", in greedy (<string>:" in text, text
    assert f" waits for a mutex that 'MainThread' ({app.pid}) has" in text, text
    assert finding["ongoing"] and 1e9 < finding["ns"] < 1e9 * 10 * harness.PATIENCE
    stall = report["processes"][0]["loops"][0]["stalls"][-1]
    assert [link["state"] for link in stall["chain"]] == ["gil_wait", "held_blocked"]
    assert stall["deadlock"] == 0


HANDED_ON = """
import asyncio, ctypes, os, signal, threading, time

without_gil, with_gil = ctypes.CDLL(LIBRARY), ctypes.PyDLL(LIBRARY)
read_end, write_end = os.pipe()
page = b"x" * 65536
os.write(write_end, page)

def write_log():
    without_gil.log_line(write_end, page, ctypes.c_uint64(len(page)))

def greedy():
    with_gil.lock()

def handler():
    without_gil.lock()
    threading.Thread(target=write_log, name="logger", daemon=True).start()
    time.sleep(0.05)
    threading.Timer(0.05, greedy).start()
    without_gil.unlock_after(ctypes.c_uint64(150_000_000))

async def main():
    observed = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, observed.set)
    print("ready", flush=True)
    await observed.wait()
    handler()
asyncio.run(main())
"""


@pytest.mark.parametrize("before", [False, True])
def test_no_deadlock_when_the_mutex_was_handed_on(before):
    """The thread with the GIL fell asleep on a mutex that the loop's thread had. That one waits for
    the GIL now, and a third one, which slept there first, has the mutex."""
    source = HANDED_ON.replace("LIBRARY", repr(harness.library("locks")))
    with harness.Script(source) as app:
        if before:
            os.kill(app.pid, signal.SIGUSR1)
            time.sleep(0.7)
        with harness.attach(app) as running:
            if not before:
                os.kill(app.pid, signal.SIGUSR1)
            time.sleep(1.6)
            report = running.finish().report
        dump = json.loads(harness.gilscope("dump", app.pid, "--json").stdout)
        app.process.kill()
    laws.check_laws(report)
    assert not [finding for finding in report["findings"] if finding["id"] == "deadlock"]
    stall = report["processes"][0]["loops"][0]["stalls"][-1]
    assert stall["ongoing"] and "deadlock" not in stall, stall
    chain = stall["chain"]
    assert [link["state"] for link in chain] == ["gil_wait", "held_blocked", "blocked"], chain
    assert chain[2]["stack"][0]["function"] == "write_log", chain
    assert "had_ns" not in chain[1]
    assert dump["processes"][0]["deadlocks"] == []


CHAIN = """
import asyncio, ctypes, os, signal, threading, time

without_gil, with_gil = ctypes.CDLL(LIBRARY), ctypes.PyDLL(LIBRARY)
read_end, write_end = os.pipe()
page = b"x" * 65536
os.write(write_end, page)

def write_log():
    without_gil.log_line(write_end, page, ctypes.c_uint64(len(page)))

def flush():
    without_gil.lock_both()

def greedy():
    with_gil.lock_outer()

async def main():
    observed = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, observed.set)
    print("ready", flush=True)
    await observed.wait()
    # each sleeps in its lock before the next one comes, on a busy machine, too
    for delay, target in (0, write_log), (0.25, flush), (0.5, greedy):
        threading.Timer(delay, target).start()
    await asyncio.sleep(0.75)
asyncio.run(main())
"""


def test_a_chain_is_followed_through_threads_without_the_gil():
    source = CHAIN.replace("LIBRARY", repr(harness.library("locks")))
    with harness.Script(source) as app:
        with harness.attach(app) as running:
            os.kill(app.pid, signal.SIGUSR1)
            time.sleep(2.2)
            report = running.finish().report
        app.process.kill()
    laws.check_laws(report)
    chain = report["processes"][0]["loops"][0]["stalls"][-1]["chain"]
    functions = [
        {frame["function"] for frame in link["stack"]} & {"greedy", "flush", "write_log"}
        for link in chain[1:]
    ]
    assert functions == [{"greedy"}, {"flush"}, {"write_log"}], chain
    assert [link["lock"] for link in chain] == [None, "mutex", "mutex", None], chain
    assert [link["syscall"] for link in chain[1:]] == ["futex", "futex", "write"], chain
    assert not any("had_ns" in link for link in chain), chain
    assert all(1e9 < link["ns"] < 1e9 * 10 * harness.PATIENCE for link in chain), chain


# The loop always has a callback that is ready, so it polls and never sleeps in its wait.
BUSY = """
import asyncio, threading, time
lock = threading.Lock()

def rebuild():
    with lock:
        time.sleep(0.15)

async def spins():
    while True:
        await asyncio.sleep(0)

async def main():
    spinning = asyncio.create_task(spins())
    print("ready", flush=True)
    while True:
        threading.Thread(target=rebuild).start()
        for _ in range(20):
            await asyncio.sleep(0)
        with lock:
            pass
asyncio.run(main())
"""


def test_a_loop_that_never_sleeps_says_who_had_the_lock():
    with harness.Script(BUSY) as app:
        with harness.attach(app) as running:
            time.sleep(1)
            report = running.finish().report
        app.process.kill()
    laws.check_laws(report)
    # on a busy machine, the start of a thread is such a wait, too
    [found] = [
        finding
        for finding in report["findings"]
        if finding["id"] == "lock_held_by" and " released in rebuild (" in finding["text"]
    ]
    assert found["ns"] > 0.15e9, report["findings"]
