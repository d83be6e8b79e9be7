# SPDX-License-Identifier: MIT
"""As many contended waits for the GIL as can be had: what gilscope takes for each, and whether it
keeps up."""

import contextlib
import tempfile

from common import BUILD, PYTHON, ROOT, Row, child, modes, record

WORK, THREADS = "release", 2
OFTEN = 100_000  # waits a second, for which the goal is
GOAL = 5  # per cent of one CPU
# gilscope's priority: else the threads take its CPU away several times for every wait, and what
# that takes is counted as gilscope's. They never sleep, so they must not have it, too.
UNDISTURBED = ("chrt", "-f", "10")


@contextlib.contextmanager
def threads():
    """tests/apps/agreement/contention.py"""
    source = ROOT / "tests/apps/agreement/contention.py"
    with child(PYTHON, source, stdin=-1, stdout=-1, text=True) as process:
        process.stdout.readline()
        yield process


def ask(process, seconds):
    process.stdin.write(f"{WORK} {THREADS} {seconds}\n")
    process.stdin.flush()
    process.stdout.readline()


def observe(process, mode, trace):
    return record([process.pid], "-d", "600s", mode=mode, file=trace, prefix=UNDISTURBED)


def once(process, mode, seconds, trace):
    """(waits a second, lost, gilscope's CPU in ns for a wait)"""
    with observe(process, mode, trace) as idle:
        idle.finish()
    with observe(process, mode, trace) as observer:
        ask(process, seconds)
        observer.finish()
    (observed,) = observer.report["processes"]
    waits = sum(thread["waits"] for thread in observed["threads"])
    return waits / seconds, observer.lost, (observer.cpu_ns - idle.cpu_ns) / max(waits, 1)


def contended(options):
    """Threads that release the GIL for some microseconds: nearly every take has to wait."""
    rows = []
    with threads() as process, tempfile.TemporaryDirectory(dir=BUILD) as folder:
        found = {mode: [] for mode in modes(options)}
        for _ in range(options.rounds):
            for mode, results in found.items():
                results.append(once(process, mode, options.seconds, f"{folder}/waits.gsc"))
                print(f"  {mode}: {results[-1]}", flush=True)
    for mode, results in found.items():
        rates, lost, costs = zip(*results)
        rows += [
            Row(
                f"`record --mode {mode}`: contended waits a second",
                [rate / 1e3 for rate in rates],
                "{:.1f} k",
                "none lost",
                lambda _: not sum(lost),
            ),
            Row("… gilscope's own CPU for one", list(costs), "{:.0f} ns"),
            Row(
                f"… at {OFTEN // 1000} k a second, of one CPU",
                [ns * OFTEN / 1e7 for ns in costs],
                "{:.1f} %",
                f"≤ {GOAL} %" if mode == "edges" else "",
                (lambda share: share <= GOAL) if mode == "edges" else None,
            ),
        ]
    return rows
