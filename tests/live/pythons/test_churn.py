# SPDX-License-Identifier: MIT
"""Code and threads that are gone before they can be looked up: an unknown name is missing, never
another function's name."""

import array
import bisect
import os
import re

import pytest

import harness
import interpreters
import script

pytestmark = pytest.mark.beside

FUNCTIONS, FEWER_FUNCTIONS, THREADS_S = 1_000_000, 250_000, 3
FEWEST = 50  # frames
HOLDER_LAG_NS = 100_000  # a holder keeps running while its stack is read


class Churn(harness.App):
    """tests/apps/churn_truth.py. `run` records one command and returns its stacks and the
    application's own record."""

    def __init__(self, path, python=harness.DEBIAN_PYTHON):
        self._path = path
        super().__init__(
            [python, os.path.join(harness.APPS, "churn_truth.py"), "churn", path],
            stdin=harness.subprocess.PIPE,
            stdout=harness.subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "ready\n"

    def run(self, command, folder):
        trace = os.path.join(folder, "churn.gsc")
        with harness.Running("record", "-p", self.pid, "-d", "100s", "-o", trace) as running:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
            assert self.process.stdout.readline() == "ok\n", "the application did not survive"
            done = running.finish()
        assert done.status in (0, 5), done
        text = harness.gilscope("export", trace, "--format", "script", timeout=120)
        assert text.status in (0, 5), text
        record = array.array("Q")
        with open(self._path, "rb") as file:
            record.frombytes(file.read())
        return script.Script(text.stdout).stacks, record


def number_of(frame, letter):
    """The number in the frame's name, whose file and line must agree with it. None: not a numbered
    function.

    The line is that of the `def` before the function's first instruction, and 0 before that was
    executed.
    """
    found = re.fullmatch(letter + r"(\d+)", frame.function) or re.fullmatch(
        rf"<{letter}(\d+)>", frame.file
    )
    if not found:
        return None
    number = int(found[1])
    if frame.function != "<module>":
        consistent = (
            frame.function == f"{letter}{number}"
            and frame.file == f"<{letter}{number}>"
            and frame.line in (0, number, number + 1)
        )
        assert consistent, f"{frame}: name, file and line are not those of one code object"
    return number


class Verdict:
    def __init__(self):
        self.right = self.missing = 0
        self.wrong = []

    def add(self, stack, letter, alive):
        """`alive`: whether the function of that number is alive at the time of the stack."""
        self.missing += stack.frames is None or any(
            frame.function is None for frame in stack.frames
        )
        for frame in stack.frames or ():
            if frame.function is None:
                continue
            try:
                number = number_of(frame, letter)
                assert number is None or alive(number), f"{frame} did not live at {stack.ts}"
                self.right += number is not None
            except AssertionError as error:
                self.wrong.append(f"{error}: {stack!r}")

    def __str__(self):
        return (
            f"{self.right} short-lived frames right, {len(self.wrong)} wrong, {self.missing} "
            "stacks with something missing"
        )


@pytest.mark.parametrize(
    "label",
    [
        "system",
        *[label for label in interpreters.supported_pythons() if "3.8" in label or "3.12" in label],
    ],
)
def test_a_function_that_lived_for_microseconds_is_right_or_missing(label, tmp_path):
    with Churn(tmp_path / "record", interpreters.supported_pythons()[label]) as app:
        taken, record = app.run(
            f"functions {FUNCTIONS if label == 'system' else FEWER_FUNCTIONS}", tmp_path
        )
    numbers, times = record[0::2], record[1::2]
    found = Verdict()
    for stack in taken:
        if times[0] <= stack.ts < times[-1]:
            lag = HOLDER_LAG_NS if "holder" in stack.flags else 0
            first, last = (
                numbers[bisect.bisect_right(times, ts) - 1]
                for ts in (stack.ts, min(stack.ts + lag, times[-2]))
            )
            found.add(stack, "n", lambda number: first <= number <= last)
    print(
        f"{label}: {len(taken)} stacks of {len(numbers)} functions in "
        f"{(times[-1] - times[0]) / 1e9:.1f} s: {found}"
    )
    assert not found.wrong
    assert found.right > FEWEST, "hardly any was read: the test proves nothing"


def test_threads_that_die_while_they_are_read(tmp_path):
    with Churn(tmp_path / "record") as app:
        taken, record = app.run(f"threads {THREADS_S}", tmp_path)
    lives = {}
    for at in range(0, len(record), 4):
        lives.setdefault(record[at] & 0xFFFFFFFF, []).append(
            (record[at + 1], record[at + 3], record[at] >> 32)
        )
    found = Verdict()
    for stack in taken:
        if "holder" not in stack.flags and stack.tid in lives:
            alive = [number for begin, end, number in lives[stack.tid] if begin <= stack.ts <= end]
            found.add(stack, "t", lambda number: number in alive)
    print(f"{len(record) // 4} threads: {found}")
    assert not found.wrong
    assert found.right > FEWEST, "hardly any was read: the test proves nothing"
