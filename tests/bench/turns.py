# SPDX-License-Identifier: MIT
"""Measurements in turns on one process: without, with one thing, without, with the next, … Each
with something is compared with its two neighbours without, and so is each of the empty control,
which shows what the machine alone does."""

import contextlib

from common import Row, attach, modes, record

LONG = ("-d", "600s")
CONTROL = "nothing"


def observers(pid, options):
    """{name: function that returns a context manager}: the control and `record` in each mode. The
    context manager yields the observer, None for the control."""
    return {
        CONTROL: contextlib.nullcontext,
        **{f"record --mode {mode}": recording(pid, mode) for mode in modes(options)},
    }


def recording(pid, mode):
    return lambda: observing(f"record --mode {mode}", record([pid], *LONG, mode=mode))


def attaching(pid):
    return lambda: observing("attach", attach([pid], *LONG))


@contextlib.contextmanager
def observing(name, observer):
    observer.name = name
    with observer:
        yield observer
        observer.finish()
        if observer.lost:
            print(f"  {observer.lost} events were lost")


class Turns:
    """`bare`: costs without anything. `found`: {name: [(cost, mean of the neighbours)]}."""

    def __init__(self, rounds, ways, measure):
        """`measure(observer)` returns a cost in nanoseconds; None: nobody observes."""
        measure(None)
        self.bare = [measure(None)]
        self.found = {name: [] for name in ways}
        for number in range(rounds):
            names = list(ways)
            for name in names[number % len(names) :] + names[: number % len(names)]:
                self._take(name, ways[name], measure)

    def _take(self, name, way, measure):
        with way() as observer:
            cost = measure(observer)
        self.bare.append(measure(None))
        before, after = self.bare[-2:]
        self.found[name].append((cost, (before + after) / 2))
        print(f"  {name}: {cost:.0f} ns, without {before:.0f} and {after:.0f} ns", flush=True)

    def ratios(self, name):
        return [cost / without for cost, without in self.found[name]]

    def added(self, name):
        return [cost - without for cost, without in self.found[name]]


def row_of_ratio(what, ratios, goal=None):
    if goal is None:
        return Row(what, ratios, "{:.3f}")
    return Row(what, ratios, "{:.3f}", f"≤ {goal:.2f}", lambda ratio: ratio <= goal)


def row_of_ns(what, values, goal=None):
    if goal is None:
        return Row(what, values, "{:.0f} ns")
    return Row(what, values, "{:.0f} ns", f"≤ {goal} ns", lambda ns: ns <= goal)
