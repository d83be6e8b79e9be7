/* SPDX-License-Identifier: MIT */
/*
 * turn.h - the Python stacks of a turn in progress: time by stack, and the sequence of handlers
 * that ran (parts). Internal to the room.
 *
 * Built from the stretches of ATTRIBUTION_STILL and ATTRIBUTION_TURN (attribution.h). The table is
 * reused from turn to turn, so it allocates only while it grows.
 */
#ifndef GILSCOPE_ANALYSIS_TURN_H
#define GILSCOPE_ANALYSIS_TURN_H

#include "analysis/sums/breakdown.h"
#include "base/table.h"

#define TURN_SHARES_MAX 1024 /* further stacks of the turn are counted as stack 0 */

struct report_builder;

struct turn_parts {
	struct turn_part list[TURN_PARTS_MAX];
	uint32_t count;
	uint32_t current; /* part of the latest known stack, 1 … count; 0: none yet */
	uint32_t unknown; /* part of the time without a known stack, 1 … count; 0: none yet */
};

struct turn_share {
	struct {
		uint32_t part, stack, task, spare;
		uint64_t root;
	} key; /* no padding: hashed and compared as bytes */
	struct state_sums states;
	uint64_t gc_ns;
	int32_t sysno; /* of the longest sleep … */
	uint32_t file; /* … and what it slept on (text) */
	uint64_t sleep_ns;
	struct native_share natives[NATIVES_MAX_OF_SHARE];
};

struct turn_stacks {
	struct table shares; /* turn_share */
	struct turn_parts parts;
};

/* Starts a new turn; zeroed memory will do. */
void turn_stacks_begin(struct turn_stacks *turn);
/* Frees the table. */
void turn_done(struct turn_stacks *turn);

/* Adds a stretch of the loop's thread. Returns 0 or -ENOMEM. */
int turn_add(const struct report_builder *builder, struct turn_stacks *turn,
	     const struct stretch *stretch);

/* Fills what.stacks of the stall and the fields derived from them, as if the turn ended now; more
 * stretches may be added afterwards. Returns 0 or -ENOMEM. */
int turn_fill(struct report_builder *builder, const struct turn_stacks *turn, struct thread *thread,
	      struct stall *stall);

#endif
