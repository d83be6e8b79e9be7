# SPDX-License-Identifier: MIT
"""An event loop that stalls when it is told to, for as long as it is told, in a function that is
known. Reads commands from standard input:

nap SECONDS     the loop's thread sleeps in nap()
spin SECONDS    it computes in spin()
hostile SECONDS it sleeps in a function with a name that would do things to a terminal
hold SECONDS    a thread keeps the GIL asleep, in hold()
"""

import asyncio
import ctypes
import os
import sys
import threading
import time

# called with the GIL held
LIBC = ctypes.PyDLL(None)


def nap(seconds):
    time.sleep(seconds)


def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def hold(seconds):
    LIBC.usleep(int(seconds * 1e6))


def hostile(seconds):
    time.sleep(seconds)


hostile.__code__ = hostile.__code__.replace(
    co_name="evil\x1b[2J\x1b]0;pwned\x07\u202eeman",
    **(
        {"co_qualname": "evil\x1b[2J\x1b]0;pwned\x07\u202eeman"}
        if sys.version_info >= (3, 11)
        else {}
    ),
)


def on_input(loop):
    for line in os.read(0, 4096).decode().splitlines():
        name, _, seconds = line.partition(" ")
        if name == "hold":
            threading.Thread(target=hold, args=(float(seconds),), name="holder").start()
            # there is something to do while the GIL is held
            loop.call_later(float(seconds) / 20, int)
        else:
            loop.call_soon(
                loop.call_soon, {"nap": nap, "spin": spin, "hostile": hostile}[name], float(seconds)
            )


def main():
    loop = asyncio.new_event_loop()
    loop.add_reader(0, on_input, loop)
    print("ready", flush=True)
    loop.run_forever()


main()
