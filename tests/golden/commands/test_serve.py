# SPDX-License-Identifier: MIT
"""timeline --serve: the page over HTTP on loopback, for nobody but who has the address."""

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess

import pytest

from test_golden import CASES, EXIT_PARTIAL, GILSCOPE

BLAME = CASES / "blame.script"
WAIT_S = 20
EXIT_FAILED, EXIT_USAGE = 1, 2


@contextlib.contextmanager
def serving(*arguments, env=None, recording=BLAME):
    """(process, port, path)"""
    with subprocess.Popen(
        [GILSCOPE, "timeline", recording, "--serve", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    ) as process:
        try:
            line = process.stderr.readline()
            match = re.fullmatch(
                r"gilscope: the page is at http://127\.0\.0\.1:(\d+)(/[0-9a-f]{32}/) until "
                r"Ctrl-C\.\n",
                line,
            )
            assert match, line
            yield process, int(match[1]), match[2]
        finally:
            process.kill()


@pytest.fixture
def served():
    with serving() as served:
        yield served


def ask(port, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    subprocess.run([GILSCOPE, "timeline", BLAME, "-o", path], check=True, capture_output=True)
    return path.read_bytes()


def test_it_is_the_page(served, page):
    process, port, path = served
    for _ in range(3):  # a reload, too
        response, body = ask(port, path)
        assert response.status == 200 and body == page
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    response, body = ask(port, path, "HEAD")
    assert (response.status, body) == (200, b"")
    assert int(response.headers["Content-Length"]) == len(page)


def test_only_who_has_the_address(served):
    _, port, path = served
    others = ["/", "/index.html", path[:-1], path + "x", path[:-2] + "g/", "/favicon.ico"]
    for other in others:
        response, body = ask(port, other)
        assert (response.status, body) == (404, b""), other


def test_only_by_local_names(served):
    """A foreign page that lets its own name lead here (DNS rebinding) asks by that name."""
    _, port, path = served
    for host, status in [
        ("localhost:8080", 200),
        ("127.0.0.1", 200),
        ("evil.example", 403),
        (f"evil.example:{port}", 403),
    ]:
        assert ask(port, path, Host=host)[0].status == status, host


def test_only_reading(served):
    _, port, path = served
    response, body = ask(port, path, "POST")
    assert (response.status, body) == (405, b"") and response.headers["Allow"] == "GET, HEAD"


def test_it_listens_on_loopback_only(served):
    _, port, _ = served
    listening = [
        line.split()[1]
        for name in ("tcp", "tcp6")
        for line in open(f"/proc/net/{name}", encoding="ascii").read().splitlines()[1:]
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
    ]
    assert listening == [f"0100007F:{port:04X}"]


def test_others_cannot_keep_it_busy(served, page):
    """Neither connections that say nothing, nor a request without end, nor one that is not read."""
    _, port, path = served
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    endless = socket.create_connection(("127.0.0.1", port))
    endless.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 8173)
    assert endless.recv(100).startswith(b"HTTP/1.1 431 ")
    deaf = socket.create_connection(("127.0.0.1", port))
    deaf.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    binary = socket.create_connection(("127.0.0.1", port))
    binary.sendall(bytes(range(256)) + b"\r\n\r\n")
    assert binary.recv(100).startswith(b"HTTP/1.1 400 ")
    assert ask(port, path)[1] == page
    for connection in (*silent, endless, deaf, binary):
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it(served, number):
    process, port, path = served
    process.send_signal(number)
    assert process.wait(WAIT_S) == 0
    with pytest.raises(ConnectionRefusedError):
        ask(port, path)


def test_the_exit_status_is_the_pages():
    with serving(recording=CASES / "lost.script") as (process, _, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_S) == EXIT_PARTIAL


def test_a_given_port_again_and_again(served):
    process, port, path = served
    ask(port, path)
    taken = subprocess.run(
        [GILSCOPE, "timeline", BLAME, f"--serve={port}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert taken.returncode == EXIT_FAILED and "Address already in use" in taken.stderr
    process.send_signal(signal.SIGINT)
    process.wait(WAIT_S)
    with serving(recording=BLAME) as (_, other, _):
        assert other
    command = [GILSCOPE, "timeline", BLAME, f"--serve={port}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as again:
        assert f"127.0.0.1:{port}/" in again.stderr.readline()
        again.kill()


def test_it_writes_no_file(tmp_path):
    outcome = subprocess.run(
        [GILSCOPE, "timeline", BLAME, "--serve", "-o", tmp_path / "x.html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == EXIT_USAGE and "either it or -o" in outcome.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("port", ["0", "65536", "x", "80x"])
def test_a_port_is_a_port(port):
    outcome = subprocess.run(
        [GILSCOPE, "timeline", f"--serve={port}"], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == EXIT_USAGE and "is not a port" in outcome.stderr


def test_over_ssh_it_says_how_to_get_there():
    env = {"SSH_CONNECTION": "10.0.0.1 5 192.0.2.7 2222", "USER": "ada", "SUDO_USER": ""}
    with serving(env=env) as (process, port, _):
        line = process.stderr.readline()
    assert line.endswith(f"ssh -N -L {port}:127.0.0.1:{port} -p 2222 ada@192.0.2.7\n"), line


def test_it_is_confined(served):
    process, _, _ = served
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        status = file.read()
    assert "Seccomp:\t2" in status and "CapEff:\t0000000000000000" in status
