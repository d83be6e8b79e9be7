/* SPDX-License-Identifier: MIT */
/*
 * live_private.h - the steps that live.c makes of reports and live_view.c adds up.
 */
#ifndef GILSCOPE_ANALYSIS_LIVE_LIVE_PRIVATE_H
#define GILSCOPE_ANALYSIS_LIVE_LIVE_PRIVATE_H

#include "analysis/fold.h"
#include "analysis/live/live.h"

struct loop_step {
	const struct loop *loop;
	struct dist_growth turn;
	uint64_t longest_ns;
	uint32_t stalls; /* that ended in it */
	uint64_t stall_ns, worst_ns;
	struct state_sums stalled;
};

/* What came between two reports. */
struct step {
	uint64_t start, end;
	uint64_t lost, unknown_ns, thread_ns;
	struct live_thread
		*threads; /* those with something new, as the handlers; the loops of the report */
	struct live_gil *gils;
	struct loop_step *loops;
	struct handler_entry *blame;
	uint32_t thread_count, gil_count, loop_count, blame_count;
};

/* A loop as of the last report. */
struct loop_sums {
	const struct loop *loop;
	bool present;		 /* in it */
	struct live_loop *shown; /* while a view is made: its place there; NULL: none */
	struct dist turn;
	uint64_t ts_stalls; /* stalls that end later are new */
	struct live_stall *ongoing;
};

TABLE_OF(live_threads, struct live_thread, thread)
TABLE_OF(live_gils, struct live_gil, gil)
TABLE_OF(live_loops, struct loop_sums, loop)

struct live {
	/* the sums as of the last report: struct live_thread, live_gil, loop_sums, handler_entry */
	struct table threads, gils, loops, blame;
	struct table step_blame;       /* of the step that is being made; empty in between */
	struct step steps[LIVE_STEPS]; /* oldest first */
	uint32_t step_count;
	struct live_stall *stalls[LIVE_STALLS_MAX]; /* that are over, oldest first */
	uint32_t stall_count;
	struct report about; /* of the last report, without its lists */
	const struct process **processes;
	uint32_t process_count;
};

/* Adds a stall to what its culprit did; nothing when it has none. 0 or -ENOMEM. */
int live_charge(struct table *blame, const struct stall *stall);
/* The entry of a handler in a table of handler_entry; that of all others when there are too many.
 * NULL when memory is short. */
struct blame *live_blame_of(struct table *blame, const struct handler *handler);

#endif
