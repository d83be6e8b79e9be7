# SPDX-License-Identifier: MIT
"""The first Ctrl-C ends an observation soon, whatever gilscope is doing."""

import contextlib
import os
import time

import harness


def test_stacks_that_take_long_to_look_up_are_left(tmp_path):
    """Every stack is sixty megabytes to read, and there are hundreds a second: the reader never
    catches up."""
    with harness.App(
        [harness.DEBIAN_PYTHON, os.path.join(harness.APPS, "huge_tables.py")], stdout=-1
    ) as app:
        app.process.stdout.readline()
        with harness.attach(app) as running:
            time.sleep(4)
            begun = used = harness.cpu_seconds(running.pid)
            running.signal()
            while running.process.poll() is None:
                with contextlib.suppress(OSError, IndexError):
                    used = harness.cpu_seconds(running.pid)
                time.sleep(0.01)
            outcome = running.result()
    assert outcome.status in (0, 5) and outcome.report["processes"], outcome
    print(f"{used - begun:.2f} s of CPU time after the interrupt")
    assert used - begun < 1
