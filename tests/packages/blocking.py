# SPDX-License-Identifier: MIT
"""An event loop with one blocking call, which it makes for every line that it reads, and whose own
times it then prints. Needs nothing but Python."""

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
