# SPDX-License-Identifier: MIT
"""The Python interpreters of this machine."""

import glob
import os
import re
import shlex
import shutil
import subprocess

DEBIAN_PYTHON = "/usr/bin/python3"
# The command of the one interpreter to test with, where the environment names one (tests/matrix)
ASKED = tuple(shlex.split(os.environ.get("GILSCOPE_TEST_PYTHON", "")))
PYTHON = ASKED or (DEBIAN_PYTHON,)
BUILT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../../build/matrix"))


def private_python(folder):
    """A copy of Debian's interpreter. Probes are set in a file, for all who run it: in this one
    nobody else sets any."""
    return shutil.copy(os.path.realpath(DEBIAN_PYTHON), os.path.join(folder, "python3"))


def pyenv_pythons():
    """{version: path} of the Pythons that pyenv has installed, oldest first."""
    paths = glob.glob(
        os.path.join(
            os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"),
            "versions",
            "*",
            "bin",
            "python",
        )
    )
    found = {path.split(os.sep)[-3]: path for path in paths}
    found = {
        version: path for version, path in found.items() if re.fullmatch(r"\d+(\.\d+)+", version)
    }
    return dict(sorted(found.items(), key=lambda item: version_key(item[0])))


def version_key(version):
    return tuple(int(part) for part in re.findall(r"\d+", version))


def supported_pythons():
    """{label: path}: Debian's python and pyenv's from 3.8 on; or {label: command} of the one that
    is asked for."""
    if ASKED:
        return {"asked": ASKED}
    found = {
        f"pyenv-{version}": path
        for version, path in pyenv_pythons().items()
        if version_key(version) >= (3, 8)
    }
    return {"system": DEBIAN_PYTHON, **found}


def built_pythons():
    """{label: path} of the interpreters that tests/matrix/run has built
    (tests/matrix/builds.py)."""
    return {
        os.path.basename(os.path.dirname(os.path.dirname(path))): os.path.realpath(path)
        for path in sorted(glob.glob(os.path.join(BUILT, "built-*", "bin", "python3")))
    }


def has(python, *modules):
    """Whether an interpreter (a command) can import them."""
    source = "import " + ", ".join(modules)
    return subprocess.run([*python, "-c", source], capture_output=True).returncode == 0


def gil_is_on(python):
    """Whether the GIL of an interpreter (a command) is on at its start."""
    source = "import sys; print(getattr(sys, '_is_gil_enabled', lambda: True)())"
    return (
        subprocess.run([*python, "-c", source], capture_output=True, text=True, check=True).stdout
        == "True\n"
    )


def version(python):
    """(3, 12) of an interpreter (a command)."""
    source = "import sys; print(*sys.version_info[:2])"
    done = subprocess.run([*python, "-c", source], capture_output=True, text=True, check=True)
    return tuple(int(part) for part in done.stdout.split())
