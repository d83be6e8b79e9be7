# SPDX-License-Identifier: MIT
"""How right gilscope is with one interpreter, one kind of loop and one mode: the causes of stalls
and their names, and stacks compared frame by frame."""

import os

import harness
import interpreters
import measure
import stacks

PROMISED_EDGE_NS = 100_000


def compare(loop, mode, python, script, port, folder):
    """What was found, as a dictionary of plain values. "faults" are sentences: the promises that
    were not kept.

    `folder`: where there is room for a recording.
    """
    environment = {"TRUTH_SLOW_PORT": str(port), "LD_PRELOAD": harness.polls_library()}
    try:
        with harness.RawApp(
            loop, python=python, script=script, prefix=harness.undisturbed(), env=environment
        ) as app:
            result = measure.Measurement(
                app, short=100, loop=loop, gil=interpreters.gil_is_on(python), mode=mode
            )
        with stacks.StacksApp(
            loop,
            python=python,
            script=os.path.join(os.path.dirname(script), "stacks_truth.py"),
            prefix=harness.undisturbed(),
        ) as app:
            found = stacks.observe(app, folder, mode=mode)
    except (RuntimeError, AssertionError) as error:
        return {"loop": loop, "mode": mode, "faults": [str(error)]}
    faults = list(result.faults)
    faults += [f"a stack is wrong: {wrong}" for wrong in found.wrong]
    faults += [f"no right stack: {without}" for without in found.without]
    faults += ["edges are farther off than 100 us"] if result.edge_p99_ns > PROMISED_EDGE_NS else []
    if not found.right:
        faults.append("no stack was right")
    sites = result.process["sites"]
    return {
        "loop": loop,
        "mode": mode,
        "python": result.process["python"],
        "sites": f"{sites['method']} {sites['take']}/{sites['drop']}/{sites['wait']}",
        "takes": "–" if result.takes is None else result.takes,
        "imbalance": "–" if result.imbalance is None else result.imbalance,
        "stalls": f"{result.found}/{result.expected}",
        "right": f"{result.right}/{result.expected}",
        "names": f"{result.names.right}/{result.names.total}",
        "stacks": f"{found.right}/{found.right + len(found.missing) + len(found.wrong)}",
        "edge_p50_ns": result.edge_p50_ns,
        "edge_p99_ns": result.edge_p99_ns,
        "faults": faults,
    }
