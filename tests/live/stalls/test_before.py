# SPDX-License-Identifier: MIT
"""What began before gilscope attached: a loop that already hangs has a stall from the begin of the
window, with its cause and place, and it is reported immediately."""

import json
import re
import socket
import subprocess
import time

import pytest
from test_ongoing import CAUSES, HANG, STATES, WORDS, Watched, begin_ns, the_stall

import harness
import laws

LOOPS = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


def observe_late(app, *arguments):
    """Attaches while the loop hangs. Returns gilscope's outcome and its first line about the
    stall."""
    with Watched("attach", app.pid, "--json", *arguments, prefix=app.prefix, wait=False) as running:
        assert running.ready(15)
        ready_ns = time.monotonic_ns()
        reported = running.await_reported(1)
        assert reported[0][0] - ready_ns < 1e9
        return running.result(), reported[0][1]


@LOOPS
@pytest.mark.parametrize("cause", CAUSES)
def test_a_service_that_hangs_already(loop, cause):
    with harness.RawApp(loop, script=HANG, prefix=harness.undisturbed()) as app:
        t0_ns = app.answer(f"{cause} forever")["t0_ns"]
        time.sleep(0.4)
        done, line = observe_late(app, "-d", "1.2s")
    assert done.status == 0, done
    laws.check_laws(done.report)
    window, stall = done.report["window"], the_stall(done.report)
    assert t0_ns < window["start_ns"] == stall["start_ns"]
    assert stall["began_before"] and stall["ongoing"] and not stall["whole"]
    assert stall["end_ns"] == window["end_ns"]
    assert stall["cause"] == STATES[cause], stall
    assert stall["states"][STATES[cause]] > 0.8 * (stall["end_ns"] - stall["start_ns"])
    assert stall["handler"]["function"] == "handler" and stall["handler"]["role"] == "task"
    assert "hung" in [finding["id"] for finding in done.report["findings"]]
    if cause != "gil_wait":  # with gil_wait the loop's innermost frame is in threading.py
        assert stall["stack"][0]["function"] == cause
    else:
        assert [blocker["handler"]["function"] for blocker in stall["blockers"]] == ["hog"]
    assert abs(begin_ns(line) - window["start_ns"]) < 5_000_000
    assert line[4] and line[8] and line[9] and re.search(WORDS[cause], line[7]), line


@LOOPS
def test_the_hang_ends_while_it_is_observed(loop):
    with harness.RawApp(loop, script=HANG, prefix=harness.undisturbed()) as app:
        t0_ns = app.answer("blocked 3")["t0_ns"]
        time.sleep(0.4)
        with Watched("attach", app.pid, "--json", prefix=app.prefix) as running:
            t1_ns = json.loads(app.process.stdout.readline())["t1_ns"]
            second_ns = app.answer("blocked 0.3")["t0_ns"]
            app.process.stdout.readline()
            done = running.finish()
    first, second, *_ = done.report["processes"][0]["loops"][0]["stalls"]
    assert t0_ns < first["start_ns"] == done.report["window"]["start_ns"]
    assert first["began_before"] and not first["ongoing"] and not first["whole"]
    assert t1_ns <= first["end_ns"] < t1_ns + 50_000_000 and first["end_ns"] <= second_ns
    assert first["cause"] == "blocked"
    assert not second["began_before"] and second["whole"]


@LOOPS
def test_an_idle_loop_is_not_stalled(loop):
    with harness.RawApp(loop, script=HANG, prefix=harness.undisturbed()) as app:
        time.sleep(0.2)
        with Watched("attach", app.pid, "--json", "-d", "500ms", prefix=app.prefix) as running:
            done = running.result()
    (found,) = done.report["processes"][0]["loops"]
    assert not found["stalls"] and not running.reported()
    (thread,) = done.report["processes"][0]["threads"]
    assert thread["states"]["idle"] > 0.9 * sum(thread["states"].values())


FIRST_TURN = """
import asyncio, sys, time
if {uvloop}:
    import uvloop
    uvloop.install()
def slow_startup():
    time.sleep(0.6)
async def main():
    t0_ns = time.monotonic_ns()
    slow_startup()
    t1_ns = time.monotonic_ns()
    await asyncio.sleep(0.2)
    print(t0_ns, t1_ns, flush=True)
    await asyncio.sleep(60)
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
"""


FIRST_CALLBACK = """
import asyncio, time
if {uvloop}:
    import uvloop
    uvloop.install()
async def main():
    print("ready", flush=True)
    time.sleep({seconds})
    t1_ns = time.monotonic_ns()
    for _ in range(10):
        await asyncio.sleep(0.05)
    print(t1_ns, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@LOOPS
@pytest.mark.parametrize("mode", ["edges", "exact"])
def test_a_loop_that_has_not_waited_yet(loop, mode):
    """Attached to in its first callback: libuv's descriptor does not look like a loop's before its
    first wait."""
    if loop == "uvloop":
        harness.need("uvloop")
    source = FIRST_CALLBACK.format(uvloop=loop == "uvloop", seconds=harness.PATIENCE)
    with harness.Script(source, prefix=harness.undisturbed()) as app:
        with harness.attach(app, "--mode", mode) as running:
            t1_ns = int(app.process.stdout.readline())
            done = running.finish()
    (found,) = done.report["processes"][0]["loops"]
    (stall,) = found["stalls"]
    assert stall["began_before"] and not stall["ongoing"]
    assert t1_ns <= stall["end_ns"] < t1_ns + 20_000_000
    assert found["turns"] >= 9


# How often gilscope looks for new loops (LOOPS_AGAIN_NS and SERVE_NS), and what that takes it.
LOOKED_NS = 100_000_000


@LOOPS
def test_the_first_turn_of_a_new_loop_counts(loop):
    if loop == "uvloop":
        harness.need("uvloop")
    source = FIRST_TURN.format(uvloop=loop == "uvloop")
    with harness.Script(source, prefix=harness.undisturbed(), stdin=subprocess.PIPE) as app:
        with Watched("attach", app.pid, "--json", prefix=app.prefix) as running:
            app.process.stdin.write("\n")
            app.process.stdin.flush()
            t0_ns, t1_ns = map(int, app.process.stdout.readline().split())
            done = running.finish()
    stall = the_stall(done.report)
    assert t0_ns - 20_000_000 < stall["start_ns"] < t0_ns + LOOKED_NS
    assert t1_ns <= stall["end_ns"] < t1_ns + 50_000_000 and not stall["ongoing"]
    assert stall["cause"] == "blocked" and not stall["whole"]
    assert stall["stack"][0]["function"] == "slow_startup"
    assert stall["handler"]["function"] == "main"


SERVICE = """
import fastapi
app = fastapi.FastAPI()
@app.get("/ping")
async def ping():
    return 1
@app.get("/gil")
def gil():
    return sum(range(10**12))
"""


@pytest.fixture
def service(tmp_path):
    """A server under uvicorn whose route holds the GIL in C code for 2 s, in a thread of the
    pool."""
    (tmp_path / "service.py").write_text(SERVICE)
    with harness.WebApp("auto", module="service:app", folder=str(tmp_path)) as app:
        with socket.create_connection(("127.0.0.1", app.port)) as client:
            client.sendall(b"GET /gil HTTP/1.0\r\n\r\n")
            time.sleep(2)
            yield app


def line_of(source, text):
    return next(n for n, line in enumerate(source.splitlines(), 1) if text in line)


@pytest.mark.beside
@pytest.mark.parametrize("mode", ["exact", "edges"])
def test_a_service_whose_pool_keeps_the_gil(service, mode):
    """The loop's thread waits since before WAIT was traced, and is awake every 5 ms."""
    t0_ns = time.monotonic_ns()
    done, line = observe_late(service, "-d", "1.5s", "--mode", mode)
    assert done.status == 0, done
    laws.check_laws(done.report)
    stall, window = the_stall(done.report), done.report["window"]
    assert t0_ns < stall["start_ns"] == window["start_ns"] and stall["end_ns"] == window["end_ns"]
    assert stall["began_before"] and stall["ongoing"] and stall["cause"] == "gil_wait"
    (blocker,) = stall["blockers"]
    assert blocker["python_name"] == "AnyIO worker thread"
    assert blocker["handler"]["function"] == "gil" and blocker["handler"]["role"] == "executor"
    assert blocker["handler"]["line"] == line_of(SERVICE, "10**12") == blocker["stack"][0]["line"]
    found = {finding["id"]: finding for finding in done.report["findings"]}
    assert {"hung", "gil_held_by"} <= set(found)
    assert found["gil_held_by"]["subject"]["handler"]["function"] == "gil"
    assert abs(begin_ns(line) - window["start_ns"]) < 5_000_000 and line[9], line
    place = rf"gil \S*service\.py:{blocker['handler']['line']}( > .+)?  GIL held by "
    assert re.match(place, line[7]), line


@pytest.mark.beside
def test_what_people_read_of_it(service):
    done = harness.gilscope("attach", service.pid, "-d", "1.2s")
    assert done.status == 0, done
    text = " ".join(done.stdout.split())
    assert re.search(
        r"The event loop of 'MainThread' \([^)]*\) has been stalled since before gilscope "
        r"attached, for ≥ \d\.\d+ s \((100|99(\.\d)?) % of the time\)\. (100|99(\.\d)?) % of "
        r"that waiting for the GIL, held by gil",
        text,
    ), done.stdout
    dump = harness.gilscope("dump", service.pid).stdout
    head, holder, *_ = dump.split("\n\n")
    assert re.search(r"GIL: held by 'AnyIO worker thread' \([^)]*\) for ≥ ", head)
    assert "'MainThread' (" in head and "gil (" in holder and "← in a worker thread" in holder
