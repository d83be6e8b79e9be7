/* SPDX-License-Identifier: MIT */
/*
 * loops.h - which threads run an event loop: asyncio's, as its C part keeps it
 * (Modules/_asynciomodule.c: set_running_loop), or trio's (runners.h).
 */
#ifndef GILSCOPE_PYTHON_LOOPS_H
#define GILSCOPE_PYTHON_LOOPS_H

#include "python/threads.h"

/* Emits RUNS_LOOP for every thread of which it is known: one without a PyThreadState runs none. 0
 * or what the sink returns. */
int loops_emit_all(struct target *target, const struct threads *threads,
		   const struct stream_sink *sink);

#endif
