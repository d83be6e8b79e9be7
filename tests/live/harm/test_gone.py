# SPDX-License-Identifier: MIT
"""A process that has ended is removed from the probes' maps, since its PID may be reused by a
process that is not observed."""

import contextlib
import json
import os
import shutil
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
    """{name: entries} of the maps that a process has open."""
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
    """All 4-byte numbers in the keys. Every key contains the PID, at a place that depends on the
    map."""
    found = set()
    for entry in entries:
        key = bytes(int(byte, 16) for byte in entry["key"])
        found |= {int.from_bytes(key[at : at + 4], "little") for at in range(0, len(key), 4)}
    return found


def until(condition, seconds=30):
    """The condition's value, as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


def test_a_process_that_is_gone_is_taken_out_of_everything(tmp_path):
    targets = ("targets", "pythons", "gils", "loop_fds")

    def has(pid, names):
        entries = maps_of(recorder.pid)
        return [pid in pids_in(entries[name]) for name in names]

    with harness.Script(LOOP) as stays, harness.Script(LOOP) as goes, harness.Running(
        "record", "-q", "-p", stays.pid, "-p", goes.pid, "-o", tmp_path / "t.gsc"
    ) as recorder:
        # a loop becomes known with its next wait
        until(lambda: all(has(stays.pid, targets) + has(goes.pid, targets)))
        links = len(descriptors(recorder.pid, "anon_inode:bpf"))
        goes.process.kill()
        goes.process.wait()
        until(lambda: not any(has(goes.pid, MAPS)))
        assert all(has(stays.pid, targets))
        until(lambda: len(descriptors(recorder.pid, "anon_inode:bpf")) < links)
        assert recorder.finish().status == 0
