# SPDX-License-Identifier: MIT
"""Children of an observed process inherit its memory, breakpoints included, but not the observer.
They must survive, during the observation and after it."""

import ast
import os
import signal
import time

import pytest

import harness
import interpreters
import laws

pytestmark = pytest.mark.beside

# Forks one child after another; each uses the GIL a lot and exits with status 7. The first one
# lives until its parent ends. SIGUSR1 prints the statuses.
FORKING = """
import collections, os, signal, sys, threading, time
statuses = collections.Counter()
signal.signal(signal.SIGUSR1, lambda *_: print(dict(statuses), flush=True))

def work(end):
    def stat():
        while time.monotonic() < end:
            os.stat('/')
    threads = [threading.Thread(target=stat) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

print('ready', flush=True)
time.sleep(1.5)
old = os.fork()
if old == 0:
    work(time.monotonic() + 30)
    os._exit(0)
print(old, flush=True)
while True:
    child = os.fork()
    if child == 0:
        work(time.monotonic() + 0.02)
        os._exit(7)
    statuses[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])] += 1
"""


@pytest.mark.parametrize("options", [(), ("--no-follow",)])
def test_children_live_while_their_parent_is_observed_and_after(options, tmp_path):
    first = None
    with harness.Script(FORKING, interpreters.private_python(tmp_path)) as app:
        try:
            with harness.attach(app, *options) as running:
                first = int(app.process.stdout.readline())
                time.sleep(1.5)
                outcome = running.finish()
            laws.check_laws(outcome.report)
            pids = [process["pid"] for process in outcome.report["processes"]]
            assert pids[0] == app.pid and (first in pids) == (not options), pids
            assert harness.text_differences(first) == 0, "breakpoints left in a child"
            time.sleep(0.5)
            app.process.send_signal(signal.SIGUSR1)
            statuses = ast.literal_eval(app.process.stdout.readline())
        finally:
            app.process.kill()
            if first:
                os.kill(first, signal.SIGKILL)
    assert set(statuses) == {7} and statuses[7] > 10, statuses
