# SPDX-License-Identifier: MIT
"""What gilscope knows of CPython's versions agrees with their headers and is complete."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = ROOT / "user/python/versions/rows.inc"
PLACES = (Path("/usr/include"), *Path.home().glob(".pyenv/versions/*/include"))


def rows(text):
    """{"LAYOUT(13, WITH_GIL": [line …]} from the output of gen-python-layouts."""
    return {
        head: body.split("\n")
        for head, body in re.findall(r"^(\w+\(\d+(?:, \w+)?),\n(.*?)^\)", text, re.M | re.S)
    }


def headers(minor):
    """Folders with a release's headers, including CPython's internal ones."""
    for place in PLACES:
        for folder in (*place.glob(f"python3.{minor}"), *place.glob(f"python3.{minor}t")):
            level = folder / "patchlevel.h"
            if (folder / "internal").is_dir() and re.search(
                r"PY_RELEASE_LEVEL\s+PY_RELEASE_LEVEL_FINAL", level.read_text()
            ):
                yield folder


def newest():
    text = (ROOT / "user/python/interpreter/version.h").read_text()
    return int(re.search(r"PYTHON_MINOR_MAX = (\d+)", text)[1])


@pytest.mark.parametrize("minor", range(8, newest() + 1))
def test_the_rows_are_what_the_headers_say(minor):
    folders = list(headers(minor))
    if not folders:
        pytest.skip(f"no headers of CPython 3.{minor} (internal/pycore_runtime.h) are installed")
    known = rows(ROWS.read_text())
    for folder in folders:
        made = subprocess.run(
            [ROOT / "tools/gen-python-layouts", "--print", folder],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert rows(made)
        for head, body in rows(made).items():
            assert body == known[head], (folder, head)


def compiled(folder):
    return subprocess.run(
        ["cc", "-std=gnu11", "-fsyntax-only", "-Iuser", "user/python/versions/rows.c"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "pattern, words",
    [
        (r"\tVALUE\(tstate_next, 8\)\n", "not all fields"),
        (r"\tVALUE\(tstate_size, 176\)\n", "not all positions"),
        (r"LAYOUT\(9, .*?\n\)\n", "a version has no row"),
        (r"LAYOUT\(14, FREE_THREADED.*?\n\)\n", "no free-threaded row"),
        (r"POSITIONS\(14,.*?\n\)\n", "no positions"),
    ],
)
def test_rows_that_are_not_complete_do_not_compile(tmp_path, pattern, words):
    shutil.copytree(ROOT / "user", tmp_path / "user")
    assert compiled(tmp_path).returncode == 0
    copy = tmp_path / ROWS.relative_to(ROOT)
    text, count = re.subn(pattern, "", copy.read_text(), count=1, flags=re.S)
    assert count == 1
    copy.write_text(text)
    done = compiled(tmp_path)
    assert done.returncode and words in done.stderr


def test_a_row_that_is_newer_than_the_newest_version_does_not_compile(tmp_path):
    shutil.copytree(ROOT / "user", tmp_path / "user")
    version = tmp_path / "user/python/interpreter/version.h"
    version.write_text(
        version.read_text().replace(f"MINOR_MAX = {newest()}", f"MINOR_MAX = {newest() - 1}")
    )
    done = compiled(tmp_path)
    assert done.returncode and "newer than PYTHON_MINOR_MAX" in done.stderr
    assert "run tools/gen-python-layouts" not in done.stderr
