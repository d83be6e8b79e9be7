# SPDX-License-Identifier: MIT
"""Time that a hypervisor takes from this machine. Few of them count it as steal time."""

import os
import subprocess
import sys
import time

PRIORITY = 50  # above that of the applications and their observers: harness.undisturbed()
SPIN_NS, GAP_NS, ROUNDS = 300_000_000, 200_000, 3


def spin():
    """Prints for how many ns of SPIN_NS this process, which never sleeps, did not run."""
    last = begin = time.monotonic_ns()
    away = 0
    while last - begin < SPIN_NS:
        now = time.monotonic_ns()
        if now - last > GAP_NS:
            away += now - last
        last = now
    print(away)


def away_ns(cpu):
    """None: it cannot be told, as something here may run before the process that measures it."""
    done = subprocess.run(
        ["chrt", "-f", str(PRIORITY), "taskset", "-c", str(cpu), sys.executable, __file__],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return None if done.returncode else int(done.stdout)


def taken():
    """The share of its time in which a CPU of this machine does not run anything of it, now; of
    some moments and all CPUs the largest. 0 where that cannot be told."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) == 1:
        return 0
    return max(away_ns(cpu) or 0 for _ in range(ROUNDS) for cpu in cpus) / SPIN_NS


if __name__ == "__main__":
    spin()
