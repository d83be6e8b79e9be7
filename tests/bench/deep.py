# SPDX-License-Identifier: MIT
"""Does one thing over and over with a stack of a given depth, so that what taking that stack costs
can be measured.

    deep.py sleep|wait|compute DEPTH

`sleep` goes to sleep for a moment, thousands of times a second. `wait` has two threads fight for
the GIL, both that deep. `compute` only computes.
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
        # threads begin some frames down, like everybody's
        threading.Thread(target=down, args=(depth, compute), daemon=True).start()
        down(depth, compute)
    down(depth, {"sleep": sleep, "compute": compute}[function])


main()
