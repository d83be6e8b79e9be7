#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A service that restarts its workers: a supervisor that begins one every PERIOD seconds, of which
each lives LIFE seconds, serves itself requests over a socket, uses a thread pool, and exits. Every
INJECT-th blocks its event loop once, and appends when to the file of marks.

usage: service.py PERIOD LIFE INJECT MARKS      (until SIGTERM)
"""

import asyncio
import concurrent.futures
import json
import multiprocessing
import os
import signal
import sys
import threading
import time

BLOCKED_S = 0.15
LAST_S = 0.5  # of a worker's life: it is blocked then, when gilscope has observed it for a while


def block_the_loop(marks):
    begin = time.monotonic_ns()
    time.sleep(BLOCKED_S)
    mark = {"pid": os.getpid(), "t0_ns": begin, "t1_ns": time.monotonic_ns()}
    marks.write(json.dumps(mark) + "\n")
    marks.flush()


async def answer(reader, writer):
    while line := await reader.readline():
        sum(range(500))
        writer.write(line)
        await writer.drain()
    writer.close()


async def client(port, end):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < end:
        writer.write(b"ping\n")
        await reader.readline()
        await asyncio.sleep(0.02)
    writer.close()
    await writer.wait_closed()


async def jobs(pool, end):
    loop = asyncio.get_running_loop()
    while time.monotonic() < end:
        await loop.run_in_executor(pool, sum, range(2000))
        await asyncio.sleep(0.05)


async def serve(pool, life, marks):
    end = time.monotonic() + life
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    work = asyncio.gather(client(port, end), client(port, end), jobs(pool, end))
    if marks:
        await asyncio.sleep(life - LAST_S)
        block_the_loop(marks)
    await work
    server.close()


def wait_for_nothing():
    time.sleep(0.3)


def worker(life, marks):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=wait_for_nothing, name="helper").start()
    # its threads are there before the loop, which would wait for the begin of each
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(time.sleep, [0.01, 0.01]))
        asyncio.run(serve(pool, life, marks))


def supervise(period, life, inject, path):
    context = multiprocessing.get_context("fork")
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    alive, begun, begin = [], 0, time.monotonic()
    with open(path, "a") as marks:
        print("ready", flush=True)
        while not stopped:
            begun += 1
            process = context.Process(
                target=worker, args=(life, marks if begun % inject == 0 else None)
            )
            process.start()
            alive = [one for one in [*alive, process] if one.is_alive() or one.join()]
            time.sleep(max(0.0, begin + begun * period - time.monotonic()))
    for process in alive:
        process.join()
    print(begun, flush=True)


if __name__ == "__main__":
    supervise(*map(float, sys.argv[1:3]), int(sys.argv[3]), sys.argv[4])
