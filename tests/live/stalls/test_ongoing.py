# SPDX-License-Identifier: MIT
"""Every stall has a line on stderr when it ends, and while it lasts, one after a second: by attach
and record, with the time of day, its length and what the loop was doing; also if it never ends."""

import contextlib
import datetime
import functools
import json
import os
import pty
import re
import subprocess
import tempfile
import threading
import time

import pytest

import harness
import laws

HANG = os.path.join(harness.APPS, "hang.py")
CAUSES = ["python", "blocked", "lock", "gil_wait"]
STATES = {"python": "python", "blocked": "blocked", "lock": "blocked", "gil_wait": "gil_wait"}
WORDS = {
    "python": r"handler \S*hang\.py:\d+( > .+)?  running Python",
    "blocked": r"handler \S*hang\.py:\d+( > .+)?  (clock_nanosleep|select|pselect6)",
    "lock": r"handler \S*hang\.py:\d+( > .+)?  futex",
    "gil_wait": r"hog \S*hang\.py:\d+( > .+)?  GIL held by '(hog|python3)' \(\d+\)",
}
# the time of day of its begin, its length, what it was
LINE = re.compile(
    r"(\d\d):(\d\d):(\d\d\.\d{3}) +(≥ )?([\d.]+) (ns|µs|ms|s)  (.*?)(  … ongoing)?"
    r"(, began before gilscope attached)?\n"
)
THRESHOLD_NS = 50_000_000


class Watched(harness.Running):
    """Keeps the lines of stderr with the times at which they came."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.lines = []
        self._listener = threading.Thread(target=self._read, daemon=True)
        self._listener.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append((time.monotonic_ns(), line))

    def reported(self):
        return [(ns, LINE.fullmatch(line)) for ns, line in list(self.lines) if LINE.fullmatch(line)]

    def await_reported(self, count, timeout=10):
        deadline = time.monotonic() + timeout
        while len(self.reported()) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.reported()) >= count, self.lines
        return self.reported()

    def await_end(self, known=0, timeout=10):
        """Waits until a line reports that the loop has resumed, ignoring the first `known` lines.
        Returns the lines since those."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            reported = self.reported()[known:]
            if any(not line[8] for _, line in reported):
                return reported
            time.sleep(0.01)
        raise AssertionError(f"no end reported: {self.lines}")

    def result(self, timeout=30):
        """communicate() cannot be used, since a thread already reads stderr."""
        stdout = self.process.stdout.read()
        status = self.process.wait(timeout)
        self._listener.join(timeout)
        return harness.Outcome(status, stdout, "".join(line for _, line in self.lines))


@pytest.fixture
def app(loop):
    with hanging(loop) as running:
        yield running


def hanging(loop):
    return harness.RawApp(loop, script=HANG, prefix=harness.undisturbed())


OBSERVERS = {"asyncio": ("attach", "record"), "uvloop": ("attach",)}
LEGS = pytest.mark.parametrize(
    "loop, command", [(loop, command) for loop in OBSERVERS for command in OBSERVERS[loop]]
)
ASYNCIO = pytest.mark.parametrize("loop", ["asyncio"])


class Observed:
    """What one observer reported: its lines while it observed, and its final report."""

    def __init__(self, app, command, folder):
        self._path = os.path.join(folder, "hang.gsc")
        options = ("-o", self._path, "-p") if command == "record" else ("--json",)
        self.running = Watched(command, *options, app.pid, wait=False, prefix=app.prefix)

    def interrupt(self):
        self.asked_ns = time.monotonic_ns()
        self.running.signal()

    def finish(self):
        self.done = self.running.result()
        self.ended_ns = time.monotonic_ns()
        self.reported = self.running.reported()
        assert self.done.status == 0, self.done
        if os.path.exists(self._path):
            self.report = harness.gilscope("report", self._path, "--json").report
        else:
            self.report = self.done.report


@contextlib.contextmanager
def observers(loop):
    """An application, and {command: Observed} of all observers of that loop at once."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(harness.undisturbed_reader())
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        app = stack.enter_context(hanging(loop))
        found = {command: Observed(app, command, folder) for command in OBSERVERS[loop]}
        for one in found.values():
            stack.enter_context(one.running)
        assert all(one.running.ready(15) for one in found.values())
        yield app, found
        for one in found.values():
            one.interrupt()
        for one in found.values():
            one.finish()
        assert app.process.poll() is None


@functools.lru_cache(maxsize=None)
def endless(loop, cause):
    """A stall that never ends: {command: Observed}, and its begin."""
    with observers(loop) as (app, found):
        t0_ns = app.answer(f"{cause} forever")["t0_ns"]
        for one in found.values():
            one.running.await_reported(1)
    return found, t0_ns


class Hang:
    """A stall's begin and end; by command, its first two lines and all its lines."""

    def __init__(self, app, cause, found):
        known = {command: len(one.running.reported()) for command, one in found.items()}
        self.t0_ns = app.answer(f"{cause} 1.6")["t0_ns"]
        self.first = {
            command: one.running.await_reported(known[command] + 1)[known[command] :]
            for command, one in found.items()
        }
        self.t1_ns = json.loads(app.process.stdout.readline())["t1_ns"]
        self.reported = {
            command: one.running.await_end(known[command]) for command, one in found.items()
        }


@functools.lru_cache(maxsize=None)
def one_after_the_other(loop):
    """A stall of each cause during one observation: {command: Observed} and {cause: Hang}."""
    with observers(loop) as (app, found):
        hangs = {cause: Hang(app, cause, found) for cause in CAUSES}
    return found, hangs


def the_stall(report):
    (stall,) = laws.stalls_of(report)
    return stall


def length_ns(line):
    return float(line[5]) * {"ms": 1e6, "s": 1e9}[line[6]]


def begin_ns(line):
    """By CLOCK_MONOTONIC: the latest instant with that time of day."""
    now = datetime.datetime.now()
    begin = now.replace(hour=int(line[1]), minute=int(line[2]), second=0, microsecond=0)
    begin += datetime.timedelta(seconds=float(line[3]))
    while begin > now:
        begin -= datetime.timedelta(days=1)
    return begin.timestamp() * 1e9 - time.time_ns() + time.monotonic_ns()


def check_first(reported, cause, t0_ns):
    """A line after a second, while it lasts."""
    ns, line = reported[0]
    assert line[8] and line[4], line
    assert 1e9 <= ns - t0_ns + 5_000_000, (ns - t0_ns) / 1e6
    assert length_ns(line) <= ns - t0_ns + 5_000_000
    assert abs(begin_ns(line) - t0_ns) < 30_000_000, (line, begin_ns(line), t0_ns)
    assert re.search(WORDS[cause], line[7]), line


@LEGS
@pytest.mark.parametrize("cause", CAUSES)
def test_a_stall_is_reported_while_it_lasts_and_when_it_ends(loop, command, cause):
    found, hangs = one_after_the_other(loop)
    hang, report = hangs[cause], found[command].report
    reported, first = hang.reported[command], hang.first[command]
    # as a rule two; more if it took longer than it was asked for, by a busy machine
    for n, (_, line) in enumerate(reported[:-1]):
        assert line[8] and 2**n * 1e9 <= length_ns(line) + 5_000_000, reported
    assert len(reported) > 1 and first[0][0] < hang.t1_ns, reported
    check_first(reported, cause, hang.t0_ns)
    _, last = reported[-1]
    assert not last[8] and re.search(WORDS[cause], last[7]), last
    assert abs(length_ns(last) - (hang.t1_ns - hang.t0_ns)) < 20_000_000
    stalls = laws.stalls_of(report)
    assert len(stalls) == len(CAUSES)
    stall = stalls[CAUSES.index(cause)]
    assert stall["cause"] == STATES[cause] and not stall["ongoing"]
    assert stall["start_ns"] <= hang.t0_ns and hang.t1_ns <= stall["end_ns"]
    assert reported[0][1].groups()[:3] == last.groups()[:3]
    assert abs(begin_ns(last) - stall["start_ns"]) < 5_000_000


@LEGS
@pytest.mark.parametrize("cause", CAUSES)
def test_a_handler_that_never_returns_is_seen(loop, command, cause):
    found, t0_ns = endless(loop, cause)
    one = found[command]
    check_first(one.reported, cause, t0_ns)
    laws.check_laws(one.report)
    stall = the_stall(one.report)
    assert stall["ongoing"] and stall["cause"] == STATES[cause]
    assert stall["start_ns"] <= t0_ns and one.asked_ns <= stall["end_ns"] <= one.ended_ns
    assert stall["handler"]["function"] == "handler" and stall["handler"]["role"] == "task"


@ASYNCIO
def test_a_long_stall_is_not_reported_every_second(app):
    with Watched("attach", app.pid, "--json", prefix=app.prefix) as running:
        t0_ns = app.answer("blocked forever")["t0_ns"]
        time.sleep(4.5)
        done = running.finish()
    times = [(ns - t0_ns) / 1e9 for ns, _ in running.reported()]
    # after 1, 2 and 4 s, and what it was at the end
    assert len(times) == 4, times
    assert done.report["stall_ns"] == THRESHOLD_NS


@ASYNCIO
def test_quiet_reports_nothing(app, tmp_path):
    path = tmp_path / "quiet.gsc"
    with Watched(
        "record", "-q", "-p", app.pid, "-o", path, prefix=app.prefix
    ) as recording, Watched("attach", "--quiet", app.pid, "--json", prefix=app.prefix) as attached:
        app.answer("blocked 0.5")
        app.process.stdout.readline()
        done = attached.finish()
        recorded = recording.finish()
    assert done.stderr == "", done
    assert not recording.reported(), recorded
    assert (
        the_stall(done.report)["cause"]
        == the_stall(harness.gilscope("report", path, "--json").report)["cause"]
        == "blocked"
    )


@ASYNCIO
def test_on_a_terminal_the_progress_gives_way(app):
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*app.prefix, harness.GILSCOPE, "attach", str(app.pid), "-d", "5s", "--json"],
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    shown = b""
    asked = False
    while True:
        try:
            shown += os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not asked and b"no stalls" in shown:
            app.ask("blocked 1.5")
            asked = True
    os.close(master)
    json.load(process.stdout)
    assert process.wait(10) == 0
    process.stdout.close()
    lines = [row for row in shown.split(b"\r\n") if b"nanosleep" in row or b"select" in row]
    assert len(lines) == 2, shown
    for line in lines:
        assert re.search(rb"\r\x1b\[K\d\d:\d\d:\d\d\.\d{3} [^\r\x1b]*$", line), line
    assert b" of 5 s \xc2\xb7 1 stall, worst 1.5" in shown, shown


@ASYNCIO
def test_a_full_stderr_does_not_hold_up_the_observation(app):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 512)
    os.set_blocking(writer, True)
    with harness.Running("attach", app.pid, "-d", "2s", "--json", stderr=writer) as running:
        os.close(writer)
        app.answer("blocked 0.5")
        stdout, _ = running.process.communicate(timeout=20)
        os.close(reader)
        assert running.process.returncode == 0
    assert the_stall(json.loads(stdout))["cause"] == "blocked"
