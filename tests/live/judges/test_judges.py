# SPDX-License-Identifier: MIT
"""Tests of the comparison of names and stacks: it accepts what is right, rejects what is wrong, and
counts what is missing separately."""

import copy

import pytest

import harness
import names
import script
import stacks

pytestmark = [pytest.mark.unprivileged, pytest.mark.beside]

WORK = {"function": "work", "file": "/app/work.py", "lines": [7, 8]}
HOLD = {"function": "Ledger.hold", "file": "/app/work.py", "lines": [20]}
ROUTE = {"function": "route", "file": "/app/app.py", "role": "route"}
THREAD = {"function": "Ledger.close", "file": "/app/work.py", "role": "thread"}


def frame(function, file, line, **more):
    return {"function": function, "file": file, "line": line, **more}


def stall():
    return {
        "stack": [
            frame("sleep", "/usr/lib/time.py", 3),
            frame("work", "/app/work.py", 8),
            frame("route", "/app/app.py", 5),
        ],
        "handler": frame("route", "/app/app.py", 5, role="route"),
        "blockers": [
            {
                "tid": 8,
                "stack": [
                    frame("Ledger.hold", "/app/work.py", 20),
                    frame("Ledger.close", "/app/work.py", 30),
                ],
                "handler": frame("Ledger.close", "/app/work.py", 30, role="thread"),
            }
        ],
    }


MARK = harness.Mark(
    {
        "name": "work",
        "cause": "gil_wait",
        "t0_ns": 0,
        "t1_ns": 1,
        "blocker": 8,
        "place": WORK,
        "handler": ROUTE,
        "holder": {"place": HOLD, "handler": THREAD},
    }
)

WRONG = {
    "another line": lambda found: found["stack"][1].update(line=9),
    "another function": lambda found: found["stack"][1].update(function="job"),
    "another file": lambda found: found["stack"][1].update(file="/app/works.py"),
    "a frame too many": lambda found: found["stack"].insert(
        1, frame("helper", "/app/helper.py", 1)
    ),
    "the frame lost": lambda found: found["stack"].pop(1),
    "only the library": lambda found: found.update(stack=found["stack"][:1]),
    "another handler": lambda found: found["handler"].update(function="other"),
    "another role": lambda found: found["handler"].update(role="task"),
    "a handler of another file": lambda found: found["handler"].update(file="/app/work.py"),
    "another blocker": lambda found: found["blockers"][0].update(tid=9),
    "a blocker's other line": lambda found: found["blockers"][0]["stack"][0].update(line=21),
    "a blocker's other handler": lambda found: found["blockers"][0]["handler"].update(
        function="Ledger.open"
    ),
}
MISSING = {
    "no stack": lambda found: found.update(stack=[]),
    "an unread frame": lambda found: found["stack"][1].update(function="?", file="", line=0),
    "no handler": lambda found: found.update(handler=None),
    "no stack of the blocker": lambda found: found["blockers"][0].update(stack=[]),
    "no handler of the blocker": lambda found: found["blockers"][0].update(handler=None),
}


def judged(change):
    found, tally = copy.deepcopy(stall()), names.Tally()
    change(found)
    tally.add(names.check_stall, found, MARK)
    return tally.right, len(tally.missing), len(tally.wrong)


def test_right_names_are_accepted():
    assert judged(lambda found: None) == (1, 0, 0)


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
def test_wrong_names_are_noticed(change):
    assert judged(change) == (0, 0, 1)


@pytest.mark.parametrize("change", MISSING.values(), ids=MISSING.keys())
def test_missing_names_are_distinguished_from_wrong_ones(change):
    assert judged(change) == (0, 1, 0)


# ── scripts and stacks ────────────────────────────────────────────────────────────────────────────

SCRIPT = r"""# a comment
gilscope-script 1 {"version": "0.1.0"}
function 1 line=3 name=work file=/app/a\x20b\x0a\xff.py
function 2 line=9 name=größe file=<string>
text 1 text=рабочий\x207
stack 1 1:4 2:11
stack 2 cut 1:4 0:0
1.000000001 7 python_name text=1
1.5 7 stack gil=0 sleep stack=1 task=1 root=4096
2.000000000 8 stack gil=0 wait holder stack=2
3.000000000 8 stack gil=0 clock torn
3.000000000 8 take gil=0
4 8 drop gil=0
"""


def test_a_script_is_read():
    found = script.Script(SCRIPT)
    assert found.names == {7: ["рабочий 7"]}
    first, second, third = found.stacks
    assert (first.ts, first.tid, first.flags, first.task, first.root, first.cut) == (
        1_500_000_000,
        7,
        {"sleep"},
        "рабочий 7",
        4096,
        False,
    )
    assert [(one.function, one.file, one.line) for one in first.frames] == [
        ("work", "/app/a b\n\udcff.py", 4),
        ("größe", "<string>", 11),
    ]
    assert second.cut and second.frames[1].function is None and second.flags == {"wait", "holder"}
    assert [found.holder(second) for second in (2_900_000_000, 3_000_000_000, 4_100_000_000)] == [
        0,
        8,
        0,
    ]
    assert third.frames is None and third.flags == {"clock", "torn"}


def taken(frames, flags=(), cut=False):
    stack = script.Stack()
    stack.ts, stack.tid, stack.flags, stack.cut, stack.task, stack.root = (
        5,
        7,
        set(flags),
        cut,
        "",
        0,
    )
    stack.frames = frames and [script.Frame(*one) for one in frames]
    return stack


TRUTH = [["a", "a.py", 1], ["b\udcff", "b.py", 2], ["c" * 2000, "c.py", 3]]
SEEN = [("a", "a.py", 1), ("b\ufffd", "b.py", 2), ("c" * stacks.TEXT_BYTES, "c.py", 3)]
DEEP = [[f"f{n}", "deep.py", n] for n in range(300)]
GAP = (None, "", stacks.GAP_LINE)
KEPT = [*(tuple(one) for one in DEEP[:95]), GAP, *(tuple(one) for one in DEEP[-32:])]


@pytest.mark.parametrize(
    "stack, truth",
    [
        (taken(SEEN), TRUTH),
        (taken(SEEN[1:], ["torn"]), TRUTH),
        (taken(KEPT), DEEP),
    ],
    ids=["whole", "torn", "cut"],
)
def test_a_right_stack_is_accepted(stack, truth):
    assert stacks.compare(stack, truth) is None


@pytest.mark.parametrize(
    "stack, truth",
    [
        (taken([("a", "a.py", 2), *SEEN[1:]]), TRUTH),
        (taken([("x", "a.py", 1), *SEEN[1:]]), TRUTH),
        (taken(SEEN[:2]), TRUTH),
        (taken(SEEN[1:]), TRUTH),
        (taken(SEEN[:2], ["torn"]), TRUTH),
        (taken([*SEEN, SEEN[2]]), TRUTH),
        (taken(SEEN[::-1]), TRUTH),
        (taken(SEEN, cut=True), TRUTH),
        (taken(KEPT[1:]), DEEP),
        (taken([tuple(one) for one in DEEP[:128]]), DEEP),
        (taken(KEPT[:-1] + [tuple(DEEP[-2])]), DEEP),
        (taken([(None, "", 0), ("x", "b.py", 2), SEEN[2]]), TRUTH),
    ],
    ids=[
        "line",
        "function",
        "outer end gone",
        "inner end gone",
        "torn at the wrong end",
        "twice",
        "order",
        "cut for nothing",
        "cut too short",
        "cut in secret",
        "shifted",
        "wrong beside missing",
    ],
)
def test_a_wrong_stack_is_noticed(stack, truth):
    assert stacks.compare(stack, truth) not in (None, "missing")


@pytest.mark.parametrize(
    "stack", [taken(None), taken([SEEN[0], (None, "", 0), SEEN[2]])], ids=["stack", "frame"]
)
def test_a_missing_stack_or_frame_is_distinguished_from_a_wrong_one(stack):
    assert stacks.compare(stack, TRUTH) == "missing"


def test_places_without_a_stack_are_counted():
    row = {
        "shape": "plain",
        "kind": "sleep",
        "fleeting": False,
        "tid": 7,
        "t0_ns": 1_400_000_000,
        "t1_ns": 1_600_000_000,
        "stack": [["work", "/app/a b\n\udcff.py", 4], ["größe", "<string>", 11]],
    }
    text = (
        SCRIPT.replace(r"\xff", r"\xef\xbf\xbd")
        + "1.500000000 7 switch_out cpu=1 syscall sysno=35\n1.700000000 7 switch_out cpu=1\n"
    )
    rows = [
        row,
        {**row, "t0_ns": 1_600_000_000, "t1_ns": 1_800_000_000},
        {**row, "t0_ns": 1_800_000_000, "t1_ns": 1_900_000_000},
    ]
    found = stacks.Comparison(text, {"rows": rows, "waiter": 9, "hog": [], "hog_tid": 10})
    assert (found.right, len(found.missing), len(found.wrong), found.due, len(found.without)) == (
        1,
        0,
        0,
        2,
        1,
    )
    found = stacks.Comparison(
        text.replace("2:11", "2:12"), {"rows": [row], "waiter": 9, "hog": [], "hog_tid": 10}
    )
    assert (found.right, len(found.wrong), len(found.without)) == (0, 1, 1)
