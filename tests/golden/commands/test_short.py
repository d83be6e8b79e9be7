# SPDX-License-Identifier: MIT
"""report --summary and --markdown: short, in figures of the JSON report, and without markup from
names."""

import json
import re
import subprocess

import pytest

from test_golden import CASES, GILSCOPE, SCRIPTS, compare

SUMMARY_LINES = 8


def report(script, *options):
    done = subprocess.run(
        [GILSCOPE, "report", *options, script], capture_output=True, text=True, timeout=60
    )
    assert done.returncode in (0, 4, 5), done.stderr
    return done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_summary_has_eight_lines(script):
    lines = report(script, "--summary").splitlines()
    assert 2 <= len(lines) <= SUMMARY_LINES and all(line.strip() for line in lines)
    assert all(len(line) <= 300 for line in lines)
    data = json.loads(report(script, "--json"))
    findings = [line for line in lines if re.match(r"\d+  ", line)]
    assert len(findings) == min(len(data["findings"]), SUMMARY_LINES - 4)
    stalls = [stall for p in data["processes"] for loop in p["loops"] for stall in loop["stalls"]]
    said = re.search(r"unresponsive for .*?: (\d+) stalls?[,;]", "\n".join(lines))
    assert int(said[1] if said else 0) == len(stalls)
    partial = [line for line in lines if line.startswith("Data is missing")]
    assert bool(partial) == data["partial"]


@pytest.mark.parametrize("form", ["summary", "markdown"])
@pytest.mark.parametrize("name", ["blame", "quiet", "lost", "two_processes", "hostile_names"])
def test_it_is_as_expected(request, name, form):
    expected = CASES / "short" / f"{name}.{form}"
    expected.parent.mkdir(exist_ok=True)
    compare(request, expected, report(CASES / f"{name}.script", f"--{form}"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_markdown_has_no_markup_but_ours(script):
    text = report(script, "--markdown")
    ours = re.sub(r"\\.", "", text)
    assert set(re.findall(r"<[^>]*>?", ours)) <= {
        "<details>",
        "</details>",
        "<summary>",
        "</summary>",
        "<!-- -->",
    }
    assert "](" not in ours and "\x1b" not in text
    assert ours.count("`") % 2 == 0
    for line in text.splitlines():
        if line.startswith("|"):
            assert re.sub(r"\\.", "", line).count("|") == 5, line
    data = json.loads(report(script, "--json"))
    assert len(re.findall(r"^\d+\. ", text, re.M)) == len(data["findings"])


@pytest.mark.parametrize(
    "name, written",
    [
        ("__x__*b*", r"\_\_x\_\_\*b\*"),
        ("[l](u)<i>|", r"\[l\](u)\<i\>\|"),
        ("a_b`@ada~#1", r"a_b\`@<!-- -->ada\~\#1"),
        ("&amp;$m$!", r"\&amp;\$m\$\!"),
    ],
)
def test_names_become_no_markup(name, written, tmp_path):
    script = (CASES / "blame.script").read_text()
    assert "async_sleep_blocking" in script
    (tmp_path / "x.script").write_text(script.replace("async_sleep_blocking", name))
    text = report(tmp_path / "x.script", "--markdown")
    assert f"1. {written}\xa0(" in text, text


@pytest.mark.parametrize("words", [["--json", "--summary"], ["--markdown", "-j"]], ids=" ".join)
def test_one_form_at_a_time(words):
    done = subprocess.run(
        [GILSCOPE, "report", *words, CASES / "blame.script"], capture_output=True, text=True
    )
    assert done.returncode == 2 and "only one of" in done.stderr and not done.stdout
