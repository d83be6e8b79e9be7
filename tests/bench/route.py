# SPDX-License-Identifier: MIT
"""A trivial FastAPI route, on which gilscope's cost is the largest share."""

import time

import fastapi

app = fastapi.FastAPI()


@app.get("/")
async def root():
    return {"hello": "world"}


def work():
    """About two milliseconds of Python."""
    total = 0
    for number in range(WORK):
        total += number & 3
    return total


def calibrate():
    begin = time.perf_counter()
    for _ in range(20):
        work()
    return (time.perf_counter() - begin) / 20


WORK = 20000
WORK = int(WORK * 2e-3 / calibrate())


@app.get("/work")
async def busy():
    return {"total": work()}
