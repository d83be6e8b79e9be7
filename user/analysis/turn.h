/* SPDX-License-Identifier: MIT */
/*
 * turn.h - where in Python a turn in progress spends its time: by stack, and by what ran one after
 * the other. Internal to the room.
 *
 * Time off the CPU and time of waiting comes with its stack. Time on a CPU is kept back until the
 * next sample and belongs to that, or to the last one when the turn ends; when it is longer than
 * `valid_ns` (report_builder) its stack is not known.
 *
 * A turn allocates nothing once the table has grown.
 */
#ifndef GILSCOPE_ANALYSIS_TURN_H
#define GILSCOPE_ANALYSIS_TURN_H

#include "analysis/breakdown.h"
#include "analysis/table.h"

#define TURN_SHARES_MAX 1024 /* what is beyond has stack 0 */

struct report_builder;

struct turn_parts {
	struct turn_part list[TURN_PARTS_MAX];
	uint32_t count;
	uint32_t current; /* the part of the latest known stack, 1 … count; 0: none yet */
	uint32_t unknown; /* the part of what is not known; 0: none yet */
};

struct turn_share {
	struct {
		uint32_t part, stack, task, spare;
		uint64_t root;
	} key; /* without padding */
	struct state_sums states;
	uint64_t gc_ns;
};

struct turn_stacks {
	struct table shares; /* turn_share */
	struct turn_parts parts;
	bool sampled;
	struct stack_ref last; /* the latest sample */
	/* on a CPU since then */
	uint64_t start, end, ns[2]; /* python, native */
	uint64_t gc_ns[2];	    /* of them, as traced */
};

void turn_begin(struct turn_stacks *turn);
void turn_done(struct turn_stacks *turn);

/* An interval of the loop's thread; `still` is the stack it has when it is off the CPU or waits. 0
 * or -ENOMEM. */
int turn_interval(struct report_builder *builder, struct turn_stacks *turn,
		  const struct interval *i, const struct stack_ref *still);
int turn_sample(struct report_builder *builder, struct turn_stacks *turn,
		const struct process *process, const struct stack_ref *ref);

/* Where a thread on a CPU is, as far as samples tell. */
struct stack_ref turn_latest(const struct report_builder *builder, const struct turn_stacks *turn);

/* Fills the stall's what.stacks and what is made of them, as if the turn ended now. The turn may go
 * on. 0 or -ENOMEM. */
int turn_fill(struct report_builder *builder, const struct turn_stacks *turn,
	      const struct process *process, struct stall *stall);

#endif
