# SPDX-License-Identifier: MIT
"""The ring overflows because gilscope is stopped while a process floods it. What is lost of that
process is unknown of it, and of nobody else."""

import json
import signal
import time

import pytest

import harness
import laws

FLOOD = """
import threading, time
def work():
    while True:
        time.sleep(0.0002)
        sum(range(2000))
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
print("ready", flush=True)
time.sleep(600)
"""
STOPPED_S = 2
GAP_S = 0.3
DRAINED_S = 1  # a second after it goes on, gilscope has emptied the ring


class Flooded:
    """A recording of a process that floods the ring, and of one that marks what blocks its loop.
    While the ring is full, that one does so as well (`acts`), or the other one ends (`ends`)."""

    def __init__(self, path, mode, acts=False, ends=False):
        self.acts = acts
        with harness.Script(FLOOD) as noisy, harness.RawApp("asyncio") as quiet:
            quiet.call("time_sleep")
            self.noisy, self.quiet = noisy.pid, quiet.pid
            pids = ["-p", noisy.pid, "-p", quiet.pid]
            with harness.Running(
                "record", *pids, "--mode", mode, "--ring-size", 1, "-o", path
            ) as running:
                self.begun = time.monotonic_ns()
                time.sleep(GAP_S)
                self.block(quiet)
                running.signal(signal.SIGSTOP)
                stopped = time.monotonic_ns()
                time.sleep(STOPPED_S)
                if acts:
                    quiet.call("time_sleep")
                if ends:
                    noisy.stop()
                self.stopped_ns = time.monotonic_ns() - stopped
                running.signal(signal.SIGCONT)
                time.sleep(DRAINED_S)
                self.block(quiet)
                self.outcome = running.finish()
            self.marks = [mark for mark in quiet.marks() if mark.t0_ns > self.begun]
        self.report = harness.gilscope("report", path, "--json").report
        self.text = " ".join(harness.gilscope("report", path).stdout.split())

    @staticmethod
    def block(quiet):
        for _ in range(2):
            quiet.call("time_sleep")
            time.sleep(GAP_S)

    def process(self, pid):
        return next(process for process in self.report["processes"] if process["pid"] == pid)

    def states(self, pid):
        return next(t["states"] for t in self.process(pid)["threads"] if t["tid"] == pid)


@pytest.fixture(
    scope="module",
    params=[(mode, what) for mode in ("exact", "edges") for what in ("quiet", "acts", "ends")],
    ids="-".join,
)
def flooded(request, tmp_path_factory):
    mode, what = request.param
    path = tmp_path_factory.mktemp("flood") / "flood.gsc"
    return Flooded(path, mode, **({} if what == "quiet" else {what: True}))


def test_what_is_lost_adds_up(flooded):
    evidence = flooded.report["evidence"]
    laws.check_laws(flooded.report)
    assert flooded.process(flooded.noisy).get("lost", 0) > 1000, evidence
    # the kernel counts what it has skipped for all processes together
    assert evidence.get("lost_anywhere", 0) == evidence["missed"]
    assert flooded.outcome.status == 5


def test_a_loss_is_of_the_process_whose_it_is(flooded):
    lost, unknown = flooded.process(flooded.noisy)["lost"], flooded.states(flooded.noisy)["unknown"]
    quiet, states = flooded.process(flooded.quiet), flooded.states(flooded.quiet)
    assert unknown > flooded.stopped_ns / 10
    assert f"{lost:,}".replace(",", " ") in flooded.text.replace("\xa0", " ")
    if flooded.acts:
        # a full ring has no room for anybody
        assert quiet["lost"] > 0
        assert f"({flooded.quiet})" in flooded.text.partition(" events were lost")[2]
        return
    assert "lost" not in quiet, json.dumps(flooded.report["evidence"])
    assert states["idle"] > flooded.stopped_ns
    assert states["unknown"] < flooded.stopped_ns / 20


def test_the_other_ones_stalls_are_whole(flooded):
    marks = flooded.marks[:2] + flooded.marks[-2:] if flooded.acts else flooded.marks
    assert len(marks) == 4
    for mark in marks:
        stall = laws.the_stall(flooded.report, mark)
        assert stall["cause"] == "blocked" and stall["whole"], stall
        # mode edges, and switches that the kernel does not report, leave a little unknown
        assert stall["states"]["unknown"] < mark.length_ns / 20, stall
        assert stall["start_ns"] <= mark.t0_ns and stall["end_ns"] >= mark.t1_ns, (stall, mark)
