# SPDX-License-Identifier: MIT
"""The privileges that gilscope drops, and that it keeps what it needs: docs/security.md."""

import contextlib
import os
import pty
import pwd
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

import harness
import interpreters

pytestmark = pytest.mark.beside

CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_BPF, CAP_CHECKPOINT_RESTORE = (
    2,
    19,
    21,
    39,
    40,
)
KEPT = {CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_CHECKPOINT_RESTORE}
KERNEL = tuple(int(number) for number in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())
MAPS_WANT_RIGHTS = (
    KERNEL < (5, 19) and int(harness.read("/proc/sys/kernel/unprivileged_bpf_disabled")) != 0
)
NOBODY = pwd.getpwnam("nobody")

# Things that happen after the privileges are dropped: threads, their names, loops, descriptors, a
# garbage collection, interpreters, modules. A line on standard input starts them.
LATE = """
import sys, threading, time
print("ready", flush=True)
sys.stdin.readline()
import asyncio, gc, select
if "uvloop" in sys.argv:
    import uvloop
    uvloop.install()
def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end: sum(range(1000))
async def main():
    for _ in range(3):
        await asyncio.sleep(0.2)
        time.sleep(0.15)
workers = [threading.Thread(target=spin, args=(1,), name="late worker"),
           threading.Thread(target=lambda: asyncio.run(main()), name="late loop")]
for worker in workers: worker.start()
for worker in workers: worker.join()
gc.collect()
poll = select.epoll(); poll.poll(0.01)
print("done", flush=True)
time.sleep(60)
"""


def caps(mask):
    return {number for number in range(64) if int(mask, 16) >> number & 1}


def assert_confined(pid, kept):
    rows = dict(line.split(":", 1) for line in harness.read(f"/proc/{pid}/status").splitlines())
    found = {word: caps(rows[word]) for word in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")}
    assert found["CapEff"] == found["CapPrm"] == kept, found
    assert not found["CapInh"] and not found["CapAmb"]
    assert rows["NoNewPrivs"].strip() == "1" and rows["Seccomp"].strip() == "2"
    return found["CapBnd"]


def unsuccessful(trace, error):
    """System calls that failed with `error` after the filter was set."""
    lines = trace.read_text().splitlines()
    (begin,) = [
        number for number, line in enumerate(lines) if "SECCOMP_SET_MODE_FILTER, 0," in line
    ]
    return [line for line in lines[begin + 1 :] if f"= -1 {error}" in line]


def open_way_to(folder):
    """Makes the folders that pytest creates for root alone accessible."""
    for above in (folder, folder.parent, folder.parent.parent):
        above.chmod(0o755)


class Late(harness.Script):
    def __init__(self, loop="asyncio"):
        harness.App.__init__(
            self,
            [harness.DEBIAN_PYTHON, "-c", LATE, loop],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "ready\n"

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


def assert_late_things_are_known(report, kind="asyncio"):
    (process,) = report["processes"]
    names = {thread.get("python_name"): thread for thread in process["threads"]}
    assert {"late worker", "late loop"} <= set(names), names.keys()
    (loop,) = [loop for loop in process["loops"] if loop["tid"] == names["late loop"]["tid"]]
    assert loop["kind"] == kind
    stalls = [
        stall
        for stall in loop["stalls"]
        if stall["cause"] == "blocked" and stall["states"]["blocked"] >= 140e6
    ]
    assert len(stalls) >= 2 and all(
        stall["stack"] and stall["stack"][0]["function"] == "main" for stall in stalls
    ), loop
    assert report["evidence"]["lost"] == 0


@pytest.mark.parametrize(
    "command, kind",
    [("attach", "asyncio"), ("attach", "uvloop"), ("record", "asyncio"), ("watch", "asyncio")],
)
def test_an_observer_keeps_exactly_what_it_needs(tmp_path, command, kind):
    with Late(kind) as app:
        arguments = {
            "attach": (app.pid, "--json"),
            "record": ("-p", app.pid, "-o", tmp_path / "it.gsc"),
            "watch": (app.pid, "--recordings", tmp_path),
        }[command]
        with harness.Running(command, *arguments) as running:
            bounding = assert_confined(
                running.pid, KEPT | ({CAP_BPF} if MAPS_WANT_RIGHTS else set())
            )
            app.go()
            if command == "watch":
                running.signal(signal.SIGUSR1)
                time.sleep(0.5)
            done = running.finish()
    assert not bounding
    assert done.status == 0, done
    if command == "watch":
        (written,) = tmp_path.glob("watch-*.gsc")
        written.rename(tmp_path / "it.gsc")
    assert_late_things_are_known(
        done.report
        if command == "attach"
        else harness.gilscope("report", tmp_path / "it.gsc", "--json").report,
        kind,
    )


@pytest.mark.parametrize("mode", ["exact", "edges"])
def test_an_interpreter_made_later(mode):
    """The probes do not know its GIL yet, so a map is updated after the privileges are dropped.
    Where takes are not traced, the sampling clock finds it."""
    found = [
        python
        for version, python in interpreters.pyenv_pythons().items()
        if interpreters.version_key(version) >= (3, 12)
    ]
    if not found:
        pytest.skip("no CPython 3.12 or later of pyenv: interpreters with GILs of their own")
    source = """
import sys, threading, time
print("ready", flush=True)
sys.stdin.readline()
try: import _interpreters as interpreters
except ImportError: import _xxsubinterpreters as interpreters
other = interpreters.create()
work = "import time\\nend = time.thread_time() + 0.1\\n" # however busy the machine is
work += "while time.thread_time() < end: sum(range(1000)); time.sleep(0.001)"
worker = threading.Thread(target=interpreters.run_string, args=(other, work))
worker.start()
worker.join()
print("done", flush=True)
time.sleep(60)
"""
    app = Late.__new__(Late)
    harness.App.__init__(
        app, [found[-1], "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with app:
        assert app.process.stdout.readline() == "ready\n"
        with harness.Running("attach", app.pid, "--json", "--mode", mode) as running:
            app.go()
            done = running.finish()
    (process,) = done.report["processes"]
    assert [gil["interpreter"] for gil in process["gils"]][0] == 0 and len(process["gils"]) == 2, (
        process["gils"]
    )
    assert process["gils"][1]["held_ns"] > 20e6, process["gils"]


@pytest.mark.parametrize(
    "given",
    ["dac_read_search,sys_ptrace,perfmon,bpf", "dac_read_search,sys_ptrace,sys_admin"],
    ids=["BPF and PERFMON", "SYS_ADMIN"],
)
def test_with_few_capabilities_from_the_start(tmp_path, given):
    """Run by another user who has only the capabilities it takes. The target is root's. Without
    CAP_SETPCAP the bounding set cannot be changed, which does not matter then."""
    program = tmp_path / "gilscope"
    shutil.copy(harness.GILSCOPE, program)
    open_way_to(tmp_path)
    words = ",".join(f"+{word}" for word in given.split(","))
    with Late() as app:
        prefix = (
            "setpriv",
            f"--reuid={NOBODY.pw_uid}",
            f"--regid={NOBODY.pw_gid}",
            "--clear-groups",
            "--inh-caps",
            words,
            "--ambient-caps",
            words,
        )
        with harness.Running(
            "attach", app.pid, "--json", program=(program,), prefix=prefix
        ) as running:
            for_maps = {CAP_BPF if "bpf" in given else CAP_SYS_ADMIN} if MAPS_WANT_RIGHTS else set()
            assert_confined(running.pid, KEPT - {CAP_CHECKPOINT_RESTORE} | for_maps)
            app.go()
            done = running.finish()
    assert done.status == 0, done
    assert_late_things_are_known(done.report)


def test_another_users_process(tmp_path):
    """Root without CAP_DAC_OVERRIDE observes a process of another user, and writes into that user's
    folder."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    open_way_to(tmp_path)
    os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    source = LATE.replace(
        'print("ready", flush=True)\nsys.stdin.readline()',
        'print("ready", flush=True); time.sleep(1)',
    )
    with harness.Script(
        source, prefix=("setpriv", f"--reuid={NOBODY.pw_uid}", "--clear-groups")
    ) as app:
        with harness.Running("record", "-p", app.pid, "-o", folder / "it.gsc") as running:
            assert app.process.stdout.readline() == "done\n"
            done = running.finish()
    assert done.status == 0, done
    for command in (
        ["timeline", "-o", folder / "it.html"],
        ["flame", "-o", folder / "it.svg"],
        ["export", "--format", "folded", "-o", folder / "it.folded"],
    ):
        outcome = harness.gilscope(*command, folder / "it.gsc")
        assert outcome.status == 0 and os.path.getsize(command[-1]) > 0, outcome
    assert_late_things_are_known(harness.gilscope("report", folder / "it.gsc", "--json").report)


@pytest.mark.parametrize("owner", [NOBODY.pw_uid, 0], ids=["the user's", "root's"])
def test_a_folder_below_another_users_closed_one(tmp_path, owner):
    """With its remaining capabilities root cannot enter the parent folder any more, whoever owns
    the folder itself."""
    home = tmp_path / "home"
    folder = home / "results"
    folder.mkdir(parents=True)
    os.chown(folder, owner, -1)
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    folder.chmod(0o755)
    home.chmod(0o700)
    open_way_to(tmp_path)
    script = os.path.join(harness.ROOT, "tests/golden/cases/python.script")
    assert (
        subprocess.run(
            ["setpriv", "--bounding-set=-all", "ls", folder], capture_output=True
        ).returncode
        != 0
    ), "the way is not closed: the test's own fault"
    for command in (["timeline"], ["flame"], ["export", "--format", "folded"]):
        for old in ("", "the old one"):
            name = folder / f"it.{command[0]}.html"
            if old:
                name.write_text(old)
            outcome = harness.gilscope(*command, "-o", name, script)
            assert (
                outcome.status == 0
                and os.listdir(folder) == [name.name]
                and name.read_bytes() != old.encode()
            ), outcome
            name.unlink()
    # a file whose command fails does not stay either
    assert (
        harness.gilscope(
            "export", "--format", "trace", "-o", folder / "it.gsc", "-", input="no recording"
        ).status
        == 1
    )
    assert not os.listdir(folder)
    with harness.Script(
        "print('ready', flush=True)\nimport time\nwhile True: time.sleep(0.01)"
    ) as app:
        done = harness.gilscope("record", "-p", app.pid, "-d", "500ms", "-o", folder / "it.gsc")
    assert done.status == 0 and os.listdir(folder) == ["it.gsc"], done


@pytest.fixture
def strace():
    found = shutil.which("strace")
    if not found:
        pytest.skip("strace is not installed")
    return found


@pytest.mark.parametrize(
    "options",
    [
        ("attach", "--json"),
        ("attach", "--no-stacks"),
        ("record", "-q", "-o", "it.gsc"),
        ("record", "-o", "it.gsc"),
        ("watch", "--recordings", ".", "--dump-over", "100ms"),
        ("watch", "--json", "--recordings", ".", "--dump-over", "0s", ":1"),
    ],
    ids=" ".join,
)
def test_the_filter_lets_an_observer_do_its_work(tmp_path, strace, options):
    with Late() as app:
        who = ("-p", app.pid) if options[0] == "record" else (app.pid,)
        with harness.Running(
            *options,
            *who,
            "-d",
            "3s",
            prefix=(strace, "-f", "-o", tmp_path / "calls"),
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
        ) as running:
            app.go()
            done = running.result(60)
    assert done.status in (0, 5), done
    assert not unsuccessful(tmp_path / "calls", "EPERM")


@pytest.mark.parametrize(
    "arguments",
    [
        ("report",),
        ("report", "--json", "--all"),
        ("timeline", "-o", "it.html"),
        ("flame", "-o", "it.html"),
        ("flame", "-o", "it.svg"),
        *(("export", "--format", format, "-o", "it.out") for format in harness.export_formats()),
    ],
    ids=" ".join,
)
def test_a_reader_keeps_nothing_and_can_do_its_work(tmp_path, strace, arguments):
    script = os.path.join(harness.ROOT, "tests/golden/cases/python.script")
    outcome = harness.gilscope(
        *arguments, script, prefix=(strace, "-f", "-o", tmp_path / "calls"), cwd=tmp_path
    )
    assert outcome.status == 0, outcome
    assert not unsuccessful(tmp_path / "calls", "EPERM")
    *_, last = [line for line in (tmp_path / "calls").read_text().splitlines() if "capset(" in line]
    assert "effective=0, permitted=0, inheritable=0" in last


def test_a_reader_is_confined_before_it_reads(tmp_path):
    """A reader that waits for its recording, at a pipe, has dropped its privileges already."""
    process = subprocess.Popen(
        [harness.GILSCOPE, "report", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 10
    while "Seccomp:\t2" not in harness.read(f"/proc/{process.pid}/status"):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    assert not assert_confined(process.pid, set())
    process.stdin.close()
    process.wait()


def test_the_filter_lets_top_do_its_work(tmp_path, strace):
    """Drawing, keys, a snapshot and the end, on a terminal."""
    with Late() as app:
        terminal, its_end = pty.openpty()
        running = harness.Running(
            "top",
            app.pid,
            prefix=(strace, "-f", "-o", "calls"),
            wait=False,
            cwd=tmp_path,
            env={**os.environ, "TERM": "xterm"},
            start_new_session=True,
            stdin=its_end,
            stdout=its_end,
            stderr=its_end,
        )
        os.close(its_end)
        reader = threading.Thread(target=drain, args=(terminal,))
        reader.start()
        assert running.ready(20)
        app.go()
        for key in "sp+p\tr":
            os.write(terminal, key.encode())
            time.sleep(0.3)
        deadline = time.monotonic() + 20
        while not list(tmp_path.glob("*.gsc")):
            assert time.monotonic() < deadline, "no snapshot was written"
            time.sleep(0.1)
        os.write(terminal, b"q")
        assert running.process.wait(30) == 0
        reader.join()
        os.close(terminal)
    assert not unsuccessful(tmp_path / "calls", "EPERM")
    (snapshot,) = tmp_path.glob("*.gsc")
    assert harness.gilscope("report", snapshot, "--json").status == 0


def drain(terminal):
    with contextlib.suppress(OSError):
        while os.read(terminal, 65536):
            pass
