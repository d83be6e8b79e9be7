/* SPDX-License-Identifier: MIT */
/*
 * pool_steps.h - thread pools over time, for drawing: how many of their threads are busy, from each
 * instant at which that changes. pools.c decides it, and its sums in the report are those of the
 * steps.
 */
#ifndef GILSCOPE_ANALYSIS_POOL_STEPS_H
#define GILSCOPE_ANALYSIS_POOL_STEPS_H

#include <stdbool.h>
#include <stdint.h>

struct report_builder;

/*
 * From `ts` on, until the pool's next step or the window's end. A pool's steps are in order of
 * time; one at the instant of the one before replaces it.
 */
struct pool_step {
	uint32_t pool; /* pool_report.id */
	uint64_t ts;
	uint32_t busy, idle, unknown; /* threads. So `busy` is a lower bound unless unknown is 0 */
	bool full; /* all were busy: counted in pool_report.full_ns, unless the pool grew later */
	bool anew; /* what was emitted of it so far is void: its thread belongs to another pool */
};

struct pool_sink {
	void (*step)(void *ctx, const struct pool_step *step); /* NULL: not wanted */
	void *ctx;
};

/* Before the first event. The argument of `step` lives as long as the call. */
void report_builder_pool_steps(struct report_builder *builder, struct pool_sink sink);

#endif
