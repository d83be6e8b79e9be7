# SPDX-License-Identifier: MIT
"""Calls a function that does next to nothing as fast as Python can. `cycle` releases and retakes
the GIL, `syscall` does not.

    spin.py cycle|syscall

Reads commands: a number runs that many calls and answers with the nanoseconds of CPU they took;
"threads N" starts N threads that never stop.
"""

import collections
import itertools
import os
import sys
import threading
import time


FUNCTIONS = {
    # lseek() on /dev/null. os.sched_yield() is as quick, but yields the CPU to neighbours, whose
    # context switches would be attributed to the GIL's.
    "cycle": open("/dev/null", "rb", buffering=0).tell,
    # a system call without a release of the GIL
    "syscall": os.getppid,
}
FUNCTION = FUNCTIONS[sys.argv[1]]


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
