# SPDX-License-Identifier: MIT
"""What the command line says and accepts: suggestions, help, durations, names of files."""

import os
import re
import shutil
import subprocess

import pytest

from test_golden import CASES, GILSCOPE

SCRIPT = CASES / "blame.script"


def run(*words, **kwargs):
    return subprocess.run(
        [GILSCOPE, *words], capture_output=True, text=True, timeout=60, check=False, **kwargs
    )


@pytest.mark.parametrize(
    "words, said",
    [
        (["atach", "1"], "'atach' is not a command; did you mean gilscope attach?"),
        (["recrod"], "'recrod' is not a command; did you mean gilscope record?"),
        (["hlep"], "'hlep' is not a command; did you mean gilscope help?"),
        (["help", "dmp"], "'dmp' is not a command; did you mean gilscope dump?"),
        (["4711"], "did you mean gilscope attach 4711?"),
        ([":8000"], "did you mean gilscope attach :8000?"),
        ([SCRIPT], f"did you mean gilscope report {SCRIPT}?"),
        (["frobnicate"], "'frobnicate' is not a command; 'gilscope --help' lists them."),
        (["x" * 5000], "is not a command; 'gilscope --help' lists them."),
        (["report", "--jsn"], "unknown option '--jsn'; did you mean --json?"),
        (["report", "--colour=never"], "unknown option '--colour=never'; did you mean --color?"),
        (["attach", "--no-stack=x", "--frob"], "unknown option '--frob'."),
        (["export", "-o", "--jsn", "--formt", "x"], "'--formt'; did you mean --format?"),
        (["record", "--outptu", "x", "--", "x"], "did you mean --output?"),
        (["attach", "--stack-kin=x", "1"], "'x' is no kind of stack"),
        (["report", "--" + "y" * 5000], "unknown option"),
    ],
)
def test_what_was_meant_is_said(words, said):
    done = run(*words)
    assert done.returncode == 2 and said in done.stderr and not done.stdout, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["record", "--quiet", "python3", "--jsn"],
        ["record", "--", "python3", "--jsn"],
        ["flame", "-o", "--jsn", "/nonexistent"],
        ["report", "--st=5ms", "--js", "/nonexistent"],
        ["report", "/nonexistent", "--", "--jsn"],
    ],
    ids=" ".join,
)
def test_what_is_no_option_of_gilscope_is_not_refused_as_one(words, tmp_path):
    assert "unknown option '--" not in run(*words, cwd=tmp_path).stderr


def test_version_and_help():
    version = run("--version").stdout
    assert re.fullmatch(r"gilscope \d+\.\d+\.\d+\S*\n", version)
    for words in (["-V"], ["attach", "-V"], ["report", "--version"]):
        assert run(*words).stdout == version
    assert run("help", "flame").stdout == run("flame", "--help").stdout != ""
    assert run("help").stdout == run("--help").stdout == run("-h").stdout


@pytest.mark.parametrize(
    "words, said",
    [
        (["dump", "-d", "10x"], "'10x' is not a duration"),
        (["dump", "-d", "."], "'.' has no unit"),
        (["dump", "-d", "1.2.3"], "'1.2.3' has no unit"),
        (["dump", "-d", ""], "'' is not a duration"),
        (["report", "--stall", "50"], "'50' has no unit; write 50s or 50ms"),
    ],
)
def test_what_is_no_duration(words, said):
    done = run(*words)
    assert done.returncode == 2 and said in done.stderr, done.stderr


@pytest.mark.parametrize("duration", ["0.1", "1", "10s", "0", "250ms"])
def test_an_observation_needs_no_unit(duration):
    # it gets as far as looking at the process, which does not exist
    assert "4194304 does not exist" in run("dump", "-d", duration, "4194304").stderr or os.geteuid()


@pytest.mark.parametrize("option", ["--color=never", "--no-color", "--color"])
@pytest.mark.parametrize("command", ["attach", "top", "dump", "report", "doctor"])
def test_what_prints_for_people_has_the_same_options(command, option):
    assert option.split("=")[0] in run(command, "--help").stdout
    assert "unknown option" not in run(command, option, "--version").stderr


def test_doctor_colours_its_marks():
    assert "\x1b[32mok\x1b[m" in run("doctor", "--color=always").stdout
    assert "\x1b" not in run("doctor").stdout + run("doctor", "--no-color").stdout


def test_the_last_line_of_doctor_follows_its_marks():
    text = run("doctor", "1").stdout
    assert "\n  NO " in text and text.splitlines()[-1].startswith("gilscope cannot attach")


@pytest.mark.parametrize("command", ["timeline", "flame"])
def test_a_default_name_never_overwrites(command, tmp_path):
    name = {"timeline": "gilscope", "flame": "gilscope-flame"}[command]
    (tmp_path / f"{name}.html").write_text("mine")
    (tmp_path / f"{name}-2.html").symlink_to("nowhere")
    for number in (3, 4):
        done = run(command, SCRIPT, cwd=tmp_path)
        assert f"wrote {name}-{number}.html (" in done.stderr, done.stderr
    assert (tmp_path / f"{name}.html").read_text() == "mine"
    assert (tmp_path / f"{name}-3.html").stat().st_size > 1000
    assert not (tmp_path / "nowhere").exists()
    # a name that was given is the user's own decision
    run(command, SCRIPT, "-o", f"{name}.html", cwd=tmp_path)
    assert (tmp_path / f"{name}.html").stat().st_size > 1000 and len(os.listdir(tmp_path)) == 4


def test_the_newest_recording_is_read_by_default(tmp_path):
    for i, (name, case) in enumerate(
        [
            ("gilscope-2.gsc", "quiet"),
            ("gilscope-10.gsc", "blame"),
            ("gilscope.gsc", "quiet"),
            ("gilscope-20260101-101010-3.gsc", "quiet"),
        ]
    ):
        shutil.copy(CASES / f"{case}.script", tmp_path / name)
        os.utime(tmp_path / name, (1000 - (i != 1), 1000 - (i != 1)))
    for name in ("gilscope-x.gsc", "gilscope-3.gsc.partial", "gilscope\x1b-9.gsc", "other.gsc"):
        (tmp_path / name).write_text("")
    (tmp_path / "gilscope-9.gsc").symlink_to("other.gsc")
    done = run("report", cwd=tmp_path)
    assert "gilscope-10.gsc is the newest of 4 recordings here." in done.stderr
    assert done.stdout == run("report", SCRIPT).stdout
    for path in tmp_path.iterdir():
        path.unlink()
    shutil.copy(SCRIPT, tmp_path / "gilscope.gsc")
    assert run("report", cwd=tmp_path).stderr == ""
    (tmp_path / "gilscope.gsc").unlink()
    assert "cannot open gilscope.gsc" in run("report", cwd=tmp_path).stderr


@pytest.mark.parametrize(
    "connection, said",
    [
        ("10.0.0.9 50000 10.0.0.1 22", "scp ada@10.0.0.1:{} ."),
        ("10.0.0.9 50000 10.0.0.1 2222", "scp -P 2222 ada@10.0.0.1:{} ."),
        ("fe80::9 50000 fe80::1 22", "scp ada@'[fe80::1]':{} ."),
    ],
)
@pytest.mark.parametrize("command", ["timeline", "flame"])
def test_over_ssh_it_says_how_to_fetch_the_page(command, connection, said, tmp_path):
    env = {"SSH_CONNECTION": connection, "USER": "ada"}
    done = run(command, SCRIPT, "-o", "page.html", cwd=tmp_path, env=env)
    assert said.format(tmp_path / "page.html") in done.stderr, done.stderr
    assert "xdg-open" not in done.stderr


@pytest.mark.parametrize("connection", ["", "a b", "a b $(reboot) 22", "a b 10.0.0.1;x 22"])
def test_what_is_no_address_is_not_printed(connection, tmp_path):
    env = {"SSH_CONNECTION": connection}
    done = run("timeline", SCRIPT, "-o", "page.html", cwd=tmp_path, env=env)
    assert "xdg-open page.html" in done.stderr and "scp" not in done.stderr
