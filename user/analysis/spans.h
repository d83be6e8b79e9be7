/* SPDX-License-Identifier: MIT */
/*
 * spans.h - the recording as spans for drawing: thread states, stacks, GIL holds and waits, loop
 * turns.
 *
 * Sits between the attribution stage (attribution.h) and a view. It merges intervals that the model
 * had to cut, and combines the stretches of ATTRIBUTION_STILL and ATTRIBUTION_LANE into one lane of
 * stacks. Memory is bounded by the number of threads. Spans of one kind and thread are emitted in
 * order of time and do not overlap; across threads and kinds there is no order. Times are in
 * nanoseconds (CLOCK_MONOTONIC).
 */
#ifndef GILSCOPE_ANALYSIS_SPANS_H
#define GILSCOPE_ANALYSIS_SPANS_H

#include "analysis/attribution.h"
#include "analysis/pool_steps.h"

/* The Python stack of a thread. `sampled`: it was on a CPU, and the stack is attributed by
 * ATTRIBUTION_LANE or ATTRIBUTION_CLOCK. */
struct stack_span {
	struct thread *thread;
	uint64_t start, end;
	uint32_t stack, task; /* definitions; 0: unknown */
	bool sampled;
};

/* Any callback may be NULL. State and stack spans of a thread have no gaps, from its first
 * appearance in the window to its exit or the window's end. Arguments live as long as the call. */
struct span_sink {
	void (*state)(void *ctx,
		      const struct interval
			      *span); /* neighbours differ in state, gil, sysno, cpu, throttled,
					 sampled or gc; `in_turn` is meaningless */
	void (*stack)(
		void *ctx,
		const struct stack_span *span); /* neighbours differ in stack, task or sampled */
	void (*clock)(void *ctx,
		      const struct stack_span *span); /* ATTRIBUTION_CLOCK: a sample at `end`, for
							 on-CPU time since the previous one */
	void (*hold)(void *ctx,
		     const struct hold *hold); /* per GIL in order of time, not overlapping */
	void (*wait)(void *ctx, const struct gil_wait *wait);
	void (*turn)(void *ctx, const struct turn *turn); /* per loop likewise */
	void (*waiters)(void *ctx, const struct gil *gil,
			uint64_t ts); /* gil->waiters threads wait from `ts` on; per GIL in order
					 of time */
	void (*loss)(void *ctx, const struct loss *loss); /* ordered by start; losses may overlap */
	void (*pool)(void *ctx, const struct pool_step *step); /* not of spans_new(), but for
								  report_builder_pool_steps() */
	/* model_sink.forget(): these are not in the report, either. */
	void (*forget)(void *ctx, const struct world *world);
	void *ctx;
};

struct spans;

/* Registers with `attribution`, which must outlive the result, and receives its stretches from now
 * on. Free with spans_free(). NULL when memory is short. */
struct spans *spans_new(struct span_sink sink, struct attribution *attribution);
void spans_free(struct spans *spans);

/* Emits the pending spans; call it after world_end(). Returns 0, or -ENOMEM if memory was short at
 * any time, so that spans are missing. */
int spans_finish(struct spans *spans);

#endif
