/* SPDX-License-Identifier: MIT */
/*
 * fold.h - the report builder's state while the model runs. Internal to the room. fold.c, flames.c
 * and waits.c update it; report.c, flames.c and blame.c build the report from it.
 *
 * `data` of a model object points to the builder's state for it (thread_fold, gil_fold …). The
 * builder owns that state and frees it through its own lists, so it may outlive the world.
 */
#ifndef GILSCOPE_ANALYSIS_FOLD_H
#define GILSCOPE_ANALYSIS_FOLD_H

#include "analysis/attribution.h"
#include "analysis/pool_steps.h"
#include "analysis/sums/breakdown.h"
#include "analysis/report.h"
#include "analysis/turn.h"
#include "base/table.h"

struct time {
	uint64_t ns, gc_ns;
};

/* A thread of a pool. */
enum worker_is { WORKER_UNKNOWN, WORKER_IDLE, WORKER_BUSY };

struct thread_fold {
	struct thread_fold *next;
	struct thread_report report;
	bool had_loop;
	uint64_t turn_ns[TS_COUNT];	     /* the part of report.states inside turns */
	uint64_t attributed_ns[TS_COUNT][2]; /* the part of report.states stored in `flames`; [1]:
						inside turns */
	uint64_t ts_told;		     /* end of the latest interval */
	struct {
		uint64_t start, end;
		int32_t sysno;
		uint32_t stack;
	} slept;		      /* its last sleep of 1 ms or more */
	uint64_t ts_pause, ts_paused; /* the latest time that it stopped the world: from, to */
	uint64_t waited_ns; /* the part of the open wait interval already stored in `waits` */
	uint64_t wait_attributed_ns; /* the part of all its waits stored in `waits` */
	uint64_t wait_rest_reported; /* of the rest, in growth reports so far */
	uint32_t wait_entry;	     /* cache: index of the entry of `waits` used last */
	/* In a thread pool (pools.c). */
	uint32_t pool, was_pool; /* place in report_builder.pools, 1 …; 0: in none; the latest */
	uint32_t pool_name;	 /* the thread's python_name when it joined */
	enum worker_is is;	 /* since … */
	uint64_t ts_worker;
	uint32_t job; /* job_known: the latest stack was in this job (pool_stack.job) … */
	bool job_known, job_over; /* … and since then in the pool's own code */
	bool job_seen;		  /* idle: it was in a job before, and all others were busy */
	/* The wait in progress, once it has lasted (starved.c); report.starved has the longest. */
	bool following;
	uint32_t wait_stack;	      /* where the thread waits */
	struct breakdown waiting_for; /* who had the GIL */
	struct last *last;	      /* its latest second (last/last.h); NULL: unknown */
};

struct gil_fold {
	struct gil_fold *next;
	struct gil_report report;
	const struct thread *held_by; /* in the latest hold that is over, … */
	uint64_t ts_held;	      /* … which ended then */
};

struct loop_fold {
	struct loop *loop;
	/* The turn in progress. */
	bool in_turn;
	uint64_t ts_turn;
	uint64_t ts_preempted; /* occupants of the CPU are counted up to here */
	struct breakdown now;
	struct breakdown meanwhile; /* occupants of the CPU during the open interval; merged into
				       `now` if the thread turns out to have waited for that CPU */
	struct breakdown asleep;    /* helpers during the sleep in progress; merged into `now` if it
				       turns out to be on a futex that no Python thread releases */
	const struct thread *woken_by; /* who released that; NULL: nobody yet */
	struct turn_stacks stacks;
	struct freeze freeze; /* the run of stalls that may continue; stalls 0: none */
	/* Finished turns. report.stalls always has room for one more stall, the one in progress
	 * when a report is built. */
	struct loop_report report;
	uint32_t stall_room;
	struct stall ongoing; /* the stall in progress in the latest report */
	uint64_t ts_ended;    /* report_builder_ended() has visited those up to here */
};

/* Threads that stand for others of one process, which have ended (ended/ended.h). */
#define HEIRS_MAX 32
struct heirs {
	struct heir *list[HEIRS_MAX];
	uint32_t count;
};

struct process_fold {
	struct process_fold *next;
	const struct process *process;
	struct heirs heirs;
	struct gil gil;	      /* stands for those of its interpreters that have ended, if for any */
	uint64_t observed_ns; /* in ended_forget() */
	struct loop_fold **loops; /* typically one; pointers, because loop->data points to them */
	uint32_t loop_count, loop_room;
};

/* Of a stack that has been forgotten (refers/names_leave.c): what is known of it still. All 0: it
 * has not. */
struct handler_key {
	uint32_t function;
	uint16_t role;
	uint16_t in_job; /* in a job of a thread pool */
};

/* Entries of report_builder.flames and .waits; the keys have no padding. */
struct flame_entry {
	struct {
		const struct thread *thread;
		uint32_t stack;
		uint16_t state, in_turn;
		struct handler_key of; /* with stack 0 */
	} key;
	struct time time;
	uint64_t samples;
	uint64_t reported; /* of time.ns, in growth reports so far */
};
TABLE_OF(flames, struct flame_entry, key)

struct wait_entry {
	struct {
		const struct thread *waiter, *holder; /* holder NULL: unknown */
		uint32_t waiter_stack, holder_stack;
		struct handler_key of; /* with holder_stack 0: of that */
	} key;
	struct wait_time {
		uint64_t ns, asleep_ns, no_cpu_ns; /* as in struct wait_flame */
	} time, reported;			   /* … in growth reports so far */
};
TABLE_OF(waits, struct wait_entry, key)

/* Adds all but the key. */
void flame_entry_add(struct flame_entry *to, const struct flame_entry *from);
void wait_entry_add(struct wait_entry *to, const struct wait_entry *from);

/* Entries of report_builder.pools and .pool_stacks. */
struct pool_key {
	const struct process *process;
	uint32_t kind, spare;
	char name[POOL_NAME_BYTES]; /* of an executor's threads, without their numbers; zero-padded
				     */
};
struct pool_fold {
	struct pool_key key;
	uint32_t id;		   /* stays the same when others are forgotten */
	struct pool_report report; /* counted up to `ts` */
	struct {
		uint64_t busy_ns, full_ns, back_to_back;
	} reported; /* … in growth reports so far */
	uint64_t ts;
	uint32_t alive, busy, idle; /* threads; the others are unknown */
	bool full;		    /* all were busy since ts_full */
	uint64_t numbers; /* of an executor's threads that have joined, up to 63, as bits */
	bool mixed;	  /* they belong to several executors of one name */
	uint64_t ts_full, ts_full_end; /* the latest such time; 0: none is over */
	struct pool_step step;	       /* the latest that was emitted */
};
TABLE_OF(pools, struct pool_fold, key)
#define POOLS_MAX 1024

struct pool_stack_entry {
	uint32_t stack;
	struct pool_stack found;
};
TABLE_OF(pool_stacks, struct pool_stack_entry, stack)

/* Entry of report_builder.handlers and .left_out. */
struct handler_entry {
	uint32_t function; /* 0: no handler */
	struct blame blame;
};
TABLE_OF(handlers, struct handler_entry, function)

struct report_builder {
	uint64_t stall_ns;
	bool growth; /* of reports (report_builder_growth()) */
	struct attribution *attribution;
	int error; /* the first error (-ENOMEM); callbacks cannot return it */
	struct thread_fold *threads;
	struct gil_fold *gils;
	struct process_fold *processes;
	uint32_t loop_count;
	uint32_t ended_kept; /* report_builder_keep_ended() */
	uint64_t ended_after_ns;
	struct ended *ended; /* stands for the other processes that have ended; NULL: there are none
			      */
	struct table flames, waits, pools, pool_stacks;
	bool forgets;	     /* flames may be without stacks (report_builder_forgets()) */
	uint32_t pool_count; /* so far */
	struct pool_sink pool_sink;
	struct table handlers; /* scratch for sums by handler; empty between uses */
	struct table left_out; /* struct handler_entry: unlisted stalls, by culprit */
	size_t stall_bytes;    /* memory of all listed stalls */
	uint32_t long_waits;   /* breakdowns that starved.c has made */
	struct last *lasts;    /* last/last.h: the latest that had something new first */
	uint32_t last_count;
	struct report report; /* the latest */
};

/*
 * Every stretch of a hold, and every run of a CPU's occupant, is added to each thread waiting for
 * that GIL or CPU. To bound the cost, only the first WAITERS_MAX waiters are counted: threads of
 * loops first, then those that have waited longest. For the others the holder or occupant is
 * unknown.
 */
#define WAITERS_MAX 256

static inline void check(struct report_builder *builder, int err)
{
	if (err < 0 && !builder->error)
		builder->error = err;
}

/* The builder's state for the thread, created on first use. NULL when memory is short: the builder
 * then remembers the error. */
struct thread_fold *thread_fold_new(struct report_builder *builder, struct thread *thread);
static inline struct thread_fold *thread_fold(struct report_builder *builder, struct thread *thread)
{
	return thread->data ? thread->data : thread_fold_new(builder, thread);
}

/* The same of a process, a GIL and a loop. */
struct process_fold *process_fold(struct report_builder *builder, struct process *process);
struct gil_fold *gil_fold(struct report_builder *builder, struct gil *gil);
/* gil_report.unknown_ns of one that is gone; `sums` NULL: there are none. */
uint64_t gil_unknown_ns(const struct gil *gil, const struct gil_report *sums);
struct loop_fold *loop_fold(struct report_builder *builder, struct loop *loop);
void loop_fold_free(struct loop_fold *loop);
void process_fold_free(struct process_fold *process);
/* Frees what the latest report owns. */
void report_clear(struct report_builder *builder);

/* fold.c: the builder's callbacks for its attribution stage. */
struct stretch_sink fold_sink(struct report_builder *builder);

/* locks.c: who released what the loops' threads, or those with the GIL, slept on; and what else ran
 * meanwhile. */
void locks_released(struct report_builder *builder, const struct release *release);
/* A thread that Python does not know was seen at work in this function (0: unknown). */
void locks_sampled(struct report_builder *builder, const struct thread *thread, uint32_t function);
/* An interval of any thread; one of a loop's thread, inside a turn. */
void locks_interval(struct report_builder *builder, struct thread_fold *thread,
		    const struct interval *i);
void locks_turn_interval(struct report_builder *builder, struct loop_fold *loop,
			 const struct interval *i);
void locks_turn_begin(struct loop_fold *loop);
/* Adds the sleep in progress to `what`. 0 or -ENOMEM. */
int locks_fill(const struct loop_fold *loop, struct breakdown *what);
/* Sets the chain of an ongoing stall. 0 or -ENOMEM. */
int locks_chain(const struct report_builder *builder, const struct loop_fold *loop,
		struct stall *stall);

/* Reserves room for two more stalls of the loop: one to keep, and the one in progress. Returns 0 or
 * -ENOMEM. */
int loop_fold_reserve(struct loop_fold *loop);
/* Adds a finished stall to the list, or to the sums of unlisted ones. Takes ownership of its
 * contents, also on failure. Returns 0 or -ENOMEM. */
int stall_list(struct report_builder *builder, struct loop_fold *loop, struct stall *stall);
/* Memory of a listed stall in bytes, counted against STALLS_BYTES_MAX. */
size_t stall_bytes(const struct stall *stall);
/* blame.c: adds an unlisted stall to its culprit's sums. Returns 0 or -ENOMEM. */
int blame_left_out(struct report_builder *builder, const struct stall *stall);

/* freeze.c: a stall that follows the latest run of them, or begins one; or something between two
 * stalls that ends the run: the loop slept in its wait, or nothing is known. */
void freeze_add(const struct report_builder *builder, struct loop_report *report,
		struct freeze *freeze, const struct stall *stall);
static inline void freeze_end(struct loop_fold *loop)
{
	loop->freeze.stalls = 0;
}

/* Fills the breakdown, cause, stacks and parts of `stall` from the turn in progress, as if it ended
 * now. The caller sets start, end, ongoing, earlier and whole, and frees it with stall_done().
 * Returns 0, or -ENOMEM: then there is nothing to free. */
int stall_make(struct report_builder *builder, const struct loop_fold *loop, struct stall *stall);
/* Builds a complete `stall` from the turn in progress; free it with stall_done(). Returns 1 if it
 * reaches the threshold, 0 if not (the stall is left untouched), or -ENOMEM. */
int stall_make_ongoing(struct report_builder *builder, const struct loop_fold *loop,
		       struct stall *stall);
void stall_done(struct stall *stall);
/* Fills in missing names of the CPU's occupants. Names arrive late (COMM), so this runs for every
 * report. */
void name_occupants(const struct world *world, struct breakdown *what);
/* True when Python's own state disproved a loop that was recognised by its epoll waits only. Its
 * turns do not count. */
bool loop_was_none(const struct loop_fold *loop);

/* The stack of a thread that is off the CPU or waits for the GIL. Unknown (all zero) in a recording
 * without stacks. */
static inline struct stack_ref still_of(const struct report_builder *builder,
					const struct thread *thread)
{
	return builder->report.stacks ? attribution_still(builder->attribution, thread)
				      : (struct stack_ref){0};
}

/* flames.c: adds a stretch of ATTRIBUTION_STILL or ATTRIBUTION_CLOCK. */
void flames_add(struct report_builder *builder, struct thread_fold *thread,
		const struct stretch *stretch);

/* waits.c: attributes GIL waits to holders, from stretches of ATTRIBUTION_HOLD and
 * ATTRIBUTION_HOLD_EARLIER and from each finished wait interval. */
void waits_held(struct report_builder *builder, const struct stretch *stretch);
void waits_held_earlier(struct report_builder *builder, const struct stretch *stretch);
void waits_waited(struct report_builder *builder, struct thread_fold *waiter,
		  const struct interval *i);

/* starved.c: long waits. waits.c calls the first two with what it attributes to the waiter, and the
 * third when a wait has ended. */
void starved_held(struct report_builder *builder, struct thread_fold *fold,
		  const struct thread *waiter, const struct interval *i,
		  const struct stack_ref *ref);
void starved_held_earlier(struct report_builder *builder, struct thread_fold *fold,
			  const struct thread *waiter, const struct interval *early,
			  const struct stack_ref *ref);
void starved_waited(struct report_builder *builder, struct thread_fold *fold,
		    const struct gil_wait *wait);
/* Fills `starved` and `waiting` of the thread's report. 0 or -ENOMEM. */
int report_starved(struct report_builder *builder, struct thread_fold *fold,
		   struct thread_report *report);
void starvation_free(struct starvation *starvation); /* NULL is fine */

/* pools.c: a sample; a thread's new state; and fills report.pools: 0 or -ENOMEM. */
void pools_sample(struct report_builder *builder, struct thread_fold *worker,
		  const struct sample *sample);
void pools_state(struct report_builder *builder, const struct thread *thread, uint64_t ts);
int report_pools(struct report_builder *builder);
/* Whether the stack is in a job of a pool. */
bool pools_in_job(struct report_builder *builder, uint32_t stack);
/* pool_steps.c: emits how many of the pool's threads are busy, if that has changed. */
void pool_step(const struct report_builder *builder, struct pool_fold *pool);
/* pool_report.id */
uint32_t pool_id(const struct report_builder *builder, const struct pool_fold *pool);

/* flames.c, blame.c: fill these fields of the report. Return 0 or -ENOMEM. */
int report_flames(struct report_builder *builder);
int report_blame(struct report_builder *builder);

/* blame.c: the handler of a stack; HANDLER_NONE for stack 0 or without a finder or names. */
struct handler handler_of(const struct report_builder *builder, uint32_t stack);
/* The same of an entry's stack, or what is left of it. */
struct handler handler_of_key(const struct report_builder *builder, uint32_t stack,
			      const struct handler_key *of);
/* True for a stack of which so much is missing that it does not show what ran (handler_unsure()).
 */
bool handler_unsure_of(const struct report_builder *builder, uint32_t stack);
/* Sets *ret_handler to the handler with the most time in `shares`; HANDLER_NONE when most of the
 * time with a known stack had no handler. Returns 0 or -ENOMEM. */
int handler_most(struct report_builder *builder, const struct stack_share *shares, uint32_t count,
		 struct handler *ret_handler);
/* qsort() order of report.blame. */
int blame_worst_first(const void *a, const void *b);
/* Sets `handler` of every blocker. Returns 0 or -ENOMEM. */
int handlers_of_blockers(struct report_builder *builder, struct breakdown *what);

static inline uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
