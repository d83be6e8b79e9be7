# SPDX-License-Identifier: MIT
"""gilscope watch: every stall, freeze and death is told once, of a service that is restarted, and
the flight recorder's files have them. The service marks what it does itself."""

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import time

import jsonschema
import pytest

import harness
from watched import Service, Watch, ended, the_one

MS = 1_000_000
COVERED_NS = 500 * MS  # a service that is started anew, from when it serves


def checked(watch):
    """Ends it: its events, which keep the schema."""
    events = watch.end()
    check(events)
    return events


def check(events):
    """Every line keeps the schema, and the first and the last are what they promise."""
    # Debian's jsonschema cannot follow a URN into another schema, and from there
    report = json.loads(read("docs/report.schema.json"))
    schema = json.loads(read("docs/event.schema.json").replace(report["$id"], ""))
    schema["$defs"] |= report["$defs"]
    validator = jsonschema.Draft202012Validator(schema)
    for event in events:
        validator.validate(event)
    assert [event["state"] for event in events if event["event"] == "watch"] == ["began", "ended"]
    assert events[0]["event"] == events[-1]["event"] == "watch"


def read(name):
    with open(os.path.join(harness.ROOT, name)) as file:
        return file.read()


def test_the_schema_knows_every_key_that_is_written():
    table = read("user/view/json/event.def")
    keys = set(re.findall(r"^\t(?:KEY|OPTIONAL|STREAMED)\((\w+)", table, re.M))
    shared = {"start_ns", "end_ns", "stalls"}
    properties = json.loads(read("docs/event.schema.json"))["properties"]
    known = set(properties)
    for value in properties.values():
        known |= set(value.get("properties", ()))
    assert keys | shared == known


def test_every_stall_and_every_freeze_is_told_once():
    port = harness.free_port()
    with Service(port, harness.undisturbed()) as service:
        with Watch(f":{port}", "--stall", "50ms") as watch:
            marks = [mark for _ in range(3) for mark in service.tell("nap 0.12")]
            marks += service.tell("spin 0.15")
            time.sleep(0.1)
            frozen = service.tell("many 0.1 3", rows=3)
            time.sleep(0.1)
            (hang,) = service.tell("nap 2.3")
            watch.wait_for("finding", "began", seconds=15)
            events = checked(watch)
    for mark in [*marks, *frozen, hang]:
        event = the_one(events, mark)
        assert event["pid"] == service.pid and event["loop"]["tid"] == service.pid
        assert event["stall"]["cause"] == {"nap": "blocked", "spin": "python"}[mark.name]
        assert event["at_ns"] == event["stall"]["end_ns"]
    assert len(ended(events)) == len(marks) + len(frozen) + 1, events
    ongoing = [event for event in events if event["state"] == "ongoing"]
    lengths = [
        event["stall"]["end_ns"] - event["stall"]["start_ns"]
        for event in ongoing
        if hang.overlaps(event["stall"])
    ]
    assert len(lengths) == 3 and lengths[0] < 1000 * MS <= lengths[1] < 2000 * MS <= lengths[2]
    (freeze,) = ended(events, "freeze")
    assert freeze["freeze"]["stalls"] == 3 and freeze["pid"] == service.pid
    assert freeze["freeze"]["start_ns"] <= frozen[0].t0_ns
    assert frozen[-1].t1_ns <= freeze["freeze"]["end_ns"] < hang.t0_ns
    findings = {event["finding"]["id"] for event in events if event["event"] == "finding"}
    assert "blocking_call" in findings
    began = [event for event in events if event["event"] == "finding" and event["state"] == "began"]
    assert len(began) == len(ended(events, "finding"))


def test_a_service_is_found_again_and_its_last_second_is_recorded(tmp_path):
    """Nobody of the family starts the second one."""
    port = harness.free_port()
    with Service(port) as first, Watch(f":{port}", "--recordings", tmp_path) as watch:
        (mark,) = first.tell("nap 0.2")
        first.begin("nap 30")
        time.sleep(0.5)
        first.kill()
        death = watch.wait_for("death", pid=first.pid)
        watch.wait_for("recording", "ended", recording=death["recording"])
        with Service(port) as second:
            began = watch.wait_for("process", "began", pid=second.pid)
            time.sleep(0.3)
            (later,) = second.tell("nap 0.2")
            watch.wait_for("stall", "ended", pid=second.pid)
        events = checked(watch)
    assert death["death"]["signal"].startswith("SIGKILL") and "SIGKILL" in death["text"]
    assert began["at_ns"] - second.serves_ns < COVERED_NS
    assert the_one(events, mark)["pid"] == first.pid
    assert the_one(events, later)["pid"] == second.pid
    told = harness.gilscope("report", tmp_path / death["recording"], "--json").report
    (process,) = told["processes"]
    stalls = [stall for loop in process["loops"] for stall in loop["stalls"]]
    assert any(mark.overlaps(stall) for stall in stalls)
    # the nap in which it was killed
    assert stalls[-1]["start_ns"] > mark.t1_ns
    assert abs(stalls[-1]["end_ns"] - death["death"]["at_ns"]) < 20 * MS
    assert told["window"]["end_ns"] - death["death"]["at_ns"] > 500 * MS


def test_a_service_may_come_later():
    port = harness.free_port()
    with Watch(f":{port}", wait=False) as watch:
        time.sleep(0.5)
        assert watch.process.poll() is None and not watch.events
        with Service(port) as service:
            began = watch.wait_for("process", "began", pid=service.pid)
            assert watch.ready(10)
            (mark,) = service.tell("nap 0.2")
            watch.wait_for("stall", "ended")
            events = checked(watch)
    assert began["at_ns"] - service.serves_ns < 2 * COVERED_NS  # loading the probes included
    the_one(events, mark)


def test_recordings_keep_their_budget_and_nothing_else_is_removed(tmp_path):
    """Of two, the one goes that was written after the clock was set back: when, nobody knows. What
    has another name is no recording, or one that somebody has renamed to keep it."""
    sizes = {"watch-20200101-000000.gsc": 400, "watch-20200102-000000.gsc": 400}
    others = {"mine.gsc": 800, "watch-incident.gsc": 800, "watch-20200101-000000.gsc.old": 800}
    for name, size in (sizes | others).items():
        (tmp_path / name).write_bytes(bytes(size << 10))
        os.utime(tmp_path / name, (1, 1))
    os.utime(tmp_path / "watch-20200101-000000.gsc", (time.time() + 86400,) * 2)
    (tmp_path / "watch-20200103-000000.gsc").mkdir()
    (tmp_path / "watch-20200104-000000.gsc").symlink_to("mine.gsc")
    port = harness.free_port()
    with Service(port) as service:
        arguments = ("--recordings", tmp_path, "--disk-budget", "1", "--dump-over", "150ms")
        with Watch(f":{port}", *arguments) as watch:
            service.tell("nap 0.1")
            (mark,) = service.tell("nap 0.3")
            stall = watch.wait_for("stall", "ended", recording=None, seconds=1)
            assert stall["stall"]["end_ns"] < mark.t0_ns
            first = watch.wait_for("recording", "ended")
            watch.signal(signal.SIGUSR1)
            deadline = time.monotonic() + 10
            while len(ended(watch.events, "recording")) < 2 and time.monotonic() < deadline:
                time.sleep(0.05)
            events = checked(watch)
    first, second = ended(events, "recording")
    assert the_one(events, mark)["recording"] == first["recording"] != second["recording"]
    left = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    links = {"watch-20200103-000000.gsc", "watch-20200104-000000.gsc"}
    written = {"watch-20200102-000000.gsc", first["recording"], second["recording"]}
    assert set(left) == set(others) | links | written
    assert sum(left[name] for name in written) <= 1 << 20
    for event in (first, second):
        assert left[event["recording"]] == event["recorded"]["bytes"]
        outcome = harness.gilscope("report", tmp_path / event["recording"], "--json")
        stalls = [
            stall for loop in outcome.report["processes"][0]["loops"] for stall in loop["stalls"]
        ]
        assert outcome.status == 0 and any(mark.overlaps(stall) for stall in stalls)


def test_a_reader_that_does_not_keep_up_misses_nothing():
    """What it has not read waits; more than a pipe holds."""
    port, count = harness.free_port(), 60
    with Service(port) as service:
        with harness.Running("watch", f":{port}", "--json", "--stall", "10ms") as watch:
            marks = service.tell(f"many 0.015 {count}", rows=count)
            time.sleep(0.5)
            assert watch.process.poll() is None
            outcome = watch.finish()
    assert outcome.status == 0 and len(outcome.stdout) > 1 << 16
    events = [json.loads(line) for line in outcome.stdout.splitlines()]
    check(events)
    for mark in marks:
        the_one(events, mark)


@pytest.mark.parametrize(
    "arguments, status, words",
    [
        (("4194303",), 1, "process 4194303 does not exist"),
        (("0",), 2, "'0' is not a PID"),
        ((":99999",), 2, "is not a port"),
        ((f"{os.getpid()}", "--recordings", "/proc/1/none"), 1, "cannot write recordings"),
        ((), 2, "PID"),
    ],
)
def test_what_cannot_be_watched_is_refused(arguments, status, words):
    outcome = harness.gilscope("watch", *arguments)
    assert outcome.status == status and words in outcome.stderr, outcome


def test_a_reader_that_has_gone_ends_it():
    port = harness.free_port()
    with Service(port) as service:
        with harness.Running("watch", f":{port}") as watch:
            watch.process.stdout.close()
            service.tell("nap 0.2")
            watch.process.wait(10 * harness.PATIENCE)
            assert watch.process.returncode == 1
            assert "cannot be told" in watch.process.stderr.read()


def test_a_service_manager_is_told(tmp_path):
    """By the protocol of sd_notify(3): when it has begun, that it lives, and that it ends."""
    port, name = harness.free_port(), str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, Service(port):
        manager.bind(name)
        manager.settimeout(10 * harness.PATIENCE)
        variables = {**os.environ, "NOTIFY_SOCKET": name, "WATCHDOG_USEC": "400000"}
        with Watch(f":{port}", env=variables) as watch:
            assert manager.recv(100) == b"READY=1"
            assert [manager.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
            checked(watch)
        manager.setblocking(False)
        assert b"STOPPING=1" in drained(manager)


def drained(manager):
    found = []
    while True:
        try:
            found.append(manager.recv(100))
        except BlockingIOError:
            return found


def test_a_crash_loop_makes_few_recordings(tmp_path):
    """Every death is told, and is in the file that its event names."""
    port, keep_s = harness.free_port(), 3
    with Watch(f":{port}", "--recordings", tmp_path, "--keep", f"{keep_s}s", wait=False) as watch:
        begin, deaths = time.monotonic(), []
        while time.monotonic() < begin + 4 * keep_s:
            with Service(port) as service:
                watch.wait_for("process", "began", pid=service.pid)
                service.kill()
                deaths.append(watch.wait_for("death", pid=service.pid))
        took_s = time.monotonic() - begin
        events = watch.end()
    assert len(ended(events, "death")) == len(deaths) > 3 * keep_s
    assert len(ended(events, "recording")) <= took_s / keep_s + 2
    for name in {death["recording"] for death in deaths}:
        report = harness.gilscope("report", tmp_path / name, "--json").report
        known = {process["pid"] for process in report["processes"] if "death" in process}
        assert {death["pid"] for death in deaths if death["recording"] == name} <= known


def test_deaths_of_two_kinds_are_two_findings():
    ports = harness.free_port(), harness.free_port()
    with Service(ports[0]) as killed, Service(ports[1]) as crashed, Service(
        harness.free_port()
    ) as failed:
        with Watch(killed.pid, crashed.pid, failed.pid, f":{ports[0]}") as watch:
            killed.kill()
            crashed.process.send_signal(signal.SIGSEGV)
            failed.begin("end 3")
            for service in (killed, crashed, failed):
                watch.wait_for("death", pid=service.pid)
            deadline = time.monotonic() + 15
            while len(deaths_found(watch.events)) < 3 and time.monotonic() < deadline:
                time.sleep(0.1)
            events = watch.end()
    assert len(deaths_found(events)) == 3
    (death,) = [event for event in ended(events, "death") if event["pid"] == failed.pid]
    assert death["death"]["status"] == 3 and death["death"]["signal"] is None


def deaths_found(events):
    return [
        event["text"]
        for event in events
        if (event["event"], event["state"]) == ("finding", "began")
        and event["finding"]["id"] == "worker_died"
    ]


def test_a_terminal_that_does_not_read_blocks_nothing(tmp_path):
    port, count = harness.free_port(), 150
    terminal, its_end = pty.openpty()
    arguments = ("--json", "--stall", "10ms", "--recordings", tmp_path)
    with Service(port) as service:
        with harness.Running("watch", f":{port}", *arguments, stdout=its_end) as watch:
            service.tell(f"many 0.012 {count}", rows=count)
            time.sleep(0.5)
            service.kill()
            deadline = time.monotonic() + 10 * harness.PATIENCE
            while not list(tmp_path.glob("*.gsc")):
                assert time.monotonic() < deadline, "it waits for the terminal"
                time.sleep(0.05)
            watch.signal()
            assert watch.process.wait(30 * harness.PATIENCE) == 1
    os.close(its_end)
    os.close(terminal)


def test_a_full_disk_ends_nothing(tmp_path):
    port = harness.free_port()
    with open("/dev/full", "w") as full, Service(port) as service:
        arguments = ("--recordings", tmp_path, "--dump-over", "200ms")
        with harness.Running("watch", f":{port}", *arguments, stdout=full) as watch:
            time.sleep(0.3)
            service.tell("nap 0.3")
            deadline = time.monotonic() + 10 * harness.PATIENCE
            while not list(tmp_path.glob("*.gsc")):
                assert time.monotonic() < deadline and watch.process.poll() is None
                time.sleep(0.05)
            watch.signal()
            assert watch.process.wait(30 * harness.PATIENCE) == 1
            assert "cannot be told: No space left" in watch.process.stderr.read()


def test_what_was_left_out_is_counted():
    """More than waits for a reader, which then reads it all."""
    port, count = harness.free_port(), 4000
    with Service(port) as service:
        with harness.Running("watch", f":{port}", "--json", "--stall", "1ms") as watch:
            service.tell(f"many 0.0011 {count}", rows=count)
            time.sleep(0.5)
            with open(f"/proc/{watch.pid}/statm") as file:
                assert int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") < 256 << 20
            outcome = watch.finish()
    events = [json.loads(line) for line in outcome.stdout.splitlines()]
    check(events)
    untold = sum(event.get("untold", 0) for event in events)
    told = [event for event in events if event["event"] == "stall"]
    assert outcome.status == 0 and untold, (len(told), events[-1], ended(events, "loss"))
    assert len(told) + untold >= count > len(ended(events))


def test_a_helper_that_has_gone_is_told():
    """Without it, nothing would ever be found again."""
    port = harness.free_port()
    with Service(port) as service, Watch(f":{port}") as watch:
        service.kill()
        watch.wait_for("death", pid=service.pid)
        for child in harness.read(f"/proc/{watch.pid}/task/{watch.pid}/children").split():
            os.kill(int(child), signal.SIGKILL)
        watch.process.wait(20 * harness.PATIENCE)
        assert watch.process.returncode == 1
        assert "the helper that looks for processes has ended" in watch.process.stderr.read()


def test_what_is_waited_for_need_not_come():
    began = time.monotonic()
    outcome = harness.gilscope("watch", f":{harness.free_port()}", "-d", "1s")
    assert outcome.status == 1 and "no Python process has come" in outcome.stderr, outcome
    assert time.monotonic() - began < 10 * harness.PATIENCE


def test_a_number_that_was_given_is_used_once():
    """What was given has ended, and another process has its PID."""
    first, port = Service(harness.free_port()), harness.free_port()
    with Watch(first.pid, f":{port}") as watch:
        with first:
            watch.wait_for("process", "began", pid=first.pid)
        watch.wait_for("death", pid=first.pid)
        with process_with_pid(first.pid):
            with Service(port) as service:  # is found by a search that would find that one
                watch.wait_for("process", "began", pid=service.pid)
                time.sleep(1)
        events = watch.end()
    assert [
        (event["event"], event["state"])
        for event in events
        if event.get("pid") == first.pid and event["event"] in ("process", "death")
    ] == [("process", "began"), ("death", "ended")]


@contextlib.contextmanager
def process_with_pid(pid):
    """A Python with this PID: clone3() with set_tid, since glibc has no function for it."""
    source = f"""
import ctypes, os, signal, struct, sys
wanted = ctypes.c_int({pid})
args = struct.pack("11Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(wanted), 1, 0)
got = ctypes.CDLL(None, use_errno=True).syscall(435, args, len(args))
if got == 0:
    os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)"])
print(got, os.strerror(ctypes.get_errno()), flush=True)
sys.stdin.read()
os.kill(got, signal.SIGKILL)
os.waitpid(got, 0)
"""
    maker = subprocess.Popen(
        [*harness.PYTHON, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        line = maker.stdout.readline()
        if line.split()[0] != str(pid):
            pytest.skip(f"no process with a PID of one's choice: {line}")
        yield
    finally:
        maker.stdin.close()
        maker.wait()
        maker.stdout.close()
