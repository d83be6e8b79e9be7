# SPDX-License-Identifier: MIT
"""Long results on a terminal go through a pager, and nothing else changes by that."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

from test_golden import CASES, EXIT_PARTIAL, GILSCOPE
from test_screen import on_terminal

BLAME = next(CASES.glob("blame.script"))
WHOLE = ("report", "--all", BLAME)
MARKS = {"PAGER": "sed s/^/P:/", "TERM": "xterm"}


def plainly(*arguments, columns=80):
    return on_terminal(columns, *arguments, env={"GILSCOPE_PAGER": ""})


@pytest.mark.parametrize(
    "arguments",
    [WHOLE, ("report", "--json", BLAME), ("dump", "--recording", BLAME), ("report", "--help")],
    ids=["all", "json", "dump", "help"],
)
def test_long_results_go_through_the_pager(arguments):
    plain = plainly(*arguments)
    assert on_terminal(80, *arguments, env=MARKS) == [f"P:{line}" for line in plain]


def test_the_answer_of_one_screen_does_not():
    plain = plainly("report", BLAME)
    assert on_terminal(80, "report", BLAME, env=MARKS) == plain
    low = on_terminal(80, "report", BLAME, env=MARKS, rows=23)
    assert low == [f"P:{line}" for line in plain]


@pytest.mark.parametrize(
    "env",
    [
        {"GILSCOPE_PAGER": "cat"},
        {"GILSCOPE_PAGER": ""},
        {"GILSCOPE_PAGER": " "},
        {"PAGER": ""},
        {"TERM": "dumb"},
        {"PAGER": "no-such-pager -x"},
        {"PAGER": '"no-such-pager" -x 2>/dev/null'},
    ],
    ids=str,
)
def test_without_a_pager_it_is_printed_plainly(env):
    assert on_terminal(80, *WHOLE, env={**MARKS, **env}) == plainly(*WHOLE)


def test_no_pager():
    assert on_terminal(80, *WHOLE, "--no-pager", env=MARKS) == plainly(*WHOLE)


def test_its_own_variable_comes_first():
    env = {**MARKS, "TERM": "dumb", "GILSCOPE_PAGER": "sed 's/^/a b:/'"}
    assert on_terminal(80, *WHOLE, env=env) == [f"a b:{line}" for line in plainly(*WHOLE)]


def test_what_is_no_terminal_has_no_pager():
    outcome = subprocess.run(
        [GILSCOPE, *WHOLE], env={**os.environ, **MARKS}, capture_output=True, text=True, check=True
    )
    assert "FINDINGS" in outcome.stdout and "P:" not in outcome.stdout


@pytest.mark.parametrize("columns", [60, 120])
def test_width_and_colours_are_of_the_terminal(columns):
    env = {**MARKS, "NO_COLOR": ""}
    lines = on_terminal(columns, *WHOLE, env=env)
    assert any("\x1b[" in line for line in lines)
    bare = [re.sub(r"\x1b\[[0-9;]*m", "", line).removeprefix("P:") for line in lines]
    assert bare == plainly(*WHOLE, columns=columns)


@pytest.fixture
def large(tmp_path):
    """A recording whose report is larger than a pipe."""
    thread = "100.000000000 101 thread python pid=100 nstid=101\n"
    more = "".join(thread.replace("101", str(20000 + i)) for i in range(400))
    before, after = BLAME.read_text().split(thread)
    path = tmp_path / "large.script"
    path.write_text(before + thread + more + after)
    return path


def test_leaving_the_pager_early_is_no_failure(large):
    """on_terminal() checks the exit status and stderr is empty."""
    arguments = ("report", "--json", large)
    assert sum(map(len, plainly(*arguments))) > 100_000
    lines = on_terminal(80, *arguments, env={**MARKS, "PAGER": "head -n 1"})
    assert len(lines) == 1 and lines[0].startswith("{")


@pytest.mark.parametrize("key", ["INT", "QUIT"])
def test_keys_that_end_programs_are_the_pagers(key):
    """Otherwise the shell has the terminal again, beside a pager that has not ended."""
    env = {"PAGER": f"kill -{key} $PPID; sed s/^/P:/"}
    assert on_terminal(80, *WHOLE, env={**MARKS, **env})[0].startswith("P:")


@pytest.mark.parametrize("name, uid", [("less", None), ("less", "65534"), ("more", None)])
def test_ctrl_z_stops_both_or_neither(name, uid):
    """less does not stop if LESSSECURE is set, as it is for root."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's folders are root's alone
        pager = pathlib.Path(folder) / name
        pager.write_text("#!/bin/sh\necho ${LESSSECURE:-0}; exec grep SigIgn /proc/$PPID/status")
        pager.chmod(0o755)
        pager.parent.chmod(0o755)
        env = {**MARKS, "PAGER": f"{pager} -X"}
        if uid:
            env |= {"SUDO_UID": uid, "SUDO_GID": uid}
        secure, ignored = on_terminal(80, *WHOLE, env=env)
    stays = int(ignored.split()[1], 16) >> (signal.SIGTSTP - 1) & 1
    assert stays == (name == "less" and secure == "1")
    assert secure == "1" or uid or os.geteuid()


def test_the_exit_status_is_the_reports():
    [lost] = CASES.glob("lost.script")
    expected = subprocess.run([GILSCOPE, "report", lost], capture_output=True, check=False)
    assert expected.returncode == EXIT_PARTIAL
    on_terminal(80, "report", "--all", lost, env=MARKS, status=EXIT_PARTIAL)


def test_less_ends_at_once_when_all_fits():
    if not shutil.which("less"):
        pytest.skip("no less")
    env = {"TERM": "xterm", "PAGER": "less", "LESS": "FRX"}
    [case] = CASES.glob("quiet.script")
    lines = on_terminal(80, "report", "--summary", case, env=env)
    lines = [re.sub(r"\x1b(\[[?0-9;]*[a-zA-Z]|[=>])", "", line) for line in lines]
    assert [line for line in lines if line] == plainly("report", "--summary", case)


@pytest.mark.parametrize("uid", ["1234", None], ids=["sudo", "root"])
def test_it_has_no_privileges(uid):
    """Those of the user who called sudo; as root it has no capabilities, and less is told to run no
    other programs."""
    env = {**MARKS, "PAGER": "cat /proc/self/status -"}
    if uid:
        env |= {"SUDO_UID": uid, "SUDO_GID": "1235"}
    text = "\n".join(on_terminal(80, *WHOLE, env=env))
    assert re.search(r"^CapPrm:\s*0+$", text, re.M) and re.search(r"^CapEff:\s*0+$", text, re.M)
    assert re.search(r"^NoNewPrivs:\s*1$", text, re.M)
    if os.geteuid():
        return
    ids = "\t".join([uid or "0"] * 4)
    assert re.search(rf"^Uid:\t{ids}$", text, re.M), text
    assert not uid or re.search(r"^Groups:\t1235 $", text, re.M), text
    secure = on_terminal(80, *WHOLE, env={**env, "PAGER": "printenv LESSSECURE"})
    assert secure == ([] if uid else ["1"])
