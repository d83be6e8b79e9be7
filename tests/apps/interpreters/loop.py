# SPDX-License-Identifier: MIT
"""The loop of truth.py, as it runs in each sub-interpreter. Only modules that every interpreter can
import."""

import asyncio
import itertools
import json
import os
import threading
import time

WORK_NS = 120_000_000
HOG_NS = 150_000_000
TRIAL = 100_000
LETTERS = {"nap": b"n", "spin": b"s", "starve": b"g", "end": b"q"}


class Mark:
    def __init__(self, interpreter, name):
        self.interpreter, self.name = interpreter, name
        self.tid = threading.get_native_id()

    def __enter__(self):
        self.t0_ns = time.monotonic_ns()
        return self

    def __exit__(self, kind, value, traceback):
        self.t1_ns = time.monotonic_ns()

    def row(self):
        return vars(self)


def trial_ns():
    begin = time.monotonic_ns()
    sum(itertools.repeat(1, TRIAL))
    return time.monotonic_ns() - begin


def keep_gil(length_ns):
    """One call that does not release it, and takes about so long, or longer: the fastest trial is
    the one that was not interrupted."""
    sum(itertools.repeat(1, TRIAL * length_ns // min(trial_ns() for _ in range(5))))


class Loop:
    def __init__(self, name, out, commands):
        self._name, self._out, self._commands = name, out, commands

    def _say(self, **row):
        os.write(self._out, (json.dumps({"interpreter": self._name, **row}) + "\n").encode())

    def _mark(self, name):
        return Mark(self._name, name)

    def nap(self):
        time.sleep(WORK_NS / 1e9)

    def spin(self):
        end = time.monotonic_ns() + WORK_NS
        while time.monotonic_ns() < end:
            pass

    def _hog(self, done):
        with self._mark("hog") as mark:
            keep_gil(HOG_NS)
        self._say(**mark.row())
        done.append(True)

    def starve(self):
        done = []
        thread = threading.Thread(target=self._hog, args=(done,))
        thread.start()
        while not done:
            time.sleep(0.0001)
        thread.join()

    def _obey(self):
        letter = os.read(self._commands, 1)
        name = next(name for name, found in LETTERS.items() if found == letter)
        if name == "end":
            return self._stop.set()
        with self._mark(name) as mark:
            getattr(self, name)()
        self._say(**mark.row())
        # in a turn of its own: what is done next begins another one
        asyncio.get_running_loop().call_later(0.02, lambda: self._say(answer="done"))

    async def main(self):
        self._stop = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._commands, self._obey)
        asyncio.get_running_loop().call_later(0.1, lambda: self._say(answer="ready"))
        await self._stop.wait()


def run(name, out, commands):
    loop = Loop(name, out, commands)
    asyncio.run(loop.main())
    loop._say(answer="end")
