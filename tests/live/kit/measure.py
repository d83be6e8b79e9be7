# SPDX-License-Identifier: MIT
"""Accuracy on one interpreter: one short recording of tests/apps/loop_truth.py, compared with its
marks."""

import collections
import os
import tempfile
import time

import harness
import laws
import names
import work

GAP_S = 0.03


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def edge_errors(report, marks):
    """For each mark, how much earlier its stall begins and how much later it ends than the
    iteration as the loop saw it, or than the mark where that is unknown."""
    errors = []
    for mark in marks:
        stall = laws.the_stall(report, mark)
        begin, end = (
            (mark.turn_t0_ns, mark.turn_t1_ns) if mark.turn_t0_ns else (mark.t0_ns, mark.t1_ns)
        )
        assert stall["start_ns"] <= begin and end <= stall["end_ns"], (
            f"{mark}: the stall does not cover the turn"
        )
        errors += [begin - stall["start_ns"], stall["end_ns"] - end]
    return errors


def takes_and_drops(script):
    """{tid: {"take": n, "drop": n}} of a text script."""
    found = collections.defaultdict(collections.Counter)
    for line in script.splitlines():
        fields = line.split()
        if len(fields) >= 3 and fields[2] in ("take", "drop"):
            found[int(fields[1])][fields[2]] += 1
    return found


class Measurement:
    """The results for one interpreter. `faults` are sentences; none means that everything promised
    was kept."""

    def __init__(self, app, short=40, loop="asyncio", gil=True, mode="exact"):
        """`short`: number of iterations for measuring the edges. `gil`: whether the interpreter has
        a GIL that is on."""
        self._loop, self._gil, self._mode = loop, gil, mode
        self._work = [name for name in work.WORK if gil or work.WORK[name].cause != "gil_wait"]
        with tempfile.TemporaryDirectory() as folder:
            trace = os.path.join(folder, "measure.gsc")
            self._record(app, trace, short)
            outcome = harness.gilscope("report", trace, "--json", "--stall", "10ms")
            if outcome.status != 0:
                raise RuntimeError(f"report: {outcome!r}")
            script = harness.gilscope("export", trace, "--format", "script")
        self.report, self.faults = outcome.report, []
        laws.check_laws(self.report, self._threads)
        laws.check_evidence(outcome)
        (self.process,) = self.report["processes"]
        self._compare()
        self._name()
        self._edges()
        self.takes = self.imbalance = None
        if mode == "exact":
            self._balance(takes_and_drops(script.stdout))

    def _record(self, app, trace, short):
        # Code that runs for the first time is read from disk with the GIL held, so run it once
        # before.
        for name in ("short 2", "hog_regex", "socket_wait", "subprocess_run"):
            app.call(name)
        before, known = app.threads(), len(app.marks())
        with harness.Running(
            "record",
            *("-p", app.pid, "-d", "60s", "-o", trace, "--mode", self._mode),
            prefix=app.prefix,
        ) as running:
            for name in self._work:
                app.call(name)
                time.sleep(GAP_S)
            app.call(f"short {short}")
            app.call("threads 3")
            time.sleep(0.5)
            done = running.finish()
        if done.status != 0:
            raise RuntimeError(f"record: {done!r}")
        self._marks, self._threads = app.marks()[known:], before & app.threads()

    def _check(self, check, *arguments):
        try:
            return check(*arguments)
        except AssertionError as error:
            self.faults.append(str(error))
            return None

    def _compare(self):
        if self.process["gil"] != ("on" if self._gil else "off"):
            self.faults.append(f"the GIL is said to be {self.process['gil']}")
        marks = [mark for mark in self._marks if mark.name in work.WORK]
        self.expected = len(marks)
        self.found = self.right = 0
        slow_ns = laws.slow_ns(marks)
        for mark in marks:
            stall = self._check(laws.the_stall, self.report, mark)
            if stall is None:
                continue
            self.found += 1
            before = len(self.faults)
            self._check(laws.check_cause, stall, mark, work.WORK[mark.name], self._mode, slow_ns)
            self._check(laws.check_details, self.report, stall, mark, work.WORK[mark.name])
            self.right += len(self.faults) == before
        self.faults += [f"invented: {stall}" for stall in laws.uninvited(self.report, self._marks)]

    def _name(self):
        self.names = names.Tally()
        for mark in self._marks:
            stalls = [stall for stall in laws.stalls_of(self.report) if mark.overlaps(stall)]
            if mark.place and len(stalls) == 1:
                self.names.add(names.check_stall, stalls[0], mark, self._loop == "asyncio")
        self.faults += self.names.wrong + self.names.missing

    def _edges(self):
        errors = self._check(
            edge_errors, self.report, [mark for mark in self._marks if mark.name == "short"]
        ) or [1 << 40]
        self.edge_p50_ns, self.edge_p99_ns = percentile(errors, 0.5), percentile(errors, 0.99)

    def _balance(self, counts):
        self.takes = sum(count["take"] for count in counts.values())
        self.imbalance = max(
            (abs(count["take"] - count["drop"]) for count in counts.values()), default=0
        )
        busy = [tid for tid, count in counts.items() if count["take"] > 200]
        if self._gil and len(busy) < 4:
            self.faults.append(
                f"only {len(busy)} threads took the GIL often, the loop and three others did"
            )
        if self.imbalance not in (0, 1):
            self.faults.append(f"takes and drops of a thread differ by {self.imbalance}")
