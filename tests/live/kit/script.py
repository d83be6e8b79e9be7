# SPDX-License-Identifier: MIT
"""Reads Python stacks from a text script (gilscope export --format script)."""

import bisect
import collections
import re


class Frame:
    """function is None if its code could not be read."""

    __slots__ = ("function", "file", "line")

    def __init__(self, function, file, line):
        self.function, self.file, self.line = function, file, line

    def __repr__(self):
        return f"{self.function} ({self.file}:{self.line})"


class Stack:
    """One sampled stack. frames: innermost first, None where nothing could be read. flags: their
    names in docs/trace-format.md. task: a text or ""."""

    __slots__ = ("ts", "tid", "flags", "frames", "cut", "task", "root")

    def __repr__(self):
        return (
            f"{self.ts} {self.tid} {' '.join(sorted(self.flags))}: "
            f"{self.frames}{' (cut)' if self.cut else ''}"
        )


def unescape(word):
    raw = re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), word.encode())
    return raw.decode(errors="surrogateescape")


def nanoseconds(seconds):
    whole, _, part = seconds.partition(".")
    return int(whole) * 10**9 + int(part.ljust(9, "0"))


def fields_of(words):
    return dict(word.split("=", 1) for word in words if "=" in word)


class Script:
    """stacks: all of them, in order of time. names: {tid: [names in Python]}. holder(ts): tid of
    the GIL's holder at that time, or 0; in modes other than exact only where a waiter has just seen
    it.

    waits, sleeps: {tid: [times]} at which a thread began to wait for the GIL, and at which it went
    to sleep.
    """

    def __init__(self, text):
        self.stacks, self.names, self.functions, self.texts, self.definitions = (
            [],
            {},
            {},
            {0: ""},
            {},
        )
        self.waits, self.sleeps = collections.defaultdict(list), collections.defaultdict(list)
        self._changes, self._holders = [0], [0]
        for line in text.split("\n"):
            words = line.split(" ")
            if words[0] in ("function", "stack", "text"):
                self._define(*words)
            elif len(words) > 2 and words[2] in ("stack", "python_name"):
                self._event(*words)
            elif len(words) > 2 and words[2] in ("take", "drop"):
                self._changes.append(nanoseconds(words[0]))
                self._holders.append(int(words[1]) if words[2] == "take" else 0)
            elif len(words) > 2 and words[2] == "observe" and "definite" in words:
                self._changes.append(nanoseconds(words[0]))
                self._holders.append(int(fields_of(words).get("holder", 0)))
            elif len(words) > 2 and words[2] == "wait":
                self.waits[int(words[1])].append(nanoseconds(words[0]))
            elif len(words) > 2 and words[2] == "switch_out" and "runnable" not in words:
                self.sleeps[int(words[1])].append(nanoseconds(words[0]))

    def holder(self, ts):
        return self._holders[bisect.bisect_right(self._changes, ts) - 1]

    def _define(self, kind, number, *words):
        if kind == "stack":
            frames = [tuple(map(int, word.split(":"))) for word in words if word != "cut"]
            self.definitions[int(number)] = ("cut" in words, frames)
            return
        fields = fields_of(words)
        if kind == "text":
            self.texts[int(number)] = unescape(fields["text"])
        else:
            self.functions[int(number)] = (
                unescape(fields["name"]),
                unescape(fields["file"]),
                int(fields.get("line", 0)),
            )

    def _event(self, seconds, tid, kind, *words):
        fields = fields_of(words)
        if kind == "python_name":
            self.names.setdefault(int(tid), []).append(self.texts[int(fields.get("text", 0))])
            return
        stack = Stack()
        stack.ts, stack.tid, stack.flags = (
            nanoseconds(seconds),
            int(tid),
            {word for word in words if "=" not in word},
        )
        stack.task, stack.root = (
            self.texts[int(fields.get("task", 0))],
            int(fields.get("root", "0"), 0),
        )
        stack.cut, frames = self.definitions.get(int(fields.get("stack", 0)), (False, None))
        stack.frames = frames and [
            Frame(*self.functions.get(function, (None, "", 0))[:2], line)
            for function, line in frames
        ]
        self.stacks.append(stack)
