# SPDX-License-Identifier: MIT
"""Does one thing repeatedly with a stack of a given depth, to measure the cost of taking the stack.

    deep.py sleep|wait|compute DEPTH

`sleep` sleeps briefly, thousands of times a second. `wait` has two threads of that depth compete
for the GIL. `compute` only computes.
"""

import sys
import threading
import time


def sleep():
    while True:
        time.sleep(1e-4)


def compute():
    while True:
        sum(range(100))


def down(depth, function):
    if depth > 1:
        down(depth - 1, function)
    else:
        function()


def main():
    function, depth = sys.argv[1], int(sys.argv[2])
    sys.setrecursionlimit(depth + 100)
    print("ready", flush=True)
    if function == "wait":
        # a thread's stack starts with some frames of threading.py
        threading.Thread(target=down, args=(depth, compute), daemon=True).start()
        down(depth, compute)
    down(depth, {"sleep": sleep, "compute": compute}[function])


main()
