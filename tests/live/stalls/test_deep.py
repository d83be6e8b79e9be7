# SPDX-License-Identifier: MIT
"""A callback that recurses deeper than stacks are kept is a single callback, with its role."""

import json
import subprocess
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
    while True:
        await asyncio.sleep(0.2)
        await asyncio.create_task(one())
asyncio.run(main())
"""


def test_a_deep_recursion_is_one_callback(tmp_path):
    program = tmp_path / "deep.py"
    program.write_text(PROGRAM)
    app = subprocess.Popen([harness.DEBIAN_PYTHON, program])
    try:
        time.sleep(0.5)
        done = subprocess.run(
            [harness.GILSCOPE, "attach", str(app.pid), "-d", "2s", "--json"],
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        app.kill()
        app.wait()
    report = json.loads(done.stdout)
    assert report["evidence"]["stacks"]["unsure"] == 0
    stalls = [s for loop in report["processes"][0]["loops"] for s in loop["stalls"]]
    whole = [stall for stall in stalls if stall["whole"] and not stall["ongoing"]]
    assert whole
    for stall in whole:
        callbacks = [part for part in stall["parts"] if part["handler"]]
        assert [part["handler"]["function"] for part in callbacks] == ["one"]
        assert callbacks[0]["handler"]["role"] == "task"
