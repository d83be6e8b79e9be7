/* SPDX-License-Identifier: MIT */
/* thread.c - threads: begin and end, and the states and intervals that follow from their machines.
 */
#include "model/edges.h"
#include "model/loss.h"
#include "model/turn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *thread_state_name(enum thread_state state)
{
	static const char *const names[TS_COUNT] = {
#define STATE(NAME, name, ...) [TS_##NAME] = #name,
#include "model/states.def"
	};

	return state < TS_COUNT ? names[state] : NULL;
}

/* ── the combination ─────────────────────────────────────────────────────── */

/* What the machines say of a thread: its interval without the bounds. */
struct description {
	struct gil *gil;
	enum thread_state state;
	int32_t sysno;
	uint32_t file;
	uint16_t cpu;
	bool in_turn, throttled, sampled, still, gc;
	uint8_t generation;
};

#define NOT_KNOWN {TS_UNKNOWN, TS_UNKNOWN, TS_UNKNOWN, TS_UNKNOWN}
/* By relation and scheduling (unknown, running, ready, asleep): the table of docs/model.md. */
static const uint8_t STATES[REL_UNKNOWN + 1][SCHED_ASLEEP + 1] = {
	[REL_NONE] = {TS_UNKNOWN, TS_NATIVE, TS_RUNNABLE, TS_BLOCKED},
	[REL_WAITING] = {TS_GIL_WAIT, TS_GIL_WAIT, TS_GIL_WAIT, TS_GIL_WAIT},
	[REL_HOLDING] = {TS_UNKNOWN, TS_PYTHON, TS_HELD_RUNNABLE, TS_HELD_BLOCKED},
	[REL_NONE | REL_WAITING] = NOT_KNOWN,
	[REL_NONE | REL_HOLDING] = NOT_KNOWN,
	[REL_WAITING | REL_HOLDING] = NOT_KNOWN,
	[REL_UNKNOWN] = NOT_KNOWN,
	[0] = NOT_KNOWN, /* a relation has at least one bit */
};

static inline enum thread_state state_of(const struct thread_machine *t, unsigned int relation)
{
	enum thread_state state = STATES[relation][t->sched];

	if (state != TS_BLOCKED || !t->pub.loop)
		return state;
	if (t->place == PLACE_UNKNOWN)
		return TS_UNKNOWN;
	return loop_waits(t) ? TS_IDLE : TS_BLOCKED;
}

/* That it is stopped is known independently of its state. */
static inline int32_t sysno_of(const struct thread_machine *t, enum thread_state state)
{
	return t->sched == SCHED_ASLEEP && (thread_state_sleeps(state) || sysno_is_stop(t->sysno))
		       ? t->sysno
		       : SYSNO_NONE;
}

static inline struct description describe(const struct thread_machine *t)
{
	struct description next = {.cpu = CPU_NONE};
	bool sampled = false;
	unsigned int relation = process_of(t)->partial ? edges_relation(t, &sampled) : t->relation;

	next.state = state_of(t, relation);
	next.sysno = sysno_of(t, next.state);
	next.file = next.sysno >= 0 ? t->file : 0;
	next.in_turn = t->pub.loop && t->pub.loop->in_turn;
	next.gc = t->gc_depth > 0;
	next.generation = t->generation;
	if (next.state == TS_UNKNOWN) {
		next.still = thread_is_off(t);
		/* a certain holder remains the holder even while its scheduling is unknown */
		next.gil = t->relation == REL_HOLDING ? t->pub.gil : NULL;
		return next;
	}
	if (relation != REL_NONE)
		next.gil = t->pub.gil;
	if (next.state == TS_GIL_WAIT || t->sched == SCHED_ASLEEP)
		return next;
	next.cpu = t->pub.cpu;
	next.throttled = t->sched == SCHED_READY && t->throttled;
	next.sampled = sampled;
	return next;
}

static inline bool is_described(const struct interval *open, const struct description *next)
{
	return open->state == next->state && open->gil == next->gil && open->sysno == next->sysno &&
	       open->file == next->file && open->cpu == next->cpu &&
	       open->in_turn == next->in_turn && open->throttled == next->throttled &&
	       open->sampled == next->sampled && open->still == next->still &&
	       open->gc == next->gc && open->generation == next->generation;
}

static inline void open_set(struct interval *open, const struct description *next)
{
	open->state = next->state;
	open->gil = next->gil;
	open->sysno = next->sysno;
	open->file = next->file;
	open->cpu = next->cpu;
	open->in_turn = next->in_turn;
	open->throttled = next->throttled;
	open->sampled = next->sampled;
	open->still = next->still;
	open->gc = next->gc;
	open->generation = next->generation;
}

static void cut_holder(struct world *w, const struct thread_machine *waiter,
		       const struct gil_machine *g, uint64_t ts)
{
	if (g->pub.holder && g->pub.holder != &waiter->pub)
		thread_cut(w, machine_of(g->pub.holder), ts);
	if (g->sampled && g->sampled != waiter)
		thread_cut(w, g->sampled, ts);
}

void thread_cut(struct world *w, struct thread_machine *t, uint64_t ts)
{
	struct interval *open = &t->open;

	if (!w->begun || open->start >= ts)
		return;
	/* first what explains it: which task had the CPU, and what the holder did */
	if (open->state == TS_RUNNABLE || open->state == TS_HELD_RUNNABLE)
		cpu_cut(w, open->cpu, ts);
	if (open->state == TS_GIL_WAIT)
		cut_holder(w, t, container_of(open->gil, struct gil_machine, pub), ts);
	open->end = ts;
	if (w->sink.interval)
		w->sink.interval(w->sink.ctx, open);
	open->start = ts;
}

void thread_tell(struct world *w, const struct thread_machine *t, uint64_t ts)
{
	if (w->sink.state && w->begun)
		w->sink.state(w->sink.ctx, &t->pub, ts);
}

static void derive(struct world *w, struct thread_machine *t, uint64_t ts)
{
	struct description next;

	if (process_of(t)->partial)
		edges_decay(w, t, ts);
	t->moved = false;
	next = describe(t);
	if (is_described(&t->open, &next))
		return;
	thread_cut(w, t, ts);
	open_set(&t->open, &next);
	t->pub.sysno = next.sysno;
	if (t->pub.state == next.state)
		return;
	t->pub.state = next.state;
	t->pub.ts_state = ts;
	thread_tell(w, t, ts);
}

__attribute__((noinline)) static void derive_many(struct world *w, uint32_t count, uint64_t ts)
{
	struct thread_machine **moved = (struct thread_machine **)w->moved.items;

	/* what a waiter waited for is emitted before its wait */
	for (uint32_t i = 0; i < count; i++)
		if (interval_holds(&moved[i]->open))
			derive(w, moved[i], ts);
	for (uint32_t i = 0; i < count; i++)
		if (moved[i]->moved)
			derive(w, moved[i], ts);
}

void thread_derive(struct world *w, struct thread_machine *t, uint64_t ts)
{
	derive(w, t, ts);
}

void threads_derive(struct world *w, uint64_t ts)
{
	uint32_t count = w->moved.count;

	/* The list is read while it counts as empty. Nothing is added to it meanwhile: derive()
	 * lets no machine move but those of the thread itself (edges_decay()), which is marked as
	 * moved until that is done. */
	w->moved.count = 0;
	if (count == 1) /* nearly always */
		derive(w, w->moved.items[0], ts);
	else
		derive_many(w, count, ts);
}

static void open_revise(struct world *w, struct thread_machine *t, enum thread_state state,
			struct gil *gil, bool still)
{
	t->open.state = state;
	t->open.gil = gil;
	t->open.still = still;
	t->open.sysno = SYSNO_NONE;
	t->open.file = 0;
	t->open.cpu = CPU_NONE;
	t->open.throttled = t->open.sampled = false;
	t->pub.state = state;
	t->pub.sysno = SYSNO_NONE;
	thread_tell(w, t, t->open.start);
	thread_moved(w, t);
}

void thread_waited(struct world *w, struct thread_machine *t)
{
	t->pub.ts_state = t->open.start;
	open_revise(w, t, TS_GIL_WAIT, t->pub.gil, false);
}

void thread_doubt(struct world *w, struct thread_machine *t)
{
	open_revise(w, t, TS_UNKNOWN, NULL, false);
}

bool thread_waits_anyway(const struct thread_machine *t)
{
	bool asleep_only = t->in_handover || (t->by_mutex && process_of(t)->partial);

	return t->open.state == TS_GIL_WAIT && !asleep_only;
}

void thread_doubt_sched(struct world *w, struct thread_machine *t)
{
	/* partial: unless its drop would be traced, a holder is certain only while it is off the
	 * CPU, which is just what is in doubt */
	bool holds = t->relation == REL_HOLDING &&
		     (!gil_is_partial(gil_of(t)) || gil_of(t)->traced);

	if (thread_waits_anyway(t))
		return;
	open_revise(w, t, TS_UNKNOWN, holds ? t->pub.gil : NULL, thread_is_off(t));
	t->wait_whole = false;
}

/* ── lives ───────────────────────────────────────────────────────────────── */

static struct thread_machine *find_hashed(struct world *w, uint32_t tid)
{
	struct thread_machine *t;

	HASH_FIND(hh, w->by_tid, &tid, sizeof(tid), t);
	if (t)
		w->cache[tid % CACHE_SIZE] = t;
	return t;
}

static inline struct thread_machine *find_any(struct world *w, uint32_t tid)
{
	struct thread_machine *t = w->cache[tid % CACHE_SIZE];

	return t && t->pub.tid == tid ? t : find_hashed(w, tid);
}

static void touch(struct world *w, struct thread_machine *t)
{
	t->touched = true;
	DL_APPEND2(process_of(t)->touched, t, prev_touched, next_touched);
	process_touch(w, process_of(t));
}

static void untouch(struct thread_machine *t)
{
	if (t->touched)
		DL_DELETE2(process_of(t)->touched, t, prev_touched, next_touched);
	t->touched = false;
}

/* Something may be known of it from now on. */
static void thread_touch(struct world *w, struct thread_machine *t)
{
	struct process_entry *process = process_of(t);

	touch(w, t);
	process->untouched--;
	if (process->gils && process->off == process->gils && !relation_known(t->relation))
		/* as settle_off() did with the touched threads */
		relation_set(w, t, REL_NONE);
	relation_list(w, t);
	loop_refresh(w, t);
	if (is_blind(w, process))
		loop_await(w, t);
}

struct thread_machine *thread_find(struct world *w, uint32_t tid)
{
	struct thread_machine *t = find_any(w, tid);

	if (!t || t->pub.gone)
		return NULL;
	if (is_blind(w, process_of(t)))
		evidence_settle(w, process_of(t));
	if (!t->touched)
		thread_touch(w, t);
	return t;
}

struct thread_machine *thread_in(struct world *w, const struct process_entry *process, uint32_t tid)
{
	const struct thread_machine *t = find_any(w, tid);

	return t && process_of(t) == process ? thread_find(w, tid) : NULL;
}

struct process_entry *thread_process(struct world *w, uint32_t tid)
{
	const struct thread_machine *t = find_any(w, tid);

	return t ? process_of(t) : NULL;
}

static void link_sibling(struct process_entry *process, struct thread_machine *t)
{
	t->sibling = process->threads;
	t->sibling_link = &process->threads;
	if (t->sibling)
		t->sibling->sibling_link = &t->sibling;
	process->threads = t;
}

static void unlink_sibling(struct thread_machine *t)
{
	*t->sibling_link = t->sibling;
	if (t->sibling)
		t->sibling->sibling_link = t->sibling_link;
}

static void number_drop(struct process_entry *process, struct thread_machine *t)
{
	if (t->hh_nstid.tbl)
		HASH_DELETE(hh_nstid, process->by_nstid, t);
	t->hh_nstid.tbl = NULL;
}

/* Its number in the process's own namespace, by which a mutex names its owner. */
static int number_set(struct process_entry *process, struct thread_machine *t, uint32_t nstid)
{
	struct thread_machine *old;

	if (t->nstid == nstid)
		return 0;
	number_drop(process, t);
	t->nstid = nstid;
	HASH_FIND(hh_nstid, process->by_nstid, &nstid, sizeof(nstid), old);
	if (old)
		number_drop(process, old);
	if (nstid)
		HASH_ADD(hh_nstid, process->by_nstid, nstid, sizeof(nstid), t);
	return nstid && !t->hh_nstid.tbl ? -ENOMEM : 0;
}

int thread_new(struct world *w, struct process_entry *process, uint32_t tid, uint64_t ts,
	       struct thread_machine **ret_thread)
{
	struct thread_machine *t, *old = find_any(w, tid);
	const struct comm *comm;
	int err = list_reserve_object(w, &w->threads, WORLD_THREADS_MAX, "threads");

	if (err < 0)
		return err;
	if (index_reserve(&w->indices) < 0 || world_reserve(w, 1) < 0 ||
	    list_room(&w->moved, w->threads.count + 1) < 0 || !(t = calloc(1, sizeof(*t))))
		return -ENOMEM;
	t->pub = (struct thread){.process = &process->pub,
				 .tid = tid,
				 .state = TS_UNKNOWN,
				 .ts_state = ts,
				 .sysno = SYSNO_NONE,
				 .cpu = CPU_NONE};
	t->relation = REL_UNKNOWN;
	t->generation = GC_GENERATION_UNKNOWN;
	t->open = (struct interval){.thread = &t->pub,
				    .state = TS_UNKNOWN,
				    .start = ts,
				    .sysno = SYSNO_NONE,
				    .cpu = CPU_NONE,
				    .generation = GC_GENERATION_UNKNOWN};
	t->ts_fact = w->begun ? ts : 0;
	HASH_FIND(hh, w->comms, &tid, sizeof(tid), comm);
	if (comm && !old)
		memcpy(t->pub.comm, comm->text, sizeof(t->pub.comm));
	if (old) {
		thread_exit(w, old, ts);
		HASH_DEL(w->by_tid, old);
	}
	HASH_ADD(hh, w->by_tid, pub.tid, sizeof(tid), t);
	if (HASH_FAILED(t)) {
		free(t);
		return -ENOMEM;
	}
	w->cache[tid % CACHE_SIZE] = t;
	t->pub.index = index_take(&w->indices);
	list_add(&w->threads, t);
	link_sibling(process, t);
	touch(w, t);
	relation_list(w, t);
	if (w->sink.thread)
		w->sink.thread(w->sink.ctx, &t->pub);
	*ret_thread = t;
	return 0;
}

/* A THREAD that is not `new`, of a thread that is known to have exited with nothing lost since, was
 * read before that exit. */
static bool is_ghost(struct world *w, const struct ev_thread *event, uint64_t ts)
{
	const struct thread_machine *t = find_any(w, event->hdr.tid);
	const struct process_entry *now = process_find(w, event->pid);

	/* a process that became another program has its number again */
	if (now && t && now != process_of(t))
		return false;
	return t && t->pub.gone && !(event->hdr.flags & EVF_THREAD_NEW) &&
	       t->pub.process->info.pid == event->pid && t->ts_fact >= facts_from(w, process_of(t));
}

/*
 * What a THREAD says about the relation to a GIL. A new thread has none, except that the first
 * thread of a forked process continues where the forking thread was. One that Python does not know
 * neither holds nor awaits a GIL, for it would have passed a GIL site first.
 */
static void relate(struct world *w, struct thread_machine *t, const struct ev_thread *event,
		   uint64_t ts)
{
	bool is_new = event->hdr.flags & EVF_THREAD_NEW, first = event->hdr.tid == event->pid;

	if (event->hdr.flags & EVF_THREAD_PYTHON)
		t->pub.python = true;
	if (ts < facts_from(w, process_of(t)) || (is_new && first))
		return;
	if (is_new)
		place_set(w, t, PLACE_OUTSIDE);
	if (is_new || (!t->pub.python && t->relation & REL_NONE))
		relation_set(w, t, REL_NONE);
}

int thread_feed(struct world *w, const struct fact *fact)
{
	const struct ev_thread *event = &fact->event->thread;
	struct thread_machine *t = fact->thread;
	uint64_t ts = fact->ts;
	int err;

	if (is_ghost(w, event, ts))
		return 0;
	if (!t || (event->hdr.flags & EVF_THREAD_NEW) || t->pub.process->info.pid != event->pid) {
		struct process_entry *process;

		err = process_get(w, event->pid, &process);
		if (err < 0)
			return err;
		err = thread_new(w, process, event->hdr.tid, ts, &t);
		if (err < 0)
			return err;
	}
	relate(w, t, event, ts);
	return number_set(process_of(t), t, event->nstid);
}

void thread_began(const struct world *w, struct thread_machine *t, uint64_t since)
{
	uint64_t from = since > w->ts_begin ? since : w->ts_begin;

	/* nothing has been said of it since its THREAD */
	if (!t || !w->begun || t->open.state != TS_UNKNOWN || t->open.start != t->ts_fact ||
	    from >= t->open.start)
		return;
	t->open.start = t->pub.ts_state = from;
}

void thread_exit(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (t->pub.gone)
		return;
	thread_cut(w, t, ts);
	sched_set(w, t, SCHED_UNKNOWN, CPU_NONE, ts);
	relation_leave(w, t, ts);
	edges_sample_none(w, t);
	loop_break(w, t, ts, false);
	t->ts_fact = ts;
	t->pub.gone = true;
	w->gone.threads++;
	w->ends++;
	process_of(t)->gone_threads++;
	t->pub.state = TS_UNKNOWN;
	t->pub.sysno = SYSNO_NONE;
	t->pub.ts_state = ts;
	thread_tell(w, t, ts);
	unlink_sibling(t);
	number_drop(process_of(t), t);
	process_of(t)->untouched -= !t->touched;
	untouch(t);
	relation_list(w, t);
	sites_forget_thread(t);
	loop_unlist(w, t);
}

void thread_forget(struct world *w, struct thread_machine *t, uint64_t ts)
{
	sched_set(w, t, SCHED_UNKNOWN, CPU_NONE, ts);
	if (t->relation == REL_WAITING)
		relation_leave(w, t, ts);
	relation_set(w, t, REL_UNKNOWN);
	edges_sample_forget(w, t);
	loop_break(w, t, ts, false);
	place_set(w, t, PLACE_UNKNOWN);
	t->out.hdr.type = t->off_stack.hdr.type = t->wait_stack.hdr.type = 0;
	t->other_waits = 0;
	sites_forget_thread(t);
	gc_set(w, t, 0, GC_GENERATION_UNKNOWN);
	untouch(t);
	process_of(t)->untouched++;
	relation_list(w, t);
	loop_await(w, t);
}
