# SPDX-License-Identifier: MIT
"""Blame on bare event loops: holders of the GIL, parts of iterations, the garbage collector, and
the totals of the table of blame."""

import collections
import os

import pytest

import harness
import interpreters
import laws
import names

MS = 1_000_000
WAITS, FEWEST_WAITS, LONG_WAITS, CROWDS, TURNS, BLOCKS = 200, 100, 12, 10, 5, 8
PERIOD_NS = 1e9 / 199
LEAST_PARTS = 8
HOLDERS_RIGHT, ENOUGH = 0.99, 100
EXACT, EXACT_NS = 0.01, 200_000
GC_EDGE_NS = 20_000  # gc.callbacks take 5 to 13 us, in some versions as part of gc_ns


class Recording:
    """Some commands of names_truth.py under one gilscope."""

    def __init__(self, loop, commands, stall="10ms", prefix=harness.undisturbed(), mode="edges"):
        self.loop = loop
        with harness.RawApp(
            loop, script=os.path.join(harness.APPS, "names_truth.py"), prefix=prefix
        ) as app:
            app.call("waits 2")
            known, collected = len(app.marks()), len(app.answer("collections"))
            with harness.attach(app, "--mode", mode, stall=stall) as running:
                for command in commands:
                    app.call(command)
                self.outcome = running.finish()
            self.marks = app.marks()[known:]
            self.collections = app.answer("collections")[collected:]
        self.report = self.outcome.report
        laws.check_laws(self.report)
        laws.check_evidence(self.outcome)

    def blame(self):
        return {row["handler"]["function"]: row for row in self.report["blame"]}


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def waits(request):
    return Recording(request.param, [f"waits {WAITS}"])


def near(value, expected, share=EXACT, least_ns=EXACT_NS):
    return abs(value - expected) <= max(share * expected, least_ns)


# ── holders ───────────────────────────────────────────────────────────────────────────────────────


def test_the_holder_is_named_in_99_of_100_contended_waits(waits):
    tally = names.Tally()
    for mark in waits.marks:
        if mark.t1_ns - mark.from_ns < 11 * MS:
            continue
        stall = laws.the_stall(waits.report, mark)
        if stall["cause"] == "gil_wait":
            tally.add(names.check_stall, stall, mark)
    print(f"{waits.loop}: {tally}")
    assert not tally.wrong
    assert tally.total >= FEWEST_WAITS, (
        "the loop hardly ever waited for the GIL rather than for a CPU"
    )
    assert tally.right >= HOLDERS_RIGHT * tally.total, tally.missing


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_table_says_how_long_each_holder_made_the_loop_wait(loop):
    """Long waits, since each also has a begin and an end that are not the holder's: until its
    thread runs, and from its drop to the take."""
    recording = Recording(loop, [f"long {LONG_WAITS}"])
    blame, expected = recording.blame(), collections.Counter()
    for mark in recording.marks:
        stall = laws.the_stall(recording.report, mark)
        expected[mark.holder["handler"]["function"]] += (
            mark.t1_ns - mark.from_ns - laws.without_cpu_ns(stall)
        )
    for function, ns in expected.items():
        row = blame[function]
        assert near(row["made_loops_wait_ns"], ns), f"{function}: {row}, {ns} ns by the marks"
    assert (
        sum(row["made_loops_wait_ns"] for row in recording.report["blame"])
        <= recording.report["processes"][0]["gils"][0]["contended_ns"]
    )


def test_the_table_counts_the_stalls_of_each_holder(waits):
    blame = waits.blame()
    found = collections.defaultdict(list)
    for mark in waits.marks:
        for stall in laws.stalls_of(waits.report):
            if mark.overlaps(stall) and stall["cause"] == "gil_wait":
                found[mark.holder["handler"]["function"]].append(stall)
    for function, stalls in found.items():
        lengths = [stall["end_ns"] - stall["start_ns"] for stall in stalls]
        row = blame[function]
        assert (row["stalls"], row["stall_ns"], row["worst_ns"]) == (
            len(stalls),
            sum(lengths),
            max(lengths),
        ), f"{function}: {row}"
        assert row["worst_start_ns"] in [stall["start_ns"] for stall in stalls]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_each_of_a_crowd_is_named(loop):
    """Three threads that only compute pass the GIL around; the loop queues behind them."""
    tally = names.Tally()
    count_crowd(loop, tally)
    while tally.missing and tally.total < ENOUGH:  # one of a few is no share to judge by
        count_crowd(loop, tally)
    print(f"{loop}: {tally}")
    assert not tally.wrong
    assert tally.total >= CROWDS and tally.right >= HOLDERS_RIGHT * tally.total, tally.missing


def count_crowd(loop, tally):
    # with real-time priority such a crowd would let no other thread run, on any CPU
    recording = Recording(loop, [f"crowd {CROWDS}"], prefix=())
    for mark in recording.marks:
        stall = laws.the_stall(recording.report, mark)
        if stall["cause"] != "gil_wait":
            continue  # the machine had no CPU for them
        tally.add(names.check_place, stall["stack"], mark.place, f"{mark}, culprit")
        for blocker in stall["blockers"]:
            if blocker["ns"] >= 10 * MS:
                tally.add(
                    names.check_handler,
                    blocker["handler"],
                    mark.holder[str(blocker["tid"])],
                    f"{mark}, {blocker['thread']}",
                )


# ── parts of turns ────────────────────────────────────────────────────────────────────────────────


def has_part(stall, mark):
    """Whether a part with the right handler covers most of the mark and exceeds it by no more than
    the sampling period."""
    for part in stall["parts"]:
        if not part["handler"] or part["handler"]["function"] != mark.handler["function"]:
            continue
        common = min(part["end_ns"], mark.t1_ns) - max(part["start_ns"], mark.t0_ns)
        if (
            common >= mark.length_ns / 2
            and part["start_ns"] >= mark.t0_ns - 1.5 * PERIOD_NS
            and part["end_ns"] <= mark.t1_ns + 1.5 * PERIOD_NS
        ):
            return True
    return False


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_ten_short_tasks_in_one_turn_are_not_one_culprit(loop):
    recording = Recording(loop, [f"turns {TURNS}"], stall="50ms")
    stalls = laws.stalls_of(recording.report)
    assert len(stalls) == TURNS and len(recording.marks) == 10 * TURNS
    apart = []
    for stall in stalls:
        marks = [mark for mark in recording.marks if mark.overlaps(stall)]
        assert len(marks) == 10 and stall["cause"] == "python", laws.describe(stall)
        apart.append(sum(has_part(stall, mark) for mark in marks))
        longest = max(mark.length_ns for mark in marks)
        for part in stall["parts"]:
            length = laws.total(part["states"])
            assert length <= longest + 2 * PERIOD_NS, f"{part}: the longest is {longest} ns long"
            if part["handler"]:
                names.check_handler(part["handler"], [mark.handler for mark in marks], f"{part}")
        assert (
            sum(laws.total(part["states"]) for part in stall["parts"])
            <= stall["end_ns"] - stall["start_ns"]
        )
    print(f"{loop}: {apart} of 10 parts found")
    assert min(apart) >= LEAST_PARTS
    blame = recording.blame()
    for function in {mark.name for mark in recording.marks}:
        row = blame[function]
        expected = sum(mark.length_ns for mark in recording.marks if mark.name == function)
        # the begin and the end of each of the function's runs lie between two samples
        assert (
            abs(laws.total(row["loop_states"]) - expected) <= 4 * PERIOD_NS * (2 * TURNS) ** 0.5
        ), f"{row}: {expected} ns by the marks"
        assert row["handler"]["role"] == "task" and row["worst_ns"] < 200 * MS


# ── garbage ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("label", interpreters.supported_pythons())
def test_time_in_the_garbage_collector_is_measured(label):
    with harness.RawApp(
        "asyncio",
        python=(interpreters.supported_pythons()[label],),
        script=os.path.join(harness.APPS, "names_truth.py"),
        prefix=harness.undisturbed(),
    ) as app:
        app.call("garbage 2")
        known, collected = len(app.marks()), len(app.answer("collections"))
        with harness.attach(app, stall="5ms") as running:
            for generation in (0, 1, 2, -1):
                app.call(f"garbage {generation}")
            outcome = running.finish()
        marks, collections_seen = app.marks()[known:], app.answer("collections")[collected:]
    report = outcome.report
    laws.check_laws(report)
    laws.check_evidence(outcome)
    (process,) = report["processes"]
    total = 0
    for mark in marks:
        stall = laws.the_stall(report, mark)
        runs = [
            end - begin
            for tid, begin, end, _ in collections_seen
            if tid == mark.tid and mark.t0_ns <= begin and end <= mark.t1_ns
        ]
        total += sum(runs)
        found = f"gc_ns {stall['gc_ns'] / 1e6:.2f} ms{', sampled' if stall['gc_sampled'] else ''}"
        print(f"{label}: {mark}: {len(runs)} collections of {sum(runs) / 1e6:.2f} ms, {found}")
        if stall["gc_sampled"]:
            # the begin and the end of a run lie between two samples
            tolerance = 2 * PERIOD_NS * max(1, len(runs)) ** 0.5
        else:
            tolerance = max(EXACT * sum(runs), EXACT_NS + GC_EDGE_NS * len(runs))
            # time without a CPU during gc.callbacks is theirs, not part of gc_ns
            tolerance += laws.without_cpu_ns(stall)
        assert abs(stall["gc_ns"] - sum(runs)) <= tolerance, (
            f"{mark}: {stall['gc_ns']} ns, {sum(runs)} ns by the application"
        )
    if label == "system":
        assert process["gc"] == "probes" and not any(
            stall["gc_sampled"] for stall in laws.stalls_of(report)
        )


# ── totals ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["exact", "edges"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_table_adds_up_what_each_handler_did_to_the_loop(loop, mode):
    recording = Recording(loop, [f"blocks {BLOCKS}"], mode=mode)
    blame = recording.blame()
    for function, states, share in (
        ("block_by_sleeping", ["blocked"], 0.01),
        # in mode edges it is sampled which of the two it is
        ("block_by_computing", ["python", "native"] if mode == "edges" else ["python"], 0.03),
    ):
        marks = [mark for mark in recording.marks if mark.name == function]
        name = next(name for name in blame if name.endswith(function))
        row, expected = blame[name], sum(mark.length_ns for mark in marks)
        stolen = sum(laws.without_cpu_ns(stall) for stall in laws.stalls_of(recording.report))
        found = sum(row["loop_states"][state] for state in states)
        slack = max(share * expected, EXACT_NS)
        assert expected - stolen - slack <= found <= expected + slack, (
            f"{row}: {expected} ns of {states} by the marks, {stolen} ns without a CPU"
        )
        assert row["stalls"] == len(marks) == BLOCKS
        assert expected <= row["stall_ns"] <= 1.05 * expected and row["worst_ns"] >= max(
            mark.length_ns for mark in marks
        )
        assert row["made_loops_wait_ns"] == 0
    both = [row for name, row in blame.items() if "block_by" in name]
    assert recording.report["blame"][:2] in (both, both[::-1]), (
        "what the loop suffered from most comes first"
    )
