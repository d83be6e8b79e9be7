# SPDX-License-Identifier: MIT
"""Some of the live tests, with an interpreter or on a kernel of the matrix: a loop that hangs
already, who had a lock, thread pools, names of threads and tasks, gilscope dump, and whether two
observers agree."""

import os
import re
import shlex
import subprocess
import sys

from interpreters import DEBIAN_PYTHON

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILES = (
    "stalls/test_before.py",
    "stalls/test_locks.py",
    "pools/test_pools.py",
    "pythons/test_roles.py",
    "commands/test_dump.py",
    "agreement/test_agreement.py",
)
LOOP = "tests"  # what their row has in the column "loop": they run with both
MODE = "exact"  # … in "mode": what gilscope does by default
VERSION = "import platform; print(platform.python_version())"


def row(python, log=sys.stdout, which=""):
    """Runs those that pytest's -k chooses by `which` with that command of an interpreter, and keeps
    in `log` what pytest says. What was found, as comparison.compare() has it."""
    version = subprocess.check_output([*python, "-c", VERSION], text=True)
    said = []
    with subprocess.Popen(
        [
            DEBIAN_PYTHON,
            "-m",
            "pytest",
            "-v",
            "-p",
            "no:cacheprovider",
            "-rfE",
            "--tb=short",
            "-k",
            which,
        ]
        + [os.path.join("tests/live", name) for name in FILES],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", "GILSCOPE_TEST_PYTHON": shlex.join(python)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as pytest:
        for line in pytest.stdout:
            print(line, end="", file=log, flush=True)
            said.append(line)
    return {
        "loop": LOOP,
        "mode": MODE,
        "python": version.strip(),
        **result(pytest.returncode, "".join(said)),
    }


def result(status, said):
    """{"passed": "40/40", "faults": […]} of what pytest said. What was skipped does not count."""
    lines = said.splitlines() or ["nothing"]
    counts = {
        word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", lines[-1])
    }
    faults = [
        re.sub(r"^(FAILED|ERROR) [^\s\[]*/", "", line)
        for line in lines
        if line.startswith(("FAILED ", "ERROR "))
    ]
    if not counts.get("passed") or (status and not faults):
        faults.append(f"pytest ended with status {status}: {lines[-1]}")
    return {"passed": f"{counts.get('passed', 0)}/{sum(counts.values())}", "faults": faults}
