# SPDX-License-Identifier: MIT
"""gilscope watch: every stall, freeze and death is told once, of a service that is restarted, and
the flight recorder's files have them. The service marks what it does itself."""

import json
import os
import re
import signal
import socket
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
    sizes = {"watch-20200101-000000.gsc": 400, "watch-20200102-000000.gsc": 400, "mine.gsc": 800}
    for age, (name, size) in enumerate(sizes.items()):
        (tmp_path / name).write_bytes(bytes(size << 10))
        os.utime(tmp_path / name, (age + 1, age + 1))
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
    assert set(left) == {
        *("mine.gsc", "watch-20200102-000000.gsc"),
        *(first["recording"], second["recording"]),
    }
    assert sum(size for name, size in left.items() if name != "mine.gsc") <= 1 << 20
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
