# SPDX-License-Identifier: MIT
"""Threads that want the GIL in every way that matters. Prints "ready", then reads commands from its
standard input, "NAME THREADS SECONDS", and answers each with "ok" when its threads have ended:

    compute      they only compute
    io           one computes, the others do short system calls, each of which releases the GIL
    interval     they only compute, with a switch interval of 10 us, and timers as precise as that
    convoy       they release the GIL for a short system call and take it again, as fast as they can
    asleep       one sleeps with the GIL (C code), again and again; the others want it
    stress       pairs of threads pass a lock back and forth, and compute a little while the other
                 one wakes up: many contended waits, and sleeps in locks around them
    release      they call C code that releases the GIL for some microseconds, as fast as they can:
                 with two threads as many contended waits as can be had
"""

import ctypes
import os
import sys
import threading
import time
import zlib

SWITCH_INTERVAL_S = sys.getswitchinterval()
LIBC_KEEPING_GIL = ctypes.PyDLL(None)
ASLEEP_US = 20_000
PR_SET_TIMERSLACK = 29


def compute(end):
    while time.monotonic() < end:
        for _ in range(1000):
            pass


def short_calls(end):
    while time.monotonic() < end:
        time.sleep(0.0005)
        for _ in range(20):
            os.stat("/")


def convoy(end):
    while time.monotonic() < end:
        for _ in range(50):
            os.stat("/")


def asleep(end):
    while time.monotonic() < end:
        LIBC_KEEPING_GIL.usleep(ASLEEP_US)
        time.sleep(0.001)


def release(end):
    data = bytes(6000)
    while time.monotonic() < end:
        for _ in range(100):
            zlib.crc32(data)


def pass_lock(end, mine, other):
    while time.monotonic() < end:
        if mine.acquire(timeout=0.1):
            other.release()
        for _ in range(10):
            pass


def stress(count):
    """The arguments of `count` threads."""
    for _ in range(count // 2):
        first, second = threading.Lock(), threading.Lock()
        second.acquire()
        yield first, second
        yield second, first


# what the first thread does, and what the others do
WORK = {
    "compute": (compute, compute),
    "io": (compute, short_calls),
    "interval": (compute, compute),
    "convoy": (convoy, convoy),
    "asleep": (asleep, short_calls),
    "release": (release, release),
}


def threads_of(name, count, end):
    if name == "stress":
        return [threading.Thread(target=pass_lock, args=(end, *locks)) for locks in stress(count)]
    first, others = WORK[name]
    return [
        threading.Thread(target=others if number else first, args=(end,)) for number in range(count)
    ]


def run(name, count, seconds):
    precise = name == "interval"
    sys.setswitchinterval(1e-5 if precise else SWITCH_INTERVAL_S)
    # of this thread and those that it starts; 0 is what it was
    LIBC_KEEPING_GIL.prctl(PR_SET_TIMERSLACK, int(precise), 0, 0, 0)
    threads = threads_of(name, count, time.monotonic() + seconds)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main():
    print("ready", flush=True)
    for line in sys.stdin:
        name, count, seconds = line.split()
        run(name, int(count), float(seconds))
        print("ok", flush=True)


if __name__ == "__main__":
    main()
