# SPDX-License-Identifier: MIT
"""gilscope killed at any moment leaves the target alone: every request answered, no probe behind,
the same cost as before."""

import random
import time

import harness

KILLS = 100
REQUESTS = 400


def cpu_per_request(app):
    """CPU microseconds of the server."""
    before = harness.cpu_seconds(app.pid)
    with harness.Load(app) as load:
        while sum(load.statuses.values()) < REQUESTS * 4:
            time.sleep(0.02)
    return (harness.cpu_seconds(app.pid) - before) / sum(load.statuses.values()) * 1e6


def test_a_killed_gilscope_leaves_nothing_behind():
    seed = random.randrange(1 << 30)
    moments = random.Random(seed)
    with harness.WebApp("uvloop") as app:
        orphans = harness.orphans()
        assert harness.text_differences(app.pid) == 0, (
            "somebody else has set breakpoints: the test can tell nothing"
        )
        cost_before = cpu_per_request(app)
        attached = 0
        with harness.Load(app) as load:
            for _ in range(KILLS):
                with harness.Running("attach", app.pid, "-d", "300ms", wait=False) as running:
                    time.sleep(moments.uniform(0, 0.7))
                    attached += running._links() > 0
                    running.process.kill()
        assert set(load.statuses) == {200}, f"seed {seed}: answers {load.statuses}"
        time.sleep(0.5)  # the kernel frees BPF objects after a grace period
        assert harness.orphans() <= orphans, f"seed {seed}"
        assert harness.text_differences(app.pid) == 0, f"seed {seed}"
        cost_after = cpu_per_request(app)
    print(
        f"{load.statuses[200]} requests served while gilscope was killed {KILLS} times, "
        f"{attached} times with probes in place; "
        f"CPU per request {cost_before:.0f} us before, {cost_after:.0f} us after (seed {seed})"
    )
    assert attached >= KILLS / 10, "hardly ever attached: the moments are badly chosen"
    assert cost_after <= 1.3 * cost_before
