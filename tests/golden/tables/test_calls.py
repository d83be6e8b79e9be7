# SPDX-License-Identifier: MIT
"""Advice by frame: the functions of the standard library that the table names exist in this Python,
under the names in calls.def. (Functions of packages are checked by hand when a row is written.)"""

import ast
import pathlib
import sysconfig

FRAMES = pathlib.Path(__file__).parents[2] / "unit/diagnosis/diagnosis_calls.frames"
STDLIB = pathlib.Path(sysconfig.get_path("stdlib"))
# Functions that some versions lack although they have the file.
NOT_EVERYWHERE = {
    "Path.read_text of pathlib/__init__.py",  # 3.13: in pathlib/_local.py
    "file_digest of hashlib.py",  # from 3.11 on
    "pbkdf2_hmac of hashlib.py",  # before 3.12
}


def functions(node, prefix=""):
    """Qualified names, as in code objects."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + child.name
            yield from functions(child, f"{prefix}{child.name}.<locals>.")
        elif isinstance(child, ast.ClassDef):
            yield from functions(child, f"{prefix}{child.name}.")
        else:
            yield from functions(child, prefix)


def test_the_standard_librarys_functions_exist():
    checked = 0
    missing = []
    for line in FRAMES.read_text().splitlines():
        _, file, function, *_ = line.split("\t")
        if not (STDLIB / file).exists():
            continue
        checked += 1
        tree = ast.parse((STDLIB / file).read_bytes())
        if function not in functions(tree):
            missing.append(f"{function} of {file}")
    assert checked > 60
    assert set(missing) <= NOT_EVERYWHERE
