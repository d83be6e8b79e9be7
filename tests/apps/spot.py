# SPDX-License-Identifier: MIT
"""A place in the code that writes down its own Python stack and stays there for a while.

A row is {"shape", "kind", "fleeting", "tid", "t0_ns", "t1_ns", "stack": [[function, file, line],
…]}, innermost frame first; for gil_wait it has "hog_ns" and "hog_end_ns", between which the other
thread is at its place. Between t0_ns and t1_ns the thread is in a call into C that the innermost
frame makes, or on the last steps of `note` or the first ones of `done`, which have frames of their
own.
"""

import functools
import hashlib
import os
import sys
import threading
import time

import marks
import work

PAUSE_S = 0.005
SHORT_S = 0.006
COMPUTES_S = 0.020
HOGS_S = 0.020


def sized(search_s):
    return "a" * int(len(work.TEXT) * (search_s / work.TAKES_S) ** 0.5)


def stack_of(frame):
    stack = []
    while frame:
        stack.append([marks.name_of(frame.f_code), frame.f_code.co_filename, frame.f_lineno])
        frame = frame.f_back
    return stack


class Spot:
    """What the shapes do at their innermost place, on one line: (spot.note(), spot.act(),
    spot.done()).

    `act` is a callable without a Python frame of its own, another one for every kind:

    sleep       time.sleep
    read        waits for a pipe
    gil_wait    asleep on a lock first, then another thread has the GIL
    held        computes with the GIL, which another thread waits for
    native      computes without the GIL
    """

    def __init__(self):
        self.kind, self.shape, self.rows, self.new_loop, self._open = None, None, [], None, False
        self._begin, self._want_it, self._gate = (
            threading.Semaphore(0),
            threading.Semaphore(0),
            threading.Lock(),
        )
        self._gate.acquire()
        self._reader, self._writer = os.pipe()
        self._short, self._long = sized(COMPUTES_S), sized(HOGS_S)
        rounds = int(work.ROUNDS * COMPUTES_S / work.TAKES_S)
        self._acts = {
            "sleep": functools.partial(time.sleep, SHORT_S),
            "read": functools.partial(os.read, self._reader, 1),
            "gil_wait": self._gate.acquire,
            "held": functools.partial(work.PATTERN.search, self._short),
            "native": functools.partial(hashlib.pbkdf2_hmac, "sha256", b"secret", b"salt", rounds),
        }
        self.waiter, self.hog, self.hog_tid, self._row = 0, None, 0, None
        threading.Thread(target=self._hog, daemon=True).start()
        threading.Thread(target=self._want, daemon=True).start()

    def _hog(self):
        """Serves gil_wait and read."""
        while True:
            self._begin.acquire()
            if self.kind == "read":
                time.sleep(SHORT_S)
                os.write(self._writer, b"x")
            else:
                release, search = self._gate.release, work.PATTERN.search
                # one line, whichever of these calls is the innermost one
                self._hog_begins(), release(), search(self._long), self._hog_ends()

    def _hog_begins(self):
        self._row = self.rows[-1]
        self._row["hog_ns"] = time.monotonic_ns()
        self.hog_tid = threading.get_native_id()
        self.hog = stack_of(sys._getframe(1))

    def _hog_ends(self):
        self._row["hog_end_ns"] = time.monotonic_ns()

    def _want(self):
        """Serves held: wants the GIL as soon as it wakes up."""
        self.waiter = threading.get_native_id()
        while True:
            self._want_it.acquire()

    def note(self, below=0):
        """`below`: the call follows so many lines further down."""
        stack = stack_of(sys._getframe(1))
        noted = stack[0][2]
        stack[0][2] += below
        self.act = self._acts[self.kind]
        self._open = True
        if self.kind in ("read", "gil_wait"):
            self._begin.release()
        elif self.kind == "held":
            self._want_it.release()
        row = {
            "shape": self.shape,
            "kind": self.kind,
            "fleeting": self.shape in FLEETING,
            "tid": threading.get_native_id(),
            "stack": stack,
            "noted": noted,
        }
        self.rows.append(row)
        row["t0_ns"] = time.monotonic_ns()

    def done(self):
        self.rows[-1]["t1_ns"] = time.monotonic_ns()
        self._open = False

    def run_loop(self, coroutine):
        """As asyncio.run, on the loop that was asked for."""
        loop = self.new_loop()
        try:
            return loop.run_until_complete(coroutine)
        finally:
            loop.close()

    def run(self, shape, kind):
        self.shape, self.kind, count = shape.__name__, kind, len(self.rows)
        shape()
        if self._open or len(self.rows) != count + 1:
            raise RuntimeError(f"{shape.__name__} was not at its place exactly once")
        time.sleep(PAUSE_S)


SHAPES = []
spot = Spot()


def shape(function):
    """Declares a function that is at its place once."""
    SHAPES.append(function)
    return function


def fleeting(function):
    """A shape some of whose code is freed as soon as it has run, perhaps before anybody could look
    it up."""
    FLEETING.add(function.__name__)
    return shape(function)


FLEETING, KEPT = set(), []


def kept(code):
    """Code that is not freed."""
    KEPT.append(code)
    return code
