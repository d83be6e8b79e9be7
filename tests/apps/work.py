# SPDX-License-Identifier: MIT
"""Work whose effect on the thread that does it is known: one function for every cause of a stall.

Used by truth.py (FastAPI) and loop_truth.py (a bare event loop). Standard library only, Python 3.8
and later. Every function takes about TAKES_NS, well above the thresholds the tests use, and gets
the Mark it runs under, so that it can add what only it knows.

The causes are the words of gilscope's report: python, native, gil_wait, held_blocked, blocked.
"""

import ctypes
import hashlib
import http.client
import os
import queue
import re
import select
import subprocess
import sys
import tempfile
import threading
import time
import zlib

from marks import caller, handler, inner, place

TAKES_S = 0.12
TAKES_NS = int(TAKES_S * 1e9)

# Libraries through PyDLL are called with the GIL held (CDLL releases it).
LIBC_KEEPING_GIL = ctypes.PyDLL(None)


# What the causes are where the GIL is switched off: nobody has it, so nobody waits for it.
WITHOUT_GIL = {"python": "native", "held_blocked": "blocked"}


def gil_is_on():
    return getattr(sys, "_is_gil_enabled", lambda: True)()


class Helper:
    """A worker thread that runs functions handed to it, one after another."""

    def __init__(self):
        self._queue = queue.SimpleQueue()
        threading.Thread(target=self.serve, name="helper", daemon=True).start()

    def serve(self):
        while True:
            self._queue.get()()

    def submit(self, function):
        self._queue.put(function)


def best_of(function, tries=3):
    """The shortest of a few runs in seconds: what the work costs when nobody disturbs."""
    durations = []
    for _ in range(tries):
        begin = time.perf_counter()
        function()
        durations.append(time.perf_counter() - begin)
    return min(durations)


# A search that fails at every position after having run to the end: n²/2 steps inside one call into
# C that never lets go of the GIL.
PATTERN = re.compile("a*b")
# pbkdf2_hmac and compress release the GIL while they compute. Sizes that take TAKES_S follow from a
# short trial.
TEXT = "a" * int(5000 * (TAKES_S / best_of(lambda: PATTERN.search("a" * 5000))) ** 0.5)
ROUNDS = int(
    20000 * TAKES_S / best_of(lambda: hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", 20000))
)
SAMPLE = bytes(range(256)) * 4096
BUFFER = SAMPLE * max(1, round(TAKES_S / best_of(lambda: zlib.compress(SAMPLE, 9))))
# os.fsync on some disks returns at once, so this repeats until the time is used up.
BLOCK = os.urandom(8 << 20)

SLOW_PORT = int(
    os.environ.get("TRUTH_SLOW_PORT", "0")
)  # a server in another process that answers after TAKES_S
helper = Helper()


# ── blocked: asleep without the GIL ───────────────────────────────────────────────────────────────


def time_sleep(mark):
    time.sleep(TAKES_S)


def socket_wait(mark):
    """What requests and urllib do: connect, send, and sit in recv until the other side has an
    answer."""
    connection = http.client.HTTPConnection("127.0.0.1", SLOW_PORT)
    connection.request("GET", "/")
    connection.getresponse().read()
    connection.close()


def file_fsync(mark):
    """Sleeps as far as the disk makes it sleep; the rest is the kernel's own work, on a CPU and
    without the GIL."""
    end = time.monotonic_ns() + TAKES_NS
    with tempfile.TemporaryFile(dir=os.environ.get("TRUTH_DISK", "/var/tmp"), buffering=0) as file:
        while time.monotonic_ns() < end:
            os.pwrite(file.fileno(), BLOCK, 0)
            os.fsync(file.fileno())


def pipe_read(mark):
    reader, writer = os.pipe()

    def feed():
        time.sleep(TAKES_S)
        os.write(writer, b"x")

    helper.submit(feed)
    os.read(reader, 1)
    os.close(reader)
    os.close(writer)


def lock_wait(mark):
    """Another thread keeps the lock while it sleeps; the GIL is free all the time."""
    lock, taken = threading.Lock(), threading.Event()

    def keep():
        with lock:
            taken.set()
            time.sleep(TAKES_S)

    helper.submit(keep)
    taken.wait()
    with lock:
        pass


def subprocess_run(mark):
    subprocess.run(["sleep", str(TAKES_S)], check=True)


def nested_epoll(mark):
    """Five waits on a descriptor of its own inside one turn of the loop: not a turn of anything."""
    reader, writer = os.pipe()
    with select.epoll() as inner:
        inner.register(reader, select.EPOLLIN)
        for _ in range(5):
            inner.poll(TAKES_S / 5)
    os.close(reader)
    os.close(writer)


# ── python, held_blocked, native ──────────────────────────────────────────────────────────────────


def python_loop(mark):
    """Bytecode until TAKES_S of CPU time is used: longer when somebody takes the CPU away."""
    end = time.thread_time_ns() + TAKES_NS
    while time.thread_time_ns() < end:
        for _ in range(2000):
            pass


def regex(mark):
    PATTERN.search(TEXT)


def small_step(mark):
    end = time.monotonic_ns() + TAKES_NS // 10
    while time.monotonic_ns() < end:
        pass


def sleep_keeping_gil(mark):
    LIBC_KEEPING_GIL.usleep(TAKES_NS // 1000)


def pbkdf2(mark):
    hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", ROUNDS)


def compress(mark):
    zlib.compress(BUFFER, 9)


# ── gil_wait: somebody else has the GIL ───────────────────────────────────────────────────────────


def hog_python(mark):
    """A thread that only computes gives the GIL up every 5 ms when asked. Who needs it again and
    again waits 5 ms again and again."""
    stop = []

    def hog():
        mark.blocker = threading.get_native_id()
        while not stop:
            pass

    helper.submit(hog)
    end = time.monotonic_ns() + TAKES_NS
    while time.monotonic_ns() < end:
        time.sleep(0.0001)
    stop.append(True)


def _hogged(mark, keep):
    started = threading.Event()

    def hog():
        mark.blocker = threading.get_native_id()
        mark.from_ns = time.monotonic_ns()
        started.set()
        keep(mark)

    helper.submit(hog)
    started.wait()


def hog_regex(mark):
    """C code in a worker thread keeps the GIL for the whole call, drop requests or not."""
    _hogged(mark, regex)


def hog_asleep(mark):
    """The same, but the worker sleeps with the GIL in its hand."""
    _hogged(mark, sleep_keeping_gil)


class Work:
    """cause: what the report must say. syscalls: names of which one must lead its list. blocker:
    the state that the blocker must mostly be in.

    slack: share of the mark that may belong to another state by the work's own construction.
    callbacks: how often it is scheduled into one turn. at: text of the line where nearly all of the
    time goes by, else it is any line of the function; `function` may be named if it is another one.
    holder: place of who has the GIL meanwhile.
    """

    def __init__(
        self,
        work,
        cause,
        *syscalls,
        blocker=None,
        slack=0.0,
        callbacks=1,
        at=None,
        function=None,
        holder=None,
    ):
        self.name, self.function, self.cause, self.syscalls = work.__name__, work, cause, syscalls
        self.blocker, self.slack, self.callbacks = blocker, slack, callbacks
        self.place = place(function or work, at)
        self.holder = holder and {"place": holder, "handler": handler(Helper.serve, "thread")}

    def cause_here(self):
        """The cause in this process as it is now."""
        return self.cause if gil_is_on() else WITHOUT_GIL.get(self.cause, self.cause)


WORK = {
    work.name: work
    for work in (
        Work(
            time_sleep, "blocked", "clock_nanosleep", "select", "pselect6", at="time.sleep("
        ),  # select before Python 3.11
        Work(socket_wait, "blocked", "recvfrom", slack=0.1, at=".getresponse()"),
        Work(file_fsync, "native|blocked", slack=1.0),
        Work(pipe_read, "blocked", "read", at="os.read("),
        Work(lock_wait, "blocked", "futex", at="with lock:"),
        Work(subprocess_run, "blocked", "wait4", slack=0.25, at="subprocess.run("),
        Work(nested_epoll, "blocked", "epoll_wait", "epoll_pwait", at="inner.poll("),
        Work(python_loop, "python"),
        Work(regex, "python", at="PATTERN.search("),
        Work(small_step, "python", callbacks=10),
        Work(sleep_keeping_gil, "held_blocked", "clock_nanosleep", "nanosleep", at=".usleep("),
        Work(pbkdf2, "native", at=".pbkdf2_hmac("),
        Work(compress, "native", at="zlib.compress("),
        Work(
            hog_python,
            "gil_wait",
            blocker="python",
            slack=0.15,
            holder=place(inner(hog_python, "hog")),
        ),
        Work(
            hog_regex,
            "gil_wait",
            blocker="python",
            function=_hogged,
            holder=place(regex, ".search("),
        ),
        Work(
            hog_asleep,
            "gil_wait",
            blocker="held_blocked",
            function=_hogged,
            holder=place(sleep_keeping_gil, ".usleep("),
        ),
    )
}


def run(marks, name, role):
    """Does the work here and now, under its mark. The caller is the handler, in that role."""
    work = WORK[name]
    with marks.mark(
        name, work.cause_here(), place=work.place, handler=caller(role), holder=work.holder
    ) as mark:
        work.function(mark)


def run_callbacks(loop, marks, name, done):
    """Schedules the work's callbacks at once, so that the loop runs them all in one turn, under one
    mark; then calls done()."""
    work = WORK[name]

    def step(number):
        if number == 0:
            mark.__enter__()
        work.function(mark)
        if number == work.callbacks - 1:
            mark.__exit__(None, None, None)
            loop.call_soon(done)

    mark = marks.mark(name, work.cause_here(), place=work.place, handler=handler(step, "callback"))
    for number in range(work.callbacks):
        loop.call_soon(step, number)
