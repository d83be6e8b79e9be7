/* SPDX-License-Identifier: MIT */
/*
 * live_private.h - the steps that live.c makes of reports and live_view.c adds up.
 */
#ifndef GILSCOPE_ANALYSIS_LIVE_LIVE_PRIVATE_H
#define GILSCOPE_ANALYSIS_LIVE_LIVE_PRIVATE_H

#include "analysis/fold.h"
#include "analysis/live/live.h"
#include "analysis/sums/breakdown.h"

struct loop_step {
	const struct loop *loop;
	struct dist_growth turn;
	uint64_t longest_ns;
	uint32_t stalls; /* that ended in it */
	uint64_t stall_ns, worst_ns, unknown_ns;
	struct state_sums stalled;
};

struct process_sums {
	const struct process *process;
	struct state_sums states;
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
	struct pool_report *pools; /* live_growth.c fills and frees these and what follows */
	struct live_starved *starved;
	struct wait_flame *waits;
	struct process_sums *processes;
	uint32_t pool_count, starved_count, wait_count, process_count;
};

/* A loop as of the last report. */
struct loop_sums {
	const struct loop *loop;
	bool present;		 /* in it */
	struct live_loop *shown; /* while a view is made: its place there; NULL: none */
	struct dist turn;
	uint64_t unknown_ns;
	uint64_t ts_stalls; /* stalls that end later are new */
	struct live_stall *ongoing;
};

TABLE_OF(live_threads, struct live_thread, thread)
TABLE_OF(live_gils, struct live_gil, gil)
TABLE_OF(live_loops, struct loop_sums, loop)
TABLE_OF(live_starved, struct live_starved, thread)
TABLE_OF(live_processes, struct process_sums, process)

struct live {
	/* the sums as of the last report: struct live_thread, live_gil, loop_sums, handler_entry */
	struct table threads, gils, loops, blame, process_sums;
	struct table step_blame;       /* of the step that is being made; empty in between */
	int error;		       /* the sums are incomplete */
	struct live_stall *all;	       /* that somebody has (utlist.h) */
	struct step steps[LIVE_STEPS]; /* oldest first */
	uint32_t step_count;
	struct live_stall *stalls[LIVE_STALLS_MAX]; /* that are over, oldest first */
	uint32_t stall_count;
	struct live_starved *waiting; /* as of the last report */
	uint32_t waiting_count;
	struct report about; /* of the last report, without its lists */
	const struct process **processes;
	uint32_t process_count;
};

/* Adds a stall to what its culprit did; nothing when it has none. 0 or -ENOMEM. */
int live_charge(struct table *blame, const struct stall *stall);
/* The entry of a handler in a table of handler_entry; that of all others when there are too many.
 * NULL when memory is short. */
struct blame *live_blame_of(struct table *blame, const struct handler *handler);

/* live_growth.c: what growth reports bring of their own; into a step, and into a view. 0 or
 * -ENOMEM. */
int live_step_growth(struct live *live, struct step *step, const struct report *report);
void live_step_growth_done(struct step *step);
int live_view_growth(const struct live *live, struct live_view *view);
void live_starved_free(struct live_starved *list, uint32_t count);
/* live_pools.c: the same of pools alone, for live_growth.c. */
int live_step_pools(struct step *step, const struct report *report);
int live_view_pools(const struct live *live, struct live_view *view);
void live_pools_free(struct pool_report *pools, uint32_t count);

/* A sum may shrink (report_builder_growth()), and then counts as nothing. */
static inline uint64_t live_at_least_zero(uint64_t sum)
{
	return sum > INT64_MAX ? 0 : sum;
}

/* A copy of the list; NULL of an empty one, and when memory is short. */
void *live_duplicate(const void *list, uint32_t count, size_t size);

#endif
