# SPDX-License-Identifier: MIT
"""Threads that run event loops, threads that only look like it, and names that change.

    python roles_truth.py --loop asyncio|uvloop

The main thread, `loop two` and `петля 3` run loops, which tick; `again` runs one, pauses, and runs
another one; `poller` waits with an epoll descriptor of its own for an eventfd, like a loop, but is
none; `worker` is called `renamed` when it is told to `rename`. Commands, each answered with one
line:

    roles         {tid: {"name": str, "loops": "asyncio" | "uvloop" | null}} as one line of JSON
    again         `again` stops its loop and starts another one
    rename        the worker changes its name
    task N        a task that is named N blocks the main thread's loop for TASK_S
    marks         all marks

Standard library only, Python 3.8 and later.
"""

import argparse
import asyncio
import contextlib
import ctypes
import json
import os
import select
import sys
import threading
import time

import marks

TICK_S = 0.01
TASK_S = 0.03


class Roles:
    def __init__(self, kind):
        self.kind, self.rows, self.marks = kind, {}, marks.Marks()
        self.restart, self.rename = threading.Event(), threading.Event()
        self.restarted, self.renamed = threading.Event(), threading.Event()
        self.note("MainThread", kind)

    def note(self, name, loops):
        self.rows[str(threading.get_native_id())] = {"name": name, "loops": loops}

    def run_loop(self, coroutine, kind=None):
        """As asyncio.run, on a loop of that kind."""
        if (kind or self.kind) == "uvloop":
            import uvloop

            loop = uvloop.new_event_loop()
        else:
            loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(coroutine)
        finally:
            loop.close()

    def start(self, target, name, loops=None):
        def run():
            self.note(name, loops)
            target()

        threading.Thread(target=run, name=name, daemon=True).start()

    # ── threads

    async def tick(self, until=None):
        while not (until and until.is_set()):
            await asyncio.sleep(TICK_S)

    def other_loop(self):
        self.run_loop(self.tick())

    def asyncio_loop(self):
        self.run_loop(self.tick(), "asyncio")

    def loop_again(self):
        self.run_loop(self.tick(self.restart))
        time.sleep(5 * TICK_S)
        self.restarted.set()
        self.run_loop(self.tick())

    def poller(self):
        """Does all that a loop does with the kernel."""
        event = ctypes.CDLL(None).eventfd(0, 0)
        with select.epoll() as poll:
            poll.register(event, select.EPOLLIN)
            while True:
                poll.poll(TICK_S)

    def worker(self):
        while True:
            time.sleep(TICK_S)
            if self.rename.is_set() and not self.renamed.is_set():
                threading.current_thread().name = "renamed"
                self.renamed.set()

    # ── commands

    async def serve(self):
        loop, lines = asyncio.get_running_loop(), asyncio.Queue()
        loop.add_reader(
            0,
            lambda: [
                lines.put_nowait(line) for line in os.read(0, 4096).decode().splitlines() or [""]
            ],
        )
        self.start(self.other_loop, "loop two", self.kind)
        self.start(self.asyncio_loop, "петля 3", "asyncio")
        self.start(self.loop_again, "again", self.kind)
        self.start(self.poller, "poller")
        self.start(self.worker, "worker")
        while len(self.rows) < 6:
            await asyncio.sleep(TICK_S)
        print("ready", flush=True)
        with contextlib.suppress(EOFError):
            while True:
                print(await self.answer(*(await lines.get()).split(" ", 1)), flush=True)

    async def answer(self, command, argument=None):
        if command == "roles":
            return json.dumps(self.rows)
        if command == "marks":
            return json.dumps(self.marks.rows())
        if command == "again":
            self.restart.set()
            await self.until(self.restarted)
        elif command == "rename":
            self.rename.set()
            await self.until(self.renamed)
        elif command == "task":
            task = asyncio.ensure_future(self.block(argument))
            task.set_name(argument)
            await task
        else:
            raise EOFError
        return "ok"

    async def until(self, event):
        while not event.is_set():
            await asyncio.sleep(TICK_S)

    async def block(self, name):
        await asyncio.sleep(2 * TICK_S)
        with self.marks.mark(name, "blocked"):
            time.sleep(TASK_S)
        await asyncio.sleep(2 * TICK_S)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    roles = Roles(parser.parse_args().loop)
    roles.run_loop(roles.serve())


if __name__ == "__main__":
    sys.exit(main())
