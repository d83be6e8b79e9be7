# SPDX-License-Identifier: MIT
"""What a blocking call of the loop's thread waits for: a pipe, a terminal, a locked file, the peer
of a socket."""

import os
import signal
import time

import pytest

import harness
import laws

FILES = """
import asyncio, fcntl, os, signal, socket, sys, tempfile, threading, tty

def later(function, *arguments):
    threading.Timer(0.15, function, arguments).start()

read_end, write_end = os.pipe()
main_side, terminal = os.openpty()
tty.setraw(terminal)
server = socket.create_server(("127.0.0.1", PORT))
client = socket.create_connection(server.getsockname())
peer, _ = server.accept()
one, other = socket.socketpair()
folder = tempfile.TemporaryDirectory()
lock, locked = (os.open(folder.name + "/orders.lock", os.O_RDWR | os.O_CREAT) for _ in range(2))

def from_pipe():
    later(os.write, write_end, b"x")
    os.read(read_end, 1)

def from_terminal():
    later(os.write, main_side, b"x")
    os.read(terminal, 1)

def from_peer():
    later(peer.send, b"x")
    client.recv(1)

def from_peer_with_timeout():
    client.settimeout(5)
    later(peer.send, b"x")
    client.recv(1)
    client.settimeout(None)

def from_neighbour():
    later(other.send, b"x")
    one.recv(1)

def from_lock():
    fcntl.flock(locked, fcntl.LOCK_EX)
    later(fcntl.flock, locked, fcntl.LOCK_UN)
    fcntl.flock(lock, fcntl.LOCK_EX)
    fcntl.flock(lock, fcntl.LOCK_UN)

async def main():
    observed = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, observed.set)
    sys.stdout.write("ready\\n"); sys.stdout.flush()
    await observed.wait()
    while True:
        for wait in (from_pipe, from_terminal, from_peer, from_peer_with_timeout, from_neighbour,
                     from_lock):
            await asyncio.sleep(0.02)
            wait()
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def observed():
    port = harness.free_port()
    with harness.Script(FILES.replace("PORT", str(port))) as app, harness.attach(app) as running:
        os.kill(app.pid, signal.SIGUSR1)
        time.sleep(2.5)
        outcome = running.finish()
    laws.check_laws(outcome.report)
    return outcome.report, port


@pytest.mark.parametrize(
    "function, what",
    [
        ("from_pipe", "read (pipe)"),
        ("from_terminal", "read (tty pts/"),
        ("from_peer", "recvfrom (TCP 127.0.0.1:PORT)"),
        ("from_peer_with_timeout", "poll (TCP 127.0.0.1:PORT)"),
        ("from_neighbour", "recvfrom (unix socket)"),
        ("from_lock", "flock (file orders.lock)"),
    ],
)
def test_what_a_call_waits_on_is_reported(observed, function, what):
    report, port = observed
    texts = [
        finding["text"]
        for finding in report["findings"]
        if finding["id"] == "blocking_call" and f"{function} (" in finding["text"]
    ]
    assert len(texts) == 1, report["findings"]
    assert f" in {what.replace('PORT', str(port))}" in texts[0], texts
