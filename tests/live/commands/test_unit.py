# SPDX-License-Identifier: MIT
"""contrib/systemd/gilscope.service: its restrictions are as tight as promised, and gilscope watch
works under them."""

import configparser
import os
import re
import shutil
import subprocess

import pytest

import harness
from watched import Service, Watch, the_one

UNIT = os.path.join(harness.ROOT, "contrib/systemd/gilscope.service")
MOST_EXPOSED = 2.0
pytestmark = [
    pytest.mark.beside,
    pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed"),
]


def settings():
    """{name: its words} of the service."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    with open(UNIT) as unit:
        parser.read_string(unit.read().replace("\\\n", " "))
    return {name: value.split() for name, value in parser["Service"].items()}


def restricted():
    """A prefix of commands that gives them the unit's user, capabilities and network."""
    known = settings()
    capabilities = ",".join(
        "+" + name.removeprefix("CAP_").lower() for name in known["CapabilityBoundingSet"]
    )
    assert known["CapabilityBoundingSet"] == known["AmbientCapabilities"]
    assert known["PrivateNetwork"] == known["NoNewPrivileges"] == known["DynamicUser"] == ["yes"]
    kinds = ("inh-caps", "ambient-caps", "bounding-set")
    return [
        *("unshare", "--net", "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"),
        *(f"--{kind}=-all,{capabilities}" for kind in kinds),
        "--no-new-privs",
    ]


def test_it_is_exposed_as_little_as_promised():
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", UNIT], text=True, stdout=subprocess.PIPE
    )
    assert float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)[1]) <= MOST_EXPOSED


def test_it_starts_a_command_that_there_is():
    known = settings()
    program, *words = known["ExecStart"]
    assert os.path.basename(program) == "gilscope"
    options = {word for word in words if word.startswith("--")}
    told = subprocess.run(
        [harness.GILSCOPE, words[0], "--help"], text=True, stdout=subprocess.PIPE
    ).stdout
    assert options and all(option in told for option in options)
    assert known["Type"] == ["notify"]


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_it_works_with_the_rights_that_the_unit_gives(tmp_path):
    """Also, it makes no system call that the unit's filter would refuse."""
    state, calls, port = tmp_path / "state", tmp_path / "calls", harness.free_port()
    state.mkdir()
    shutil.chown(state, "nobody")
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    strace = ["strace", "-f", "-qq", "-o", calls, "-e", "signal=none", *restricted()]
    with Service(port) as service:
        arguments = (f":{port}", "--recordings", state, "--metrics", state / "metrics")
        with Watch(*arguments, "--dump-over", "100ms", "-d", "4s", prefix=strace) as watch:
            (mark,) = service.tell("nap 0.2")
            events = watch.end(signal=False)
    assert the_one(events, mark)["recording"] in os.listdir(state)
    made = set(re.findall(r"^\d+ +(\w+)\(", calls.read_text(), re.M))
    assert {"bpf", "perf_event_open", "epoll_wait"} & made
    assert not made - allowed() - {"setgroups", "setresuid", "setresgid", "execve", "unshare"}


def allowed():
    """The system calls of the unit's filter, groups resolved."""
    names, pending = set(), settings()["SystemCallFilter"]
    while pending:
        name = pending.pop()
        if not name.startswith("@"):
            names.add(name)
            continue
        listed = subprocess.run(
            ["systemd-analyze", "syscall-filter", name], text=True, stdout=subprocess.PIPE
        ).stdout
        pending += re.findall(r"^ {4}([@\w-]+)$", re.sub(r"\x1b\[[\d;]*m", "", listed), re.M)
    return names
