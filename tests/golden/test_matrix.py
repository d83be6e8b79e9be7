# SPDX-License-Identifier: MIT
"""The parts of tests/matrix that need no guest and no network: the choice of kernels and Pythons,
and how some rows of a table are replaced."""

import importlib.machinery
import importlib.util
import itertools
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "matrix"), str(TESTS / "live" / "kit")]

import debian  # noqa: E402
import kernels  # noqa: E402
import livetests  # noqa: E402
import support  # noqa: E402

PACKAGES = {
    f"linux-image-{release}": None
    for release in (
        "5.10.0-30-cloud-amd64",
        "5.10.0-32-cloud-amd64",
        "6.1.0-9-cloud-amd64",
        "6.1.0-50-cloud-amd64",
        "6.12.9+deb13-cloud-amd64",
        "6.12.117+deb13-cloud-amd64",
        "6.18.15+deb13-cloud-amd64",
        "7.2.13+deb14-cloud-amd64",
    )
}


@pytest.mark.parametrize(
    "series, release",
    [
        ("5.10", "5.10.0-32-cloud-amd64"),
        ("6.1", "6.1.0-50-cloud-amd64"),
        ("6.12", "6.12.117+deb13-cloud-amd64"),
        ("newest", "7.2.13+deb14-cloud-amd64"),
    ],
)
def test_the_newest_kernel_of_a_series_is_chosen(series, release):
    assert kernels.choose(PACKAGES, series) == f"linux-image-{release}"


def test_a_series_that_debian_does_not_have_is_missing():
    with pytest.raises(debian.Missing, match="5.15"):
        kernels.choose(PACKAGES, "5.15")


def row(kernel, loop, faults=(), **found):
    return {"kernel": kernel, "loop": loop, "faults": list(faults), **found}


def test_a_part_of_a_table_replaces_its_own_rows():
    old = [
        row("6.1", "asyncio"),
        row("6.1", "uvloop", ["no longer"]),
        row("5.10", "asyncio", ["e " * 80]),
    ]
    new = [row("6.1", "uvloop", ["a | b\nc: c", "d"]), row("7.2", "asyncio")]
    text = support.part_of_document("", old, support.GUESTS, whole=True)
    merged = support.part_of_document(text, new, support.GUESTS, whole=False)
    names = [("6.1", "asyncio"), ("6.1", "uvloop"), ("5.10", "asyncio"), ("7.2", "asyncio")]
    assert [tuple(cells[:2]) for cells in support.parse(merged)] == names
    assert [cells[-2] for cells in support.parse(merged)] == ["none", "2", "1", "none"]
    assert support.parse_faults(merged) == [
        ("5.10 asyncio", ("e " * 80)[:120].strip()),
        ("6.1 uvloop", "a | b c: c"),
        ("6.1 uvloop", "d"),
    ]
    whole = support.part_of_document(text, new, support.GUESTS, whole=True)
    assert whole == support.part_of_document("", new, support.GUESTS, whole=True)


def test_a_row_shows_what_was_not_found():
    counts = {"stalls": "16/16", "right": "15/16", "names": "116/116", "stacks": "9/10"}
    cells = support.cells(row("6.1", "asyncio", **counts), support.GUESTS)
    assert cells[4] == "16, 15, 116, 9"


def test_the_document_has_a_place_for_every_table():
    text = Path(support.DOCUMENT).read_text()
    places = itertools.product(("pythons", "guests"), support.MODES)
    assert all(f"<!-- matrix {part} {mode} -->" in text for part, mode in places)


def test_sources_do_not_lie_among_apts_lists(tmp_path, monkeypatch):
    """apt-get update removes unknown files from there."""
    monkeypatch.setattr(debian, "mirror", lambda: "http://mirror/debian")
    lists = tmp_path / "sid-amd64-src" / "lists"
    lists.mkdir(parents=True)
    for name in ("InRelease", "Sources", "lock"):  # recent enough that no update is needed
        (lists / name).touch()
    debian.Archive(tmp_path, "sid", "amd64", "deb-src")
    assert not list(lists.rglob("sources.list"))
    assert (lists.parent / "sources.list").read_text().startswith("deb-src ")


def test_only_the_pythons_asked_for_are_made(monkeypatch):
    loader = importlib.machinery.SourceFileLoader(
        "matrix_run", str(Path(support.ROOT) / "tests" / "matrix" / "run")
    )
    run = importlib.util.module_from_spec(importlib.util.spec_from_loader("matrix_run", loader))
    loader.exec_module(run)
    made = []
    monkeypatch.setattr(run, "venv_python", lambda version, *_: made.append(version))
    monkeypatch.setattr(run, "chroot", made.append)
    monkeypatch.setattr(run.builds, "build", lambda label, _: made.append(label))
    assert [label for label, *_ in run.candidates(False, "system")] == ["system"] and not made
    for only, expected in (
        ("debian-trixie-3.1", ["trixie"]),
        ("3.13t GIL on", ["3.13t"]),
        ("3.1", list(run.builds.BUILDS)),
        ("debian", list(run.SUITES)),
    ):
        made.clear()
        assert not list(run.candidates(False, only)) and made == expected


def test_a_row_of_the_live_tests():
    said = (
        "..F.s\nFAILED tests/live/stalls/test_locks.py::test_a_deadlock[True] - assert 1 == 2\n"
        "ERROR tests/live/pools/test_pools.py::test_b\n"
        "1 failed, 3 passed, 1 skipped, 1 error in 9s\n"
    )
    found = livetests.result(1, said)
    assert found["passed"] == "3/5"
    assert found["faults"] == [
        "test_locks.py::test_a_deadlock[True] - assert 1 == 2",
        "test_pools.py::test_b",
    ]
    cells = support.cells(row("6.1", livetests.LOOP, **found), support.GUESTS)
    assert cells[4:6] == ["3 of 5", "2"]
    assert livetests.result(0, "...\n3 passed in 1s\n") == {"passed": "3/3", "faults": []}


@pytest.mark.parametrize(
    "status, said", [(5, "no tests ran in 0.1s"), (4, ""), (3, "2 passed in 1s")]
)
def test_live_tests_that_did_not_run_are_a_fault(status, said):
    assert len(livetests.result(status, said)["faults"]) == 1
