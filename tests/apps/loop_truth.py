# SPDX-License-Identifier: MIT
"""A bare event loop that does known work and marks it: the reference for the edges of stalls, with
no framework in between.

    python loop_truth.py --loop asyncio|uvloop

Reads commands from standard input, one a line, and answers each with one line when it is done:

    NAME          the work of that name (work.py) in a turn of its own
    short N       N turns with a sleep of SHORT_S each, with pauses between
    threads N     starts N threads that pass the GIL around: they sleep and look at files
    yield N       starts N threads that give up the GIL and take it again as fast as they can
    cycles        how often these did that so far
    marks         all marks as one line of JSON

With polls.c preloaded the marks also say when the poll before them returned and when the next one
was entered.

A mark's first instant is the first thing in the only callback of its turn, and its last instant the
last: before each piece of work the loop makes one turn with nothing to wait for, so the turn of the
work begins when a poll returns at once, not with a wake-up.
"""

import argparse
import asyncio
import bisect
import ctypes
import json
import os
import sys
import threading
import time

import marks
import work

SHORT_S = 0.012
cycles = {}  # of each thread of `yield`
PAUSE_S = 0.008


class Poll(ctypes.Structure):
    _fields_ = [("entered_ns", ctypes.c_uint64), ("returned_ns", ctypes.c_uint64)]


def note_turns(rows):
    """Adds to the short marks where their turns began and ended, as polls.c saw it; nothing when
    that is not loaded."""
    try:
        count = ctypes.c_uint64.in_dll(ctypes.CDLL(None), "polls_count").value
    except ValueError:
        return
    polls = (Poll * count).in_dll(ctypes.CDLL(None), "polls")
    returned = [poll.returned_ns for poll in polls]
    for row in rows:
        after = bisect.bisect(returned, row["t0_ns"])
        if row["name"] == "short" and 0 < after < count:
            row["turn_t0_ns"], row["turn_t1_ns"] = returned[after - 1], polls[after].entered_ns


class Server:
    def __init__(self, loop):
        self.loop, self.marks = loop, marks.Marks()

    def read(self):
        line = os.read(0, 4096)
        if not line:
            self.loop.stop()
        for command in line.decode().splitlines():
            self.execute(command)

    def execute(self, command):
        name, _, number = command.partition(" ")
        if name == "marks":
            rows = self.marks.rows()
            note_turns(rows)
            self.answer(json.dumps(rows))
        elif name == "cycles":
            self.answer(json.dumps(sum(cycles.values())))
        elif name in ("threads", "yield"):
            with self.marks.mark(
                name, "gil_wait"
            ):  # a slow machine takes as long for it as for a stall
                for _ in range(int(number)):
                    threading.Thread(
                        target=mixed if name == "threads" else yielding, daemon=True
                    ).start()
            self.answer("ok")
        elif name == "short":
            self.short(int(number))
        else:
            self.in_own_turn(self.work, name)

    def in_own_turn(self, function, *arguments):
        """Two hops, because uvloop runs what the first one schedules before it polls, asyncio
        after."""
        self.loop.call_soon(self.loop.call_soon, function, *arguments)

    def work(self, name):
        def done():
            self.answer("ok")

        if work.WORK[name].callbacks > 1:
            work.run_callbacks(self.loop, self.marks, name, done)
        else:
            work.run(self.marks, name, "callback")
            self.loop.call_soon(done)

    def short(self, count):
        def sleep():
            with self.marks.mark(
                "short", "blocked", place=where, handler=marks.handler(sleep, "callback")
            ):
                self.loop.call_later(SHORT_S + PAUSE_S, self.short, count - 1)
                time.sleep(SHORT_S)

        where = marks.place(sleep, "time.sleep(")
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
    me = threading.get_ident()
    cycles[me] = 0
    while True:
        os.sched_yield()
        cycles[me] += 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    if parser.parse_args().loop == "uvloop":
        import uvloop

        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    server = Server(loop)
    loop.add_reader(0, server.read)
    server.answer("ready")
    loop.run_forever()


if __name__ == "__main__":
    main()
