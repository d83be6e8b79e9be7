# SPDX-License-Identifier: MIT
"""The truth an application writes about itself, to be laid over what gilscope says.

A mark is a stretch of one thread's life with a known cause. Its times are time.monotonic_ns(), the clock of gilscope's records. Marking must not
disturb what is marked: a mark costs two clock readings on each side and one append to a list; nothing is written before the end.
"""
import json
import threading
import time


class Mark:
    """One stretch, as a context manager: `with marks.mark("name", "blocked") as mark: …`.

    t0_ns, t1_ns    the first and the last instant inside
    cpu_ns          CPU time the thread used between them
    from_ns         when the cause began, if that is later than t0_ns (the handler first has to set its trap)
    blocker         tid of the thread that is to blame, 0 for none
    """

    __slots__ = ("name", "cause", "t0_ns", "t1_ns", "cpu_ns", "from_ns", "blocker", "tid", "_rows")

    def __init__(self, rows, name, cause):
        self._rows, self.name, self.cause = rows, name, cause
        self.from_ns = self.blocker = 0
        self.tid = threading.get_native_id()

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

    def mark(self, name, cause):
        return Mark(self._rows, name, cause)

    def rows(self):
        return [mark.row() for mark in self._rows]

    def save(self, path):
        """Writes one JSON object a line."""
        with open(path, "w") as file:
            for row in self.rows():
                file.write(json.dumps(row) + "\n")
