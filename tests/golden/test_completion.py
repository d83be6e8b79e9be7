# SPDX-License-Identifier: MIT
"""Generated from the table of commands: completion in real shells (bash, zsh and fish, each with
the output of gilscope --completion), the manual pages, and the help."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

GILSCOPE = Path(__file__).resolve().parents[2] / os.environ.get("B", "build") / "gilscope"
SHELLS = ("bash", "zsh", "fish")
WAIT_S = 20
# A stand-in for gilscope. It lists two processes; the title of one would do harm if the shell
# evaluated it. Otherwise it prints its arguments.
STAND_IN = r"""#!/bin/sh
case $1 in
--pids) printf '4711\tpython3 $(touch harm) `touch harm` : [x]\n815\tuvicorn app:app\n' ;;
*) for word; do printf '<%s>' "$word"; done; echo '<end>' ;;
esac
"""
# the typed text, with a tab where a word is to be completed, and the arguments that gilscope then
# gets
CASES = [
    ("att\t--js\t", ["attach", "--json"]),
    ("attach -d 10s 47\t", ["attach", "-d", "10s", "4711"]),
    ("attach -p 81\t", ["attach", "-p", "815"]),
    ("doctor 47\t", ["doctor", "4711"]),
    ("report --color=nev\t", ["report", "--color", "never"]),
    ("exp\t--form\tspeed\t", ["export", "--format", "speedscope"]),
    ("export --by hol\t", ["export", "--by", "holder"]),
    ("flame --state py\t", ["flame", "--state", "python"]),
    ("flame --state gil_wait,block\t", ["flame", "--state", "gil_wait,blocked"]),
    ("report mon\t", ["report", "mon day.gsc"]),
    ("timeline -o mon\t", ["timeline", "-o", "mon day.gsc"]),
    ("record -o mon\t-- gilsc\t", ["record", "-o", "mon day.gsc", "--", "gilscope"]),
]


def output(*words):
    return subprocess.run([GILSCOPE, *words], capture_output=True, text=True, check=True).stdout


@pytest.fixture(params=SHELLS)
def shell(request, tmp_path):
    """The shell's name, and a folder with its completion script and the stand-in for gilscope."""
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/gilscope").write_text(STAND_IN)
    (tmp_path / "bin/gilscope").chmod(0o755)
    (tmp_path / "_gilscope").write_text(output("--completion", request.param))
    (tmp_path / "mon day.gsc").write_text("")
    return request.param, tmp_path


def environment(folder):
    return {
        "PATH": f"{folder}/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
        "XDG_CONFIG_HOME": str(folder),
    }


class Terminal:
    """An interactive shell. It has no prompt, so that its output can be separated from the typed
    text."""

    START = {
        "bash": ["bash", "--noprofile", "--norc", "-i"],
        "zsh": ["zsh", "-f", "-i"],
    }
    SETUP = {
        "bash": "bind 'set bell-style none'; PS1=; PS2=; source ./_gilscope; echo rea''dy\n",
        "zsh": "fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -d $PWD/dump; unsetopt "
        "beep zle_bracketed_paste; PS1=; echo rea''dy\n",
    }

    def __init__(self, shell, folder):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(self.START[shell][0], self.START[shell], environment(folder))
        self.type(self.SETUP[shell])
        self.wait("ready\r")

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self, text):
        seen, deadline = "", time.monotonic() + WAIT_S
        while text not in seen:
            if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"no {text!r} in {seen!r}")
            seen += os.read(self.fd, 4096).decode(errors="replace")
        return seen

    def close(self):
        os.close(self.fd)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


def typed(shell, folder, text):
    """The arguments that gilscope gets after the text was typed into a shell."""
    terminal = Terminal(shell, folder)
    try:
        terminal.type(f"gilscope {text}\n")
        return re.findall(r"<([^<>]*)>", terminal.wait("<end>"))[:-1]
    finally:
        terminal.close()


def fish_candidates(folder, line):
    command = ["fish", "--no-config", "-c", "source ./_gilscope; complete -C $argv[1]", line]
    result = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=True
    )
    assert result.stderr == ""
    return [candidate.split("\t")[0] for candidate in result.stdout.splitlines()]


def typed_in_fish(folder, text):
    """The same by fish's `complete -C`: at every tab there must be exactly one candidate."""
    line = "gilscope "
    for piece in text.split("\t")[:-1]:
        candidates = fish_candidates(folder, line + piece)
        assert len(candidates) == 1, f"{line + piece!r}: {candidates}"
        line = line + piece
        line = (
            line[: line.rindex(" ") + 1]
            + candidates[0].replace(" ", "\\ ").replace("\\\\ ", "\\ ")
            + " "
        )
    return [word.replace("\\ ", " ") for word in re.split(r"(?<!\\) ", line.strip())[1:]]


@pytest.mark.parametrize("text,words", CASES)
def test_a_word_is_completed(shell, text, words):
    name, folder = shell
    got = typed_in_fish(folder, text) if name == "fish" else typed(name, folder, text)
    assert [
        part for word in got for part in (word.split("=") if word.startswith("--") else [word])
    ] == words
    assert not (folder / "harm").exists()


def offered(name, folder, command):
    """The options that a shell offers after a command."""
    if name == "fish":
        return set(fish_candidates(folder, f"gilscope {command} --"))
    if name == "bash":
        script = (
            "source ./_gilscope; COMP_WORDS=(gilscope $1 --); COMP_CWORD=2; _gilscope gilscope; "
            "printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        return set(
            subprocess.run(
                ["bash", "-c", script, "bash", command],
                cwd=folder,
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
        )
    block = re.search(
        rf"^\t\t{command}\)\n(.*?)^\t\t\t;;$", (folder / "_gilscope").read_text(), re.M | re.S
    )[1]
    return set(re.findall(r"'\*?(--[\w-]+?)=?-?\[", block))


@pytest.mark.parametrize("command", output("--commands").split())
def test_every_option_of_the_help_is_offered(shell, command):
    options = set(re.findall(r"^ +(?:-\w, |    )(--[\w-]+)", output(command, "--help"), re.M)) - {
        "--usage",
        "--version",
    }
    assert options and options == {option.rstrip("=") for option in offered(*shell, command)} - {
        "--help"
    }


def test_every_command_is_offered(shell):
    name, folder = shell
    script = (folder / "_gilscope").read_text()
    pattern = {"bash": r"[' ]{} ", "zsh": r"'{}:", "fish": r"-a {} "}[name]
    assert [
        command
        for command in output("--commands").split()
        if not re.search(pattern.format(command), script)
    ] == []


def test_another_shell_is_refused():
    result = subprocess.run([GILSCOPE, "--completion", "tcsh"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (2, "") and "tcsh" in result.stderr


def test_processes_are_listed_one_a_line():
    code = "import sys; print('ready', flush=True); sys.stdin.read()"
    python = subprocess.Popen(
        [sys.executable, "-c", code, "two\nlines\t\x1b[31m"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    other = subprocess.Popen(["sleep", "60"])
    try:
        assert python.stdout.readline() == b"ready\n"
        lines = dict(line.split("\t", 1) for line in output("--pids").splitlines())
    finally:
        other.kill()
        other.wait()
        python.communicate()
    assert (
        "python" in lines[str(python.pid)]
        and "two\\x0alines\\x09\\x1b[31m" in lines[str(python.pid)]
    )
    assert str(other.pid) not in lines


# ── manual pages and help ─────────────────────────────────────────────────────────────────────────


def plain(page):
    """troff without its markup."""
    return re.sub(r"\\f[A-Z]", "", page.replace("\\-", "-").replace("\\&", ""))


COMMANDS = output("--commands").split()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_page_has_every_option_of_the_help(command):
    page = plain(output("--man", command))
    options = re.findall(r"^ +(?:-\w, |    )(--[\w-]+)", output(command, "--help"), re.M)
    mine = [option for option in options if option not in ("--help", "--usage", "--version")]
    assert mine, "no option found in --help"
    assert [option for option in mine if option not in page] == []
    assert ".SH EXAMPLE" in page and ".SH EXIT STATUS" in page


def test_the_first_page_names_every_command():
    page = plain(output("--man"))
    assert [command for command in COMMANDS if f".SS gilscope {command} " not in page] == []


def test_help_lists_every_command():
    assert [
        command for command in COMMANDS if not re.search(rf"^  {command} ", output("--help"), re.M)
    ] == []
