# SPDX-License-Identifier: MIT
"""A service that begins a thread for each request, as many do. Each tenth runs an event loop of its
own.

usage: threads_truth.py SECONDS

Prints "ready", and begins at a line of its standard input. Now and then it blocks its event loop.
At the end it prints how many threads there were, and when the loop was blocked, as JSON; and waits
for another line.
"""

import asyncio
import json
import sys
import threading
import time

BLOCKED_S = 0.12
EVERY = 400  # requests


def answer():
    sum(range(3000))
    time.sleep(0.002)


def answer_in_a_loop():
    asyncio.run(asyncio.sleep(0.005))


def begin(number):
    target = answer if number % 10 else answer_in_a_loop
    thread = threading.Thread(target=target, name=f"request-{number}")
    thread.start()
    return thread


def block_the_loop():
    begin = time.monotonic_ns()
    time.sleep(BLOCKED_S)
    return begin, time.monotonic_ns()


async def serve(seconds):
    end = time.monotonic() + seconds
    count, marks, last = 0, [], None
    while time.monotonic() < end:
        last = begin(count)
        count += 1
        if count % EVERY == 0:
            marks.append(block_the_loop())
        await asyncio.sleep(0.002)
    last.join()
    time.sleep(0.1)
    return count, marks


def main():
    print("ready", flush=True)
    sys.stdin.readline()
    count, marks = asyncio.run(serve(float(sys.argv[1])))
    print(json.dumps({"threads": count, "marks": marks}), flush=True)
    sys.stdin.readline()


main()
