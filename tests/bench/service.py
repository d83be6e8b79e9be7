# SPDX-License-Identifier: MIT
"""What a service of several workers costs: the time until it is observed, gilscope's CPU and
memory, and how long a worker that begins later is not seen."""

import contextlib
import json
import re
import subprocess
import tempfile
import time
from pathlib import Path

from common import HERE, PYTHON, ROOT, Row, attach, child, cpu_ns

WORKERS = 8
CYCLES = 20_000  # of all workers together, a second; an iteration and a thread's sleep are two
KIB = 1024  # in a MiB
FOLLOWED = ROOT / "tests/apps/service/follow_truth.py"


@contextlib.contextmanager
def service(workers, cycles=CYCLES):
    app = HERE / "apps/service.py"
    rate = cycles / workers / 2
    with child(PYTHON, app, workers, rate, stdin=-1, stdout=-1, text=True) as process:
        process.stdout.readline()
        yield process
        process.stdin.close()
        process.wait()
        process.stdin = None


def resident_kib(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def cost_of(workers, seconds):
    """(seconds until it observed, share of one CPU, MiB resident at most)"""
    with service(workers, CYCLES * workers / WORKERS) as process:
        begin = time.monotonic()
        with attach([process.pid], "-d", "600s") as observer:
            start = observer.since - begin
            time.sleep(1)
            before = cpu_ns(observer.pid)
            time.sleep(seconds)
            share = (cpu_ns(observer.pid) - before) / seconds / 1e7
            memory = resident_kib(observer.pid) / KIB
            observer.finish()
    return start, share, memory


def uncovered_ms(way):
    """Of workers that begin while their service is observed: from the first line of their code
    until they are, by their own clock."""
    with tempfile.TemporaryDirectory() as folder:
        app = subprocess.Popen([PYTHON, str(FOLLOWED), way, folder], stdin=-1, stdout=-1, text=True)
        with app:
            app.stdout.readline()
            with attach([app.pid], "-d", "600s") as observer:
                print(file=app.stdin, flush=True)
                app.stdout.readline()
                observer.finish()
            print(file=app.stdin, flush=True)
        workers = [json.loads(path.read_text()) for path in Path(folder).iterdir()]
    return [since_covered(observer.report, worker) / 1e6 for worker in workers]


def since_covered(report, worker):
    """Its main thread has a state that is known all the time since then; if a later one is unknown,
    that is added to what is not observed."""
    process = [each for each in report["processes"] if each["pid"] == worker["pid"]][-1]
    end_ns = process["death"]["at_ns"] if "death" in process else report["window"]["end_ns"]
    [main] = [thread for thread in process["threads"] if thread["tid"] == worker["pid"]]
    known_ns = sum(ns for state, ns in main["states"].items() if state != "unknown")
    return max(end_ns - known_ns - worker["up_ns"], 0)


def workers(options):
    eight, sixteen, uncovered = [], [], {"fork": [], "spawn": []}
    for _ in range(options.rounds):
        eight.append(cost_of(WORKERS, options.seconds))
        sixteen.append(cost_of(2 * WORKERS, options.seconds))
        for way, found in uncovered.items():
            found += uncovered_ms(way)
        print(f"  {eight[-1]} {sixteen[-1]}", flush=True)
    starts, shares, memory = zip(*eight)
    more = [after[2] - before[2] for before, after in zip(eight, sixteen)]
    rows = [
        Row(
            f"a supervisor with {WORKERS} busy workers: until observed",
            [1e3 * start for start in starts],
            "{:.0f} ms",
            "≤ 1000 ms",
            lambda ms: ms <= 1000,
        ),
        Row(
            f"… gilscope's CPU at {CYCLES // 1000} k cycles a second",
            list(shares),
            "{:.1f} %",
            "≤ 3 %",
            lambda share: share <= 3,
        ),
        Row("… memory at most", list(memory), "{:.1f} MiB", "≤ 64 MiB", lambda mb: mb <= 64),
        Row(f"… for {WORKERS} workers more", more, "{:.1f} MiB", "≤ 16 MiB", lambda mb: mb <= 16),
    ]
    for way, found in uncovered.items():
        rows += [
            Row(
                f"a worker that begins later ({way}): not observed",
                found,
                "{:.0f} ms",
                "≤ 100 ms",
                lambda ms: ms <= 100,
            ),
            Row("… at most", max(found), "{:.0f} ms", "≤ 100 ms", lambda ms: ms <= 100),
        ]
    return rows
