# SPDX-License-Identifier: MIT
"""A FastAPI application with one blocking call in a route, which returns the call's own times. Run
with uvicorn."""

import time

import fastapi

app = fastapi.FastAPI()


@app.get("/block")
async def blocking_call():
    begin = time.monotonic_ns()
    time.sleep(0.3)
    return [begin, time.monotonic_ns()]


@app.get("/ping")
async def ping():
    return "pong"
