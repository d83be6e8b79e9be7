/* SPDX-License-Identifier: MIT */
/*
 * trio.h - whether a thread runs trio's loop. Trio keeps that where only Python code can reach it
 * (GLOBAL_RUN_CONTEXT, a threading.local), but as long as the loop runs, trio.run() is on the
 * stack of its thread.
 */
#ifndef GILSCOPE_PYTHON_TRIO_H
#define GILSCOPE_PYTHON_TRIO_H

#include <stdbool.h>
#include <stdint.h>

struct target;

/*
 * Is trio.run() (run in trio/_core/_run.py, all versions) among the frames of the PyThreadState at
 * `state`? In guest mode, where another loop waits for it, it is not. 0 or an error: -EAGAIN, the
 * frames cannot all be read, so that it is not there proves nothing; -ENOTSUP, in this version
 * frames or names cannot be read at all.
 */
int trio_runs(const struct target *target, uint64_t state, bool *ret_runs);

#endif
