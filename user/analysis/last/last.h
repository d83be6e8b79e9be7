/* SPDX-License-Identifier: MIT */
/*
 * last.h - what the threads of a process did right before it ended (struct last_moments).
 *
 * When it will end is not known before, so each thread has its sums of the latest second, in parts:
 * the time is cut at multiples of LAST_PART_NS, and a part that is older than LAST_PARTS of them is
 * used again. So what is reported begins where a part does, a second before the end or up to a part
 * more, and is exact. So many threads have that which had something new last; of others it is
 * unknown. A thread that sleeps has nothing new until it wakes up, or ends: that alone is more than
 * a second then.
 */
#ifndef GILSCOPE_ANALYSIS_LAST_LAST_H
#define GILSCOPE_ANALYSIS_LAST_LAST_H

#include "analysis/fold.h"

#define LAST_PART_SHIFT 26 /* 67 ms: a shift instead of a division, at every interval */
#define LAST_PARTS	16

#define LAST_THREADS_AT_ONCE 16384 /* 11 MB */

/* Of a thread. */
struct last {
	struct thread_fold *of;
	struct last *prev, *next;	   /* of report_builder.lasts */
	uint64_t newest;		   /* number of the latest part that it has something in */
	uint64_t end;			   /* of its latest interval */
	uint32_t ns[LAST_PARTS][TS_COUNT]; /* part n is at n % LAST_PARTS */
	uint32_t held_ns[LAST_PARTS];	   /* with a GIL, whatever it did */
	/* the latest stack that was seen of it */
	uint32_t stack, native;
	uint64_t ts_stack;
};

/* Before the interval is added to thread->report.states. */
void last_interval(struct report_builder *builder, struct thread_fold *thread,
		   const struct interval *i);
void last_sample(struct report_builder *builder, struct thread_fold *thread,
		 const struct sample *sample);
void last_free(struct report_builder *builder, struct thread_fold *thread);
/* Sets process_report.last of those that have ended. 0 or -ENOMEM. */
int last_report(struct report_builder *builder);

#endif
