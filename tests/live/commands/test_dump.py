# SPDX-License-Identifier: MIT
"""gilscope dump: the states it shows of a real process's threads, compared with their own marks."""

import json
import os
import re
import time

import jsonschema
import pytest

import harness
import interpreters

PYTHONS = interpreters.supported_pythons()
HANG = os.path.join(harness.APPS, "hang.py")
STATES = {"python": "python", "blocked": "blocked", "lock": "blocked", "gil_wait": "gil_wait"}
SCHEMA = os.path.join(harness.ROOT, "docs", "dump.schema.json")

# Each thread writes its row, then does only what its function is named after.
THREADS = """
import os, socket, threading, time
def tell(): os.write(1, (threading.current_thread().name + "\\n").encode())
def sleeps(): tell(); time.sleep(600)
def reads(): tell(); os.read(pipe[0], 1)
def receives(): tell(); client.recv(1)
def keeps_the_gil(): tell(); sum(range(10**12))
pipe, server = os.pipe(), socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
print("ready", flush=True)
for thread in (sleeps, reads, receives):
    threading.Thread(target=thread, name=thread.__name__, daemon=True).start()
open("/proc/self/comm", "w").write(f"port {server.getsockname()[1]}")
time.sleep(0.2)
holder = threading.Thread(target=keeps_the_gil, name="keeps_the_gil", daemon=True)
holder.start()
def waits():
    time.sleep(0.05)  # it has the GIL by then
waits()
time.sleep(600)
"""
INTERPRETERS = """
import threading, time
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
SPIN = "def spin():\\n while True: pass\\nspin()"
def inside(): interpreters.run_string(interpreters.create(), SPIN)
def spins():
    while True: pass
threading.Thread(target=inside, name="inside", daemon=True).start()
time.sleep(0.5)
threading.Thread(target=spins, name="spins", daemon=True).start()
print("ready", flush=True)
time.sleep(600)
"""
DEADLOCK = """
import ctypes, threading, time
mutex, kind = ctypes.create_string_buffer(64), ctypes.create_string_buffer(8)
libc = ctypes.CDLL(None)
if not hasattr(libc, "gnu_get_libc_version"):  # musl: others than recursive ones have no owner
    libc.pthread_mutexattr_init(kind), libc.pthread_mutexattr_settype(kind, 1)
    libc.pthread_mutex_init(mutex, kind)
def takes_the_mutex():
    libc.pthread_mutex_lock(mutex)
    time.sleep(0.3)  # and comes back to a GIL that is taken
threading.Thread(target=takes_the_mutex, name="takes_the_mutex", daemon=True).start()
time.sleep(0.1)
def takes_it_with_the_gil(): ctypes.PyDLL(None).pthread_mutex_lock(mutex)
print("ready", flush=True)
takes_it_with_the_gil()
"""


# As uWSGI does: the child is made without Python's knowledge.
FORKED = """
import ctypes, time
child = ctypes.PyDLL(None).fork()
while child == 0:
    pass
print("ready", flush=True)
print(child, flush=True)
time.sleep(600)
"""


class Dump:
    """The output of gilscope dump for a process: JSON that matches its schema."""

    def __init__(self, app, *options):
        self.begin_ns = time.monotonic_ns()
        done = harness.gilscope("dump", app.pid, "--json", *options, prefix=app.prefix)
        self.end_ns = time.monotonic_ns()
        assert done.status == 0, done
        self.found = json.loads(done.stdout)
        with open(SCHEMA) as file:
            jsonschema.validate(self.found, json.load(file))
        (self.process,) = self.found["processes"]
        self.threads = self.process["threads"]
        assert self.begin_ns < self.found["now_ns"] < self.end_ns

    def of(self, tid):
        (thread,) = [thread for thread in self.threads if thread["tid"] == tid]
        return thread

    def named(self, name):
        (thread,) = [thread for thread in self.threads if thread["python_name"] == name]
        return thread

    def since_before(self, thread):
        """The thread has been in its state since before the dump began."""
        return (
            thread["began_before"] and thread["since_ns"] < self.found["window"]["start_ns"] + 1e8
        )


def functions(thread):
    return [frame["function"].rpartition(".")[2] for frame in thread["stack"]]


@pytest.mark.parametrize("cause", STATES)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_service_that_hangs(loop, cause):
    with harness.RawApp(loop, script=HANG, prefix=harness.undisturbed()) as app:
        t0_ns = app.answer(f"{cause} forever")["t0_ns"]
        time.sleep(0.4)
        dump = Dump(app)
    main = dump.of(app.pid)
    assert main["loop"]["state"] == "in_turn" and main["loop"]["began_before"]
    assert main["loop"]["kind"] == loop and main["loop"]["in_task"]
    assert t0_ns < main["loop"]["since_ns"] == dump.found["window"]["start_ns"]
    assert main["handler"]["function"] == "handler" and main["handler"]["role"] == "task"
    (gil,) = dump.process["gils"]
    if cause == "python":  # it may be off the CPU at any instant
        assert main["state"] in ("python", "held_runnable")
        assert gil["holder"] == app.pid and gil["began_before"]
        assert functions(main)[0] == "python" == main["inner"]["function"]
        return
    assert main["state"] == STATES[cause] and dump.since_before(main)
    assert main["stack_evidence"] == "exact"
    if cause == "gil_wait":
        hog = dump.of(gil["holder"])
        assert dump.threads[0] == hog and gil["waiters"] == [app.pid]
        assert main["waits_for"] == hog["tid"] and hog["handler"]["function"] == "hog"
    else:
        assert functions(main)[0] == cause
        assert re.search("sleep|select" if cause == "blocked" else "futex", main["call"]["name"])


def test_a_loop_that_has_nothing_to_do():
    with harness.RawApp("asyncio", script=HANG, prefix=harness.undisturbed()) as app:
        time.sleep(0.3)
        dump = Dump(app)
    main = dump.of(app.pid)
    assert main["state"] == "idle" == main["loop"]["state"] and dump.since_before(main)
    assert main["handler"] is None and not main["stack"] and main["loop"]["task"] is None
    (gil,) = dump.process["gils"]
    assert gil["holder"] is None and not gil["waiters"]


@pytest.mark.beside
@pytest.mark.parametrize("label", PYTHONS)
def test_every_thread_on_every_python(label):
    with harness.Script(THREADS, python=PYTHONS[label]) as app:
        assert {app.process.stdout.readline().strip() for _ in range(4)} >= {"keeps_the_gil"}
        time.sleep(0.2)
        dump = Dump(app)
        text = harness.gilscope("dump", app.pid, prefix=app.prefix)
    holder, main = dump.named("keeps_the_gil"), dump.of(app.pid)
    (gil,) = dump.process["gils"]
    assert gil["holder"] == holder["tid"] and gil["waiters"] == [app.pid]
    assert dump.threads[0] == holder and functions(holder)[0] == "keeps_the_gil"
    assert holder["handler"]["role"] == "thread"
    assert main["state"] == "gil_wait" and dump.since_before(main)
    assert main["waits_for"] == holder["tid"] and {"waits", "start"} & set(functions(main))
    peer = "TCP 127.0.0.1:" + main["name"].removeprefix("port ")
    for name, call, file in (
        ("sleeps", "sleep|select", None),
        ("reads", "read", "pipe"),
        ("receives", "recvfrom", peer),
    ):
        thread = dump.named(name)
        assert thread["state"] == "blocked" and re.search(call, thread["call"]["name"])
        assert thread["call"]["file"] == file
        assert functions(thread)[0] == name and dump.since_before(thread)
    assert text.status == 0 and f"held by 'keeps_the_gil' (" in text.stdout
    head, *parts = text.stdout.split("\n\n")
    assert len(parts) == 5 and "keeps_the_gil" in parts[0] and "has the GIL" in parts[0]
    assert re.search(r"waiting for the GIL for ≥ \d+ ms, held by\s+'keeps_the_gil'", text.stdout)


def test_a_process_without_cpu_is_observed_until_it_has_some():
    with harness.Quota(0.02, period_us=500_000) as quota, harness.Script(THREADS) as app:
        assert {app.process.stdout.readline().strip() for _ in range(4)} >= {"keeps_the_gil"}
        time.sleep(0.2)
        quota.add(app.pid)
        for _ in range(4):  # each of them begins at another moment of the period
            dump = Dump(app)
            holder, main = dump.named("keeps_the_gil"), dump.of(app.pid)
            assert functions(holder)[0] == "keeps_the_gil"
            assert main["state"] == "gil_wait" and main["waits_for"] == holder["tid"]
            time.sleep(0.13)


@pytest.mark.beside
@pytest.mark.parametrize(
    "label", [label for label in PYTHONS if re.match(r"pyenv-3\.1[2-9]", label)]
)
def test_two_interpreters_with_a_gil_each(label):
    with harness.Script(INTERPRETERS, python=PYTHONS[label]) as app:
        dump = Dump(app, "-d", "400ms")
    main, other = dump.process["gils"]
    assert main["interpreter"] == 0 and other["interpreter"] != 0
    assert main["holder"] == dump.named("spins")["tid"]
    assert functions(dump.of(other["holder"]))[0] == "spin" and other["holder"] != main["holder"]


@pytest.mark.beside
def test_threads_that_wait_for_each_other():
    with harness.Script(DEADLOCK) as app:
        time.sleep(0.5)
        dump = Dump(app)
        text = harness.gilscope("dump", app.pid).stdout
    main, other = dump.of(app.pid), dump.named("takes_the_mutex")
    assert dump.process["deadlocks"] == [[main["tid"], other["tid"]]]
    assert main["state"] == "held_blocked" and main["call"]["lock"] == "mutex"
    assert main["waits_for"] == other["tid"] and functions(main)[0] == "takes_it_with_the_gil"
    assert other["state"] == "gil_wait" and other["waits_for"] == main["tid"]
    assert "Deadlock: 'MainThread' (" in text


def test_the_only_thread_of_a_child_that_python_did_not_fork():
    """Its state has the number of the parent's thread, and it computes without a break."""
    with harness.Script(FORKED) as app:
        child = int(app.process.stdout.readline())
        try:
            done = harness.gilscope("dump", child, "--json")
        finally:
            os.kill(child, 9)
    [process] = json.loads(done.stdout)["processes"]
    assert [gil["holder"] for gil in process["gils"]] == [child], process
    [thread] = process["threads"]
    assert thread["state"] in ("python", "held_runnable"), thread


def test_a_dump_of_a_busy_service_does_no_harm():
    """A dump is consistent whenever it is taken, and the application keeps running."""
    with harness.WebApp("asyncio") as app, harness.Load(app, threads=2) as load:
        for _ in range(3):
            dump = Dump(app)
            holders = [gil["holder"] for gil in dump.process["gils"] if gil["holder"]]
            for thread in dump.threads:
                holds = thread["state"] in ("python", "held_blocked", "held_runnable")
                assert holds == (thread["tid"] in holders) or thread["state"] == "unknown"
    assert load.statuses


@pytest.mark.beside
def test_a_stopped_process():
    with harness.Script("print('ready', flush=True)\nimport time\ntime.sleep(600)") as app:
        os.kill(app.pid, 19)
        try:
            time.sleep(0.1)
            dump = Dump(app)
        finally:
            os.kill(app.pid, 18)
    assert dump.of(app.pid)["call"]["name"] == "stopped"


# ── what cannot be shown ──────────────────────────────────────────────────────────────────────────


@pytest.mark.beside
def test_a_process_that_is_not_python():
    with harness.App(["sleep", "600"]) as app:
        done = harness.gilscope("dump", app.pid)
        asked = harness.gilscope("attach", app.pid, "-d", "1ms")
    assert done.status == 4 == asked.status and done.stderr == asked.stderr and not done.stdout


@pytest.mark.beside
def test_a_process_that_does_not_exist():
    done = harness.gilscope("dump", 4194303)
    assert done.status == 1 and "process 4194303 does not exist" in done.stderr


@pytest.mark.beside
def test_a_process_that_ends_meanwhile():
    with harness.Script("print('ready', flush=True)\nimport time\ntime.sleep(600)") as app:
        with harness.Running("dump", app.pid, "-d", "5s") as running:
            app.process.kill()
            done = running.result()
    assert done.status == 1 and not done.stdout
    assert done.stderr == "gilscope: the process exited while it was observed.\n"
