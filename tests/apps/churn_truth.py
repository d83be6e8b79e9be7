# SPDX-License-Identifier: MIT
"""Code and threads that live for microseconds, and a record of when each of them did.

    python churn_truth.py COMMAND FILE

Says "ready", waits for a line on standard input, does it, writes the record to FILE and says "ok".
The record is pairs of u64, little-endian, in the order of time, and each number lived from its time
to the next one's:

    functions N   N functions one after another; the one with number n is called n<n> and its code
                  is on line n + 1 of "<n<n>>". Now and then one sleeps or keeps the GIL, which
                  another thread wants all the time. Rows (number, time)
    threads S     as many threads as possible for S seconds, that run functions t<n> for a moment.
                  Rows (number * 2**32 + tid, time of its begin), then (the same, time of its end)

Standard library only, Python 3.8 and later.
"""

import array
import sys
import threading
import time

import work

SLEEP_EVERY, HOLD_EVERY, COMPILE_EVERY = 150, 160, 50
NAP_S = 0.00005
TEXT = "a" * 400


def template():
    pass


def hold():
    work.PATTERN.search(TEXT)


SOURCE = "def template(act):\n act()\n"
exec(compile(SOURCE, "<template>", "exec"))
CODE = template.__code__


def idle():
    pass


def nap():
    time.sleep(NAP_S)


def make(number):
    """A function of that name. Mostly by replacing what is in a code object, which is fast, now and
    then by the compiler."""
    name, file = f"n{number}", f"<n{number}>"
    if number % COMPILE_EVERY == 0:
        namespace = {}
        exec(
            compile("\n" * (number % 1000) + SOURCE.replace("template", name), file, "exec"),
            namespace,
        )
        code = namespace[name].__code__.replace(co_firstlineno=number)
    elif sys.version_info >= (3, 11):
        code = CODE.replace(co_name=name, co_qualname=name, co_filename=file, co_firstlineno=number)
    else:
        code = CODE.replace(co_name=name, co_filename=file, co_firstlineno=number)
    return type(make)(code, {})


def functions(count):
    rows, now = array.array("Q"), time.monotonic_ns
    threading.Thread(target=wanting, daemon=True).start()
    for number in range(1, count + 1):
        rows.append(number)
        rows.append(now())
        function = make(number)
        function(nap if number % SLEEP_EVERY == 0 else hold if number % HOLD_EVERY == 0 else idle)
    rows.append(0)
    rows.append(now())
    return rows


def wanting():
    while True:
        time.sleep(0.001)


def threads(seconds):
    rows, number, end = [], 0, time.monotonic() + seconds

    def run(number, function):
        row = [number << 32 | threading.get_native_id(), time.monotonic_ns()]
        rows.append(row)
        function(hold if number % 2 else nap)
        row += [row[0], time.monotonic_ns()]

    while time.monotonic() < end:
        started = []
        for _ in range(8):
            number += 1
            started.append(
                threading.Thread(target=run, args=(number, make_thread_function(number)))
            )
            started[-1].start()
        for thread in started:
            thread.join()
    return array.array("Q", [value for row in rows for value in row])


def make_thread_function(number):
    name = f"t{number}"
    names = {"co_name": name, "co_filename": f"<t{number}>", "co_firstlineno": number}
    if sys.version_info >= (3, 11):
        names["co_qualname"] = name
    return type(make)(CODE.replace(**names), {})


def main():
    command, path = sys.argv[1:]
    print("ready", flush=True)
    name, number = sys.stdin.readline().split()
    rows = {"functions": functions, "threads": threads}[name](int(number))
    with open(path, "wb") as file:
        rows.tofile(file)
    print("ok", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
