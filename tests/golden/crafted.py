#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Recordings made to be expensive: reading one naively takes the product of two numbers that both
grow with its length.

usage: crafted.py KIND COUNT > FILE.script     (KIND: a function below; COUNT: about a fraction of
                                               its lines)
"""

import sys

PROCESS = 'process {"pid": 1, "cmdline": "x", "python": "3.11.2"}'
LOOP = [
    "1 epoll epfd=3 wakeup kind=1",
    "1 thread pid=1 python",
    "1 epoll_enter epfd=3 timeout_ms=-1",
    "1 epoll_exit epfd=3 ret=1",
]


def gils(count):
    for i in range(count):
        yield from (f"1 gil gil={i % 65535} address={i + 1}", f"{i + 2} take gil={i % 65535}")


def loops(count, end="epoll_exit epfd=3 ret=1"):
    yield "1 epoll epfd=3 wakeup kind=1"
    for tid in range(2, count + 2):
        yield from (
            f"{tid} thread pid=1 python",
            f"{tid} epoll_enter epfd=3 timeout_ms=-1",
            f"{tid} {end}",
        )


def threads(count, known=False):
    for tid in range(2, count + 2):
        yield f"{tid} thread pid=1 nstid={tid} new python"
        if known:
            yield f"{tid} switch_in cpu=0"


def blockers(count):
    yield from ("1 gil gil=0 address=1", *LOOP, "1 wait gil=0")
    for tid in range(2, count + 2):
        yield from (f"{tid} thread pid=1 python", f"{tid} take gil=0", f"{tid} drop gil=0")
    yield from ("1 take gil=0", "1 epoll_enter epfd=3 timeout_ms=-1")


def processes(count):
    for pid in range(2, count + 2):
        yield 'process {"pid": %d, "cmdline": "%s", "python": "3.11.2"}' % (pid, "x" * 200)


def losses(count):
    yield from threads(count // 4)
    for _ in range(count):
        yield "0 lost cpu=0 count=1"


def losses_of_threads(count):
    """An event between two losses, so that they are not merged."""
    yield from threads(count, known=True)
    for _ in range(count):
        yield from ("0 lost cpu=0 count=1", "2 switch_in cpu=0")


def losses_of_loops(count):
    yield from loops(count)
    for _ in range(count):
        yield from ("0 lost cpu=0 count=1", "2 switch_in cpu=0")


def losses_of_processes(count):
    yield from processes(count)
    for pid in range(2, count + 2):
        yield f"{pid} thread pid={pid} python"
    for _ in range(count):
        yield from ("0 lost cpu=0 count=1", "2 switch_in cpu=0")


def losses_of_one_process(count):
    """Loops of other processes wait for the end of a loss; CPUs have running threads."""
    yield from processes(count)
    for pid in range(2, count + 2):
        yield f"{pid} epoll wakeup epfd=3"
        yield f"{pid} thread pid={pid} python"
        yield f"{pid} epoll_enter epfd=3"
        yield f"{pid} switch_in cpu={pid}"
        yield f"{pid} lost cpu=0 count=1 last_ts=900000000000"
    yield "0 lost cpu=0 count=1 last_ts=900000000000"
    for i in range(count):
        yield from (
            f"{2 + i % count} lost cpu=0 count=1",
            "0 lost cpu=0 runs count=1",
            "0 lost cpu=0 count=1",
            "2 switch_in cpu=0",
        )


def losses_of_cpus(count):
    yield from threads(1)
    yield from (
        f"2 switch_in cpu={min(count * 4, 65534)}",
        f"0 run cpu={min(count * 4, 65534)} pid=0",
    )
    for _ in range(count):
        yield from ("0 lost cpu=0 count=1", "2 switch_in cpu=0")


def losses_of_gils(count):
    for i in range(count):
        yield f"1 gil gil={i} address={i + 1}"
    yield from threads(count)
    for _ in range(count):
        yield from ("0 lost cpu=0 count=1", "2 switch_in cpu=0")


def waiters(count):
    """All threads wait while one takes and drops the GIL."""
    yield "1 gil gil=0 address=1"
    for tid in range(3, count + 3):
        yield from (f"{tid} thread pid=1 python", f"{tid} wait gil=0")
    for _ in range(count):
        yield from ("2 take gil=0", "2 drop gil=0")


def waiters_of_many(count):
    """All wait while each of as many other threads takes and drops the GIL."""
    yield "1 gil gil=0 address=1"
    for tid in range(2, count + 2):
        yield from (f"{tid} thread pid=1 python", f"{tid} wait gil=0")
    for tid in range(count + 2, 2 * count + 2):
        yield from (f"{tid} take gil=0", f"{tid} drop gil=0")


def waiting_loops(count):
    yield "1 gil gil=0 address=1"
    yield from loops(count)
    for tid in range(2, count + 2):
        yield f"{tid} wait gil=0"
    for tid in range(count + 2, 2 * count + 2):
        yield from (f"{tid} take gil=0", f"{tid} drop gil=0")
    for tid in range(2, count + 2):
        yield from (
            f"{tid} take gil=0",
            f"{tid} drop gil=0",
            f"{tid} epoll_enter epfd=3 timeout_ms=-1",
        )


def waiters_without_a_stack(count):
    """The holder's time before its first stack is attributed to that stack."""
    yield from ("1 gil gil=0 address=1", "function 1 line=1 name=f file=/f.py", "stack 1 1:1")
    for tid in range(3, count + 3):
        yield from (f"{tid} thread pid=1 python", f"{tid} wait gil=0")
    for _ in range(count):
        yield from (
            "2 take gil=0",
            "2 switch_out cpu=0 runnable",
            "2 switch_in cpu=0",
            "2 stack gil=0 clock stack=1",
            "2 drop gil=0",
        )


def runs(count):
    """Loops that wait for a CPU, during an iteration, while other tasks occupy it."""
    yield from loops(count)
    for tid in range(2, count + 2):
        yield f"{tid} switch_out cpu=0 runnable"
    for i in range(count):
        yield f"{count + 2 + i} run cpu=0 pid={count + 2 + i}"
    for tid in range(2, count + 2):
        yield f"{tid} switch_in cpu=0"


def runs_of_threads(count):
    yield from threads(count, known=True)
    for tid in range(2, count + 2):
        yield f"{tid} switch_out cpu=0 runnable"
    for i in range(count):
        yield f"{count + 2 + i} run cpu=0 pid={count + 2 + i}"


def settling(count):
    """The GIL becomes unknown and known again; meanwhile one thread is seen not to wait for it."""
    yield "1 gil gil=0 address=1"
    yield from threads(count)
    for _ in range(count):
        yield from (
            "2 take gil=0",
            "3 take gil=0",
            "4 unknown_gil address=9",
            "2 take gil=0",
            "4 epoll_enter epfd=9 timeout_ms=-1",
            "2 drop gil=0",
            "4 epoll_exit epfd=9 ret=1",
        )


def switched_off(count):
    yield "1 gil gil=0 address=1"
    yield from threads(count)
    for _ in range(count):
        yield "0 observe gil=0 off definite"


def descriptors(count):
    yield from threads(count)
    for epfd in range(count):
        yield f"1 epoll epfd={epfd} wakeup kind=1"


def kinds(count):
    """A loop's descriptor whose kind alternates between asyncio and uvloop."""
    yield from loops(count)
    for i in range(count):
        yield f"1 epoll epfd=3 wakeup kind={i % 2 + 1}"


def unread_kinds(count):
    """The same, but the threads that wait on it run no loop."""
    yield "1 epoll epfd=3 wakeup kind=1"
    for tid in range(2, count + 2):
        yield from (
            f"{tid} thread pid=1 python",
            f"{tid} epoll_enter epfd=3 timeout_ms=-1",
            f"{tid} runs_loop",
        )
    for i in range(count):
        yield f"1 epoll epfd=3 wakeup kind={i % 2 + 1}"


def closes(count):
    """Loops' descriptors are closed, among many threads."""
    yield from threads(count)
    for _ in range(count):
        yield from (
            "1 epoll epfd=3 wakeup kind=1",
            "2 runs_loop yes kind=1",
            "2 epoll_enter epfd=3 timeout_ms=-1",
            "2 epoll_exit epfd=3 ret=1",
            "2 epoll_close epfd=3",
        )


def loops_of_one(count):
    """One thread runs many loops, one after the other."""
    yield "2 thread pid=1 python"
    for epfd in range(count):
        yield from (
            f"1 epoll epfd={epfd} wakeup kind=1",
            "2 runs_loop yes kind=1",
            f"2 epoll_enter epfd={epfd} timeout_ms=-1",
            f"2 epoll_exit epfd={epfd} ret=1",
            "2 runs_loop kind=0",
        )


def moves(count):
    """Threads whose stacks have changed often enough to prove that they ran Python."""
    yield from (
        "1 gil gil=0 address=1",
        "function 1 line=1 name=f file=/f.py",
        *(f"stack {i} 1:{i}" for i in range(1, 5)),
    )
    yield from threads(count)
    for stack in range(1, 5):
        yield f"2 stack gil=0 clock stack={stack}"
    for _ in range(count):
        yield "2 stack gil=0 clock stack=4"


def births_of_gils(count):
    yield from threads(count, known=True)
    for i in range(count):
        yield f"1 gil gil={i} address={i + 1}"


def exits(count):
    """Processes exit, among many GILs."""
    for i in range(count):
        yield f"1 gil gil={i} address={i + 1}"
    for pid in range(2, count + 2):
        yield from (f"{pid} thread pid={pid} python", f"{pid} process_exit")


def stalls(count):
    yield from LOOP[:2]
    for _ in range(count):
        yield from ("1 epoll_enter epfd=3 timeout_ms=-1", "1 epoll_exit epfd=3 ret=1", 60)


def stalls_of_lengths(count):
    """The n-th lasts 60 + n % 1000 ms."""
    yield from LOOP[:2]
    for n in range(count):
        yield from (
            "1 epoll_enter epfd=3 timeout_ms=-1",
            "1 epoll_exit epfd=3 ret=1",
            60 + n % 1000,
        )
    yield "1 epoll_enter epfd=3 timeout_ms=-1"


def occupants(count):
    yield from (*LOOP, "1 switch_out cpu=0 runnable")
    for tid in range(2, count + 2):
        yield f"{tid} run cpu=0 pid={tid}"
    yield from ("1 switch_in cpu=0", 100, "1 epoll_enter epfd=3 timeout_ms=-1")


def syscalls(count):
    yield from LOOP
    for sysno in range(count):
        yield from (
            f"1 switch_out cpu=0 syscall sysno={sysno}",
            "1 wake cpu=0",
            "1 switch_in cpu=0",
        )
    yield from (100, "1 epoll_enter epfd=3 timeout_ms=-1")


def comms(count):
    for tid in range(2, count + 2):
        yield f"{tid} comm pid={tid} comm=c{tid}"


def stacks(count):
    """Deep stacks, all different."""
    for i in range(count):
        yield f"function {i + 1} line={i} name=f{i} file=/a/f{i}.py"
    for i in range(count):
        yield f"stack {i + 1} " + " ".join(
            f"{(i * 131 + j * 7919) % count + 1}:{j}" for j in range(32)
        )
    yield from (*LOOP, "1 gil gil=0 address=1", "1 take gil=0")
    for i in range(count):
        yield from (5, f"1 stack gil=0 clock stack={i + 1}")
    yield "1 epoll_enter epfd=3 timeout_ms=-1"


def owners(count):
    """The mutex that a thread sleeps on is read again and again; its owner is none of the many
    known threads."""
    yield from threads(count, known=True)
    yield "2 switch_out cpu=0 syscall sysno=202"
    for _ in range(count):
        yield "2 futex mutex address=8 other=1 span_ns=1"


def starved(count):
    """Each thread waits a second for the GIL because of another one, in a deep stack."""
    yield from (
        "function 1 line=1 name=f file=/uvicorn/supervisors/multiprocess.pyi",
        "stack 1 " + " ".join(f"1:{line}" for line in range(1, 100)),
        "1 gil gil=0 address=1",
    )
    for waiter in range(2, 2 * count + 2, 2):
        yield from (
            f"{waiter} thread pid=1 python",
            f"{waiter + 1} take gil=0",
            f"{waiter} stack gil=0 wait stack=1",
            f"{waiter} wait gil=0",
            1100,
            f"{waiter + 1} drop gil=0",
            f"{waiter} take gil=0",
            f"{waiter} drop gil=0",
        )


def starved_by_many(count):
    """Many threads wait for the GIL while others have it in turn, in many stacks."""
    holders = 128
    yield "function 1 line=1 name=f file=/f.py"
    for line in range(1, count // holders + 1):
        yield f"stack {line} 1:{line}"
    yield "1 gil gil=0 address=1"
    for tid in range(2, 258):
        yield from (f"{tid} thread pid=1 python", f"{tid} wait gil=0")
    yield 20
    for tid in range(1000, 1000 + holders):
        yield f"{tid} take gil=0"
        for line in range(1, count // holders + 1):
            yield from (20, f"{tid} stack gil=0 clock stack={line}")
        yield f"{tid} drop gil=0"


def looks(count):
    """Mode "edges": threads that have been off the CPU since after the queried instant."""
    yield "1 gil gil=0 address=1"
    yield from threads(count, known=True)
    for tid in range(2, count + 2):
        yield from (
            f"{tid} epoll_enter epfd=9 timeout_ms=-1",
            f"{tid} switch_out cpu=0 syscall sysno=232",
        )
    for _ in range(count):
        yield "0 observe gil=0 span_ns=1000000000"


MODES = {"looks": "edges"}
KINDS = {
    kind.__name__: kind
    for kind in (
        gils,
        loops,
        blockers,
        threads,
        losses,
        processes,
        losses_of_threads,
        losses_of_loops,
        losses_of_processes,
        losses_of_one_process,
        losses_of_cpus,
        losses_of_gils,
        waiters,
        waiters_of_many,
        waiting_loops,
        waiters_without_a_stack,
        runs,
        runs_of_threads,
        settling,
        switched_off,
        descriptors,
        kinds,
        unread_kinds,
        closes,
        loops_of_one,
        moves,
        births_of_gils,
        exits,
        stalls,
        stalls_of_lengths,
        occupants,
        syscalls,
        comms,
        stacks,
        owners,
        starved,
        starved_by_many,
        looks,
    )
}


def script(kind, count):
    now = 10**9
    yield (
        'gilscope-script 1 {"version": "0.1.0", "mode": "%s", "stacks": true, "rate_hz": 199}'
        % MODES.get(kind, "exact")
    )
    yield PROCESS
    yield f"{now // 10**9}.{now % 10**9:09d} 0 window"
    for line in KINDS[kind](count):
        if isinstance(line, int):  # a pause of that many milliseconds
            now += line * 1000000
        elif line.startswith(("process ", "function ", "stack ")):
            yield line
        else:
            now += 1000
            yield f"{now // 10**9}.{now % 10**9:09d} {line}"
    yield f"{now // 10**9 + 1}.0 0 window end"


def write(path, kind, count):
    with open(path, "w", encoding="ascii") as file:
        file.writelines(line + "\n" for line in script(kind, count))
    return path


if __name__ == "__main__":
    sys.stdout.writelines(line + "\n" for line in script(sys.argv[1], int(sys.argv[2])))
