# SPDX-License-Identifier: MIT
"""CPythons that no distribution has: free-threaded, with the GIL off, on, and switched while
observed; with nothing inlined; and linked with musl."""

import os
import re
import subprocess

import pytest

import harness
import interpreters
import laws
import measure
import stacks

MS = 1_000_000
BUILDS = {"3.13t": (), "3.13t-with-gil": ("env", "PYTHON_GIL=1"), "3.11-O0": (), "3.13-musl": ()}
IMPORTS = 1000
SPINNERS = 3
SWITCHED_NS = 400 * MS
SIGNALLED_NS = MS // 10
FUTEX = r"sysno=(202|98|455)\b"  # x86-64, arm64, futex_wait

# Threads that compute, with or without an occasional release of the GIL (if there is one).
SPIN = f"""
import importlib, os, sys, threading, time
def spin(release):
    while True:
        release()
        sum(range(300))
for _ in range({SPINNERS}): threading.Thread(target=spin, args=[%s], daemon=True).start()
print("ready", flush=True)
"""
# An extension module whose import switches the GIL on, and then off again, since it declares that
# it does not need it.
TRANSIENT = (
    SPIN % "os.sched_yield"
    + f"""
sys.stdin.readline()
for _ in range({IMPORTS}):
    sys.modules.pop("_heapq", None)
    importlib.import_module("_heapq")
print("done", flush=True)
time.sleep(60)
"""
)
# A module that declares nothing: the GIL stays on.
PERMANENT = (
    SPIN % "int"
    + """
sys.path.insert(0, sys.stdin.readline().strip())
import needs_gil
print(time.monotonic_ns(), flush=True)
time.sleep(60)
"""
)
NEEDS_GIL = """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "needs_gil", NULL, -1, NULL};
PyMODINIT_FUNC PyInit_needs_gil(void) { return PyModule_Create(&module); }
"""


def built(label):
    """The command of a Python built by tests/matrix/run."""
    name = "built-" + label.replace("-with-gil", "")
    found = interpreters.built_pythons()
    if name not in found:
        pytest.skip(f"no {name}: tests/matrix/run builds it, once")
    return (*BUILDS[label], found[name])


def has_gil(label):
    return label != "3.13t"


@pytest.mark.parametrize("mode", ["exact", "edges"])
@pytest.mark.parametrize("label", BUILDS)
def test_a_build_is_seen_as_it_is(label, mode, slow_port):
    environment = {"TRUTH_SLOW_PORT": str(slow_port), "LD_PRELOAD": harness.polls_library()}
    with harness.RawApp(
        "asyncio", prefix=harness.undisturbed(), python=built(label), env=environment
    ) as app:
        result = measure.Measurement(app, gil=has_gil(label), mode=mode)
    assert not result.faults
    assert result.process["sites"]["confidence"] == "exact"


@pytest.mark.parametrize("label", BUILDS)
def test_stacks_of_a_build_equal_its_own(label, tmp_path):
    with stacks.StacksApp("asyncio", python=built(label), prefix=harness.undisturbed()) as app:
        found = stacks.observe(
            app, tmp_path, ("sleep", "gil_wait", "held") if has_gil(label) else ("sleep", "native")
        )
    assert not found.wrong
    assert not found.missing and not found.without
    assert found.due > 60, "the events that stacks are taken for hardly ever happened"


@pytest.mark.parametrize("mode", ["exact", "edges", "futex"])
@pytest.mark.parametrize("label", ["3.11-O0", "3.13-musl"])
def test_threads_that_only_compute_sleep_only_for_the_gil(label, mode):
    """Also in the forced handover. Where their futex is, is up to the C library. With musl, a
    waiter that is signalled as it goes to sleep is not recognized for the moment until it wakes."""
    with harness.Script(SPIN % "int" + "time.sleep(60)", python=built(label)) as app:
        with harness.attach(app, "--mode", mode) as running:
            subprocess.run(["sleep", str(SWITCHED_NS / 1e9)], check=True)
            outcome = running.finish()
        app.process.kill()
    laws.check_laws(outcome.report)
    (process,) = outcome.report["processes"]
    spinners = [thread for thread in process["threads"] if thread["tid"] != app.pid]
    assert len(spinners) == SPINNERS
    assert sum(thread["states"]["gil_wait"] for thread in spinners) > SWITCHED_NS / 2
    for thread in spinners:
        assert thread["states"]["blocked"] + thread["states"]["idle"] < SIGNALLED_NS, thread


class Switching:
    """A free-threaded Python that runs `source`, recorded while it acts on a line of input."""

    def __init__(self, source, folder, line, after_s=0.0):
        trace = os.path.join(folder, "switching.gsc")
        with harness.App(
            [*built("3.13t"), "-c", source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as app:
            assert app.process.stdout.readline() == "ready\n"
            observed = ("-p", app.pid, "-d", "60s", "-o", trace, "--mode", "exact")
            with harness.Running("record", *observed) as running:
                app.process.stdin.write(line + "\n")
                app.process.stdin.flush()
                self.answer = app.process.stdout.readline().strip()
                if after_s:
                    subprocess.run(["sleep", str(after_s)], check=True)
                assert running.finish().status == 0
            self.pid = app.pid
        outcome = harness.gilscope("report", trace, "--json")
        laws.check_laws(outcome.report)
        self.report, self.text = outcome.report, harness.gilscope("report", trace).stdout
        (self.process,) = outcome.report["processes"]
        self.script = harness.gilscope("export", trace, "--format", "script").stdout
        assert outcome.report["evidence"]["lost"] == 0
        (self.gil,) = self.process["gils"]
        assert self.gil["violations"] == 0

    def states(self, *names):
        """Time in these states of the threads that compute."""
        return sum(
            thread["states"].get(name, 0)
            for thread in self.process["threads"]
            for name in names
            if thread["tid"] != self.pid
        )


def stuck(script):
    """Threads that slept on the GIL's mutex and have no further event of the GIL although they run
    on."""
    asleep, found = set(), set()
    for line in script.splitlines():
        _, tid, kind, *rest = line.split(maxsplit=3) + [""] * 3
        if kind in ("take", "drop", "wait", "wait_end"):
            asleep.discard(tid)
        elif kind == "switch_out" and "gil_mutex" in rest[0]:
            asleep.add(tid)
        elif (
            kind == "switch_out"
            and tid in asleep
            and "syscall" in rest[0]
            and not re.search(FUTEX, rest[0])
        ):
            found.add(tid)
    return asleep | found


def test_imports_that_switch_the_gil_on_for_a_moment(tmp_path):
    seen = Switching(TRANSIENT, tmp_path, "go", after_s=SWITCHED_NS / 1e9)
    assert seen.answer == "done"
    assert seen.process["gil"] == "off"
    assert "The GIL of this process was off at first" in seen.text
    (main,) = [thread for thread in seen.process["threads"] if thread["tid"] == seen.pid]
    assert main["holds"] >= IMPORTS, "every import takes the GIL once"
    counts = measure.takes_and_drops(seen.script)
    assert all(count["take"] == count["drop"] for count in counts.values())
    assert not stuck(seen.script), (
        "a thread that waited on the mutex of the GIL as it was switched off continued without"
    )


def test_an_import_that_switches_the_gil_on_for_good(tmp_path):
    (python,) = built("3.13t")
    include, suffix = subprocess.run(
        [
            python,
            "-c",
            "import sysconfig as s; print(s.get_path('include')); "
            "print(s.get_config_var('EXT_SUFFIX'))",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    (tmp_path / "needs_gil.c").write_text(NEEDS_GIL)
    subprocess.run(
        [
            "cc",
            "-shared",
            "-fPIC",
            "-I",
            include,
            "-o",
            tmp_path / f"needs_gil{suffix}",
            tmp_path / "needs_gil.c",
        ],
        check=True,
    )
    seen = Switching(PERMANENT, tmp_path, str(tmp_path), after_s=SWITCHED_NS / 1e9)
    window = seen.report["window"]
    on_ns = window["end_ns"] - int(seen.answer)  # at least this long
    assert on_ns >= SWITCHED_NS
    assert seen.process["gil"] == "off"
    assert "The GIL of this process was off at first" in seen.text
    assert seen.gil["held_ns"] >= 0.9 * on_ns, "one of the threads that compute always has it"
    assert seen.states("gil_wait", "python", "held_runnable", "held_blocked") >= 0.9 * on_ns * (
        SPINNERS - 1
    )
