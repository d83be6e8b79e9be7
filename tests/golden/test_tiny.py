# SPDX-License-Identifier: MIT
"""Recordings of many small things: time grows as the recording does, memory is bounded, and what is beyond a limit is said."""
import json
import os
import re
import resource
import subprocess

import pytest

from test_golden import EXIT_OK, EXIT_PARTIAL, GILSCOPE

LIMIT_S, LIMIT_MB = 10, 300
HEAD = ['gilscope-script 1 {"version": "0.1.0", "mode": "exact"}', 'process {"pid": 1, "cmdline": "x", "python": "3.11.2"}']
LOOP = ["1 epoll epfd=3 wakeup kind=1", "1 thread pid=1 python", "1 epoll_enter epfd=3 timeout_ms=-1", "1 epoll_exit epfd=3 ret=1"]


def gils(count):
    for i in range(count):
        yield from (f"1 gil gil={i % 65535} address={i + 1}", f"{i + 2} take gil={i % 65535}")


def loops(count):
    yield "1 epoll epfd=3 wakeup kind=1"
    for tid in range(2, count + 2):
        yield from (f"{tid} thread pid=1 python", f"{tid} epoll_enter epfd=3 timeout_ms=-1", f"{tid} epoll_exit epfd=3 ret=1")


def blockers(count):
    yield from ("1 gil gil=0 address=1", *LOOP, "1 wait gil=0")
    for tid in range(2, count + 2):
        yield from (f"{tid} thread pid=1 python", f"{tid} take gil=0", f"{tid} drop gil=0")
    yield from ("1 take gil=0", "1 epoll_enter epfd=3 timeout_ms=-1")


def threads(count):
    for tid in range(2, count + 2):
        yield f"{tid} thread pid=1 nstid={tid} new python"


def losses(count):
    yield from threads(count // 4)
    for _ in range(count):
        yield "0 lost cpu=0 count=1"


def processes(count):
    for pid in range(2, count + 2):
        yield 'process {"pid": %d, "cmdline": "%s", "python": "3.11.2"}' % (pid, "x" * 200)


KINDS = {kind.__name__: kind for kind in (gils, loops, blockers, threads, losses, processes)}


def write(path, kind, count):
    now = 10**9
    with open(path, "w", encoding="ascii") as script:
        print(*HEAD, f"{now // 10**9}.{now % 10**9:09d} 0 window", sep="\n", file=script)
        for line in KINDS[kind](count):
            now += 1000
            print(line if line.startswith("process ") else f"{now // 10**9}.{now % 10**9:09d} {line}", file=script)
        print(f"{now // 10**9 + 1}.0 0 window end", file=script)
    return path


def run(*arguments):
    """What it wrote, its status, its CPU time and its peak of memory in MB."""
    with subprocess.Popen([GILSCOPE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (2 * LIMIT_S, 2 * LIMIT_S))) as process:
        written = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in (EXIT_OK, EXIT_PARTIAL), (arguments, process.returncode)
    return written, process.returncode, usage.ru_utime, usage.ru_maxrss / 1024


# a quarter of them takes long enough to be measured, all of them stay below the limits
@pytest.mark.parametrize("kind, count", [("gils", 800), ("loops", 8000), ("blockers", 20000), ("threads", 80000), ("losses", 40000), ("processes", 4000)])
@pytest.mark.parametrize("command", [["report", "--json"], ["timeline", "-o", "-"]], ids=["report", "timeline"])
def test_four_times_as_much_takes_no_more_than_eight_times_as_long(tmp_path, kind, count, command):
    small, large = (write(tmp_path / f"{n}.script", kind, n) for n in (count // 4, count))
    least = min(run(*command, small)[2] for _ in range(3))
    _, _, most, memory = run(*command, large)
    # what a start takes is in both, and a clock of the kernel's ticks
    assert most < 8 * max(least, 0.05), (least, most)
    assert memory < LIMIT_MB


@pytest.mark.parametrize("kind, count, limit, what", [("gils", 1030, 1024, "GILs"), ("loops", 8200, 8192, "event loops"),
                                                      ("threads", 100001, 100000, "threads"), ("processes", 4100, 4096, "processes")])
def test_what_is_beyond_a_limit_is_said(tmp_path, kind, count, limit, what):
    path = write(tmp_path / "large.script", kind, count)
    text, status, _, _ = run("report", path)
    assert status == EXIT_PARTIAL
    assert f"There were more than {limit} {what}, which is all" in re.sub(r"\s+", " ", text.decode())
    found = json.loads(run("report", "--json", path)[0])
    assert found["truncated"] and found["partial"]


def test_within_a_limit_nothing_is_said(tmp_path):
    text, status, _, _ = run("report", write(tmp_path / "gils.script", "gils", 1024))
    assert status == EXIT_OK and b"There were more than" not in text
