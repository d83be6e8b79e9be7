# SPDX-License-Identifier: MIT
"""A FastAPI application whose threads keep books: what ran in the pool, from when to when."""

import asyncio
import concurrent.futures
import threading
import time

import fastapi

app = fastapi.FastAPI()
jobs = []
own = concurrent.futures.ThreadPoolExecutor(max_workers=8, thread_name_prefix="own")


def job(seconds):
    begin = time.monotonic_ns()
    time.sleep(seconds)
    jobs.append((threading.get_native_id(), begin, time.monotonic_ns()))


@app.get("/ping")
async def ping():
    return "pong"


@app.get("/report")
def slow_report():
    job(1.2)


@app.get("/quick")
def quick():
    begin = time.monotonic_ns()
    jobs.append((threading.get_native_id(), begin, begin))


@app.get("/default")
async def in_default_executor():
    await asyncio.to_thread(job, 0.6)


@app.get("/own")
async def in_own_executor():
    await asyncio.get_running_loop().run_in_executor(own, job, 0.6)


@app.get("/jobs")
async def told():
    return jobs
