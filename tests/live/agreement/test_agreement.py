# SPDX-License-Identifier: MIT
"""Two observers on one process at the same time, in different modes: what they report agrees."""

import pytest

import agreement
import pair
import workloads

SECONDS = 0.6


@pytest.mark.parametrize("name", workloads.WORKLOADS)
def test_two_modes_agree(name, slow_port, tmp_path):
    one, other = pair.observe(workloads.WORKLOADS[name], SECONDS, slow_port, tmp_path, pair.MODES)
    figures = agreement.compare(one, other)
    print(agreement.describe(figures))
    assert not agreement.disagreements(figures)
