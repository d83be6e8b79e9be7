# SPDX-License-Identifier: MIT
"""The short form of `make soak`: a service that restarts its workers, so fast that more have ended
than are reported one by one."""

import os
import sys

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "soak"))

import soak


def test_memory_does_not_grow_with_the_workers_that_have_ended():
    plan = soak.Plan(seconds=45, settled_s=28, period_s=0.2, life_s=1.6, inject=5, growth_kb=25)
    run = soak.Soak(harness.GILSCOPE, plan, harness.undisturbed())
    assert not run.run(), (run.faults, run.samples)
    assert run.stands_for > 40 and len(run.marks) > 20, run.summary()
