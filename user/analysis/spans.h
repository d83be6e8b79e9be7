/* SPDX-License-Identifier: MIT */
/*
 * spans.h - the recording as spans, for those who draw it: what state every thread was in, which
 * stack it had, who held which GIL, what turns the loops made.
 *
 * Between the stage of attribution.h and a drawing. It merges what the model had to cut, and passes
 * on the stretches of ATTRIBUTION_STILL and ATTRIBUTION_LANE as one lane of stacks. Its memory is
 * bounded by the threads. Per thread and kind the spans come in order of time and do not overlap;
 * between threads and kinds there is no order.
 */
#ifndef GILSCOPE_ANALYSIS_SPANS_H
#define GILSCOPE_ANALYSIS_SPANS_H

#include "analysis/attribution.h"

/* Where in Python a thread was; on a CPU (`sampled`) by the policy ATTRIBUTION_LANE or
 * ATTRIBUTION_CLOCK. */
struct stack_span {
	struct thread *thread;
	uint64_t start, end;
	uint32_t stack, task; /* definitions; 0 = not known */
	bool sampled;
};

/* All may be NULL. A thread's state and stack spans are gapless, from its first appearance in the
 * window to its exit or the window's end. */
struct span_sink {
	void (*state)(void *ctx,
		      const struct interval
			      *span); /* neighbours differ in state, gil, sysno, cpu, throttled,
					 sampled or gc; `in_turn` means nothing */
	void (*stack)(
		void *ctx,
		const struct stack_span *span); /* neighbours differ in stack, task or sampled */
	void (*clock)(void *ctx,
		      const struct stack_span *span); /* ATTRIBUTION_CLOCK: a sample at `end`, for
							 all on a CPU since the one before */
	void (*hold)(void *ctx,
		     const struct hold *hold); /* per GIL in order of time and without overlap */
	void (*wait)(void *ctx, const struct gil_wait *wait);
	void (*turn)(void *ctx, const struct turn *turn); /* per loop likewise */
	void (*waiters)(void *ctx, const struct gil *gil,
			uint64_t ts); /* so many (gil->waiters) wait from now on; per GIL in order
					 of time */
	void (*loss)(void *ctx,
		     const struct loss *loss); /* in order of their begins; they may overlap */
	void *ctx;
};

struct spans;

/* Receives the stretches of `attribution` from now on, which must outlive it. NULL when memory is
 * short. */
struct spans *spans_new(struct span_sink sink, struct attribution *attribution);
void spans_free(struct spans *spans);

/* Emits what is still held back; after world_end(). 0, or -ENOMEM when memory was short meanwhile:
 * then spans are missing. */
int spans_finish(struct spans *spans);

#endif
