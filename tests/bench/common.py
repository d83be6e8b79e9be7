# SPDX-License-Identifier: MIT
"""Shared by all benchmarks: processes and their CPU time, gilscope at work, medians, rows of a
table."""

import contextlib
import functools
import json
import os
import re
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = ROOT / "tests/bench"
BUILD = ROOT / os.environ.get("B", "build")
GILSCOPE = Path(os.environ.get("GILSCOPE", BUILD / "gilscope")).resolve()
PYTHON = "/usr/bin/python3"
STATUS_PARTIAL = 5
COLUMNS = 100  # width of the text written into a document


class Trouble(Exception):
    """A measurement that cannot be made; the text is a sentence."""


class Row:
    """A line of the table. `values`: repeated measurements of the same thing. `form`: unit and
    digits. `met(median)`: whether the goal is met."""

    def __init__(self, what, values, form, goal="", met=None):
        values = values if isinstance(values, list) else [values]
        self.what, self.goal = what, goal
        middle = statistics.median(values)
        self.value, self.spread = form.format(middle), ""
        if len(values) > 2:
            low, _, high = statistics.quantiles(values, n=4, method="inclusive")
            self.spread = f"{form.split()[0].format(low)} … {form.format(high)}"
        self.met = "" if met is None else "yes" if met(middle) else "NO"

    def cells(self):
        return [self.what, self.value, self.spread, self.goal, self.met]


# ── processes ─────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def child(*argv, **popen):
    """A process that does not outlive the block. It has a session of its own, so that only we pass
    on Ctrl-C."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        [str(word) for word in argv], env=environment, start_new_session=True, **popen
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()


def cpu_ns(pid):
    """CPU time (user and system) of all threads of a process, from the scheduler: finer than the
    clock ticks in /proc/PID/stat."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
    return total


def run(*argv, accept=(0,), stdout=subprocess.DEVNULL):
    """Runs to the end; returns the nanoseconds of CPU it took."""
    process = subprocess.Popen([str(word) for word in argv], stdout=stdout, stderr=subprocess.PIPE)
    words = process.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in accept:
        raise Trouble(
            f"{' '.join(map(str, argv))}: exit status {process.returncode}: {words.strip()}"
        )
    return usage_ns(usage)


def usage_ns(usage):
    return int((usage.ru_utime + usage.ru_stime) * 1e9)


def output(*argv, accept=(0,)):
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True)
    if done.returncode not in accept:
        raise Trouble(
            f"{' '.join(map(str, argv))}: exit status {done.returncode}: {done.stderr.strip()}"
        )
    return done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# ── gilscope ──────────────────────────────────────────────────────────────────────────────────────


class Observer:
    """gilscope observing a process, from the moment (`since`) it reports that it is ready; finish()
    is Ctrl-C."""

    file = None  # the recording

    def __init__(self, command, *arguments, prefix=()):
        reader, writer = os.pipe()
        self.process = subprocess.Popen(
            [*prefix, str(GILSCOPE), command, "--ready-fd", str(writer), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=[writer],
        )
        self.pid = self.process.pid
        os.close(writer)
        with open(reader, "rb") as ready:
            if not select.select([ready], [], [], 15)[0] or ready.readline() != b"ready\n":
                self.process.kill()
                stderr = self.process.communicate()[1].decode(errors="replace")
                raise Trouble(f"gilscope did not attach: {stderr.strip()}")
        self.since = time.monotonic()

    def finish(self):
        """Sets `stdout`, `stderr`, `cpu_ns` (of its whole life), `observed_s`, and `exit_s`, the
        seconds from Ctrl-C to the exit."""
        begin = time.monotonic()
        self.observed_s = begin - self.since
        self.process.send_signal(signal.SIGINT)
        # the output fits into a pipe's buffer, or is read meanwhile
        self.stdout = self.process.stdout.read().decode()
        self.stderr = self.process.stderr.read().decode(errors="replace")
        _, status, usage = os.wait4(self.pid, 0)
        self.exit_s = time.monotonic() - begin
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_ns = usage_ns(usage)
        if self.process.returncode not in (0, STATUS_PARTIAL):
            raise Trouble(f"gilscope: exit status {self.process.returncode}: {self.stderr.strip()}")

    @property
    def report(self):
        """What attach printed, or what is in the recording; None when there is none of both."""
        if not self.stdout and self.file:
            self.stdout = output(
                GILSCOPE, "report", "--json", self.file, accept=(0, STATUS_PARTIAL)
            )
        return json.loads(self.stdout) if self.stdout else None

    @property
    def lost(self):
        """How many events were lost."""
        lost = re.search(r"(\d+) events were lost", self.stderr)
        return int(lost[1]) if lost else 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


@functools.lru_cache(maxsize=None)
def modes_there(program):
    """The modes that this gilscope can be asked for."""
    return ("exact", "edges") if "--mode" in output(program, "record", "--help") else ("exact",)


def modes(options):
    """Those to measure."""
    return [mode for mode in modes_there(GILSCOPE) if not options.mode or mode in options.mode]


def record(pids, *arguments, file="/dev/null", mode=None, prefix=()):
    asked = ("--mode", mode) if mode and len(modes_there(GILSCOPE)) > 1 else ()
    observer = Observer(
        "record",
        *(word for pid in pids for word in ("-p", pid)),
        "-o",
        file,
        *asked,
        *arguments,
        prefix=prefix,
    )
    observer.file = None if file == "/dev/null" else file
    return observer


def attach(pids, *arguments):
    return Observer("attach", *pids, "--json", *arguments)


# ── applications ──────────────────────────────────────────────────────────────────────────────────


class Server:
    """A FastAPI application under uvicorn with uvloop and httptools, on the loopback."""

    CONNECTIONS = 8

    def __init__(self, module="route:app", folder=HERE):
        self.port = free_port()
        self._child = child(
            PYTHON,
            "-m",
            "uvicorn",
            module,
            "--app-dir",
            folder,
            "--loop",
            "uvloop",
            "--http",
            "httptools",
            "--port",
            self.port,
            "--log-level",
            "warning",
            "--no-access-log",
        )

    def __enter__(self):
        self.process = self._child.__enter__()
        self.pid = self.process.pid
        for _ in range(300):
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            time.sleep(0.05)
        self._child.__exit__(None, None, None)
        raise Trouble("uvicorn does not start")

    def __exit__(self, *details):
        self._child.__exit__(*details)

    def load(self, seconds, path="/"):
        """Requests a path continuously; returns the number of answers."""
        if not shutil.which("wrk"):
            return int(
                output(sys.executable, HERE / "load.py", self.port, self.CONNECTIONS, seconds, path)
            )
        words = output(
            "wrk",
            "-t1",
            f"-c{self.CONNECTIONS}",
            f"-d{seconds}s",
            f"http://127.0.0.1:{self.port}{path}",
        )
        if "Non-2xx" in words or "Socket errors" in words:
            raise Trouble(f"wrk: {words}")
        return int(re.search(r"(\d+) requests in", words)[1])

    def cost(self, seconds, path="/"):
        """Nanoseconds of the server's CPU per request."""
        before = cpu_ns(self.pid)
        answers = self.load(seconds, path)
        return (cpu_ns(self.pid) - before) / answers


class Spin:
    """tests/bench/apps/spin.py"""

    def __init__(self, function="cycle"):
        self._child = child(
            PYTHON,
            HERE / "apps/spin.py",
            function,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        self.process = self._child.__enter__()
        self.pid = self.process.pid
        self.process.stdout.readline()
        return self

    def __exit__(self, *details):
        self._child.__exit__(*details)

    def ask(self, command):
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def ns_per_call(self, calls, batches=5):
        """The median of some batches, so that a disturbance of one has no effect."""
        return statistics.median(int(self.ask(calls)) for _ in range(batches)) / calls

    def undisturbed_ns_per_call(self, calls, batches=100):
        """Many short batches, and what the quickest fifth of them took: for what other tasks on the
        same CPU can only make longer."""
        times = [int(self.ask(calls // batches)) for _ in range(batches)]
        return statistics.quantiles(times, n=5)[0] / (calls // batches)
