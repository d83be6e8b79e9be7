# SPDX-License-Identifier: MIT
"""Stacks, frame by frame: an application records its own in every kind of frame there is, and
gilscope's must be the same."""

import pytest

import harness
import interpreters
import stacks

PYTHONS = interpreters.supported_pythons()
LEGS = [
    ("system", "uvloop", "exact"),
    ("system", "uvloop", "edges"),
    *((label, "asyncio", "exact") for label in PYTHONS),
]


@pytest.mark.parametrize("label, loop, mode", LEGS)
def test_stacks_equal_the_applications_own(label, loop, mode, tmp_path):
    kinds = stacks.KINDS if label == "system" else ("sleep", "gil_wait", "held")
    with stacks.StacksApp(loop, python=(PYTHONS[label],), prefix=harness.undisturbed()) as app:
        found = stacks.observe(app, tmp_path, kinds, mode)
    print(f"{label}, {loop}, {mode}: {found}, taken as {dict(found.ways)}")
    assert not found.wrong
    assert not found.missing and not found.without
    assert found.due > 30 * len(kinds), "hardly ever did what stacks are taken for come about"
