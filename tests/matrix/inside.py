#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs in a guest of tests/matrix/guests: compares with both kinds of loop, runs some live tests,
and prints a line of JSON for each."""

import itertools
import json
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), name) for name in ("live/kit", "apps")]

import comparison
import harness
import livetests
import support


def main():
    with harness.slow_server() as port, tempfile.TemporaryDirectory() as folder:
        for loop, mode in itertools.product(("asyncio", "uvloop"), support.MODES):
            row = comparison.compare(
                loop,
                mode,
                (harness.DEBIAN_PYTHON,),
                os.path.join(harness.APPS, "loop_truth.py"),
                port,
                folder,
            )
            print("@@ row " + json.dumps(row), flush=True)
    # either loop was compared above; what else differs between kernels does with one
    row = livetests.row((harness.DEBIAN_PYTHON,), which="not uvloop")
    print("@@ row " + json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
