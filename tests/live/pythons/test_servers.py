# SPDX-License-Identifier: MIT
"""Servers from PyPI: which of their processes serve, and which threads run event loops."""

import contextlib
import http.client
import os
import re
import subprocess
import time

import pytest

import harness
import laws

pytestmark = pytest.mark.beside

PACKAGES = (
    "gunicorn==27.0.1",
    "uvicorn[standard]==0.54.0",
    "uvicorn-worker==0.4.0",
    "granian==2.8.9",
    "trio==0.35.0",
    "celery==5.7.0",
)
# Both interfaces; the answer is the PID of the process that gave it.
SERVED = """
import os, time

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"] == "/block":
        time.sleep(0.2)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})

def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""
TASKS = """
from celery import Celery
app = Celery("served", broker="filesystem://")
app.conf.broker_transport_options = {
    key: "." for key in ("data_folder_in", "data_folder_out", "control_folder")
}
"""
TRIO = """
import time, trio

def convert():
    time.sleep(0.2)

async def main():
    print("ready", flush=True)
    while True:
        await trio.sleep(0.1)
        convert()

trio.run(main)
"""
# Like uWSGI: the child is forked without Python's knowledge, inherits the listening socket, and
# waits for connections in epoll, with a socket pair like an event loop's.
FORKED = """
import ctypes, os, select, socket, time
listening = socket.create_server(("127.0.0.1", 0))
reading, writing = os.pipe()
child = ctypes.PyDLL(None).fork()
if child == 0:
    pair = socket.socketpair()
    epoll = select.epoll()
    for each in (listening, pair[0]):
        epoll.register(each, select.EPOLLIN)
    os.write(writing, b"x")
    while True:
        epoll.poll(0.05)
        time.sleep(0.1)
os.read(reading, 1)  # until then the child does not serve
print("ready", flush=True)
print(child, flush=True)
while True:
    time.sleep(1)
"""


@pytest.fixture(scope="session")
def venv(tmp_path_factory):
    folder = tmp_path_factory.mktemp("servers")
    try:
        subprocess.run([harness.DEBIAN_PYTHON, "-m", "venv", folder], check=True, timeout=120)
        subprocess.run([folder / "bin/pip", "install", "-q", *PACKAGES], check=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"the servers cannot be installed: {error}")
    return folder / "bin"


def who_answers(port, path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return int(connection.getresponse().read())
    finally:
        connection.close()


def who_serves(port, count):
    """The processes that answer, as soon as there are `count` of them."""
    pids, deadline = set(), time.monotonic() + 60 * harness.PATIENCE
    while len(pids) < count and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            pids.add(who_answers(port))
        time.sleep(0.01)
    assert len(pids) == count, f"{pids} answer"
    return pids


def children(pid):
    return {
        int(child)
        for task in os.listdir(f"/proc/{pid}/task")
        for child in harness.read(f"/proc/{pid}/task/{task}/children").split()
    }


SUPERVISORS = {
    "uvicorn --workers": ("-m uvicorn served:app --workers 2 --port {port}", 2, True),
    "uvicorn --reload": ("-m uvicorn served:app --reload --port {port}", 1, True),
    "gunicorn, uvicorn": (
        "-m gunicorn -k uvicorn_worker.UvicornWorker -w 2 -b 127.0.0.1:{port} served:app",
        2,
        True,
    ),
    "gunicorn sync": ("-m gunicorn -w 2 -b 127.0.0.1:{port} served:wsgi", 2, False),
    "gunicorn gthread": (
        "-m gunicorn -k gthread --threads 4 -b 127.0.0.1:{port} served:wsgi",
        1,
        False,
    ),
    "granian": ("-m granian --interface asgi --workers 1 --port {port} served:app", 1, True),
}


@contextlib.contextmanager
def supervisor(venv, folder, arguments):
    (folder / "served.py").write_text(SERVED)
    (folder / "tasks.py").write_text(TASKS)
    with (
        open(folder / "log", "w") as log,
        harness.App(
            [str(venv / "python"), *arguments.split()], stdout=log, stderr=log, cwd=folder
        ) as app,
    ):
        yield app


def check_supervisor(app, serving, loop):
    """Those that serve are observed with it; alone, attach and doctor name them and say that this
    is not one to observe."""
    with harness.attach(app) as running:
        time.sleep(0.3)
        outcome = running.finish()
    laws.check_laws(outcome.report)
    assert outcome.status == 0, outcome
    assert {process["pid"] for process in outcome.report["processes"]} == {app.pid} | serving
    assert "supervisor" not in [finding["id"] for finding in outcome.report["findings"]]
    for pid in serving:
        assert f" {pid}" in outcome.stderr.partition("below that serve:")[2], outcome
    with harness.attach(app, "--no-follow") as running:
        time.sleep(0.3)
        outcome = running.finish()
    laws.check_laws(outcome.report)
    assert outcome.status == 4, outcome
    [process] = outcome.report["processes"]
    assert {child["pid"] for child in process["children"]} == serving, outcome
    assert {child["loop"] for child in process["children"]} == {loop}, outcome
    assert [finding["id"] for finding in outcome.report["findings"]] == ["supervisor"]
    doctor = harness.gilscope("doctor", app.pid)
    assert doctor.status == 4, doctor
    named = doctor.stdout.strip().splitlines()[-1].partition("gilscope attach ")[2]
    assert {int(pid) for pid in named.split()} == serving, doctor


def check_port(port, serving):
    """A port means the processes that serve, never their supervisor."""
    done = harness.gilscope("dump", "--json", f":{port}")
    many = f"process {min(serving)}" if len(serving) == 1 else f"{len(serving)} processes: "
    assert done.status == 0 and f"':{port}' is {many}" in done.stderr, done
    assert {process["pid"] for process in done.report["processes"]} == serving, done


@pytest.mark.parametrize("name", SUPERVISORS)
def test_a_supervisor_names_the_serving_processes(venv, tmp_path, name):
    arguments, count, loop = SUPERVISORS[name]
    port = harness.free_port()
    with supervisor(venv, tmp_path, arguments.format(port=port)) as app:
        serving = who_serves(port, count)
        assert app.pid not in serving
        check_port(port, serving)
        check_supervisor(app, serving, loop)


def test_celery_names_the_processes_of_its_pool(venv, tmp_path):
    with supervisor(venv, tmp_path, "-m celery -A tasks worker -c 2 --loglevel info") as app:
        deadline = time.monotonic() + 60 * harness.PATIENCE
        while " ready." not in harness.read(tmp_path / "log"):
            assert time.monotonic() < deadline, harness.read(tmp_path / "log")
            time.sleep(0.1)
        time.sleep(0.5 * harness.PATIENCE)  # "ready" is the supervisor, not yet both of its pool
        check_supervisor(app, children(app.pid), False)


def test_threads_of_rust_run_no_loop(venv, tmp_path):
    """granian's runtime parks its threads as event loops do."""
    port = harness.free_port()
    with supervisor(venv, tmp_path, SUPERVISORS["granian"][0].format(port=port)):
        [pid] = who_serves(port, 1)
        with harness.Running("attach", pid, "-d", "60s", "--json") as running:
            for _ in range(3):
                who_answers(port, "/block")
            outcome = running.finish()
        laws.check_laws(outcome.report)
        [process] = outcome.report["processes"]
        assert [loop["tid"] for loop in process["loops"]] == [pid], outcome
        assert [loop["evidence"] for loop in process["loops"]] == ["python"]
        assert len(process["loops"][0]["stalls"]) == 3, outcome
        assert len(os.listdir(f"/proc/{pid}/task")) > 1, "no thread of the runtime"


def test_a_loop_of_trio_is_a_loop(venv):
    with harness.Script(TRIO, python=str(venv / "python")) as app:
        with harness.attach(app) as running:
            time.sleep(1)
            outcome = running.finish()
    laws.check_laws(outcome.report)
    [loop] = outcome.report["processes"][0]["loops"]
    assert (loop["tid"], loop["kind"], loop["evidence"]) == (app.pid, "trio", "python")
    assert loop["stalls"], outcome
    finding = outcome.report["findings"][0]
    assert finding["id"] == "blocking_call", outcome
    assert "convert" in finding["text"] and finding["subject"]["syscall"] in (
        "clock_nanosleep",
        "select",
    )


def test_a_child_that_python_did_not_fork_serves_and_runs_no_loop():
    with harness.Script(FORKED) as app:
        child = int(app.process.stdout.readline())
        try:
            check_supervisor(app, {child}, False)
            with harness.Running("attach", child, "-d", "60s", "--json") as running:
                time.sleep(1)
                report = running.finish().report
        finally:
            os.kill(child, 9)
    laws.check_laws(report)
    assert report["processes"][0]["loops"] == []
    assert [finding["id"] for finding in report["findings"]] == ["nothing_found"]
    assert "loop" not in report["findings"][0]["text"]
