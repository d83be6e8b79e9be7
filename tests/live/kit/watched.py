# SPDX-License-Identifier: MIT
"""A service that marks what it does, and gilscope watch with the events that it reports."""

import json
import subprocess
import threading
import time

import harness

SERVICE = """
import asyncio, json, os, sys, time
def mark(name, t0):
    print(json.dumps({"name": name, "t0_ns": t0, "t1_ns": time.monotonic_ns()}), flush=True)
def nap(seconds):
    t0 = time.monotonic_ns()
    time.sleep(seconds)
    mark("nap", t0)
def spin(seconds):
    t0 = time.monotonic_ns()
    while time.monotonic_ns() < t0 + seconds * 1e9:
        pass
    mark("spin", t0)
def end(status):
    os._exit(int(status))
def many(seconds, count):
    nap(seconds)
    if count > 1:
        loop.call_soon(many, seconds, count - 1)
def on_input():
    for line in os.read(0, 4096).decode().splitlines():
        name, *numbers = line.split()
        loop.call_soon(globals()[name], float(numbers[0]), *map(int, numbers[1:]))
async def main():
    global loop
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", int(sys.argv[1]))
    loop.add_reader(0, on_input)
    print(json.dumps({"name": "serves", "t0_ns": time.monotonic_ns()}), flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


class Service:
    def __init__(self, port, prefix=(), source=SERVICE):
        self.process = subprocess.Popen(
            [*prefix, *harness.PYTHON, "-c", source, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self.process.pid
        self.serves_ns = self._row()["t0_ns"]

    def _row(self):
        return json.loads(self.process.stdout.readline())

    def tell(self, command, rows=1):
        """Lets it do something; its marks."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return [harness.Mark({"tid": self.pid, **self._row()}) for _ in range(rows)]

    def begin(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.process.stdin.close()
        self.process.stdout.close()


class Watch(harness.Running):
    """Its events, as they are told."""

    def __init__(self, *arguments, prefix=None, **popen):
        prefix = harness.undisturbed() if prefix is None else prefix
        super().__init__("watch", "--json", *arguments, prefix=prefix, **popen)
        self.events = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def wait_for(self, event, state=None, seconds=10, **fields):
        """The first such event."""
        deadline = time.monotonic() + seconds * harness.PATIENCE
        while time.monotonic() < deadline:
            for told in list(self.events):
                wanted = {"event": event, **({"state": state} if state else {}), **fields}
                if all(told.get(key) == value for key, value in wanted.items()):
                    return told
            time.sleep(0.02)
        raise AssertionError(f"no {event} {state or ''} {fields} in {self.events}")

    def end(self, signal=True):
        """Ctrl-C, unless it ends by itself."""
        if signal:
            self.signal()
        self.process.wait(30 * harness.PATIENCE)
        self._thread.join(10)
        return self.events


def ended(events, kind="stall"):
    return [event for event in events if event["event"] == kind and event["state"] == "ended"]


def the_one(events, mark):
    """The stall that has ended and contains the mark: exactly one is told."""
    (event,) = [event for event in ended(events) if mark.overlaps(event["stall"])]
    stall = event["stall"]
    assert stall["start_ns"] <= mark.t0_ns and mark.t1_ns <= stall["end_ns"], (stall, mark)
    return event
