# SPDX-License-Identifier: MIT
"""Recordings of many small things: the steps to read them grow linearly with the recording, memory
is bounded, and exceeding a limit is reported."""

import functools
import json
import os
import re
import resource
import subprocess
import sys

import pytest

import crafted
from crafted import write
from test_golden import EXIT_OK, EXIT_PARTIAL, GILSCOPE

HANGS_S, LIMIT_MB = 120, 320  # CPU time after which a run is considered hung
STEPS = f"{GILSCOPE}-steps"
# a world accepts only so many of these, so the product is bounded there
COUNTS = {"gils": 250, "births_of_gils": 250, "losses_of_gils": 250, "exits": 250}


def limit_cpu():
    resource.setrlimit(resource.RLIMIT_CPU, (HANGS_S, HANGS_S))


# ru_maxrss survives exec(): a process started from here would begin with what the tests need. So a
# small process starts it.
SMALL = """
import os, sys
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
os.write(int(sys.argv[1]), b"%d %d" % (os.waitstatus_to_exitcode(status), usage.ru_maxrss))
"""


def run(*arguments):
    """The output, the exit status and the peak memory in MB."""
    reads, writes = os.pipe()
    with os.fdopen(reads) as outcome:
        result = subprocess.run(
            [sys.executable, "-I", "-S", "-c", SMALL, str(writes), GILSCOPE, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            pass_fds=[writes],
            preexec_fn=limit_cpu,
        )
        os.close(writes)
        status, peak_kb = map(int, outcome.read().split())
    assert status in (EXIT_OK, EXIT_PARTIAL), (arguments, status)
    return result.stdout, status, peak_kb / 1024


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The path of a recording of that kind and count, written once."""
    folder = tmp_path_factory.mktemp("made")
    return functools.lru_cache(maxsize=None)(
        lambda kind, count: write(folder / f"{kind}-{count}.script", kind, count)
    )


@functools.lru_cache(maxsize=None)
def steps(command, path):
    """The number of basic blocks executed: the same on every machine and under any load."""
    reads, writes = os.pipe()
    with os.fdopen(reads) as counter:
        result = subprocess.run(
            [STEPS, *command, path],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            pass_fds=[writes],
            env={**os.environ, "STEPS_FD": str(writes)},
            preexec_fn=limit_cpu,
        )
        os.close(writes)
        assert result.returncode in (EXIT_OK, EXIT_PARTIAL), (command, result.returncode)
        return int(counter.read())


@pytest.mark.parametrize("kind", crafted.KINDS)
@pytest.mark.parametrize(
    "command",
    [
        ["report"],
        ["timeline", "-o", "-"],
        ["flame", "-o", "-"],
        ["export", "--format", "folded"],
        ["export", "--format", "pprof"],
        ["export", "--format", "perfetto"],
        ["export", "--format", "firefox"],
    ],
    ids=" ".join,
)
def test_four_times_as_much_takes_four_times_as_many_steps(made, kind, command):
    count = COUNTS.get(kind, 500)
    none, small, large = (
        steps(tuple(command), made(*one))
        for one in (("comms", 0), (kind, count), (kind, 4 * count))
    )
    # Sorting and lazy initialisation cost a little more than linear. A product would be 16.
    assert large - none < 6 * (small - none), (none, small, large)


@pytest.mark.parametrize(
    "kind, count",
    [
        ("gils", 800),
        ("loops", 8000),
        ("waiting_loops", 2000),
        ("waiters_of_many", 4000),
        ("starved_by_many", 32768),
        ("losses_of_loops", 8000),
        ("threads", 80000),
        ("losses_of_threads", 80000),
        ("processes", 4000),
    ],
)
@pytest.mark.parametrize(
    "command", [["report", "--json"], ["timeline", "-o", "-"]], ids=["report", "timeline"]
)
def test_memory_is_bounded(made, kind, count, command):
    _, _, memory = run(*command, made(kind, count))
    assert memory < LIMIT_MB


@pytest.mark.parametrize(
    "kind, count, limit, what",
    [
        ("gils", 8200, 8192, "GILs"),
        ("loops", 8200, 8192, "event loops"),
        ("threads", 100001, 100000, "threads"),
        ("processes", 4100, 4096, "processes"),
    ],
)
def test_exceeding_a_limit_is_reported(tmp_path, kind, count, limit, what):
    path = write(tmp_path / "large.script", kind, count)
    text, status, _ = run("report", path)
    assert status == EXIT_PARTIAL
    assert (
        f"There were more than {limit} {what}, the most that a report can have; it ends at "
        in re.sub(r"\s+", " ", text.decode())
    )
    found = json.loads(run("report", "--json", path)[0])
    assert found["truncated"] and found["partial"]


def test_the_longest_stalls_are_listed_and_the_others_counted(tmp_path):
    path = write(tmp_path / "large.script", "stalls_of_lengths", 200000)
    text, status, memory = run("report", path)
    assert status == EXIT_OK and memory < 128, (status, memory)
    words = re.sub(r"\s+", " ", text.decode().replace("\u00a0", " ").replace("\u202f", " "))
    assert "had 200 000 stalls totalling " in words
    loop = json.loads(run("report", "--json", path)[0])["processes"][0]["loops"][0]
    left_out, lengths = (
        loop["stalls_left_out"],
        [stall["end_ns"] - stall["start_ns"] for stall in loop["stalls"]],
    )
    assert left_out and len(lengths) + left_out == 200000
    assert f"{left_out:_}".replace("_", " ") + " stalls are not listed, none longer than" in words
    made = sorted(((60 + n % 1000) * 1000000 + 1000 for n in range(200000)), reverse=True)
    assert sorted(lengths, reverse=True) == made[: len(lengths)]


def test_nothing_is_reported_within_a_limit(tmp_path):
    text, status, _ = run("report", write(tmp_path / "gils.script", "gils", 1024))
    assert status == EXIT_OK and b"There were more than" not in text
