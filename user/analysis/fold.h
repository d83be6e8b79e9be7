/* SPDX-License-Identifier: MIT */
/*
 * fold.h - what the fold keeps while the model runs. Internal to the room; fold.c writes it, with
 * flames.c and waits.c, report.c makes the report of it, with flames.c and blame.c.
 *
 * Every object of the model carries its part in `data`. The builder owns the parts and frees them
 * through its lists, so it may outlive the world.
 */
#ifndef GILSCOPE_ANALYSIS_FOLD_H
#define GILSCOPE_ANALYSIS_FOLD_H

#include "analysis/attribution.h"
#include "analysis/sums/breakdown.h"
#include "analysis/report.h"
#include "analysis/turn.h"
#include "base/table.h"

struct time {
	uint64_t ns, gc_ns;
};

struct thread_fold {
	struct thread_fold *next;
	struct thread_report report;
	bool had_loop;
	uint64_t turn_ns[TS_COUNT]; /* of report.states: inside turns */
	uint64_t told_ns[TS_COUNT]
			[2];   /* of report.states: in `flames`, with a stack; [1]: inside turns */
	int32_t sysno;	       /* of the latest interval */
	uint64_t waited_ns;    /* of the wait interval that is open: told in `waits` */
	uint64_t wait_told_ns; /* of all its waits: told in `waits` */
	uint32_t wait_entry;   /* number of the one of `waits` that was told last: mostly it is the
				  next one, too */
};

struct gil_fold {
	struct gil_fold *next;
	struct gil_report report;
};

struct loop_fold {
	struct loop *loop;
	/* the turn in progress */
	bool in_turn;
	uint64_t ts_turn;
	uint64_t ts_preempted; /* who had the CPU is known up to here */
	struct breakdown now;
	struct breakdown meanwhile; /* who had the CPU during the interval that is open, if it
				       proves to be one of waiting for it */
	struct turn_stacks stacks;
	/* finished turns; the array has room for one stall more, the one that is going on while a
	 * report is made */
	struct loop_report report;
	uint32_t stall_room;
	struct stall ongoing; /* of the latest report */
};

struct process_fold {
	struct process_fold *next;
	struct loop_fold **loops; /* typically one; pointers, because loop->data points to them */
	uint32_t loop_count, loop_room;
};

/* Entries of report_builder.flames and .waits; the keys have no padding. */
struct flame_entry {
	struct {
		const struct thread *thread;
		uint32_t stack;
		uint16_t state, in_turn;
	} key;
	struct time time;
	uint64_t samples;
};
TABLE_OF(flames, struct flame_entry, key)

struct wait_entry {
	struct {
		const struct thread *waiter, *holder; /* holder NULL: nobody certain */
		uint32_t waiter_stack, holder_stack;
	} key;
	uint64_t ns;
};
TABLE_OF(waits, struct wait_entry, key)

/* Of report_builder.handlers and .left_out. */
struct handler_entry {
	uint32_t function; /* 0: no handler */
	struct blame blame;
};
TABLE_OF(handlers, struct handler_entry, function)

struct report_builder {
	uint64_t stall_ns;
	bool without_flames;
	struct attribution *attribution;
	int error; /* the first, -ENOMEM: the callbacks cannot return it */
	struct thread_fold *threads;
	struct gil_fold *gils;
	struct process_fold *processes;
	uint32_t loop_count;
	struct table flames, waits;
	struct table handlers; /* for counting by handler, empty in between */
	struct table left_out; /* struct handler_entry: stalls that are not listed, by culprit */
	size_t stall_bytes;    /* of all that are */
	struct report report;  /* the latest */
};

/*
 * Who made whom wait has as many answers as there are waiters and holders, and every stretch of a
 * hold, or of a neighbour on the CPU, is added to all who wait. So of more than this many who wait
 * at a time for one GIL or one CPU, it is known of these: loops' threads, then those that wait
 * longest. The others wait for nobody known.
 */
#define WAITERS_MAX 256

static inline void check(struct report_builder *builder, int r)
{
	if (r < 0 && !builder->error)
		builder->error = r;
}

/* The thread's part, made when first needed; NULL when memory is short. */
struct thread_fold *thread_fold_new(struct report_builder *builder, struct thread *thread);
static inline struct thread_fold *thread_fold(struct report_builder *builder, struct thread *thread)
{
	return thread->data ? thread->data : thread_fold_new(builder, thread);
}

/* fold.c: what the builder takes of its stage. */
struct stretch_sink fold_sink(struct report_builder *builder);

/* Makes sure that there is room for two more entries in the loop's stalls: one to keep, one spare.
 * 0 or -ENOMEM. */
int loop_fold_reserve(struct loop_fold *loop);
/* Lists the finished stall, which is the loop's from then on whatever is returned. 0 or -ENOMEM. */
int stall_list(struct report_builder *builder, struct loop_fold *loop, struct stall *stall);
/* So much of STALLS_BYTES_MAX it takes. */
size_t stall_bytes(const struct stall *stall);
/* blame.c: charges the handler behind it before it is forgotten. 0 or -ENOMEM. */
int blame_left_out(struct report_builder *builder, const struct stall *stall);

/* Makes the stall of the turn in progress, as if it ended now; start, end and the like are the
 * caller's. 0 or -ENOMEM. */
int stall_make(struct report_builder *builder, const struct loop_fold *loop, struct stall *stall);
/* Builds a complete `stall` from the turn in progress. 1: it exceeds the threshold; 0: it does not
 * (the stall is left as it is); or -ENOMEM. */
int stall_make_ongoing(struct report_builder *builder, const struct loop_fold *loop,
		       struct stall *stall);
void stall_done(struct stall *stall);
/* Names of tasks become known late (COMM), so those still missing are asked for with every report.
 */
void name_occupants(const struct world *world, struct breakdown *what);
/* True when Python says that what was taken for a loop is not one; the turns it seemed to make do
 * not count. */
bool loop_was_none(const struct loop_fold *loop);

/* Where a thread stands that is off the CPU or waits for the GIL; not known in a recording without
 * stacks. */
static inline struct stack_ref still_of(const struct report_builder *builder,
					const struct thread *thread)
{
	return builder->report.stacks ? attribution_still(builder->attribution, thread)
				      : (struct stack_ref){0};
}

/* flames.c: a stretch of ATTRIBUTION_STILL or ATTRIBUTION_CLOCK */
void flames_add(struct report_builder *builder, struct thread_fold *thread,
		const struct stretch *stretch);

/* waits.c: who made whom wait for the GIL. Stretches of ATTRIBUTION_HOLD and
 * ATTRIBUTION_HOLD_EARLIER, and an interval of a thread that waited */
void waits_held(struct report_builder *builder, const struct stretch *stretch);
void waits_held_earlier(struct report_builder *builder, const struct stretch *stretch);
void waits_waited(struct report_builder *builder, struct thread_fold *waiter,
		  const struct interval *i);

/* flames.c, blame.c: fill these fields of the report. 0 or -ENOMEM */
int report_flames(struct report_builder *builder);
int report_blame(struct report_builder *builder);

/* blame.c: the handler of a stack; HANDLER_NONE when there is nothing to find it with */
struct handler handler_of(const struct report_builder *builder, uint32_t stack);
/* The handler with the most time in these, HANDLER_NONE when the most of what is known was in none.
 * 0 or -ENOMEM. */
int handler_most(struct report_builder *builder, const struct stack_share *shares, uint32_t count,
		 struct handler *ret_handler);
/* For qsort(): the order of report.blame. */
int blame_worst_first(const void *a, const void *b);
/* The handlers of all blockers. */
int handlers_of_blockers(struct report_builder *builder, struct breakdown *what);

static inline uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
