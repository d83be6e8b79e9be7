# SPDX-License-Identifier: MIT
"""Why does my FastAPI application answer one request after another?

Routes that all "take a while", each of which does something else to the event loop. Run it, send
it traffic, and watch:

    uvicorn app:app --app-dir examples &
    build/gilscope attach $! -d 10s

Two facts explain everything below.

*  All `async def` routes share one thread, the event loop's. The loop runs one piece of a coroutine
   at a time, from one `await` to the next. Code that does not await holds up all others: that is a
   stall of the loop.
*  A plain `def` route runs in a worker thread instead, so it may block. But all threads share one
   GIL: bytecode runs in one thread at a time, so a worker that computes still slows the loop down,
   and C code that does not release the GIL stops it.

Every route takes ?seconds=… (or ?n=…), so that you can try other lengths.
"""

import asyncio
import concurrent.futures
import ctypes
import hashlib
import json
import multiprocessing
import time

import fastapi

app = fastapi.FastAPI()
# spawn, because a fork would copy the locks of the server's threads in whatever state they are
pool = concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
# PyDLL holds the GIL while it calls a C function, as a careless C extension does; CDLL releases it
libc = ctypes.PyDLL(None)


def count(n):
    """Nothing but bytecode, which needs the GIL all the time."""
    total = 0
    for number in range(n):
        total += number
    return total


@app.get("/ping")
async def ping():
    """Does nothing. Its response time is what the other routes cost an innocent request."""
    return "pong"


@app.get("/sync-ping")
def sync_ping():
    """The same in a plain `def`: it needs a worker thread, too."""
    return "pong"


@app.get("/sync")
def sync(n: int = 20_000_000):
    """A loop in a plain `def`. It runs in a worker thread, so the event loop is not blocked, but it
    is slowed down.

    Each time the loop's thread has something to do it needs the GIL, which the worker releases only
    after a request that comes 5 ms later (sys.getswitchinterval()). gilscope shows the loop waiting
    for the GIL, held by this route. Two such requests at a time take twice as long each. Remedy:
    another process, as in /process-pool.
    """
    return count(n)


@app.get("/async")
async def awaits(seconds: float = 5.0):
    """`await asyncio.sleep()`: the loop runs other requests meanwhile. A thousand of these at a
    time are no problem, and none of them is a stall.

    In a browser two of them may seem to run one after the other: it holds back a second request for
    an address that it is already waiting for. Use two different addresses, or curl.
    """
    await asyncio.sleep(seconds)
    return seconds


@app.get("/sync-sleep")
def sync_sleep(seconds: float = 0.2):
    """`time.sleep` in a plain `def` sleeps in a worker thread, without the GIL. No stall, but 41 of
    them at a time are one too many: AnyIO has 40 worker threads, and all `def` routes share them.
    gilscope then finds the pool full. Remedy: an `async def` that awaits."""
    time.sleep(seconds)
    return seconds


@app.get("/async-sleep-blocking")
async def async_sleep_blocking(seconds: float = 0.2):
    """`time.sleep` in an `async def`: the classic. The whole server sleeps. `requests.get`, a
    database driver without async, a lock do the same.

    gilscope shows a stall with the cause "blocking call", the system call (clock_nanosleep) and the
    line below. Remedy: `await` the async equivalent, or a plain `def`.
    """
    time.sleep(seconds)
    return seconds


@app.get("/async-cpu")
async def async_cpu(n: int = 3_000_000):
    """A loop in an `async def`: no request is answered until it is done.

    gilscope shows a stall with the cause "running Python", this function and the line in `count`.
    Remedy: another process, or at least a thread (see /sync for what that gives).
    """
    return count(n)


@app.get("/hash")
def hash_buffer(megabytes: int = 200):
    """C code that releases the GIL: hashlib does for everything above 2 kB, zlib and files do, too.
    The loop runs at the same time, on another CPU. No stall."""
    return hashlib.sha256(bytes(megabytes << 20)).hexdigest()


@app.get("/dumps")
def dumps(n: int = 3_000_000):
    """C code that holds the GIL: json.dumps() is a single call into C, which releases nothing until
    it returns; `re` and sorted() are like that, too.

    gilscope shows a stall with the cause "waiting for the GIL", and names this function. Remedy:
    smaller pieces, or another process.
    """
    return len(json.dumps(list(range(n))))


@app.get("/c-gil")
def c_gil(seconds: float = 0.2):
    """C code that even sleeps while it holds the GIL, in a worker thread. The loop stops although
    nothing runs on it, and a profile of its thread does not say why.

    gilscope shows a stall with the cause "waiting for the GIL", and names this function, which was
    asleep with the GIL. Only the C code can be fixed, by releasing the GIL around what takes long;
    otherwise only another process helps.
    """
    libc.usleep(int(seconds * 1e6))
    return seconds


@app.get("/process-pool")
async def process_pool(n: int = 5_000_000):
    """The same loop as in /sync, in another process, which has a GIL of its own and runs on another
    CPU. No stall."""
    return await asyncio.get_running_loop().run_in_executor(pool, count, n)


@app.on_event("shutdown")
def shutdown():
    pool.shutdown()
