# SPDX-License-Identifier: MIT
"""The cost of reading and storing a recording."""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import BUILD, GILSCOPE, ROOT, Row, Server, Trouble, attach, child, output, record, run

MILLION = 1_000_000


def make_trace(folder, events):
    """A recording of a simulated application (tests/bench/simulation.h)."""
    path = Path(folder) / f"{events}.gsc"
    if not path.exists():
        run(BUILD / "bench/make_trace", events, path)
    return path


def check(report, events):
    """A report that is mostly "unknown" would be quick and worthless."""
    evidence = report["evidence"]
    (process,) = report["processes"]
    if (
        evidence["events"] != events
        or evidence["lost"]
        or evidence["unknown_ns"] > 1e-6 * evidence["thread_ns"]
    ):
        raise Trouble(f"the report of the simulated application has the evidence {evidence}")
    if any(gil["violations"] for gil in process["gils"]):
        raise Trouble("the simulated application contradicts itself")


def replay(options):
    """`gilscope report` on a recording of 10 million events, and the stages it consists of."""
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        trace = make_trace(folder, options.events)
        check(json.loads(output(GILSCOPE, "report", trace, "--json")), options.events)
        used_ns = [run(GILSCOPE, "report", trace) for _ in range(options.rounds)]
        export_ns = [run(GILSCOPE, "export", trace, "--format", "script") for _ in range(3)]
    stages = {}
    for _ in range(5):
        for line in output(BUILD / "bench/stages", 2 * MILLION).splitlines():
            stages.setdefault(line.split()[0], []).append(float(line.split()[1]))
    names = {
        "write": "compress and write",
        "read": "read and decompress",
        "reorder": "put into order",
        "model": "model",
        "model+fold": "model and report",
    }
    what = "`gilscope report`, million events per second of CPU"
    return [
        Row(
            what,
            [options.events * 1e3 / ns for ns in used_ns],
            "{:.2f}",
            "≥ 3",
            lambda rate: rate >= 3,
        ),
        Row(
            "`gilscope export --format script`, the same",
            [options.events * 1e3 / ns for ns in export_ns],
            "{:.2f}",
        ),
        *(
            Row(f"a stage by itself: {names[stage]}, for an event", values, "{:.0f} ns")
            for stage, values in stages.items()
        ),
    ]


# ── size ──────────────────────────────────────────────────────────────────────────────────────────


def size_row(what, trace, events, seconds=None):
    size = trace.stat().st_size
    more = f" ({size / 1e6 / seconds * 3600:.0f} MB/h)" if seconds else ""
    return Row(what, size / events, "{:.2f} bytes" + more)


def recorded(what, folder, pid, act):
    trace = Path(folder) / "recorded.gsc"
    with record([pid], "-d", "600s", file=trace) as observer:
        begin = time.monotonic()
        act()
        took = time.monotonic() - begin
        observer.finish()
    events = observer.report["evidence"]["events"]
    return size_row(f"{what}, {events / took / 1e3:.1f} k/s: an event", trace, events, took)


def size(options):
    """Bytes per event in a recording."""
    seconds = 2 * options.seconds
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        rows = [size_row("simulated application, an event", make_trace(folder, MILLION), MILLION)]
        with Server() as server:
            rows.append(
                recorded(
                    "trivial route, full load",
                    folder,
                    server.pid,
                    lambda: server.load(seconds),
                )
            )
        with Server("app:app", ROOT / "examples") as server:
            traffic = [sys.executable, ROOT / "examples/traffic.py", server.port, seconds]
            rows.append(
                recorded(
                    "`examples/app.py`",
                    folder,
                    server.pid,
                    lambda: output(*traffic),
                )
            )
    return rows


# ── memory ────────────────────────────────────────────────────────────────────────────────────────


def peak_kib(*argv):
    """VmHWM, polled until the end. (ru_maxrss would include what this process used between fork and
    exec.)"""
    peak = 0
    with child(*argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            fields = dict(
                line.split(":", 1) for line in status.read_text().splitlines() if ":" in line
            )
            if fields["Name"].strip() == Path(argv[0]).name and "VmHWM" in fields:
                peak = max(peak, int(fields["VmHWM"].split()[0]))
            time.sleep(0.002)
        if process.returncode:
            raise Trouble(f"{argv[0]}: exit status {process.returncode}")
    return peak


def observing_kib(observe):
    """gilscope's own peak after some seconds of full load."""
    with Server() as server, observe([server.pid], "-d", "600s") as observer:
        server.load(3)
        peak = re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{observer.pid}/status").read_text())
        observer.finish()
    return int(peak[1])


def memory(options):
    """The peak memory of gilscope: `report` on recordings of different lengths, and while
    observing."""
    peaks = []
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        for millions in (1, 10, 30):
            trace = make_trace(folder, millions * MILLION)
            peaks.append(peak_kib(GILSCOPE, "report", trace) / 1024)
            trace.unlink()
    return [
        *(
            Row(f"`gilscope report`, {millions} million events", peak, "{:.1f} MiB")
            for millions, peak in zip((1, 10, 30), peaks)
        ),
        Row(
            "30 million as a multiple of 1 million",
            peaks[2] / peaks[0],
            "{:.2f}",
            "≤ 1.05",
            lambda ratio: ratio <= 1.05,
        ),
        *(
            Row(
                f"`gilscope {name}`, the trivial route under full load",
                observing_kib(observe) / 1024,
                "{:.1f} MiB",
            )
            for name, observe in (("record", record), ("attach", attach))
        ),
    ]
