/* SPDX-License-Identifier: MIT */
/*
 * attribution_state.h - what the attribution stage knows of threads. Internal to attribution.c,
 * which changes it, and refers.c, which looks for names in it.
 */
#ifndef GILSCOPE_ANALYSIS_REFERS_ATTRIBUTION_STATE_H
#define GILSCOPE_ANALYSIS_REFERS_ATTRIBUTION_STATE_H

#include "analysis/attribution.h"

struct cpu_time {
	uint64_t start, end; /* equal: nothing */
	struct {
		uint64_t ns, gc_ns;
	} part[STRETCH_PARTS_MAX]; /* part_number(): by state, outside of turns and inside */
};

/* Time on a CPU that waits for the sample that it belongs to, under one policy. */
struct pending {
	struct cpu_time time;
	struct stack_ref last; /* the latest sample so far … */
	bool sampled;	       /* … if there was one */
};

/* What the stage knows of a thread. */
struct thread_attribution {
	struct thread *thread;
	struct stack_ref
		still; /* of a thread off the CPU or waiting for the GIL: where it stands */
	struct pending lane, turn, clock;
	const struct loop *loop; /* in a turn of this; NULL: in none */
	bool hold_sampled;	 /* a stack was taken since it has the GIL … */
	struct stack_ref hold;	 /* … the latest */
	struct interval *early;	 /* … or not yet: ATTRIBUTION_EARLY_MAX, made when first needed */
	uint32_t early_count;
};

struct attribution {
	struct stretch_sink *sinks, *sinks_end;
	uint32_t policies;		     /* that any of them wants */
	uint64_t valid_ns;		     /* more time than this is too much for one sample */
	struct thread_attribution **threads; /* by thread.index; NULL where none was seen yet */
	uint32_t room;
	int error;
};

#endif
