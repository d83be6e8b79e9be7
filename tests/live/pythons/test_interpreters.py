# SPDX-License-Identifier: MIT
"""Sub-interpreters, with GILs of their own and with the main one's: made before and while they are
observed, many of them, and some that end."""

import os
import sys
import time

import pytest

import harness
import interpreters
import laws

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "soak"))

import soak

MS = 1_000_000
SCRIPT = os.path.join(harness.APPS, "interpreters", "truth.py")
EVERY = {
    label: (python,) if isinstance(python, str) else tuple(python)
    for label, python in interpreters.supported_pythons().items()
}
# those that can give an interpreter a GIL of its own
PYTHONS = {
    label: python for label, python in EVERY.items() if interpreters.version(python) >= (3, 12)
}
CAUSES = {"nap": {"blocked"}, "spin": {"python"}, "starve": {"gil_wait"}}
MANY = 64
ROUNDS = 18
KEPT, KEPT_FOR_S = 64, 5  # as docs/model.md says
# of gilscope's memory for each interpreter that has ended, at most: each brings code objects of its
# own, which are cached up to a limit
GROWTH_KB = 6
BETWEEN = 0.1  # who has a GIL that is new is unknown until it is read
MAKING = 0.4  # … which is most of the time of a thread that makes nothing but interpreters
NOT_AT_ONCE = 0.05  # of a stretch: what may be unknown at its ends in mode edges


def usable(label):
    """Its command, where it has sub-interpreters with a GIL of their own."""
    python = PYTHONS[label]
    module = "_interpreters" if interpreters.version(python) >= (3, 13) else "_xxsubinterpreters"
    if not interpreters.has(python, module):
        pytest.skip(f"this Python has no {module}")
    return python


class Observed:
    """The report of the application while it obeys `commands`, and what it says itself."""

    def __init__(self, python, mode, folder, before, commands, most_unknown=laws.MOST_UNKNOWN):
        trace = os.path.join(folder, "interpreters.gsc")
        with harness.RawApp(
            None, python=python, prefix=harness.undisturbed(), script=SCRIPT
        ) as app:
            for command in before:
                app.call(command)
            with harness.Running(
                "record",
                *("-p", app.pid, "-d", "60s", "-o", trace, "--mode", mode),
                prefix=app.prefix,
            ) as running:
                self.memory_kb = []
                for command in commands:
                    app.call(command)
                    self.memory_kb.append(soak.rss_kb(running.pid))
                assert running.finish().status == 0
            answer = app.answer("marks")
            self.pid = app.pid
        outcome = harness.gilscope("report", trace, "--json")
        laws.check_laws(outcome.report)
        laws.check_evidence(outcome, most_unknown)
        self.text = harness.gilscope("report", trace).stdout
        self.report, self.ids = outcome.report, answer["ids"]
        (self.process,) = outcome.report["processes"]
        self.marks = answer["marks"]
        violations = sum(gil["violations"] for gil in self.process["gils"])
        assert not violations, (violations, self.report["evidence"]["gaps"])

    def marks_of(self, *names):
        return [mark for mark in self.marks if mark["name"] in names]

    def hog(self, mark):
        """Who keeps the GIL of that loop's interpreter meanwhile."""
        (hog,) = [
            hog
            for hog in self.marks_of("hog")
            if hog["interpreter"] == mark["interpreter"]
            and mark["t0_ns"] <= hog["t0_ns"] <= mark["t1_ns"]
        ]
        return hog

    def stall(self, mark):
        """The one stall of the mark's own loop that contains it."""
        found = [
            stall
            for loop in self.process["loops"]
            if loop["tid"] == mark["tid"]
            for stall in loop["stalls"]
            if stall["start_ns"] < mark["t1_ns"] and mark["t0_ns"] < stall["end_ns"]
        ]
        assert len(found) == 1, f"{mark}: {len(found)} stalls"
        assert found[0]["start_ns"] <= mark["t0_ns"] and mark["t1_ns"] <= found[0]["end_ns"], mark
        return found[0]

    def gil(self, name):
        """The GIL of the interpreter with that name."""
        (gil,) = [
            gil for gil in self.process["gils"] if gil["interpreter"] == self.ids.get(name, 0)
        ]
        return gil

    def check(self, mark):
        stall, name = self.stall(mark), mark["name"]
        # a thread of the same priority may have the CPU for a while: that is no fault
        ran = {state: ns for state, ns in stall["states"].items() if state != "runnable"}
        assert max(ran, key=ran.get) in CAUSES[name], (mark, stall["cause"], stall["states"])
        assert stall["cause"] in {*CAUSES[name], "runnable"}, (mark, stall["cause"])
        functions = [frame["function"] for frame in stall["stack"]]
        assert f"Loop.{name}" in functions and "Loops._run" not in functions, functions
        if name == "starve":
            hog = self.hog(mark)
            assert stall["blockers"][0]["tid"] == hog["tid"], stall["blockers"]
            assert stall["blockers"][0]["stack"][0]["function"] == "keep_gil"
        else:
            assert not stall["blockers"] or stall["blockers"][0]["ns"] < 5 * MS, stall["blockers"]

    def check_holds(self, *names):
        """A thread that computes with a GIL is found holding that one, and no other."""
        for name in names:
            spun = sum(
                mark["t1_ns"] - mark["t0_ns"]
                for mark in self.marks_of("spin", "hog")
                if mark["interpreter"] == name
            )
            assert self.gil(name)["held_ns"] >= (1 - NOT_AT_ONCE) * spun - 10 * MS, name


@pytest.mark.parametrize("mode", ["exact", "edges"])
@pytest.mark.parametrize("label", PYTHONS)
def test_loops_in_interpreters(label, mode, tmp_path):
    seen = Observed(
        usable(label),
        mode,
        tmp_path,
        ("own A B idle", "shared C"),
        ("nap A", "spin A", "starve A", "nap C", "spin C", "starve C", "spin A B", "hog C"),
    )
    (late,) = [mark for mark in seen.marks_of("spin") if mark["interpreter"] == "C"][1:]
    apart = [mark for mark in seen.marks_of("spin") if mark["interpreter"] in ("A", "B")]
    for mark in [mark for mark in seen.marks_of(*CAUSES) if mark is not late]:
        seen.check(mark)
    (hog,) = [mark for mark in seen.marks_of("hog") if mark["interpreter"] == "main"]
    waits = seen.stall(late)
    assert waits["blockers"][0]["tid"] == hog["tid"] == seen.pid
    # woken, it may not get a CPU at once; it may run for a switch interval or two before
    waited = waits["states"]["gil_wait"] + waits["states"].get("runnable", 0)
    assert waits["cause"] == "gil_wait"
    assert waited >= hog["t1_ns"] - hog["t0_ns"] - 40 * MS
    # they computed at the same time, each with its own GIL
    a, b = apart[-2:]
    assert {a["interpreter"], b["interpreter"]} == {"A", "B"}
    for mark in (a, b):
        assert seen.stall(mark)["states"].get("gil_wait", 0) < 5 * MS
    seen.check_holds("A", "B")
    assert {gil["interpreter"] for gil in seen.process["gils"]} == {
        0,
        *(seen.ids[name] for name in ("A", "B", "idle")),
    }
    assert f"GIL of interpreter {seen.ids['A']}" in seen.text
    length = seen.report["window"]["end_ns"] - seen.report["window"]["start_ns"]
    (idle,) = [
        thread
        for thread in seen.process["threads"]
        if thread["loop"] and thread["tid"] not in {mark["tid"] for mark in seen.marks}
    ]
    assert idle["states"]["idle"] >= (1 - NOT_AT_ONCE) * length, idle


@pytest.mark.parametrize("mode", ["exact", "edges"])
@pytest.mark.parametrize("label", PYTHONS)
def test_interpreters_that_come_and_go(label, mode, tmp_path):
    """Their GILs are at new addresses and at those of earlier ones; more of them than a thread
    could look at whenever it goes to sleep."""
    seen = Observed(
        usable(label),
        mode,
        tmp_path,
        ("own A",),
        (
            *("own D", "nap D", "spin D", "starve D", "end D"),
            *("own E", "spin E", "starve E", "end E"),
            *(f"many {MANY}", "nap A", "spin A", "starve A"),
            *("own F", "nap F", "spin F", "starve F", "fewer", "nap F", "nap A"),
        ),
        most_unknown=BETWEEN,
    )
    assert len(seen.marks_of("nap")) == 5 and len(seen.marks_of("starve")) == 4
    for mark in seen.marks_of(*CAUSES):
        seen.check(mark)
    seen.check_holds("A", "D", "E", "F")


@pytest.mark.parametrize("label", PYTHONS)
def test_any_number_of_interpreters(label, tmp_path):
    """More than are kept one by one, and than a process may have at a time: those that have ended
    are summed up, what is held for them is used again, and each round is seen like the first."""
    works = ("nap", "spin", "starve")
    rounds = [
        (f"many {MANY}", "fewer", f"own R{n}", f"{works[n % 3]} R{n}", f"end R{n}")
        for n in range(ROUNDS)
    ]
    begin = time.monotonic()
    seen = Observed(usable(label), "exact", tmp_path, (), sum(rounds, ()), most_unknown=MAKING)
    per_s = ROUNDS * (MANY + 1) / (time.monotonic() - begin)
    for mark in seen.marks_of(*CAUSES):
        seen.check(mark)
    assert len(seen.marks_of(*CAUSES)) == ROUNDS
    gils = seen.process["gils"]
    # one whose GIL has the address of the one before is another one when the clock has seen it
    made = ROUNDS * (MANY + 1)
    assert 0.98 * made <= sum(gil.get("stands_for", 1) for gil in gils) - 1 <= made
    assert len(gils) <= 2 * KEPT + MANY + per_s * KEPT_FOR_S * 2, len(gils)
    [ended] = [gil for gil in gils if "stands_for" in gil]
    assert ended["stands_for"] > len(gils), "few were summed up: the test proves little"
    spun = sum(mark["t1_ns"] - mark["t0_ns"] for mark in seen.marks_of("spin", "hog"))
    held = sum(gil["held_ns"] for gil in gils if gil["interpreter"] or "stands_for" in gil)
    assert held >= (1 - NOT_AT_ONCE) * spun
    half = len(seen.memory_kb) // 2
    grown = seen.memory_kb[-1] - seen.memory_kb[half]
    assert grown <= GROWTH_KB * ROUNDS / 2 * (MANY + 1), seen.memory_kb
    assert f"GILs of {ended['stands_for']} interpreters that ended" in seen.text
