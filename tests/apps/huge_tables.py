# SPDX-License-Identifier: MIT
"""Stacks that take long to look up: 60 new functions deep every time, each with a line table of a
megabyte. Says "ready" and goes on."""

import collections
import time
import types

DEPTH = 60
ENTRY = bytes(
    [0x80 | 14 << 3 | 7, 0x40, 0x00, 0x00, 0x00, 0x00]
)  # a long location (3.11 on); what it says is of no interest
TABLE = ENTRY * (1_000_000 // len(ENTRY))


def call(rest):
    if rest:
        rest[0](rest[1:])
    else:
        time.sleep(0.0005)


def make(number):
    code = call.__code__
    return types.FunctionType(
        code.replace(
            co_name=f"f{number}",
            **{"co_linetable" if hasattr(code, "co_linetable") else "co_lnotab": TABLE},
        ),
        globals(),
    )


print("ready", flush=True)
number = 0
kept = collections.deque(maxlen=DEPTH * 1000)  # or they would be gone before anybody could look
while True:
    functions = [make(number + i) for i in range(DEPTH)]
    number += DEPTH
    kept.extend(functions)
    functions[0](functions[1:])
