# SPDX-License-Identifier: MIT
"""Thread pools that are full, and that are not, against the jobs' own books."""

import os
import threading

import pytest

import harness
import laws

pytestmark = pytest.mark.beside

TOLERANCE_NS = 60_000_000
# the names of new threads, which say what executor they belong to, are read 0.2 s after they began
NAMED_NS = 700_000_000


@pytest.fixture
def app():
    with harness.WebApp("asyncio", module="pools_truth:app") as running:
        yield running


def ask(app, path, count):
    clients = [threading.Thread(target=app.get, args=(path,)) for _ in range(count)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


def observed(app, *asked):
    """Asks for so many of each path at once, the second when the first are under way: gilscope's
    report, and the jobs' own books."""
    with harness.attach(app, stall="100ms") as running:
        clients = []
        for path, count in asked:
            for _ in range(count):
                clients.append(threading.Thread(target=app.get, args=(path,)))
                clients[-1].start()
        for client in clients:
            client.join()
        done = running.finish()
    assert done.status == 0, done
    laws.check_laws(done.report)
    return done.report, app.get("/jobs")


def all_busy_ns(jobs, threads):
    """How long all threads had a job."""
    edges = sorted([(begin, 1) for _, begin, _ in jobs] + [(end, -1) for _, _, end in jobs])
    busy = total = 0
    for (ts, change), (after, _) in zip(edges, [*edges[1:], (edges[-1][0], 0)]):
        busy += change
        total += (after - ts) * (busy == threads)
    return total


def the_pool(report, kind, name=""):
    [pool] = [
        pool
        for pool in report["processes"][0]["pools"]
        if pool["kind"] == kind and pool["name"] == name
    ]
    return pool


def full(report):
    return [finding for finding in report["findings"] if finding["id"] == "pool_full"]


def test_all_threads_of_anyio_are_busy(app):
    # The threads exist when gilscope attaches: on a busy machine the first stack of a new one may
    # be missing, and then what it sleeps in is unknown.
    ask(app, "/report", 40)
    report, jobs = observed(app, ("/report", 60), ("/quick", 1))
    pool = the_pool(report, "anyio")
    truth = all_busy_ns([job for job in jobs if job[1] > report["window"]["start_ns"]], 40)
    assert truth > 0.5e9 and pool["threads"] == pool["busy_max"] == 40
    assert truth - TOLERANCE_NS < pool["full_ns"] < truth + TOLERANCE_NS, (truth, pool)
    [finding] = full(report)
    assert finding["ns"] == pool["full_ns"] and finding["subject"]["kind"] == "pool"
    assert finding["subject"]["handler"]["function"] == "slow_report"
    assert finding["text"].startswith("All 40 threads of AnyIO's pool were busy for ")
    assert "total_tokens" in finding["advice"]
    assert "nothing_found" not in [finding["id"] for finding in report["findings"]]


def test_all_threads_of_the_default_executor_are_busy(app):
    threads = min(32, os.cpu_count() + 4)
    report, jobs = observed(app, ("/default", 3 * threads))
    pool = the_pool(report, "executor", "asyncio")
    truth = all_busy_ns(jobs, threads)
    assert pool["threads"] == pool["limit"] == pool["busy_max"] == threads
    assert truth - NAMED_NS < pool["full_ns"] < truth + TOLERANCE_NS, (truth, pool)
    [finding] = full(report)
    assert finding["subject"]["pool"] == "asyncio's default executor"
    assert "set_default_executor" in finding["advice"]


def test_a_pool_that_is_busy_but_may_grow_is_not_full(app):
    report, _ = observed(app, ("/own", 5), ("/report", 5))
    assert not full(report)
    own, anyio = the_pool(report, "executor", "own"), the_pool(report, "anyio")
    assert own["threads"] == own["busy_max"] == 5 and own["limit"] == 8
    assert anyio["threads"] == anyio["busy_max"] == 5 and anyio["limit"] is None
    for pool in (own, anyio):
        assert pool["functions"][0]["handler"]["function"] in ("job", "slow_report"), pool
