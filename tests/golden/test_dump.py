# SPDX-License-Identifier: MIT
"""The threads' states at the end of a recording: for some scripts as text and JSON, compared with
NAME.dump.txt and NAME.dump.json; laws that hold for all of them; and the command's errors."""

import functools
import json
import re
import subprocess

import jsonschema
import pytest

from test_golden import CASES, GILSCOPE, ROOT, SCRIPTS, compare, properties

SHOWN = [
    CASES / f"{name}.script"
    for name in """
        deadlock dump edges_holder foreign_thread gil_off hostile_stacks hung locks_handed_on
        locks_stale stopped supervisor two_processes
    """.split()
]
HOLDING = {"python", "held_blocked", "held_runnable"}
TZ = {"TZ": "UTC", "PATH": "/usr/bin:/bin"}


def run(*words):
    return subprocess.run(
        [GILSCOPE, "dump", *map(str, words)], capture_output=True, timeout=60, env=TZ, check=False
    )


@functools.lru_cache(maxsize=None)
def dump(script, *options):
    done = run("--recording", script, *options)
    assert done.returncode in (0, 5), done.stderr.decode()
    return done.stdout.decode(), done.returncode


@pytest.fixture(params=SCRIPTS, ids=lambda path: path.stem)
def found(request):
    return json.loads(dump(request.param, "--json")[0])


@pytest.mark.parametrize("script", SHOWN, ids=lambda path: path.stem)
def test_text_is_as_expected(request, script):
    compare(request, script.with_suffix(".dump.txt"), dump(script)[0])


def test_json_is_as_expected(request):
    script = CASES / "dump.script"
    compare(request, script.with_suffix(".dump.json"), dump(script, "--json")[0])


def test_json_keeps_its_schema(found):
    schema = json.loads((ROOT / "docs/dump.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(found)


def test_the_schema_knows_every_key_that_is_written():
    table = (ROOT / "user/view/json/dump.def").read_text()
    keys = set(re.findall(r"^\t(?:KEY|OPTIONAL|STREAMED)\((\w+)", table, re.M))
    # keys of the report
    shared = {"start_ns", "end_ns", "function", "file", "line", "role", "source", "decorator"}
    schema = json.loads((ROOT / "docs/dump.schema.json").read_text())
    assert keys | shared == set(properties(schema))


def test_holders_and_waiters_agree_with_the_threads(found):
    for process in found["processes"]:
        threads = {thread["tid"]: thread for thread in process["threads"]}
        holders = {gil["address"]: gil["holder"] for gil in process["gils"]}
        assert len(threads) == len(process["threads"])
        for gil in process["gils"]:
            assert (gil["state"] == "held") == (gil["holder"] is not None)
            assert (gil["since_ns"] is not None) == (gil["holder"] is not None)
            waiting = [
                tid
                for tid, thread in threads.items()
                if thread["state"] == "gil_wait" and thread["gil"] == gil["address"]
            ]
            assert gil["waiters"] == waiting
            if gil["holder"]:
                assert threads[gil["holder"]]["state"] in HOLDING | {"unknown"}
                assert threads[gil["holder"]]["gil"] == gil["address"]
        for thread in threads.values():
            if thread["state"] == "gil_wait":
                assert thread["waits_for"] == holders[thread["gil"]]
            elif thread["waits_for"]:
                assert thread["call"]["lock"] == "mutex"
        for circle in process["deadlocks"]:
            nexts = [threads[tid]["waits_for"] for tid in circle]
            assert nexts == [*circle[1:], circle[0]]


def test_times_lie_in_the_window_and_stacks_have_evidence(found):
    start, now = found["window"]["start_ns"], found["now_ns"]
    assert found["window"]["end_ns"] == now
    for process in found["processes"]:
        for thread in process["threads"]:
            assert (thread["since_ns"] is None) == (thread["state"] == "unknown")
            assert thread["since_ns"] is None or start <= thread["since_ns"] <= now
            assert sum(thread["states"].values()) <= now - start
            assert bool(thread["stack"]) == (thread["stack_evidence"] != "unknown")
            if thread["state"] in ("python", "native"):
                assert thread["stack_evidence"] != "exact"
            if thread["state"] in ("blocked", "held_blocked", "idle"):
                assert thread["stack_evidence"] != "sampled"
            assert thread["stack_ns"] is None or start <= thread["stack_ns"] <= now
            loop = thread["loop"]
            if thread["state"] == "idle":
                assert loop["state"] == "idle"
            if loop:
                assert (loop["state"] == "in_turn") == (loop["since_ns"] is not None)


def test_text_and_json_have_the_same_threads(found, request):
    text, _ = dump(request.node.callspec.params["found"])
    tids = [thread["tid"] for process in found["processes"] for thread in process["threads"]]
    heads = re.findall(r"^(?:    )?(?:'.*' \(|thread )(\d+)\)?(?: ·|:|$)", text, re.M)
    assert sorted(map(int, heads)) == sorted(tids)


@pytest.mark.parametrize(
    "words, why",
    [
        ((), "no PID given"),
        (("1", "--recording", "x"), "not both"),
        (("--recording", "/nonexistent"), "cannot open /nonexistent"),
        (("no such process",), "no Python process has a command line with"),
    ],
)
def test_what_cannot_be_shown_is_refused(words, why):
    done = run(*words)
    assert done.returncode in (1, 2) and why in done.stderr.decode() and not done.stdout


def test_a_recording_that_was_cut_off_is_shown_as_far_as_it_goes(tmp_path):
    whole = (CASES / "dump.script").read_text()
    (tmp_path / "cut.script").write_text(whole.replace("100.200000000 0 window end\n", ""))
    cut = json.loads(dump(tmp_path / "cut.script", "--json")[0])
    (loop,) = [thread for thread in cut["processes"][0]["threads"] if thread["loop"]]
    assert cut["now_ns"] == 100_195_000_000 and loop["state"] == "gil_wait"
    assert loop["waits_for"] == 101 and loop["loop"]["state"] == "in_turn"


TAKEN_AGAIN = """gilscope-script 1 {"version": "0.2.0", "mode": "exact"}
process {"pid": 100, "cmdline": "python3 app.py", "python": "3.11.2", "machine": "x86_64"}
1.000 100 gil gil=0 address=0x7f0000001000
1.000 100 thread python pid=100
1.000 0 window
1.001 100 observe gil=0 definite
1.002 100 switch_in cpu=0
1.010 100 take gil=0
1.020 100 drop gil=0
1.030 100 take gil=0
1.040 0 window end
"""


def test_a_holder_has_the_gil_since_it_took_it_last(tmp_path):
    (tmp_path / "taken.script").write_text(TAKEN_AGAIN)
    (process,) = json.loads(dump(tmp_path / "taken.script", "--json")[0])["processes"]
    (gil,), (thread,) = process["gils"], process["threads"]
    assert gil["holder"] == 100 and gil["since_ns"] == 1_030_000_000 and not gil["began_before"]
    assert thread["state"] == "python" and thread["since_ns"] == 1_030_000_000
