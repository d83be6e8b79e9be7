# SPDX-License-Identifier: MIT
"""The BPF programs that a gilscope has loaded: how often each runs for a request, and how long. The
kernel's statistics of them are steady where the machine's other work hides what a request costs."""

import json
import re
import statistics
from pathlib import Path

from common import Row, Server, modes, output, record
from stacks import bpftool, statistics_on

SHOWN_NS = 5  # a program that takes less of a request has no row of its own


def ids(pid):
    """Of the programs that the process has open, or a link to."""
    found = set()
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            found.update(map(int, re.findall(r"^prog_id:\s*(\d+)$", info.read_text(), re.M)))
        except FileNotFoundError:
            pass  # closed meanwhile
    return found


def run_times(pid):
    """{program: (ns, runs)} so far, of the gilscope with this pid"""
    own = ids(pid)
    return {
        program["name"]: (program.get("run_time_ns", 0), program.get("run_cnt", 0))
        for program in json.loads(output(bpftool(), "--json", "prog", "show"))
        if program["id"] in own
    }


def of_requests(server, mode, options):
    """{program: (ns, runs) for a request}"""
    with record([server.pid], "-d", "600s", mode=mode) as observer:
        before = run_times(observer.pid)
        answers = server.load(options.seconds)
        after = run_times(observer.pid)
        observer.finish()
    return {
        name: tuple((now - then) / answers for now, then in zip(after[name], before[name]))
        for name in before
    }


def rows(mode, found):
    def middle(name, value):
        return statistics.median(costs[name][value] for costs in found)

    for name in sorted(found[0], key=lambda name: -middle(name, 0)):
        if middle(name, 0) >= SHOWN_NS:
            runs = f"… `{name}`, which runs {middle(name, 1):.2f} times"
            yield Row(runs, [costs[name][0] for costs in found], "{:.0f} ns")
    sums = [sum(ns for ns, _ in costs.values()) for costs in found]
    yield Row(f"all programs of `record --mode {mode}`", sums, "{:.0f} ns")


def programs(options):
    """What the programs take of a request of the trivial route, on all CPUs, each run with the 50
    ns that measuring it takes. With one connection the server's loop goes to sleep for each
    request."""
    found = []
    with statistics_on():
        for connections in (8, 1):
            with Server() as server:
                server.CONNECTIONS = connections
                server.load(1)
                for mode in modes(options):
                    rounds = range(max(options.rounds // 3, 1))
                    costs = [of_requests(server, mode, options) for _ in rounds]
                    *each, total = rows(mode, costs)
                    total.what += f", {connections} connection{'s' * (connections > 1)}"
                    found += [total, *each]
    return found
