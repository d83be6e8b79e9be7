# SPDX-License-Identifier: MIT
"""What this gilscope costs compared with another one, such as an older build, both measured
alternately on the same processes."""

import contextlib
import statistics
from pathlib import Path

import common
from common import Row, Server, Spin, record
from programs import run_times
from stacks import statistics_on

LONG = ("-d", "600s")
ALLOWED = 1.02


@contextlib.contextmanager
def observing(pid):
    """Yields a function that returns how long the programs that this gilscope loaded have run."""
    with record([pid], *LONG) as observer:
        yield lambda: sum(ns for ns, _ in run_times(observer.pid).values())
        observer.finish()


def request_costs(server, seconds, path="/"):
    """(ns of the server's CPU, ns in programs) per request under the gilscope that common.GILSCOPE
    names"""
    with observing(server.pid) as in_programs_ns:
        before, served = in_programs_ns(), common.cpu_ns(server.pid)
        answers = server.load(seconds, path)
        served, after = common.cpu_ns(server.pid) - served, in_programs_ns()
    return served / answers, (after - before) / answers


def cycle_costs(spin, calls):
    """(ns of a call, ns in programs per call)"""
    batches = 5
    with observing(spin.pid) as in_programs_ns:
        before = in_programs_ns()
        cost = spin.ns_per_call(calls, batches)
        return cost, (in_programs_ns() - before) / calls / batches


def in_turns(rounds, measure, other):
    """{"this": [costs], "other": [costs]}, in the order this, other, other, this, …"""
    ways = {"this": common.GILSCOPE, "other": other}
    found = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways)[:: -1 if number % 2 else 1]:
            common.GILSCOPE = ways[name]
            found[name].append(measure())
        print(
            f"  {number + 1}:",
            *(
                f"{name} {costs[-1][0]:.0f} ns, {costs[-1][1]:.0f} of it in programs;"
                for name, costs in found.items()
            ),
            flush=True,
        )
    common.GILSCOPE = ways["this"]
    return found


def rows(what, found):
    cpu, programs_part = (
        {name: [costs[number] for costs in found[name]] for name in found} for number in (0, 1)
    )
    middle = {name: statistics.median(values) for name, values in cpu.items()}
    more = statistics.median(programs_part["this"]) - statistics.median(programs_part["other"])
    for name in found:
        yield Row(f"{what}, {name}", cpu[name], "{:.0f} ns")
        yield Row("… in BPF programs", programs_part[name], "{:.0f} ns")
    for words, ratio in (
        ("… this by other", middle["this"] / middle["other"]),
        ("… by what the programs add alone", 1 + more / middle["other"]),
    ):
        yield Row(words, ratio, "{:.3f}", f"≤ {ALLOWED}", lambda ratio: ratio <= ALLOWED)


def versus(options):
    """A request and a GIL cycle under this gilscope and under the one that --against names."""
    other = Path(options.against).resolve()
    with statistics_on():
        with Spin() as spin:
            spin.ns_per_call(options.calls)
            cycles = in_turns(options.rounds, lambda: cycle_costs(spin, options.calls), other)
        with Server() as server:
            server.load(1)
            requests = in_turns(
                options.rounds, lambda: request_costs(server, options.seconds), other
            )
    return [*rows("a GIL cycle", cycles), *rows("a request", requests)]
