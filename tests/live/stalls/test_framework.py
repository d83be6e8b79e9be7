# SPDX-License-Identifier: MIT
"""What runs between the event loop and the application's functions: request and response bodies
that the framework validates and encodes, and awaits that never suspend."""

import harness
import laws

BODIES = """
import asyncio, json, sys, time
from typing import List
from fastapi import FastAPI
from pydantic import BaseModel

class Item(BaseModel):
    name: str
    price: float

app = FastAPI()
marks = {}

def mark(name):
    marks[name] = time.monotonic_ns()

@app.post("/orders", response_model=List[Item])
async def orders(items: List[Item]):
    mark("called")
    end = time.monotonic() + 0.06
    while time.monotonic() < end:
        pass
    mark("returned")
    return items

BODY = json.dumps([{"name": "n%d" % n, "price": n} for n in range(150000)]).encode()

async def receive():
    mark("received")
    return {"type": "http.request", "body": BODY, "more_body": False}

async def send(message):
    if message["type"] == "http.response.start":
        mark("encoded")

async def main():
    await asyncio.sleep(0.05)
    await app({"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1",
               "method": "POST", "scheme": "http", "path": "/orders", "raw_path": b"/orders",
               "query_string": b"", "headers": [(b"content-type", b"application/json")],
               "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)}, receive, send)
    await asyncio.sleep(0.05)

sys.stdout.write("ready\\n"); sys.stdout.flush()
sys.stdin.readline()
asyncio.run(main())
print(json.dumps(marks), flush=True)
"""

READS = """
import asyncio, json, sys, time

async def count_lines(reader):
    lines = 0
    while await reader.readline():
        lines += 1
    return lines

async def main():
    await asyncio.sleep(0.05)
    reader = asyncio.StreamReader(limit=2**26)
    reader.feed_data(b"a line\\n" * 200000)
    reader.feed_eof()
    await asyncio.sleep(0.05)
    begin = time.monotonic_ns()
    assert await asyncio.create_task(count_lines(reader)) == 200000
    end = time.monotonic_ns()
    await asyncio.sleep(0.05)
    return {"begin": begin, "end": end}

sys.stdout.write("ready\\n"); sys.stdout.flush()
sys.stdin.readline()
print(json.dumps(asyncio.run(main())), flush=True)
"""


def observe(source):
    marks, outcome = harness.observe_script(source, harness.undisturbed())
    laws.check_laws(outcome.report)
    return marks, outcome.report


def of_rule(report, rule):
    return [finding for finding in report["findings"] if finding["id"] == rule]


def test_work_on_bodies_is_the_frameworks_and_names_its_route():
    marks, report = observe(BODIES)
    found = of_rule(report, "response_or_request_body")
    before = marks["called"] - marks["received"]
    after = marks["encoded"] - marks["returned"]
    texts = {finding["text"]: finding for finding in found}
    for words, elapsed in (("of the request", before), ("of the response", after)):
        named = [finding for text, finding in texts.items() if words in text]
        took = sum(finding["ns"] for finding in named)
        # the collector's time has a finding of its own
        collected = sum(f["ns"] for f in of_rule(report, "garbage_collection"))
        assert elapsed * 0.7 - collected < took < elapsed * 1.1, (
            words,
            elapsed,
            report["findings"],
        )
        for finding in named:
            assert finding["subject"]["handler"]["function"] == "orders", finding
            assert finding["advice"], finding


def test_awaits_that_never_suspend_are_reported():
    marks, report = observe(READS)
    (finding,) = of_rule(report, "never_yields")
    elapsed = marks["end"] - marks["begin"]
    assert 0.7 * elapsed < finding["ns"] <= elapsed, (elapsed, report["findings"])
    assert finding["subject"]["handler"]["function"] == "count_lines", finding
    assert "awaited reads of a StreamReader" in finding["text"], finding
    assert "asyncio.sleep(0)" in finding["advice"], finding
