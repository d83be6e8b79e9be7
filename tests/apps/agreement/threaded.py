# SPDX-License-Identifier: MIT
"""A FastAPI application as there are many: routes on the loop, routes in threads that compute, that
wait, and that keep the GIL. Run as `uvicorn threaded:app`."""

import re
import time

import fastapi

app = fastapi.FastAPI()
# a search that fails at each position after it has run to the end: C code that keeps the GIL
PATTERN, TEXT = re.compile("a*b"), "a" * 3000


@app.get("/ping")
async def ping():
    return "pong"


@app.get("/compute")
def compute():
    return sum(number & 3 for number in range(20_000))


@app.get("/wait")
def wait():
    time.sleep(0.01)


@app.get("/search")
def search():
    return bool(PATTERN.search(TEXT))


@app.get("/blocking")
async def blocking():
    time.sleep(0.03)
