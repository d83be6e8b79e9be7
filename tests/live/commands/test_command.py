# SPDX-License-Identifier: MIT
"""`record -- COMMAND` never leaves its command, or any process the command started, behind, however
gilscope ends, and takes nothing from its environment."""

import contextlib
import os
import signal
import subprocess
import time

import pytest

import harness

pytestmark = pytest.mark.beside

# Forks two workers, one of them from a thread; one worker forks again and leaves its parent. Writes
# down the PIDs of all of them, and whether it received SIGTERM.
TREE = """
import os, signal, sys, threading, time
def end(*_):
    open(sys.argv[1], "a").write("asked to end")
    os._exit(0)
def worker(stubborn):
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True: time.sleep(60)
def fork(run, *arguments):
    pid = os.fork()
    if not pid:
        run(*arguments)
    return pid
def leave():
    grandchild = fork(worker, False)
    open(sys.argv[1], "a").write(f"{grandchild}\\n")
    os.setsid()
    os._exit(0)
pids = [os.getpid(), fork(worker, sys.argv[2] == "stubborn")]
thread = threading.Thread(target=lambda: pids.append(fork(worker, False)))
thread.start()
thread.join()
os.waitpid(fork(leave), 0)
if sys.argv[2] == "telling":
    signal.signal(signal.SIGTERM, end)
open(sys.argv[1], "a").write("".join(f"{pid}\\n" for pid in pids) + "ready\\n")
time.sleep(60)
"""


def alive(pid):
    with contextlib.suppress(OSError):
        return harness.read(f"/proc/{pid}/stat").rpartition(")")[2].split()[0] not in "ZX"
    return False


class Tree:
    """gilscope recording a command that consists of several processes."""

    def __init__(self, folder, kind="polite"):
        self.file = folder / "pids"
        self.path = folder / "tree.gsc"
        self.file.touch()
        self.running = harness.Running(
            "record", "-o", self.path, "--", harness.DEBIAN_PYTHON, "-c", TREE, self.file, kind
        )
        deadline = time.monotonic() + 10
        while "ready" not in self.file.read_text():
            assert time.monotonic() < deadline, self.file.read_text()
            time.sleep(0.02)
        self.pids = [int(word) for word in self.file.read_text().split() if word != "ready"]
        assert len(self.pids) == 4 and all(map(alive, self.pids))

    def assert_gone(self, seconds=2):
        deadline = time.monotonic() + seconds
        while any(map(alive, self.pids)):
            if time.monotonic() > deadline:
                left = [pid for pid in self.pids if alive(pid)]
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
                raise AssertionError(f"{left} of {self.pids} were left behind")
            time.sleep(0.02)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name
)
def test_a_signal_ends_observation_and_command(tmp_path, number):
    tree = Tree(tmp_path)
    tree.running.signal(number)
    done = tree.running.result()
    assert done.status == 0 and "gilscope report" in done.stderr, done
    tree.assert_gone(0.1)
    assert not harness.gilscope("report", tree.path, "--json").report["truncated"]


def test_sigkill_takes_the_command_along(tmp_path):
    tree = Tree(tmp_path)
    tree.running.process.kill()
    # the kernel removes gilscope's probes first, one after the other
    tree.running.process.communicate(timeout=60)
    tree.assert_gone()


def test_a_command_that_ignores_sigterm(tmp_path):
    tree = Tree(tmp_path, "stubborn")
    tree.running.signal()
    assert tree.running.result().status == 0
    tree.assert_gone(0.1)


def test_a_stopped_command(tmp_path):
    tree = Tree(tmp_path, "telling")
    os.kill(tree.pids[1], signal.SIGSTOP)
    tree.running.signal()
    assert tree.running.result().status == 0
    tree.assert_gone(0.1)
    assert "asked to end" in tree.file.read_text(), "it had to be killed"


def test_an_output_that_fails(tmp_path):
    done = harness.gilscope(
        "record",
        "-o",
        "/dev/full",
        "--",
        harness.DEBIAN_PYTHON,
        "-c",
        TREE,
        tmp_path / "pids",
        "polite",
    )
    assert done.status == 1 and "No space left" in done.stderr, done
    found = subprocess.run(["pgrep", "-f", tmp_path / "pids"], stdout=subprocess.PIPE, text=True)
    assert not found.stdout, "left behind"


def test_sighup_ends_attach_with_its_report(sleeper):
    with harness.attach(sleeper) as running:
        running.signal(signal.SIGHUP)
        done = running.result()
    assert done.status == 0 and done.report["processes"], done


def test_nohup_is_heeded(sleeper):
    with harness.Running(
        "attach",
        sleeper.pid,
        "--json",
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    ) as running:
        running.signal(signal.SIGHUP)
        time.sleep(0.5)
        assert running.process.poll() is None
        assert running.finish().status == 0


def test_the_command_keeps_what_it_would_have_had(tmp_path):
    """Capabilities, no_new_privs, seccomp filter, signal dispositions and mask are as if a shell
    had started the command."""
    source = (
        "import sys, time\nopen(sys.argv[1], 'w').write(open('/proc/self/status').read())\n"
        "time.sleep(float(sys.argv[2]))"
    )
    words = (
        "CapEff",
        "CapPrm",
        "CapInh",
        "CapBnd",
        "CapAmb",
        "NoNewPrivs",
        "Seccomp",
        "SigBlk",
        "SigIgn",
    )

    def states(path):
        rows = dict(line.split(":", 1) for line in path.read_text().splitlines())
        return {word: rows[word].strip() for word in words}

    record = (harness.GILSCOPE, "record", "-d", "200ms", "-o", tmp_path / "it.gsc", "--")
    for name, prefix, seconds in (("alone", (), "0"), ("recorded", record, "60")):
        subprocess.run(
            [*prefix, harness.DEBIAN_PYTHON, "-c", source, tmp_path / name, seconds],
            check=True,
            stderr=subprocess.DEVNULL,
        )
    assert states(tmp_path / "recorded") == states(tmp_path / "alone")


def test_a_pid_is_no_command(tmp_path):
    done = harness.gilscope("record", "4711", "-o", tmp_path / "none.gsc")
    assert done.status == 1 and "cannot start 4711: No such file" in done.stderr, done
    assert "gilscope record -p 4711" in done.stderr, done
