# SPDX-License-Identifier: MIT
"""Every take of the GIL is followed by its drop, on every interpreter; and nothing is lost when there are very many of them."""
import collections
import time

import pytest

import harness
import laws

PYTHONS = harness.supported_pythons()


def counts(script):
    """{tid: {"take": n, "drop": n}} of a text script."""
    found = collections.defaultdict(collections.Counter)
    for line in script.splitlines():
        fields = line.split()
        if len(fields) >= 3 and fields[2] in ("take", "drop"):
            found[int(fields[1])][fields[2]] += 1
    return found


@pytest.mark.parametrize("label", PYTHONS)
def test_takes_and_drops_of_every_thread_balance(label, tmp_path):
    trace = tmp_path / "balance.gsc"
    with harness.RawApp("asyncio", python=(PYTHONS[label],)) as app:
        app.call("threads 3")
        with harness.Running("record", "-p", app.pid, "-d", "60s", "-o", trace) as running:
            time.sleep(1.5)
            done = running.finish()
        threads = app.threads()
    assert done.status == 0, done
    script = harness.gilscope("export", trace, "--format", "script")
    assert script.status == 0, script
    found = counts(script.stdout)
    busy = [tid for tid in found if found[tid]["take"] > 1000]
    assert len(busy) == 3 and set(busy) <= threads
    unbalanced = {tid: dict(count) for tid, count in found.items() if abs(count["take"] - count["drop"]) > 1}
    assert not unbalanced


@pytest.mark.parametrize("threads", [1, 2])
def test_nothing_is_lost_at_100_000_cycles_a_second(threads):
    with harness.RawApp("asyncio") as app:
        app.call(f"yield {threads}")
        with harness.attach(app) as running:
            time.sleep(2)
            outcome = running.finish()
    laws.check_laws(outcome.report)
    laws.check_evidence(outcome)
    window = outcome.report["window"]
    holds = sum(thread["holds"] for thread in outcome.report["processes"][0]["threads"])
    rate = holds / (window["end_ns"] - window["start_ns"]) * 1e9
    print(f"{threads} threads: {rate:.0f} cycles a second, {outcome.report['evidence']['events']} events")
    if threads == 1:
        assert rate > 100_000, "not the load that this test is about"
