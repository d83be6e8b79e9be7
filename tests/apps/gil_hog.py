# SPDX-License-Identifier: MIT
"""One thread computes in C with the GIL while another wants it. Asked over its standard input:
`hog SECONDS` answers with both threads' marks."""

import collections
import itertools
import json
import sys
import threading
import time


def compute_until(end_ns):
    """All in C: it runs no bytecode, so it does not see that somebody wants the GIL."""
    times = itertools.takewhile(end_ns.__gt__, iter(time.monotonic_ns, None))
    collections.deque(times, maxlen=0)


def sleep_until(ts_ns):
    time.sleep(max(0, ts_ns - time.monotonic_ns()) / 1e9)


def hog(mark, start_ns, seconds):
    mark["tid"] = threading.get_native_id()
    sleep_until(start_ns)
    mark["t0_ns"] = time.monotonic_ns()
    compute_until(start_ns + int(seconds * 1e9))
    mark["t1_ns"] = time.monotonic_ns()


def want(mark, start_ns):
    mark["tid"] = threading.get_native_id()
    mark["wanted_ns"] = start_ns
    sleep_until(start_ns)
    mark["got_ns"] = time.monotonic_ns()


def main():
    print("ready", flush=True)
    for line in sys.stdin:
        seconds = float(line.split()[1])
        marks = {"hog": {}, "wants": {}}
        start_ns = time.monotonic_ns() + 100_000_000
        threads = [
            threading.Thread(target=hog, args=(marks["hog"], start_ns, seconds)),
            threading.Thread(target=want, args=(marks["wants"], start_ns + 100_000_000)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(json.dumps(marks), flush=True)


if __name__ == "__main__":
    main()
