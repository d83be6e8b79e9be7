/* SPDX-License-Identifier: MIT */
/*
 * edges.c - what is different with partial GILs: only contended transitions are traced, and
 * ownership is otherwise known from observations of the lock word.
 *
 * An observation proves ownership at its instant. It stays certain only as long as the thread
 * cannot change it without being traced:
 *  - while it is off the CPU, for a thread that does not run neither takes nor drops;
 *  - of a holder, while some thread waits, for then its DROP is contended and traced.
 * So a certain holder is certain for one of these reasons. Of other running threads, the last
 * observation (t->sampled) is emitted as a `sampled` interval. After a DROP the GIL is unknown, not
 * free: a running thread may take it again, untraced, before the waiter does.
 */
#include "model/private.h"

unsigned int edges_relation(const struct thread_machine *t, bool *ret_sampled)
{
	if (t->relation != (REL_NONE | REL_HOLDING) || t->sched != SCHED_RUNNING || !t->sampled)
		return t->relation;
	*ret_sampled = true;
	return t->sampled_gil ? REL_HOLDING : REL_NONE;
}

void edges_sample_none(struct world *w, struct thread_machine *t)
{
	if (t->sampled_gil)
		t->sampled_gil->sampled = NULL;
	t->sampled_gil = NULL;
	t->sampled = true;
	thread_moved(w, t);
}

void edges_sample_forget(struct world *w, struct thread_machine *t)
{
	edges_sample_none(w, t);
	t->sampled = false;
}

void edges_sample_holder(struct world *w, struct gil_machine *g, struct thread_machine *holder)
{
	if (g->sampled && g->sampled != holder)
		edges_sample_none(w, g->sampled);
	if (!holder)
		return;
	edges_sample_none(w, holder);
	holder->sampled_gil = g;
	holder->pub.gil = &g->pub;
	holder->pub.python = true;
	g->sampled = holder;
}

void edges_decay(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (thread_is_off(t))
		return;
	if (t->relation == REL_NONE) {
		relation_set(w, t, REL_NONE | REL_HOLDING);
		edges_sample_none(w, t);
	} else if (t->relation == REL_HOLDING && gil_is_partial(gil_of(t)) &&
		   t->pub.gil->waiters == 0) {
		gil_unknown(w, gil_of(t), ts);
		relation_set(w, t, REL_NONE | REL_HOLDING);
	}
}

/* It was observed without the GIL and cannot have taken it since. */
static void settle_none(struct world *w, struct thread_machine *t)
{
	/* with several GILs, it may have another one */
	if (process_of(t)->gils == 1 && t->relation == (REL_NONE | REL_HOLDING) && thread_is_off(t))
		relation_set(w, t, REL_NONE);
}

void edges_off(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (t->ts_sampled != ts || !t->sampled || t->relation != (REL_NONE | REL_HOLDING))
		return;
	if (!t->sampled_gil)
		settle_none(w, t);
	else if (!t->sampled_gil->pub.holder)
		gil_hold_begin(w, t->sampled_gil, t, ts, false);
}

/* ── transitions ─────────────────────────────────────────────────────────── */

static void acquire(struct world *w, struct gil_machine *g, struct thread_machine *t, uint64_t ts)
{
	if (g->pub.holder)
		gil_violate(w, g, ts);
	relation_acquire(w, t, ts);
	gil_hold_begin(w, g, t, ts, true);
	g->ts_fact = ts;
}

static void edges_take_drop(struct world *w, struct gil_machine *g, struct thread_machine *t,
			    bool requested, uint64_t ts)
{
	relation_drop(w, g, t, requested, g->pub.holder, ts);
	edges_sample_none(w, t);
	edges_sample_holder(w, g, NULL);
	g->previous = &t->pub;
	g->ts_fact = ts;
}

void edges_feed(struct world *w, const struct fact *fact)
{
	unsigned int flags = fact->event->hdr.flags;
	struct thread_machine *t = fact->thread;
	struct gil_machine *g = fact->gil;
	uint64_t ts = fact->ts;

	switch (fact->event->hdr.type) {
	case EV_DROP:
		edges_take_drop(w, g, t, flags & EVF_DROP_REQUESTED, ts);
		break;
	case EV_WAIT:
		edges_sample_none(w, t);
		relation_wait(w, g, t, false, ts);
		break;
	case EV_WAIT_END:
		if (flags & EVF_WAIT_END_OFF) {
			relation_go_on(w, g, t, ts);
			break;
		}
		relation_wait(w, g, t, true, ts);
		if (!(flags & EVF_WAIT_END_LOCKED))
			acquire(w, g, t, ts);
		break;
	}
}

/* ── observations ────────────────────────────────────────────────────────── */

/* The thread had the GIL at some instant not before `since`. Does it certainly have it now? */
static bool holds_still(const struct gil_machine *g, const struct thread_machine *t, bool definite,
			uint64_t since, uint64_t ts)
{
	return (thread_is_off(t) && t->ts_off <= since) ||
	       (definite && since == ts && g->pub.waiters > 0);
}

static void settle_holder(struct world *w, struct gil_machine *g, struct thread_machine *t,
			  bool definite, uint64_t since, uint64_t ts)
{
	if (relation_known(t->relation) || !(t->relation & REL_HOLDING)) {
		g->pub.violations += definite && since == ts;
		return;
	}
	/* a holder does not wait */
	relation_set(w, t, t->relation & (REL_NONE | REL_HOLDING));
	if (holds_still(g, t, definite, since, ts))
		gil_hold_begin(w, g, t, ts, false);
	else
		edges_sample_holder(w, g, t);
}

/* Threads that have been off the CPU since before the observation, and are not the holder, have no
 * GIL. */
static void settle_pending(struct world *w, struct process_entry *process,
			   const struct thread_machine *holder, uint64_t since)
{
	struct thread_machine *t, *next;

	if (!process->pending || process->gils != 1)
		return;
	process->pending = false;
	/* nearly in the order of ts_off, so the first one that left the CPU too late ends it */
	DL_FOREACH_SAFE2(process->open[OPEN_NOT_WAITING], t, next, next_open)
	{
		if (t == holder)
			continue;
		if (t->ts_off > since) {
			process->pending = true;
			break;
		}
		settle_none(w, t);
	}
}

/* A thread has read the lock word and does not hold the GIL itself. */
static void settle_observer(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (t->relation == REL_HOLDING || t->relation == REL_WAITING)
		return;
	t->ts_sampled = ts;
	edges_sample_none(w, t);
	if (t->ts_off == ts)
		settle_none(w, t);
}

void edges_observe(struct world *w, const struct fact *fact, struct thread_machine *holder)
{
	const struct ev_observe *event = &fact->event->observe;
	bool locked = event->hdr.flags & EVF_OBSERVE_LOCKED,
	     definite = event->hdr.flags & EVF_OBSERVE_DEFINITE;
	struct thread_machine *observer = event->hdr.tid ? fact->thread : NULL;
	struct gil_machine *g = fact->gil;
	uint64_t ts = fact->ts, since = fact_since(fact, event->span_ns);

	if (since < w->ts_facts || g->ts_fact >= since)
		return;
	if (g->pub.holder) {
		/* without the mutex, the lock word may be ahead of a transition that is not stamped
		 * yet */
		if (definite && since == ts &&
		    (!locked || (event->holder && event->holder != g->pub.holder->tid)))
			gil_violate(w, g, ts);
	} else if (holder) {
		settle_holder(w, g, holder, definite, since, ts);
	} else if (!locked) {
		edges_sample_holder(w, g, NULL);
	}
	if (locked && !event->holder)
		return; /* any thread may be the holder */
	if (observer && observer == holder && since == ts)
		observer->ts_sampled = ts;
	else if (observer && observer->pub.process == g->pub.process && since == ts)
		settle_observer(w, observer, ts);
	settle_pending(w, gil_process(g), holder, since);
}
