/* SPDX-License-Identifier: MIT */
/*
 * edges.c - what is different with partial GILs: only contended transitions are traced, and
 * ownership is otherwise known from observations of the lock word.
 *
 * An observation proves ownership at its instant. It stays certain only as long as the thread
 * cannot change it without being traced:
 *  - while it is off the CPU, for a thread that does not run neither takes nor drops;
 *  - of a holder, while a drop would wake a thread, and thus be traced.
 * So a certain holder is certain for one of these reasons. Of other running threads, the last
 * observation (t->sampled) is emitted as a `sampled` interval. After a DROP the GIL is unknown, not
 * free: a running thread may take it again, untraced, before the waiter does.
 */
#include "model/edges.h"
#include "model/loss.h"
#include "model/turn.h"

unsigned int edges_relation(const struct thread_machine *t, bool *ret_sampled)
{
	if (t->relation != (REL_NONE | REL_HOLDING) || t->sched != SCHED_RUNNING || !t->sampled)
		return t->relation;
	*ret_sampled = true;
	return t->sampled_gil ? REL_HOLDING : REL_NONE;
}

/* For others to read: who has it, as far as it is known and not certain. */
static void observed_set(struct gil_machine *g)
{
	g->pub.observed = g->sampled ? &g->sampled->pub : NULL;
}

void edges_sample_none(struct world *w, struct thread_machine *t)
{
	if (t->sampled_gil) {
		t->sampled_gil->sampled = NULL;
		t->sampled_gil->proven = false;
		observed_set(t->sampled_gil);
	}
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
	observed_set(g);
}

/* Switched off, all of them: nothing is sampled, no thread has one. */
static bool is_off(const struct process_entry *process)
{
	return process->gils && process->off == process->gils;
}

void edges_decay(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (thread_is_off(t))
		return;
	if (t->relation == REL_NONE && !is_off(process_of(t))) {
		relation_set(w, t, REL_NONE | REL_HOLDING);
		edges_sample_none(w, t);
	} else if (t->relation == REL_HOLDING && gil_is_partial(gil_of(t)) && !gil_of(t)->traced) {
		gil_hold_end(w, gil_of(t), ts, false, false);
		relation_set(w, t, REL_NONE | REL_HOLDING);
	}
}

bool edges_ends_wait(const struct thread_machine *t)
{
	/* no TAKE shows when a sleeper on the mutex has the GIL; in mode futex, nor one on cond */
	return t->relation == REL_WAITING && gil_is_partial(gil_of(t)) &&
	       (t->by_mutex || t->pub.gil->mode == MODE_FUTEX);
}

/* It has slept in a wait of mode futex: most likely it has been woken by a drop, for a take. */
static bool in_futex_wait(const struct thread_machine *t)
{
	return t->out.hdr.flags & EVF_SWITCH_OUT_HANDOVER &&
	       t->out.hdr.flags & EVF_SWITCH_OUT_GIL_MUTEX && t->pub.gil &&
	       t->pub.gil->mode == MODE_FUTEX;
}

/*
 * It slept without the GIL. That says nothing about what it does now: Python takes the GIL at once,
 * machine code does not. What the clock found it doing last is not biased.
 */
void edges_on(struct world *w, struct thread_machine *t)
{
	bool slept = t->out.hdr.type && !(t->out.hdr.flags & EVF_SWITCH_OUT_RUNNABLE);
	struct gil_machine *g;

	if (!slept || t->relation != REL_NONE || !t->pub.python || is_off(process_of(t)))
		return;
	relation_set(w, t, REL_NONE | REL_HOLDING);
	g = in_futex_wait(t) ? gil_of(t) : t->clock_gil;
	/* who is running, and had it last, is the likelier holder */
	if ((!t->clocked && !in_futex_wait(t)) ||
	    (g &&
	     (g->pub.holder || g->pub.gone || (g->sampled && g->sampled->sched == SCHED_RUNNING))))
		edges_sample_forget(w, t);
	else if (g)
		edges_sample_holder(w, g, t);
	else
		edges_sample_none(w, t);
}

enum { WORDS_ALL = UINT32_MAX }; /* it can have none of those that it has not read */

/* Its own reading of as many lock words as there are GILs, or it has had no CPU since before: it
 * was observed without a GIL and cannot have taken one since. */
static void settle_none(struct world *w, struct thread_machine *t, uint64_t ts)
{
	uint32_t words = t->ts_sampled == ts ? t->words : 1;

	if (words == WORDS_ALL)
		words = process_of(t)->gils;

	if (process_of(t)->gils == words && t->relation == (REL_NONE | REL_HOLDING) &&
	    thread_is_off(t))
		relation_set(w, t, REL_NONE);
}

void edges_off(struct world *w, struct thread_machine *t, uint64_t ts)
{
	bool looked = t->ts_sampled == ts && t->sampled;

	if (t->relation != (REL_NONE | REL_HOLDING))
		return;
	if (t->ended.gil && !(looked && t->sampled_gil))
		relation_set(w, t, REL_UNKNOWN); /* perhaps it waits still */
	if (!looked || t->relation == REL_UNKNOWN)
		return;
	if (!t->sampled_gil)
		settle_none(w, t, ts);
	else if (!t->sampled_gil->pub.holder)
		gil_hold_begin(w, t->sampled_gil, t, ts, false);
}

/* ── waits that go on ────────────────────────────────────────────────────── */

/*
 * A thread is woken from a sleep on the GIL's mutex, and finds it taken again.
 *
 * The wait ends when it has a CPU again, for no TAKE would show that it has the GIL then. It is put
 * aside until the thread sleeps, or waits. If that says that the thread has waited all the time
 * (OBSERVE `waits`, WAIT `waited`), so be it: the open interval is one of waiting, and the next
 * wait is the same one. Otherwise it is emitted as it was. What the thread lost its CPU for in
 * between has been emitted as unknown.
 */
void retry_begin(struct thread_machine *t, const struct gil_wait *wait)
{
	t->ended = *wait;
}

void retry_over(struct world *w, struct thread_machine *t)
{
	if (t->ended.gil && (t->ended.whole || t->ended.start < t->ended.end))
		emit_later(w, EMIT_WAIT)->wait = t->ended;
	t->ended.gil = NULL;
}

bool retry_waited(struct world *w, struct gil_machine *g, struct thread_machine *t, uint64_t ts)
{
	uint64_t since = t->ended.end;

	if (t->ended.gil != &g->pub || t->sched != SCHED_RUNNING || relation_known(t->relation) ||
	    t->open.start >= ts)
		return false;
	t->ended.end = ts;
	edges_sample_none(w, t);
	t->pub.gil = &g->pub;
	gil_contended(w, g, since, ts);
	thread_waited(w, t);
	return true;
}

uint64_t retry_resume(struct world *w, struct thread_machine *t, const struct gil_machine *g,
		      uint64_t ts, struct gil_wait *wait)
{
	if (t->ended.gil != &g->pub || t->ended.end != ts) {
		retry_over(w, t);
		return ts;
	}
	*wait = t->ended;
	t->ended.gil = NULL;
	return t->open.start;
}

/* ── holders ─────────────────────────────────────────────────────────────── */

/*
 * A drop wakes one of the threads that sleep on the condition variable, which is how it is seen.
 * One that is about to sleep there, or has been woken by its time-out, may get the signal in their
 * place, without a wake-up: it will not go to sleep then, but look at the lock word.
 */
static enum wait_part part_of(const struct thread_machine *t)
{
	unsigned int flags = t->out.hdr.flags;

	if (t->relation != REL_WAITING || t->in_handover || edges_ends_wait(t))
		return WAIT_APART;
	/* on the mutex; or, without a SWITCH_OUT, stopped from outside */
	if (t->sched != SCHED_ASLEEP || t->waking || sysno_is_stop(t->sysno) || !t->out.hdr.type ||
	    !(flags & EVF_SWITCH_OUT_HANDOVER))
		return WAIT_AWAKE;
	return WAIT_ASLEEP;
}

/* Whether a drop would be seen may have changed. */
static void retrace(struct world *w, struct gil_machine *g)
{
	bool traced = g->waits[WAIT_ASLEEP] && !g->waits[WAIT_AWAKE] && !gil_process(g)->may_wait;

	if (traced == g->traced)
		return;
	g->traced = traced;
	if (g->pub.holder)
		thread_moved(w, machine_of(g->pub.holder)); /* edges_decay() */
	else if (traced && g->proven && g->sampled)
		gil_hold_begin(w, g, g->sampled, w->now, false);
}

void edges_may_wait(struct world *w, struct process_entry *process)
{
	bool may_wait = process->open[OPEN_ANY] || process->untouched;

	if (!process->partial || process->may_wait == may_wait)
		return;
	process->may_wait = may_wait;
	for (struct gil_machine *g = process->gil_list; g; g = g->next)
		if (gil_is_partial(g) && !g->pub.gone)
			retrace(w, g);
}

void edges_recount(struct world *w, struct thread_machine *t)
{
	struct gil_machine *g = t->pub.gil ? gil_of(t) : NULL;
	enum wait_part part = part_of(t);

	if (!g || !gil_is_partial(g) || part == t->part)
		return;
	g->waits[t->part] -= t->part != WAIT_APART;
	g->waits[part] += part != WAIT_APART;
	t->part = part;
	g->proven &= part != WAIT_AWAKE;
	retrace(w, g);
}

void edges_end_gil(struct world *w, struct gil_machine *g)
{
	if (g->sampled)
		edges_sample_forget(w, g->sampled);
	for (struct thread_machine *t = gil_process(g)->threads; t; t = t->sibling) {
		if (t->ended.gil == &g->pub)
			retry_over(w, t);
		if (t->clock_gil != g)
			continue;
		t->clock_gil = NULL;
		t->clocked = false;
	}
}

void edges_derive_partial(struct world *w, struct process_entry *process)
{
	bool partial = mode_is_partial(w->mode) || process->partial_gils;

	if (process->partial == partial)
		return;
	process->partial = partial;
	for (struct thread_machine *t = process->threads; t; t = t->sibling) {
		relation_list(w, t);
		thread_moved(w, t);
	}
}

/* ── transitions ─────────────────────────────────────────────────────────── */

static void acquire(struct world *w, struct gil_machine *g, struct thread_machine *t, uint64_t ts)
{
	if (g->pub.holder)
		gil_violate(w, g, ts);
	/* as in relation_handed_over(): the one that was observed with it last, perhaps until now
	 */
	thread_cut(w, t, ts);
	relation_acquire(w, t, ts);
	gil_hold_begin(w, g, t, ts, true);
	g->ts_fact = ts;
}

static void edges_take_drop(struct world *w, struct gil_machine *g, struct thread_machine *t,
			    bool requested, uint64_t ts)
{
	retry_over(w, t);
	/* who answered a request is known, also where not for how long it had the GIL */
	if (!relation_drop(w, g, t, requested, g->pub.holder, ts) && requested)
		emit_later(w, EMIT_HOLD)->hold = (struct hold){.gil = &g->pub,
							       .thread = &t->pub,
							       .start = ts,
							       .end = ts,
							       .requested = true};
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

	gil_set_off(g, false);
	switch (fact->event->hdr.type) {
	case EV_DROP:
		edges_take_drop(w, g, t, flags & EVF_DROP_REQUESTED, ts);
		break;
	case EV_WAIT:
		if (flags & EVF_WAIT_WAITED)
			retry_waited(w, g, t, ts);
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
	return (thread_is_off(t) && t->ts_off <= since) || (definite && since == ts && g->traced);
}

static void settle_holder(struct world *w, struct gil_machine *g, struct thread_machine *t,
			  const struct thread_machine *observer, bool definite, uint64_t since,
			  uint64_t ts)
{
	if (t->relation == REL_WAITING && definite && since == ts) {
		/* its wait is over, so it has run: a switch was not reported */
		sched_forget(w, t, ts);
		relation_contradict(w, g, t, ts);
	}
	if (relation_known(t->relation) || !(t->relation & REL_HOLDING)) {
		g->pub.violations += definite && since == ts;
		return;
	}
	/* a holder waits neither in its loop nor for the GIL, but it may have begun to since */
	loop_confirm(w, t, ts);
	if (t->ts_fact <= since) {
		retry_over(w, t);
		relation_set(w, t, t->relation & (REL_NONE | REL_HOLDING));
	}
	if (holds_still(g, t, definite, since, ts))
		gil_hold_begin(w, g, t, ts, false);
	else
		edges_sample_holder(w, g, t);
	if ((definite || g->pub.mode == MODE_FUTEX) && since == ts)
		g->ts_read = ts;
	/* the observer waits, and is the only thread that is awake */
	g->proven = definite && since == ts && !gil_process(g)->may_wait && observer &&
		    observer->part == WAIT_AWAKE && g->waits[WAIT_AWAKE] == 1;
}

/* Up to when the holders of all GILs of the process have been read. */
static uint64_t all_read(const struct process_entry *process)
{
	uint64_t since = UINT64_MAX;

	for (const struct gil_machine *g = process->gil_list; g; g = g->next)
		if (!g->pub.gone && g->ts_named < since)
			since = g->ts_named;
	return since;
}

/* Threads that have been off the CPU since before the observation of each GIL, and are not its
 * holder, have none. */
static void settle_pending(struct world *w, struct gil_machine *g,
			   const struct thread_machine *holder, uint64_t since)
{
	struct process_entry *process = gil_process(g);
	struct thread_machine *t, *next;

	g->ts_named = since;
	if (!process->pending)
		return;
	if (process->gils > 1)
		since = all_read(process);
	process->pending = false;
	/* nearly in the order of ts_off, so the first one that left the CPU too late ends it */
	DL_FOREACH_SAFE2(process->open[OPEN_NOT_WAITING], t, next, next_open)
	{
		if (t == holder || t->sampled_gil)
			continue;
		if (t->ts_off > since) {
			process->pending = true;
			break;
		}
		if (thread_is_off(t))
			relation_set(w, t, REL_NONE);
	}
}

/* A thread has read the lock word of a GIL, and has that or has not. */
static void note_reading(struct thread_machine *t, bool only, uint64_t ts)
{
	if (t->ts_sampled != ts || only)
		t->words = 0;
	t->ts_sampled = ts;
	t->words = only ? WORDS_ALL : t->words + 1;
}

static void settle_observer(struct world *w, struct gil_machine *g, struct thread_machine *t,
			    bool only, uint64_t ts)
{
	if (t->relation == REL_HOLDING || t->relation == REL_WAITING)
		return;
	note_reading(t, only, ts);
	if (t->words == 1 || only || t->sampled_gil == g)
		edges_sample_none(w, t);
	if (t->ts_off == ts && !t->sampled_gil)
		settle_none(w, t, ts);
}

/* What a thread was found doing by the clock, and not where it happens to do something that is
 * traced, says what it usually does: edges_on(). */
static void note_clock(struct thread_machine *t, struct gil_machine *g, bool holds)
{
	t->clocked = true;
	if (holds || t->clock_gil == g)
		t->clock_gil = holds ? g : NULL;
}

/* Does the reading contradict the certain holder? Without the mutex, only a thread's own does: for
 * others the lock word may be ahead of a transition that is not stamped yet. */
static bool contradicts(const struct gil_machine *g, const struct fact *fact,
			const struct thread_machine *observer, const struct thread_machine *holder)
{
	unsigned int flags = fact->event->hdr.flags;
	const struct thread_machine *known = machine_of(g->pub.holder);

	bool elsewhere = !(flags & (EVF_OBSERVE_LOCKED | EVF_OBSERVE_OTHER)) || holder;

	if (known == holder)
		return false;
	if (observer && observer == known)
		return elsewhere || flags & EVF_OBSERVE_OTHER;
	return elsewhere && (flags & EVF_OBSERVE_DEFINITE || (holder && observer == holder));
}

static void observe_gil(struct world *w, const struct fact *fact, struct thread_machine *observer,
			struct thread_machine *holder, uint64_t since)
{
	unsigned int flags = fact->event->hdr.flags;
	struct gil_machine *g = fact->gil;

	if (g->pub.holder && since == fact->ts && contradicts(g, fact, observer, holder))
		gil_violate(w, g, fact->ts);
	if (g->pub.holder)
		return;
	if (holder)
		settle_holder(w, g, holder, observer, flags & EVF_OBSERVE_DEFINITE, since,
			      fact->ts);
	else if (!(flags & (EVF_OBSERVE_LOCKED | EVF_OBSERVE_OTHER)))
		edges_sample_holder(w, g, NULL);
	if (flags & EVF_OBSERVE_OFF)
		gil_settle_off(w, g);
}

void edges_observe(struct world *w, const struct fact *fact, struct thread_machine *holder)
{
	const struct ev_observe *event = &fact->event->observe;
	unsigned int flags = event->hdr.flags;
	struct gil_machine *g = fact->gil;
	struct thread_machine *observer = event->hdr.tid ? fact->thread : NULL;
	uint64_t ts = fact->ts, since = fact_since(fact, event->span_ns);
	bool named = !(flags & (EVF_OBSERVE_LOCKED | EVF_OBSERVE_OTHER)) || event->holder;

	if (observer && (observer->pub.process != g->pub.process || since != ts))
		observer = NULL;
	if (observer && flags & EVF_OBSERVE_WAITS && retry_waited(w, g, observer, ts))
		relation_wait_on(w, g, observer, ts);
	if (since < facts_from(w, gil_process(g)) || g->ts_fact >= since)
		return;
	observe_gil(w, fact, observer, holder, since);
	if (!named && !(flags & EVF_OBSERVE_OTHER))
		return; /* any thread may be the holder */
	if (observer && observer == holder)
		note_reading(observer, flags & EVF_OBSERVE_ONLY, ts);
	else if (observer)
		settle_observer(w, g, observer, flags & EVF_OBSERVE_ONLY, ts);
	if (observer && flags & EVF_OBSERVE_CLOCK)
		note_clock(observer, g, observer == holder);
	if (named)
		settle_pending(w, g, holder, since);
}
