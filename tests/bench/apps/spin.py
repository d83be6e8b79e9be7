# SPDX-License-Identifier: MIT
"""Calls a function that does next to nothing as fast as Python can. `cycle` releases and retakes
the GIL, `syscall` does not; `switch` passes a byte to another process on the same CPU and waits for
the answer, so that each of the two has one context switch and one wake-up for a call.

    spin.py cycle|syscall|switch

Reads commands: a number runs that many calls and answers with the nanoseconds of CPU they took;
"threads N" starts N threads that never stop.
"""

import collections
import itertools
import os
import sys
import threading
import time


def echo(ask, answer):
    """In the other process, until this one ends."""
    while byte := os.read(ask, 1):
        os.write(answer, byte)
    os._exit(0)


def partner():
    """A function that passes a byte to another process and back."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    (asked, ask), (answered, answer) = os.pipe(), os.pipe()
    if not os.fork():
        os.close(ask)
        echo(asked, answer)

    def switch():
        os.write(ask, b".")
        os.read(answered, 1)

    return switch


FUNCTIONS = {
    # lseek() on /dev/null. os.sched_yield() is as quick, but yields the CPU to neighbours, whose
    # context switches would be attributed to the GIL's.
    "cycle": lambda: open("/dev/null", "rb", buffering=0).tell,
    # a system call without a release of the GIL
    "syscall": lambda: os.getppid,
    "switch": partner,
}
FUNCTION = FUNCTIONS[sys.argv[1]]()


def spin(calls):
    """Executes no bytecode between the calls: iter(f, -1) calls f until it returns -1."""
    collections.deque(itertools.islice(iter(FUNCTION, -1), calls), maxlen=0)


def spin_forever():
    while True:
        spin(100_000)


spin(1000)
print("ready", flush=True)
for line in sys.stdin:
    word, *arguments = line.split()
    if word == "threads":
        for _ in range(int(arguments[0])):
            threading.Thread(target=spin_forever, daemon=True).start()
        print("ok", flush=True)
    else:
        begin = time.thread_time_ns()
        spin(int(word))
        print(time.thread_time_ns() - begin, flush=True)
os._exit(0)
