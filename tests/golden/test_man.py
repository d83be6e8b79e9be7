# SPDX-License-Identifier: MIT
"""The manual pages: one for every command, with every option that --help has."""

import os
import re
import subprocess
from pathlib import Path

import pytest

GILSCOPE = Path(__file__).resolve().parents[2] / os.environ.get("B", "build") / "gilscope"


def output(*words):
    return subprocess.run([GILSCOPE, *words], capture_output=True, text=True, check=True).stdout


def plain(page):
    """troff without its dress."""
    return re.sub(r"\\f[A-Z]", "", page.replace("\\-", "-").replace("\\&", ""))


COMMANDS = output("--commands").split()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_page_has_every_option_of_the_help(command):
    page = plain(output("--man", command))
    options = re.findall(r"^ +(?:-\w, |    )(--[\w-]+)", output(command, "--help"), re.M)
    mine = [option for option in options if option not in ("--help", "--usage")]
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
