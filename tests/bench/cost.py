# SPDX-License-Identifier: MIT
"""What observing costs: the observed application, and gilscope's own process."""

import contextlib
import functools
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import turns
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
    modes,
    output,
    record,
    run,
)
from stacks import mean_ns, run_time, statistics_on

LONG = ("-d", "600s")


# ── request ───────────────────────────────────────────────────────────────────────────────────────


class Requests:
    """Measures a path of a server. `shares`: {command line: [(gilscope's CPU as a share of one CPU,
    and of the server's CPU time)]}"""

    def __init__(self, server, seconds, path):
        self._server, self._seconds, self._path = server, seconds, path
        self.shares = {}

    def __call__(self, observer):
        if not observer:
            return self._server.cost(self._seconds, self._path)
        own, served = cpu_ns(observer.pid), cpu_ns(self._server.pid)
        begin = time.monotonic()
        cost = self._server.cost(self._seconds, self._path)
        own = cpu_ns(observer.pid) - own
        self.shares.setdefault(observer.name, []).append(
            (
                own / 1e7 / (time.monotonic() - begin),
                100 * own / (cpu_ns(self._server.pid) - served),
            )
        )
        return cost


def route(server, options, path, goals):
    """The cost of a request without gilscope, with it, and of a second window without."""
    ways = {**turns.observers(server.pid, options), "attach": turns.attaching(server.pid)}
    measure = Requests(server, options.seconds, path)
    found = turns.Turns(options.rounds, ways, measure)
    unobserved = [ns / 1e3 for ns in found.bare]
    yield Row("CPU of the server for a request, unobserved", unobserved, "{:.1f} µs")
    ratios = found.ratios(turns.CONTROL)
    yield turns.row_of_ratio("… unobserved once more, as a multiple", ratios)
    for name in list(ways)[1:]:
        goal = goals.get(name.rpartition(" ")[2])
        what = f"… under `gilscope {name}`, as a multiple"
        yield turns.row_of_ratio(what, found.ratios(name), goal)
        of_cpu, of_served = zip(*measure.shares[name])
        yield Row("… itself, of one CPU", list(of_cpu), "{:.1f} %")
        yield Row("… of the server's CPU time", list(of_served), "{:.1f} %")


def request(options):
    """The trivial route, with stacks and sampling."""
    with Server() as server:
        return list(route(server, options, "/", {"exact": 1.12, "edges": 1.02}))


def work(options):
    """The same server's route that computes for two milliseconds."""
    with Server() as server:
        return list(route(server, options, "/work", {"exact": 1.03, "edges": 1.02}))


# ── cycle ─────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def traps(where):
    """Programs that do nothing, at a process's sites or at the scheduler's tracepoints."""
    with child(
        BUILD / "bench/trap", where, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if not process.stdout.readline().startswith("ready"):
            raise Trouble("tests/bench/trap did not set its probes")
        yield


TRAPS = "two traps"


def cycle(options):
    """A GIL cycle (one drop and one take) in a call that does little else: without probes, with
    empty probes, without, with gilscope, …"""
    with Spin() as spin:
        ways = {TRAPS: lambda: traps(spin.pid), **turns.observers(spin.pid, options)}
        found = turns.Turns(options.rounds, ways, lambda _: spin.ns_per_call(options.calls))
    return list(cycle_rows(found, list(ways)[2:]))


def cycle_rows(found, recordings):
    yield turns.row_of_ns("a call of C code that releases the GIL, bare", found.bare)
    yield turns.row_of_ns("the same once more adds", found.added(turns.CONTROL))
    yield turns.row_of_ns("two traps that do nothing add", found.added(TRAPS))
    for name in recordings:
        goal = 50 if name.endswith("edges") else None
        yield turns.row_of_ns(f"`gilscope {name}` adds", found.added(name), goal)
        if goal is None:
            pairs = zip(found.added(name), found.added(TRAPS))
            ratios = [gilscope_ns / traps_ns for gilscope_ns, traps_ns in pairs]
            what = "… as a multiple of two traps"
            yield Row(what, ratios, "{:.2f}", "≤ 1.50", lambda ratio: ratio <= 1.5)


# ── bystander ─────────────────────────────────────────────────────────────────────────────────────


EMPTY = "three programs that do nothing"
PROGRAMS = (
    ("run time of the program at a switch", "on_switch"),
    ("… of the first at a wake-up", "on_waking"),
    ("… of the second at a wake-up", "on_wakeup"),
)
NOTHING = ("… of one at a switch that does nothing", "on_empty_switch")


def programs_ns(spin, observing, names, options):
    """{program: ns of a run, several times}, where nearly all its runs are for bystanders"""
    found = {program: [] for _, program in names}
    for _ in range(options.rounds):
        with statistics_on(), observing():
            before = {program: run_time(program) for program in found}
            spin.ns_per_call(options.calls, 1)
            for program, costs in found.items():
                costs.append(mean_ns(program, before[program], run_time(program)))
    return found


def bystander(options):
    """The cost to unobserved processes while gilscope observes another one: of a trivial system
    call; of a context switch between two of them, which is half a round trip of a byte: two system
    calls, one wake-up and one switch; of a GIL cycle where nobody waits. All of them run the same
    Python file as the observed one."""
    spins = [Spin(name) for name in ("cycle", "syscall", "switch", "cycle")]
    with spins[0] as observed, spins[1] as calling, spins[2] as switching, spins[3] as cycling:
        ways = turns.observers(observed.pid, options)
        call = turns.Turns(
            options.rounds, ways, lambda _: calling.undisturbed_ns_per_call(options.calls)
        )
        both = {**ways, EMPTY: lambda: traps("scheduler")}
        switch = turns.Turns(
            options.rounds, both, lambda _: switching.undisturbed_ns_per_call(options.calls)
        )
        gil = turns.Turns(options.rounds, ways, lambda _: cycling.ns_per_call(options.calls))
        recordings = [name for name in ways if name != turns.CONTROL]
        programs = programs_ns(switching, ways[recordings[-1]], PROGRAMS, options)
        programs.update(programs_ns(switching, both[EMPTY], [NOTHING], options))
    return [
        turns.row_of_ns("`os.getppid()`, unobserved", call.bare),
        turns.row_of_ns("the same once more adds", call.added(turns.CONTROL)),
        *(turns.row_of_ns(f"`gilscope {name}` adds", call.added(name), 50) for name in recordings),
        turns.row_of_ns("a GIL cycle of the same Python file, unobserved", gil.bare),
        turns.row_of_ns("the same once more adds", gil.added(turns.CONTROL)),
        *(turns.row_of_ns(f"`gilscope {name}` adds", gil.added(name)) for name in recordings),
        turns.row_of_ns("a byte and a switch to a process, unobserved", switch.bare),
        turns.row_of_ns("the same once more adds", switch.added(turns.CONTROL)),
        turns.row_of_ns(f"{EMPTY} add", switch.added(EMPTY)),
        *(row for name in recordings for row in switch_rows(switch, name)),
        *(turns.row_of_ns(words, programs[program]) for words, program in (*PROGRAMS, NOTHING)),
    ]


def switch_rows(found, name):
    added, empty = found.added(name), found.added(EMPTY)
    yield turns.row_of_ns(f"`gilscope {name}` adds", added)
    own = [ns - empty_ns for ns, empty_ns in zip(added, empty)]
    yield turns.row_of_ns("… of that beyond what empty programs do", own, 100)


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
    """(events a second, lost, gilscope's CPU: ns per event, and as a share of one CPU)"""
    with observe(*pids) as observer:
        time.sleep(seconds)
        observer.finish()
    seen, lost = observer.report["evidence"]["events"], observer.lost
    own = observer.cpu_ns - setup_ns
    share = 100 * own / 1e9 / observer.observed_s
    return (seen + lost) / observer.observed_s, lost, own / max(seen, 1), share


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
            # without events there is nothing to divide by
            values, form = (2, "{:.0f} ns") if events > 1000 else (3, "{:.2f} % of a CPU")
            yield Row(
                what,
                [result[values] for result in results],
                form,
                "none lost",
                lambda _: lost == 0,
            )


def rate(options):
    """How many events a second are collected without loss when the GIL changes hands as fast as
    possible, and what each costs gilscope's process."""
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        ways = {}
        for mode in modes(options):
            ways[f"record --mode {mode}"] = functools.partial(keep, mode, f"{folder}/rate.gsc")
        ways["attach"] = lambda *pids: attach(pids, *LONG)
        return [
            row
            for processes, threads in ((1, 1), (1, 2), (2, 1))
            for row in rate_rows(processes, threads, ways, options.seconds)
        ]


def keep(mode, file, *pids):
    return record(pids, *LONG, file=file, mode=mode)


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
