# SPDX-License-Identifier: MIT
"""Why does my FastAPI application answer one request after another?

Seven routes that all "take a while", each of which does something else to the event loop. Run it,
send it traffic, and watch:

    uvicorn app:app --app-dir examples &
    build/gilscope attach $! -d 10s

Two facts explain everything below.

*  All `async def` routes share one thread, the event loop's. The loop runs one piece of a coroutine
   at a time, from one `await` to the next. Whoever does not await keeps all others waiting: that is
   a stall of the loop.
*  A plain `def` route runs in a worker thread instead, so it may block. But all threads share one
   GIL: bytecode runs in one thread at a time, so a worker that computes slows the loop down all the
   same, and C code that does not release the GIL stops it.

Every route takes ?seconds=… (or ?n=…), so that you can try other lengths.
"""

import asyncio
import concurrent.futures
import ctypes
import multiprocessing
import time

import fastapi

app = fastapi.FastAPI()
# spawn, because a fork would copy the locks of the server's threads in whatever state they are
pool = concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
# PyDLL calls C functions with the GIL held, as a C extension does that does not care. (CDLL would
# release it.)
libc = ctypes.PyDLL(None)


def count(n):
    """Nothing but bytecode: needs the GIL all the time."""
    total = 0
    for number in range(n):
        total += number
    return total


@app.get("/ping")
async def ping():
    """Does nothing. Its response time is what everybody else's behaviour costs an innocent
    request."""
    return "pong"


@app.get("/sync")
def sync(n: int = 20_000_000):
    """A loop in a plain `def`. It runs in a worker thread, so the event loop is not blocked: but it
    is slowed down.

    Each time the loop's thread has something to do it needs the GIL, which the worker gives up only
    when asked for 5 ms (sys.getswitchinterval()). gilscope shows the loop in `gil_wait`, with this
    route as the one who held the GIL. Two such requests at a time take twice as long each. Remedy:
    another process, as in /process-pool.
    """
    return count(n)


@app.get("/async")
async def awaits(seconds: float = 5.0):
    """`await asyncio.sleep()`: the loop runs other requests meanwhile. A thousand of these at a
    time are no problem, and none of them is a stall.

    In a browser two of them seem to run one after the other: the browser holds back a second
    request for an address it is already asking for. That is the browser's doing and not the
    server's; use two different addresses, or curl.
    """
    await asyncio.sleep(seconds)
    return seconds


@app.get("/sync-sleep")
def sync_sleep(seconds: float = 0.2):
    """`time.sleep` in a plain `def`: sleeps in a worker thread and without the GIL. No stall; only
    the number of worker threads (40) is a limit."""
    time.sleep(seconds)
    return seconds


@app.get("/async-sleep-blocking")
async def async_sleep_blocking(seconds: float = 0.2):
    """`time.sleep` in an `async def`: the classic. The whole server sleeps. `requests.get`, a
    database driver without async, a lock do the same.

    gilscope shows a stall with the cause `blocked`, the system call, clock_nanosleep, and the line
    below. Remedy: `await` the async equivalent, or a plain `def`.
    """
    time.sleep(seconds)
    return seconds


@app.get("/async-cpu")
async def async_cpu(n: int = 3_000_000):
    """A loop in an `async def`: nobody is answered until it is done.

    gilscope shows a stall with the cause `python`, this function and the line in `count`. Remedy: a
    process, or at least a thread (see /sync for what that gives).
    """
    return count(n)


@app.get("/c-gil")
def c_gil(seconds: float = 0.2):
    """C code that keeps the GIL, in a worker thread: the loop stands still although nothing runs on
    it, and a profile of its thread does not say why.

    gilscope shows a stall with the cause `gil_wait` and names this function as the blocker, asleep
    with the GIL in its hand (`held_blocked`). Only the C code can help it, by releasing the GIL
    around what takes long; from outside, only another process can.
    """
    libc.usleep(int(seconds * 1e6))
    return seconds


@app.get("/process-pool")
async def process_pool(n: int = 5_000_000):
    """The same loop as in /sync, in another process. That has a GIL of its own: no stall here, and
    it uses another CPU."""
    return await asyncio.get_running_loop().run_in_executor(pool, count, n)


@app.on_event("shutdown")
def shutdown():
    pool.shutdown()
