/* SPDX-License-Identifier: MIT */
/*
 * runners.h - what a thread runs, by the functions on its stack: what only Python code can reach
 * (trio's GLOBAL_RUN_CONTEXT, a threading.local), or what has no other mark.
 *
 * Frames are right while the thread does not run. Those of one that does may be others by the time
 * they are read, but each is a function that is there.
 */
#ifndef GILSCOPE_PYTHON_RUNNERS_H
#define GILSCOPE_PYTHON_RUNNERS_H

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

/*
 * Is it a function in which the workers of servers and task queues are as long as they live, such
 * as gunicorn's Worker.init_process() or the work loop of celery's pool? As above.
 */
int worker_runs(const struct target *target, uint64_t state, bool *ret_runs);

/*
 * Is it a supervisor of such workers, but none itself? A worker that was forked has its parent's
 * frames, too. As above.
 */
int supervisor_runs(const struct target *target, uint64_t state, bool *ret_runs);

#endif
