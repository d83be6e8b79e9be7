# SPDX-License-Identifier: MIT
"""The truth an application writes about itself, to be laid over what gilscope says.

A mark is a stretch of one thread's life with a known cause. Its times are time.monotonic_ns(), the
clock of gilscope's records. Marking must not disturb what is marked: a mark costs two clock
readings on each side and one append to a list; nothing is written before the end.

A *place* is where a stack must show the work: {"function", "file", "lines"}, the function's name as
the version has it (qualified from 3.11 on) and the lines that it may be at. A *handler* is
{"function", "file", "role"}.
"""

import dis
import json
import linecache
import sys
import threading
import time


def name_of(code):
    return getattr(code, "co_qualname", code.co_name)


def place(function, at=None):
    """The place of a function or code object: any line of its own, or the only one that contains
    the text `at`."""
    code = getattr(function, "__code__", function)
    lines = sorted({line for _, line in dis.findlinestarts(code) if line})
    if at:
        lines = [line for line in lines if at in linecache.getline(code.co_filename, line)]
        if len(lines) != 1:
            raise ValueError(f"{name_of(code)}: {at!r} is on lines {lines}")
    return {"function": name_of(code), "file": code.co_filename, "lines": lines}


def inner(function, name):
    """The code of the function of that name that is defined inside another one."""
    return next(
        constant
        for constant in function.__code__.co_consts
        if getattr(constant, "co_name", None) == name
    )


def handler(function, role):
    code = getattr(function, "__code__", function)
    return {"function": name_of(code), "file": code.co_filename, "role": role}


def caller(role, depth=1):
    """The handler that is the caller of the function that asks, or an outer one."""
    return handler(sys._getframe(depth + 1).f_code, role)


class Mark:
    """One stretch, as a context manager: `with marks.mark("name", "blocked") as mark: …`.

    t0_ns, t1_ns    the first and the last instant inside
    cpu_ns          CPU time the thread used between them
    from_ns         when the cause began, if that is later than t0_ns (the handler first has to set
                    its trap)
    blocker         tid of the thread that is to blame, 0 for none
    place           of the innermost frame of the application in this thread; None: it is unknown
    handler         whose work it is; None: it is unknown
    holder          for gil_wait {"place", "handler"} of who is to blame
    thread          threading.Thread.name of this thread
    """

    __slots__ = (
        "name",
        "cause",
        "t0_ns",
        "t1_ns",
        "cpu_ns",
        "from_ns",
        "blocker",
        "tid",
        "thread",
        "place",
        "handler",
        "holder",
        "_rows",
    )

    def __init__(self, rows, name, cause, place=None, handler=None, holder=None):
        self._rows, self.name, self.cause = rows, name, cause
        self.place, self.handler, self.holder = place, handler, holder
        self.from_ns = self.blocker = 0
        self.tid, self.thread = threading.get_native_id(), threading.current_thread().name

    def __enter__(self):
        self.cpu_ns = time.thread_time_ns()
        self.t0_ns = time.monotonic_ns()
        return self

    def __exit__(self, kind, value, traceback):
        self.t1_ns = time.monotonic_ns()
        self.cpu_ns = time.thread_time_ns() - self.cpu_ns
        self.from_ns = self.from_ns or self.t0_ns
        self._rows.append(self)

    def row(self):
        return {key: getattr(self, key) for key in self.__slots__ if not key.startswith("_")}


class Marks:
    """All marks of a process. list.append is atomic, so every thread may mark."""

    def __init__(self):
        self._rows = []

    def mark(self, name, cause, **names):
        return Mark(self._rows, name, cause, **names)

    def rows(self):
        return [mark.row() for mark in self._rows]

    def save(self, path):
        """Writes one JSON object a line."""
        with open(path, "w") as file:
            for row in self.rows():
                file.write(json.dumps(row) + "\n")
