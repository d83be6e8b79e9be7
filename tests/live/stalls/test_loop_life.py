# SPDX-License-Identifier: MIT
"""The begin and the end of event loops. The application marks what it does before, in, between and
after them."""

import json

import pytest

import harness
import laws

MACHINE_NS = 100_000_000  # what a busy machine may add

RUNS_TWICE = """
import asyncio, atexit, json, sys, time
if "uvloop" in sys.argv:
    import uvloop
    uvloop.install()
sys.stdout.write("ready\\n"); sys.stdout.flush()
sys.stdin.readline()
marks = []
def mark(name, seconds):
    t0 = time.monotonic_ns()
    time.sleep(seconds)
    marks.append((name, t0, time.monotonic_ns()))
async def main(name):
    for _ in range(10):
        await asyncio.sleep(0.03)
    mark(name, 0.15)
    await asyncio.sleep(0.03)
asyncio.run(main("in the first"))
mark("between", 0.4)
asyncio.run(main("in the second"))
mark("after", 0.4)
print(json.dumps(marks), flush=True)
time.sleep(0.3)
"""

# A descriptor is also closed when its number is reassigned, by dup2() or dup3().
REPLACES = """
import asyncio, json, os, sys, time
nowhere = os.open("/dev/null", os.O_RDONLY)
sys.stdout.write("ready\\n"); sys.stdout.flush()
sys.stdin.readline()
async def main():
    for _ in range(10):
        await asyncio.sleep(0.03)
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
os.dup2(nowhere, loop._selector.fileno(), inheritable=sys.argv[1] == "dup2")
t0 = time.monotonic_ns()
time.sleep(0.4)
print(json.dumps([("after", t0, time.monotonic_ns())]), flush=True)
time.sleep(0.3)
os._exit(0)
"""


def observed(source, loop):
    """The marks of a program that starts its work when observed, and the report until it exits."""
    with harness.App(
        [harness.DEBIAN_PYTHON, "-c", source, loop], stdin=-1, stdout=-1, text=True
    ) as app:
        assert app.process.stdout.readline() == "ready\n"
        with harness.attach(app) as running:
            app.process.stdin.write("\n")
            app.process.stdin.flush()
            marks = json.loads(app.process.stdout.readline())
            outcome = running.result()
    laws.check_laws(outcome.report)
    return marks, outcome.report


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_what_comes_after_a_loop_is_no_turn(loop):
    marks, report = observed(RUNS_TWICE, loop)
    stalls = laws.stalls_of(report)
    for name, t0, t1 in marks:
        met = [stall for stall in stalls if stall["start_ns"] < t1 and t0 < stall["end_ns"]]
        if name.startswith("in "):
            (stall,) = met
            assert (
                stall["start_ns"] <= t0
                and t1 <= stall["end_ns"] <= t1 + MACHINE_NS
                and stall["cause"] == "blocked"
            ), (name, laws.describe(stall))
        else:
            assert not met, (name, [laws.describe(stall) for stall in met])
    loops = [found for process in report["processes"] for found in process["loops"]]
    assert sum(found["turns"] for found in loops) >= 22 and all(
        found["kind"] == loop and found["evidence"] == "python" for found in loops
    ), loops


@pytest.mark.parametrize("call", ["dup2", "dup3"])
def test_a_descriptor_whose_number_is_given_away_is_closed(call):
    marks, report = observed(REPLACES, call)
    ((_, t0, t1),) = marks
    assert not [
        laws.describe(stall)
        for stall in laws.stalls_of(report)
        if stall["start_ns"] < t1 and t0 < stall["end_ns"]
    ]
    assert (
        sum(found["turns"] for process in report["processes"] for found in process["loops"]) >= 10
    )
