# SPDX-License-Identifier: MIT
"""The lessons of docs/why-does-sync-not-block.md: what each asks examples/app.py for, and what of
gilscope's answer it shows. tools/tutorial makes them, tools/lint/tutorial compares the page."""

from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/why-does-sync-not-block.md"
PICTURES = ROOT / "docs/pictures"
EXAMPLES = Path("/tmp/app")  # app.py is copied there: a short path, so that lines do not wrap
PORT = 8000
COLUMNS = 100
MS = 1_000_000
THEMES = ("light", "dark")
LOOP, WORKER, POOL = "MainThread", "AnyIO worker thread", "AnyIO's pool"


def mark(words, lane, row="states", **where):
    """A label in a picture; tools/annotate.mjs says what it may point to."""
    return {"words": words, "lane": lane, "row": row, **where}


@dataclass
class Lesson:
    path: str  # what is asked for …
    second: str = ""  # … and what at the same time, …
    times: int = 1  # … so many times at once
    innocent: str = ""  # what is asked for shortly after
    sections: tuple = ()  # of the whole report, in addition to its first screen
    until: str = WORKER  # the last lane of the picture
    stall: bool = False  # the picture is of the longest one, chosen
    near_ns: int = 0  # the picture is of so much out of the middle
    marks: list = field(default_factory=list)

    def paths(self):
        return [self.path] * self.times + ([self.second] if self.second else [])

    def commands(self):
        """The requests as shell commands, the innocent one last."""
        asked = f"curl 'localhost:{PORT}{self.path}'"
        if self.times > 1:
            asked = f"for i in $(seq {self.times}); do {asked} & done"
        if self.second:
            asked += f" & curl 'localhost:{PORT}{self.second}'"
        return [asked, f"curl localhost:{PORT}{self.innocent}"] if self.innocent else [asked]


LESSONS = {
    "async-cpu": Lesson(
        "/async-cpu?n=8000000",
        stall=True,
        until=LOOP,
        marks=[
            mark("nobody waits for the GIL", "GIL", "waiters", at=0.25),
            mark("one iteration, all of it Python", LOOP, state="python", at=0.6),
        ],
    ),
    "sync": Lesson(
        "/sync?n=20000000",
        sections=("GIL",),
        near_ns=45 * MS,
        marks=[
            mark("the loop waits 5 ms for the GIL …", LOOP, state="gil_wait"),
            mark("… and gets it", "GIL", "hold", of=LOOP, state="gil_wait", at=1.01),
            mark("sync computes, and pauses while the loop has the GIL", WORKER, state="python"),
        ],
    ),
    "two-syncs": Lesson(
        "/sync?n=10000000",
        second="/sync?n=10000001",
        sections=("GIL",),
        near_ns=60 * MS,
        marks=[
            mark("the GIL changes hands every 5 ms", "GIL", "hold", at=0.3),
            mark("the loop waits longer than 5 ms", LOOP, state="gil_wait", at=0.6),
            mark("two threads, of which one computes", WORKER, number=1, state="python"),
        ],
    ),
    "sync-sleep": Lesson(
        "/sync-sleep?seconds=0.5",
        marks=[
            mark("the GIL is free", "GIL", "hold", of=WORKER, state="blocked", at=0.3),
            mark("the loop serves pings, and is idle", LOOP, at=0.6),
            mark("sync_sleep sleeps, without the GIL", WORKER, state="blocked"),
        ],
    ),
    "pool": Lesson(
        "/sync-sleep?seconds=0.5",
        times=80,
        innocent="/sync-ping",
        sections=("POOLS of threads",),
        until=POOL,
        marks=[
            mark("the GIL is free, and the loop idle", LOOP, at=0.4),
            mark("all 40 threads are busy: the next request waits", POOL, "busy", at=0.4),
        ],
    ),
    "async-sleep-blocking": Lesson(
        "/async-sleep-blocking?seconds=0.5",
        stall=True,
        until=LOOP,
        marks=[
            mark("the GIL is free", "GIL", "hold", of=LOOP, state="blocked", at=0.3),
            mark("the loop's own thread sleeps", LOOP, state="blocked", at=0.6),
        ],
    ),
    "hash": Lesson(
        "/hash?megabytes=400",
        marks=[
            mark("the loop serves pings", LOOP, at=0.6),
            mark("sha256() computes without the GIL", WORKER, at=0.5),
        ],
    ),
    "dumps": Lesson(
        "/dumps?n=3000000",
        stall=True,
        marks=[
            mark("a worker thread has the GIL", "GIL", "hold", of=LOOP, state="gil_wait", at=0.3),
            mark("the loop waits for it", LOOP, state="gil_wait", at=0.7),
            mark("json.dumps() computes, and does not release the GIL", WORKER, at=0.7),
        ],
    ),
    "c-gil": Lesson(
        "/c-gil?seconds=0.5",
        stall=True,
        sections=("STALL",),
        marks=[
            mark("a worker thread has the GIL", "GIL", "hold", of=LOOP, state="gil_wait", at=0.3),
            mark("the loop waits for it", LOOP, state="gil_wait", at=0.7),
            mark(
                "c_gil sleeps, and does not release the GIL", WORKER, state="held_blocked", at=0.7
            ),
        ],
    ),
    "process-pool": Lesson(
        "/process-pool?n=10000000",
        until=LOOP,
        marks=[
            mark("the GIL is free", "GIL", "hold", at=0.4),
            mark("the loop serves pings, and is idle", LOOP, at=0.6),
        ],
    ),
}
