# SPDX-License-Identifier: MIT
"""The first Ctrl-C ends an observation promptly, whatever gilscope is doing."""

import os
import time

import harness

BEFORE_S, AFTER_S = 4, 10


def test_stacks_that_take_long_to_look_up_are_left():
    """Every stack takes sixty megabytes of reading, and there are hundreds a second, so the reader
    never catches up. Resolving all that are queued would take longer than the test."""
    with harness.App(
        [harness.DEBIAN_PYTHON, os.path.join(harness.APPS, "huge_tables.py")], stdout=-1
    ) as app:
        app.process.stdout.readline()
        with harness.attach(app) as running:
            time.sleep(BEFORE_S)
            running.signal()
            outcome = running.result(timeout=AFTER_S)
    assert outcome.status in (0, 5) and outcome.report["processes"], outcome
