# SPDX-License-Identifier: MIT
"""Observes a service that restarts its workers all the time (service.py), and says what is wrong
with what gilscope made of it: its memory grew, it lost events, it missed a stall or invented
one."""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
STALL_MS = 80
OWN = "python", "native", "held_blocked", "blocked"  # else the machine is to blame


@dataclasses.dataclass
class Plan:
    """`settled_s`: by then so many workers have ended that some are summed up, and the caches are
    as large as they get. From then on a worker may cost `growth_kb` on average."""

    seconds: float
    settled_s: float
    period_s: float
    life_s: float
    inject: int
    growth_kb: float


def rss_kb(pid):
    """Of the process and those that it has started: gilscope's helper."""
    total = 0
    for one in [pid, *children(pid)]:
        try:
            status = Path(f"/proc/{one}/status").read_text()
        except OSError:
            continue
        total += sum(
            int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")
        )
    return total


def children(pid):
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []


class Soak:
    def __init__(self, gilscope, plan, prefix=()):
        self.gilscope, self.plan = gilscope, plan
        self.prefix = prefix  # of commands
        self.samples = []  # (seconds, kB)
        self.faults = []

    def run(self):
        with tempfile.TemporaryDirectory() as folder:
            marks = os.path.join(folder, "marks")
            plan = self.plan
            command = [HERE / "service.py", plan.period_s, plan.life_s, plan.inject, marks]
            service = subprocess.Popen(
                [*self.prefix, sys.executable, *map(str, command)],
                stdout=subprocess.PIPE,
                text=True,
            )
            assert service.stdout.readline() == "ready\n"
            try:
                report = self.observe(service.pid, os.path.join(folder, "report"))
            finally:
                service.terminate()
                self.workers = int(service.stdout.read() or 0)
                service.wait()
            self.check_memory()
            if report:
                self.check(report, [json.loads(line) for line in open(marks)])
        return self.faults

    def observe(self, pid, path):
        command = [*self.prefix, self.gilscope, "attach", "--json", "--stall", f"{STALL_MS}ms"]
        command += ["-d", f"{self.plan.seconds}s", str(pid)]
        begin = time.monotonic()
        with open(path, "w") as output, open(path + ".err", "w") as errors:
            process = subprocess.Popen(command, stdout=output, stderr=errors)
            while process.poll() is None:
                time.sleep(1)
                if time.monotonic() - begin < self.plan.seconds - 1:
                    self.samples.append((time.monotonic() - begin, rss_kb(process.pid)))
        if process.returncode:
            words = Path(path + ".err").read_text()[-3000:]
            self.faults.append(f"exit status {process.returncode}: {words}")
            return None
        return json.loads(Path(path).read_text())

    def check_memory(self):
        settled = [kb for at, kb in self.samples if at >= self.plan.settled_s]
        if len(settled) < 4:
            self.faults.append("it ended before its memory was settled")
            return
        quarter = len(settled) // 4
        self.first_kb, self.last_kb = (
            sorted(part)[len(part) // 2] for part in (settled[:quarter], settled[-quarter:])
        )
        workers = (self.samples[-1][0] - self.plan.settled_s) / self.plan.period_s * 3 / 4
        self.growth_kb = (self.last_kb - self.first_kb) / workers
        if self.growth_kb > self.plan.growth_kb:
            self.faults.append(
                f"memory grew from {self.first_kb} kB to {self.last_kb} kB, "
                f"{self.growth_kb:.1f} kB for each worker"
            )

    def check(self, report, marks):
        stalls = [
            (stall, process["pid"])
            for process in report["processes"]
            for loop in process["loops"]
            for stall in loop["stalls"]
        ]
        start, end = report["window"]["start_ns"], report["window"]["end_ns"]
        self.marks = [mark for mark in marks if start < mark["t0_ns"] and mark["t1_ns"] < end]
        self.stands_for = sum(process.get("stands_for", 0) for process in report["processes"])
        self.processes = len(report["processes"])
        lost = report["evidence"]["lost"]
        if lost:
            self.faults.append(f"{lost} events were lost")
        for mark in self.marks:
            if not any(overlap(stall, mark) and pid in (0, mark["pid"]) for stall, pid in stalls):
                self.faults.append(f"not reported: {mark}")
        for stall, pid in stalls:
            own_ns = sum(stall["states"][state] for state in OWN)
            if own_ns > STALL_MS * 1e6 and not any(overlap(stall, mark) for mark in marks):
                words = {key: stall[key] for key in ("start_ns", "end_ns", "cause", "states")}
                self.faults.append(f"invented, in process {pid}: {words}")
        self.check_findings(report)

    def check_findings(self, report):
        """One function is to blame for all of them, whether its process is listed or not."""
        counted = sum(row["count"] for row in report["findings"] if row["id"] == "blocking_call")
        if counted < len(self.marks):
            self.faults.append(f"findings count {counted} of {len(self.marks)} stalls")

    def summary(self):
        return (
            f"{self.workers} workers, {len(self.marks)} stalls, {self.processes} processes listed, "
            f"one of which stands for {self.stands_for}; memory {self.first_kb} kB, at the end "
            f"{self.last_kb} kB: {self.growth_kb:.2f} kB for each worker"
        )


def overlap(stall, mark):
    """All of it, unless the stall was not seen from its begin."""
    if not stall["whole"]:
        return stall["start_ns"] < mark["t1_ns"] and mark["t0_ns"] < stall["end_ns"]
    return stall["start_ns"] <= mark["t0_ns"] and mark["t1_ns"] <= stall["end_ns"] + 1_000_000
