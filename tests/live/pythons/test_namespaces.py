# SPDX-License-Identifier: MIT
"""gilscope in a PID namespace of its own, as in a container that it was copied into: processes have
other numbers there than the kernel has for them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

import harness

INSIDE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
LAST_CPU = max(os.sched_getaffinity(0))

# What runs inside writes the JSON of its report.
PRELUDE = f"""
import json, os, sys
sys.path[:0] = {[path for path in sys.path if path.startswith(harness.ROOT)]!r}
import harness
"""
TAKEN = f"""
with harness.RawApp("asyncio") as app:
    harness.move_to_cpu(app.pid, {LAST_CPU})
    with harness.attach(app) as running:
        app.call("python_loop")
        print(json.dumps(running.finish().report))
"""
KILLED = """
PROGRAM = "print('ready', flush=True)\\nimport time; time.sleep(60)  # to be killed"
with harness.Script(PROGRAM) as app:
    with harness.Running("attach", app.pid, "-d", "30s", "--json") as running:
        print("ready", flush=True)
        outcome = running.result()
        print(json.dumps([outcome.report, harness.gilscope("doctor", "--json").stdout]))
"""


@contextlib.contextmanager
def inside(source):
    command = [*INSIDE, sys.executable, "-c", PRELUDE + source]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process


def below(pid):
    """All processes below it, by the kernel's own numbers."""
    found = []
    for child in harness.read(f"/proc/{pid}/task/{pid}/children").split():
        found += [int(child), *below(int(child))]
    return found


def runs(pid, words):
    """Python with exactly this program, and not with one that contains it."""
    program = harness.read(f"/proc/{pid}/cmdline").split("\0")[-2]
    return words in program and "harness" not in program


@pytest.mark.parametrize("recording", ["asyncio-exact", "uvloop-edges"])
def test_the_truth_cases_hold_inside(recording):
    done = subprocess.run(
        [*INSIDE, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        + ["tests/live/stalls/test_truth.py", "-k", recording],
        cwd=harness.ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout and "skipped" not in done.stdout, done.stdout


def test_neighbours_outside_have_the_hosts_numbers():
    with harness.Neighbours(LAST_CPU, 2) as neighbours, inside(TAKEN) as process:
        report = json.loads(process.communicate()[0])
    [stall] = [
        stall
        for stall in report["processes"][0]["loops"][0]["stalls"]
        if stall["cause"] == "held_runnable"
    ]
    rows = [row for row in stall["preempted_by"] if row["comm"] == "neighbour"]
    assert {row["pid"] for row in rows} == neighbours.pids and all(row["outside"] for row in rows)
    [finding] = [each for each in report["findings"] if each["id"] == "no_cpu"]
    assert "of the host)" in finding["text"], finding["text"]


def test_who_killed_it_from_outside():
    with inside(KILLED) as process:
        assert process.stdout.readline() == "ready\n"
        [pid] = [pid for pid in below(process.pid) if runs(pid, "# to be killed")]
        time.sleep(0.3)
        os.kill(pid, signal.SIGKILL)
        report, doctor = json.loads(process.communicate()[0])
    [killed] = report["processes"]
    sent = killed["death"]["sent"]
    assert killed["pid"] != pid and killed["death"]["signal"] == "SIGKILL"
    assert sent["sender"] == os.getpid() and sent["outside"]
    [finding] = [each for each in report["findings"] if each["id"] == "worker_died"]
    assert f"from process {os.getpid()} of the host" in finding["text"]
    names = {row["name"]: row for row in json.loads(doctor)["features"]}
    assert names["pid namespace"]["found"] == "a container's own"


CONTAINED = """
import os, time
with open("/proc/sys/kernel/ns_last_pid", "w") as file:
    file.write(str(WANTED - 1))
if os.fork():
    os.wait()
print("ready", flush=True)
time.sleep(60)  # to be observed
"""
CONTAINER = "4f5e6d7c8b9a" + 26 * "01"


@contextlib.contextmanager
def cgroup_of_docker(pid):
    """Puts the process where docker puts one of its containers."""
    both = "/sys/fs/cgroup"
    base = both if os.path.exists(f"{both}/cgroup.procs") else f"{both}/cpu"
    path = f"{base}/docker-{CONTAINER}.scope"
    os.mkdir(path)
    try:
        harness.write(f"{path}/cgroup.procs", pid)
        yield
    finally:
        harness.write(f"{base}/cgroup.procs", pid)
        os.rmdir(path)


def test_the_pid_that_a_container_shows():
    wanted = next(pid for pid in range(20_000, 32_000) if not os.path.exists(f"/proc/{pid}"))
    source = CONTAINED.replace("WANTED", str(wanted))
    with harness.Script(source, prefix=INSIDE) as app:
        here = below(app.pid)[-1]
        with cgroup_of_docker(here):
            shown = [
                harness.gilscope("attach", *arguments, "-d", "0.3s", "--json")
                for arguments in ([wanted], ["--in-container", wanted])
            ]
            text = harness.gilscope("attach", here, "-d", "0.3s", "--summary").stdout
        refused = harness.gilscope("attach", "--in-container", wanted + 1)
    for done in shown:
        [process] = json.loads(done.stdout)["processes"]
        assert (process["pid"], process["container"]) == (here, "docker 4f5e6d7c8b9a"), done
        assert f"PID {wanted} of docker 4f5e6d7c8b9a is {here} here.\n" in done.stderr, done
    assert f"PID {here} · docker 4f5e6d7c8b9a · Python" in text, text
    assert refused.status == 2 and f"has PID {wanted + 1} inside a container" in refused.stderr
