# SPDX-License-Identifier: MIT
"""The cost of taking a Python stack: the run time of the probes, as the kernel measures it
(kernel.bpf_stats_enabled), with and without stacks."""

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path

from common import HERE, PYTHON, Row, Trouble, child, output, record

DEPTHS = (10, 50, 120)
# the application's activity, the program measured, the text of the row
KINDS = (
    ("sleep", "on_switch", "a thread goes to sleep, {} frames deep"),
    # every 5 ms the holder's stack, and initially its own too
    ("wait", "gil_wait", "a thread waits for the GIL, {} frames deep"),
    ("compute", "on_clock", "the clock hits a thread, {} frames deep"),
)
SWITCH = Path("/proc/sys/kernel/bpf_stats_enabled")


@contextlib.contextmanager
def statistics_on():
    before = SWITCH.read_text()
    SWITCH.write_text("1")
    try:
        yield
    finally:
        SWITCH.write_text(before)


def bpftool():
    return next(
        (
            path
            for path in ("/usr/sbin/bpftool", "/usr/local/sbin/bpftool")
            if os.access(path, os.X_OK)
        ),
        "bpftool",
    )


def run_time(program):
    """{id: (ns, runs) so far} of the programs of that name, one for each gilscope that observes."""
    return {
        row["id"]: (row.get("run_time_ns", 0), row.get("run_cnt", 0))
        for row in json.loads(output(bpftool(), "-j", "prog", "show"))
        if row.get("name") == program
    }


def mean_ns(program, before, after):
    """ns of a run between two run_time(), of the program that was loaded last and ran: this
    gilscope's"""
    ran = [number for number in before if number in after and before[number] != after[number]]
    if not ran:
        raise Trouble(f"{program} did not run")
    (ns, runs), (ns_then, runs_then) = after[max(ran)], before[max(ran)]
    return (ns - ns_then) / (runs - runs_then)


def cost(pid, program, seconds, *arguments):
    with record([pid], "-d", "600s", *arguments) as observer:
        before = run_time(program)
        time.sleep(seconds)
        after = run_time(program)
        observer.finish()
    return mean_ns(program, before, after)


def stack(options):
    """The probes' run time where a stack is taken. `on_switch` runs for every context switch of the
    machine, so its mean includes switches without a stack."""
    rows = []
    with statistics_on():
        for function, program, what in KINDS:
            for depth in DEPTHS:
                with child(
                    PYTHON,
                    HERE / "apps/deep.py",
                    function,
                    depth,
                    stdout=subprocess.PIPE,
                    text=True,
                ) as process:
                    process.stdout.readline()
                    costs = []
                    for _ in range(max(options.rounds // 3, 3)):
                        without = (
                            0
                            if program == "on_clock"
                            else cost(process.pid, program, options.seconds / 3, "--no-stacks")
                        )
                        costs.append(
                            (cost(process.pid, program, options.seconds / 3) - without) / 1e3
                        )
                print(f"  {what.format(depth)}: {costs}", flush=True)
                rows.append(Row(what.format(depth) + ", added", costs, "{:.1f} µs"))
    return rows
