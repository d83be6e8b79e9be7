# SPDX-License-Identifier: MIT
"""A process that is gone leaves nothing behind in the probes: its PID is used again some day, by
somebody who is not observed."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time

import pytest

import harness

pytestmark = pytest.mark.beside

BPFTOOL = shutil.which("bpftool") or "/usr/sbin/bpftool"
MAPS = ("targets", "pythons", "gils", "loop_fds", "gc_sites")
LOOP = """
import asyncio
async def main():
    print('ready', flush=True)
    while True:
        await asyncio.sleep(0.01)
asyncio.run(main())
"""


def descriptors(pid, kind):
    """The descriptors of a kind that a process has open."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/fd/{name}").startswith(kind):
                found.append(name)
    return found


def bpftool(*arguments):
    return json.loads(
        subprocess.run(
            [BPFTOOL, "--json", *arguments], check=True, capture_output=True, text=True
        ).stdout
    )


def maps_of(pid):
    """name: entries, of the maps that a process has open."""
    numbers = set()
    for name in descriptors(pid, "anon_inode:bpf-map"):
        with open(f"/proc/{pid}/fdinfo/{name}") as info:
            numbers |= {int(line.split()[1]) for line in info if line.startswith("map_id:")}
    return {
        map_["name"]: bpftool("map", "dump", "id", str(map_["id"]))
        for map_ in bpftool("map", "show")
        if map_["id"] in numbers and map_["name"] in MAPS
    }


def pids_in(entries):
    """Every key has the PID in it, where depends on the map: all its numbers of four bytes."""
    found = set()
    for entry in entries:
        key = bytes(int(byte, 16) for byte in entry["key"])
        found |= {int.from_bytes(key[at : at + 4], "little") for at in range(0, len(key), 4)}
    return found


def test_a_process_that_is_gone_is_taken_out_of_everything(tmp_path):
    with harness.Script(LOOP) as stays, harness.Script(LOOP) as goes:
        recorder = subprocess.Popen(
            [
                harness.GILSCOPE,
                "record",
                "-q",
                "-p",
                str(stays.pid),
                "-p",
                str(goes.pid),
                "-o",
                tmp_path / "t.gsc",
            ],
            stderr=subprocess.PIPE,
        )
        try:
            deadline = time.monotonic() + 30
            while not {stays.pid, goes.pid} <= pids_in(maps_of(recorder.pid).get("loop_fds", [])):
                assert time.monotonic() < deadline and recorder.poll() is None
                time.sleep(0.2)
            before = maps_of(recorder.pid)
            links = len(descriptors(recorder.pid, "anon_inode:bpf"))
            assert all(
                goes.pid in pids_in(before[name])
                for name in ("targets", "pythons", "gils", "loop_fds")
            )
            goes.process.kill()
            goes.process.wait()
            time.sleep(1)
            after = maps_of(recorder.pid)
            for name in MAPS:
                assert goes.pid not in pids_in(after[name]), name
            for name in ("targets", "pythons", "gils", "loop_fds"):
                assert stays.pid in pids_in(after[name]), name
            assert len(descriptors(recorder.pid, "anon_inode:bpf")) < links
        finally:
            recorder.send_signal(signal.SIGINT)
            recorder.wait(30)
