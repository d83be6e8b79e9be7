# SPDX-License-Identifier: MIT
"""A FastAPI application in which every way there is to be called does something that its event loop
has to wait for, in a function of its own.

Run as `uvicorn handlers_truth:app --loop asyncio|uvloop`. GET /NAME lets the function NAME do it,
whatever way that is called, GET /marks returns the marks so far. On the loop it sleeps; in a worker
thread it sleeps with the GIL, for which the loop waits, because `heartbeat` always has something to
do.
"""

import asyncio
import contextlib
import threading
import time

import anyio
import fastapi
import starlette.middleware.base

import marks
import work

TAKES_S = 0.07
HEARTBEAT_S = 0.004
truth = marks.Marks()
app = fastapi.FastAPI()


def block(role):
    """Sleeps on the loop. The caller is the handler."""
    with truth.mark("", "blocked", place=BLOCK_PLACE, handler=marks.caller(role)) as mark:
        mark.name = mark.handler["function"].rpartition(".")[2]
        time.sleep(TAKES_S)


def hold(role):
    """Keeps the GIL in a worker thread. The caller is the handler to blame."""
    with truth.mark(
        "", "gil_wait", holder={"place": HOLD_PLACE, "handler": marks.caller(role)}
    ) as mark:
        mark.name, mark.blocker = (
            mark.holder["handler"]["function"].rpartition(".")[2],
            threading.get_native_id(),
        )
        work.LIBC_KEEPING_GIL.usleep(int(TAKES_S * 1e6))


async def heartbeat():
    while True:
        await asyncio.sleep(HEARTBEAT_S)


BLOCK_PLACE, HOLD_PLACE = marks.place(block, "time.sleep("), marks.place(hold, ".usleep(")


@app.on_event("startup")
async def start():
    app.state.heartbeat = asyncio.ensure_future(heartbeat())


# ── routes ────────────────────────────────────────────────────────────────────────────────────────


@app.get("/async_route")
async def async_route():
    block("route")


def helper_of_a_route():
    block_for_another()


def block_for_another():
    """The application's own frames between the route and the work do not count: the route is the
    handler."""
    with truth.mark(
        "deep_route", "blocked", place=DEEP_PLACE, handler=marks.caller("route", depth=2)
    ):
        time.sleep(TAKES_S)


DEEP_PLACE = marks.place(block_for_another, "time.sleep(")


@app.get("/deep_route")
async def deep_route():
    await asyncio.sleep(0)
    helper_of_a_route()


@app.get("/sync_route")
def sync_route():
    hold("executor")


class Resource:
    @staticmethod
    @app.get("/method_route")
    async def method_route():
        await asyncio.sleep(0)
        block("route")


# ── dependencies ──────────────────────────────────────────────────────────────────────────────────


async def async_dependency():
    block("dependency")


def sync_dependency():
    hold("executor")


async def yielding_dependency():
    block("dependency")
    yield


async def nothing():
    return None


app.get("/async_dependency", dependencies=[fastapi.Depends(async_dependency)])(nothing)
app.get("/sync_dependency", dependencies=[fastapi.Depends(sync_dependency)])(nothing)
app.get("/yielding_dependency", dependencies=[fastapi.Depends(yielding_dependency)])(nothing)


# ── background tasks ──────────────────────────────────────────────────────────────────────────────


async def async_background():
    block("background")


def sync_background():
    hold("executor")


@app.get("/async_background")
async def with_async_background(tasks: fastapi.BackgroundTasks):
    tasks.add_task(async_background)


@app.get("/sync_background")
async def with_sync_background(tasks: fastapi.BackgroundTasks):
    tasks.add_task(sync_background)


# ── middleware ────────────────────────────────────────────────────────────────────────────────────


@app.middleware("http")
async def function_middleware(request, call_next):
    if request.url.path == "/function_middleware":
        block("middleware")
    return await call_next(request)


class ClassMiddleware(starlette.middleware.base.BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        if request.url.path == "/dispatch":
            block("middleware")
        return await call_next(request)


class PureMiddleware:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope.get("path") == "/__call__":
            block("middleware")
        await self.app(scope, receive, send)


app.add_middleware(ClassMiddleware)
app.add_middleware(PureMiddleware)
for path in ("function_middleware", "dispatch", "__call__"):
    app.get("/" + path)(nothing)


# ── threads and executors ─────────────────────────────────────────────────────────────────────────


def in_executor():
    hold("executor")


def in_to_thread():
    hold("executor")


def in_anyio_thread():
    hold("executor")


def in_thread():
    hold("thread")


class Worker(threading.Thread):
    def run(self):
        hold("thread")


@app.get("/in_executor")
async def with_executor():
    await asyncio.get_running_loop().run_in_executor(None, in_executor)


@app.get("/in_to_thread")
async def with_to_thread():
    await asyncio.to_thread(in_to_thread)


@app.get("/in_anyio_thread")
async def with_anyio_thread():
    await anyio.to_thread.run_sync(in_anyio_thread)


@app.get("/in_thread")
async def with_thread():
    threading.Thread(target=in_thread, name="a thread").start()


@app.get("/run")
async def with_worker():
    Worker().start()


# ── callbacks and tasks ───────────────────────────────────────────────────────────────────────────


def in_callback():
    block("callback")


def in_timer():
    block("callback")


async def in_task():
    await asyncio.sleep(0)
    await inner_coroutine()


async def inner_coroutine():
    """The outermost function of the application in a task is its handler."""
    with truth.mark(
        "in_task", "blocked", place=INNER_PLACE, handler=marks.handler(in_task, "task")
    ):
        time.sleep(TAKES_S)


INNER_PLACE = marks.place(inner_coroutine, "time.sleep(")


@app.get("/in_callback")
async def with_callback():
    asyncio.get_running_loop().call_soon(in_callback)


@app.get("/in_timer")
async def with_timer():
    asyncio.get_running_loop().call_later(0.01, in_timer)


@app.get("/in_task")
async def with_task():
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.create_task(in_task())


# ──────────────────────────────────────────────────────────────────────────────────────────────────


@app.get("/ping")
async def ping():
    return "pong"


@app.get("/marks")
async def all_marks():
    return truth.rows()
