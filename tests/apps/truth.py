# SPDX-License-Identifier: MIT
"""A FastAPI application that does in its routes what applications do wrong, and marks it: one route
per cause (work.py), and what must be no stall.

Run by the tests as `uvicorn truth:app --loop asyncio|uvloop`. GET /marks returns the marks so far.
Where there are several workers, $TRUTH_FOLDER gets a file for each that is ready, named by its PID,
with its marks once it has ended.
"""

import asyncio
import concurrent.futures
import gc
import multiprocessing
import os
import time

import fastapi
import requests

import marks
import work

FOLDER = os.environ.get("TRUTH_FOLDER")
app = fastapi.FastAPI()
truth = marks.Marks()
# spawn: a fork of a process with threads would carry their locks along
pool = concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


# ── stalls: each of these blocks the loop ─────────────────────────────────────────────────────────


@app.get("/time_sleep")
async def time_sleep():
    work.run(truth, "time_sleep", "route")


@app.get("/socket_wait")
async def socket_wait():
    work.run(truth, "socket_wait", "route")


@app.get("/requests_get")
async def requests_get():
    with truth.mark(
        "requests_get",
        "blocked",
        place=REQUESTS_PLACE,
        handler=marks.handler(requests_get, "route"),
    ):
        requests.get(f"http://127.0.0.1:{work.SLOW_PORT}/")


REQUESTS_PLACE = marks.place(requests_get, "requests.get(")


@app.get("/file_fsync")
async def file_fsync():
    work.run(truth, "file_fsync", "route")


@app.get("/pipe_read")
async def pipe_read():
    work.run(truth, "pipe_read", "route")


@app.get("/lock_wait")
async def lock_wait():
    work.run(truth, "lock_wait", "route")


@app.get("/subprocess_run")
async def subprocess_run():
    work.run(truth, "subprocess_run", "route")


@app.get("/nested_epoll")
async def nested_epoll():
    work.run(truth, "nested_epoll", "route")


@app.get("/python_loop")
async def python_loop():
    work.run(truth, "python_loop", "route")


@app.get("/regex")
async def regex():
    work.run(truth, "regex", "route")


@app.get("/small_step")
async def small_step():
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    work.run_callbacks(loop, truth, "small_step", lambda: done.set_result(None))
    await done


@app.get("/sleep_keeping_gil")
async def sleep_keeping_gil():
    work.run(truth, "sleep_keeping_gil", "route")


@app.get("/pbkdf2")
async def pbkdf2():
    work.run(truth, "pbkdf2", "route")


@app.get("/compress")
async def compress():
    work.run(truth, "compress", "route")


@app.get("/hog_python")
async def hog_python():
    work.run(truth, "hog_python", "route")


@app.get("/hog_regex")
async def hog_regex():
    work.run(truth, "hog_regex", "route")


@app.get("/hog_asleep")
async def hog_asleep():
    work.run(truth, "hog_asleep", "route")


# ── no stalls: the loop goes on meanwhile ─────────────────────────────────────────────────────────


@app.get("/def_sleep")
def def_sleep():
    """A plain `def` route runs in a worker thread."""
    with truth.mark("def_sleep", "none"):
        time.sleep(work.TAKES_S)


@app.get("/async_sleep")
async def async_sleep():
    with truth.mark("async_sleep", "none"):
        await asyncio.sleep(work.TAKES_S)


@app.get("/thread_pbkdf2")
async def thread_pbkdf2():
    with truth.mark("thread_pbkdf2", "none") as mark:
        await asyncio.get_running_loop().run_in_executor(None, work.pbkdf2, mark)


@app.get("/pool_regex")
async def pool_regex():
    """Another process has a GIL of its own."""
    with truth.mark("pool_regex", "none"):
        await asyncio.get_running_loop().run_in_executor(pool, work.regex, None)


@app.get("/warm")
async def warm():
    """Starts the pool's process and the thread pools, so that the tests' window holds no start-up
    work."""
    await asyncio.get_running_loop().run_in_executor(pool, work.regex, None)
    await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0)


@app.get("/ping")
async def ping():
    return "pong"


@app.get("/marks")
async def all_marks():
    return truth.rows()


@app.on_event("startup")
def startup():
    gc.freeze()  # to collect all that was loaded would be a stall without a mark
    if FOLDER:
        open(os.path.join(FOLDER, str(os.getpid())), "w").close()


@app.on_event("shutdown")
def shutdown():
    if FOLDER:
        truth.save(os.path.join(FOLDER, str(os.getpid())))
    pool.shutdown()
