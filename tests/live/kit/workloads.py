# SPDX-License-Identifier: MIT
"""What two observers watch at the same time (agreement.py): each is a context manager that yields
the application, and a function that has it work."""

import contextlib
import os
import subprocess
import time

import harness
import work

GAP_S = 0.03
APPS = os.path.join(harness.APPS, "agreement")
LAST_CPU = max(os.sched_getaffinity(0))


class Contention(harness.App):
    """tests/apps/agreement/contention.py"""

    def __init__(self, prefix=(), python=harness.PYTHON):
        super().__init__(
            [*python, os.path.join(APPS, "contention.py")],
            prefix=prefix,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._expect("ready")

    def _expect(self, answer):
        line = self.process.stdout.readline().rstrip("\n")
        if line != answer:
            self.stop()
            raise RuntimeError(f"the application answered {line!r} instead of {answer!r}")

    def call(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        self._expect("ok")


class Workload:
    """`start(port)` is the context manager, `run(app, seconds)` the function. `port`: of a slow
    server (harness.slow_server). `options`: of both observers."""

    def __init__(self, start, run, options=()):
        self.start, self.run, self.options = start, run, options


def contention(command, *options, prefix=harness.undisturbed()):
    def run(app, seconds):
        app.call(f"{command} {seconds}")

    return Workload(lambda port: Contention(prefix), run, options)


def causes(loop):
    """Every cause of a stall once, on a bare event loop."""

    def start(port):
        environment = {"TRUTH_SLOW_PORT": str(port)}
        return harness.RawApp(loop, prefix=harness.undisturbed(), env=environment)

    def run(app, seconds):
        for name in work.WORK:
            app.call(name)
            time.sleep(GAP_S)

    return Workload(start, run)


@contextlib.contextmanager
def crowded(port):
    """A loop on a CPU that others keep busy."""
    with harness.RawApp("asyncio") as app, harness.Neighbours(LAST_CPU, 2):
        harness.move_to_cpu(app.pid, LAST_CPU)
        yield app


def without_cpu(app, seconds):
    """Nobody contends: in mode exact a thread that loses its CPU at a take or a drop has not
    reached the probe, and has taken or dropped the GIL all the same."""
    for name in ("python_loop", "pbkdf2"):
        app.call(name)
        time.sleep(GAP_S)


def server(port):
    return harness.WebApp(
        "uvloop", module="threaded:app", prefix=harness.undisturbed(), folder=APPS
    )


def served(app, seconds):
    with contextlib.ExitStack() as stack:
        for path in ("/ping", "/compute", "/wait", "/search", "/blocking"):
            stack.enter_context(harness.Load(app, path, threads=1))
        time.sleep(seconds)


# Where waits are as short as a stack takes to read, none are read: the second observer's stamps
# would be late by that.
WORKLOADS = {
    "causes, asyncio": causes("asyncio"),
    "causes, uvloop": causes("uvloop"),
    "threads that compute": contention("compute 3"),
    "I/O beside computing": contention("io 4"),
    "switch interval 10 µs": contention("interval 3", "--no-stacks"),
    "convoy of 4": contention("convoy 4"),
    "convoy of 8": contention("convoy 8"),
    "convoy of 32": contention("convoy 32"),
    "asleep with the GIL": contention("asleep 4"),
    "shortest waits": contention("stress 4", "--no-stacks"),
    "no CPU": Workload(crowded, without_cpu),
    "server": Workload(server, served, ("--no-stacks",)),
}
