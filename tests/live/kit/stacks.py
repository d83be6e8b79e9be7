# SPDX-License-Identifier: MIT
"""Compares sampled stacks with those that an application recorded itself (tests/apps/spot.py)."""

import collections
import os

import harness
import script

# kinds of places, and the flag of a stack taken there
KINDS = {"sleep": "sleep", "read": "sleep", "gil_wait": "wait", "held": "holder", "native": "clock"}
DEEPEST = 128  # from a deeper stack, INNER frames, a mark, and OUTER frames are kept
OUTER = 32
INNER = DEEPEST - OUTER - 1
GAP_LINE = 2**32 - 1
EDGE_NS = (
    200_000  # before the end of a row: a stack requested then may show the thread on its way out
)
TEXT_BYTES = 1023
OWN = (
    "note",
    "done",
    "stack_of",
    "_hog_begins",
    "_hog_ends",
)  # functions of spot.py that do not belong to the marked code


def as_seen(text):
    """A text as gilscope reports it: lone surrogates become U+FFFD, and long texts are cut."""
    shown = "".join("\ufffd" if 0xD800 <= ord(char) < 0xE000 else char for char in text).encode()
    return shown[:TEXT_BYTES].decode(errors="ignore")


class StacksApp(harness.RawApp):
    def __init__(self, loop, python=(harness.DEBIAN_PYTHON,), **options):
        options.setdefault("script", os.path.join(harness.APPS, "stacks_truth.py"))
        super().__init__(loop, python=python, **options)

    def rows(self):
        return self.answer("rows")


def frame_differs(seen, true):
    """None, "missing", or "wrong"."""
    function, file, line = true
    if seen.function is None:
        return "missing"
    if seen.function == as_seen(function) and seen.file == as_seen(file) and seen.line == line:
        return None
    return "wrong"


def compare(stack, truth):
    """How a stack differs from the truth: None, "missing", or a sentence that says what is wrong.

    A torn stack may lack frames at its inner end. The middle of a stack deeper than DEEPEST is
    replaced by a mark.
    """
    if stack.frames is None:
        return "missing"
    if stack.cut:
        return "cut, although it is less deep than any that must be"
    frames = stack.frames
    gaps = [n for n, frame in enumerate(stack.frames) if frame.line == GAP_LINE]
    if gaps:
        if len(truth) <= DEEPEST or len(stack.frames) != DEEPEST or gaps != [INNER]:
            return f"cut to {len(stack.frames)} frames of {len(truth)}, marks at {gaps}"
        frames = frames[:INNER] + frames[INNER + 1 :]
        truth = truth[:INNER] + truth[-OUTER:]
    elif "torn" in stack.flags:
        truth = truth[max(0, len(truth) - len(stack.frames)) :]
    if len(frames) != len(truth):
        return (
            f"{len(frames)} frames instead of {len(truth)}: {frames[:4]} … "
            f"{frames[-2:]}, true are {truth[:4]} … {truth[-2:]}"
        )
    found = [(frame_differs(*pair), pair) for pair in zip(frames, truth)]
    for differs, (seen, true) in found:
        if differs == "wrong":
            return f"{seen} instead of {true}"
    return "missing" if any(differs for differs, _ in found) else None


class Comparison:
    """All stacks taken while the application was at one of its rows.

    wrong: sentences. missing: descriptions. right: number of stacks. due: number of rows at which a
    stack must have been taken; without: those that have no right one. Stacks with missing frames of
    code that is freed right after it ran are counted in `gone` only.
    """

    def __init__(self, text, answer):
        self.right = self.gone = 0
        self.wrong, self.missing, self.without = [], [], []
        self.ways = collections.Counter()
        by_tid = collections.defaultdict(list)
        self._script = script.Script(text)
        for stack in self._script.stacks:
            by_tid[stack.tid].append(stack)
        self.due = 0
        for row in answer["rows"]:
            self._row(row, by_tid[row["tid"]], by_tid[answer["waiter"]], answer)

    def _row(self, row, own, waiters, answer):
        seen = [(stack, row["stack"]) for stack in own if "holder" not in stack.flags]
        if row["kind"] == "gil_wait" and "hog_end_ns" in row:  # else the other thread came too late
            seen += [
                (stack, answer["hog"])
                for stack in self._of_holder(own, answer["hog_tid"])
                if row["hog_ns"] <= stack.ts <= row["hog_end_ns"]
            ]
        if row["kind"] == "held":
            seen += [(stack, row["stack"]) for stack in self._of_holder(waiters, row["tid"])]
        right = 0
        for stack, truth in seen:
            end_ns = row["t1_ns"] - ("clock" in stack.flags) * EDGE_NS
            if row["t0_ns"] <= stack.ts <= end_ns and not self._notes(stack, row):
                right += self._stack(row, stack, truth) and KINDS[row["kind"]] in stack.flags
        if row["fleeting"] or not self._due(row, answer["waiter"]):
            return
        self.due += 1
        if not right:
            self.without.append(f"{row['shape']}, {row['kind']}")

    @staticmethod
    def _notes(stack, row):
        """Whether it still was in note(), or, as far as a torn stack shows, at the call of it."""
        if not stack.frames:
            return False
        inner = stack.frames[0]
        return (inner.function or "").split(".")[-1] in OWN or (
            "torn" in stack.flags and inner.line == row["noted"] != row["stack"][0][2]
        )

    def _due(self, row, waiter):
        """Whether the row had the event for which a stack of this kind is taken. On a busy machine
        not every wait for the GIL happens."""
        if row["kind"] == "native":
            return True
        moments = {
            "sleep": self._script.sleeps[row["tid"]],
            "wait": self._script.waits[row["tid"]],
            "holder": self._script.waits[waiter],
        }
        return any(
            row["t0_ns"] <= ts <= row["t1_ns"] - EDGE_NS
            and (row["kind"] != "held" or self._script.holder(ts) == row["tid"])
            for ts in moments[KINDS[row["kind"]]]
        )

    def _of_holder(self, stacks, tid):
        """Stacks of the thread that waiters took while it had the GIL. (It may have had to yield it
        for a moment.)"""
        return [
            stack
            for stack in stacks
            if "holder" in stack.flags and self._script.holder(stack.ts) == tid
        ]

    def _stack(self, row, stack, truth):
        differs = compare(stack, truth)
        where = f"{row['shape']}, {row['kind']}, {' '.join(sorted(stack.flags))}"
        self.ways.update(stack.flags if differs is None else ())
        if differs == "missing" and row["fleeting"]:
            self.gone += 1
        elif differs == "missing":
            self.missing.append(f"{where}: {stack.frames and stack.frames[:3]}")
        elif differs:
            self.wrong.append(f"{where}: {differs}")
        else:
            self.right += 1
        return differs is None

    def __str__(self):
        return (
            f"{self.right} stacks right, {len(self.wrong)} wrong, {len(self.missing)} missing, "
            f"{self.gone} of code that is gone; "
            f"{len(self.without)} of {self.due} places without one"
        )


def observe(app, folder, kinds=tuple(KINDS), mode="exact"):
    """Runs all shapes while recording; returns the comparison."""
    trace = os.path.join(folder, "stacks.gsc")
    arguments = ("-p", app.pid, "-d", "100s", "-o", trace, "--mode", mode)
    with harness.Running("record", *arguments, prefix=app.prefix) as running:
        app.call("run " + " ".join(kinds))
        done = running.finish()
    if done.status != 0:
        raise RuntimeError(f"record: {done!r}")
    text = harness.gilscope("export", trace, "--format", "script")
    if text.status != 0:
        raise RuntimeError(f"export: {text!r}")
    return Comparison(text.stdout, app.rows())
