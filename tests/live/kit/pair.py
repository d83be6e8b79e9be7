# SPDX-License-Identifier: MIT
"""Two observers on one process at the same time, each in a mode of its own. What they report of the
time that both have seen must agree (agreement.py)."""

import os

import harness

# What both have just begun to see is unknown for a moment; the second one's begin is in the first
# one's recording.
SETTLED_NS = 20_000_000


MODES = ("exact", "edges")


class Pair:
    """A `with` block in which both record. After it, `reports` are theirs over the time that both
    have seen, and `outcomes` are those of `gilscope record`."""

    def __init__(self, app, first, second, folder, *options, stall="20ms"):
        self._app, self._options, self._stall = app, options, stall
        self.modes = (first, second)
        self.files = [os.path.join(folder, name) for name in ("first.gsc", "second.gsc")]
        self._running = []

    def __enter__(self):
        for mode, file in zip(self.modes, self.files):
            arguments = ("-p", self._app.pid, "-d", "60s", "-o", file, "-q", "--no-source")
            self._running.append(
                harness.Running(
                    "record",
                    *arguments,
                    *("--mode", mode),
                    *self._options,
                    prefix=self._app.prefix,
                )
            )
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                for running in self._running:
                    running.signal()
                self.outcomes = [running.result() for running in self._running]
        finally:
            for running in self._running:
                running.__exit__()
        if kind is None:
            self.reports = self._read()

    def _report(self, file, *points):
        done = harness.gilscope(
            "report", "--json", "--stall", self._stall, *points, file, timeout=120
        )
        assert done.status in (0, 5), done
        return done.report

    def _read(self):
        windows = [self._report(file)["window"] for file in self.files]
        begin = max(window["start_ns"] for window in windows) + SETTLED_NS
        end = min(window["end_ns"] for window in windows)
        return [
            self._report(
                file,
                *("--from", f"{begin - window['start_ns']}ns"),
                *("--to", f"{end - window['start_ns']}ns"),
            )
            for file, window in zip(self.files, windows)
        ]


def observe(workload, seconds, port, folder, modes_of_both=MODES):
    """The reports of two observers of a workload (workloads.py)."""
    with workload.start(port) as app:
        with Pair(app, *modes_of_both, folder, *workload.options) as pair:
            workload.run(app, seconds)
    for outcome in pair.outcomes:
        assert outcome.status == 0, outcome
    return pair.reports
