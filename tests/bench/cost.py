# SPDX-License-Identifier: MIT
"""What observing costs: the observed application, and gilscope's own process."""

import contextlib
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from common import (
    BUILD,
    GILSCOPE,
    STATUS_PARTIAL,
    Row,
    Server,
    Spin,
    Trouble,
    attach,
    child,
    cpu_ns,
    output,
    record,
    run,
)

LONG = ("-d", "600s")


def between(before, after):
    return (before + after) / 2


# ── request ───────────────────────────────────────────────────────────────────────────────────────


def observed_window(server, observe, seconds, path):
    """(ns per request, gilscope's CPU as a share of one CPU, and of the server's CPU time)"""
    with observe([server.pid], *LONG) as observer:
        own, served, begin = cpu_ns(observer.pid), cpu_ns(server.pid), time.monotonic()
        cost = server.cost(seconds, path)
        own = cpu_ns(observer.pid) - own
        share, relative = (
            own / 1e9 / (time.monotonic() - begin),
            own / (cpu_ns(server.pid) - served),
        )
        observer.finish()
        if observer.events[1]:
            print(f"  {observer.events[1]} events were lost")
    return cost, share, relative


def route(server, options, path, goal):
    """Windows on one server, alternately without and with gilscope; each window with it is compared
    with its two neighbours."""
    rows, bare = [], []
    found = {"record": ([], [], []), "attach": ([], [], [])}
    server.load(1, path)
    bare.append(server.cost(options.seconds, path))
    for number in range(2 * options.rounds):
        name = ("record", "attach")[number % 2]
        cost, share, relative = observed_window(
            server, {"record": record, "attach": attach}[name], options.seconds, path
        )
        bare.append(server.cost(options.seconds, path))
        ratio = cost / between(*bare[-2:])
        print(
            f"  {name} {cost / 1e3:.2f} µs, without {bare[-2] / 1e3:.2f} and "
            f"{bare[-1] / 1e3:.2f} µs a request: {ratio:.3f}",
            flush=True,
        )
        for values, value in zip(found[name], (ratio, share * 100, relative * 100)):
            values.append(value)
    rows.append(
        Row(
            "CPU of the server for a request, unobserved",
            [ns / 1e3 for ns in bare],
            "{:.1f} µs",
        )
    )
    for name, (ratios, shares, relatives) in found.items():
        rows.append(
            Row(
                f"… under `gilscope {name}`, as a multiple",
                ratios,
                "{:.3f}",
                f"≤ {goal:.2f}",
                lambda ratio: ratio <= goal,
            )
        )
        rows.append(Row(f"`gilscope {name}` itself, of one CPU", shares, "{:.1f} %"))
        rows.append(Row("… of the server's CPU time", relatives, "{:.1f} %"))
    return rows


def request(options):
    """The trivial route: exact mode with stacks and sampling."""
    with Server() as server:
        return route(server, options, "/", 1.12)


def work(options):
    """The same server's route that computes for two milliseconds."""
    with Server() as server:
        return route(server, options, "/work", 1.03)


# ── cycle ─────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def traps(pid):
    with child(
        BUILD / "bench/trap", pid, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if not process.stdout.readline().startswith("ready"):
            raise Trouble("tests/bench/trap did not set its probes")
        yield


@contextlib.contextmanager
def gilscope(pid):
    with record([pid], *LONG) as observer:
        yield
        observer.finish()


def cycle(options):
    """A GIL cycle (one drop and one take) in a call that does little else: without probes, with
    empty probes, without, with gilscope, …"""
    bare, added = [], {traps: [], gilscope: []}
    with Spin() as spin:
        spin.ns_per_call(options.calls)
        bare.append(spin.ns_per_call(options.calls))
        for number in range(2 * options.rounds):
            with_what = (traps, gilscope)[number % 2]
            with with_what(spin.pid):
                cost = spin.ns_per_call(options.calls)
            bare.append(spin.ns_per_call(options.calls))
            added[with_what].append(cost - between(*bare[-2:]))
            print(
                f"  {with_what.__name__}: {cost:.0f} ns, without {bare[-1]:.0f} ns a call",
                flush=True,
            )
    ratios = [
        gilscope_ns / traps_ns for gilscope_ns, traps_ns in zip(added[gilscope], added[traps])
    ]
    return [
        Row("a call of C code that releases the GIL, bare", bare, "{:.0f} ns"),
        Row("two traps that do nothing add", added[traps], "{:.0f} ns"),
        Row("gilscope adds", added[gilscope], "{:.0f} ns"),
        Row(
            "gilscope as a multiple of two traps",
            ratios,
            "{:.2f}",
            "≤ 1.50",
            lambda ratio: ratio <= 1.5,
        ),
    ]


# ── bystander ─────────────────────────────────────────────────────────────────────────────────────


def bystander(options):
    """The cost to an unobserved process: a trivial system call, with and without gilscope observing
    another process."""
    bare, added = [], []
    with Spin() as observed, Spin("syscall") as spin:
        spin.ns_per_call(options.calls)
        bare.append(spin.ns_per_call(options.calls))
        for _ in range(options.rounds):
            with gilscope(observed.pid):
                cost = spin.ns_per_call(options.calls)
            bare.append(spin.ns_per_call(options.calls))
            added.append(cost - between(*bare[-2:]))
            print(f"  {cost:.0f} ns, without {bare[-1]:.0f} ns a call", flush=True)
    return [
        Row("`os.getppid()`, nobody observing anything", bare, "{:.0f} ns"),
        Row("a system call of another process costs more by", added, "{:.0f} ns"),
    ]


# ── rate ──────────────────────────────────────────────────────────────────────────────────────────


class Fastest:
    """Some processes with some threads each that only release and retake the GIL."""

    def __init__(self, processes, threads):
        self._processes, self._threads, self._stack = processes, threads, contextlib.ExitStack()

    def __enter__(self):
        spins = [self._stack.enter_context(Spin()) for _ in range(self._processes)]
        for spin in spins:
            spin.ask(f"threads {self._threads}")
        return [spin.pid for spin in spins]

    def __exit__(self, *details):
        return self._stack.__exit__(*details)


def collect(pids, observe, seconds, setup_ns):
    """(events a second, lost, gilscope's CPU in ns per event)"""
    with observe(*pids) as observer:
        time.sleep(seconds)
        observer.finish()
    seen, lost = observer.events
    return (seen + lost) / observer.observed_s, lost, (observer.cpu_ns - setup_ns) / max(seen, 1)


def rate_rows(processes, threads, ways, seconds):
    with Fastest(processes, threads) as pids:
        setup_ns = statistics.median(
            run(GILSCOPE, "attach", *pids, "-d", "1ms", accept=(0, STATUS_PARTIAL))
            for _ in range(5)
        )
        for name, observe in ways.items():
            results = [collect(pids, observe, seconds, setup_ns) for _ in range(5)]
            events, lost = (
                statistics.median(result[0] for result in results),
                sum(result[1] for result in results),
            )
            what = (
                f"{processes} process{'es' * (processes > 1)}, {threads} "
                f"thread{'s' * (threads > 1)}: `{name}`, {events / 1e3:.0f} k/s"
            )
            print(f"  {what}, {lost} lost", flush=True)
            yield Row(
                what,
                [result[2] for result in results],
                "{:.0f} ns",
                "none lost",
                lambda _: lost == 0,
            )


def rate(options):
    """How many events a second are collected without loss when the GIL changes hands as fast as
    possible, and what each costs gilscope's process."""
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        ways = {
            "record -o /dev/null": lambda *pids: record(pids, *LONG),
            "record": lambda *pids: record(pids, *LONG, file=Path(folder) / "rate.gsc"),
            "attach": lambda *pids: attach(pids, *LONG),
        }
        return [
            row
            for processes, threads in ((1, 1), (1, 2), (2, 1))
            for row in rate_rows(processes, threads, ways, options.seconds)
        ]


# ── start ─────────────────────────────────────────────────────────────────────────────────────────


def window_begin(trace):
    """ns of CLOCK_MONOTONIC"""
    for line in output(GILSCOPE, "export", trace, "--format", "script").splitlines():
        fields = line.split()
        if len(fields) > 2 and fields[2] == "window":
            seconds, nanoseconds = fields[0].split(".")
            return int(seconds) * 10**9 + int(nanoseconds)
    raise Trouble(f"{trace} has no window")


def attach_once(pid, trace):
    """(ms of wall time from the start of gilscope to the begin of its window, ms of its CPU in
    total)"""
    begin = time.monotonic_ns()
    used_ns = run(GILSCOPE, "record", "-p", pid, "-d", "1ms", "-o", trace)
    return (window_begin(trace) - begin) / 1e6, used_ns / 1e6


def stop_once(server, observe, load_s):
    with observe([server.pid], *LONG) as observer:
        server.load(load_s)
        observer.finish()
        if observer.stdout:
            json.loads(observer.stdout)
    return observer.exit_s * 1e3


def start(options):
    """From the start of gilscope to the first event, and from Ctrl-C to its exit. These are wall
    times, so they are right only on a quiet machine."""
    with Server() as server, tempfile.TemporaryDirectory(dir=BUILD) as folder:
        starts = [
            attach_once(server.pid, Path(folder) / "start.gsc") for _ in range(2 * options.rounds)
        ]
        stops = {
            name: [stop_once(server, observe, 1) for _ in range(options.rounds)]
            for name, observe in (("record", record), ("attach", attach))
        }
    return [
        Row(
            "from the start to the begin of the observation",
            [wall_ms for wall_ms, _ in starts],
            "{:.0f} ms",
        ),
        Row("CPU that starting and stopping takes", [cpu_ms for _, cpu_ms in starts], "{:.0f} ms"),
        *(
            Row(f"from Ctrl-C to the exit, `gilscope {name}`", values, "{:.0f} ms")
            for name, values in stops.items()
        ),
    ]
