# SPDX-License-Identifier: MIT
"""A service whose threads are called differently again and again, as those that are named after
what they do.

usage: renames_truth.py THREADS

Prints "ready". Each line of its standard input is a number of rounds: in each, all threads get
names that nobody had before, and a thread begins, so that they are read. Then all threads get
another name, some begin that have one, and it prints {tid: name} of all as JSON.
"""

import json
import sys
import threading
import time

ROUND_S = 0.3  # gilscope reads the names of a process 0.2 s after a thread began
LATE = 20


def begin(name, done):
    thread = threading.Thread(target=done.wait, name=name, daemon=True)
    thread.start()
    return thread


def rename(threads, name):
    for number, thread in enumerate(threads):
        thread.name = f"{name}-{number}"


def main():
    done = threading.Event()
    threads = [begin(f"first-{number}", done) for number in range(int(sys.argv[1]))]
    print("ready", flush=True)
    count = 0
    for line in sys.stdin:
        for _ in range(int(line)):
            count += 1
            rename(threads, f"request-{count}")
            short = threading.Event()
            begin(f"short-{count}", short)
            time.sleep(ROUND_S)
            short.set()
        rename(threads, f"late-{count}")
        threads += [begin(f"born-{count}-{number}", done) for number in range(LATE)]
        time.sleep(4 * ROUND_S)
        print(json.dumps({thread.native_id: thread.name for thread in threads}), flush=True)


main()
