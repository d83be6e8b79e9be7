# SPDX-License-Identifier: MIT
"""Every supported interpreter on this machine: causes, edges, and a drop for every take."""

import pytest

import harness
import interpreters
import measure

PYTHONS = interpreters.supported_pythons()


@pytest.mark.parametrize("mode", ["exact", "edges"])
@pytest.mark.parametrize("label", PYTHONS)
def test_an_interpreter_is_seen_as_it_is(label, mode, slow_port):
    environment = {"TRUTH_SLOW_PORT": str(slow_port), "LD_PRELOAD": harness.polls_library()}
    with harness.RawApp(
        "asyncio", prefix=harness.undisturbed(), python=(PYTHONS[label],), env=environment
    ) as app:
        result = measure.Measurement(app, mode=mode)
    assert not result.faults
    if label != "system":
        assert result.process["python"] == label.rpartition("-")[2]
    # the promise about edges is tested with enough of them in test_edges.py
