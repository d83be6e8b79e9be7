/* SPDX-License-Identifier: MIT */
/*
 * report.h - the findings: everything that `gilscope report` says, folded from the model's
 * intervals.
 *
 * The fold runs while the model runs; its memory is bounded by threads, GILs, loops and reported
 * stalls, not by the length of the recording. Views read `struct report` and nothing else, so text,
 * JSON and pages agree to the nanosecond. Meanings are the contract's (docs/model.md).
 */
#ifndef GILSCOPE_ANALYSIS_REPORT_H
#define GILSCOPE_ANALYSIS_REPORT_H

#include "analysis/attribution.h"
#include "analysis/sums/dist.h"
#include "base/table.h"
#include "model/model.h"
#include "stream/dictionary.h"
#include "symbols/handler.h"

/* Nanoseconds by state. The sum is the time covered. */
struct state_sums {
	uint64_t ns[TS_COUNT];
};
uint64_t state_sums_total(const struct state_sums *sums);
/* The state with the largest share; ties go to the first. TS_UNKNOWN for an empty sum. */
enum thread_state state_sums_largest(const struct state_sums *sums);

struct gil_report {
	const struct gil *gil;
	uint64_t held_ns;      /* some thread certainly held it */
	uint64_t contended_ns; /* at least one thread waited for it */
	uint64_t handoffs;     /* changes of holder */
	uint64_t forced;       /* drops that answered a drop request */
	struct dist hold, wait;
};

struct thread_report {
	const struct thread *thread;
	struct state_sums states;
	uint64_t holds, waits, forced_drops;
	uint64_t held_ns;    /* of `states`: with the GIL */
	uint64_t sampled_ns; /* of `states`: python and native told apart by observations only */
};

#define TID_OTHERS UINT32_MAX

/* Who stops a thread from outside: SYSNO_STOPPED and the like, as indexes. */
enum stop_kind { STOP_SIGNAL, STOP_TRACER, STOP_FREEZER, STOP_KINDS };
static inline enum stop_kind stop_kind_of(int32_t sysno)
{
	return (enum stop_kind)(SYSNO_STOPPED - sysno);
}

/* Who held the GIL while a loop's thread waited for it. */
struct blocker {
	const struct thread *thread;
	struct state_sums states;     /* what the blocker did meanwhile: python, held_blocked,
					 held_runnable; unknown: it held the GIL, that is known */
	uint64_t gc_ns;		      /* of `states`: collecting garbage */
	uint64_t stop_ns[STOP_KINDS]; /* of `states`: it was stopped from outside */
	struct stack_share *stacks;   /* where in Python, most first; adds up to `states` together
					 with stack 0 (not known) */
	uint32_t stack_count, stack_room;
	struct handler handler; /* of the largest part by handler */
};

/*
 * Time by stack. Where a stack is exact (asleep, waiting for the GIL) so is the time; on a CPU it
 * is that of the samples (docs/evidence/accuracy.md, "Where the time of a stack comes from"). Only
 * where stacks were taken (report.stacks).
 */
struct stack_share {
	uint32_t stack; /* definition; 0: no stack was taken in time, or there were too many to tell
			   apart */
	uint32_t task;	/* text: name of the asyncio task; 0: none, or not known */
	uint64_t root;	/* which run of a coroutine (STACK.root) */
	struct state_sums states;
	uint64_t gc_ns;
};

/*
 * A run of one handler inside a turn: neighbouring stacks with the same handler and root. What runs
 * without a handler is a part, too; what is not known (stack 0) is one for the whole turn, and ends
 * no other.
 */
struct turn_part {
	struct handler handler;
	uint64_t root;
	uint32_t task;
	uint64_t start, end; /* of its first and last stretch; others may lie between */
	struct state_sums states;
	uint32_t stack; /* its largest */
};
struct syscall_share {
	int32_t sysno; /* or SYSNO_… */
	uint64_t ns;
};
struct cpu_share {
	uint32_t pid; /* 0: the CPU idled although a thread was waiting (throttled, or on its way) …
		       */
	uint32_t tid; /* … or, with TID_OTHERS, too many to tell apart; else the first of the
			 process's threads that had the CPU */
	char comm[17];
	uint64_t ns;
};

/* Where the time of one stall, or of many, went. */
struct breakdown {
	struct state_sums states;
	uint64_t throttled_ns; /* of `states`: ready to run, but the cgroup's CPU quota was used up
				*/
	uint64_t stop_ns[STOP_KINDS]; /* of `states`: this thread was stopped from outside */
	/* each most first */
	struct blocker *blockers;
	struct syscall_share *syscalls;
	struct cpu_share *preempted_by;
	struct stack_share *stacks;
	uint32_t stack_count, stack_room;
	uint64_t gc_ns;	 /* of `states`: this thread was collecting garbage */
	bool gc_sampled; /* gc_ns is made of samples, not of traced begins and ends */
	uint32_t blocker_count, syscall_count, preempted_by_count;
	uint32_t blocker_room, syscall_room, preempted_by_room; /* allocated entries */
	uint32_t blocker_max;	    /* as many are kept; 0: BLOCKERS_MAX */
	struct table blocker_index; /* finds a thread's blocker once there are many (breakdown.c) */
};

uint64_t breakdown_stopped_ns(const struct breakdown *what);
/* True when most of it is that the thread was stopped from outside; *ret_kind is the largest part.
 */
bool breakdown_is_stopped(const struct breakdown *what, enum stop_kind *ret_kind);
bool blocker_is_stopped(const struct blocker *blocker, enum stop_kind *ret_kind);
/* Does `blockers` say who had the GIL during most of the wait for it? What it lists else is a part
 * that stands for nothing. */
bool breakdown_holders_known(const struct breakdown *what);

struct stall {
	uint64_t start, end;
	bool ongoing; /* the window ended inside it */
	bool whole; /* false: evidence began or ended inside it, so its length is only a lower bound
		     */
	enum thread_state cause; /* the largest of what.states */
	struct breakdown what;	 /* what.states adds up to end - start exactly */
	uint32_t stack;		 /* the one that most of the stall was spent in; 0: not known */
	struct handler handler;	 /* that most of the stall was spent in, so far as stacks are known;
				    HANDLER_NONE: in none. May be another than `stack`'s */
	struct handler culprit;	 /* whom `blame` charges with it: `handler`, for gil_wait who held
				    the GIL most; set with every report */
	struct turn_part *parts; /* what ran in the turn, in order of time; at most TURN_PARTS_MAX,
				    the rest is in the last one */
	uint32_t part_count;
};
#define TURN_PARTS_MAX 64

/* What one handler did to the loops, over the window and all processes. One entry per function. */
struct blame {
	struct handler handler; /* role and frame; frame.line is that of its definition */
	struct state_sums loop; /* time inside turns of loops while it ran there, by state of the
				   loop's thread; on-CPU states are sampled */
	struct state_sums elsewhere; /* its time outside of turns, without what was slept there (but
					with the GIL) or idled */
	uint64_t made_loops_wait_ns; /* loops' threads waited for the GIL while it held it */
	uint64_t made_wait_ns;	     /* … and all threads, these included */
	uint64_t gc_ns;		     /* of `loop` and `elsewhere`: collecting garbage */
	uint64_t stalls;   /* it is the culprit of: ran most of the stall, or for gil_wait held the
			      GIL most */
	uint64_t stall_ns; /* their length together */
	uint64_t worst_ns, ts_worst; /* the longest of them and its begin */
	uint64_t samples;	     /* on-CPU samples that its times are made of */
};

/* Time by thread, state and stack: what flame graphs are made of. */
struct flame {
	const struct thread *thread;
	uint32_t stack; /* 0: not known */
	enum thread_state state;
	bool in_turn;
	uint64_t ns;
	uint64_t samples; /* on-CPU states: how many samples */
};

/* Waiting for the GIL, by who waited and who made them wait. */
struct wait_flame {
	const struct thread *waiter, *holder; /* holder NULL: nobody certain */
	uint32_t waiter_stack, holder_stack;
	uint64_t ns;
};

#define FLAMES_MAX                                                                                 \
	(1u << 18) /* entries of each kind with a stack; what is beyond is added to stack 0 of its \
		      thread and state */

struct loop_report {
	const struct loop *loop;
	struct dist turn;     /* whole turns; turn.count is `turns` */
	struct stall *stalls; /* in order of time: all, or the longest that STALLS_BYTES_MAX has
				 room for */
	uint32_t stall_count;
	uint64_t stalls_left_out; /* the others: they are in all sums, and none is longer than
				     report.left_out_ns */
	struct breakdown stalled; /* over all stalls */
	uint64_t longest_ns;	  /* the longest turn of all, whole or not */
	uint64_t recent_ns; /* the same of those that have ended since the report before this one,
			       or go on */
};

/* As much memory the finished stalls of all loops may take while they are listed. */
#define STALLS_BYTES_MAX (64u << 20)
/* All that there were, listed or not. */
static inline uint64_t loop_stall_count(const struct loop_report *loop)
{
	return loop->stall_count + loop->stalls_left_out;
}

struct process_report {
	const struct process *process;
	struct gil_report *gils;
	uint32_t gil_count;
	struct thread_report
		*threads; /* Python threads, and those that run a loop, in order of appearance */
	uint32_t thread_count;
	struct loop_report *loops;
	uint32_t loop_count;
};

struct report {
	char version[32];
	enum evidence_mode mode; /* of the recording */
	struct world_window window;
	uint64_t unknown_ns, sampled_ns; /* summed over these threads */
	uint64_t thread_ns;   /* all these threads' time: what unknown_ns is a share of */
	uint64_t stall_ns;    /* the threshold */
	uint64_t left_out_ns; /* no stall that is not listed is longer; 0: all are listed */
	bool truncated;	      /* the recording was cut off */
	const struct dictionary *names; /* what stacks, functions and texts mean */
	struct handler_finder *finder;	/* handlers of any stack */
	bool stacks;			/* stacks were taken */
	uint32_t rate_hz; /* of the sampling clock; 0: off. Its period is the resolution of
			     everything sampled */
	struct {
		uint64_t taken, missing,
			torn;	   /* samples; without a stack; without their inner end */
		uint32_t distinct; /* stacks */
		bool full;	   /* DEFINE_STACKS_MAX was reached: later ones are missing */
	} stack_evidence;
	struct blame *blame; /* worst first: by loop.{python, native, blocked, held_blocked} +
				made_loops_wait_ns */
	uint32_t blame_count;
	struct flame *flames;
	struct wait_flame *wait_flames;
	uint32_t flame_count, wait_flame_count;
	struct process_report *processes;
	uint32_t process_count;
};

/*
 * True when evidence was lost or came too late and more than 0.1 % of the observed thread time is
 * unknown, or when a process's GIL sites are not what they were taken for: exit status 5. What is
 * unknown only because no thread had shown itself yet after attaching does not make a report
 * partial.
 */
bool report_partial(const struct report *report);

struct report_builder;

/*
 * A fold with this stall threshold. The dictionary and the finder stay the caller's, and are read
 * with the report. NULL when memory is short.
 */
struct report_builder *report_builder_new(uint64_t stall_ns, const struct stream_head *head,
					  const struct dictionary *names,
					  struct handler_finder *finder);
void report_builder_free(struct report_builder *builder);
/* Turns that end from now on are stalls from this length on, and the one that goes on. */
void report_builder_threshold(struct report_builder *builder, uint64_t stall_ns);
/* Reports come without flames and wait_flames from now on: for views that want a report often and
 * show none. What is blamed on handlers stays. */
void report_builder_without_flames(struct report_builder *builder);
/* The model's sink that folds into the builder: its stage of attribution.h. */
struct model_sink report_builder_sink(struct report_builder *builder);
/* The stage itself, for others to receive its stretches, too. It lives as long as the builder. */
struct attribution *report_builder_attribution(struct report_builder *builder);

/*
 * The findings so far, after world_end() or world_cut(); may be called again and again while
 * feeding goes on. `truncated` says that the recording was cut off. The report points into the
 * builder and the world: read it before either is fed, called again or freed. 0 or -ENOMEM, also
 * when memory was short while folding.
 */
int report_builder_finish(struct report_builder *builder, const struct world *world, bool truncated,
			  const struct report **ret_report);

/*
 * For commands that tell stalls while they last.
 *
 * Nothing of it changes what a report says. All is as of the latest world_cut(); what the model
 * tells is not cut back, so a thread of which a fact was missed (world_window.contradictions,
 * .gaps) may keep the state it was told to be in before the cut.
 */
struct ongoing {
	const struct report *report; /* for names and window.start; it lists nothing */
	const struct loop *loop;
	struct stall stall; /* as if it ended now: `ongoing`, with the cause so far */
	/* what the loop's thread is doing now, which need not be what most of the stall was spent
	 * in */
	enum thread_state state;
	int32_t sysno;	/* asleep: the system call, SYSNO_… */
	uint32_t stack; /* asleep or waiting: where; on a CPU: where it was when it was sampled
			   last. 0: not known */
	struct handler handler; /* of that stack */
	const struct thread
		*holder;       /* waiting for the GIL: who has it; NULL: not known, or nobody */
	uint32_t holder_stack; /* where it was seen last since it has the GIL; 0: not known */
	struct handler holder_handler;
};

/* Is a turn that began at least a threshold before `ts` in progress anywhere? Cheap, and needs no
 * world_cut(). */
bool report_builder_stalled(const struct report_builder *builder, uint64_t ts);

/*
 * Tells every turn in progress that is a stall already. Not told are turns that may not be any
 * (after losses: loop.possible). What is told lives as long as the call. 0, -ENOMEM, or what `tell`
 * returns when that is not 0.
 */
int report_builder_ongoing(struct report_builder *builder, const struct world *world,
			   int (*tell)(void *ctx, const struct ongoing *ongoing), void *ctx);

/* The finished stall of that loop that began then; NULL: there is none, for what was in progress
 * was no turn, or it was forgotten. As short-lived as a report. */
const struct stall *report_builder_stall(const struct report_builder *builder,
					 const struct loop *loop, uint64_t start);

/*
 * Forgets the finished stalls that ended before `ts`, so that a live view can run forever. They are
 * missing in later reports: in loop_report.stalls and in the `stalls`, `stall_ns` and `worst_ns` of
 * blame. All sums and distributions go on from the begin of the window, loop_report.stalled too.
 */
void report_builder_forget(struct report_builder *builder, uint64_t ts);

#endif
