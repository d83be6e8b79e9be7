# SPDX-License-Identifier: MIT
"""gilscope killed at any moment leaves the target alone: every request is answered, no probe is
left in the kernel, and the target's code is that of its file."""

import contextlib
import random
import time

import pytest

import harness

pytestmark = pytest.mark.beside

KILLS = 100
GRACE_S = 10  # the kernel frees BPF objects after a grace period


def observe(app):
    return harness.Running("attach", app.pid, "-d", "60s", wait=False)


def time_to_attach(app):
    """Seconds from the start of gilscope until its probes are in place."""
    begin = time.monotonic()
    with observe(app) as running:
        assert running.ready(15)
        return time.monotonic() - begin


def left_behind(before):
    """What the kernel has of BPF objects that nobody has open and that were not there before, and
    goes on having: what another test's gilscope had when it ended is there for a moment."""
    deadline = time.monotonic() + GRACE_S
    found = harness.orphans() - before
    while found and time.monotonic() < deadline:
        time.sleep(0.1)
        found &= harness.orphans()
    return found


def breakpoints(app):
    """How many bytes of its code are others than the file's, and stay so: the kernel takes probes
    out in the background, when the object that set them is no longer to be seen."""
    deadline = time.monotonic() + GRACE_S
    while harness.text_differences(app.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    return harness.text_differences(app.pid)


def test_a_killed_gilscope_leaves_nothing_behind():
    seed = random.randrange(1 << 30)
    moments = random.Random(seed)
    with harness.WebApp("uvloop") as app:
        orphans = harness.orphans()
        assert harness.text_differences(app.pid) == 0, (
            "somebody else has set breakpoints: the test can tell nothing"
        )
        longest = max(time_to_attach(app) for _ in range(3))
        runs, attached = [], 0
        with contextlib.ExitStack() as stack, harness.Load(app) as load:
            runs.append(stack.enter_context(observe(app)))
            for _ in range(KILLS):
                runs.append(stack.enter_context(observe(app)))
                time.sleep(moments.uniform(0, longest))
                victim = runs[-2]  # so there are two at a time
                ready = victim.ready()
                attached += ready
                # about half of them come to the end of attaching, however busy the machine is
                longest *= 0.95 if ready else 1.05
                victim.process.kill()
        assert set(load.statuses) == {200}, f"seed {seed}: answers {load.statuses}"
        assert not left_behind(orphans), f"seed {seed}"
        assert breakpoints(app) == 0, f"seed {seed}"
    print(
        f"{load.statuses[200]} requests served while gilscope was killed {KILLS} times, "
        f"{attached} times with all probes in place (seed {seed})"
    )
    assert attached >= KILLS / 10, "hardly ever attached: the moments are badly chosen"
