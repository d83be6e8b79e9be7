# SPDX-License-Identifier: MIT
"""Commands that take a process: without one they list those of the system, and they find one by a
name on its command line or by the port that it listens on."""

import json
import os
import re
import shutil
import subprocess

import pytest

import harness

pytestmark = pytest.mark.beside

SERVER = """
import asyncio, sys
async def main():
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
# A supervisor in which no loop runs; its child serves on the socket that it inherited. Both have
# the name on their command lines.
SUPERVISOR = """
import asyncio, os, socket, sys, time
async def main(listening):
    server = await asyncio.start_server(lambda r, w: w.close(), sock=listening)
    print(listening.getsockname()[1], os.getpid(), flush=True)
    await server.serve_forever()
listening = socket.create_server(("127.0.0.1", 0))
if not os.fork():
    asyncio.run(main(listening))
time.sleep(600)
"""


class Serving:
    def __init__(self, source, *arguments, name=harness.DEBIAN_PYTHON):
        self.process = subprocess.Popen(
            [name, "-c", source, *arguments],
            executable=harness.DEBIAN_PYTHON,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.said = [int(word) for word in self.process.stdout.readline().split()]
        self.pid, self.port = self.process.pid, self.said[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self.pid, 9)
        self.process.wait()


def run(*words, prefix=(), gilscope=harness.GILSCOPE):
    return subprocess.run(
        [*prefix, gilscope, *map(str, words)], capture_output=True, text=True, timeout=120
    )


def row(text, pid):
    """Its line in the list, without the command."""
    lines = [line for line in text.splitlines() if re.match(rf" *{pid} ", line)]
    assert len(lines) == 1, text
    return lines[0].split(None, 5)


@pytest.mark.parametrize("words", [["attach"], ["top"], ["dump"], ["record"]], ids=str)
def test_without_a_process_there_is_a_list(words):
    with Serving(SERVER, "uvicorn") as app:
        done = run(*words)
        assert done.returncode == 2 and not done.stdout
        assert done.stderr.startswith("gilscope: no PID given."), done.stderr
        pid, python, _, port, loop, command = row(done.stderr, app.pid)
        assert (int(pid), port, loop) == (app.pid, f":{app.port}", "asyncio")
        assert re.fullmatch(r"3\.\d+\.\d+\S*", python) and command.startswith(harness.DEBIAN_PYTHON)
        how = "record -p" if words == ["record"] else words[0]
        assert re.search(rf"^Observe one with: sudo gilscope {how} \d+$", done.stderr, re.M)


def test_a_name_or_a_port_is_as_good_as_a_number():
    with Serving(SERVER, "the-only-one-of-this-name") as app:
        for word in (app.pid, f":{app.port}", "the-only-.*-of-this-name"):
            done = run("attach", word, "-d", "100ms", "--json")
            assert done.returncode == 0 and f'"pid": {app.pid},' in done.stdout, done
            assert word == app.pid or f"'{word}' is process {app.pid}." in done.stderr


def test_several_of_one_name_are_listed():
    with Serving(SERVER, "two-of-a-kind") as one, Serving(SERVER, "two-of-a-kind") as two:
        done = run("dump", "two-of-a-kind")
        assert done.returncode == 2 and not done.stdout
        assert "'two-of-a-kind' is 2 processes; give the PID of one." in done.stderr
        assert row(done.stderr, one.pid) and row(done.stderr, two.pid)
        assert len(re.findall(r"^ *\d+  ", done.stderr, re.M)) == 2


def test_a_supervisor_is_passed_over():
    with Serving(SUPERVISOR, "supervised-by-none") as app:
        worker = app.said[1]
        for word in (f":{app.port}", "supervised-by-none"):
            done = run("dump", word)
            assert done.returncode == 0, done
            assert f"'{word}' is process {worker}." in done.stderr, done.stderr


def pids_of(done):
    assert done.returncode == 0, done
    return {process["pid"] for process in json.loads(done.stdout)["processes"]}


def test_a_service_is_observed_with_its_supervisor():
    with Serving(SUPERVISOR, "supervised-and-observed") as app:
        pids = {app.said[1], app.pid}
        for word in (f":{app.port}", "supervised-and-observed"):
            done = run("attach", word, "-d", "100ms", "--json")
            assert pids_of(done) == pids
            assert f"also observing its supervisor: {app.pid}." in done.stderr
            titles = {each["pid"]: each["title"] for each in json.loads(done.stdout)["processes"]}
            assert titles[app.said[1]].startswith("worker 1 of "), titles
            alone = run("attach", word, "-d", "100ms", "--json", "--no-follow")
            assert pids_of(alone) == {app.said[1]}


def test_all_that_match_are_observed():
    with Serving(SERVER, "match-of-a-kind") as one, Serving(SERVER, "match-of-a-kind") as two:
        done = run("attach", "match-of-a-kind", "-d", "100ms")
        assert done.returncode == 2 and "or observe all with --match." in done.stderr, done
        done = run("attach", "--match", "match-of-a-[k]ind", "-d", "100ms", "--json")
        assert pids_of(done) == {one.pid, two.pid}
        done = run("attach", one.pid, "--match", "match-of-a-kind", "-d", "100ms", "--json")
        assert pids_of(done) == {one.pid, two.pid}
        for words, why in (
            (["--match", "nobody-is-called-like-this"], "no Python process has a command line"),
            (["--match", ":80"], "':80' is a port: give it as the process"),
            (["--match", "("], "'(' is not a pattern"),
        ):
            done = run("attach", *words)
            assert done.returncode == 2 and why in done.stderr, done


@pytest.mark.parametrize(
    "word, why",
    [
        ("nobody-is-called-like-this", "no Python process has a command line with '"),
        (":1", "no Python process listens on ':1'"),
        (":80x", "':80x' is not a port"),
        (":", "':' is not a port"),
        ("(", "'(' is not a pattern"),
        ("0", "'0' is not a PID"),
        ("99999999999", "'99999999999' is not a PID"),
    ],
)
def test_what_is_no_process_is_refused(word, why):
    done = run("attach", word)
    assert done.returncode == 2 and why in done.stderr and not done.stdout, done


def test_names_cannot_harm_the_terminal():
    with Serving(SERVER, name="\x1b[31mred\r\nfake\u202e") as app:
        done = run("attach")
        assert "\x1b" not in done.stderr and "\r" not in done.stderr
        assert "\\x1b[31mred\\x0d\\x0afake\\xe2\\x80\\xae -c" in done.stderr
        assert row(done.stderr, app.pid)


def test_without_rights_the_list_says_so():
    with Serving(SERVER) as app:
        gilscope = shutil.copy(harness.GILSCOPE, "/tmp/gilscope-for-nobody")
        try:
            nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
            done = run("attach", prefix=nobody, gilscope=gilscope)
        finally:
            os.unlink(gilscope)
        assert done.returncode == 2
        assert row(done.stderr, app.pid)[1:5] == ["?", "-", "?", "?"], done.stderr
        assert "run gilscope as root" in done.stderr


def test_an_old_python_is_listed_with_the_reason(tmp_path):
    fake = tmp_path / "python2.7"
    shutil.copy("/bin/sleep", fake)
    with subprocess.Popen([fake, "600"]) as process:
        done = run("attach")
        process.kill()
    lines = done.stderr.splitlines()
    (at,) = [i for i, line in enumerate(lines) if line.endswith(f"{fake} 600")]
    assert lines[at + 1].strip().startswith("cannot be observed: "), done.stderr
