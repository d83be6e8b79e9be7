# SPDX-License-Identifier: MIT
"""A process that has ended is removed from the probes' maps, since its PID may be reused by a
process that is not observed."""

import contextlib
import json
import os
import shutil
import subprocess
import time
import unittest
from pathlib import Path

import pytest

import harness

pytestmark = pytest.mark.beside

BPFTOOL = shutil.which("bpftool") or "/usr/sbin/bpftool"
MAPS = ("targets", "pythons", "gils", "loop_fds", "gc_sites")
GIL_SLOTS = 16384  # SHARED_GIL_SLOTS
BITS = 4096  # SHARED_TARGET_BITS: PIDs that far apart have the same bit
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
    map. The map of GILs is an array, with the key at the front of the value."""
    found = set()
    for entry in entries:
        words = entry["value"][:16] if len(entries) == GIL_SLOTS else entry["key"]
        key = bytes(int(byte, 16) for byte in words)
        found |= {int.from_bytes(key[at : at + 4], "little") for at in range(0, len(key), 4)}
    return found


def target_bits(pid):
    """The bits of the processes that the probes do not pass by."""
    numbers = {
        int(line.split()[1])
        for name in descriptors(pid, "anon_inode:bpf-map")
        for line in Path(f"/proc/{pid}/fdinfo/{name}").read_text().splitlines()
        if line.startswith("map_id:")
    }
    (bss,) = (
        map_["id"]
        for map_ in bpftool("map", "show")
        if map_["id"] in numbers and map_["name"].endswith(".bss")
    )
    (entry,) = bpftool("map", "dump", "id", str(bss))
    variables = {
        name: value
        for variable in entry["formatted"]["value"][".bss"]
        for name, value in variable.items()
    }
    words = variables["target_bits"]
    return {64 * at + bit for at, word in enumerate(words) for bit in range(64) if word >> bit & 1}


def script_beside(pid):
    """A process whose PID has the same bit."""
    highest = int(Path("/proc/sys/kernel/pid_max").read_text())
    for wanted in range(pid % BITS + BITS, highest, BITS):
        if wanted == pid or os.path.exists(f"/proc/{wanted}"):
            continue
        with contextlib.suppress(OSError):
            Path("/proc/sys/kernel/ns_last_pid").write_text(str(wanted - 1))
        script = harness.Script(LOOP)
        if script.pid == wanted:
            return script
        script.stop()
    raise unittest.SkipTest("another process was quicker, or PIDs cannot be chosen")


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
        assert target_bits(recorder.pid) == {stays.pid % BITS}
        until(lambda: len(descriptors(recorder.pid, "anon_inode:bpf")) < links)
        assert recorder.finish().status == 0


def test_a_process_stays_observed_when_one_with_the_same_bit_is_gone(tmp_path):
    trace = tmp_path / "t.gsc"
    with harness.Script(LOOP) as stays, script_beside(stays.pid) as goes, harness.Running(
        "record", "-q", "-p", stays.pid, "-p", goes.pid, "-o", trace
    ) as recorder:
        goes.process.kill()
        goes.process.wait()
        until(lambda: goes.pid not in pids_in(maps_of(recorder.pid)["targets"]))
        assert target_bits(recorder.pid) == {stays.pid % BITS}
        killed = time.monotonic()
        time.sleep(0.3)
        assert recorder.finish().status == 0
    script = harness.gilscope("export", trace, "--format", "script").stdout
    switches = [
        float(fields[0])
        for fields in map(str.split, script.splitlines())
        if len(fields) > 2 and fields[1:3] == [str(stays.pid), "switch_in"]
    ]
    assert max(switches) > killed + 0.2
