# SPDX-License-Identifier: MIT
"""On a terminal a report is one screen: the answer in at most 24 lines, whatever the width."""

import fcntl
import os
import pathlib
import pty
import re
import struct
import subprocess
import termios

import pytest

from test_golden import CASES as FOLDER, EXIT_OK, EXIT_PARTIAL, EXIT_UNSUPPORTED, GILSCOPE

ROWS = 24
CASES = sorted(FOLDER.glob("*.script"))
SCREENS = pathlib.Path(__file__).parent


def on_terminal(columns, *arguments, env=None, status=None, rows=ROWS):
    """What is printed there, as lines."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    with subprocess.Popen(
        [GILSCOPE, *map(str, arguments)],
        stdin=slave,
        stdout=slave,
        stderr=subprocess.PIPE,
        env={**os.environ, "TZ": "UTC", "NO_COLOR": "1", **(env or {})},
    ) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                more = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            shown += more
        assert process.stderr.read() == b""
    os.close(master)
    assert status in (None, process.returncode)
    assert process.returncode in (EXIT_OK, EXIT_PARTIAL, EXIT_UNSUPPORTED), process
    return shown.decode().replace("\r\n", "\n").splitlines()


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_answer_fits(case, columns):
    lines = on_terminal(columns, "report", case)
    assert 3 < len(lines) <= ROWS, lines
    # the head names the process, its versions and the window, and may need more than 60 columns
    assert max(map(len, lines[1:])) <= columns, lines


@pytest.mark.parametrize("name", ["blame", "locks", "quiet", "pools", "lost_in_stall"])
def test_the_screen_is_as_it_was(name, request):
    [case] = [case for case in CASES if case.stem == name]
    shown = "\n".join(on_terminal(80, "report", case)) + "\n"
    path = SCREENS / f"{name}.txt"
    if request.config.getoption("--update"):
        path.write_text(shown)
    assert shown == path.read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_parts_of_the_stalls_add_up(case):
    """To the length of the stalls, within what three digits can say."""
    lines = on_terminal(200, "report", case)
    rows = [re.fullmatch(r"  \D+? +([\d.]+) (ns|µs|ms|s) +<?([\d.]+) %.*", line) for line in lines]
    rows = [row for row in rows if row]
    if not rows:
        assert not any("unresponsive" in line for line in lines)
        return
    scale = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1}
    [total] = re.findall(r"stalls?, (?:≥ )?([\d.]+) (ms|s)", " ".join(lines))
    parts = sum(float(row[1]) * scale[row[2]] for row in rows)
    assert parts == pytest.approx(float(total[0]) * scale[total[1]], rel=0.01)
    assert sum(float(row[3]) for row in rows) == pytest.approx(100, abs=2)


def test_all_is_the_whole_report():
    [case] = [case for case in CASES if case.stem == "blame"]
    lines = on_terminal(100, "report", "--all", "--no-pager", case)
    assert len(lines) > 2 * ROWS and any(line.startswith("THREADS") for line in lines)
