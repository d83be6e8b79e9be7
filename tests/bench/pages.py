# SPDX-License-Identifier: MIT
"""The cost of drawing a recording: time to make the files, and their size."""

import json
import tempfile
from pathlib import Path

from common import BUILD, GILSCOPE, Row, output, run
from replay import MILLION, peak_kib

EVENTS = 5 * MILLION
SECONDS, MIB = 5, 300  # limits for …
CYCLES = 60 * 20_000  # … this many GIL cycles: a minute of a busy server
# what is measured: its name and its arguments; the recording is appended
FORMS = {
    "timeline": ("timeline", "-o"),
    "flame": ("flame", "-o"),
    "export --format folded": ("export", "--format", "folded", "-o"),
    "export --format speedscope": ("export", "--format", "speedscope", "-o"),
    "export --format pprof": ("export", "--format", "pprof", "-o"),
    "export --format perfetto": ("export", "--format", "perfetto", "-o"),
}


def cycles_of(trace):
    """The number of holds by its threads."""
    found = json.loads(output(GILSCOPE, "report", trace, "--json"))
    return sum(thread["holds"] for process in found["processes"] for thread in process["threads"])


def make(trace, folder):
    """Rows about making the files, measured alternately with `gilscope report` of the same
    recording."""
    part = CYCLES / cycles_of(trace)
    ratios, seconds = ({name: [] for name in FORMS} for _ in range(2))
    peaks, sizes, file = {}, {}, Path(folder) / "made.html"
    for _ in range(3):
        for name, arguments in FORMS.items():
            report_ns = run(GILSCOPE, "report", trace)
            made_ns = run(GILSCOPE, *arguments, file, trace)
            ratios[name].append(made_ns / report_ns)
            seconds[name].append(made_ns / 1e9 * part)
            sizes[name] = file.stat().st_size / trace.stat().st_size
    for name, arguments in FORMS.items():
        peaks[name] = peak_kib(GILSCOPE, *arguments, file, trace) / 1024
    return [
        row
        for name in FORMS
        for row in (
            Row(
                f"`{name}`: CPU, of `report`'s",
                ratios[name],
                "{:.1f} ×",
            ),
            Row(
                f"… for {CYCLES / 1e6:.1f} million GIL cycles",
                seconds[name],
                "{:.1f} s",
                f"≤ {SECONDS} s",
                lambda value: value <= SECONDS,
            ),
            Row(
                "… most memory at a time",
                peaks[name],
                "{:.0f} MiB",
                f"≤ {MIB} MiB",
                lambda value: value <= MIB,
            ),
            Row("… size of the file, of that of the recording", sizes[name], "{:.2f} ×"),
        )
    ]


def browse(folder, events):
    """Rows about a page of a minute of 20 000 GIL cycles a second in Chromium. Real time, since a
    person waits for it."""
    trace, page = Path(folder) / "minute.gsc", Path(folder) / "minute.html"
    run(BUILD / "bench/make_trace", events, trace, "stacks")
    run(GILSCOPE, "timeline", "-o", page, trace)
    found = json.loads(output("node", Path(__file__).with_name("browser.mjs"), page, 5))
    return [
        Row(
            f"page of a minute ({page.stat().st_size / 1e6:.0f} MB) in Chromium: drawn",
            found["loaded"],
            "{:.0f} ms",
            "≤ 2 s",
            lambda value: value <= 2000,
        ),
        Row("… all of it read", found["complete"], "{:.0f} ms"),
        Row(
            "… dragged: drawing it anew",
            found["pan"],
            "{:.1f} ms",
            "≤ 16 ms",
            lambda value: value <= 16,
        ),
    ]


def pages(options):
    """All drawings of a recording of 5 million events with their stacks."""
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        trace = Path(folder) / "recorded.gsc"
        run(BUILD / "bench/make_trace", EVENTS, trace, "stacks")
        rows = [
            Row(
                "the recording, 5 million events and their stacks",
                trace.stat().st_size / 1e6,
                "{:.1f} MB",
            )
        ]
        rows += make(trace, folder)
        rows += browse(folder, int(EVENTS * CYCLES / cycles_of(trace)))
    return rows
