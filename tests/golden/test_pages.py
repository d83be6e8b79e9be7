# SPDX-License-Identifier: MIT
"""The timeline page of every script: its lanes agree with `report --json` to the nanosecond, and
its sentences with the text report.

The page is read by page.py. The build with sanitizers must write the very same bytes.
"""

import html.parser
import json
import os
import re
import subprocess
from collections import Counter

import pytest

import page as reader
from page import FULL, GC, HANDOFF, ONGOING, REQUESTED, SAMPLED, THROTTLED, WHOLE, Page
from test_golden import (
    CHEAP,
    EXIT_OK,
    EXIT_PARTIAL,
    EXIT_UNSUPPORTED,
    GILSCOPE,
    CASES,
    ROOT,
    SCRIPTS,
    report,
)

SANITIZED = ROOT / os.environ.get("B", "build") / "gilscope-asan"
ON_CPU = {"python", "native"}


def timeline(script, *options, program=GILSCOPE):
    result = subprocess.run(
        [program, "timeline", script, "-o", "-", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert result.returncode in (EXIT_OK, EXIT_PARTIAL), result.stderr.decode()
    return result.stdout, result.returncode


@pytest.fixture(params=SCRIPTS, ids=lambda path: path.stem)
def script(request):
    return request.param


@pytest.fixture
def page(script):
    return Page(timeline(script)[0].decode())


@pytest.fixture
def found(script):
    return json.loads(report(script, "--json")[0])


INSTANTS = {"start_ns", "end_ns", "worst_start_ns", "at_ns", "seen_ns"}


def moved(value, origin):
    """A report with all instants relative to the origin."""
    if isinstance(value, list):
        return [moved(item, origin) for item in value]
    if isinstance(value, dict):
        return {
            key: item - origin if key in INSTANTS and item is not None else moved(item, origin)
            for key, item in value.items()
        }
    return value


def threads_of(page, found):
    """Each thread's entry in the page, with its entry in the report."""
    threads = [
        (number, thread)
        for number, process in enumerate(found["processes"])
        for thread in process["threads"]
    ]
    assert len(threads) == len(page.head["threads"])
    for entry, (process, thread) in zip(page.head["threads"], threads):
        assert {
            key: entry[key] for key in ("process", "tid", "comm", "python_name", "loop", "gone")
        } == {
            "process": process,
            "tid": thread["tid"],
            "comm": thread["name"],
            "python_name": thread["python_name"],
            "loop": thread["loop"],
            "gone": thread["gone"],
        }
        yield entry, thread


def loops_of(page, found):
    loops = [loop for process in found["processes"] for loop in process["loops"]]
    assert len(loops) == len(page.head["loops"])
    for entry, loop in zip(page.head["loops"], loops):
        assert page.head["threads"][entry["thread"]]["tid"] == loop["tid"]
        yield entry, loop


def test_the_report_inside_is_the_report(page, found):
    origin = found["window"]["start_ns"]
    inside = page.report
    assert inside.pop("origin_ns", "0") == str(origin) == page.head["origin_ns"]
    assert inside == moved(found, origin)
    assert page.head["end_ns"] == found["window"]["end_ns"] - origin
    assert page.head["processes"] == [
        {key: process[key] for key in ("pid", "cmdline", "title", "python")}
        for process in found["processes"]
    ]


def drawing_status(status):
    """A drawing is complete even if another process should have been observed."""
    return EXIT_OK if status == EXIT_UNSUPPORTED else status


def test_exit_status_and_threshold_are_those_of_the_report(script):
    for options in ([], ["--stall", "1ns"]):
        text, status = report(script, "--json", *options)
        drawn, drawn_status = timeline(script, *options)
        inside = Page(drawn.decode()).report
        assert drawn_status == drawing_status(status)
        assert inside["stall_ns"] == json.loads(text)["stall_ns"]


def test_states_are_those_of_the_report(page, found):
    sampled = 0
    for entry, thread in threads_of(page, found):
        spans = page.states(entry)
        assert reader.sums(spans) == +Counter(thread["states"])
        assert (
            sum(end - start for start, end, _, flags, _ in spans if flags & SAMPLED)
            == thread["sampled_ns"]
        )
        assert all(
            before[1] == after[0] and before[2:] != after[2:]
            for before, after in zip(spans, spans[1:])
        )
        assert (
            spans and 0 <= spans[0][0] and (spans[-1][1] == page.head["end_ns"] or thread["gone"])
        )
        sampled += thread["sampled_ns"]
    assert sampled == found["evidence"]["sampled_ns"]


def test_stacks_cover_what_states_cover(page, found):
    for entry, thread in threads_of(page, found):
        states, stacks = page.states(entry), page.stack_spans(entry)
        assert [stacks[0][0], stacks[-1][1]] == [states[0][0], states[-1][1]]
        assert all(
            before[1] == after[0] and before[2:] != after[2:]
            for before, after in zip(stacks, stacks[1:])
        )
        for time, stack in page.clock(entry):
            # a sample belongs to the stretch that it ends or lies in, unless that is too long for
            # it
            ((start, end, state, _, _),) = reader.overlap(states, time - 1, time)
            assert state in ON_CPU | {"unknown"} and end - start == 1
            assert reader.overlap(stacks, time - 1, time)[0][2] in (stack, 0)


def plain(names):
    """Replaces names that folded stacks would escape."""
    return tuple(name if re.fullmatch(r"[\w.<>]+", name) else "?" for name in names)


@pytest.mark.parametrize(
    "script",
    [script for script in SCRIPTS if '"stacks": true' in script.read_text()],
    ids=lambda path: path.stem,
)
def test_flames_off_the_cpu_are_those_of_the_report(script):
    """By state and stack, compared with the folded stacks of the same recording."""
    page = Page(timeline(script)[0].decode())
    states = set(page.head["states"]) - ON_CPU
    folded = subprocess.run(
        [GILSCOPE, "export", "-f", "folded", "--state", ",".join(sorted(states)), script],
        stdout=subprocess.PIPE,
        check=False,
    ).stdout
    leading = 2 if len(page.head["processes"]) == 1 else 3  # process, thread, handler
    expected, drawn = Counter(), Counter()
    for line in folded.decode().splitlines():
        stack, weight = re.fullmatch(r"(.+) (\d+)", line).groups()
        *frames, state = stack.split(";")
        expected[state, plain(frame.rsplit(" (", 1)[0] for frame in frames[leading:])] += int(
            weight
        )
    for entry in page.head["threads"]:
        for start, end, state, *_ in page.states(entry):
            for begin, finish, stack, _ in (
                reader.overlap(page.stack_spans(entry), start, end) if state in states else ()
            ):
                names = [frame["function"] for frame in reversed(page.frames(stack))]
                whole = stack and not page.stacks[stack][1]
                drawn[state, plain(names if whole else ["[cut]", *names])] += finish - begin
    assert drawn == expected and len(drawn) > 1


def test_holds_are_those_of_the_report(page, found):
    if found["mode"] in CHEAP:
        assert [
            sum(end - start for start, end, _, _ in page.holds(entry))
            for entry in page.head["gils"]
        ] == [gil["held_ns"] for process in found["processes"] for gil in process["gils"]]
        return
    gils = [gil for process in found["processes"] for gil in process["gils"]]
    if any("stands_for" in gil for gil in gils):
        pytest.skip("holds of interpreters that have ended are not drawn")
    holds, forced = Counter(), Counter()
    certain_ns = sampled_ns = 0
    assert [(entry["address"], entry["interpreter"]) for entry in page.head["gils"]] == [
        (gil["address"], gil["interpreter"]) for gil in gils
    ]
    for entry, gil in zip(page.head["gils"], gils):
        spans = page.holds(entry)
        held_ns = sum(end - start for start, end, _, _ in spans)
        assert held_ns <= gil["held_ns"]
        certain_ns += held_ns
        assert sum(flags & HANDOFF > 0 for *_, flags in spans) == gil["handoffs"]
        assert sum(flags & REQUESTED > 0 for *_, flags in spans) == gil["forced"]
        assert sorted(end - start for start, end, _, flags in spans if flags & WHOLE)[-1:] == (
            [gil["hold"]["max_ns"]] if gil["hold"]["count"] else []
        )
        assert sum(flags & WHOLE for *_, flags in spans) == gil["hold"]["count"]
        holds.update(thread for _, _, thread, _ in spans)
        forced.update(thread for _, _, thread, flags in spans if flags & REQUESTED)
    for number, (entry, thread) in enumerate(threads_of(page, found)):
        assert (holds[number], forced[number]) == (thread["holds"], thread["forced_drops"])
        sampled_ns += sum(
            end - start
            for start, end, state, flags, _ in page.states(entry)
            if state == "python" and flags & SAMPLED
        )
    # threads whose hold is known only by sampling are not in the holds
    assert certain_ns + sampled_ns == sum(gil["held_ns"] for gil in gils)


def test_a_holder_is_in_a_holding_state_or_unknown(page, found):
    for entry in page.head["gils"]:
        for start, end, thread, _ in page.holds(entry):
            parts = reader.overlap(page.states(page.head["threads"][thread]), start, end)
            assert sum(part[1] - part[0] for part in parts) == end - start
            assert {part[2] for part in parts} <= {
                "python",
                "held_blocked",
                "held_runnable",
                "unknown",
            }


def test_turns_are_those_of_the_report(page, found):
    for entry, loop in loops_of(page, found):
        turns = page.turns(entry)
        assert sum(flags & (WHOLE | ONGOING) == WHOLE for *_, flags in turns) == loop["turns"]
        assert max((end - start for start, end, _, _ in turns), default=0) == loop["longest_ns"]


def test_pools_over_time_are_those_of_the_report(page, found):
    pools = [pool for process in found["processes"] for pool in process.get("pools", [])]
    assert len(pools) == len(page.head["pools"])
    for entry, pool in zip(page.head["pools"], pools):
        spans = page.busy(entry)
        full = [end - start for start, end, *_, flags in spans if flags & FULL]
        assert sum((end - start) * busy for start, end, busy, *_ in spans) == pool["busy_ns"]
        assert max(busy for _, _, busy, *_ in spans) <= pool["busy_max"]
        assert all(
            busy + idle + unknown <= pool["threads"] for _, _, busy, idle, unknown, _ in spans
        )
        assert (sum(full), max(full, default=0)) == (pool["full_ns"], pool["full_worst_ns"])
        assert all(
            (busy, idle, unknown) == (pool["threads"], 0, 0)
            for _, _, busy, idle, unknown, flags in spans
            if flags & FULL
        )
        assert 0 <= spans[0][0] and spans[-1][1] == page.head["end_ns"]
        assert all(
            before[1] == after[0] and before[2:] != after[2:]
            for before, after in zip(spans, spans[1:])
        )


def pool_over_time(script, name):
    """When how many of its threads were busy, idle and unknown, and whether it was full then."""
    page = Page(timeline(CASES / f"{script}.script")[0].decode())
    (pool,) = (pool for pool in page.head["pools"] if pool["name"] == name)
    return [(start / 1e9, *rest) for start, _, *rest in page.busy(pool)]


def test_a_pool_is_full_while_all_its_threads_are_busy():
    assert pool_over_time("pools", "waitress") == [
        (0.002, 0, 3, 0, 0),
        (0.5, 1, 2, 0, 0),
        (0.6, 2, 1, 0, 0),
        (0.7, 3, 0, 0, FULL),
        (1.9, 2, 1, 0, 0),
        (1.902, 3, 0, 0, FULL),
        (2.0, 2, 1, 0, 0),
        (2.6, 1, 2, 0, 0),
        (3.0, 0, 3, 0, 0),
        (3.5, 1, 2, 0, 0),
    ]


def test_a_pool_that_grows_later_was_not_full_and_lost_events_are_unknown():
    assert pool_over_time("pool_over_time", "AnyIO's pool") == [
        (0.002, 0, 2, 0, 0),
        (0.5, 1, 1, 0, 0),
        (0.5002, 2, 0, 0, 0),
        (1.5001, 2, 1, 0, 0),
        (1.6, 3, 0, 0, FULL),
        (2.0, 0, 0, 3, 0),
        (2.301, 1, 0, 2, 0),
        (2.50001, 2, 0, 1, 0),
        (2.5001, 1, 1, 1, 0),
    ]


def test_a_thread_named_late_was_in_no_other_pool():
    assert pool_over_time("pool_over_time", "the executor 'batch'") == [
        (0.2, 1, 0, 0, FULL),
        (2.0, 0, 0, 1, 0),
    ]
    assert pool_over_time("pool_over_time", "a ThreadPoolExecutor") == [
        (0.3, 1, 0, 0, FULL),
        (2.0, 0, 0, 1, 0),
    ]


def test_stalls_are_turns_and_have_the_states_of_their_thread(script):
    found = json.loads(report(script, "--json", "--stall", "1ns")[0])
    page = Page(timeline(script, "--stall", "1ns")[0].decode())
    origin = found["window"]["start_ns"]
    for entry, loop in loops_of(page, found):
        turns = {
            (start + origin, end + origin): flags for start, end, _, flags in page.turns(entry)
        }
        assert sorted(turns) == [(stall["start_ns"], stall["end_ns"]) for stall in loop["stalls"]]
        states = page.states(page.head["threads"][entry["thread"]])
        for stall in loop["stalls"]:
            flags = turns[stall["start_ns"], stall["end_ns"]]
            parts = reader.overlap(states, stall["start_ns"] - origin, stall["end_ns"] - origin)
            assert (bool(flags & ONGOING), bool(flags & WHOLE)) == (
                stall["ongoing"],
                stall["whole"],
            )
            assert reader.sums(parts) == +Counter(stall["states"])
            assert (
                sum(part[1] - part[0] for part in parts if part[3] & THROTTLED)
                == stall["throttled_ns"]
            )
            if not stall["gc_sampled"]:
                assert sum(part[1] - part[0] for part in parts if part[3] & GC) == stall["gc_ns"]
            calls = Counter()
            for start, end, state, _, sysno in parts:
                if state in ("blocked", "held_blocked"):
                    calls[
                        {
                            -1: "none",
                            -2: "unknown",
                            -3: "stopped",
                            -4: "traced",
                            -5: "frozen",
                            -6: "gil",
                        }.get(sysno)
                        or page.head["syscalls"].get(str(sysno), f"syscall_{sysno}")
                    ] += end - start
            assert calls == Counter({call["name"]: call["ns"] for call in stall["syscalls"]})


def test_the_stacks_of_stalls_are_known_to_the_page(page, found):
    known = [page.frames(number) for number in range(1, len(page.stacks))]
    for _, loop in loops_of(page, found):
        for stall in loop["stalls"]:
            assert not stall["stack"] or stall["stack"] in known


def test_words_are_those_of_the_text_report(script, page, found):
    text = " ".join(report(script)[0].split())
    verdicts = page.head["verdict"].split("\n")
    assert len(verdicts) >= len(found["processes"])
    for sentence in [
        *(re.sub(r"^PID \d+: ", "", verdict) for verdict in verdicts),
        *page.head["caveats"],
    ]:
        assert sentence and " ".join(sentence.split()) in text
    for finding in found["findings"][:5]:
        for sentence in (finding["text"] + ".", finding["advice"]):
            assert " ".join(sentence.split()) in text


def test_without_javascript_there_is_the_text_report(script, page):
    assert page.text == report(script, "--all")[0]


def test_of_very_many_stalls_the_longest_are_in_the_text(tmp_path):
    *head, end = (CASES / "blocked.script").read_text().splitlines()
    first = next(at for at, line in enumerate(head) if line.startswith("100.01"))
    turns = [
        re.sub(r"^100", str(100 + second), line) for second in range(1500) for line in head[first:]
    ]
    script = tmp_path / "long.script"
    script.write_text("\n".join([*head[:first], *turns, re.sub(r"^100", "1600", end), ""]))
    short = report(script)[0]
    assert Page(timeline(script)[0].decode()).text == short
    assert "the 10 longest of 1" in short


def test_lines_of_source_are_those_of_the_text_report(script, page):
    text = report(script)[0]
    for finding in page.head["findings"][:5]:
        assert " ".join(finding["source"].split()) in " ".join(text.split())
    if script.stem == "sources":
        assert sum(bool(finding["source"]) for finding in page.head["findings"]) >= 2
        assert "an older line" not in json.dumps(page.head)


def test_names_are_only_in_blobs_and_in_the_text(page):
    """What is around them is the same for every recording and requests nothing from elsewhere."""
    assert page.outside == Page(timeline(CASES / "quiet.script")[0].decode()).outside


def test_a_page_asks_for_nothing_from_elsewhere(page):
    class Links(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            assert tag not in ("iframe", "object", "embed", "base", "img", "form")
            assert not {"src", "srcset", "action", "formaction", "background"} & {
                name for name, _ in attrs
            }
            assert all(not name.startswith("on") for name, _ in attrs)
            assert tag != "link" or dict(attrs)["href"].startswith("data:")

    Links().feed(page.outside)
    assert not re.search(r"@import|url\((?!['\"]?(data:|#))", page.outside)


@pytest.mark.skipif(not SANITIZED.exists(), reason="no build with sanitizers")
def test_the_build_with_sanitizers_writes_the_same(script):
    assert timeline(script, program=SANITIZED) == timeline(script)


# ── the command ───────────────────────────────────────────────────────────────────────────────────


def run(*arguments, **options):
    return subprocess.run(
        [GILSCOPE, "timeline", *arguments], capture_output=True, timeout=60, check=False, **options
    )


def test_the_file_is_the_page_and_one_line_says_what_to_do(tmp_path):
    script = CASES / "blame.script"
    result = run(script, cwd=tmp_path)
    written = tmp_path / "gilscope.html"
    assert result.returncode == EXIT_OK and not result.stdout
    assert re.fullmatch(
        r"gilscope: wrote gilscope\.html \(\d+ kB\); open it in a browser \(.*gilscope\.html\)\.\n",
        result.stderr.decode(),
    )
    assert written.read_bytes() == timeline(script)[0] and os.listdir(tmp_path) == ["gilscope.html"]
    (tmp_path / "another").touch()
    assert written.stat().st_mode & 0o777 == (
        0o600 if os.geteuid() == 0 else (tmp_path / "another").stat().st_mode & 0o777
    )
    assert not run(script, "-o", "-").stderr


def test_a_failure_leaves_what_was_there(tmp_path):
    page, damaged = tmp_path / "page.html", tmp_path / "damaged.gsc"
    page.write_text("before")
    damaged.write_text("no trace at all, but long enough to be looked at")
    result = run(damaged, "-o", page)
    assert (
        result.returncode == 1
        and page.read_text() == "before"
        and sorted(os.listdir(tmp_path)) == ["damaged.gsc", "page.html"]
    )
    result = run(CASES / "blame.script", "-o", tmp_path / "missing/page.html")
    assert result.returncode == 1 and b"cannot create" in result.stderr


@pytest.mark.parametrize("where", ["-o-", "-o/dev/full"])
def test_a_full_disk_is_reported_in_one_sentence(where):
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            [GILSCOPE, "timeline", CASES / "blame.script", where],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert result.returncode == 1
    assert re.fullmatch(
        r"gilscope: cannot write [^\n]*: No space left on device\.\n", result.stderr.decode()
    )


def test_a_device_is_not_replaced():
    result = run(CASES / "quiet.script", "-o", "/dev/null")
    assert result.returncode == EXIT_OK and not result.stderr


def test_a_damaged_recording_is_drawn_as_far_as_it_goes(tmp_path):
    trace, page = tmp_path / "damaged.gsc", tmp_path / "page.html"
    subprocess.run(
        [GILSCOPE, "export", CASES / "blame.script", "-f", "trace", "-o", trace], check=True
    )
    whole = trace.read_bytes()
    trace.write_bytes(whole[:-20])
    assert run(trace, "-o", page).returncode == EXIT_OK
    assert Page(page.read_text()).report["truncated"]
    trace.write_bytes(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
    result = run(trace, "-o", page)
    assert result.returncode == EXIT_PARTIAL and b"damaged" in result.stderr
    assert Page(page.read_text()).report["truncated"]


def test_stalls_are_counted_for_the_functions_of_the_report(page):
    stalls = [
        stall
        for process in page.report["processes"]
        for loop in process["loops"]
        for stall in loop["stalls"]
    ]
    assert len(page.head["culprits"]) == len(stalls)
    assert len(page.head["blame"]) == len(page.report["blame"])
    for number, blame in enumerate(page.report["blame"]):
        own = [
            stall["end_ns"] - stall["start_ns"]
            for stall, culprit in zip(stalls, page.head["culprits"])
            if culprit == number
        ]
        assert (len(own), sum(own)) == (blame["stalls"], blame["stall_ns"])
        name, file, *_ = page.head["functions"][page.head["blame"][number]]
        assert (name, file) in {
            (blame["handler"]["function"], blame["handler"]["file"]),
            ("", ""),
        }


def test_functions_have_owners(page):
    kinds = {"/site-packages/": 1, "/dist-packages/": 1, "/srv/shop/": 0, "/python3.11/json/": 2}
    for _, file, _, owner, package in page.head["functions"]:
        for part, kind in kinds.items():
            if part in file:
                assert owner == kind
        assert bool(package) == (owner != 0)
