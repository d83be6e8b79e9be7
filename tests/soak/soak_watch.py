# SPDX-License-Identifier: MIT
"""The soak of `gilscope watch`: the same service, with its metrics scraped all the time and with
recordings of every stall in a small budget."""

import json
import os
import re
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from soak import OWN, STALL_MS, Soak, overlap, rss_kb

BUDGET_MIB = 2
GROWING = re.compile(r"^(gilscope_\w+_(?:total|bucket|count|sum)(?:{.*})?) (\S+)$", re.M)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class WatchSoak(Soak):
    scrapes, recordings = 0, 0

    def observe(self, pid, path):
        port, folder = free_port(), Path(path + ".recordings")
        command = [*self.prefix, self.gilscope, "watch", "--json", "--stall", f"{STALL_MS}ms"]
        command += ["--recordings", str(folder), "--disk-budget", str(BUDGET_MIB)]
        command += ["--dump-over", f"{STALL_MS}ms", "--metrics", str(port)]
        command += ["-d", f"{self.plan.seconds}s", str(pid)]
        begin, known = time.monotonic(), {}
        with open(path, "w") as output, open(path + ".err", "w") as errors:
            process = subprocess.Popen(command, stdout=output, stderr=errors)
            while process.poll() is None:
                time.sleep(1)
                at = time.monotonic() - begin
                if at < self.plan.seconds - 1:
                    self.samples.append((at, rss_kb(process.pid)))
                    known = self.scrape(port, known)
                    self.check_budget(folder)
        self.last_scrape = known
        if process.returncode:
            words = Path(path + ".err").read_text()[-3000:]
            self.faults.append(f"exit status {process.returncode}: {words}")
            return None
        return [json.loads(line) for line in open(path)]

    def scrape(self, port, known):
        """All that only grows, which must be no less than it was."""
        address = f"http://127.0.0.1:{port}/metrics"
        with urllib.request.urlopen(address, timeout=10) as answer:
            text = answer.read().decode()
        found = {series: float(value) for series, value in GROWING.findall(text)}
        for series, value in known.items():
            if found.get(series, 0) < value:
                self.faults.append(f"{series} was {value} and is {found.get(series)}")
        self.scrapes += 1
        return found

    def check_budget(self, folder):
        bytes_there = 0
        for path in folder.glob("*.gsc"):
            try:
                bytes_there += path.stat().st_size
            except FileNotFoundError:
                pass  # it made room
        if bytes_there > BUDGET_MIB << 20:
            self.faults.append(f"recordings have {bytes_there} bytes")

    def check(self, events, marks):
        began, ended = events[0]["at_ns"], events[-1]["at_ns"]
        stalls = [
            (event["stall"], event["pid"])
            for event in events
            if event["event"] == "stall" and event["state"] == "ended"
        ]
        margin = 1_000_000_000  # until it sees them, and until it has ended
        self.marks = [
            mark
            for mark in marks
            if began + margin < mark["t0_ns"] and mark["t1_ns"] < ended - margin
        ]
        for event in events:
            if event["event"] == "loss" or event["state"] == "failed":
                self.faults.append(event["text"])
        for mark in self.marks:
            found = [stall for stall, pid in stalls if pid == mark["pid"] and overlap(stall, mark)]
            if len(found) != 1:
                self.faults.append(f"reported {len(found)} times: {mark}")
        for stall, pid in stalls:
            own_ns = sum(stall["states"][state] for state in OWN)
            if own_ns > STALL_MS * 1e6 and not any(overlap(stall, mark) for mark in marks):
                self.faults.append(f"invented, in process {pid}: {stall['start_ns']}")
        self.recordings = sum(event["event"] == "recording" for event in events)
        counted = sum(
            value
            for series, value in self.last_scrape.items()
            if series.startswith("gilscope_stalls_total")
        )
        if counted < len(self.marks) - 2 * self.plan.seconds / self.plan.inject / 10 - 2:
            self.faults.append(f"metrics count {counted} of {len(self.marks)} stalls")
        if not self.recordings or not self.scrapes:
            self.faults.append("nothing was recorded, or scraped")

    def summary(self):
        return (
            f"watch: {self.workers} workers, {len(self.marks)} stalls, {self.scrapes} scrapes, "
            f"{self.recordings} recordings; memory {self.first_kb} kB, at the end {self.last_kb} "
            f"kB: {self.growth_kb:.2f} kB for each worker"
        )
