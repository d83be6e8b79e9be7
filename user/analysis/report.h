/* SPDX-License-Identifier: MIT */
/*
 * report.h - the findings: everything that `gilscope report` shows, summed up from the model's
 * intervals.
 *
 * The builder works while the model runs. Its memory is bounded by the number of threads, GILs,
 * loops, distinct stacks and listed stalls, not by the length of the recording. Views read only
 * `struct report`, so text, JSON and pages agree to the nanosecond. docs/model.md defines the
 * states. Members named ns, *_ns and ts_* are nanoseconds.
 */
#ifndef GILSCOPE_ANALYSIS_REPORT_H
#define GILSCOPE_ANALYSIS_REPORT_H

#include "analysis/attribution.h"
#include "analysis/sums/dist.h"
#include "base/table.h"
#include "model/model.h"
#include "stream/names/dictionary.h"
#include "symbols/handler.h"
#include "symbols/pools/pools.h"

/* Nanoseconds by state. Their sum is the time covered. */
struct state_sums {
	uint64_t ns[TS_COUNT];
};
uint64_t state_sums_total(const struct state_sums *sums);
/* The state with the largest share; ties go to the first. TS_UNKNOWN for an empty sum. */
enum thread_state state_sums_largest(const struct state_sums *sums);

struct gil_report {
	const struct gil *gil;
	uint64_t held_ns;      /* a known thread held it, for certain or by the last look */
	uint64_t waited_ns;    /* all threads' waits for it */
	uint64_t unknown_ns;   /* whether it was held is unknown; of a partial GIL only if nothing
				  was seen of it */
	uint64_t contended_ns; /* at least one thread waited for it. Of a growth report both with
				  what is in progress, else without */
	uint64_t handoffs;     /* changes of holder */
	uint64_t forced;       /* forced releases: drops on request of a waiter */
	struct dist hold, wait;
	uint64_t longest_wait_ns; /* also of waits that are not whole, as …; of a growth report,
				     those since the report before */
	bool longest_wait_cut;	  /* … this one */
};

#define TID_OTHERS UINT32_MAX

/* What stopped a thread from outside: SYSNO_STOPPED and the like, as indexes. */
enum stop_kind { STOP_SIGNAL, STOP_TRACER, STOP_FREEZER, STOP_KINDS };
static inline enum stop_kind stop_kind_of(int32_t sysno)
{
	return (enum stop_kind)(SYSNO_STOPPED - sysno);
}

/* A thread that held the GIL while a loop's thread waited for it. */
struct blocker {
	const struct thread *thread;
	struct state_sums states;     /* what the blocker did meanwhile: python, held_blocked,
					 held_runnable; unknown: only that it held the GIL */
	uint64_t gc_ns;		      /* part of `states` in the garbage collector */
	uint64_t stop_ns[STOP_KINDS]; /* part of `states` stopped from outside */
	struct stack_share *stacks;   /* its Python stacks, largest first; with stack 0 (unknown)
					 they add up to `states` */
	uint32_t stack_count, stack_room;
	struct handler handler; /* the one with the most time */
};

/*
 * Time by stack. Exact while asleep or waiting for the GIL; on a CPU the time is sampled
 * (docs/evidence/accuracy.md, "Where the time of a stack comes from"). Present only if stacks were
 * taken (report.stacks).
 */
#define NATIVES_MAX_OF_SHARE 4
struct native_share {
	uint32_t function; /* definition: name is the symbol ("": unknown), file the module; 0:
			      none */
	enum thread_state state; /* TS_PYTHON: with the GIL; TS_NATIVE: without */
	uint64_t ns;		 /* sampled */
};

struct stack_share {
	uint32_t stack; /* definition; 0: no stack was taken in time, or too many distinct ones */
	uint32_t task;	/* text: name of the asyncio task; 0: none or unknown */
	uint64_t root;	/* identifies a run of a coroutine (STACK.root) */
	struct state_sums states;
	uint64_t gc_ns;
	int32_t sysno;	   /* what it slept in longest at a time, SYSNO_…; SYSNO_UNKNOWN: nothing */
	uint64_t sleep_ns; /* how long that was … */
	uint32_t file;	   /* … and on what (text: "pipe", "TCP 10.0.0.5:5432"); 0: unknown */
	/* The machine code outside the interpreter that it ran in, part of its time on a CPU; not
	 * sorted. What is beyond the room for them is left out, the least first. */
	struct native_share natives[NATIVES_MAX_OF_SHARE];
};

/*
 * A run of one handler inside a turn: consecutive stacks with the same handler and root. Code
 * without a handler forms parts, too. All time without a known stack (stack 0) forms one part per
 * turn, and does not end the part around it.
 */
struct turn_part {
	struct handler handler;
	uint64_t root;
	uint32_t task;
	uint64_t start, end; /* of its first and last stretch; others may lie between */
	struct state_sums states;
	uint32_t stack; /* the one with the most time */
};
struct syscall_share {
	int32_t sysno; /* or SYSNO_… */
	uint64_t ns;
};
struct cpu_share {
	uint32_t pid; /* process; 0: see tid */
	uint32_t tid; /* the process's first thread that had the CPU. With pid 0: TID_OTHERS for
			 all beyond the limit, else the CPU idled although a thread was waiting
			 (throttled or migrating) */
	char comm[17];
	uint64_t ns;
};

/*
 * A sleep on a futex of 1 ms or more that another thread ended there, as who releases a lock does:
 * of the loop's own thread, or of one that had the GIL while the loop waited for that.
 */
struct lock_wait {
	const struct thread *thread, *by; /* who slept, and who woke it */
	enum lock_kind kind;
	uint64_t parked;   /* what of Python's own it waited for, as in struct lock; 0: unknown */
	bool with_gil;	   /* `thread` had the GIL meanwhile */
	uint32_t stack;	   /* where it slept (definition); 0: unknown */
	uint32_t by_stack; /* where `by` was when it woke it */
	uint64_t ns;	   /* of the time broken down */
	int32_t by_sysno;  /* what `by` slept in meanwhile, the longest sleep of 1 ms or more;
			      SYSNO_UNKNOWN: there was none … */
	uint32_t by_slept; /* … and where (definition) … */
	uint64_t by_slept_ns; /* … and how long */
};

/* A thread that Python does not know, and which ran, or wanted to, while the loop's thread slept on
 * a futex. */
struct helper {
	const struct thread *thread;
	uint64_t ns, ready_ns; /* on a CPU; waiting for one */
	uint64_t to;	       /* counted so far: up to this instant */
	/* The machine code that it ran, and how much of its time was sampled, known or not. */
	struct native_share natives[NATIVES_MAX_OF_SHARE];
	uint64_t sampled_ns;
};

/* Where the time of one or more stalls went. */
struct breakdown {
	struct state_sums states;
	uint64_t throttled_ns; /* part of `states`: runnable, but the cgroup's CPU quota was used up
				*/
	uint64_t stop_ns[STOP_KINDS]; /* part of `states`: stopped from outside */
	/* Each largest first. */
	struct blocker *blockers;
	struct syscall_share *syscalls;
	struct cpu_share *preempted_by;
	struct stack_share *stacks;
	uint32_t stack_count, stack_room;
	uint64_t gc_ns;	 /* part of `states`: this thread was in the garbage collector */
	bool gc_sampled; /* gc_ns comes from samples, not from traced begins and ends */
	uint32_t blocker_count, syscall_count, preempted_by_count;
	uint32_t blocker_room, syscall_room, preempted_by_room; /* allocated entries */
	struct lock_wait *locks; /* what was slept on, and who released it, largest first */
	struct helper *helpers;	 /* largest first; sleeps that a Python thread ended excepted */
	uint32_t lock_count, lock_room, helper_count, helper_room;
	uint64_t helped_ns;	    /* how long those sleeps were … */
	uint64_t helped_longest_ns; /* … the longest of them … */
	uint32_t helped_stack;	    /* … and where that was (definition); 0: unknown */
	uint32_t blocker_max;	    /* limit of blocker_count; 0: BLOCKERS_MAX */
	bool more_blockers;	    /* there were others, beyond that limit */
	uint32_t blocker_stacks, blocker_stacks_max; /* all blockers' stacks, and their limit; 0:
							BREAKDOWN_MAX of each */
	struct table blocker_index; /* finds a thread's blocker once there are many (breakdown.c) */
};

void natives_add(struct native_share natives[NATIVES_MAX_OF_SHARE],
		 const struct native_share from[NATIVES_MAX_OF_SHARE]);
/* The one with the most time over all shares, with the GIL and without; function 0: none. */
struct native_share natives_largest(const struct stack_share *shares, uint32_t count);

uint64_t breakdown_stopped_ns(const struct breakdown *what);
/* True when the thread was stopped from outside for most of the time. *ret_kind is always set, to
 * the kind with the most time. */
bool breakdown_is_stopped(const struct breakdown *what, enum stop_kind *ret_kind);
bool blocker_is_stopped(const struct blocker *blocker, enum stop_kind *ret_kind);
/* True when `blockers` covers most of the GIL wait. Otherwise the listed blockers are not
 * representative. */
bool breakdown_holders_known(const struct breakdown *what);

/* Waits of a thread for the GIL that lasted STARVED_NS or longer. */
#define STARVED_NS UINT64_C(1000000000)
struct starvation {
	uint64_t count, ns;    /* all of them */
	uint64_t start, end;   /* the longest; of that one: */
	bool whole;	       /* false: evidence, or the window, began or ended inside it */
	uint32_t stack;	       /* where the thread waited; 0: unknown */
	struct breakdown what; /* only `blockers`: who had the GIL, largest first; the
				  first 10 ms may be missing, and later holders, too */
};

/* How often a thread stopped the world (free-threaded Pythons), and for how long other threads were
 * suspended for it: each time from the first one's sleep until the last one was woken. */
struct pauses {
	uint64_t count, ns, worst_ns;
	uint32_t stack; /* where it let them go on after the longest; 0: unknown */
};

struct thread_report {
	const struct thread *thread;
	struct state_sums states;
	uint64_t holds, waits, forced_drops;
	uint64_t held_ns;    /* part of `states` with the GIL */
	uint64_t sampled_ns; /* part of `states` where only samples distinguish python and native */
	struct pauses pauses;
	struct starvation starved;  /* of a growth report: those since the report before … */
	struct starvation *waiting; /* … and, only there, the wait in progress; NULL: none */
};

/* One of those that wait for each other at the end of an ongoing stall, the loop's thread first:
 * each of them waits for the next one, and what the last one waits for is unknown, or does not
 * matter: it may have released the mutex. */
struct chain_link {
	const struct thread *thread;
	enum thread_state state; /* gil_wait: for the GIL that the next one has */
	struct lock lock;	 /* else: what it sleeps on, if that is a futex */
	uint64_t had_ns;	 /* the next one had the mutex so long before; 0: has it still */
	int32_t sysno;		 /* asleep: in that system call, SYSNO_… */
	uint32_t stack;		 /* where; 0: unknown */
	uint64_t ns;		 /* since when, as seen from the end */
};
#define CHAIN_MAX 8

/* Stalls one after another: between each and the next the loop did not sleep in its wait, nothing
 * is unknown, and less time than the threshold passed. */
struct freeze {
	uint64_t start, end;
	uint64_t stalls;
};

struct stall {
	uint64_t start, end;
	bool ongoing; /* the window ended inside it */
	bool earlier; /* it began before `start`, where what is known of it begins: as a rule
			 before the window */
	bool whole;   /* false: data began or ended inside it; its length is a lower bound */
	enum thread_state cause; /* the largest of what.states */
	struct breakdown what;	 /* what.states adds up to end - start exactly */
	uint32_t stack;		 /* the stack with the most time; 0: unknown */
	struct handler handler;	 /* the handler with the most time with a known stack; HANDLER_NONE:
				    most of it in none. May differ from the handler of `stack` */
	struct handler culprit;	 /* the handler charged in `blame`: `handler`, or for gil_wait the
				    one that held the GIL most; set for every report */
	struct chain_link
		*chain; /* of an ongoing stall; NULL: the loop's thread waits for nobody */
	uint32_t chain_count;
	uint32_t deadlock; /* the last of the chain waits for the one with this index, so none of
			      these can continue; CHAIN_MAX: nothing like that is known */
	struct turn_part *parts; /* what ran in the turn, in order of time; at most TURN_PARTS_MAX,
				    the last one includes the rest */
	uint32_t part_count;
	struct freeze freeze; /* of one that has ended: the run up to it; stalls 1: it is alone */
};
#define TURN_PARTS_MAX 64

/* The cost of one handler to the loops, over the window and all processes. One entry per function.
 */
struct blame {
	struct handler handler;	     /* role and frame; frame.line is the line of its definition */
	struct state_sums loop;	     /* its time inside turns, by state of the loop's thread; on-CPU
					states are sampled */
	struct state_sums elsewhere; /* its time outside turns, except blocked and idle time */
	uint64_t made_loops_wait_ns; /* threads of loops waited for the GIL while it held it */
	uint64_t made_wait_ns;	     /* the same of all threads, those of loops included */
	uint64_t gc_ns;		     /* part of `loop` and `elsewhere` in the garbage collector */
	uint64_t stalls;	     /* number of stalls it is the culprit of (stall.culprit) */
	uint64_t stall_ns;	     /* their total length */
	uint64_t worst_ns, ts_worst; /* length and start of the longest */
	uint64_t samples;	     /* number of on-CPU samples behind its times */
};

/* Time by thread, state and stack: the input of flame graphs. */
struct flame {
	const struct thread *thread;
	uint32_t stack; /* 0: unknown */
	enum thread_state state;
	bool in_turn;
	uint64_t ns;
	uint64_t samples; /* on-CPU states: number of samples */
};

#define POOL_NAME_BYTES	   64
#define POOL_FUNCTIONS_MAX 32
/* What the threads of a pool ran; of a growth report, since the report before. */
struct pool_function {
	struct handler handler; /* at the line of the stack with the most time; HANDLER_NONE: no
				   function of the application */
	uint64_t ns;
	uint32_t stack;	   /* that stack … */
	uint64_t stack_ns; /* … and the most that one thread had of it in one state */
};

/* A thread pool. A thread is busy unless it waits for the pool's next job. */
struct pool_report {
	const struct process *process;
	uint32_t id; /* pool_step.pool */
	enum pool_kind kind;
	char name[POOL_NAME_BYTES]; /* of an executor's threads, without their numbers; "": others,
				       or unknown. Hostile text */
	uint32_t threads;	    /* the most at a time */
	uint32_t limit;		    /* how many it may have, as its own data say; 0: unknown */
	uint32_t busy_max;	    /* of them, busy at a time; this and all below: of a growth
				       report, since the report before */
	uint64_t busy_ns;	    /* busy, over all threads */
	uint64_t full_ns;	    /* all threads that there were at most were busy … */
	uint64_t full_worst_ns; /* … the longest at a time. Both only since there were that many */
	uint64_t back_to_back;	/* jobs that a thread began as soon as it was free: without idling
				   before, or (not in executors) for less than 10 ms after all
				   were busy; at least so many */
	struct pool_function *functions; /* most first; owned by the report */
	uint32_t function_count;
};

/* Waiting for the GIL, by waiter and holder. */
struct wait_flame {
	const struct thread *waiter, *holder; /* holder NULL: unknown */
	uint32_t waiter_stack, holder_stack;
	uint64_t ns;
	uint64_t asleep_ns, no_cpu_ns; /* parts of `ns`: the holder slept, or had no CPU */
};

#define FLAMES_MAX                                                                                 \
	(1u << 18) /* entries of each kind with a stack; what is beyond is added to stack 0 of its \
		      thread and state */

struct loop_report {
	const struct loop *loop;
	uint32_t stands_for;  /* so many, of what has ended; 0: it is a loop */
	uint64_t observed_ns; /* how long its thread was; of all that it stands for together */
	struct dist turn;     /* whole turns; turn.count is `turns` in JSON */
	struct stall *stalls; /* in order of time: all, or the longest that fit in
				 STALLS_BYTES_MAX */
	uint32_t stall_count;
	uint64_t stalls_left_out; /* unlisted stalls: counted in all sums, none longer than
				     report.left_out_ns */
	struct breakdown stalled; /* over all stalls */
	uint64_t freezes;	  /* runs of two stalls or more … */
	struct freeze freeze;	  /* … and the longest; stalls 0: none */
	uint64_t longest_ns;	  /* the longest turn, whole or not */
	uint64_t recent_ns;  /* the longest of the turns that ended since the previous report or are
				in progress */
	uint64_t unknown_ns; /* of its thread's time */
};

/* Limit of the memory of all listed finished stalls. */
#define STALLS_BYTES_MAX (64u << 20)
/* Number of stalls, listed or not. */
static inline uint64_t loop_stall_count(const struct loop_report *loop)
{
	return loop->stall_count + loop->stalls_left_out;
}

/* What the threads of a process did right before it ended: Python threads, and those that run a
 * loop. */
#define LAST_THREADS_MAX 8
struct last_thread {
	const struct thread *thread;
	bool loop;
	struct state_sums states; /* in that time, as long as it lived */
	uint64_t held_ns;	  /* it had a GIL, whatever it did */
	uint32_t stack, native;	  /* the latest that was seen of it; 0: none … */
	uint64_t ts_stack;	  /* … then, perhaps before that time */
	struct handler handler;	  /* of that stack */
};
struct last_moments {
	/* a second, or up to 67 ms more; less if it was not observed for longer. Equal: nothing is
	 * known of it */
	uint64_t start, end;
	/* threads of loops first, then who had the GIL longest, then who did most */
	struct last_thread threads[LAST_THREADS_MAX];
	uint32_t count;
	uint32_t others;		/* further threads, nearly all of which slept, … */
	struct state_sums other_states; /* … together */
};

struct process_report {
	const struct process *process;
	struct state_sums states;  /* of its threads, below */
	uint64_t observed_ns;	   /* as long as its oldest thread; 0: unknown */
	struct handler crashed;	   /* of process.crash.stack */
	struct last_moments *last; /* of one that has ended, and how is known; else NULL */
	struct gil_report *gils;
	uint32_t gil_count;
	struct thread_report
		*threads; /* Python threads, and those that run a loop, in order of appearance */
	uint32_t thread_count;
	struct loop_report *loops;
	uint32_t loop_count;
};

/* Processes that ended in one way, and that are not reported one by one. */
struct ended_death {
	struct process process; /* the latest: who it was, death, sent */
	uint64_t count;
	bool served;		      /* event loops */
	struct process_report report; /* of `process`, otherwise empty */
};

struct report {
	char version[32];
	enum evidence_mode mode; /* of the recording */
	struct world_window window;
	uint64_t realtime_ns; /* added to a time stamp it gives the time of day (CLOCK_REALTIME);
				 0: unknown */
	uint64_t unknown_ns, sampled_ns; /* summed over these threads */
	uint64_t thread_ns;   /* total time of these threads; unknown_ns is a part of it */
	uint64_t stall_ns;    /* the threshold */
	uint64_t left_out_ns; /* upper bound of the length of unlisted stalls; 0: all are listed */
	bool truncated;	      /* the recording was cut off */
	const struct dictionary *names; /* definitions of stacks, functions and texts */
	struct handler_finder *finder;	/* finds the handler of a stack */
	bool stacks;			/* stacks were taken */
	uint32_t rate_hz; /* of the sampling clock; 0: off. Its period is the resolution of sampled
			     times */
	struct {
		uint64_t taken, missing,
			torn,	   /* samples; those without a stack; those without inner frames */
			unsure;	   /* those that do not show what ran: handler_unsure() */
		uint64_t distinct; /* stacks; one that was forgotten counts again */
		bool full;	   /* DEFINE_STACKS_MAX was reached: later ones are missing */
	} stack_evidence;
	struct blame *blame; /* worst first: by loop.{python, native, blocked, held_blocked} +
				made_loops_wait_ns; where these are equal, by made_wait_ns, loop,
				and elsewhere.{python, native} */
	uint32_t blame_count;
	struct flame *flames;
	struct wait_flame *wait_flames;
	uint32_t flame_count, wait_flame_count;
	/* The last one may stand for processes that have ended (process.stands_for): of these only
	 * the sums are known, and their listed stalls, whose threads stand for others, too. Its PID
	 * is 0. */
	struct process_report *processes;
	uint32_t process_count;
	const struct ended_death *ended_deaths; /* that were no good ends, of these processes */
	uint32_t ended_death_count;
	struct pool_report *pools; /* of all processes */
	uint32_t pool_count;
};

/*
 * True (exit status 5) when events were lost or late and more than 0.1 % of the observed thread
 * time is unknown, when a process's GIL sites turned out to be wrong, or when a limit of the model
 * was reached (window.full). Time that is unknown only because a thread had no event yet after
 * attaching does not make a report partial.
 */
bool report_partial(const struct report *report);
/* How long the process was observed; at least 1, so that it can be divided by. */
uint64_t process_observed_ns(const struct report *report, const struct process_report *process);
/* The pauses of all its threads; no stack. */
struct pauses process_pauses(const struct process_report *process);
/* True when nobody was seen to hold it or to wait for it, and it was unknown to be free. */
bool gil_is_unseen(const struct report *report, const struct gil_report *gil);

struct report_builder;

/*
 * Creates a builder; free it with report_builder_free(). Turns of `stall_ns` or longer are stalls.
 * `names` and `finder` may be NULL; they stay the caller's and must outlive the builder. NULL when
 * memory is short.
 */
struct report_builder *report_builder_new(uint64_t stall_ns, const struct stream_head *head,
					  const struct dictionary *names,
					  struct handler_finder *finder);
void report_builder_free(struct report_builder *builder);
/* Changes the stall threshold, for turns in progress and turns that end from now on. */
void report_builder_threshold(struct report_builder *builder, uint64_t stall_ns);
/*
 * From now on reports are growth reports, for a view that makes them often and keeps a history of
 * its own: what says so above, and wait_flames, is what came since the report before. All else is
 * as ever, but that there are no flames. A sum may shrink, when time is moved: then its growth is
 * negative (modulo 2⁶⁴), and adds up with what came before.
 */
void report_builder_growth(struct report_builder *builder);
/*
 * So many processes that have ended are reported one by one: those with a stall or a bad end first,
 * then the latest. The others become one with world_tidy(), as soon as their end is `after_ns` ago.
 * Of a growth report they are in no list, but in its sums.
 */
#define ENDED_KEPT     64		    /* unless set; … */
#define ENDED_AFTER_NS UINT64_C(5000000000) /* … by then all that is reported live has been */
void report_builder_keep_ended(struct report_builder *builder, uint32_t kept, uint64_t after_ns);
/*
 * From now on `names` may forget what the report does not need, so flames are without some of their
 * stacks, or with growth anyway; not for a view that shows them. A dictionary_user's functions are
 * to call the two below.
 */
void report_builder_forgets(struct report_builder *builder);
void report_builder_refers(const struct report_builder *builder,
			   const struct definition_visit *visit);
/* NULL: all stacks are forgotten. */
void report_builder_names_leave(struct report_builder *builder,
				const struct dictionary *dictionary);
/* The sink to give to the model: that of the builder's attribution stage (attribution.h). */
struct model_sink report_builder_sink(struct report_builder *builder);
/* The attribution stage, for others that need its stretches. It belongs to the builder. */
struct attribution *report_builder_attribution(struct report_builder *builder);

/*
 * Builds the report of all events so far. Call it after world_end(), or any number of times after
 * world_cut(). `truncated`: the recording was cut off. The report belongs to the builder and points
 * into it and the world: it is valid until either is fed, called again or freed. Returns 0 or
 * -ENOMEM, also when memory was short at any time before.
 */
int report_builder_finish(struct report_builder *builder, const struct world *world, bool truncated,
			  const struct report **ret_report);

/*
 * A stall in progress, for commands that show stalls while they last.
 *
 * Reading it does not change later reports. It describes the latest world_cut(). Intervals already
 * emitted are not corrected, so a thread with a missed event (world_window.contradictions, .gaps)
 * may keep the state it had before the cut.
 */
struct ongoing {
	const struct report *report; /* only for names and window.start */
	const struct loop *loop;
	struct stall stall; /* as if it ended now; `ongoing` is set */
	/* What the loop's thread is doing now, which may differ from the stall's cause. */
	enum thread_state state;
	int32_t sysno;	/* asleep: the system call, SYSNO_… */
	uint32_t stack; /* asleep or waiting: its stack; on a CPU: that of the latest sample. 0:
			   unknown */
	struct handler handler;	     /* of that stack */
	const struct thread *holder; /* waiting for the GIL: its holder; NULL: unknown or none */
	uint32_t holder_stack;	     /* its latest stack since it took the GIL; 0: unknown */
	struct handler holder_handler;
};

/* True when a turn that began at least the threshold before `ts` is in progress in any loop. Cheap;
 * needs no world_cut(). */
bool report_builder_stalled(const struct report_builder *builder, uint64_t ts);

/*
 * Calls `visit` for every turn in progress that is a stall already, except tentative turns (after
 * losses: loop.possible). The argument is valid during the call only. Returns 0, -ENOMEM, or the
 * first value other than 0 that `visit` returns, which ends the iteration.
 */
int report_builder_ongoing(struct report_builder *builder, const struct world *world,
			   int (*visit)(void *ctx, const struct ongoing *ongoing), void *ctx);

/*
 * Calls `visit` for every listed stall that has ended since the previous call, each loop's in order
 * of time. The arguments are valid as long as a report, which is needed for names, window.start and
 * the time of day only. Returns as report_builder_ongoing().
 */
int report_builder_ended(struct report_builder *builder, const struct world *world,
			 int (*visit)(void *ctx, const struct report *report,
				      const struct loop *loop, const struct stall *stall),
			 void *ctx);

/* The time of day is that plus a time stamp from now on: the clock has been set, or the machine was
 * suspended. */
void report_builder_set_clock(struct report_builder *builder, uint64_t realtime_ns);
/* A report that is good for names, window.start and the time of day only. The builder's. */
const struct report *report_builder_names(struct report_builder *builder,
					  const struct world *world);

/*
 * Forgets listed stalls that ended before `ts`, to bound the memory of a live view. Later reports
 * omit them in loop_report.stalls and in stalls, stall_ns and worst_ns of blame. All other sums and
 * distributions, loop_report.stalled included, still cover the whole window.
 */
void report_builder_forget(struct report_builder *builder, uint64_t ts);

#endif
