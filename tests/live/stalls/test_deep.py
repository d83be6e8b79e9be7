# SPDX-License-Identifier: MIT
"""A callback that recurses deeper than stacks are kept is a single callback, with its role."""

import time

import harness

PROGRAM = """
import asyncio, time
def walk(depth, seconds):
    if depth:
        return walk(depth - 1, seconds)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
async def one():
    for depth in 2, 150, 600:
        walk(depth, 0.06)
async def main():
    print("ready", flush=True)
    while True:
        await asyncio.sleep(0.2)
        await asyncio.create_task(one())
asyncio.run(main())
"""


def test_a_deep_recursion_is_one_callback():
    with harness.Script(PROGRAM, python=harness.DEBIAN_PYTHON) as app:
        time.sleep(0.5)
        report = harness.gilscope("attach", app.pid, "-d", "2s", "--json", timeout=60).report
    assert report["evidence"]["stacks"]["unsure"] == 0
    stalls = [s for loop in report["processes"][0]["loops"] for s in loop["stalls"]]
    whole = [stall for stall in stalls if stall["whole"] and not stall["ongoing"]]
    # A callback computed in it: without a CPU, the loop is late in nobody's.
    computed = [stall for stall in whole if stall["states"]["python"] > 50_000_000]
    assert computed
    for stall in computed:
        callbacks = [part for part in stall["parts"] if part["handler"]]
        assert [part["handler"]["function"] for part in callbacks] == ["one"]
        assert callbacks[0]["handler"]["role"] == "task"
