# SPDX-License-Identifier: MIT
"""The uprobes of a Python image are set once, whoever has the file: nobody counts who is no target,
nobody counts twice, and processes and their numbers come and go."""

import collections
import contextlib
import os
import shutil
import signal
import subprocess
import time

import pytest

import harness
import laws

WORKERS = 8
KEPT_S = 2  # an image without users: user/capture/images.h
CYCLES = 2000

# A worker has two threads, one of which runs a loop, and ends with its supervisor.
WORKER = """
import asyncio, os, sys, threading, time

async def work(parent):
    while os.getppid() == parent:
        await asyncio.sleep(0.005)

def serve(parent):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    asyncio.run(work(parent))
"""

SUPERVISOR = (
    WORKER
    + """
LAST = "/proc/sys/kernel/ns_last_pid"

def fork():
    parent, pid = os.getpid(), os.fork()
    if not pid:
        os.close(0)
        serve(parent)
        os._exit(0)
    return pid

def run(program):
    words = [program, "-c", WORKER + f"serve({os.getpid()})"]
    return os.posix_spawn(program, words, os.environ)

def fork_as(pid):
    for _ in range(1000):
        with open(LAST, "w") as last:
            last.write(str(pid - 1))
        child = fork()
        if child == pid:
            return child
        os.kill(child, 9)
        os.waitpid(child, 0)
    return 0

print("ready", flush=True)
for line in sys.stdin:
    word, *arguments = line.split()
    if word == "end":
        os.kill(int(arguments[0]), 9)
        print(os.waitpid(int(arguments[0]), 0)[0], flush=True)
    else:
        print({"fork": fork, "run": run, "fork_as": lambda pid: fork_as(int(pid))}[word](
            *arguments), flush=True)
"""
)


class Supervisor(harness.Script):
    def __init__(self, python=harness.PYTHON):
        source = f"WORKER = {WORKER!r}" + SUPERVISOR
        super().__init__(source, python, harness.undisturbed(), stdin=subprocess.PIPE)

    def ask(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())


class Link:
    """A uprobe_multi link, as the kernel describes it."""

    def __init__(self, text):
        fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        rows = [line.split() for line in text.splitlines() if ":\t" not in line]
        self.id, self.pid = int(fields["link_id"]), int(fields["pid"])
        self.path, self.program = fields["path"], int(fields["prog_id"])
        self.places = [row[1] for row in rows if row and row[0].isdigit()]


def links_of(pid):
    """Those that gilscope holds."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            text = harness.read(f"/proc/{pid}/fdinfo/{fd}")
            if "link_type:\tuprobe_multi" in text:
                if "path:\t" not in text:
                    pytest.skip("this kernel does not describe its links")
                found.append(Link(text))
    if not found:
        pytest.skip("this kernel has no links of several uprobes")
    return found


def shared_links(pid):
    return sorted(link.id for link in links_of(pid) if link.pid == 0)


def descriptors(pid):
    """Of gilscope and its helper."""
    helpers = harness.read(f"/proc/{pid}/task/{pid}/children").split()
    found = 0
    for each in (pid, *helpers):
        with contextlib.suppress(FileNotFoundError):
            found += len(os.listdir(f"/proc/{each}/fd"))
    return found


def process_of(report, pid):
    (found,) = (process for process in report["processes"] if process["pid"] == pid)
    return found


def wait_until(true, seconds=5):
    deadline = time.monotonic() + seconds * harness.PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("mode", ["edges", "exact"])
def test_workers_share_the_probes_of_their_python(mode):
    with Supervisor() as app:
        before = [app.ask("fork"), app.ask("run", harness.PYTHON[0])]
        time.sleep(0.2)
        with harness.attach(app, "--mode", mode) as running:
            shared = shared_links(running.pid)
            places = collections.Counter(
                (link.program, place)
                for link in links_of(running.pid)
                if link.pid == 0
                for place in link.places
            )
            assert places and set(places.values()) == {1}, places
            later = [app.ask("fork") for _ in range(WORKERS // 2)]
            later += [app.ask("run", harness.PYTHON[0]) for _ in range(WORKERS // 2)]
            time.sleep(1)
            assert shared_links(running.pid) == shared
            outcome = running.finish()
    assert outcome.status == 0, outcome
    laws.check_laws(outcome.report)
    assert outcome.report["evidence"]["contradictions"] == 0
    for pid in [*before, *later]:
        assert [loop["tid"] for loop in process_of(outcome.report, pid)["loops"]] == [pid]


def test_restarts_neither_set_probes_anew_nor_keep_descriptors():
    with Supervisor() as app, harness.attach(app) as running:
        pids = [app.ask("run", harness.PYTHON[0])]
        time.sleep(0.5)
        shared, held = shared_links(running.pid), descriptors(running.pid)
        for _ in range(12):
            app.ask("end", pids[-1])
            pids.append(app.ask("run", harness.PYTHON[0]))
            time.sleep(0.25)
        wait_until(lambda: descriptors(running.pid) <= held)
        assert shared_links(running.pid) == shared
        outcome = running.finish()
    assert outcome.status == 0, outcome
    for pid in pids:
        assert len(process_of(outcome.report, pid)["loops"]) == 1


BYSTANDER = """
import asyncio, gc, threading, time

def spin():
    while True:
        sum(range(1000))

async def work():
    while True:
        gc.collect()
        await asyncio.sleep(0.001)

for _ in range(2):
    threading.Thread(target=spin, daemon=True).start()
print("ready", flush=True)
asyncio.run(work())
"""


@pytest.mark.parametrize("mode", ["edges", "exact"])
def test_nobody_else_who_has_the_file_is_seen(mode):
    """Not even with the same addresses, as a fork of the target has that is no child of it."""
    with harness.Script(BYSTANDER) as other, Supervisor() as app:
        with harness.attach(app, "--mode", mode) as running:
            worker = app.ask("fork")
            time.sleep(1)
            outcome = running.finish()
    assert outcome.status == 0, outcome
    laws.check_laws(outcome.report)
    assert {process["pid"] for process in outcome.report["processes"]} == {app.pid, worker}
    tids = {thread["tid"] for each in outcome.report["processes"] for thread in each["threads"]}
    assert other.pid not in tids
    for process in outcome.report["processes"]:
        for gil in process["gils"]:
            assert gil["handoffs"] <= 50, process["pid"]  # the others: a thousand


@contextlib.contextmanager
def asleep(running, seconds):
    """gilscope, which then has not read yet what the probes report."""
    os.kill(running.pid, signal.SIGSTOP)
    try:
        yield
        time.sleep(seconds)
    finally:
        os.kill(running.pid, signal.SIGCONT)


@pytest.mark.parametrize("late_s", [0, 0.1])
@pytest.mark.parametrize("mode", ["edges", "exact"])
def test_a_number_that_is_used_again(mode, late_s):
    with Supervisor() as app, harness.attach(app, "--mode", mode) as running:
        pid = app.ask("fork")
        for _ in range(3):
            time.sleep(0.4)
            with asleep(running, late_s) if late_s else contextlib.nullcontext():
                app.ask("end", pid)
                if app.ask("fork_as", pid) != pid:
                    pytest.skip("somebody else takes the numbers")
        time.sleep(0.5)
        outcome = running.finish()
    assert outcome.status == 0, outcome
    laws.check_laws(outcome.report)
    assert outcome.report["evidence"]["contradictions"] == 0
    lives = [process for process in outcome.report["processes"] if process["pid"] == pid]
    assert len(lives) == 4
    assert sum("death" in life for life in lives) == 3
    for life in lives:
        (loop,) = life["loops"]
        assert loop["turns"] >= 20


def test_somebody_else_gets_the_number():
    """Before gilscope has read that the worker has ended."""
    with Supervisor() as other, Supervisor() as app, harness.attach(app) as running:
        pid = app.ask("fork")
        time.sleep(0.4)
        with asleep(running, 0.3):
            app.ask("end", pid)
            if other.ask("fork_as", pid) != pid:
                pytest.skip("somebody else takes the numbers")
        outcome = running.finish()
    assert outcome.status == 0, outcome
    laws.check_laws(outcome.report)
    assert len(process_of(outcome.report, pid)["threads"]) == 2
    assert len(outcome.report["processes"]) == 2


SPINNER = f"""
import os, sys
print("ready", flush=True)
sys.stdin.readline()
for _ in range({CYCLES}):
    os.sched_yield()
print("done", flush=True)
sys.stdin.readline()
"""


def overlay(folder, name, lower):
    """A file system with the files of another one, and their inodes: as two containers have it."""
    parts = [folder / name / part for part in ("upper", "work", "merged")]
    for part in parts:
        part.mkdir(parents=True)
    upper, work, merged = parts
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    command = ["mount", "-t", "overlay", "overlay", "-o", options, merged]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        pytest.skip(f"no overlay can be mounted: {result.stderr.strip()}")
    return merged


@contextlib.contextmanager
def two_containers(folder):
    """Two Pythons whose file is one, under two names and with two numbers."""
    lower, mounts = folder / "lower", []
    (lower / "bin").mkdir(parents=True)
    shutil.copy(os.path.realpath(harness.PYTHON[0]), lower / "bin/python3")
    try:
        mounts = [overlay(folder, name, lower) for name in ("one", "two")]
        yield [str(mount / "bin/python3") for mount in mounts]
    finally:
        for mount in mounts:
            subprocess.run(["umount", "-l", mount], check=False)


def test_a_file_that_containers_see_as_two_counts_once(tmp_path):
    with two_containers(tmp_path) as pythons, contextlib.ExitStack() as stack:
        apps = [
            stack.enter_context(
                harness.Script(SPINNER, [python], harness.undisturbed(), stdin=subprocess.PIPE)
            )
            for python in pythons
        ]
        arguments = ("--mode", "exact", "--json", "-d", "60s", apps[0].pid, apps[1].pid)
        with harness.Running("attach", *arguments, prefix=harness.undisturbed()) as running:
            for app in apps:
                print(file=app.process.stdin, flush=True)
                assert app.process.stdout.readline() == "done\n"
            outcome = running.finish()
    assert outcome.status == 0, outcome
    laws.check_laws(outcome.report)
    assert outcome.report["evidence"]["contradictions"] == 0
    for app in apps:
        (main,) = process_of(outcome.report, app.pid)["threads"]
        assert CYCLES <= main["holds"] <= CYCLES + 50


def test_workers_of_a_file_that_was_replaced(tmp_path):
    """Those of the old file and those of the new one are seen; later the old one's probes go."""
    python = tmp_path / "python3"
    shutil.copy(os.path.realpath(harness.PYTHON[0]), python)
    with Supervisor() as app, harness.attach(app) as running:
        none = shared_links(running.pid)
        old = app.ask("run", python)
        time.sleep(0.6)
        one = shared_links(running.pid)
        python.unlink()
        shutil.copy(os.path.realpath(harness.PYTHON[0]), python)
        new = app.ask("run", python)
        time.sleep(0.6)
        both = shared_links(running.pid)
        app.ask("end", old)
        time.sleep(0.2)
        assert shared_links(running.pid) == both
        wait_until(lambda: shared_links(running.pid) != both, KEPT_S + 5)
        left = shared_links(running.pid)
        outcome = running.finish()
    assert outcome.status == 0, outcome
    laws.check_laws(outcome.report)
    assert len(one) == 2 * len(none) and len(both) == 3 * len(none)
    assert set(left) == set(none) | (set(both) - set(one))
    for pid in (old, new):
        assert len(process_of(outcome.report, pid)["loops"]) == 1


def test_without_children_nobody_else_has_a_probe():
    with Supervisor() as app, harness.attach(app, "--no-follow") as running:
        assert {link.pid for link in links_of(running.pid)} == {app.pid}
        running.process.send_signal(signal.SIGINT)
        assert running.result().status == 0
