# SPDX-License-Identifier: MIT
"""An event loop that makes one blocking call for every line it reads, and prints the call's own
times. Needs only Python."""

import asyncio
import json
import sys
import time


def blocking_call():
    begin = time.monotonic_ns()
    time.sleep(0.3)
    return [begin, time.monotonic_ns()]


def on_line():
    if not sys.stdin.readline():
        asyncio.get_running_loop().stop()
        return
    asyncio.get_running_loop().call_soon(lambda: print(json.dumps(blocking_call()), flush=True))


async def start():
    asyncio.get_running_loop().add_reader(sys.stdin, on_line)
    print("ready", flush=True)


loop = asyncio.new_event_loop()
loop.run_until_complete(start())
loop.run_forever()
