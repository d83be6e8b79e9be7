# SPDX-License-Identifier: MIT
"""Reads a timeline page, following the description in user/view/page/page.h."""

import base64
import html
import json
import re
import zlib
from collections import Counter

BLOB = re.compile(
    r'<script type="application/octet-stream" id="([a-z0-9-]+)">([A-Za-z0-9+/=]*)</script>\n'
)
TEXT = re.compile(
    r'<noscript><pre class="report" tabindex="0">([^<>]*)</pre></noscript>\n', re.DOTALL
)
ASLEEP = {"blocked", "held_blocked", "idle"}
MASK, GC, THROTTLED, SAMPLED = 0x0F, 0x10, 0x20, 0x40
WHOLE, REQUESTED, HANDOFF, ONGOING = 1, 2, 4, 2
FULL = 1


class Columns:
    """A blob of numbers, read from its front."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def numbers(self, count):
        return [self.number() for _ in range(count)]

    def bytes(self, count):
        self.at += count
        assert self.at <= len(self.data)
        return list(self.data[self.at - count : self.at])

    def end(self):
        assert self.at == len(self.data)


def blobs(text):
    found = BLOB.findall(text)
    assert len(dict(found)) == len(found)
    return {name: zlib.decompress(base64.b64decode(data, validate=True)) for name, data in found}


class Page:
    """`blobs` by id, `text` for browsers without JavaScript; `outside` is what is around them.
    Times in lanes count from the begin of the window."""

    def __init__(self, text):
        self.blobs = blobs(text)
        (self.text,) = map(html.unescape, TEXT.findall(text))
        self.outside = TEXT.sub("", BLOB.sub("", text))
        self.head = json.loads(self.blobs["head"])
        self.report = json.loads(self.blobs["report"])
        self.nodes, self.stacks = self._stacks()

    def _stacks(self):
        columns = Columns(self.blobs["stacks"])
        count = columns.number()
        nodes = [None, *zip(columns.numbers(count), columns.numbers(count), columns.numbers(count))]
        count = columns.number()
        stacks = [
            None,
            *zip(
                columns.numbers(count),
                columns.bytes(count),
                columns.numbers(count),
                columns.numbers(count),
            ),
        ]
        columns.end()
        assert all(node[0] < number for number, node in enumerate(nodes) if node)
        return nodes, stacks

    def _lane(self, lane):
        columns = Columns(self.blobs[f"lane-{lane}"])
        return columns, columns.number()

    def frames(self, stack):
        """The frames of a stack number: [{function, file, line, and source if it is known}],
        innermost first; [] for an unknown stack."""
        frames, node = [], self.stacks[stack][0] if stack else 0
        while node:
            node, function, line = self.nodes[node]
            name, file, *_ = self.head["functions"][function]
            frame = {"function": name if function else "?", "file": file, "line": line}
            source = self.head["sources"].get(f"{function}:{line}")
            frames.append(frame | ({"source": source} if source and line else {}))
        return frames

    def states(self, thread):
        """[(start, end, state, flags, system call or None)]"""
        columns, count = self._lane(thread["states"])
        at, spans = columns.number() if count else 0, []
        flags, lengths = columns.bytes(count), columns.numbers(count)
        for flag, length in zip(flags, lengths):
            state = self.head["states"][flag & MASK]
            spans.append(
                (
                    at,
                    at + length,
                    state,
                    flag & ~MASK,
                    columns.number() - 6 if state in ASLEEP else None,
                )
            )
            at += length
        columns.end()
        return spans

    def stack_spans(self, thread):
        """[(start, end, stack, task)]"""
        columns, count = self._lane(thread["stacks"])
        at, spans = columns.number() if count else 0, []
        for length, stack, task in zip(
            columns.numbers(count), columns.numbers(count), columns.numbers(count)
        ):
            spans.append((at, at + length, stack, self.head["texts"][task]))
            at += length
        columns.end()
        return spans

    def clock(self, thread):
        """[(time, stack)]"""
        columns, count = self._lane(thread["clock"])
        at, samples = 0, []
        for gap, stack in zip(columns.numbers(count), columns.numbers(count)):
            at += gap
            samples.append((at, stack))
        columns.end()
        return samples

    def holds(self, gil):
        """[(start, end, thread, flags)]"""
        columns, count = self._lane(gil["holds"])
        return self._behind_gaps(
            columns, count, columns.numbers(count), columns.numbers(count), columns.numbers(count)
        )

    def turns(self, loop):
        """[(start, end, None, flags)]"""
        columns, count = self._lane(loop["turns"])
        return self._behind_gaps(
            columns, count, columns.numbers(count), columns.numbers(count), [None] * count
        )

    def busy(self, pool):
        """[(start, end, busy, idle, unknown, flags)]"""
        columns, count = self._lane(pool["busy"])
        at, spans = columns.number() if count else 0, []
        flags, lengths = columns.bytes(count), columns.numbers(count)
        for length, flag, *threads in zip(
            lengths, flags, *(columns.numbers(count) for _ in range(3))
        ):
            spans.append((at, at + length, *threads, flag))
            at += length
        columns.end()
        return spans

    @staticmethod
    def _behind_gaps(columns, count, gaps, lengths, whose):
        at, spans = 0, []
        for gap, length, who, flags in zip(gaps, lengths, whose, columns.bytes(count)):
            spans.append((at + gap, at + gap + length, who, flags))
            at += gap + length
        columns.end()
        return spans


def sums(spans):
    """Total time by the spans' third field."""
    total = Counter()
    for start, end, what, *_ in spans:
        total[what] += end - start
    return total


def overlap(spans, start, end):
    """The parts of spans inside [start, end)."""
    return [
        (max(span[0], start), min(span[1], end), *span[2:])
        for span in spans
        if span[0] < end and span[1] > start
    ]
