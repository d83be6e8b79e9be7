# SPDX-License-Identifier: MIT
"""Fixtures of the live tests. The tests observe real processes with BPF, which needs root. Without
root they are skipped; in continuous integration they fail."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "kit"), os.path.join(os.path.dirname(HERE), "apps")]

import harness


def pytest_configure(config):
    config.addinivalue_line("markers", "unprivileged: needs neither root nor BPF")
    config.addinivalue_line(
        "markers",
        "beside: holds whatever else the machine does, so tools/check runs it beside others",
    )


def unavailable(reason):
    """Skips the test, or fails it in continuous integration, where everything is installed."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"cannot run here: {reason}")
    pytest.skip(reason)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if os.geteuid() != 0 and not item.get_closest_marker("unprivileged"):
        unavailable("needs root: BPF")
    if not os.access(harness.GILSCOPE, os.X_OK):
        pytest.fail(f"{harness.GILSCOPE} is missing: run make", pytrace=False)


@pytest.fixture(scope="session")
def slow_port():
    with harness.slow_server() as port:
        yield port


@pytest.fixture
def sleeper():
    """A Python process that does nothing."""
    with harness.Script("print('ready', flush=True)\nimport time\ntime.sleep(600)") as app:
        yield app
