/* SPDX-License-Identifier: MIT */
/*
 * totals.h - what a service did since it is observed, as numbers that only grow, over processes
 * that come and go.
 *
 * A process has the lowest number that is free when it appears, and adds to that number's counters:
 * there are never more of them than processes at a time. Functions that stalled loops are counted
 * one by one up to TOTALS_FUNCTIONS_MAX, in order of appearance, and all others together.
 */
#ifndef GILSCOPE_ANALYSIS_TOTALS_TOTALS_H
#define GILSCOPE_ANALYSIS_TOTALS_TOTALS_H

#include "analysis/report.h"

/* Upper bounds of the classes of lengths, in ns; the last class has no bound. A length that exceeds
 * its bound by less than 1.6 % may count as within it (dist.h). */
#define TOTALS_BOUNDS 15
extern const uint64_t totals_bounds[TOTALS_BOUNDS];

/* Counters of a process, by index. Lengths are in ns. */
enum worker_counter {
	WORKER_STATES,					   /* of its threads, by state */
	WORKER_STALLED = WORKER_STATES + TS_COUNT,	   /* of its loops in stalls, by state */
	WORKER_TURNS = WORKER_STALLED + TS_COUNT,	   /* iterations, by class; cumulative */
	WORKER_TURN_NS = WORKER_TURNS + TOTALS_BOUNDS + 1, /* … together */
	WORKER_GIL_HELD_NS,
	WORKER_GIL_CONTENDED_NS,
	WORKER_HANDOFFS,
	WORKER_FORCED,
	WORKER_FREEZES,
	WORKER_WORLD_STOPPED_NS,
	WORKER_LOST,
	/* those above are read from reports, those below are added up */
	WORKER_STALLS,
	WORKER_STARVED,
	WORKER_STARVED_NS,
	WORKER_GC_NS,	     /* in stalls, in the loop's own thread */
	WORKER_THROTTLED_NS, /* likewise */
	WORKER_COUNTERS
};

struct worker_totals {
	const struct process *process;	 /* as of the last step; NULL: none has this number now */
	uint64_t shown[WORKER_COUNTERS]; /* the counters */
	uint32_t threads, waiters;	 /* now: threads, and those that wait for the GIL */
	uint64_t ongoing_ns;		 /* the longest iteration in progress */
	struct {
		uint32_t threads;
		uint64_t busy_ns; /* in the last step, over all of them */
	} pools[POOL_KINDS];
	/* internal */
	uint64_t base[WORKER_COUNTERS]; /* of the processes that had this number before */
	uint64_t now[WORKER_COUNTERS];
};

#define TOTALS_FUNCTIONS_MAX 200
#define TOTALS_NAME_MAX	     200 /* bytes of a function's and a file's name, with the end */
struct function_totals {
	char function[TOTALS_NAME_MAX], file[TOTALS_NAME_MAX]; /* hostile; cut */
	uint64_t stalls, ns;
};

/* Stalls of one class of lengths. */
struct stall_class {
	uint64_t count;
	/* The latest one that is in a recording. */
	char recording[64]; /* "": none is */
	uint64_t ns, ts;
};

struct totals {
	struct worker_totals **workers; /* by number */
	uint32_t worker_count;
	struct function_totals functions[TOTALS_FUNCTIONS_MAX + 1]; /* the last one: all others */
	uint32_t function_count;
	struct stall_class stalls[TOTALS_BOUNDS + 1]; /* not cumulative */
	uint64_t stall_ns;
	uint64_t deaths[65];   /* by signal; 0: it exited with a bad status */
	uint64_t freeze_ns;    /* freezes together */
	uint64_t step_ns, ts;  /* length and end of the last step */
	uint64_t unknown_ns;   /* of the threads' time */
	uint64_t lost, missed; /* events, in the whole window */
};

void totals_done(struct totals *totals);
/* A growth report, once a step, when world_tidy() has been called and before its stalls are
 * forgotten. 0 or -ENOMEM. */
int totals_step(struct totals *totals, const struct report *report);
/* A stall that has ended, and the file that will have it. */
void totals_recorded(struct totals *totals, const struct stall *stall, const char *recording);
void totals_freeze(struct totals *totals, const struct freeze *freeze);
/* A process that has ended as it should not. */
void totals_death(struct totals *totals, const struct death *death);

#endif
