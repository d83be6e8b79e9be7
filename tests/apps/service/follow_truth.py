# SPDX-License-Identifier: MIT
"""A service whose workers begin while it is observed.

usage: follow_truth.py WAY FOLDER

WAY is how a worker comes into being: fork, spawn or forkserver (multiprocessing); shell (a program
that is no Python, which starts one); exec (a Python that becomes another one); late_exec (a fork
that hesitates before it becomes one, for as long as it takes to examine it). It prints "ready"
and waits for a line; then it starts two workers, one after the other, waits for both, and prints
"done". Each worker runs an event loop whose callbacks sleep for BLOCK_S, and leaves its marks as
JSON in FOLDER: {"pid", "up_ns", "marks": [[t0_ns, t1_ns], …]}; up_ns is when its code began.

Standard library only, Python 3.8 and later.
"""

import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import time

UP_NS = time.monotonic_ns()
BLOCKS, BLOCK_S, PAUSE_S = 24, 0.03, 0.02
WORKERS = 2


def block(marks):
    t0_ns = time.monotonic_ns()
    time.sleep(BLOCK_S)
    marks.append((t0_ns, time.monotonic_ns()))


async def work(marks):
    for _ in range(BLOCKS):
        await asyncio.sleep(PAUSE_S)
        block(marks)


def worker(folder, up_ns=None):
    up_ns, marks = up_ns or time.monotonic_ns(), []
    asyncio.run(work(marks))
    path = os.path.join(folder, str(os.getpid()))
    with open(path + ".part", "w") as file:
        json.dump({"pid": os.getpid(), "up_ns": up_ns, "marks": marks}, file)
    os.rename(path + ".part", path)


def start(way, folder):
    again = [sys.executable, __file__, "worker", folder]
    if way == "shell":
        return subprocess.Popen(["sh", "-c", '"$@"; exit 0', "sh", *again])
    if way == "late_exec":
        return subprocess.Popen(again, preexec_fn=lambda: time.sleep(0.025))
    if way == "exec":
        return subprocess.Popen([sys.executable, __file__, "become", folder])
    process = multiprocessing.get_context(way).Process(target=worker, args=(folder,))
    process.start()
    return process


def finish(process):
    process.wait() if hasattr(process, "wait") else process.join()


def main(way, folder):
    if way == "worker":
        worker(folder, UP_NS)
        return
    if way == "become":  # observed as this program first
        time.sleep(0.3)
        os.execv(sys.executable, [sys.executable, __file__, "worker", folder])
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(WORKERS):
        process = start(way, folder)
        finish(process)
    print("done", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main(*sys.argv[1:])
