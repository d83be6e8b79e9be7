# SPDX-License-Identifier: MIT
"""gilscope top in a real terminal (tmux): what it shows of stalls made on purpose, what its keys
do, and that it restores the terminal."""

import glob
import json
import os
import re
import signal
import subprocess
import threading
import time

import pytest

import harness
from terminal import App, Terminal, pid_of_top

COLOUR = re.compile(r"\x1b\[(?:[0-9]+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9]+)*m")
CAUSES = {"blocked": "blocking call", "python": "Python"}  # as the list of stalls calls them


@pytest.fixture
def app():
    with App() as app:
        yield app


@pytest.fixture
def top(app, tmp_path):
    with Terminal(tmp_path, app.pid) as terminal:
        terminal.ready()
        yield terminal


def stalls_of(screen):
    """[(length in ms, cause, function)] of the stalls that have ended."""
    rows = re.findall(
        r"^.\s+-\d+ s\s+([\d.]+) (ms|s) +(\S+(?: \S+)*?) +[A-Z.?]{10,} +(.*?)\s*$",
        screen,
        re.MULTILINE,
    )
    return [
        (float(length) * (1000 if unit == "s" else 1), cause, what)
        for length, unit, cause, what in rows
    ]


def test_a_stall_is_shown_while_it_lasts_and_afterwards(app, top):
    app.send("nap 5")
    screen = top.wait(r"STALLED for [1-4]\.\d\d s")
    assert re.search(
        r"STALLED for .* blocked in clock_nanosleep,\s+in\s+nap\s\(…?[^)]*on_demand.py:\d+\)",
        screen,
    ), screen
    assert re.search(r"now +≥ \d.* (m?s) +blocking call +B+ nap ", screen), screen
    assert re.search(r"max ≥ ", screen), screen
    assert re.search(
        r"nap .*on_demand.py:\d+ .* 1 .*", screen.split("FUNCTIONS")[1].split("THREADS")[0]
    ), screen
    later = top.wait(r"STALLED for [34]\.\d\d s")
    assert later != screen
    screen = top.wait(r"1 stall in the last \d+ s, 5\.0\d s; ")
    [(length, cause, what)] = stalls_of(screen)
    assert 5000 <= length < 5100 and cause == "blocking call" and what.startswith("nap ")
    assert (
        "STALLED" not in screen and " now " not in screen.split("STALLS")[1].split("FUNCTIONS")[0]
    )
    assert top.quit("q") == (0, "")


def test_who_has_the_gil_and_who_waits(app, top):
    app.send("hold 4")
    screen = top.wait("STALLED for [23]")
    assert re.search(r"waiting for the GIL, held by\s+hold", screen), screen
    assert re.search(r"1 waiting\b", screen), screen
    assert re.search(r"a holder [\d.]+ %", screen) and re.search(r"GIL +a+", screen), screen
    assert re.search(r"holder +\d+ asleep \(GIL\)", screen) and re.search(
        r"\d+ GIL wait", screen
    ), screen
    # In mode edges the GIL is unknown for microseconds after a drop: the key has that.
    rows = re.findall(r"^ .* \d+ +(?:GIL wait|asleep \(GIL\)) .*$", screen, re.MULTILINE)
    assert len(rows) == 2 and not re.search(r"unknown|\?", "".join(rows)), screen


DEADLOCK = """
import asyncio, ctypes, sys, threading, time

without_gil, with_gil = ctypes.CDLL(LIBRARY), ctypes.PyDLL(LIBRARY)

def greedy():
    with_gil.lock()

async def main():
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    without_gil.lock()
    threading.Thread(target=greedy, daemon=True).start()
    time.sleep(0.1)
asyncio.run(main())
"""


def test_a_deadlock(tmp_path):
    source = DEADLOCK.replace("LIBRARY", repr(harness.library("locks")))
    with (
        harness.Script(source, stdin=subprocess.PIPE) as app,
        Terminal(tmp_path, app.pid, columns=120) as top,
    ):
        top.ready()
        top.press("f")
        app.process.stdin.write("\n")
        app.process.stdin.flush()
        screen = top.wait(r"Deadlock, for ")
        app.process.kill()
    assert "waits for a mutex that 'MainThread'" in " ".join(screen.split()), screen


def test_a_full_pool(tmp_path):
    """The loop is idle, and every request waits."""
    with (
        harness.WebApp("asyncio", module="pools_truth:app") as app,
        Terminal(tmp_path, app.pid, "--stall", "1s", columns=120) as top,
    ):
        top.ready()
        clients = [threading.Thread(target=app.get, args=("/report",)) for _ in range(90)]
        for client in clients:
            client.start()
        top.press("f")
        screen = top.wait(r"All 40 threads of AnyIO's pool were busy for [2-9]")
        for client in clients:
            client.join()
    assert re.search(r"in slow_report \(\S*pools_truth.py:\d+\)", screen), screen
    assert "total_tokens" in screen


THREADS = """
import ctypes, sys, threading, time

def greedy():
    ctypes.PyDLL(None).usleep(1_500_000)

def wants():
    time.sleep(0.001)

print("ready", flush=True)
sys.stdin.readline()
threading.Thread(target=greedy, name="greedy").start()
threading.Thread(target=wants, name="wants").start()
sys.stdin.readline()
"""


def test_without_a_loop_it_counts_who_has_the_gil(tmp_path):
    with (
        harness.Script(THREADS, stdin=subprocess.PIPE) as app,
        Terminal(tmp_path, app.pid, columns=140) as top,
    ):
        top.ready()
        app.process.stdin.write("\n")
        app.process.stdin.flush()
        screen = top.wait(r"'\w+' \(.*\) waited 1\.[45]\d s for the GIL; greedy")
        assert re.search(r"FUNCTIONS \d+ by waits caused", screen), screen
        assert re.search(r"greedy <string>:\d+ +· +[1-3]\.\d+ s +·", screen), screen
        top.press("f")
        screen = top.wait("FINDINGS")
        app.process.kill()
    words = " ".join(screen.split())
    assert re.search(r"greedy \(<string>:\d+\) in .* held it for 1\.[45]\d s of that", words), words
    assert "held the GIL while other threads waited for it: " in words, words


def test_details_of_a_stall(app, top):
    app.send("spin 0.4")
    top.wait("1 stall in")
    top.press("Enter")
    screen = top.wait("STALL of 4")
    assert re.search(r"Python +\d+ ms +\d+.* P{10}", screen), screen
    assert "in spin (" in screen and "WHAT TO DO" in screen and "Split it up with awaits" in screen
    for _ in range(3):
        top.press("PageDown")
    screen = top.wait("main .*on_demand.py")
    assert "stack, innermost frame first" in screen or "spin (" in screen
    top.press("q")
    top.wait("STALLS 1 ")
    top.press("Tab", "Tab", "Enter")
    top.wait("Only stalls have details")
    top.press("BTab", "Enter")
    top.wait("STALL of 4")
    top.press("Escape")
    top.wait(r"FUNCTIONS \d+ ")


def test_pause(app, top):
    top.press("p")
    first = top.wait(r"\[paused\]")
    app.send("nap 0.2")
    time.sleep(2)
    assert top.screen() == first
    top.press("p")
    screen = top.wait("1 stall in the last")
    assert "[paused]" not in screen


def test_the_threshold(app, top):
    top.press("+")
    top.wait("stalls are iterations of 100 ms or longer")
    app.send("nap 0.08")
    top.wait("stall ≥ 100 ms")
    time.sleep(1.5)
    assert "none" in top.wait(r"No stalls \(≥ 100 ms\) in the last .*longest iteration 8")
    top.press("-", "-")
    top.wait("stall ≥ 20.0 ms")
    app.send("nap 0.03")
    [(length, _, _)] = stalls_of(top.wait("1 stall in"))
    assert 30 <= length < 50


def test_sorting_and_moving(app, top):
    for seconds in (0.2, 0.4, 0.1):
        app.send(f"nap {seconds}")
        time.sleep(0.7)
    newest = [round(length, -2) for length, _, _ in stalls_of(top.wait("STALLS 3 newest first"))]
    assert newest == [100, 400, 200]
    top.press("s")
    longest = [round(length, -2) for length, _, _ in stalls_of(top.wait("STALLS 3 longest first"))]
    assert longest == [400, 200, 100]
    top.press("Down", "Enter")
    top.wait("STALL of 2")
    top.press("Escape")
    assert re.search(r"^> .* 2\d\d ms", top.wait("STALLS 3 longest first"), re.MULTILINE)
    top.press("Tab", "s")
    top.wait(r"FUNCTIONS \d+ by time on the loop")


def test_help_and_resizing(app, top):
    top.press("h")
    assert "threshold" in top.wait("KEYS")
    top.press("PageDown")
    assert "P Python" in top.wait("STATES OF A THREAD")
    top.press("h")
    top.wait("STALLS")
    app.send("nap 0.2")
    top.wait("1 stall in")
    for columns, rows in ((120, 40), (60, 12), (40, 8), (80, 24)):
        top.resize(columns, rows)
        screen = top.wait(
            "too small"
            if rows < 12
            else rf"stall ≥ 50.0 ms(.*\n){{{rows - 2},}}.*q quit|(.*\n){{{rows - 1}}}.*Tab list"
        )
        assert len(screen.rstrip("\n").split("\n")) <= rows
        assert max(map(len, screen.split("\n"))) <= columns
    assert re.search(r"-\d+ s +2\d\d ms +blocking call +B{5}[A-Z]{5} nap ", top.wait("STALLS 1")), (
        top.screen()
    )


def test_the_terminal_knows_its_size_better_than_the_environment(app, tmp_path):
    with Terminal(tmp_path, app.pid, env={"LINES": "24", "COLUMNS": "80"}) as top:
        top.ready()
        top.resize(120, 40)
        top.wait(r"(.*\n){39}.*Tab list")


@pytest.mark.parametrize("env", [{"TERM": "vt100"}, {"NO_COLOR": "1"}], ids=["vt100", "NO_COLOR"])
def test_without_colours(app, tmp_path, env):
    with Terminal(tmp_path, app.pid, env=env) as top:
        top.ready()
        app.send("nap 0.3")
        screen = top.wait("1 stall in")
        assert re.search("B{7}[A-Z]{3} nap ", screen), screen
        assert not COLOUR.search(top.screen(escapes=True))
        assert top.quit("q")[0] == 0
    with Terminal(tmp_path, app.pid) as top:
        top.wait(r"No stalls \(≥ 50.0 ms\)")
        assert COLOUR.search(top.screen(escapes=True)), "the test proves nothing"


def test_in_ascii(app, tmp_path):
    with Terminal(tmp_path, app.pid, env={"LC_ALL": "C"}) as top:
        top.ready()
        app.send("nap 1.6")
        assert top.wait("STALLED for 1").isascii()
        screen = top.wait("1 stall in")
        assert screen.isascii() and re.search(r"longest +[.:=+*#@-]+ now", screen), screen


def test_a_hostile_name_does_nothing_to_the_terminal(app, top):
    app.send("hostile 0.2")
    screen = top.wait("1 stall in")
    assert r"evil\x1b[2J" in screen and "\u202e" not in screen
    assert "gilscope top" in screen
    top.press("Enter")
    assert r"evil\x1b[2J\x1b]0;pwned\x07" in top.wait("WHAT TO DO")


def test_recording_the_history_window(app, tmp_path):
    with Terminal(tmp_path, app.pid) as top:
        top.ready()
        app.send("nap 0.2")
        time.sleep(0.7)
        app.send("spin 0.3")
        screen = top.wait("2 stalls in")
        top.press("r")
        name = re.search(
            r"The last .* s are in (gilscope-\d{8}-\d{6}\.gsc)", top.wait("are in gilscope-")
        )[1]
        top.press("r")
        deadline = time.monotonic() + 5
        while len(glob.glob(str(tmp_path / "gilscope-*.gsc"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert top.quit("q")[0] == 0
    assert len(glob.glob(str(tmp_path / "gilscope-*.gsc"))) == 2, "the second one has another name"
    report = harness.gilscope("report", tmp_path / name, "--json").report
    shown = sorted((length, cause) for length, cause, _ in stalls_of(screen))
    recorded = sorted(
        ((stall["end_ns"] - stall["start_ns"]) / 1e6, stall["cause"])
        for process in report["processes"]
        for loop in process["loops"]
        for stall in loop["stalls"]
    )
    assert len(shown) == len(recorded) == 2
    for (length, cause), (exact, name) in zip(shown, recorded):
        assert cause == CAUSES[name] and abs(length - exact) <= 0.006 * exact


def test_a_full_disk_is_reported_and_top_continues(app, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", small], check=True)
    try:
        (small / "filler").write_bytes(b"\0" * 8192)
        with Terminal(tmp_path, app.pid, works_in=str(small)) as top:
            top.ready()
            top.press("r")
            top.wait("Nothing was recorded: .*[Nn]o space left on device")
            app.send("nap 0.2")
            top.wait("1 stall in")
            assert top.quit("q")[0] == 0
        assert not glob.glob(str(small / "*.gsc"))
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_the_target_exits(app, top):
    app.send("nap 0.2")
    top.wait("1 stall in")
    app.process.kill()
    screen = top.wait("The process has exited")
    assert "[ended]" in screen and "1 stall in" in screen
    top.press("Enter")
    top.wait("STALL of 2")
    top.press("Escape")
    top.wait("STALLS 1")
    status, left = top.quit("q")
    assert status == 0 and "the process exited" in left


def test_ctrl_c_quits(app, top):
    assert top.quit("C-c") == (0, "")


def test_ctrl_z_stops_it(app, tmp_path):
    with Terminal(tmp_path, app.pid, jobs=True) as top:
        top.ready()
        pid = pid_of_top(tmp_path)
        try:
            assert top.quit("C-z")[0] == 128 + signal.SIGTSTP
            assert re.search(r"^State:\s+T", harness.read(f"/proc/{pid}/status"), re.MULTILINE)
        finally:
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "numbers, status",
    [
        ((signal.SIGTERM,), 0),
        ((signal.SIGINT, signal.SIGTERM), 130),
        ((signal.SIGQUIT,), 128 + signal.SIGQUIT),
        ((signal.SIGSEGV,), 128 + signal.SIGSEGV),
    ],
    ids=["TERM", "INT and TERM", "QUIT", "SEGV"],
)
def test_signals_give_the_terminal_back(app, top, tmp_path, numbers, status):
    pid = pid_of_top(tmp_path)
    os.kill(pid, signal.SIGSTOP)
    for number in numbers:
        os.kill(pid, number)
    os.kill(pid, signal.SIGCONT)
    assert top.quit()[0] == status


def cpu_s(pid):
    """CPU time of all of its threads."""
    fields = harness.read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_losses_are_reported_at_the_end(tmp_path):
    """Reported as by attach, record and report, including the exit status. While top is stopped
    nobody empties the ring, so thousands of records are lost."""
    with harness.RawApp("asyncio") as app:
        app.call("yield 2")
        with Terminal(tmp_path, "--ring-size", 1, "--mode", "exact", app.pid) as top:
            top.ready()
            pid = pid_of_top(tmp_path)
            os.kill(pid, signal.SIGSTOP)
            begin, deadline = cpu_s(app.pid), time.monotonic() + 20
            while cpu_s(app.pid) < begin + 1 and time.monotonic() < deadline:
                time.sleep(0.1)  # other tests may have its CPU
            os.kill(pid, signal.SIGCONT)
            top.wait(r"[1-9]\d* (events )?lost")
            status, left = top.quit("q")
    assert status == 5 and re.search(r"[1-9]\d* events were lost", left), left


SERVICE = """
import asyncio, os, signal, sys, time

async def nap():
    while True:
        await asyncio.sleep(0.3)
        time.sleep(0.1)

async def tick():
    while True:
        await asyncio.sleep(0.01)

workers = []
for number in range(WORKERS):
    workers.append(os.fork())
    if not workers[-1]:
        asyncio.run(nap() if number == NAPS else tick())
print("ready", flush=True)
print(*workers, flush=True)
sys.stdin.readline()
for worker in workers:
    os.kill(worker, signal.SIGKILL)
"""


def test_the_worst_worker_of_a_service_comes_first(tmp_path):
    source = SERVICE.replace("WORKERS", "9").replace("NAPS", "5")
    with harness.Script(source, prefix=harness.undisturbed(), stdin=subprocess.PIPE) as app:
        workers = [int(pid) for pid in app.process.stdout.readline().split()]
        try:
            with Terminal(tmp_path, app.pid, columns=120) as top:
                top.ready()
                screen = top.wait(rf"LOOP +{workers[5]} .* [3-9] stalls [3-9]\d\d ms")
                loops = re.findall(r"^LOOP +(\d+) worker (\d+) of ", screen, re.MULTILINE)
                assert loops[0] == (str(workers[5]), "6"), screen
                assert len(loops) == 3 and "and 6 more loops, " in screen, screen
                assert re.search(r"GIL .* of \d+ held ", screen), screen
                top.press("w")
                screen = top.wait("PROCESSES in the last minute")
                rows = re.findall(r"^   (\d+) .* (\d+|no loop) +\S+(?: ms| s)? ", screen, re.M)
                assert rows[0][0] == str(workers[5]) and int(rows[0][1]) >= 3, screen
                assert rows[-1][:2] == (str(app.pid), "no loop"), screen
                assert {int(row[0]) for row in rows} == {app.pid, *workers}, screen
                top.press("w")
                top.wait("FUNCTIONS")
        finally:
            app.process.stdin.write("\n")
            app.process.stdin.flush()


def test_without_a_terminal(app, tmp_path):
    outcome = harness.gilscope("top", app.pid)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert re.fullmatch(
        r"gilscope: top draws on a terminal, .*\ngilscope: 'gilscope attach PID' .*\n",
        outcome.stderr,
    ), outcome
    for kind in ("dumb", "no-such-terminal", ""):
        with Terminal(tmp_path, app.pid, env={"TERM": kind}) as top:
            status, left = top.quit()
            assert status == 2 and re.match("gilscope: top (draws|cannot draw)", left), left


def test_a_failure_is_readable(tmp_path):
    with Terminal(tmp_path, "999999999") as top:
        status, left = top.quit()
    assert status == 1 and left.startswith("gilscope: "), left


def test_the_options_are_checked():
    outcome = harness.gilscope("top")
    assert outcome.status == 2 and "no PID given" in outcome.stderr
    assert json.dumps(harness.gilscope("top", "--help").stdout).count("Example") == 1
