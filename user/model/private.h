/* SPDX-License-Identifier: MIT */
/*
 * private.h - what the files of the model share: the machines behind the public objects, and the
 * order in which the sink is called.
 *
 * For every event, world_feed() looks up whom it is about (struct fact). The machines then take it
 * in: cpu.c emits runs while it changes a thread's scheduling, gil.c and loop.c queue what has
 * ended (emit_later()), and each of them marks the threads whose machines have moved
 * (thread_moved()). Behind them all, threads_derive() compares what the machines of each of these
 * threads say now with its open interval, and emits the interval if they differ. The queue is
 * flushed last.
 *
 * A loss is of the events of one process, or of nobody knows which, and then of all. "Known since
 * the last loss" bounds its cost: what has been touched by an event is on one of the `touched`
 * lists, and only that has to be forgotten when events are lost.
 */
#ifndef GILSCOPE_MODEL_PRIVATE_H
#define GILSCOPE_MODEL_PRIVATE_H

#include <utlist.h>

#include "base/container_of.h"
#include "base/hash.h"
#include "model/lives/lists.h"
#include "model/model.h"

enum sched { SCHED_UNKNOWN, SCHED_RUNNING, SCHED_READY, SCHED_ASLEEP };

/* What a thread may be to the GILs of its process, as a set; known when one bit is left. */
enum { REL_NONE = 1, REL_WAITING = 2, REL_HOLDING = 4, REL_UNKNOWN = 7 };

/* The lists of a process's threads by relation: unknown, but not waiting; unknown otherwise;
 * none, which a newly declared GIL puts in doubt. */
enum { OPEN_NOT_WAITING, OPEN_ANY, OPEN_NONE, OPEN_LISTS };

/* Is the thread inside an epoll wait (on t->epfd)? */
enum place { PLACE_UNKNOWN, PLACE_OUTSIDE, PLACE_INSIDE };

/* Where the latest loss of some kind ends, or the window begins. */
struct loss_end {
	uint64_t ts;	/* facts count from here on */
	uint64_t count; /* events missing in that loss */
};

struct process_entry {
	struct process pub;
	UT_hash_handle hh; /* by pid, the latest of that pid */
	struct descriptor *descriptors;
	struct thread_machine *threads;		 /* living */
	struct thread_machine *by_nstid;	 /* of these, by hh_nstid */
	struct thread_machine *open[OPEN_LISTS]; /* living, by relation: open_list() */
	struct gil_machine *gil_list; /* all declared ones, those that are gone included */
	uint32_t gils;		      /* declared and not gone; of these … */
	uint32_t partial_gils;	      /* … so many are partial */
	uint32_t certain;	      /* … so many have a known holder or are known free */
	uint32_t off;		      /* … so many are switched off */
	bool described;		      /* pub.info comes from the stream */
	bool pending; /* partial: some threads may turn out to be REL_NONE at the next observation
			 of the GIL: settle_pending() */
	bool partial; /* the world's mode is, or that of a GIL which is not gone; so relations of
			 its threads are known in part only: derive_partial() */
	/* losses: loss.c */
	struct loss_end loss; /* of its own events; counts besides world.loss */
	uint64_t ts_evidence; /* facts_from() when evidence began; if that is another time now, a
				 loss, or the time before the window, is not over */
	struct thread_machine *touched; /* living, by an event since the last loss */
	struct gil_machine *touched_gils;
	struct loop_machine *awaiting; /* may get a possible turn when evidence begins */
	bool touched_link;	       /* on world.touched: it has something on these lists */
	struct process_entry *prev_touched, *next_touched;

	uint32_t gone_threads, gone_gils; /* that have not been freed */
	uint32_t untouched;		  /* living threads without an event since the last loss */
	bool may_wait;	   /* partial: a thread whose relation is unknown may wait for a GIL */
	bool alone;	   /* returns from its waits in epoll are not traced */
	bool passed;	   /* a GIL site, since the last loss */
	bool parent_freed; /* it had a parent that is part of the stream */
	uint32_t ran;	   /* living threads that certainly ran Python since then: sites.c */
};

/* An epoll descriptor that belongs to a loop (`declared`), or that some thread waited on last. */
struct descriptor {
	uint32_t epfd;
	bool declared;
	enum loop_kind kind;
	struct thread_machine *waited;	/* threads that waited on it last */
	struct thread_machine *running; /* living threads whose loop it is */
	uint64_t number; /* unique for the world's lifetime: a closed descriptor never comes back */
	UT_hash_handle hh;
};

/* What a waiting thread is doing, for whether a drop would wake it (partial GILs: edges.c). */
enum wait_part {
	WAIT_APART,  /* it does not wait, or elsewhere than on the condition variable */
	WAIT_AWAKE,  /* it is about to sleep there, or on its way back */
	WAIT_ASLEEP, /* it sleeps there */
	WAIT_PARTS
};

struct gil_machine {
	struct gil pub;
	struct gil_machine *next; /* of the process */
	bool touched;		  /* on process_entry.touched_gils */
	struct gil_machine *prev_touched, *next_touched;
	struct thread *previous; /* last certain holder; NULL when one may have been missed since */
	uint64_t ts_counted;	 /* pub.unknown_ns is complete up to then */
	uint64_t ts_calm;	 /* emitted contention ends then */
	uint64_t ts_waiters;	 /* pub.waiters has been emitted as of then */
	uint64_t ts_fact;	 /* last TAKE, DROP or not locked WAIT_END */
	bool hold_whole, hold_handoff;
	bool weak;	/* holder or freedom come from an observation without the GIL's mutex, so a
			   transition may have been in flight */
	bool announced; /* its holder has it by a WAIT_END; its TAKE is to come */
	bool off;	/* switched off (free-threaded builds) when last observed; no fact since */
	bool counted;	/* in process_entry.certain */
	uint32_t takes, drops;		/* since the last loss */
	uint32_t ends;			/* … waits that ended because the GIL was free */
	struct thread_machine *sampled; /* partial: its holder when last observed, which may have
					   dropped it since */
	/* partial: edges.c */
	uint32_t waits[WAIT_PARTS]; /* threads in each part of a wait */
	bool traced;		    /* a drop would be, by these numbers */
	uint64_t ts_named;	    /* read then, with its holder's name if it had one */
	uint64_t ts_read;	    /* `sampled` was its holder at that instant, for certain */
	bool proven; /* `sampled` has it, unless the only thread that would get the signal of a drop
			without a wake-up does not go to sleep */
};

struct loop_machine {
	struct loop pub;
	struct loop_key {
		uint32_t thread, epfd; /* the thread by its index */
	} key;
	UT_hash_handle hh;
	struct loop_machine *prev_awaiting, *next_awaiting;
	bool awaiting; /* on process_entry.awaiting */
};

/* What RUNS_LOOP, Python's own state, said of a thread. RUNS_NO: it runs no loop, although it waits
 * on the descriptor of a wake-up channel. */
enum runs { RUNS_UNKNOWN, RUNS_NO, RUNS_YES };

struct thread_machine {
	struct thread pub;
	UT_hash_handle hh;				/* by tid, the latest of that tid */
	struct thread_machine *sibling, **sibling_link; /* in process_entry.threads */
	struct thread_machine *prev_open, *next_open;	/* in process_entry.open[listed - 1] */
	unsigned int listed;				/* 0: in none */
	bool touched;					/* on process_entry.touched */
	bool moved;					/* on world.moved */
	struct thread_machine *prev_touched, *next_touched;
	struct interval open; /* what is emitted next, up to when it ends */

	/* scheduling: cpu.c */
	uint64_t ts_fact; /* last fact of its own that counted */
	enum sched sched;
	int32_t sysno; /* what it sleeps in */
	uint32_t file; /* … and on (text); 0: unknown */
	bool throttled;

	/* relation to a GIL: gil.c */
	unsigned int relation; /* REL_… */
	bool wait_whole;
	bool in_handover; /* waits only as long as it sleeps: it has dropped the GIL and may
			     continue without it */
	bool by_mutex;	  /* waits, because it slept on the GIL's mutex without having the GIL; no
			     WAIT has come since */
	uint64_t ts_wait; /* begin of the wait in progress */
	struct gil_wait ended; /* partial: it ended with a sleep on the mutex, and may go on
				  (edges.c); gil NULL: there is none */

	/* partial, as last observed; valid only as long as the thread cannot act: edges.c */
	bool sampled;			 /* it was observed, … */
	struct gil_machine *sampled_gil; /* … with this GIL, whose `sampled` it is; NULL: none */
	uint64_t ts_sampled;		 /* it read lock words itself then, … */
	uint32_t words;			 /* … so many GILs', */
	bool clocked;			 /* the clock has hit it … */
	struct gil_machine *clock_gil;	 /* … with this GIL; NULL: with none */
	bool waking;			 /* its wake-up has begun (WAKE, begins) */
	enum wait_part part;		 /* of a wait, as counted in its GIL's `waits` */
	uint64_t ts_off;		 /* it has been off the CPU at least since then */

	/* place and loop: loop.c */
	enum place place;
	uint32_t epfd;
	bool slept;  /* inside this wait */
	bool unseen; /* the return from this wait is perhaps not traced: it may be outside, as long
			as it does not sleep there. With `missed`, its begin was not traced either:
			how many waits there were in between is unknown, and what turns */
	bool missed;
	bool doubted; /* woken while it was unknown whether it was in its wait */
	enum runs runs;
	enum loop_kind runs_kind;
	bool ran;		   /* a loop, now or before */
	uint64_t ts_runs;	   /* time of the RUNS_LOOP that said so */
	uint64_t ts_closed;	   /* it closed its loop's descriptor; older RUNS_LOOP are void */
	struct descriptor *waited; /* last waited on, and on no other since … */
	uint64_t ts_waited;	   /* … then */
	struct thread_machine *prev_waited, *next_waited;   /* of that descriptor */
	struct descriptor *own;				    /* of its loop, while both live */
	struct thread_machine *prev_running, *next_running; /* of that descriptor */
	uint32_t other_waits; /* on another loop's descriptor, with none on its own since */
	uint64_t other;	      /* number of that descriptor; the waits began … */
	uint64_t ts_other;    /* … then */
	uint64_t previous; /* number of the descriptor of the loop that its present one replaced by
			      behaviour; 0: none */
	uint32_t previous_epfd;

	/* what it does in Python: names.c, sites.c */
	uint32_t wakes_stack; /* the stack in which it woke another thread last, … */
	uint64_t ts_wakes;    /* … then */
	uint32_t own_stack;   /* last stack of its own, … */
	uint32_t moves;	      /* … and how often it was a different one since the last loss */
	uint32_t gc_depth;    /* nested runs of the collector: a finalizer may start another one */
	uint8_t generation;   /* of the outermost run; GC_GENERATION_UNKNOWN */

	uint32_t nstid;		 /* the process's own number for it; 0: unknown */
	UT_hash_handle hh_nstid; /* by that, the latest of that number */
	/* needed for checkpoints only; type 0: there is none */
	struct ev_switch_out out;   /* how it left the CPU, if by a SWITCH_OUT */
	struct ev_stack off_stack;  /* taken then */
	struct ev_stack wait_stack; /* taken when it began to wait for the GIL */
};

struct cpu {
	uint32_t tid, pid; /* the task that has it, if known */
	bool known;
	bool by_switch; /* from the SWITCH_IN of a thread, which still runs there; not from a RUN */
	bool touched;	/* on world.touched_cpus: a RUN has come since the last loss */
	struct thread *queued;
	uint64_t begun; /* it has it since then */
	uint64_t since; /* begin of the run that is emitted next, while some thread is queued */
};

/* What is emitted after the intervals of an event, in this order. */
enum emission_kind {
	EMIT_HOLD,
	EMIT_WAIT,
	EMIT_CONTENTION,
	EMIT_TURN,
	EMIT_TURN_BEGIN,
	EMIT_TURN_CANCEL
};
struct emission {
	enum emission_kind kind;
	union {
		struct hold hold;
		struct gil_wait wait;
		struct contention contention;
		struct turn turn;
		struct loop *loop;
	};
};

/* An event and whom it is about, looked up once: world_feed(). A loop is reached by its thread, a
 * CPU by its number. */
struct fact {
	const union event *event;
	uint64_t ts;		       /* of the event, or of an earlier one with a later stamp */
	struct thread_machine *thread; /* hdr.tid, living; NULL: none, or hdr.tid is no thread */
	struct gil_machine *gil;       /* hdr.aux; NULL: none, or hdr.aux is no GIL */
	struct process_entry *process; /* hdr.tid, living; NULL: none, or hdr.tid is no process */
};

struct comm {
	uint32_t tid, pid;
	char text[17];
	UT_hash_handle hh;
};

#define CACHE_SIZE	256   /* power of two */
#define COMM_MAX	32768 /* names of foreign tasks that are kept */
#define UNEXPLAINED_MAX 64    /* addresses of UNKNOWN_GIL events that are kept */

struct world {
	struct model_sink sink;
	enum evidence_mode mode; /* of GILs whose declaration does not say another */
	bool begun, ended;
	uint64_t now, ts_begin;
	struct crash sample;	  /* the latest clock's, of any thread: `signal` means nothing */
	struct loss_end loss;	  /* of events of nobody knows which process */
	struct loss_end any_loss; /* of any events: which task has a CPU is known from RUN only
				     from here on */
	uint64_t events, lost, late, missed, contradictions, gaps, foreign, unread, unsampled;
	uint64_t lost_anywhere, lost_runs; /* of `lost` */

	struct thread_machine *cache[CACHE_SIZE]; /* by tid */
	struct thread_machine *by_tid;
	struct process_entry *by_pid;
	struct gil_machine **gil_by_index;
	struct list processes, threads, gils, loops;
	struct world_ended gone;
	uint32_t ends;		/* of threads and GILs since world_tidy() last looked for what may
				   go */
	struct indices indices; /* of threads */
	struct process_entry *touched; /* those with something that was, since the last loss */
	struct list moved;	       /* threads whose machines have moved with this event */
	uint16_t *touched_cpus;
	uint32_t touched_cpu_count;
	struct loop_machine *loop_by_key;
	bool kinds_changed; /* kinds of descriptors have, and not yet those of their loops */
	struct cpu *cpus;
	uint32_t orphans; /* processes whose parent has not been described */
	struct comm *comms;
	uint32_t gil_room, cpu_count, object_count, descriptor_count;
	uint64_t descriptor_number; /* of the latest one */
	const char *full;	    /* as in world_window */
	uint32_t limit;
	struct {
		struct process_entry *process;
		uint64_t address, count;
	} unexplained[UNEXPLAINED_MAX];
	uint32_t unexplained_count;

	struct emission *queue; /* room for all that one event can end: world_reserve() */
	uint32_t queue_count, queue_room;
};

static inline bool thread_is_off(const struct thread_machine *t)
{
	return t->sched == SCHED_READY || t->sched == SCHED_ASLEEP;
}

static inline struct thread_machine *machine_of(const struct thread *thread)
{
	return container_of(thread, struct thread_machine, pub);
}

static inline struct process_entry *process_of(const struct thread_machine *t)
{
	return container_of(t->pub.process, struct process_entry, pub);
}

static inline struct process_entry *gil_process(const struct gil_machine *g)
{
	return container_of(g->pub.process, struct process_entry, pub);
}

/* Not all transitions of such a GIL are traced. */
static inline bool mode_is_partial(enum evidence_mode mode)
{
	return mode != MODE_EXACT;
}

static inline bool gil_is_partial(const struct gil_machine *g)
{
	return mode_is_partial(g->pub.mode);
}

/* There is one. */
static inline struct gil_machine *gil_of(const struct thread_machine *t)
{
	return container_of(t->pub.gil, struct gil_machine, pub);
}

/* NULL: none. */
static inline struct loop_machine *loop_of(const struct thread_machine *t)
{
	return t->pub.loop ? container_of(t->pub.loop, struct loop_machine, pub) : NULL;
}

static inline bool relation_known(unsigned int relation)
{
	return (relation & (relation - 1)) == 0;
}

/* A machine of the thread has moved, or its open interval was changed: its state is derived again
 * once all machines have had the event. */
static inline void thread_moved(struct world *w, struct thread_machine *t)
{
	if (t->moved)
		return;
	t->moved = true;
	w->moved.items[w->moved.count++] = t; /* thread_new() has made room */
}

static inline void place_set(struct world *w, struct thread_machine *t, enum place place)
{
	t->place = place;
	thread_moved(w, t);
}

/* The earliest instant that a snapshot of `span_ns` can have been taken at. */
static inline uint64_t fact_since(const struct fact *fact, uint64_t span_ns)
{
	return span_ns < fact->ts ? fact->ts - span_ns : 0;
}

/* The caller fills it in. world_reserve() has made room. */
static inline struct emission *emit_later(struct world *w, enum emission_kind kind)
{
	struct emission *emission = &w->queue[w->queue_count++];

	emission->kind = kind;
	return emission;
}

static inline struct process_entry *process_at(const struct world *w, uint32_t i)
{
	return w->processes.items[i];
}

/* The GIL that this index means now, or NULL. */
static inline struct gil_machine *gil_find(const struct world *w, uint32_t index)
{
	return index < w->gil_room ? w->gil_by_index[index] : NULL;
}

static inline struct gil_machine *gil_at(const struct world *w, uint32_t i)
{
	return w->gils.items[i];
}

/* ── registry.c ──────────────────────────────────────────────────────────── */

/* Makes room for one more object; -ENOSPC if there are `limit`: the world is full of `what`. */
int list_reserve_object(struct world *w, struct list *list, uint32_t limit, const char *what);
/* Makes room in the queue for `objects` more, and counts them. 0 or -ENOMEM. */
int world_reserve(struct world *w, uint32_t objects);
struct process_entry *process_find(const struct world *w, uint32_t pid); /* living, or NULL */
/* The latest of that pid, which may be gone. */
struct process_entry *process_latest(const struct world *w, uint32_t pid);
/* The living one of that pid, or a new one. 0, -ENOMEM or -ENOSPC. */
int process_get(struct world *w, uint32_t pid, struct process_entry **ret_process);
int child_feed(struct world *w, const struct fact *fact); /* CHILD */
/* It has a parent that was not described yet. */
bool process_is_orphan(const struct process_entry *process);
/* Its parent, if that is part of the stream. */
void process_adopt(struct world *w, struct process_entry *process);
void signal_feed(struct world *w, const struct fact *fact); /* SIGNAL */
void death_feed(const struct fact *fact);		    /* DEATH */
int comm_feed(struct world *w, const struct fact *fact);
/* A site was passed with an address that is no known GIL. */
void foreign_count(struct world *w, struct thread_machine *t, uint64_t address);
int gil_declare(struct world *w, const struct fact *fact);

/* All machines have had the event: emits what it changed (world.c). */
void world_settle(struct world *w, uint64_t ts);

/* ── thread.c ────────────────────────────────────────────────────────────── */

struct thread_machine *thread_find(struct world *w, uint32_t tid); /* living, or NULL */
/* The same, of this process. */
struct thread_machine *thread_in(struct world *w, const struct process_entry *process,
				 uint32_t tid);
/* The process of a thread, which may be gone; NULL: no such thread is known. */
struct process_entry *thread_process(struct world *w, uint32_t tid);
int thread_feed(struct world *w, const struct fact *fact);
int thread_new(struct world *w, struct process_entry *process, uint32_t tid, uint64_t ts,
	       struct thread_machine **ret_thread);
/* The first thread of its process, which began then, is known since now only. */
void thread_began(const struct world *w, struct thread_machine *t, uint64_t since);
void thread_exit(struct world *w, struct thread_machine *t, uint64_t ts);
/* A loss begins: everything about it becomes unknown, and it is not touched any more. */
void thread_forget(struct world *w, struct thread_machine *t, uint64_t ts);
/* Reports to the sink that the thread's state, or its name, has changed. */
void thread_tell(struct world *w, const struct thread_machine *t, uint64_t ts);
/* Emits the open interval up to `ts`, and continues it from there. */
void thread_cut(struct world *w, struct thread_machine *t, uint64_t ts);
/* Derives the states of the threads that have moved; the only place that does. */
void threads_derive(struct world *w, uint64_t ts);
/* The same for one thread, whose fact is of a time that the others are already past. */
void thread_derive(struct world *w, struct thread_machine *t, uint64_t ts);
/* Its open interval turns out to be one of waiting for its GIL. */
void thread_waited(struct world *w, struct thread_machine *t);
/* Its open interval has proved wrong, and becomes unknown. */
void thread_doubt(struct world *w, struct thread_machine *t);
/*
 * A switch of the thread was missed, so its open interval is wrong about its scheduling, and about
 * nothing else: a wait for the GIL continues, a holder is still the holder (its TAKE and DROP have
 * probes of their own), and the stack in which it went to sleep is known.
 */
void thread_doubt_sched(struct world *w, struct thread_machine *t);
/* It waits for the GIL whatever its scheduling is, and not only while it sleeps. */
bool thread_waits_anyway(const struct thread_machine *t);

/* ── cpu.c ───────────────────────────────────────────────────────────────── */

int cpu_ensure(struct world *w, uint16_t cpu); /* that there is one of this number */
/* Emits the run in progress on this CPU, or on all touched ones, up to `ts`. */
void cpu_cut(struct world *w, uint16_t cpu, uint64_t ts);
void cpu_cut_touched(struct world *w, uint64_t ts);
void cpu_run(struct world *w, const struct ev_run *event, uint64_t ts);
/* A task that is not known has the CPU from now on. */
void cpu_unknown(struct world *w, uint16_t cpu, uint64_t ts);
/* A loss of any events begins: what RUN has said of the CPUs may not be true any more, for the
 * SWITCH_IN of a thread may be missing as well. */
void cpu_forget(struct world *w, uint64_t ts);
/* `cpu`: where it runs or is queued, or CPU_NONE. */
void sched_set(struct world *w, struct thread_machine *t, enum sched sched, uint16_t cpu,
	       uint64_t ts);
/* The thread does something, so it is on a CPU. */
void sched_prove(struct world *w, struct thread_machine *t, uint64_t ts);
/* It has run since the last fact, and nothing says whether it does now. */
void sched_forget(struct world *w, struct thread_machine *t, uint64_t ts);
void sched_feed(struct world *w, const struct fact *fact); /* of a living thread */
void sched_sleeps_on(struct world *w, const struct fact *fact);

/* ── lock.c ──────────────────────────────────────────────────────────────── */

void lock_feed(struct world *w, const struct fact *fact); /* FUTEX */

/* ── gil.c ───────────────────────────────────────────────────────────────── */

void gil_feed(struct world *w, const struct fact *fact);
/* `holder`: living, of the GIL's process; NULL: the event names none. */
void gil_observe(struct world *w, const struct fact *fact, struct thread_machine *holder);
void gil_touch(struct world *w, struct gil_machine *g);
/* Nothing is known any more of the GIL, nor of its holder's relation. */
void gil_unknown(struct world *w, struct gil_machine *g, uint64_t ts);
/* Counts unknown_ns up to then. */
void gil_cut(const struct world *w, struct gil_machine *g, uint64_t ts);
void gil_emit_open(struct world *w, struct gil_machine *g, uint64_t ts); /* the window ends */
void gil_hold_begin(struct world *w, struct gil_machine *g, struct thread_machine *t, uint64_t ts,
		    bool whole);
/* The caller sets what the GIL and the thread are from now on. */
void gil_hold_end(struct world *w, struct gil_machine *g, uint64_t ts, bool whole, bool requested);
/* Facts contradict each other: the GIL becomes unknown, and so does its holder's open interval. */
void gil_violate(struct world *w, struct gil_machine *g, uint64_t ts);

void relation_set(struct world *w, struct thread_machine *t, unsigned int relation);
/* Puts the thread on the list of process_entry.open that it belongs to now. */
void relation_list(struct world *w, struct thread_machine *t);
/* The GIL is switched on or off; `off`: no thread of the process has it or waits for it. */
void gil_set_off(struct gil_machine *g, bool off);
void gil_settle_off(struct world *w, struct gil_machine *g);
void relation_snapshot(struct world *w, struct thread_machine *t, struct gil_machine *g,
		       bool waiting, uint64_t ts);
/* It does something that a waiting thread cannot do. */
void relation_not_waiting(struct world *w, struct thread_machine *t);
/* Ends a wait or a hold in an unknown way. */
void relation_leave(struct world *w, struct thread_machine *t, uint64_t ts);
/* `again`: from WAIT_END, so a WAIT must have come before. */
void relation_wait(struct world *w, struct gil_machine *g, struct thread_machine *t, bool again,
		   uint64_t ts);
/* It sleeps on the condition variable, after a WAIT. */
void relation_sleep_in_wait(struct world *w, struct gil_machine *g, struct thread_machine *t,
			    uint64_t ts);
/* It sleeps on a futex of the GIL's own: in the hand-over, or on the mutex. */
void relation_sleep(struct world *w, struct gil_machine *g, struct thread_machine *t, bool handover,
		    uint64_t ts);
void relation_handed_over(struct world *w, struct thread_machine *t, uint64_t ts);
void relation_acquire(struct world *w, struct thread_machine *t, uint64_t ts); /* ends its wait */
/* A DROP. If its hold was unknown, an earlier fact was missed, and with `violates` so was one of
 * the GIL. Returns whether it was known. */
bool relation_drop(struct world *w, struct gil_machine *g, struct thread_machine *t, bool requested,
		   bool violates, uint64_t ts);
/* The wait that began with a sleep on the mutex goes on (edges.c). */
void relation_wait_on(struct world *w, struct gil_machine *g, struct thread_machine *t,
		      uint64_t ts);
/* It continues without the GIL, which was switched off. */
void relation_go_on(struct world *w, struct gil_machine *g, struct thread_machine *t, uint64_t ts);
/* A fact of the thread does not fit its relation: an earlier one was missed. */
void relation_contradict(struct world *w, struct gil_machine *g, struct thread_machine *t,
			 uint64_t ts);
/* What it does now is not done in take_gil. */
void relation_elsewhere(struct world *w, struct thread_machine *t, uint64_t ts);
/* Somebody waited for it in [start, end]: emits what of that has not been emitted, and is not in
 * progress. */
void gil_contended(struct world *w, struct gil_machine *g, uint64_t start, uint64_t end);

/* ── sites.c ─────────────────────────────────────────────────────────────── */

void sites_fact(struct world *w, const struct fact *fact);  /* a site was passed */
void sites_stack(struct world *w, const struct fact *fact); /* a thread's stack, taken by itself */
void sites_forget(struct gil_machine *g);		    /* a loss begins */
void sites_forget_thread(struct thread_machine *t);

/* ── names.c ─────────────────────────────────────────────────────────────── */

void stack_feed(struct world *w, const struct fact *fact);
void still_feed(struct world *w, const struct fact *fact);
void native_feed(struct world *w, const struct fact *fact);
void gc_set(struct world *w, struct thread_machine *t, uint32_t depth, uint8_t generation);
void gc_feed(struct world *w, const struct fact *fact);
void crash_feed(struct world *w, const struct fact *fact);
void name_feed(struct world *w, const struct fact *fact);

/* ── descriptor.c ────────────────────────────────────────────────────────── */

struct descriptor *descriptor_find(const struct process_entry *process, uint32_t epfd);
/* Finds or makes it. 0, -ENOMEM, or -ENOSPC if there are too many. */
int descriptor_get(struct world *w, struct process_entry *process, uint32_t epfd,
		   struct descriptor **ret_descriptor);
void descriptor_free(struct world *w, struct process_entry *process, struct descriptor *d);
/* The thread waits on this one; on another it does so no longer. Errors as above. */
int descriptor_wait(struct world *w, struct thread_machine *t, uint32_t epfd, uint64_t ts);
/* The last descriptor that a thread waited on is not this one any more. Frees it if it is no other
 * thread's last one, and no loop has it. */
void loop_unwait(struct world *w, struct thread_machine *t);
/* The thread runs the descriptor's loop, or (NULL) none whose descriptor is known. */
void loop_own(struct thread_machine *t, struct descriptor *d);
void loop_unlist(struct world *w, struct thread_machine *t); /* the thread is gone */

#endif
