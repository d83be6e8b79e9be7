/* SPDX-License-Identifier: MIT */
/*
 * model.h - turns facts into intervals: which thread held which GIL, what state every thread was
 * in, which turns every event loop made.
 *
 * Pure: no I/O, no clock, no globals; the live view and a replay run the very same code. Feed
 * events in time order (behind stream/reorder.h); the world calls the sink with every interval that
 * ends. Memory is bounded by the number of processes, threads and CPUs at a time, and by what the
 * sink wants to keep of those that have ended (world_tidy()); not by time.
 *
 * The rules (docs/model.md draws the machines):
 *  - Never guess. A thread's state is a function of what is known of its scheduling, its relation
 * to a GIL and its place in its loop's wait; where one that matters is unknown, the state is
 *    TS_UNKNOWN. LOST makes everything unknown over its span, of one process or of all. After it,
 * and after the begin of the window, each machine stays unknown until its next fact (or a snapshot)
 * settles it.
 *  - The intervals of a thread are gapless and do not overlap, from its first appearance in the
 *    window to its exit or the window's end. Neighbours may be equal: an interval is also cut where
 *    another one ends, to keep the order of calls below.
 *  - A GIL never has two holders. Facts that contradict that are counted as `violations` and make
 *    the GIL unknown.
 *  - Order of calls for one event: run(); interval() of threads with the GIL; other interval()s,
 *    each followed by state() if that changes;
 *    hold(), wait(), contention(); turn_begin(), turn_cancel(), turn(). sample() comes alone, after
 *    the intervals that end there. So when a waiter's interval ends, the sink has what the holder
 * did up to that instant; and when an interval ends in which a thread was ready to run, the sink
 * has what had the CPU.
 */
#ifndef GILSCOPE_MODEL_MODEL_H
#define GILSCOPE_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include "stream/stream.h"

/* What a thread is doing: states.def describes each. */
enum thread_state {
#define STATE(NAME, ...) TS_##NAME,
#include "model/states.def"
	TS_COUNT
};

/* The identifier in reports ("gil_wait"); NULL for what is not a state. */
const char *thread_state_name(enum thread_state state);
/* "asyncio", …; "unknown" for what is no kind. */
const char *loop_kind_name(enum loop_kind kind);
/* The states that mean holding. A thread in one of the others does not hold, except in TS_UNKNOWN:
 * interval_holds(). */
static inline bool thread_state_holds(enum thread_state state)
{
	switch (state) {
#define STATE(NAME, name, holds, sleeps, runs, doc)                                                \
	case TS_##NAME:                                                                            \
		return holds;
#include "model/states.def"
	default:
		return false;
	}
}
/* The states with a system call, or one of SYSNO_…. */
static inline bool thread_state_sleeps(enum thread_state state)
{
	switch (state) {
#define STATE(NAME, name, holds, sleeps, runs, doc)                                                \
	case TS_##NAME:                                                                            \
		return sleeps;
#include "model/states.def"
	default:
		return false;
	}
}
/* The states in which a thread executes code, so that only samples show where it is. */
static inline bool thread_state_runs(enum thread_state state)
{
	switch (state) {
#define STATE(NAME, name, holds, sleeps, runs, doc)                                                \
	case TS_##NAME:                                                                            \
		return runs;
#include "model/states.def"
	default:
		return false;
	}
}

/* What a thread sleeps in when that is not a system call with a number. */
enum {
#define SYSNO(NAME, number, doc) SYSNO_##NAME = (number),
#include "model/states.def"
};
static inline bool sysno_is_stop(int32_t sysno)
{
	return sysno <= SYSNO_STOPPED && sysno >= SYSNO_FROZEN;
}

#define CPU_NONE UINT16_MAX

/*
 * What shows that a process's GIL sites are not really that: facts that cannot be true of any
 * CPython, whatever the threads do. A GIL is taken and dropped alternately, and two threads that
 * both ran Python must have handed it over.
 */
enum sites_fault {
	SITES_SOUND,
	SITES_NO_TAKE, /* the GIL is dropped, or becomes free for a waiter, repeatedly; never taken
			*/
	SITES_NO_DROP, /* the GIL is taken repeatedly and never dropped */
	SITES_NO_HIT,  /* several threads ran Python, but no site was passed */
};

/*
 * The objects. They belong to the world; threads and processes that are gone stay, marked, until
 * world_tidy() frees those that the sink has chosen. `data` is the sink's to use and to free. The
 * fields are for reading.
 */
/* A process below another one that serves: it runs an event loop (`loop`), or accepts connections
 * or takes tasks without one. */
struct child {
	uint32_t pid, text; /* its command line; 0: unknown */
	bool loop;
	bool freed; /* it was part of the stream, and world_tidy() has freed it */
};
#define SUPERVISED_MAX 16

/* The last signal that another process, or the kernel, sent to a process. */
struct signal_sent {
	uint64_t ts;
	uint16_t number;	    /* 0: none was seen */
	uint32_t sender;	    /* process; 0: the kernel */
	const struct process *from; /* that process, if it is part of the stream; NULL: it is not */
	char comm[17];		    /* its name; empty: unknown. Hostile text */
};

/* How a process ended. */
struct death {
	bool known;
	uint64_t ts;
	uint16_t signal; /* that ended it; 0: it exited by itself, … */
	uint32_t status; /* … with this exit status */
	bool oom;	 /* the kernel's out-of-memory killer had chosen it */
	bool core;	 /* its memory was dumped */
	uint64_t peak;	 /* most memory it ever had resident, in KiB; 0: unknown */
};

/* A signal that a thread caused itself, and that ends its process unless that handles it. */
struct crash {
	uint64_t ts;
	uint16_t signal; /* 0: none was seen */
	uint32_t tid;
	uint32_t stack, native; /* where; 0: unknown */
};

struct process {
	struct process_info info;
	struct child children[SUPERVISED_MAX]; /* as of the window's begin */
	uint32_t child_count;
	bool supervisor;	      /* of them, whether it runs an event loop or not */
	bool serves;		      /* an event loop was seen in it */
	uint32_t index;		      /* 0, 1, … in order of appearance; changes in world_tidy() */
	const struct process *parent; /* if it is part of the stream; may be gone; NULL as well when
					 the world has freed it */
	uint32_t number;	      /* 1, 2, … among the processes with this parent */
	uint32_t of_parent;	      /* how many have had this one as their parent */
	bool loops_known; /* Python's own state says which of its threads run event loops */
	bool gone;
	uint64_t ts_gone;    /* since then */
	bool leaves;	     /* is about to be freed: world_tidy() */
	uint32_t stands_for; /* so many that have been freed, if a sink has made it for these; 0: it
				is a process */
	struct signal_sent sent;
	struct crash crash; /* the latest */
	struct death death;
	uint64_t lost;		      /* events of its own that are missing, by LOST */
	enum sites_fault sites_fault; /* from then on, nothing is known of the process's GILs */
	void *data;
};

/*
 * How many objects a world has at a time, so that a hostile stream cannot make it large. With one
 * more it ends as by world_end(), and world_window() says what there were too many of.
 */
#define WORLD_THREADS_MAX   100000
#define WORLD_GILS_MAX	    8192
#define WORLD_LOOPS_MAX	    8192
#define WORLD_PROCESSES_MAX 4096
/* epoll descriptors of loops, and those that threads wait on */
#define WORLD_DESCRIPTORS_MAX 131072

struct gil {
	struct process *process;
	uint64_t address;
	uint32_t interpreter;
	uint16_t index;		 /* the stream's index */
	enum evidence_mode mode; /* which of its transitions are traced */
	struct thread *holder;	 /* the certain holder now, or NULL */
	struct thread *observed; /* no certain holder, and this was it when last observed (partial
				    GILs): it may have dropped it since; or NULL */
	bool free;		 /* certainly free now (holder is NULL) */
	uint32_t waiters;	 /* threads known to wait now … */
	struct thread *waiting;	 /* … and the first of them; the others by next_waiting: loops'
				    threads first, then those that have waited longest */
	uint64_t ts_hold;	 /* begin of what is in progress: the hold, if there is a holder, */
	uint64_t ts_contention;	 /* … and the contention, if threads wait */
	uint64_t violations;	 /* facts that contradicted each other */
	uint64_t unknown_ns;	 /* up to the last change or world_cut(), while it existed and its
				    process lived: neither a holder nor that it was free was certain
				  */
	bool gone; /* its interpreter has ended, or its index means another one, known since … */
	uint64_t ts_gone;    /* … then */
	bool leaves;	     /* is about to be freed: world_tidy() */
	uint32_t stands_for; /* as of a process */
	void *data;
};

/* The certain holder, or the last one that is known; NULL: none is. */
static inline struct thread *gil_last_holder(const struct gil *gil)
{
	return gil->holder ? gil->holder : gil->observed;
}

/* What is at a futex that a thread sleeps on, as far as its memory shows. */
enum lock_kind {
	LOCK_UNKNOWN,	/* a condition variable, say */
	LOCK_MUTEX,	/* a pthread mutex */
	LOCK_SEMAPHORE, /* as Python's locks wait on */
	LOCK_PARKED,	/* something of Python's own, such as an event (3.13 on) … */
	LOCK_PYMUTEX,	/* … a PyMutex, … */
	LOCK_CRITICAL,	/* … that of an object in use, to enter a critical section, … */
	LOCK_WORLD,	/* … or the thread is suspended, as long as the world is stopped */
};
struct lock {
	uint64_t address; /* 0: none that is known */
	uint64_t parked;  /* what of Python's own it is that the thread waits for; 0: unknown */
	enum lock_kind kind;
	struct thread *owner; /* who had the mutex, NULL: unknown, … */
	uint64_t ts_owner;    /* … at an instant that is not before this one */
};

struct thread {
	struct process *process;
	uint32_t tid;
	uint32_t index; /* a small number that no other one has; one that is new may get that of
			   one that was freed */
	char comm[17];	/* last known kernel name, terminated; hostile text */
	uint32_t python_name; /* text: threading.Thread.name; 0 = unknown */
	uint32_t pool_limit; /* how many threads the executor may have that it is one of; 0: unknown
			      */
	bool python;	     /* Python knows it, or it has passed a GIL site */
	bool gone;
	bool leaves;		 /* is about to be freed: world_tidy() */
	uint32_t stands_for;	 /* as of a process */
	enum thread_state state; /* now, since … */
	uint64_t ts_state;	 /* … then */
	int32_t sysno;		 /* asleep now: in this system call, SYSNO_… */
	uint16_t cpu;		 /* it runs on or is queued at now; CPU_NONE: neither, or unknown */
	struct gil *gil;	 /* held or waited for now, or last; NULL: none that there is */
	struct thread *next_waiting,
		*prev_waiting;			  /* for the same GIL, while it waits (utlist.h) */
	struct thread *next_queued, *prev_queued; /* at the same CPU, while it is ready to run */
	struct loop *loop;			  /* the loop it runs, or NULL */
	struct lock lock;			  /* what it sleeps on, if that is a futex */
	bool poller; /* waits in epoll with a wake-up channel, as loops do, and runs none by
			Python's own state */
	void *data;
};

/* Whether the owner of the mutex that the thread sleeps on has it still, for certain: it has done
 * nothing since that was read. Who is asleep releases nothing. Nor does who waits for the GIL,
 * although it wakes up now and then. */
static inline bool lock_is_certain(const struct thread *thread)
{
	const struct lock *lock = &thread->lock;
	const struct thread *owner = lock->owner;

	return owner && (owner->state == TS_GIL_WAIT || thread_state_sleeps(owner->state)) &&
	       owner->ts_state <= lock->ts_owner;
}
/* If not, how long before `ts` that was read; 0: it has it, or nobody is known. */
static inline uint64_t lock_had_ns(const struct thread *thread, uint64_t ts)
{
	const struct lock *lock = &thread->lock;

	return !lock->owner || lock_is_certain(thread) || ts < lock->ts_owner ? 0
									      : ts - lock->ts_owner;
}

#define EPFD_UNKNOWN UINT32_MAX
struct loop {
	struct thread *thread;
	uint32_t epfd; /* EPFD_UNKNOWN: the thread has not waited since the loop is known */
	enum loop_kind kind;
	bool by_behaviour; /* that the thread runs it follows from its epoll waits only, not from
			      Python's own state */
	bool in_turn;
	bool possible;	  /* not to be shown: after a loss, whether this is a turn or the loop is in
			     its wait is not known yet */
	uint64_t ts_turn; /* begin of the turn in progress, … */
	bool earlier;	  /* … or it began before that, by an unknown time */
	void *data;
};

/* A stretch of one thread in one state. `start` < `end`. */
struct interval {
	struct thread *thread;
	enum thread_state state;
	uint64_t start, end;
	struct gil *gil; /* held or waited for; else NULL. With TS_UNKNOWN: held for certain,
			    whatever the thread did */
	int32_t sysno;	 /* TS_BLOCKED, TS_HELD_BLOCKED, TS_IDLE: the system call it slept in,
			    SYSNO_…; any state: SYSNO_STOPPED and the like */
	uint32_t file;	 /* text: the file that it slept on in that call; 0: none, or unknown */
	uint16_t cpu;	 /* the CPU it ran on or waited for; CPU_NONE when neither */
	bool throttled;	 /* a runnable state that began with the cgroup's quota used up */
	bool sampled;	 /* python or native according to the last observation (partial GILs) */
	bool in_turn;	 /* lies inside a turn of thread->loop, or of one that is cancelled later */
	bool still; /* TS_UNKNOWN, but off the CPU, at least by the last event: its stack is known
		     */
	bool gc;    /* the thread is inside a run of the cyclic garbage collector … */
	uint8_t generation; /* … of this generation; GC_GENERATION_UNKNOWN */
};

#define GC_GENERATION_UNKNOWN 255

/* The thread certainly had the GIL, whether its state is known or not. */
static inline bool interval_holds(const struct interval *interval)
{
	return interval->gil && interval->state != TS_GIL_WAIT;
}

/*
 * A Python stack at an instant (`flags`: events.def, STACK). With STACK_HOLDER it is the stack of
 * `thread`, the GIL's certain holder, taken by `seen_by`. Samples of an uncertain holder are not
 * emitted.
 */
struct sample {
	struct thread *thread;
	struct thread *seen_by; /* the waiter, for STACK_HOLDER; else NULL */
	struct gil *gil;	/* for STACK_HOLDER and STACK_WAIT; else NULL */
	uint64_t ts;
	uint64_t root;
	uint32_t stack, task; /* definitions; 0 = unknown */
	uint32_t native;      /* function of machine code (STACK.native); 0 = none, or unknown */
	uint8_t flags;	      /* EVF_STACK_… */
};

/* A stretch of certain ownership, from TAKE to DROP. `whole`: both edges are facts; else an edge is
 * where evidence began or ended. */
struct hold {
	struct gil *gil;
	struct thread *thread;
	uint64_t start, end;
	bool whole;
	bool requested; /* it ended with a drop that answered a request */
	bool handoff;	/* the previous certain holder was another thread */
};

/* A wait for a GIL, from the first WAIT (or sleep on its mutex) to the acquisition, or a sleep in
 * its hand-over. `whole` as above. */
struct gil_wait {
	struct gil *gil;
	struct thread *thread;
	uint64_t start, end;
	bool whole;
};

/* At least one thread waited for this GIL from start to end. */
struct contention {
	struct gil *gil;
	uint64_t start, end;
};

/* Events of [start, end] are missing, `count` of them or more: of this process, of which nothing is
 * known there, or (NULL) of nobody knows which, and nothing of any is. But with `runs` they only
 * said which task had a CPU, and no state is unknown. */
struct loss {
	uint64_t start, end, count;
	const struct process *process;
	bool runs;
};

/* A task had a CPU for which some traced thread was waiting. tid 0: the CPU was idle. */
struct run {
	uint16_t cpu;
	uint32_t tid, pid;
	uint64_t start, end;
	const struct thread *queued; /* the first thread that is queued there; the others by
					next_queued: loops' threads first, then by time */
};

/* A thread that slept on a futex since `start` is woken there at `end` by another one, which is
 * what the release of a lock does to who waits for it. */
struct release {
	struct thread *thread, *by;
	uint64_t start, end;
	enum lock_kind kind;
	uint64_t parked; /* as in struct lock */
	uint32_t stack;	 /* of `by` (definition); 0: unknown */
};

/* A turn of a loop (docs/model.md, Loops and turns). */
struct turn {
	struct loop *loop;
	uint64_t start, end;
	bool whole;   /* false: evidence began or ended inside, so its length is a lower bound */
	bool earlier; /* it began before `start`: evidence began inside */
	bool ongoing; /* the window ended inside */
};

struct world;

/* How many of the objects are gone. */
struct world_ended {
	uint32_t processes;
	uint32_t threads, gils; /* of processes that are not */
};

/* What is emitted; arguments are valid during the call. Any of the functions may be NULL. */
struct model_sink {
	void (*thread)(void *ctx, struct thread *thread); /* a new object */
	void (*loop)(void *ctx, struct loop *loop);	  /* a new object: a thread runs a loop */
	void (*interval)(void *ctx, const struct interval *interval);
	/* thread->state, or its name in Python, has changed, and is so from `ts` on; of one that
	 * has ended (`gone`), and of one whose state turned out to be unknown, `ts` may lie in the
	 * past. */
	void (*state)(void *ctx, const struct thread *thread, uint64_t ts);
	/* All intervals of its thread up to sample.ts have been emitted; a new one begins. */
	void (*sample)(void *ctx, const struct sample *sample);
	void (*hold)(void *ctx, const struct hold *hold);
	void (*wait)(void *ctx, const struct gil_wait *wait);
	void (*contention)(void *ctx, const struct contention *contention);
	/* gil->waiters has changed at `ts`; per GIL in order of time. */
	void (*waiters)(void *ctx, const struct gil *gil, uint64_t ts);
	/* Inside the window, in order of their begins; they may overlap. */
	void (*loss)(void *ctx, const struct loss *loss);
	void (*run)(void *ctx, const struct run *run);
	/* A sample of the machine code (function; 0: unknown) of a thread that runs, and that
	 * Python does not know. */
	void (*native)(void *ctx, const struct thread *thread, uint32_t function);
	/* Before the interval of its thread is emitted. */
	void (*release)(void *ctx, const struct release *release);
	/* Before the first interval of the turn is emitted. */
	void (*turn_begin)(void *ctx, struct loop *loop);
	void (*turn)(void *ctx, const struct turn *turn);
	/* Takes back the turn that turn_begin() announced: a spurious wake-up, or a possible turn
	 * that was disproved. */
	void (*turn_cancel)(void *ctx, struct loop *loop);
	/* world_tidy(): marks what may go (`leaves`), of the processes, threads and GILs that are
	 * gone; false: nothing. */
	bool (*choose)(void *ctx, const struct world *world, struct world_ended ended);
	/* All that is marked is freed next, with its GILs and loops; nothing may point there any
	 * more. */
	void (*forget)(void *ctx, const struct world *world);
	void *ctx;
};

/* `mode`: of every GIL whose declaration does not say another. NULL when memory is short. */
struct world *world_new(struct model_sink sink, enum evidence_mode mode);
void world_free(struct world *world);

/* The world as the sink of a stream. Events must be in time order; one that is older than its
 * predecessor is treated at the predecessor's time. */
struct stream_sink world_sink(struct world *world);
int world_feed(struct world *world, const union event *event);

/*
 * Closes every open interval, hold, wait and turn (ongoing) at `ts`, and ends the window. Called by
 * WINDOW(end); a reader calls it for a recording that was cut off, with the time of its last event.
 * Feeding ends here.
 */
void world_end(struct world *world, uint64_t ts);

/*
 * Closes and reopens every open interval at `ts` without ending anything, so that a live view sees
 * sums up to now. Changes no result but the number of intervals.
 */
void world_cut(struct world *world, uint64_t ts);

/* Frees those that the sink's choose() marks. Not during a call of the sink; whoever holds a
 * pointer to an object, through a report for instance, must not use it afterwards. Cheap when there
 * is nothing to free. */
void world_tidy(struct world *world);

/* Visits the definitions that the world, or a process, refers to. */
void world_refers(const struct world *world, const struct definition_visit *visit);
void process_refers(const struct process *process, const struct definition_visit *visit);

struct world_window {
	uint64_t start, end;	 /* first and last instant known so far */
	uint64_t events;	 /* fed */
	uint64_t lost;		 /* events missing, by LOST … */
	uint64_t late;		 /* … of them those that came too late to be put in order … */
	uint64_t missed;	 /* … and those whose probe the kernel did not run; … */
	uint64_t lost_anywhere;	 /* … of the same, those of nobody knows which process … */
	uint64_t lost_runs;	 /* … and those that only said which task had a CPU */
	uint64_t foreign;	 /* UNKNOWN_GIL events that no GIL event explained later */
	uint64_t contradictions; /* facts of a thread that do not fit the earlier ones: one of those
				    was missed without a LOST */
	uint64_t gaps;		 /* GAP events of threads that were thought to be off the CPU */
	uint64_t unread;	 /* times that memory of a process was not read, by UNREAD */
	uint64_t unsampled;	 /* samples that were lost at most, by UNSAMPLED */
	bool ended;	  /* … also because there was more of something than the model takes in: */
	const char *full; /* of what ("threads"); NULL: of nothing */
	uint32_t limit;	  /* … and how many of these it takes in */
};
struct world_window world_window(const struct world *world);

struct thread *world_thread(const struct world *world, uint32_t tid); /* living, or NULL */
/* Iteration in order of appearance; `*position` starts at 0; NULL at the end. */
struct process *world_next_process(const struct world *world, uint32_t *position);
struct thread *world_next_thread(const struct world *world, uint32_t *position);
struct gil *world_next_gil(const struct world *world, uint32_t *position);
/* Last known name of any task, or "". Valid until the next feed. */
const char *world_comm(const struct world *world, uint32_t tid);

#endif
