# SPDX-License-Identifier: MIT
"""Writes down its own Python stack in every kind of frame there is (stack_shapes.py,
async_shapes.py): gilscope must see the same, frame by frame.

    python stacks_truth.py --loop asyncio|uvloop

Commands, one a line on standard input, each answered with one line: `run KIND…` goes through all
shapes once per kind (spot.py), `rows` tells what was written down as one line of JSON: {"rows":
[ROW, …], "waiter": tid of the thread that waits for the GIL in rows of the kind `held`, "hog" and
"hog_tid": stack and tid of the holder in those of `gil_wait`}.
"""

import argparse
import asyncio
import json
import sys

import async_shapes  # noqa: F401 (declares shapes)
import stack_shapes  # noqa: F401
from spot import SHAPES, spot


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    if parser.parse_args().loop == "uvloop":
        import uvloop

        spot.new_loop = uvloop.new_event_loop
    else:
        spot.new_loop = asyncio.new_event_loop
    print("ready", flush=True)
    for line in sys.stdin:
        command, *kinds = line.split()
        if command == "rows":
            print(
                json.dumps(
                    {
                        "waiter": spot.waiter,
                        "hog": spot.hog,
                        "hog_tid": spot.hog_tid,
                        "rows": spot.rows,
                    }
                ),
                flush=True,
            )
            continue
        for kind in kinds:
            for shape in SHAPES:
                spot.run(shape, kind)
        print("ok", flush=True)


if __name__ == "__main__":
    main()
