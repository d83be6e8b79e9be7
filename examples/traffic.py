# SPDX-License-Identifier: MIT
"""Sends mixed traffic to examples/app.py for some seconds, and prints how long the answers took.

    python3 traffic.py PORT [SECONDS]

Each path has one client, which pauses between its requests, so the load is bounded: at most one
request per path at a time. The client of /ping is the innocent one: whatever it waits beyond a
millisecond or two is the work of other requests.
"""

import asyncio
import sys
import time

# path, pause between two requests in seconds
MIX = (
    ("/ping", 0.01),
    ("/async?seconds=1", 0.1),
    ("/sync-sleep", 0.1),
    ("/process-pool?n=1000000", 0.5),
    ("/sync?n=1000000", 0.9),
    ("/async-cpu?n=2000000", 1.1),
    ("/async-sleep-blocking", 1.3),
    ("/c-gil", 1.7),
)


async def get(port, path):
    """One request on a connection of its own; the seconds it took."""
    begin = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        answer = await reader.read()
    finally:
        writer.close()
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"{path}: {answer[:60]!r}")
    return time.monotonic() - begin


async def client(port, path, pause, end):
    durations = []
    while time.monotonic() < end:
        durations.append(await get(port, path))
        await asyncio.sleep(pause)
    return durations


async def main(port, seconds):
    end = time.monotonic() + seconds
    results = await asyncio.gather(*(client(port, path, pause, end) for path, pause in MIX))
    print(f"{'path':26}{'requests':>9}{'median':>11}{'slowest':>11}")
    for (path, _), durations in zip(MIX, results):
        print(
            f"{path:26}{len(durations):9}{sorted(durations)[len(durations) // 2] * 1e3:8.1f} "
            f"ms{max(durations) * 1e3:8.1f} ms"
        )


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: traffic.py PORT [SECONDS]")
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) == 3 else 10.0))
