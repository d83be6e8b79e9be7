/* SPDX-License-Identifier: MIT */
/*
 * thread.c - threads: their lives, and the combination of their machines into states and intervals.
 */
#include "model/private.h"

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

static enum thread_state asleep_state(const struct thread_machine *t, bool holds)
{
	if (holds)
		return TS_HELD_BLOCKED;
	if (!t->pub.loop)
		return TS_BLOCKED;
	if (t->place == PLACE_UNKNOWN)
		return TS_UNKNOWN;
	return loop_waits(t) ? TS_IDLE : TS_BLOCKED;
}

static enum thread_state state_of(const struct world *w, const struct thread_machine *t,
				  bool *ret_sampled)
{
	unsigned int relation = w->partial ? edges_relation(t, ret_sampled) : t->relation;
	bool holds = relation == REL_HOLDING;

	if (relation == REL_WAITING)
		return TS_GIL_WAIT;
	if (!relation_known(relation))
		return TS_UNKNOWN;
	switch (t->sched) {
	case SCHED_RUNNING:
		return holds ? TS_PYTHON : TS_NATIVE;
	case SCHED_READY:
		return holds ? TS_HELD_RUNNABLE : TS_RUNNABLE;
	case SCHED_ASLEEP:
		return asleep_state(t, holds);
	default:
		return TS_UNKNOWN;
	}
}

static void describe(const struct world *w, struct thread_machine *t, struct interval *ret)
{
	bool sampled = false;
	enum thread_state state = state_of(w, t, &sampled);

	*ret = (struct interval){.thread = &t->pub,
				 .state = state,
				 .sysno = SYSNO_NONE,
				 .cpu = CPU_NONE,
				 .in_turn = t->pub.loop && t->pub.loop->in_turn};
	switch (state) {
	case TS_PYTHON:
	case TS_NATIVE:
		ret->cpu = t->pub.cpu;
		ret->sampled = sampled;
		break;
	case TS_RUNNABLE:
	case TS_HELD_RUNNABLE:
		ret->cpu = t->pub.cpu;
		ret->throttled = t->throttled;
		break;
	case TS_BLOCKED:
	case TS_HELD_BLOCKED:
	case TS_IDLE:
		ret->sysno = t->sysno;
		break;
	default:
		break;
	}
	/* that it is stopped is known whatever else is, and holds for whatever state */
	if (t->sched == SCHED_ASLEEP && sysno_is_stop(t->sysno))
		ret->sysno = t->sysno;
	ret->still = state == TS_UNKNOWN && thread_is_off(t);
	/* a certain holder is one even while it is not known what it does */
	if (thread_state_holds(state) || state == TS_GIL_WAIT ||
	    (state == TS_UNKNOWN && t->relation == REL_HOLDING))
		ret->gil = t->pub.gil;
}

static bool same(const struct interval *a, const struct interval *b)
{
	return a->state == b->state && a->in_turn == b->in_turn && a->gil == b->gil &&
	       a->sysno == b->sysno && a->cpu == b->cpu && a->throttled == b->throttled &&
	       a->sampled == b->sampled && a->still == b->still;
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
	/* first what explains it: who had the CPU, and what the holder did */
	if (open->state == TS_RUNNABLE || open->state == TS_HELD_RUNNABLE)
		cpu_cut(w, open->cpu, ts);
	if (open->state == TS_GIL_WAIT)
		cut_holder(w, t, (struct gil_machine *)open->gil, ts);
	open->end = ts;
	if (w->sink.interval)
		w->sink.interval(w->sink.ctx, open);
	open->start = ts;
}

void thread_update(struct world *w, struct thread_machine *t, uint64_t ts)
{
	struct interval next;
	uint8_t generation;
	bool gc;

	if (w->partial)
		edges_decay(w, t, ts);
	describe(w, t, &next);
	if (same(&t->open, &next))
		return;
	thread_cut(w, t, ts);
	next.start = t->open.start;
	gc = t->open.gc; /* not part of the combination: gc_set() */
	generation = t->open.generation;
	t->open = next;
	t->open.gc = gc;
	t->open.generation = generation;
	if (t->pub.state != next.state) {
		t->pub.state = next.state;
		t->pub.ts_state = ts;
	}
}

static void gil_doubt(struct thread_machine *t, struct gil *gil, bool still)
{
	t->open.state = TS_UNKNOWN;
	t->open.gil = gil;
	t->open.still = still;
	t->open.sysno = SYSNO_NONE;
	t->open.cpu = CPU_NONE;
	t->open.throttled = t->open.sampled = false;
	t->pub.state = TS_UNKNOWN;
}

void thread_doubt(struct thread_machine *t)
{
	gil_doubt(t, NULL, false);
}

void thread_doubt_sched(struct world *w, struct thread_machine *t)
{
	/* partial: without a waiter that watches it a holder is certain only while it is off the
	 * CPU, and just that is in doubt */
	bool holds = t->relation == REL_HOLDING && (!w->partial || t->pub.gil->waiters);

	if (t->open.state != TS_GIL_WAIT)
		gil_doubt(t, holds ? t->pub.gil : NULL, thread_is_off(t));
}

/* ── lives ───────────────────────────────────────────────────────────────── */

static struct thread_machine *find_any(struct world *w, uint32_t tid)
{
	struct thread_machine **slot = &w->cache[tid % CACHE_SIZE], *t = *slot;

	if (t && t->pub.tid == tid)
		return t;
	HASH_FIND(hh, w->by_tid, &tid, sizeof(tid), t);
	if (t)
		*slot = t;
	return t;
}

struct thread_machine *thread_find(struct world *w, uint32_t tid)
{
	struct thread_machine *t = find_any(w, tid);

	if (!t || t->pub.gone)
		return NULL;
	if (!t->touched)
		thread_touch(w, t);
	return t;
}

void thread_touch(struct world *w, struct thread_machine *t)
{
	const struct process_entry *process = process_of(t);

	t->touched = true;
	list_add(&w->touched, t);
	if (process->gils && process->off == process->gils && !relation_known(t->relation))
		/* as of those that had been heard of when the GILs were seen to be off */
		t->relation = REL_NONE;
	relation_list(t);
	loop_refresh(w, t);
	if (w->blind)
		loop_await(w, t);
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

int thread_new(struct world *w, struct process_entry *process, uint32_t tid, uint64_t ts,
	       struct thread_machine **ret_thread)
{
	struct thread_machine *t, *old = find_any(w, tid);
	const struct comm *comm;
	int r = list_reserve_object(w, &w->threads, WORLD_THREADS_MAX, "threads");

	if (r < 0)
		return r;
	if (world_reserve(w, 1) < 0 || list_room(&w->touched, w->threads.count + 1) < 0 ||
	    list_room(&w->unseen, w->threads.count + 1) < 0 || !(t = calloc(1, sizeof(*t))))
		return -ENOMEM;
	t->pub = (struct thread){.process = &process->pub,
				 .tid = tid,
				 .state = TS_UNKNOWN,
				 .ts_state = ts,
				 .cpu = CPU_NONE};
	relation_set(t, REL_UNKNOWN);
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
	t->pub.index = w->threads.count;
	list_add(&w->threads, t);
	link_sibling(process, t);
	t->touched = true;
	list_add(&w->touched, t);
	relation_list(t);
	describe(w, t, &t->open);
	t->open.generation = GC_GENERATION_UNKNOWN;
	t->open.start = ts;
	if (w->sink.thread)
		w->sink.thread(w->sink.ctx, &t->pub);
	*ret_thread = t;
	return 0;
}

/* A THREAD that is not new, but whose thread is known to have exited with nothing lost since, was
 * read before that exit. */
static bool is_ghost(struct world *w, const struct ev_thread *event, uint64_t ts)
{
	const struct thread_machine *t = find_any(w, event->hdr.tid);

	return t && t->pub.gone && !(event->hdr.flags & EVF_THREAD_NEW) &&
	       t->pub.process->info.pid == event->pid && t->ts_fact >= w->ts_facts;
}

/*
 * What a THREAD says about the relation to a GIL, if nothing is known: a newborn thread has none,
 * but the first thread of a forked process goes on where the forking one was; one that Python does
 * not know cannot have it or wait for it, for it would have to pass a GIL site first.
 */
static void relate(struct world *w, struct thread_machine *t, const struct ev_thread *event,
		   uint64_t ts)
{
	bool is_new = event->hdr.flags & EVF_THREAD_NEW, first = event->hdr.tid == event->pid;

	if (event->hdr.flags & EVF_THREAD_PYTHON)
		t->pub.python = true;
	if (ts < w->ts_facts || (is_new && first))
		return;
	if (is_new)
		t->place = PLACE_OUTSIDE;
	if (is_new || (!t->pub.python && t->relation == REL_UNKNOWN))
		relation_set(t, REL_NONE);
}

int thread_feed(struct world *w, struct thread_machine *t, const struct ev_thread *event,
		uint64_t ts)
{
	int r;

	if (is_ghost(w, event, ts))
		return 0;
	if (!t || (event->hdr.flags & EVF_THREAD_NEW) || t->pub.process->info.pid != event->pid) {
		struct process_entry *process;

		r = process_get(w, event->pid, &process);
		if (r < 0)
			return r;
		r = thread_new(w, process, event->hdr.tid, ts, &t);
		if (r < 0)
			return r;
	}
	t->nstid = event->nstid;
	relate(w, t, event, ts);
	thread_update(w, t, ts);
	return 0;
}

void thread_exit(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (t->pub.gone)
		return;
	thread_cut(w, t, ts);
	sched_set(w, t, SCHED_UNKNOWN, CPU_NONE, ts);
	relation_leave(w, t, ts);
	edges_unsee(t);
	loop_break(w, t, ts, false);
	t->ts_fact = ts;
	t->pub.gone = true;
	t->pub.state = TS_UNKNOWN;
	t->pub.ts_state = ts;
	unlink_sibling(t);
	relation_list(t);
	sites_forget_thread(t);
	loop_unlist(w, t);
}

void thread_forget(struct world *w, struct thread_machine *t, uint64_t ts)
{
	sched_set(w, t, SCHED_UNKNOWN, CPU_NONE, ts);
	if (t->relation == REL_WAITING)
		relation_leave(w, t, ts);
	relation_set(t, REL_UNKNOWN);
	edges_unsee(t);
	t->seen = false;
	loop_break(w, t, ts, false);
	t->place = PLACE_UNKNOWN;
	t->out.hdr.type = t->off_stack.hdr.type = t->wait_stack.hdr.type = 0;
	t->rival_waits = 0;
	sites_forget_thread(t);
	gc_set(w, t, 0, GC_GENERATION_UNKNOWN, ts);
	thread_update(w, t, ts);
	t->touched = false;
	relation_list(t);
	loop_await(w, t);
}
