# SPDX-License-Identifier: MIT
"""A service with that many workers, forked, each with an event loop that turns RATE times a second
and a thread that takes the GIL as often.

usage: service.py WORKERS RATE

Prints "ready" when all loops turn; ends with its standard input. Standard library only."""

import asyncio
import os
import signal
import sys
import threading
import time


def use_gil(pause):
    while True:
        time.sleep(pause)


async def turn(pause, writing):
    os.write(writing, b"x")
    while True:
        await asyncio.sleep(pause)


def main(workers, rate):
    reading, writing = os.pipe()
    pids = []
    for _ in range(workers):
        pids.append(os.fork())
        if not pids[-1]:
            threading.Thread(target=use_gil, args=(1 / rate,), daemon=True).start()
            asyncio.run(turn(1 / rate, writing))
    for _ in range(workers):
        os.read(reading, 1)
    print("ready", flush=True)
    sys.stdin.read()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


main(int(sys.argv[1]), float(sys.argv[2]))
