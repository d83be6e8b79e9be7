# SPDX-License-Identifier: MIT
"""Writes down who called."""

import importlib.metadata
import os
import sys
import threading

PATHS = [
    (os.path.dirname(os.path.abspath(__file__)), "/srv/app"),
    (sys.prefix, "/srv/venv"),
    (sys.base_prefix, "/usr/local"),
]
if sys.prefix == sys.base_prefix:
    PATHS = PATHS[:1]
PACKAGES = (
    "fastapi starlette uvicorn uvloop anyio aiohttp django flask werkzeug gunicorn a2wsgi "
    "asgiref".split()
)

functions = {}
taken = set()
lock = threading.RLock()
output = os.fdopen(os.dup(1), "w")  # frameworks may write to stdout too
os.dup2(2, 1)
suite = ""  # what runs now


def path(file):
    for real, common in PATHS:
        if file.startswith(real + "/"):
            return common + file[len(real) :]
    return file


def here(role, handler=None, case=None):
    """The stack of the caller is one of this role; `handler` is the function to be found, the
    caller when not told."""
    frame = sys._getframe(1)
    handler = handler or frame.f_code.co_name
    numbers = []
    case = case or frame.f_code.co_name
    with lock:
        if not functions:
            environment()
        while frame:
            code = frame.f_code
            key = (getattr(code, "co_qualname", code.co_name), path(code.co_filename))
            if key not in functions:
                functions[key] = len(functions) + 1
                print("function %d %s\t%s" % (functions[key], *key), file=output)
            numbers.append(str(functions[key]))
            frame = frame.f_back
        line = "stack %s:%s %s %s %s" % (suite, case, role, handler, " ".join(numbers))
        if line not in taken:
            taken.add(line)
            print(line, file=output, flush=True)


def helper(*args, **kwargs):
    """What a handler calls is not the handler."""
    return here(*args, **kwargs)


def environment():
    packages = (name + " " + importlib.metadata.version(name) for name in PACKAGES if has(name))
    print("environment python %d.%d.%d" % sys.version_info[:3], *packages, file=output)


def has(name):
    try:
        importlib.metadata.version(name)
        return True
    except importlib.metadata.PackageNotFoundError:
        return False
