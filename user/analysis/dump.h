/* SPDX-License-Identifier: MIT */
/*
 * dump.h - what every thread does at one instant: its state and since when, whom it waits for, and
 * where in Python it is.
 *
 * A fold in addition to the report's: it follows the model's intervals and samples, and dump_take()
 * makes a list of the threads from what is known at that instant. Text and JSON are written from
 * that list.
 *
 * Times are nanoseconds of the stream. A thread that was in its state when evidence began may have
 * been in it for longer: then `before` is set, and the time is a lower bound.
 */
#ifndef GILSCOPE_ANALYSIS_DUMP_H
#define GILSCOPE_ANALYSIS_DUMP_H

#include "analysis/report.h"

struct dump_since {
	uint64_t ts;
	bool before; /* it began at `ts` or earlier */
};

/* How good a thread's stack is. */
enum dump_stack {
	DUMP_STACK_NONE,    /* none is known */
	DUMP_STACK_EXACT,   /* the thread stands there: it is off the CPU, or waits for the GIL */
	DUMP_STACK_SAMPLED, /* it was there at `ts_stack`, and has not slept since, but run */
};

struct dump_thread {
	const struct thread *thread;
	enum thread_state state;
	int32_t sysno;	       /* asleep: the system call, or SYSNO_…; SYSNO_NONE otherwise */
	uint32_t file;	       /* text: what it sleeps on in that call; 0: unknown */
	const struct gil *gil; /* held or waited for; NULL: neither, or unknown */
	struct lock lock;      /* what it sleeps on, if that is a futex */
	/* Who has the GIL or the mutex that it waits for; NULL: none, or unknown. The mutex it had
	 * `had_ns` before; 0: has it still. */
	const struct thread *waits_for;
	uint64_t had_ns;
	bool gc;  /* it collects garbage */
	bool off; /* TS_UNKNOWN, but it is off the CPU: it sleeps, or waits for the GIL or a CPU */
	struct dump_since since;
	struct dump_since held;	  /* with holds: since when it has the GIL */
	bool holds;		  /* it is the certain holder of `gil` */
	struct state_sums states; /* its time in the window */
	enum dump_stack how;
	struct stack_ref ref; /* stack and task; all 0 with DUMP_STACK_NONE */
	uint64_t ts_stack;
	struct handler handler; /* of that stack */
	/* The loop that it runs; NULL: none. */
	const struct loop *loop;
	enum { DUMP_LOOP_IDLE, DUMP_LOOP_IN_TURN, DUMP_LOOP_UNKNOWN } place;
	struct dump_since turn; /* begin of the turn in progress */
};

struct dump_gil {
	const struct gil *gil;
	const struct thread *holder; /* NULL: free, or unknown */
	bool free;
	uint32_t waiters;
};

struct dump_list {
	uint64_t ts; /* the instant */
	/* By process. GILs in the order of their declaration. Threads: the holders of GILs, those
	 * of loops, those that wait for the GIL (longest first), the others of Python's, and those
	 * that Python does not know. */
	struct dump_thread *threads;
	struct dump_gil *gils;
	uint32_t thread_count, gil_count;
	uint32_t *entries; /* for dump_find() */
};

struct dump;

/* `names` and `finder` stay the caller's, and must outlive the dump. NULL when memory is short. */
struct dump *dump_new(const struct dictionary *names, struct handler_finder *finder);
void dump_free(struct dump *dump);
/* To be added to `attribution`, the stage that the dump asks for stacks. */
struct stretch_sink dump_sink(struct dump *dump, const struct attribution *attribution);

/*
 * Makes the list as of `ts`, up to which everything has been fed, and before world_end(). The world
 * is cut. The list is what this instant was like, whatever is fed later; it belongs to the dump,
 * and points to objects of the world. 0 or -ENOMEM.
 */
int dump_take(struct dump *dump, struct world *world, uint64_t ts);
/* NULL: none was taken. */
const struct dump_list *dump_list(const struct dump *dump);

/*
 * Is it known of every thread of Python's what it does, of one that waits for the GIL who has it,
 * and, with `stacks`, of every one that does not sleep where it is? If not, the process may just
 * have had no CPU since evidence began.
 */
bool dump_is_complete(const struct dump_list *list, bool stacks);

/* The entry of a thread; NULL: it has none. */
const struct dump_thread *dump_find(const struct dump_list *list, const struct thread *thread);
/* How many threads wait for each other in a circle that `entry` is the first of in the list; 0: it
 * is in none, or not the first. Larger circles than DUMP_CIRCLE_MAX are not looked for. */
#define DUMP_CIRCLE_MAX 64
uint32_t dump_deadlock(const struct dump_list *list, const struct dump_thread *entry);

#endif
