# SPDX-License-Identifier: MIT
"""Names with every kind of character that is invisible or affects its neighbours: none appears raw
in gilscope's output."""

import gzip
import json
import re
import subprocess
import unicodedata

import pytest

from page import BLOB, blobs
from test_golden import EXIT_OK, EXIT_PARTIAL, FORMATS, GILSCOPE

CATEGORIES = ("Cc", "Cf", "Zl", "Zp")
MARK = "Zq"
# no readable names: pprof is compressed (see below), a trace keeps names unchanged
OPAQUE = ("pprof", "trace")
CHARACTERS = [
    chr(code) for code in range(1, 0x110000) if unicodedata.category(chr(code)) in CATEGORIES
]
# one of each range and some more: a name has room for 1023 bytes
SHOWN = [
    c
    for i, c in enumerate(CHARACTERS)
    if ord(c) < 0xA0 or i % 7 == 0 or ord(c) - 1 != ord(CHARACTERS[i - 1])
]
HALVES = [SHOWN[0::2], SHOWN[1::2]]


def script_word(text):
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


def script():
    names = [script_word("".join(MARK + character for character in half)) for half in HALVES]
    lines = [
        'gilscope-script 1 {"version": "0.2.0", "mode": "exact", "stacks": true, "rate_hz": 199}'
    ]
    command = "".join(MARK + character for character in CHARACTERS[::2])[:200]
    lines.append(
        "process "
        + json.dumps(
            {
                "pid": 100,
                "cmdline": script_word(command),
                "python": "3.11.2",
                "gc": "samples",
                "machine": "x86_64",
            }
        )
    )
    lines += [
        f"function {i + 1} line=3 name={names[i]} file=/srv/{names[1 - i]}.py" for i in (0, 1)
    ]
    lines += [f"text {i + 1} text={names[i]}" for i in (0, 1)]
    lines += ["stack 1 1:4 2:1", "stack 2 2:4 1:1"]
    lines += ["100.0 100 gil gil=0 address=0x1000", "100.0 100 epoll wakeup epfd=3 kind=1"]
    for tid in (100, 101):
        comm = script_word(
            "".join(MARK + character for character in "\x1b\u009b\u202e\u200b"[tid % 2 :: 2])
        )
        lines += [
            f"100.0 {tid} thread python pid=100 nstid={tid}",
            f"100.0 {tid} comm pid=100 comm={comm}",
            f"100.0 {tid} python_name text={tid - 99}",
        ]
    lines += [
        "100.0 0 window",
        "100.0 100 observe gil=0 definite",
        "100.0 100 state asleep syscall epoll sysno=232 epfd=3",
        "100.0 101 state asleep syscall sysno=202",
        "100.005 100 wake cpu=0",
        "100.00501 100 switch_in cpu=0",
        "100.00502 100 epoll_exit epfd=3 ret=1",
        "100.00503 101 wake cpu=1",
        "100.00504 101 switch_in cpu=1",
        "100.00505 101 take gil=0",
        "100.00506 101 stack gil=0 clock stack=2 task=2",
        "100.00507 100 stack gil=0 wait stack=1 task=1",
        "100.00508 100 wait gil=0",
        "100.1 101 stack gil=0 clock stack=2 task=2",
        "100.2 101 drop gil=0",
        "100.20001 100 wait_end gil=0",
        "100.20002 100 take gil=0",
        "100.20003 100 stack gil=0 clock stack=1 task=1",
        "100.21 100 drop gil=0",
        "100.22 100 epoll_enter epfd=3 timeout_ms=-1",
        "100.23 0 window end",
    ]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module", name="recording")
def make_recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("unseen") / "unseen.script"
    path.write_text(script())
    return path


def output(*arguments):
    result = subprocess.run(
        [GILSCOPE, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert result.returncode in (EXIT_OK, EXIT_PARTIAL), result.stderr.decode()
    return result.stdout, result.stderr


def raw_characters(written):
    return [
        f"U+{ord(character):04X}" for character in SHOWN if (MARK + character).encode() in written
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["report"],
        ["report", "--all"],
        ["report", "--json"],
        *(["export", "--format", form] for form in FORMATS if form not in OPAQUE),
        ["timeline", "-o", "-"],
        ["flame", "-o", "-"],
    ],
    ids=" ".join,
)
def test_nothing_unseen_is_raw(recording, arguments):
    written, messages = output(*arguments, recording)
    if MARK.encode() not in written and not BLOB.search(written.decode()):
        pytest.fail("it shows no names; a format that has none in the open belongs to OPAQUE")
    # in protobuf the tag that follows a text cut at a mark may be 0x0a
    assert set(raw_characters(written)) <= ({"U+000A"} if "perfetto" in arguments else set())
    assert raw_characters(messages) == []


def test_nothing_unseen_is_raw_in_what_pages_and_profiles_carry(recording, tmp_path):
    for command in ("timeline", "flame"):
        page = output(command, "-o", "-", recording)[0].decode()
        texts = [blob for name, blob in blobs(page).items() if name in ("report", "head")]
        assert any(MARK.encode() in text for text in texts), command
        assert not any(raw_characters(text) for text in texts)
    profile = gzip.decompress(output("export", "--format", "pprof", recording)[0])
    assert MARK.encode() in profile and raw_characters(profile) == []
    output("flame", "-o", tmp_path / "flame.svg", recording)
    picture = (tmp_path / "flame.svg").read_bytes()
    assert MARK.encode() in picture and raw_characters(picture) == []


def test_json_keeps_the_names(recording):
    found = json.loads(output("report", "--json", recording)[0])
    names = {
        frame["function"]
        for process in found["processes"]
        for loop in process["loops"]
        for stall in loop["stalls"]
        for frame in stall["stack"]
    }
    assert names == {"".join(MARK + character for character in half) for half in HALVES}
    # the escapes that people are shown must not be in JSON
    assert not re.search(r"\\\\x", json.dumps(sorted(names)))
