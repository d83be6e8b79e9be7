/* SPDX-License-Identifier: MIT */
/*
 * loops.h - which threads run an asyncio event loop, as asyncio's C part keeps it
 * (Modules/_asynciomodule.c: set_running_loop).
 */
#ifndef GILSCOPE_PYTHON_LOOPS_H
#define GILSCOPE_PYTHON_LOOPS_H

#include "python/threads.h"

/* Emits RUNS_LOOP for every Python thread. 0 or what the sink returns. */
int loops_emit_all(struct target *target, const struct threads *threads,
		   const struct stream_sink *sink);

#endif
