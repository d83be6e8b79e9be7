# SPDX-License-Identifier: MIT
"""Threads, executors, and what a bare event loop runs."""
import asyncio
import concurrent.futures
import functools
import socket
import sys
import threading

import recorder
from recorder import here, helper


class Subclassed(threading.Thread):
    def run(self):
        helper("thread", "run", "thread_subclass")


def thread_target():
    helper("thread", "thread_target")


def timer_function():
    here("thread")


def in_executor():
    helper("executor", "in_executor")


def threads():
    for thread in (Subclassed(), threading.Thread(target=thread_target), threading.Timer(0, timer_function),
                   threading.Thread(target=functools.partial(thread_target))):
        thread.start()
        thread.join()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(in_executor).result()
        list(pool.map(lambda x: here("executor", "<lambda>", "executor_map"), [1]))


async def child_task():
    await nested_coroutine("child_task")


async def nested_coroutine(handler):
    helper("task", handler, "nested_coroutine")


def callback():
    helper("task", "callback")


class Protocol(asyncio.Protocol):
    """Called through methods of asyncio's transport, or directly by the loop like a task: connection_made, and all by uvloop, which has no frames."""

    def connection_made(self, transport):
        here("task")

    def data_received(self, data):
        helper("task" if recorder.suite == "uvloop" else "callback", "data_received")

    def connection_lost(self, exc):
        here("task" if recorder.suite == "uvloop" else "callback")


async def async_iterate():
    yield here("task", "main")


async def client_connected(reader, writer):
    await reader.read(1)
    here("task")
    writer.close()


async def main():
    loop = asyncio.get_running_loop()
    here("task")
    await nested_coroutine("main")
    async for _ in async_iterate():
        pass
    await asyncio.gather(child_task(), asyncio.ensure_future(child_task()))
    await asyncio.wait_for(child_task(), 5) if sys.version_info < (3, 12) else None
    loop.call_soon(callback)
    loop.call_later(0.001, callback)
    await loop.run_in_executor(None, in_executor)
    if hasattr(asyncio, "to_thread"):
        await asyncio.to_thread(in_executor)
    a, b = socket.socketpair()
    loop.add_reader(a.fileno(), readable, loop, a)
    b.send(b"x")
    await asyncio.sleep(0.02)
    transport, _ = await loop.create_connection(Protocol, sock=a)
    b.send(b"x")
    await asyncio.sleep(0.02)
    transport.close()
    server = await asyncio.start_server(client_connected, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"x")
    await asyncio.sleep(0.02)
    writer.close()
    server.close()
    try:
        import anyio.to_thread
    except ImportError:
        return
    await anyio.to_thread.run_sync(in_executor)
    async with anyio.create_task_group() as group:
        group.start_soon(child_task)


def readable(loop, sock):
    sock.recv(1)
    loop.remove_reader(sock.fileno())
    here("task")
