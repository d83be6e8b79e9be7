/* SPDX-License-Identifier: MIT */
/*
 * turn.h - where in Python a turn in progress spends its time: by stack, and by what ran one after
 * the other. Internal to the room.
 *
 * A fold over the stretches of ATTRIBUTION_STILL and ATTRIBUTION_TURN (attribution.h).
 *
 * A turn allocates nothing once the table has grown.
 */
#ifndef GILSCOPE_ANALYSIS_TURN_H
#define GILSCOPE_ANALYSIS_TURN_H

#include "analysis/sums/breakdown.h"
#include "base/table.h"

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
};

void turn_stacks_begin(struct turn_stacks *turn);
void turn_done(struct turn_stacks *turn);

/* Adds a stretch of the loop's thread. 0 or -ENOMEM. */
int turn_add(const struct report_builder *builder, struct turn_stacks *turn,
	     const struct stretch *stretch);

/* Fills the stall's what.stacks and what is made of them, as if the turn ended now. The turn may go
 * on. 0 or -ENOMEM. */
int turn_fill(struct report_builder *builder, const struct turn_stacks *turn, struct thread *thread,
	      struct stall *stall);

#endif
