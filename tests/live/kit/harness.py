# SPDX-License-Identifier: MIT
"""Shared by the live tests: applications under test, gilscope runs against them, and small
helpers."""

import contextlib
import functools
import glob
import http.client
import http.server
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

import interpreters
from interpreters import DEBIAN_PYTHON, PYTHON

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
APPS = os.path.join(ROOT, "tests", "apps")
GILSCOPE = os.path.abspath(os.environ.get("GILSCOPE", os.path.join(ROOT, "build", "gilscope")))
SLOW_ANSWER_S = 0.12  # as long as the work of tests/apps/work.py
PATIENCE = float(
    os.environ.get("GILSCOPE_TEST_PATIENCE", "1")
)  # all timeouts are multiplied by this: an emulated machine is slow


# ── applications ──────────────────────────────────────────────────────────────────────────────────


def need(*modules):
    """Skips the test where the interpreter that is asked for has them not."""
    if interpreters.ASKED and not interpreters.has(interpreters.ASKED, *modules):
        raise unittest.SkipTest(f"this Python has no {', '.join(modules)}")


class App:
    """A process under test. stop(), or the end of a `with` block, terminates it."""

    def __init__(self, argv, env=None, prefix=(), **popen):
        self.prefix = prefix
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
        self.process = subprocess.Popen([*prefix, *argv], env=environment, **popen)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def threads(self):
        return {int(name) for name in os.listdir(f"/proc/{self.pid}/task")}

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(5 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


class Script(App):
    """Python source that prints "ready" when it is ready."""

    def __init__(self, source, python=PYTHON, prefix=(), **popen):
        command = [python] if isinstance(python, str) else python
        super().__init__(
            [*command, "-c", source], prefix=prefix, stdout=subprocess.PIPE, text=True, **popen
        )
        line = self.process.stdout.readline()
        if line != "ready\n":
            self.stop()
            raise RuntimeError(f"the application said {line!r}, not that it is ready")


class RawApp(App):
    """tests/apps/loop_truth.py, controlled through its standard input and output."""

    def __init__(
        self,
        loop,
        python=PYTHON,
        prefix=(),
        env=None,
        script=os.path.join(APPS, "loop_truth.py"),
    ):
        if loop == "uvloop":
            need("uvloop")
        super().__init__(
            [*python, script, *(("--loop", loop) if loop else ())],
            prefix=prefix,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.expect("ready")

    def expect(self, answer):
        line = self.process.stdout.readline().rstrip("\n")
        if line != answer:
            self.stop()
            raise RuntimeError(f"the application answered {line!r} instead of {answer!r}")

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def call(self, command):
        self.ask(command)
        self.expect("ok")

    def answer(self, command):
        """The application's answer, a line of JSON."""
        self.ask(command)
        return json.loads(self.process.stdout.readline())

    def marks(self):
        return [Mark(row) for row in self.answer("marks")]


class WebApp(App):
    """A FastAPI application under uvicorn."""

    def __init__(
        self,
        loop,
        *arguments,
        module="truth:app",
        python=PYTHON,
        prefix=(),
        env=None,
        folder=APPS,
    ):
        need("fastapi", "uvicorn")
        command = [python] if isinstance(python, str) else python
        self.port = free_port()
        where = ["-m", "uvicorn", module, "--app-dir", folder, "--port", str(self.port)]
        how = ["--loop", loop, "--log-level", "warning", *arguments]
        super().__init__(
            [*command, *where, *how],
            prefix=prefix,
            env=env,
        )
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                self.get("/ping")
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("uvicorn does not answer")
            time.sleep(0.05)

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"GET {path}: status {response.status}")
        return json.loads(body)

    def call(self, name):
        self.get("/" + name)

    def marks(self):
        return [Mark(row) for row in self.get("/marks")]


class Mark:
    """A row of tests/apps/marks.py. The times of the loop iteration around it are known only where
    polls.c is loaded."""

    turn_t0_ns = turn_t1_ns = 0
    place = handler = holder = None

    def __init__(self, row):
        self.__dict__.update(row)
        self.length_ns = self.t1_ns - self.t0_ns

    def __repr__(self):
        return f"{self.name} ({self.length_ns / 1e6:.2f} ms)"

    def overlaps(self, stall):
        return self.t0_ns < stall["end_ns"] and stall["start_ns"] < self.t1_ns


@functools.lru_cache(maxsize=None)
def library(name):
    """tests/apps/NAME.c, compiled."""
    path, source = os.path.join(ROOT, "build", "tests", f"{name}.so"), app_source(name)
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(source):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        compile_library(["cc"], name, f"{path}.{os.getpid()}")
        os.replace(f"{path}.{os.getpid()}", path)
    return path


def app_source(name):
    return os.path.join(APPS, f"{name}.c")


def compile_library(compiler, name, path):
    flags = ["-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-pthread"]
    # dlsym() of an old C library is in a library of its own, which not every program has loaded
    libdl = ["-Wl,--no-as-needed", "-l:libdl.so.2"]
    subprocess.run([*compiler, *flags, "-o", path, app_source(name), *libdl], check=True)


def polls_library():
    return library("polls")


FIFO = 10


def undisturbed():
    """Prefix of commands that run with real-time priority.

    An application with it spends its marked time on the marked work, not waiting for a CPU. The
    gilscope that observes it needs it too. Otherwise: the application occupies one CPU; gilscope is
    queued on that CPU; other tasks, even SCHED_IDLE ones, keep the other CPU busy; gilscope waits
    up to a second, until the kernel gives the other scheduling classes their share.

    Empty on a machine with one CPU: real-time threads of equal priority do not preempt each other,
    so a thread that computes until another one stops it would never end. For the same reason a test
    whose application computes like this does not run in parallel with others (mark `beside`).
    """
    if len(os.sched_getaffinity(0)) == 1:
        return ()
    prefix = ("chrt", "-f", str(FIFO))
    return (
        prefix
        if subprocess.run([*prefix, "true"], stderr=subprocess.DEVNULL).returncode == 0
        else ()
    )


@contextlib.contextmanager
def undisturbed_reader():
    """Gives this thread, and the threads it starts, the priority of undisturbed(): a reader that
    timestamps lines must not be delayed by such an application either."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    if undisturbed():
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO))
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def slow_server():
    """An HTTP server in this process, so with a GIL of its own, that answers slowly. Yields its
    port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            time.sleep(SLOW_ANSWER_S)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class Load:
    """Threads that request one path of a WebApp continuously, each on one connection, until
    stopped. `statuses` counts the answers by HTTP status."""

    def __init__(self, app, path="/ping", threads=2):
        self._app, self._path, self._stop = app, path, threading.Event()
        self._counts = [{} for _ in range(threads)]
        self._threads = [
            threading.Thread(target=self._run, args=(counts,), daemon=True)
            for counts in self._counts
        ]

    def _run(self, counts):
        connection = http.client.HTTPConnection("127.0.0.1", self._app.port, timeout=30)
        while not self._stop.is_set():
            try:
                connection.request("GET", self._path)
                response = connection.getresponse()
                response.read()
                answer = response.status
            except OSError as error:
                answer = repr(error)
                connection.close()
            counts[answer] = counts.get(answer, 0) + 1
        connection.close()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def statuses(self):
        total = {}
        for counts in self._counts:
            for status, count in list(counts.items()):
                total[status] = total.get(status, 0) + count
        return total


class Neighbours:
    """Processes named "neighbour" that keep one CPU busy."""

    SOURCE = (
        "open('/proc/self/comm', 'w').write('neighbour'); print('ready', flush=True)\n"
        "while True: pass"
    )

    def __init__(self, cpu, count):
        self._apps = [Script(self.SOURCE, prefix=("taskset", "-c", str(cpu))) for _ in range(count)]
        self.pids = {app.pid for app in self._apps}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for app in self._apps:
            app.stop()


def move_to_cpu(pid, cpu):
    """Pins all threads of the process, and those it starts later."""
    subprocess.run(
        ["taskset", "-a", "-c", "-p", str(cpu), str(pid)], check=True, stdout=subprocess.DEVNULL
    )


class Quota:
    """A control group with a CPU quota, of whichever version (1 or 2) the machine has."""

    def __init__(self, share, period_us=100_000):
        quota = int(share * period_us)
        enabled = "/sys/fs/cgroup/cgroup.subtree_control"
        if os.path.exists(enabled):
            with contextlib.suppress(OSError):  # as an init system does; a guest has none
                write(enabled, "+cpu")
        if os.path.exists("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"):
            base, files = (
                "/sys/fs/cgroup/cpu",
                {"cpu.cfs_period_us": period_us, "cpu.cfs_quota_us": quota},
            )
        elif "cpu" in read(enabled).split():
            base, files = "/sys/fs/cgroup", {"cpu.max": f"{quota} {period_us}"}
        else:
            raise FileNotFoundError("no control group with a cpu controller")
        self._base, self._path = base, os.path.join(base, f"gilscope-test-{os.getpid()}")
        os.mkdir(self._path)
        for name, value in files.items():
            write(os.path.join(self._path, name), value)

    def add(self, pid):
        write(os.path.join(self._path, "cgroup.procs"), pid)

    def throttled_ns(self):
        stat = dict(
            line.split() for line in read(os.path.join(self._path, "cpu.stat")).splitlines()
        )
        return (
            int(stat["throttled_time"])
            if "throttled_time" in stat
            else int(stat["throttled_usec"]) * 1000
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in read(os.path.join(self._path, "cgroup.procs")).split():
            write(os.path.join(self._base, "cgroup.procs"), pid)
        os.rmdir(self._path)


def read(path):
    with open(path) as file:
        return file.read()


def write(path, value):
    with open(path, "w") as file:
        file.write(str(value))


# ── gilscope ──────────────────────────────────────────────────────────────────────────────────────


class Outcome:
    last = None  # whose report a test has read last: what conftest.py prints of a failure

    def __init__(self, status, stdout, stderr):
        self.status, self.stdout, self.stderr = status, stdout, stderr

    @property
    def report(self):
        Outcome.last = json.loads(self.stdout)
        return Outcome.last

    def __repr__(self):
        return (
            f"exit status {self.status}\n--- stderr\n{self.stderr}\n--- stdout\n"
            f"{self.stdout[:4000]}"
        )


def gilscope(*arguments, timeout=30, prefix=(), **popen):
    """Runs gilscope until it exits."""
    done = subprocess.run(
        [*prefix, GILSCOPE, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout * PATIENCE,
        **popen,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def export_formats(program=GILSCOPE):
    return subprocess.check_output([program, "--formats"], text=True).split()


class Running:
    """gilscope observing: from the moment it reports that it is ready until finish(), which is
    Ctrl-C. With wait=False it returns at once; the test calls ready() later, or reads `reader`."""

    def __init__(self, command, *arguments, program=(GILSCOPE,), wait=True, prefix=(), **popen):
        self.reader, writer = os.pipe()
        announce = (
            ["--ready-fd", str(writer)]
            if command in ("attach", "record", "top", "watch", "dump")
            else []
        )
        self.process = subprocess.Popen(
            [*prefix, *program, command, *announce, *map(str, arguments)],
            text=True,
            pass_fds=[writer, *popen.pop("pass_fds", ())],
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen},
        )
        os.close(writer)
        self.pid = self.process.pid
        if wait and not self.ready(15):
            self.process.kill()
            stdout, stderr = self.process.communicate()
            self._close()
            raise RuntimeError(
                f"gilscope did not attach: {Outcome(self.process.returncode, stdout, stderr)!r}"
            )

    def ready(self, seconds=0):
        """Whether gilscope is ready, that is, sees everything from now on. Waits for that up to
        `seconds`, or until gilscope exits."""
        readable, _, _ = select.select([self.reader], [], [], seconds * PATIENCE)
        return bool(readable) and os.read(self.reader, 64) == b"ready\n"

    def _close(self):
        if self.reader is not None:
            os.close(self.reader)
            self.reader = None

    def signal(self, number=signal.SIGINT):
        self.process.send_signal(number)

    def result(self, timeout=30):
        try:
            stdout, stderr = self.process.communicate(timeout=timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            stdout, stderr = self.process.communicate()
            raise RuntimeError(f"gilscope did not end: {Outcome(None, stdout, stderr)!r}") from None
        return Outcome(self.process.returncode, stdout, stderr)

    def finish(self):
        self.signal()
        return self.result()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        self._close()


def attach(app, *arguments, stall="20ms"):
    """Starts an attach that no busy thread of this machine delays (undisturbed()). Where the
    application has neighbours that take the CPU, they would take the observer's, too."""
    return Running(
        *("attach", app.pid, "-d", "60s", "--stall", stall, "--json", *arguments),
        prefix=app.prefix or undisturbed(),
    )


def observe_script(source, prefix=()):
    """Runs a program that prints "ready", waits for a line, does its work, and prints its marks as
    JSON. Returns the marks and the outcome of the attach that observed it."""
    argv = [*PYTHON, "-c", source]
    with App(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, prefix=prefix) as app:
        assert app.process.stdout.readline() == "ready\n"
        with attach(app) as running:
            app.process.stdin.write("\n")
            app.process.stdin.flush()
            marks = json.loads(app.process.stdout.readline())
            return marks, running.finish()


def orphans():
    """BPF programs and links that no living process has open, and uprobes of tracefs: what a killed
    gilscope would have left behind."""
    tool = shutil.which("bpftool") or "/usr/sbin/bpftool"
    # List the objects first and their owners second: an object created in between would look like
    # an orphan.
    existing = {
        (kind, entry["id"])
        for kind in ("prog", "link")
        for entry in json.loads(
            subprocess.run(
                [tool, "-j", kind, "list"], capture_output=True, check=True, text=True
            ).stdout
        )
    }
    opened = set()
    for path in glob.glob("/proc/[0-9]*/fdinfo/*"):
        with contextlib.suppress(OSError):
            opened |= {
                (kind, int(number))
                for kind, number in re.findall(
                    r"^(prog|link)_id:\s*(\d+)$", read(path), re.MULTILINE
                )
            }
    found = existing - opened
    with contextlib.suppress(OSError):
        found |= {
            ("uprobe", line) for line in read("/sys/kernel/tracing/uprobe_events").splitlines()
        }
    return found


def text_differences(pid, image_pattern="python"):
    """Number of bytes of the Python image's code that differ in the process from the file:
    breakpoints, if there are any."""
    differences = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            match = re.fullmatch(r"(\w+)-(\w+) r-xp (\w+) \S+ \d+ +(\S*/[^/]*)\n", line)
            if not match or image_pattern not in os.path.basename(match[4]):
                continue
            begin, end, offset = (int(match[number], 16) for number in (1, 2, 3))
            memory.seek(begin)
            with open(f"/proc/{pid}/root{match[4]}", "rb") as file:
                file.seek(offset)
                loaded, stored = memory.read(end - begin), file.read(end - begin)
            differences += (
                sum(a != b for a, b in zip(loaded, stored))
                if loaded[: len(stored)] != stored
                else 0
            )
    return differences
