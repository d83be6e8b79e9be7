# SPDX-License-Identifier: MIT
"""The scripts with stacks, exported as flame graphs: compared with NAME.folded,
NAME.holders.folded, NAME.speedscope.json and NAME.pprof, and with the report."""

import gzip
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

from test_golden import (
    CASES,
    EXIT_OK,
    EXIT_PARTIAL,
    FORMATS,
    GILSCOPE,
    ROOT,
    SCRIPTS,
    compare,
    report,
)

# part of the speedscope application, which the browser tests install
SPEEDSCOPE_SCHEMA = (
    Path(GILSCOPE).parent / "browser/node_modules/speedscope/dist/release/file-format-schema.json"
)
WITH_STACKS = [script for script in SCRIPTS if '"stacks": true' in script.read_text()]
STATES = [
    "python",
    "native",
    "gil_wait",
    "held_blocked",
    "held_runnable",
    "blocked",
    "runnable",
    "idle",
    "unknown",
]
ALL = "--state=" + ",".join(STATES)


def export(script, form, *options):
    result = subprocess.run(
        [GILSCOPE, "export", "--format", form, *options, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert result.returncode in (EXIT_OK, EXIT_PARTIAL), result.stderr.decode()
    return result.stdout, result.stderr.decode()


def decoded(profile):
    """A profile, decoded by protoc with our .proto."""
    result = subprocess.run(
        [
            "protoc",
            "--decode=pprof.Profile",
            f"--proto_path={ROOT}/user/view/export",
            "pprof.proto",
        ],
        input=gzip.decompress(profile),
        capture_output=True,
        timeout=60,
        check=True,
    )
    return result.stdout.decode()


def parse_folded(text):
    """Parses like flamegraph.pl: the number after the last blank is the weight, semicolons separate
    frames."""
    stacks = []
    for line in text.splitlines():
        stack, weight = re.fullmatch(r"(.+) (\d+)", line).groups()
        stacks.append((stack.split(";"), int(weight)))
    return stacks


def reported_states(script):
    sums = Counter()
    for process in json.loads(report(script, "--json")[0])["processes"]:
        for thread in process["threads"]:
            sums.update(thread["states"])
    return +sums


@pytest.fixture(params=WITH_STACKS, ids=lambda path: path.stem)
def script(request):
    return request.param


@pytest.mark.parametrize(
    "suffix, form, options",
    [
        (".folded", "folded", []),
        (".holders.folded", "folded", ["--state=gil_wait", "--by=holder"]),
        (".speedscope.json", "speedscope", []),
    ],
)
def test_export_is_as_expected(request, script, suffix, form, options):
    compare(request, script.with_suffix(suffix), export(script, form, *options)[0].decode())


def test_pprof_is_as_expected(request, script):
    compare(request, script.with_suffix(".pprof"), decoded(export(script, "pprof")[0]))


def test_folded_adds_up_to_the_report(script):
    sums = Counter()
    for frames, weight in parse_folded(export(script, "folded", ALL)[0].decode()):
        assert len(frames) >= 4 and all(frame and frame.isprintable() for frame in frames)
        sums[frames[-1]] += weight
    assert sums == reported_states(script)


def test_one_state_alone_is_the_same_without_its_name(script):
    together = parse_folded(export(script, "folded", ALL)[0].decode())
    for state in STATES:
        alone = parse_folded(export(script, "folded", f"--state={state}")[0].decode())
        assert [(frames + [state], weight) for frames, weight in alone] == [
            (frames, weight) for frames, weight in together if frames[-1] == state
        ]


def test_both_directions_of_a_wait_weigh_the_same(script):
    weights = [
        sum(
            weight
            for _, weight in parse_folded(
                export(script, "folded", "--state=gil_wait", f"--by={by}")[0].decode()
            )
        )
        for by in ("waiter", "holder")
    ]
    assert weights[0] == weights[1] == reported_states(script)["gil_wait"]


def test_speedscope_adds_up_to_the_report_and_refers_to_what_is_there(script):
    found = json.loads(export(script, "speedscope", ALL)[0])
    frames = found["shared"]["frames"]
    sums = {}
    for profile in found["profiles"]:
        assert (profile["type"], profile["unit"], profile["startValue"]) == (
            "sampled",
            "nanoseconds",
            0,
        )
        assert len(profile["samples"]) == len(profile["weights"])
        assert sum(profile["weights"]) == profile["endValue"]
        assert all(0 <= frame < len(frames) for sample in profile["samples"] for frame in sample)
        sums[profile["name"].split(":")[0]] = profile["endValue"]
    assert sums.pop("made_wait", 0) == sums.get("gil_wait", 0)
    assert sums == reported_states(script)
    for frame in frames:
        assert frame["name"] and set(frame) <= {"name", "file", "line"}


@pytest.mark.skipif(
    not SPEEDSCOPE_SCHEMA.exists(),
    reason="speedscope's schema is not installed (tools/install-deps test)",
)
def test_speedscope_keeps_its_schema(script):
    schema = json.loads(SPEEDSCOPE_SCHEMA.read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(json.loads(export(script, "speedscope", ALL)[0]))


def test_pprof_adds_up_to_the_report(script):
    text = decoded(export(script, "pprof", ALL)[0])
    texts = [
        json.loads(f'"{escaped}"')
        for escaped in re.findall(
            r'^string_table: "(.*)"$', re.sub(r"\\(\d{3}|')", "?", text), re.M
        )
    ]
    sums = Counter()
    for sample in re.findall(r"^sample \{\n(.*?)^\}", text, re.M | re.S):
        labels = {
            texts[int(key)]: texts[int(value)]
            for key, value in re.findall(r"key: (\d+)\s+str: (\d+)", sample)
        }
        assert set(labels) == {"thread", "handler", "state"}
        sums[labels["state"]] += int(re.search(r"^  value: (\d+)$", sample, re.M)[1])
    assert sums == reported_states(script)


def pprof(profile, *options):
    """What pprof itself prints about a profile. Its cache is put beside the profile."""
    result = subprocess.run(
        ["go", "tool", "pprof", *options, profile],
        capture_output=True,
        timeout=300,
        check=False,
        env={**os.environ, "GOTOOLCHAIN": "local", "PPROF_TMPDIR": str(profile.parent)},
    )
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout.decode()


def nanoseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(ns|us|ms|s)?", text).groups()
    return float(number) * {None: 1, "ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[unit]


@pytest.mark.skipif(not shutil.which("go"), reason="no go, whose pprof reads profiles")
def test_pprof_itself_reads_it(script, tmp_path):
    profile = tmp_path / "profile.pb.gz"
    profile.write_bytes(export(script, "pprof", ALL)[0])
    samples = re.findall(r"^ +(\d+): ", pprof(profile, "-raw").split("Locations")[0], re.M)
    assert sum(map(int, samples)) == sum(reported_states(script).values())


@pytest.mark.skipif(not shutil.which("go"), reason="no go, whose pprof reads profiles")
def test_pprof_itself_adds_up_what_speedscope_has(script, tmp_path):
    profile = tmp_path / "profile.pb.gz"
    profile.write_bytes(export(script, "pprof", ALL)[0])
    own, whole = Counter(), Counter()
    found = json.loads(export(script, "speedscope", ALL, "--by=waiter")[0])
    for sample, weight in [
        pair for each in found["profiles"] for pair in zip(each["samples"], each["weights"])
    ]:
        names = [found["shared"]["frames"][frame]["name"] for frame in sample]
        own[names[-1]] += weight
        whole.update({name: weight for name in set(names)})
    rows = re.findall(
        r"^ *(\S+) +\S+% +\S+% +(\S+) +\S+%  (.*)$",
        pprof(profile, "-top", "-nodecount=10000", "-nodefraction=0", "-unit=ns"),
        re.M,
    )
    assert {name for _, _, name in rows} == set(whole)
    for flat, cum, name in rows:
        assert (nanoseconds(flat), nanoseconds(cum)) == (own[name], whole[name]), name


def test_every_format_has_expected_output():
    assert [f for f in FORMATS if f != "trace" and not [*CASES.glob(f"*.{f}*")]] == []


def test_a_trace_is_the_script_again(script, tmp_path):
    trace = tmp_path / "it.gsc"
    trace.write_bytes(export(script, "trace")[0])
    assert export(trace, "script")[0] == export(script, "script")[0] != b""


def test_the_help_explains_every_format():
    page = subprocess.check_output([GILSCOPE, "export", "--help"], text=True)
    words = re.search(r"--format=FORMAT(.*?)^ +-o,", page, re.M | re.S)[1]
    assert [form for form in FORMATS if not re.search(rf"\b{form}\b[^;]*:\s", words)] == []


@pytest.mark.parametrize("form", FORMATS)
def test_a_full_disk_is_no_success(form):
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            [GILSCOPE, "export", "--format", form, SCRIPTS[0]],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert result.returncode == 1 and b"No space left on device" in result.stderr


@pytest.mark.parametrize("words", [[], ["--format", "foo"]], ids=["none", "unknown"])
def test_the_formats_are_named_when_there_is_none(words):
    result = subprocess.run(
        [GILSCOPE, "export", *words, SCRIPTS[0]],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    names = f"--format {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
    assert result.returncode == 2 and names in result.stderr


def test_stderr_says_what_is_exact(script):
    out, err = export(script, "folded", ALL)
    assert re.search(r"^gilscope: Exact: .*\b(blocking call|idle)\b", err, re.M) and re.search(
        r"^gilscope: Sampled \(199 Hz, \d+ samples\): (running Python|C code)", err, re.M
    )
    assert b"exact" not in out


@pytest.mark.parametrize(
    "form, option, words",
    [
        ("folded", "--state=gil_wiat", "'gil_wiat' is not a state"),
        ("folded", "--state=python,", "'' is not a state"),
        ("folded", "--by=both", "waiter or holder"),
        ("script", "--state=python", "'script' is the whole recording"),
        ("trace", "--by=holder", "'trace' is the whole recording"),
        ("script", "--app-root=/srv", "'script' is the whole recording"),
        (
            "perfetto",
            "--state=python",
            "--state and --by choose among stacks; 'perfetto' is the whole recording",
        ),
    ],
)
def test_choices_that_make_no_sense_are_refused(form, option, words):
    result = subprocess.run(
        [GILSCOPE, "export", "-f", form, option, SCRIPTS[0]],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 2 and words in result.stderr.decode() and not result.stdout
