/* SPDX-License-Identifier: MIT */
/*
 * live.h - what a live view shows of the history window: the growth of a report's sums since an
 * earlier report.
 *
 * Every report becomes a step: its exact growth since the report before, so the steps of a stretch
 * of time add up to its sums. The steps of the last minute are kept. Memory is
 * bounded by the loops and the handlers that ran in that minute and the threads of the last
 * seconds; of stalls at most LIVE_STALLS_MAX are kept (the others are counted). The objects that a
 * view points to are the model's, everything else is its own, so it may be read while the fold
 * continues.
 */
#ifndef GILSCOPE_ANALYSIS_LIVE_LIVE_H
#define GILSCOPE_ANALYSIS_LIVE_LIVE_H

#include "analysis/report.h"

#define LIVE_WHILE_NS  UINT64_C(60000000000) /* of turns, stalls and handlers */
#define LIVE_MOMENT_NS UINT64_C(5000000000)  /* of threads and GILs */
#define LIVE_STEPS                                                                                 \
	128 /* steps kept at most; reports should come at least LIVE_WHILE_NS / 120 apart */
#define LIVE_STALLS_MAX 512
#define LIVE_HANDLERS_MAX                                                                          \
	1024 /* handlers with something new in one step; the others count as one, with function 0  \
	      */

/* All structs that a table gathers have their key first. */
struct live_thread {
	const struct thread *thread;
	const struct gil *gil;	  /* held or waited for now, or the last one; NULL: none seen */
	struct state_sums states; /* of the last seconds */
	uint64_t held_ns, waits, forced_drops;
	enum thread_state now; /* since … */
	uint64_t ts_now;       /* … then */
	bool gone;
};

struct live_gil {
	const struct gil *gil;
	uint64_t held_ns, contended_ns, handoffs, forced; /* of the last seconds */
	uint64_t while_held_ns, longest_wait_ns; /* in the window; waits in progress included */
	bool longest_wait_cut;			 /* as in gil_report */
	const struct thread *holder;		 /* now; NULL: none, or unknown */
	bool free;				 /* now: certainly no holder */
	uint32_t waiters;			 /* now */
};

struct live_loop {
	const struct loop *loop;
	struct dist turn; /* whole turns that ended in the window; max_ns also of those that are
			     not whole, or in progress */
	uint64_t longest_ns[LIVE_STEPS]; /* by step, as turn.max_ns; the latest step is the last one
					    of step_count */
	uint32_t stalls;		 /* ended in the window, or in progress */
	uint64_t stall_ns, worst_ns;
	struct state_sums stalled; /* where their time went */
	uint64_t unknown_ns;	   /* of its thread's time in the window */
	bool ongoing;
};

/* A thread that waited for the GIL for STARVED_NS and longer, and at most the first few holders of
 * the longest wait. */
struct live_starved {
	const struct thread *thread;
	struct starvation starved;
};

/* A stall, whole with its breakdown. */
struct live_stall {
	const struct loop *loop;
	struct stall stall;
	struct ongoing ongoing; /* of one in progress: what its thread is doing now; with no
				   report, loop and stall */
	uint64_t ts_step;	/* end of the step that brought it */
	uint32_t users;		/* internal, like the rest */
	struct live_stall **all, *prev, *next;
};

struct live_view {
	struct report about;	      /* everything but the lists of the report, which are empty */
	uint64_t while_ns, moment_ns; /* how long the steps go back in fact; 0: no step yet */
	uint64_t lost, unknown_ns, thread_ns; /* in the window */
	const struct process **processes;
	struct state_sums *process_states; /* of the threads of each, in the window */
	uint32_t process_count;
	struct pool_report *pools; /* of the window */
	uint32_t pool_count;
	struct live_starved *starved; /* likewise, those that still wait included; in order of
					 appearance */
	uint32_t starved_count;
	struct wait_flame *waits; /* of processes without loops, by waiter, holder and the
				     function that the holder ran */
	uint32_t wait_count;
	struct live_thread
		*threads; /* in order of appearance; none that went before the last seconds */
	uint32_t thread_count;
	struct live_gil *gils;
	uint32_t gil_count;
	struct live_loop *loops;
	uint32_t loop_count, step_count;
	uint64_t step_ends[LIVE_STEPS];
	struct live_stall **stalls; /* those in progress first, then the latest first */
	uint32_t stall_count, stalls_left_out;
	struct blame *blame; /* worst first; of the window, with the stalls above and those left
				out */
	uint32_t blame_count;
};

struct live;

struct live *live_new(void);
void live_free(struct live *live);

/*
 * Receives what the world is about to free (world_tidy()); to be added to the builder's attribution
 * stage. A view must not be used any more afterwards, but given back. What a stall refers to stays
 * as long as somebody has the stall.
 */
struct stretch_sink live_sink(struct live *live);

/* Visits the definitions that it refers to: all that a view of it shows. */
void live_refers(const struct live *live, const struct definition_visit *visit);

/* A new step: the growth of this report since the last one. They must be growth reports of one
 * builder, in order. 0 or -ENOMEM: then some figures are too small. */
int live_update(struct live *live, const struct report *report);

/*
 * For report_builder_ongoing(), right after the update: what the threads of stalled loops are doing
 * now. Without it that is what the stall was mostly. `ctx` is the struct live.
 */
int live_ongoing(void *ctx, const struct ongoing *ongoing);

/* The history window, as of the last update. The view is to be given back; live may be updated
 * meanwhile, not freed. 0 or -ENOMEM. */
int live_view_make(struct live *live, struct live_view *ret_view);
void live_view_done(struct live_view *view);

/*
 * The history window as a report, for the rules of diagnosis: its processes, with the time of their
 * threads as one sum, loops, stalls, starved threads, pools and waits. `states` of single threads
 * and all that is about a whole recording are empty. It points into the view. 0 or -ENOMEM.
 */
struct live_report {
	struct report report;
	/* internal: what it points to beyond the view */
	struct process_report *processes;
	struct loop_report *loops;
	struct stall *stalls;
	struct thread_report *threads;
	struct gil_report *gils;
};
int live_report_make(const struct live_view *view, struct live_report *ret_report);
void live_report_done(struct live_report *report);

/* For a caller that keeps a stall longer than its view. */
struct live_stall *live_stall_get(struct live_stall *stall);
void live_stall_put(struct live_stall *stall); /* NULL is fine */

#endif
