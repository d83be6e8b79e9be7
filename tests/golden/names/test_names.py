# SPDX-License-Identifier: MIT
"""Recordings with more names than are kept at a time. Between the lines of a script come so many
other functions, stacks and texts that all that nobody refers to is forgotten, again and again; and
what the script needs later is defined anew, as a recorder does. The report says the same. (Events
that mean nothing come with them: what a recording says is put in order by its last events, and
definitions do not wait for that.)"""

import json
import re
import subprocess

import pytest

from test_exports import WITH_STACKS
from test_golden import EXIT_OK, EXIT_PARTIAL, GILSCOPE

# more than are kept, and three frames for each stack
TEXTS, STACKS, FRAMES = 82_000, 100_000, 3
FIELDS = {"stack": "stack", "task": "text", "text": "text", "native": "function"}
FIELD = re.compile(r"\b(stack|task|text|native)=(\d+)")


class Flooded:
    """A script that is written anew: its definitions have other numbers."""

    def __init__(self, floods):
        self.lines, self.known, self.numbers = [], {}, {}
        self.count = {"function": 0, "stack": 0, "text": 0, "source": 0}
        self.floods = floods

    def next(self, kind):
        self.count[kind] += 1
        return self.count[kind]

    def flood(self, ts):
        """Forgets all numbers: they are too old now."""
        self.floods += 1
        put, at = self.lines.append, self.floods
        for i in range(STACKS):
            if i % 2:
                put(f"{ts} 4000000 comm pid=4000000")
            if i < TEXTS:
                put(f"text {self.next('text')} text=other-{at}-{i}")
            frames = []
            for n in range(FRAMES):
                number = self.next("function")
                put(f"function {number} line={n + 1} name=other_{at}_{i} file=/other.py")
                frames.append(f"{number}:{n + 1}")
            put(f"stack {self.next('stack')} {' '.join(frames)}")
        self.numbers = {}

    def number(self, kind, old):
        """The new number of what the script calls so; it is defined if need be."""
        if old == "0" or (kind, old) not in self.known:
            return 0
        if (kind, old) not in self.numbers:
            words = self.known[kind, old]
            if kind == "stack":
                words = re.sub(r"(\d+):", lambda f: f"{self.number('function', f[1])}:", words)
            number = self.numbers[kind, old] = self.next(kind)
            self.lines.append(f"{kind} {number} {words}")
            for place, line in self.known.items():
                if kind == "function" and place[:2] == ("source", old):
                    self.source(line)
        return self.numbers[kind, old]

    def source(self, words):
        words = re.sub(
            r"function=(\d+)", lambda f: f"function={self.number('function', f[1])}", words
        )
        self.lines.append(f"source {self.next('source')} {words}")

    def define(self, kind, old, words):
        if kind == "source":
            function, line = (re.search(rf"{f}=(\d+)", words) for f in ("function", "line"))
            self.known["source", function[1], line and line[1]] = words
            if ("function", function[1]) in self.numbers:
                self.source(words)
        else:
            self.known[kind, old] = words

    def event(self, line):
        self.lines.append(FIELD.sub(lambda f: f"{f[1]}={self.number(FIELDS[f[1]], f[2])}", line))


def is_event(line):
    return line[:1].isdigit()


def flooded(script, times):
    """The script with that many floods among its events, the last before its last event."""
    lines = script.read_text().splitlines()
    events = sum(map(is_event, lines))
    where = {events * (n + 1) // times - 1 for n in range(times)}
    made, seen = Flooded(0), 0
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind in made.count:
            made.define(kind, *rest.partition(" ")[::2])
        elif is_event(line):
            if seen in where:
                made.flood(kind)
            made.event(line)
            seen += 1
        else:
            made.lines.append(line)
    return "\n".join(made.lines) + "\n"


def compared(text):
    """Without counts: stacks that were forgotten count again, and so do events that mean nothing.
    What costs the same has no order."""
    made = json.loads(text)
    del made["evidence"]["stacks"]["distinct"], made["evidence"]["events"]
    made["blame"].sort(key=json.dumps)
    return made


def report_of(path, *options):
    result = subprocess.run(
        [GILSCOPE, "report", "--json", *options, path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
    )
    assert result.returncode in (EXIT_OK, EXIT_PARTIAL), result.stderr.decode()
    return compared(result.stdout)


@pytest.mark.parametrize("script", WITH_STACKS, ids=lambda script: script.stem)
def test_however_many_names_there_are_the_report_has_all(script, tmp_path):
    path = tmp_path / "flooded.script"
    path.write_text(flooded(script, 2))
    assert report_of(path) == report_of(script)


PARTS = [s for s in WITH_STACKS if s.stem in ("blame", "locks", "pools", "slept_on", "deadlock")]


@pytest.mark.parametrize("script", PARTS, ids=lambda script: script.stem)
def test_a_part_has_the_names_of_what_was_defined_long_before_it(script, tmp_path):
    """Its begin says how threads are called, and where they sleep."""
    times = [line.split()[0] for line in script.read_text().splitlines() if is_event(line)]
    begin, part = float(times[0]), f"--from={float(times[-2]) - float(times[0]):.6f}s"
    assert begin
    path = tmp_path / "flooded.script"
    path.write_text(flooded(script, 2))
    assert report_of(path, part) == report_of(script, part)
