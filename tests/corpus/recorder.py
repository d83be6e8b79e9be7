# SPDX-License-Identifier: MIT
"""Writes down stacks, and what is true of them.

The applications know the truth: a function that a framework calls says so itself, with the role
that its author would give it.
"""

import http.client
import importlib.metadata
import json
import os
import socket
import sys
import sysconfig
import threading
import time

PATHS = [
    (os.path.dirname(os.path.abspath(__file__)), "/srv/app"),
    (sys.prefix, "/srv/venv"),
    (sysconfig.get_path("stdlib"), "/usr/local/lib/python%d.%d" % sys.version_info[:2]),
]

functions = {}
taken = set()
lock = threading.RLock()
output = os.fdopen(os.dup(1), "w")  # frameworks may write to stdout, too
os.dup2(2, 1)


def path(file):
    for real, common in PATHS:
        if file.startswith(real + "/"):
            return common + file[len(real) :]
    return file


def write(frame, role, handler, inner):
    numbers = []
    with lock:
        while frame:
            code = frame.f_code
            key = (code.co_qualname, path(code.co_filename))
            if key not in functions:
                functions[key] = len(functions) + 1
                print("function %d %s\t%s" % (functions[key], *key), file=output)
            numbers.append(str(functions[key]))
            frame = frame.f_back
        line = " ".join(["stack", role, handler, inner, *numbers])
        if line not in taken:
            taken.add(line)
            print(line, file=output, flush=True)


def at(role, handler=None):
    """The caller is, or works for, the function `handler` of this role: a stack of itself, of a
    helper, and of a library that the helper calls."""
    frame = sys._getframe(1)
    name = frame.f_code.co_name
    write(frame, role, handler or name, name)
    write(sys._getframe(0), role, handler or name, "at")

    def default(value):
        write(sys._getframe(1), role, handler or name, "at")

    json.JSONEncoder(default=default, indent=1).encode([object()])


AT_WORK = {"BaseEventLoop._run_once", "Thread.run", "_WorkItem.run"}
calls = 0


def of_framework(frame, event, arg):
    """A profile function: now and then, a stack in which the framework alone is at work."""
    global calls
    calls += 1
    if event != "call" or calls % 199 or len(of_framework.taken) >= 12:
        return
    at_work, outer = False, frame
    while outer:
        code = outer.f_code
        at_work |= code.co_qualname in AT_WORK
        own = path(code.co_filename).startswith("/srv/app/")
        if own and (not at_work or "<locals>" in code.co_qualname):
            return
        outer = outer.f_back
    key = frame.f_code, frame.f_back and frame.f_back.f_code
    if at_work and key not in of_framework.taken:
        of_framework.taken.add(key)
        write(frame, "none", "-", "-")


of_framework.taken = set()


def begin(*packages):
    words = [name + " " + importlib.metadata.version(name) for name in packages]
    functions.clear()
    print("environment python %d.%d.%d" % sys.version_info[:3], *words, file=output, flush=True)
    sys.setprofile(of_framework)
    threading.setprofile(of_framework)
    if not begin.packages:
        os.register_at_fork(
            before=output.flush,
            after_in_parent=end,
            after_in_child=lambda: begin(*begin.packages),
        )
    begin.packages = packages


begin.packages = ()


def end():
    """From here on a child counts the functions."""
    sys.setprofile(None)
    threading.setprofile(None)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def ask(port, *paths, then=None):
    """Asks a server that may still be starting; a path may be (method, path, body)."""

    def asking():
        for request in paths:
            method, path, body = request if isinstance(request, tuple) else ("GET", request, None)
            for _ in range(100):
                try:
                    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                    connection.request(
                        method, path, body, {"Content-Type": "application/json"} if body else {}
                    )
                    connection.getresponse().read()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.1)
                except Exception as error:
                    print(path, error, file=sys.stderr)
                    break
        if then:
            then()

    thread = threading.Thread(target=asking)
    thread.start()
    return thread


def finish():
    """Ends a server that has no other end, from any of its threads."""
    time.sleep(0.3)
    output.flush()
    os._exit(0)


def uvicorn_serve(app, *paths, **options):
    import uvicorn

    port = free_port()
    ask(port, *paths, then=finish)
    uvicorn.run(app, port=port, log_level="error", **options)
