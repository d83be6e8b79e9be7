/* SPDX-License-Identifier: MIT */
/*
 * private.h - what the files of the model share: the machines behind the public objects, and the
 * order in which they are told.
 *
 * For every event: world_feed() looks up whom it is about (struct fact). The machines take it in:
 * cpu.c emits runs while it changes a thread's scheduling, gil.c and loop.c queue what is over
 * (world.queue), and each says whose machines have moved (thread_moved()). Behind them all
 * threads_derive() compares, for each of these threads, what its machines say now with its open
 * interval, and emits that when it differs. The queue is flushed last.
 */
#ifndef GILSCOPE_MODEL_PRIVATE_H
#define GILSCOPE_MODEL_PRIVATE_H

#include <utlist.h>

#include "base/hash.h"
#include "model/model.h"

enum sched { SCHED_UNKNOWN, SCHED_RUNNING, SCHED_READY, SCHED_ASLEEP };

/* What a thread may be to the GILs of its process; known when one bit is left. */
enum { REL_NONE = 1, REL_WAITING = 2, REL_HOLDING = 4, REL_UNKNOWN = 7 };

/* Lists of threads whose relation is not known: of those that do not wait, and of the others; and
 * of those that have none, which a new GIL puts in doubt. */
enum { OPEN_NOT_WAITING, OPEN_ANY, OPEN_NONE, OPEN_LISTS };

/* Is the thread inside an epoll wait (on t->epfd)? */
enum place { PLACE_UNKNOWN, PLACE_OUTSIDE, PLACE_INSIDE };

/* All objects of a kind, in order of appearance; they live as long as the world. */
struct list {
	void **items;
	uint32_t count, room;
};

struct process_entry {
	struct process pub;
	UT_hash_handle hh; /* by pid, the latest of that pid */
	struct descriptor *descriptors;
	struct thread_machine *threads;		 /* living */
	struct thread_machine *open[OPEN_LISTS]; /* of these, by relation: open_list() */
	struct gil_machine *gil_list;		 /* all declared, retired ones too */
	uint32_t gils, certain, off; /* GILs declared, and of those with a certain holder or
					certainly free, and switched off */
	bool described;		     /* process.info is the stream's own */
	bool pending; /* partial: there may be threads that are `none` when the GIL is seen with
			 somebody else */
	bool partial; /* some GIL of it is: what its threads do with GILs is known in parts only */
	bool passed;  /* a GIL site, since the last loss … */
	uint32_t ran; /* … and so many living threads ran Python for sure: sites.c */
};

/* An epoll descriptor that belongs to a loop (`declared`), or that some thread waited on last. */
struct descriptor {
	uint32_t epfd;
	bool declared;
	enum loop_kind kind;
	struct thread_machine *waited;	/* the threads that waited on it last */
	struct thread_machine *running; /* the living threads whose loop it is */
	uint64_t number; /* no other descriptor has it, ever: a descriptor that is closed does not
			    come back */
	UT_hash_handle hh;
};

struct gil_machine {
	struct gil pub;
	struct gil_machine *next; /* of the process */
	bool touched;		  /* in world.touched_gils: something may be known of it */
	struct thread
		*previous; /* the last certain holder, back to the last time it was not known */
	uint64_t ts_hold;
	uint64_t ts_fact;	/* last TAKE, DROP or not locked WAIT_END */
	uint64_t ts_contention; /* while pub.waiters > 0 */
	bool hold_whole, hold_handoff;
	bool weak; /* holder or freedom come from a look without the GIL's mutex: a transition may
		      have been in flight */
	bool off;  /* switched off (free-threaded builds) when last seen, and no fact of it since */
	bool retired; /* its index was given to another */
	bool counted; /* in process_entry.certain */
	uint32_t takes, drops,
		ends; /* since the last loss; `ends`: waits that ended because the GIL was free */
	struct thread_machine
		*sampled; /* partial: seen with the GIL last, which it may have dropped since */
};

struct loop_machine {
	struct loop pub;
	struct loop_key {
		uint32_t thread, epfd; /* by its index */
	} key;
	UT_hash_handle hh;
	bool whole; /* the begin of the turn in progress is a fact */
};

/* What Python's own state said of a thread (RUNS_LOOP). RUNS_NO: it has none, although it waits on
 * a wake-up channel's descriptor. */
enum runs { RUNS_UNTOLD, RUNS_NO, RUNS_YES };

struct thread_machine {
	struct thread pub;
	UT_hash_handle hh;				/* by tid, the latest of that tid */
	struct thread_machine *sibling, **sibling_link; /* in process_entry.threads */
	struct thread_machine *prev_open, *next_open;	/* in process_entry.open[listed - 1] */
	unsigned int listed;
	bool touched; /* in world.touched: something may be known of it, but for a possible turn */
	bool unseen;  /* in world.unseen */
	bool moved;   /* in world.moved */
	struct interval open;

	uint64_t ts_fact; /* last fact of its own that counted */
	enum sched sched;
	int32_t sysno;
	bool throttled;

	unsigned int relation; /* REL_… */
	bool wait_whole;
	bool in_handover; /* waiting only as long as it sleeps: it dropped the GIL, and may go on
			     without it */
	uint64_t ts_wait;

	enum place place;
	bool slept; /* inside this wait */
	uint32_t epfd;
	/* partial: what somebody saw last, which holds only as long as the thread cannot act */
	bool seen;
	struct gil_machine *seen_gil; /* the GIL it had, whose `sampled` it is; NULL: it had none */
	uint64_t ts_look;	      /* when it looked itself and the answer was clear */
	uint64_t ts_off;	      /* off CPU at least since then */

	uint32_t own_stack, moves; /* its last stack of its own, and how often that was another one,
				      since the last loss: it ran Python */
	uint32_t gc_depth;  /* runs of the collector that it is inside of: a finalizer may ask for
			       another one … */
	uint8_t generation; /* … and that of the outermost; GC_GENERATION_UNKNOWN */

	enum runs runs;
	enum loop_kind runs_kind;
	uint64_t ts_runs;   /* when that was told */
	uint64_t ts_closed; /* when it closed its loop's descriptor: what was said of it before is
			       over */
	struct descriptor *waited; /* in an epoll wait, last on this descriptor, … */
	uint64_t ts_waited;	   /* … and on no other since then */
	struct thread_machine *prev_waited, *next_waited; /* of that descriptor */
	struct descriptor *own; /* that of the loop that it runs, as long as both live … */
	struct thread_machine *prev_running,
		*next_running;	  /* … and the others that run one on it */
	uint32_t rival_waits;	  /* waits on another loop's descriptor without one on its own … */
	uint64_t rival, ts_rival; /* … the descriptor's number, and since when */
	uint64_t former; /* the loop it ran before lost to a rival, and had the descriptor of this
			    number (0: none did) … */
	uint32_t former_epfd; /* … and this one in the process */

	/* Not needed for any state, only for a checkpoint. Type 0: there is none. */
	uint32_t nstid;
	struct ev_switch_out out;   /* how it went off the CPU, if a SWITCH_OUT told */
	struct ev_stack off_stack;  /* taken then */
	struct ev_stack wait_stack; /* taken when it began to wait for the GIL */
};

struct cpu {
	uint32_t tid, pid; /* the occupant, if known */
	bool known;
	bool touched; /* in world.touched_cpus: it was known since the last loss */
	struct thread *queued;
	uint64_t since; /* of the run that is told next, while somebody is queued */
};

/* What is told after the intervals of an event, in this order. */
enum told_kind {
	TOLD_HOLD,
	TOLD_WAIT,
	TOLD_CONTENTION,
	TOLD_TURN,
	TOLD_TURN_BEGIN,
	TOLD_TURN_CANCEL
};
struct told {
	enum told_kind kind;
	union {
		struct hold hold;
		struct gil_wait wait;
		struct contention contention;
		struct turn turn;
		struct loop *loop;
	};
};

/* An event and whom it is about, looked up once when it is fed: world_feed(). A loop is reached by
 * its thread, a CPU by its number. */
struct fact {
	const union event *event;
	uint64_t ts;		       /* of the event, or of a younger one that came before it */
	struct thread_machine *thread; /* living, of hdr.tid; NULL: none, or hdr.tid is no thread */
	struct gil_machine *gil;       /* of hdr.aux; NULL: none, or hdr.aux is no GIL */
	struct process_entry
		*process; /* living, of hdr.tid; NULL: none, or hdr.tid is no process */
};

struct comm {
	uint32_t tid, pid;
	char text[17];
	UT_hash_handle hh;
};

#define CACHE_SIZE	256   /* power of two */
#define COMM_MAX	32768 /* names of foreign tasks kept */
#define UNEXPLAINED_MAX 64    /* addresses of UNKNOWN_GIL events kept */

struct world {
	struct model_sink sink;
	enum evidence_mode mode; /* of GILs that do not say another */
	bool begun, ended;
	bool blind; /* a loss (or the begin) is not over yet: world_see() is due at the first event
		       from ts_facts on */
	uint64_t now, ts_begin;
	uint64_t ts_facts;   /* facts count from here on */
	uint64_t ts_seen;    /* since the latest loss (or begin) was over */
	uint64_t loss_count; /* events missing in the loss that ts_facts is the end of */
	uint64_t events, lost, late, missed, contradictions, gaps, foreign, unread;

	struct thread_machine *cache[CACHE_SIZE];
	struct thread_machine *by_tid;
	struct process_entry *by_pid;
	struct gil_machine **gil_by_index;
	struct list processes, threads, gils, loops;
	/* A loss takes only what may be known, so that its cost is paid for by the events that told
	 * it: … */
	struct list touched, touched_gils; /* … since the last one */
	struct list unseen; /* threads whose loops may get a possible turn when the loss is over */
	struct list moved;  /* threads whose machines have moved with this event */
	uint16_t *touched_cpus;
	uint32_t touched_cpu_count;
	struct loop_machine *loop_by_key;
	bool kinds_changed; /* a descriptor's, and not yet its loops' */
	struct cpu *cpus;
	struct comm *comms;
	uint32_t gil_room, cpu_count, object_count, descriptor_count;
	uint64_t descriptor_number; /* the latest one's */
	const char *full;	    /* as in world_window */
	uint32_t limit;
	struct {
		struct process_entry *process;
		uint64_t address, count;
	} unexplained[UNEXPLAINED_MAX];
	uint32_t unexplained_count;

	struct told
		*queue; /* with room for all that one event can end, made when objects are made */
	uint32_t queue_count, queue_room;
};

static inline bool thread_is_off(const struct thread_machine *t)
{
	return t->sched == SCHED_READY || t->sched == SCHED_ASLEEP;
}

static inline struct thread_machine *machine_of(const struct thread *thread)
{
	return (struct thread_machine *)thread;
}

static inline struct process_entry *process_of(const struct thread_machine *t)
{
	return (struct process_entry *)t->pub.process;
}

/* Are transitions of such a GIL missing that nobody lost? */
static inline bool mode_is_partial(enum evidence_mode mode)
{
	return mode != MODE_EXACT;
}

static inline bool gil_is_partial(const struct gil_machine *g)
{
	return mode_is_partial(g->pub.mode);
}

static inline struct gil_machine *gil_of(const struct thread_machine *t)
{
	return (struct gil_machine *)t->pub.gil;
}

static inline struct loop_machine *loop_of(const struct thread_machine *t)
{
	return (struct loop_machine *)t->pub.loop;
}

/* Facts count: the window has begun, and no loss covers this instant. */
static inline bool world_counts(const struct world *w, uint64_t ts)
{
	return w->begun && ts >= w->ts_facts;
}

static inline bool relation_known(unsigned int relation)
{
	return (relation & (relation - 1)) == 0;
}

/* A machine of the thread has moved, or its open interval has: its state is derived anew behind all
 * machines. */
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

/* The begin of the span before the event in which its snapshot was taken. */
static inline uint64_t fact_since(const struct fact *fact, uint64_t span_ns)
{
	return span_ns < fact->ts ? fact->ts - span_ns : 0;
}

/* The queue has room: world_reserve() has seen to it. */
static inline struct told *world_tell(struct world *w, enum told_kind kind)
{
	struct told *told = &w->queue[w->queue_count++];

	told->kind = kind;
	return told;
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

/* There is room: list_reserve() has seen to it. */
static inline void list_add(struct list *list, void *item)
{
	list->items[list->count++] = item;
}

/* registry.c */
int list_room(struct list *list, uint32_t count);
int list_reserve(struct list *list);
int list_reserve_object(
	struct world *w, struct list *list, uint32_t limit,
	const char *what); /* -ENOSPC: there are so many; the world is full of `what` */
int world_reserve(struct world *w,
		  uint32_t objects); /* makes room in the queue, and counts so many more objects */
struct process_entry *process_find(const struct world *w, uint32_t pid); /* living, or NULL */
int process_get(struct world *w, uint32_t pid,
		struct process_entry **ret_process); /* the living one of that pid, or a new one */
int comm_feed(struct world *w, const struct fact *fact);
void foreign_count(struct world *w, struct thread_machine *t, uint64_t address);
void foreign_explain(struct world *w, const struct ev_gil *event);

/* thread.c */
struct thread_machine *thread_find(struct world *w, uint32_t tid); /* living, or NULL */
int thread_feed(struct world *w, const struct fact *fact);
int thread_new(struct world *w, struct process_entry *process, uint32_t tid, uint64_t ts,
	       struct thread_machine **ret_thread);
void thread_touch(struct world *w,
		  struct thread_machine *t); /* something may be known of it from here on */
void thread_exit(struct world *w, struct thread_machine *t, uint64_t ts);
void thread_forget(struct world *w, struct thread_machine *t,
		   uint64_t ts); /* a loss begins: everything about it is unknown */
void thread_cut(struct world *w, struct thread_machine *t,
		uint64_t ts); /* tells the open interval up to `ts`, and goes on */
void threads_derive(struct world *w, uint64_t ts); /* the states of those that have moved */
void thread_doubt(
	struct world *w,
	struct thread_machine *t); /* its open interval has proved wrong: it becomes unknown */
/*
 * A switch of it was not told, so its open interval is wrong about its scheduling, and about
 * nothing else: a wait for the GIL goes on, a holder is a holder (its TAKE and DROP are probes of
 * their own), and where it stood when it went to sleep is known.
 */
void thread_doubt_sched(struct world *w, struct thread_machine *t);

/* cpu.c */
int cpu_ensure(struct world *w, uint16_t cpu);
void cpu_cut(struct world *w, uint16_t cpu, uint64_t ts);
void cpu_cut_touched(struct world *w, uint64_t ts);
void cpu_run(struct world *w, const struct ev_run *event, uint64_t ts);
void cpu_forget(struct world *w, uint64_t ts);
void sched_set(struct world *w, struct thread_machine *t, enum sched sched, uint16_t cpu,
	       uint64_t ts);
void sched_prove(struct world *w, struct thread_machine *t,
		 uint64_t ts); /* it does something, so it is on a CPU */
void sched_feed(struct world *w, const struct fact *fact); /* of a living thread */

/* gil.c */
int gil_declare(struct world *w, const struct fact *fact);
void gil_feed(struct world *w, const struct fact *fact);
void gil_observe(struct world *w, const struct fact *fact, struct thread_machine *holder);
void relation_set(struct world *w, struct thread_machine *t, unsigned int relation);
void relation_list(
	struct thread_machine *t); /* the thread goes to the list that it belongs to now */
void gil_touch(struct world *w, struct gil_machine *g);
void gil_unknown(struct world *w, struct gil_machine *g,
		 uint64_t ts); /* nothing is known of it any more; its holder's relation neither */
void relation_snapshot(struct world *w, struct thread_machine *t, struct gil_machine *g,
		       bool waiting, uint64_t ts);
void relation_exclude_waiting(
	struct world *w,
	struct thread_machine *t); /* it is seen to do something that a waiting thread cannot */
void relation_leave(struct world *w, struct thread_machine *t,
		    uint64_t ts); /* ends a wait or a hold without knowing how */
void gil_tell_open(struct world *w, struct gil_machine *g, uint64_t ts);

void gil_hold_begin(struct world *w, struct gil_machine *g, struct thread_machine *t, uint64_t ts,
		    bool whole);
void gil_hold_end(struct world *w, struct gil_machine *g, uint64_t ts, bool whole,
		  bool requested); /* the caller says what GIL and thread are now */
void gil_violate(struct world *w, struct gil_machine *g, uint64_t ts);
void relation_wait(struct world *w, struct gil_machine *g, struct thread_machine *t, bool again,
		   uint64_t ts);
void relation_sleep(struct world *w, struct gil_machine *g, struct thread_machine *t, bool handover,
		    uint64_t ts); /* on a futex of the GIL's own */
void relation_handed_over(struct world *w, struct thread_machine *t, uint64_t ts);
void relation_acquire(struct world *w, struct thread_machine *t,
		      uint64_t ts); /* its wait is over */
void relation_go_on(struct world *w, struct gil_machine *g, struct thread_machine *t,
		    uint64_t ts); /* without the GIL, which was switched off */
void relation_contradict(struct world *w, struct gil_machine *g, struct thread_machine *t,
			 uint64_t ts);

/* sites.c */
void sites_fact(struct world *w, const struct fact *fact);  /* a site was passed */
void sites_stack(struct world *w, const struct fact *fact); /* a thread's stack, taken by itself */
void sites_forget(struct gil_machine *g);		    /* a loss begins */
void sites_forget_thread(struct thread_machine *t);

/* edges.c: what is different with partial GILs */
unsigned int edges_relation(const struct thread_machine *t, bool *ret_sampled);
void edges_see(struct world *w, struct gil_machine *g,
	       struct thread_machine *holder); /* NULL: nobody */
void edges_decay(struct world *w, struct thread_machine *t, uint64_t ts);
void edges_off(struct world *w, struct thread_machine *t, uint64_t ts);
void edges_unsee(struct world *w, struct thread_machine *t); /* it has no GIL */
void edges_feed(struct world *w, const struct fact *fact);
void edges_observe(struct world *w, const struct fact *fact, struct thread_machine *holder);

/* names.c */
void stack_feed(struct world *w, const struct fact *fact);
void gc_set(struct world *w, struct thread_machine *t, uint32_t depth, uint8_t generation);
void gc_feed(struct world *w, const struct fact *fact);
void name_feed(const struct fact *fact);

/* loop.c */
int loop_told(struct world *w, const struct fact *fact); /* Python's own state */
int loop_declare(struct world *w, const struct fact *fact);
int loop_meet(struct world *w, struct thread_machine *t, uint32_t epfd,
	      uint64_t ts); /* the thread waits on it: does it run a loop? */
void loop_close(struct world *w, struct thread_machine *t, uint32_t epfd,
		uint64_t ts); /* the thread closes it: nobody's loop waits on it any more */
void loop_enter(struct world *w, struct thread_machine *t, uint32_t epfd, uint64_t ts);
void loop_exit(struct world *w, struct thread_machine *t, uint32_t epfd, uint64_t ts);
void loop_prove_outside(struct world *w, struct thread_machine *t, uint64_t ts);
void loop_snapshot(struct world *w, struct thread_machine *t, bool inside, uint32_t epfd);
void loop_sleep(struct world *w, struct thread_machine *t);
void loop_wake(struct world *w, struct thread_machine *t, uint64_t ts, bool told);
void loop_doubt_wake(
	struct world *w, struct thread_machine *t,
	uint64_t ts); /* a switch was missed; it may have been woken in its wait before */
void loop_await(struct world *w,
		struct thread_machine *t); /* … by loop_see() when the loss is over */
/*
 * A possible turn of a thread that nothing is known of outlasts losses, and is brought up to date,
 * to have begun when the last one was over, before anything becomes known of the thread.
 */
void loop_refresh(struct world *w, struct thread_machine *t);
void loops_settle_kinds(struct world *w);
void loop_unlist(struct world *w, struct thread_machine *t);	       /* the thread is gone */
void loop_see(struct world *w, struct thread_machine *t, uint64_t ts); /* evidence begins */
void loop_break(struct world *w, struct thread_machine *t, uint64_t ts,
		bool ongoing); /* evidence ends */
static inline bool loop_waits(const struct thread_machine *t)
{
	return t->place == PLACE_INSIDE && t->pub.loop && t->pub.loop->epfd == t->epfd;
}

#endif
