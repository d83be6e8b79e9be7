# SPDX-License-Identifier: MIT
"""A bare event loop like loop_truth.py that says whose work it was: waits for many holders, turns
of many tasks, garbage, and totals.

    python names_truth.py --loop asyncio|uvloop

Commands beside those of loop_truth.py, each answered with one line:

    waits N       N waits for the GIL of 15 to 40 ms each, caused by HOLDERS in turn, in threads of
                  their own and in a pool
    long N        the same, of 200 to 300 ms each
    crowd N       N times CROWD threads compute while the loop wants the GIL again and again
    turns N       N turns, each with ten tasks of PART_S that became ready together
    blocks N      N callbacks each of the functions that sleep and that compute
    garbage G     makes garbage and collects generation G in one callback; -1: makes so much that
                  the collector comes by itself
    collections   what gc.callbacks saw, as one line of JSON: [[tid, t0_ns, t1_ns, generation], …]

Standard library only, Python 3.8 and later.
"""

import argparse
import asyncio
import concurrent.futures
import gc
import itertools
import json
import random
import sys
import threading
import time

import loop_truth
import marks
import work

PAUSE_S = 0.008
PART_S = 0.012
SLEEPS_S, COMPUTES_S = 0.03, 0.06
CROWD_S = 0.1
SHORT_S, LONG_S = (0.015, 0.04), (0.2, 0.3)


# ── holders: each keeps the GIL in one call into C, after which there is nothing to clean up ──────


def per_second(function, argument):
    return argument / work.best_of(lambda: function(argument))


def smallest(count):
    min(itertools.islice(ROWS, count))


def count_letters(count):
    LETTERS.count("ba", 0, count)


ROWS = list(range(1000)) * 40_000
LETTERS = "ab" * 60_000_000
SUM_RATE = per_second(lambda count: sum(range(count)), 200_000)
SMALLEST_RATE = per_second(smallest, 200_000)
LETTERS_RATE = per_second(count_letters, 2_000_000)


def compare_text(job):
    job.begin()
    work.PATTERN.search(job.text)


def add_up(job):
    job.begin()
    sum(range(int(SUM_RATE * job.takes_s)))


def find_smallest(job):
    job.begin()
    smallest(int(SMALLEST_RATE * job.takes_s))


def count_occurrences(job):
    job.begin()
    count_letters(int(LETTERS_RATE * job.takes_s))


def sleep_with_it(job):
    job.begin()
    work.LIBC_KEEPING_GIL.usleep(int(job.takes_s * 1e6))


class Ledger:
    def close(self, job):
        job.begin()
        [sum(range(int(SUM_RATE * job.takes_s)))]


HOLDERS = {
    compare_text: marks.place(compare_text, ".search("),
    add_up: marks.place(add_up, "sum("),
    find_smallest: marks.place(smallest, "min("),
    count_occurrences: marks.place(count_letters, ".count("),
    sleep_with_it: marks.place(sleep_with_it, ".usleep("),
    Ledger().close: marks.place(Ledger.close, "sum("),
}


class Job:
    """One hold of the GIL. The loop waits for `gate`, which opens when the holder has the GIL and
    is about to keep it.

    The holder is let `go` when it is in its own function. A thread that has just been started keeps
    the GIL from its parent, too: then the wait begins in the code that starts threads, and the
    period of the sampling clock until the holder is seen again, 5 ms, is nobody's.
    """

    def __init__(self, takes_s):
        self.takes_s, self.mark = takes_s, None
        self.go, self.gate = threading.Lock(), threading.Lock()
        self.text = "a" * int(len(work.TEXT) * (takes_s / work.TAKES_S) ** 0.5)
        self.go.acquire()
        self.gate.acquire()

    def begin(self):
        self.go.acquire()
        self.mark.blocker = threading.get_native_id()
        self.mark.from_ns = time.monotonic_ns()
        self.gate.release()


# ── crowd: threads that only compute ──────────────────────────────────────────────────────────────


def crowd_red(end_ns, tids):
    tids[threading.get_native_id()] = "crowd_red"
    while time.monotonic_ns() < end_ns:
        pass


def crowd_green(end_ns, tids):
    tids[threading.get_native_id()] = "crowd_green"
    while time.monotonic_ns() < end_ns:
        pass


def crowd_blue(end_ns, tids):
    tids[threading.get_native_id()] = "crowd_blue"
    while time.monotonic_ns() < end_ns:
        pass


CROWD = (crowd_red, crowd_green, crowd_blue)


# ── what a turn consists of ───────────────────────────────────────────────────────────────────────


def busy(seconds):
    end = time.thread_time_ns() + int(seconds * 1e9)
    while time.thread_time_ns() < end:
        pass


async def part_alpha(server, go):
    await go.wait()
    server.part(part_alpha)


async def part_beta(server, go):
    await go.wait()
    server.part(part_beta)


async def part_gamma(server, go):
    await go.wait()
    server.part(part_gamma)


async def part_delta(server, go):
    await go.wait()
    server.part(part_delta)


async def part_epsilon(server, go):
    await go.wait()
    server.part(part_epsilon)


PARTS = (part_alpha, part_beta, part_gamma, part_delta, part_epsilon)


class Node:
    def __init__(self):
        self.me = self


class Server(loop_truth.Server):
    def __init__(self, loop):
        super().__init__(loop)
        self.pool, self.random = concurrent.futures.ThreadPoolExecutor(2), random.Random(7)
        self.collections, self.alive = [], []
        gc.callbacks.append(self.note_collection)

    def execute(self, command):
        name, _, number = command.partition(" ")
        if name in ("waits", "long"):
            takes_s = SHORT_S if name == "waits" else LONG_S
            self.repeat(
                self.wait,
                zip(
                    range(int(number)), itertools.cycle(HOLDERS.items()), itertools.repeat(takes_s)
                ),
            )
        elif name == "crowd":
            self.repeat(self.crowd, range(int(number)))
        elif name == "turns":
            self.turns = self.loop.create_task(self.all_turns(int(number)))
        elif name == "blocks":
            self.repeat(None, [self.block_by_sleeping, self.block_by_computing] * int(number))
        elif name == "garbage":
            self.make_garbage(int(number))
        elif name == "collections":
            self.answer(json.dumps(self.collections))
        else:
            super().execute(command)

    def repeat(self, step, arguments):
        """Each step in a turn of its own, with pauses between; then the answer. Without a step the
        arguments are callbacks themselves."""
        arguments = iter(arguments)

        def following():
            for argument in arguments:
                # one turn schedules the step's own turn, and what comes in the turn after that
                self.loop.call_soon(
                    self.loop.call_soon, *([step, argument] if step else [argument])
                )
                self.loop.call_soon(
                    self.loop.call_soon,
                    self.loop.call_soon,
                    self.loop.call_later,
                    PAUSE_S,
                    following,
                )
                return
            self.answer("ok")

        following()

    # ── waits

    def wait(self, numbered):
        number, (function, place), takes_s = numbered
        job = Job(self.random.uniform(*takes_s))
        code = getattr(function, "__func__", function)
        holder = {
            "place": place,
            "handler": marks.handler(code, "thread" if number % 2 else "executor"),
        }
        if number % 2:
            threading.Thread(target=function, args=(job,), name=f"worker {number}").start()
        else:
            self.pool.submit(function, job)
        with self.marks.mark(
            "wait", "gil_wait", place=self.wait_place, handler=self.wait_handler, holder=holder
        ) as job.mark:
            job.go.release()
            job.gate.acquire()

    def crowd(self, number):
        """They compute until a time that has been set, and the loop has to stand in line whenever
        it has slept."""
        tids, end_ns = {}, time.monotonic_ns() + int(CROWD_S * 1e9)
        threads = [threading.Thread(target=function, args=(end_ns, tids)) for function in CROWD]
        for thread in threads:
            thread.start()
        with self.marks.mark(
            "crowd", "gil_wait", place=self.crowd_place, handler=self.crowd_handler
        ) as mark:
            while time.monotonic_ns() < end_ns:
                time.sleep(0.0005)
        for thread in threads:
            thread.join()
        mark.holder = {
            str(tid): marks.handler(globals()[name], "thread") for tid, name in tids.items()
        }  # every one of them is to blame

    # ── turns

    async def all_turns(self, count):
        for turn in range(count):
            go = asyncio.Event()
            tasks = [self.loop.create_task(part(self, go)) for part in PARTS * 2]
            for number, task in enumerate(tasks):
                task.set_name(f"{PARTS[number % len(PARTS)].__name__} {number}")
            await asyncio.sleep(2 * PAUSE_S)
            go.set()
            await asyncio.gather(*tasks)
        await asyncio.sleep(PAUSE_S)
        self.answer("ok")

    def part(self, function):
        with self.marks.mark(
            function.__name__,
            "python",
            place=self.busy_place,
            handler=marks.handler(function, "task"),
        ):
            busy(PART_S)

    def block_by_sleeping(self):
        with self.marks.mark("block_by_sleeping", "blocked"):
            time.sleep(SLEEPS_S)

    def block_by_computing(self):
        with self.marks.mark("block_by_computing", "python"):
            busy(COMPUTES_S)

    # ── garbage

    def note_collection(self, phase, about):
        if phase == "start":
            self.collecting_since = time.monotonic_ns()
        else:
            self.collections.append(
                (
                    threading.get_native_id(),
                    self.collecting_since,
                    time.monotonic_ns(),
                    about["generation"],
                )
            )

    def make_garbage(self, generation):
        """What is alive makes the collector work, what is not gives it something to free."""
        gc.disable()
        if not self.alive:
            self.alive = [Node() for _ in range(150_000)]
        garbage = [] if generation < 0 else [Node() for _ in range(100_000)]
        self.in_own_turn(self.collect, generation, garbage)

    def collect(self, generation, garbage):
        with self.marks.mark(f"garbage {generation}", "python", handler=self.collect_handler):
            if generation < 0:
                gc.enable()
                garbage = [Node() for _ in range(150_000)]
                gc.disable()
            else:
                garbage.clear()
                gc.collect(generation)
        gc.enable()
        self.loop.call_soon(self.answer, "ok")

    busy_place = marks.place(busy)
    wait_place, wait_handler = marks.place(wait), marks.handler(wait, "callback")
    collect_handler = marks.handler(collect, "callback")
    crowd_place, crowd_handler = marks.place(crowd), marks.handler(crowd, "callback")


async def serve():
    loop = asyncio.get_running_loop()
    server = Server(loop)
    loop.add_reader(0, server.read)
    # what importing has left behind is not collected in the middle of what is measured
    gc.collect()
    gc.freeze()
    server.answer("ready")
    await loop.create_future()


def main():
    """As most programs do it, with asyncio.run: under uvloop that is what tells that a callback is
    one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    if parser.parse_args().loop == "asyncio":
        asyncio.run(serve())
        return
    import uvloop

    if sys.version_info < (3, 11):
        uvloop.install()
        asyncio.run(serve())
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve())


if __name__ == "__main__":
    main()
