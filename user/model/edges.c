/* SPDX-License-Identifier: MIT */
/*
 * edges.c - what is different when only contended transitions are traced, and ownership is
 * otherwise seen by looks at the lock word.
 *
 * A look proves ownership at an instant, and beyond it only as long as the thread cannot change it
 * unseen:
 *  - while it is off CPU: a thread that does not run neither takes nor drops;
 *  - a holder, while somebody waits: every DROP is contended then, and traced.
 * A certain holder is certain under one of these only. What was last seen of a thread that runs
 * otherwise (t->seen) is told as `sampled`. When somebody drops, the GIL is unknown and not free,
 * for a running thread may take it again before the waiter does, unseen.
 */
#include "model/private.h"

unsigned int edges_relation(const struct thread_machine *t, bool *ret_sampled)
{
	if (t->relation != (REL_NONE | REL_HOLDING) || t->sched != SCHED_RUNNING || !t->seen)
		return t->relation;
	*ret_sampled = true;
	return t->seen_gil ? REL_HOLDING : REL_NONE;
}

void edges_unsee(struct world *w, struct thread_machine *t)
{
	if (t->seen_gil)
		t->seen_gil->sampled = NULL;
	t->seen_gil = NULL;
	t->seen = true;
	thread_moved(w, t);
}

/* Somebody looked: `holder` had the GIL, so whoever was seen with it before has not. */
void edges_see(struct world *w, struct gil_machine *g, struct thread_machine *holder)
{
	if (g->sampled && g->sampled != holder)
		edges_unsee(w, g->sampled);
	if (!holder)
		return;
	edges_unsee(w, holder);
	holder->seen_gil = g;
	holder->pub.gil = &g->pub;
	holder->pub.python = true;
	g->sampled = holder;
}

/* What was certain of the thread because it could not change unseen is certain no longer when it
 * can. */
void edges_decay(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (thread_is_off(t))
		return;
	if (t->relation == REL_NONE) {
		relation_set(w, t, REL_NONE | REL_HOLDING);
		edges_unsee(w, t);
	} else if (t->relation == REL_HOLDING && gil_is_partial(gil_of(t)) &&
		   t->pub.gil->waiters == 0) {
		gil_unknown(w, gil_of(t), ts);
		relation_set(w, t, REL_NONE | REL_HOLDING);
	}
}

/* It was seen without the GIL, and cannot have taken it since. */
static void settle_none(struct world *w, struct thread_machine *t)
{
	/* with more than one GIL, it may have another one */
	if (process_of(t)->gils == 1 && t->relation == (REL_NONE | REL_HOLDING) && thread_is_off(t))
		relation_set(w, t, REL_NONE);
}

void edges_off(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (t->ts_look != ts || t->relation != (REL_NONE | REL_HOLDING))
		return;
	if (!t->seen_gil)
		settle_none(w, t);
	else if (!t->seen_gil->pub.holder)
		gil_hold_begin(w, t->seen_gil, t, ts, false);
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
	if (t->relation == REL_HOLDING && t->pub.gil == &g->pub) {
		gil_hold_end(w, g, ts, true, requested);
	} else {
		if (t->relation == REL_WAITING || t->relation == REL_HOLDING)
			relation_contradict(w, g, t, ts);
		if (g->pub.holder)
			gil_violate(w, g, ts);
	}
	relation_set(w, t, REL_NONE);
	t->pub.gil = &g->pub;
	edges_unsee(w, t);
	edges_see(w, g, NULL);
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
		edges_unsee(w, t);
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

/* ── looks ───────────────────────────────────────────────────────────────── */

/* At some instant since `since` the thread had the GIL. Is that certain to be so still? */
static bool holds_still(const struct gil_machine *g, const struct thread_machine *t, bool definite,
			uint64_t since, uint64_t ts)
{
	return (thread_is_off(t) && t->ts_off <= since) ||
	       (definite && since == ts && g->pub.waiters > 0);
}

static void see_holder(struct world *w, struct gil_machine *g, struct thread_machine *t,
		       bool definite, uint64_t since, uint64_t ts)
{
	if (relation_known(t->relation) || !(t->relation & REL_HOLDING)) {
		g->pub.violations += definite && since == ts;
		return;
	}
	/* who has it does not wait for it */
	relation_set(w, t, t->relation & (REL_NONE | REL_HOLDING));
	if (holds_still(g, t, definite, since, ts))
		gil_hold_begin(w, g, t, ts, false);
	else
		edges_see(w, g, t);
}

/* Threads that have been off CPU since before the look, and are not the holder, have nothing to do
 * with the GIL. */
static void settle_pending(struct world *w, struct process_entry *process,
			   const struct thread_machine *holder, uint64_t since)
{
	struct thread_machine *t, *next;

	if (!process->pending || process->gils != 1)
		return;
	process->pending = false;
	/* nearly in the order of ts_off: the first that is too young ends it */
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

/* The observer itself has no GIL. */
static void see_observer(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (t->relation == REL_HOLDING || t->relation == REL_WAITING)
		return;
	t->ts_look = ts;
	edges_unsee(w, t);
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
		/* without the mutex, the word may run ahead of a transition that is just being
		 * stamped */
		if (definite && since == ts &&
		    (!locked || (event->holder && event->holder != g->pub.holder->tid)))
			gil_violate(w, g, ts);
	} else if (holder) {
		see_holder(w, g, holder, definite, since, ts);
	} else if (!locked) {
		edges_see(w, g, NULL);
	}
	if (locked && !event->holder)
		return; /* anybody may be the holder */
	if (observer && observer == holder && since == ts)
		observer->ts_look = ts;
	else if (observer && observer->pub.process == g->pub.process && since == ts)
		see_observer(w, observer, ts);
	settle_pending(w, (struct process_entry *)g->pub.process, holder, since);
}
