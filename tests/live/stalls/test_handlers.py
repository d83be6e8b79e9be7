# SPDX-License-Identifier: MIT
"""Blame in a FastAPI application: the function that a person would name, however it was called."""

import pytest

import laws
import web


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def recording(request):
    return web.Recording(request.param)


def test_every_report_obeys_the_laws(recording):
    laws.check_laws(recording.report)
    laws.check_evidence(recording.outcome)


@pytest.mark.parametrize("name", web.ON_LOOP)
def test_who_blocks_the_loop_is_named_with_role_function_and_line(recording, name):
    recording.check(name)


@pytest.mark.parametrize("name", web.IN_THREADS)
def test_who_keeps_the_gil_from_the_loop_is_named_with_role_function_and_line(recording, name):
    recording.check(name)


@pytest.mark.parametrize("name", web.ON_LOOP + web.IN_THREADS)
def test_the_table_of_blame_has_everybody(recording, name):
    recording.check_blame(name)
