# SPDX-License-Identifier: MIT
"""What a hypervisor does to this machine: time that it takes from it, which few of them count as
steal time, and how slow the first code after a pause is."""

import os
import statistics
import subprocess
import sys
import time

PRIORITY = 50  # above that of the applications and their observers: harness.undisturbed()
# The kernel takes 50 ms of each second from real-time threads that never sleep: less than that.
SPIN_NS, GAP_NS, ROUNDS = 300_000_000, 200_000, 3
PAUSE_S, PAUSES = 0.12, 7  # as long as the work of tests/apps/work.py


def away_ns():
    """For how many ns of SPIN_NS this process, which does not sleep meanwhile, did not run."""
    last = begin = time.monotonic_ns()
    away = 0
    while last - begin < SPIN_NS:
        now = time.monotonic_ns()
        if now - last > GAP_NS:
            away += now - last
        last = now
    return away


def late_ns():
    """How much longer than asked for a pause is, until the code after it runs."""

    def one():
        begin = time.monotonic_ns()
        time.sleep(PAUSE_S)
        return time.monotonic_ns() - begin - int(PAUSE_S * 1e9)

    return int(statistics.median(one() for _ in range(PAUSES)))


def measure(what, cpu):
    """On that CPU, with nothing here that may run before it. 0: that cannot be had."""
    done = subprocess.run(
        ["chrt", "-f", str(PRIORITY), "taskset", "-c", str(cpu), sys.executable, __file__, what],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return 0 if done.returncode else int(done.stdout)


def now():
    """(share of its time in which a CPU of this machine runs nothing of it, how late the code after
    a pause is in ns): of some moments and all CPUs the largest."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) == 1:
        return 0, 0
    away = max(measure("away", cpu) for _ in range(ROUNDS) for cpu in cpus)
    return away / SPIN_NS, max(measure("late", cpu) for cpu in cpus)


if __name__ == "__main__":
    print({"away": away_ns, "late": late_ns}[sys.argv[1]]())
