# SPDX-License-Identifier: MIT
"""An event loop one of whose tasks hangs, on request: for so many seconds, or for good.

    python hang.py --loop asyncio|uvloop

Reads commands "CAUSE SECONDS" or "CAUSE forever" from standard input. Answers with {"t0_ns": …}
when the hang begins and, if it ends, with {"t1_ns": …}. CAUSE is python (a loop of bytecode),
blocked (time.sleep), lock (a lock that nobody gives back), or gil_wait (C code in the thread `hog`
keeps the GIL).
"""

import argparse
import asyncio
import json
import os
import re
import threading
import time

PATTERN = re.compile("a*b")
FOREVER_S = 1e6


def seconds_of(length):
    begin = time.monotonic()
    PATTERN.search("a" * length)
    return time.monotonic() - begin


# The search that fails at every position takes n²/2 steps, in one call into C that keeps the GIL.
# How fast that is varies with what else the machine does, so it is measured just before.
LENGTH, takes_s = 1000, 0.0


def hog(text, begun):
    begun.set()
    PATTERN.search(text)


def python(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(10000):
            pass


def blocked(seconds):
    time.sleep(seconds)


def lock(seconds):
    taken = threading.Lock()
    taken.acquire()
    taken.acquire(timeout=seconds)


def gil_wait(seconds):
    begun = threading.Event()
    # rather longer than asked for: it may get faster
    text = "a" * int(LENGTH * (2 * seconds / takes_s) ** 0.5)
    threading.Thread(target=hog, args=(text, begun), name="hog", daemon=True).start()
    begun.wait()  # when it is woken it has to wait for the GIL


HANGS = {hang.__name__: hang for hang in (python, blocked, lock, gil_wait)}


def say(**answer):
    os.write(1, (json.dumps(answer) + "\n").encode())


async def handler(cause, seconds):
    say(t0_ns=time.monotonic_ns())
    HANGS[cause](FOREVER_S if seconds == "forever" else float(seconds))
    say(t1_ns=time.monotonic_ns())


def read(loop, ended):
    global takes_s
    line = os.read(0, 4096).decode()
    if "gil_wait" in line:  # a few ms, in a turn of its own
        takes_s = min(seconds_of(LENGTH) for _ in range(2))
    if not line:
        ended.set()
    for command in line.splitlines():
        loop.create_task(handler(*command.split()))


async def main():
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(0, read, loop, ended)
    print("ready", flush=True)
    await ended.wait()


parser = argparse.ArgumentParser()
parser.add_argument("--loop", default="asyncio")
if parser.parse_args().loop == "uvloop":
    import uvloop

    uvloop.install()
asyncio.run(main())
