# SPDX-License-Identifier: MIT
"""A bare event loop that does known work and marks it: the reference for the edges of stalls, with no framework in between.

    python loop_truth.py --loop asyncio|uvloop

Reads commands from standard input, one a line, and answers each with one line when it is done:

    NAME          the work of that name (work.py) in a turn of its own
    short N       N turns with a sleep of SHORT_S each, with pauses between
    threads N     starts N threads that pass the GIL around: they sleep and look at files
    yield N       starts N threads that give up the GIL and take it again as fast as they can
    marks         all marks as one line of JSON

With asyncio a mark also says when the poll before it returned and when the next one was entered, as the loop's own selector saw it.

A mark's first instant is the first thing in the only callback of its turn, and its last instant the last: before each piece of work the loop makes
one turn with nothing to wait for, so the turn of the work begins when a poll returns at once, not with a wake-up.
"""
import argparse
import asyncio
import json
import os
import selectors
import sys
import threading
import time

import marks
import work

SHORT_S = 0.012
PAUSE_S = 0.008


class WatchedSelector(selectors.EpollSelector):
    """Notes in the marks of a turn when the turn began and when it ended."""

    def __init__(self):
        super().__init__()
        self.marks, self._seen, self._returned_ns = [], 0, 0

    def select(self, timeout=None):
        entered_ns = time.monotonic_ns()
        for mark in self.marks[self._seen:]:
            mark.turn_t0_ns, mark.turn_t1_ns = self._returned_ns, entered_ns
        self._seen = len(self.marks)
        ready = super().select(timeout)
        self._returned_ns = time.monotonic_ns()
        return ready


class Server:
    def __init__(self, loop, truth):
        self.loop, self.marks = loop, truth

    def read(self):
        line = os.read(0, 4096)
        if not line:
            self.loop.stop()
        for command in line.decode().splitlines():
            self.execute(command)

    def execute(self, command):
        name, _, number = command.partition(" ")
        if name == "marks":
            self.answer(json.dumps(self.marks.rows()))
        elif name in ("threads", "yield"):
            for _ in range(int(number)):
                threading.Thread(target=mixed if name == "threads" else yielding, daemon=True).start()
            self.answer("ok")
        elif name == "short":
            self.short(int(number))
        else:
            self.in_own_turn(self.work, name)

    def in_own_turn(self, function, *arguments):
        """Two hops, because uvloop runs what the first one schedules before it polls, asyncio after."""
        self.loop.call_soon(self.loop.call_soon, function, *arguments)

    def work(self, name):
        def done():
            self.answer("ok")

        if work.WORK[name].callbacks > 1:
            work.run_callbacks(self.loop, self.marks, name, done)
        else:
            work.run(self.marks, name)
            self.loop.call_soon(done)

    def short(self, count):
        def sleep():
            with self.marks.mark("short", "blocked"):
                self.loop.call_later(SHORT_S + PAUSE_S, self.short, count - 1)
                time.sleep(SHORT_S)

        if count == 0:
            self.answer("ok")
        else:
            self.in_own_turn(sleep)

    @staticmethod
    def answer(text):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def mixed():
    while True:
        time.sleep(0.0005)
        for _ in range(20):
            os.stat("/")
        sum(range(2000))


def yielding():
    while True:
        os.sched_yield()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    truth = marks.Marks()
    if parser.parse_args().loop == "uvloop":
        import uvloop
        loop = uvloop.new_event_loop()
    else:
        selector = WatchedSelector()
        selector.marks = truth.all
        loop = asyncio.SelectorEventLoop(selector)
    server = Server(loop, truth)
    loop.add_reader(0, server.read)
    server.answer("ready")
    loop.run_forever()


if __name__ == "__main__":
    main()
