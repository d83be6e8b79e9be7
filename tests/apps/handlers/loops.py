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
    for thread in (
        Subclassed(),
        threading.Thread(target=thread_target),
        threading.Timer(0, timer_function),
        threading.Thread(target=functools.partial(thread_target)),
    ):
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
    """Called through methods of asyncio's transport, or directly by the loop like a task:
    connection_made, and all by uvloop, which has no frames."""

    def connection_made(self, transport):
        here("task")

    def data_received(self, data):
        helper("task" if recorder.suite == "uvloop" else "callback", "data_received")

    def eof_received(self):
        here("task" if recorder.suite == "uvloop" else "callback")

    def connection_lost(self, exc):
        here("task" if recorder.suite == "uvloop" else "callback")


class Buffered(asyncio.BufferedProtocol):
    def get_buffer(self, sizehint):
        here("task" if recorder.suite == "uvloop" else "callback")
        return bytearray(8)

    def buffer_updated(self, nbytes):
        here("task" if recorder.suite == "uvloop" else "callback")


class Datagrams(asyncio.DatagramProtocol):
    def datagram_received(self, data, address):
        here("task" if recorder.suite == "uvloop" else "callback")


async def transports(loop):
    a, b = socket.socketpair()
    transport, _ = await loop.create_connection(Protocol, sock=a)
    b.send(b"x")
    await asyncio.sleep(0.02)
    b.close()
    await asyncio.sleep(0.02)
    a, b = socket.socketpair()
    transport, _ = await loop.create_connection(Buffered, sock=a)
    b.send(b"x")
    await asyncio.sleep(0.02)
    transport.close()
    b.close()
    transport, _ = await loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", 0))
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.sendto(b"x", transport.get_extra_info("sockname"))
    await asyncio.sleep(0.02)
    sender.close()
    transport.close()


def own_loop():
    """A loop that the application runs itself."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(child_task())
    loop.close()


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
    await transports(loop)
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
