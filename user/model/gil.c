/* SPDX-License-Identifier: MIT */
/*
 * gil.c - the GIL's machine and the relation of threads to it, when every transition is traced.
 *
 * A relation of a thread is a set of possibilities (REL_…) that facts narrow down. It is
 * REL_HOLDING exactly while the thread is its GIL's certain holder.
 */
#include "model/edges.h"
#include "model/loss.h"
#include "model/turn.h"

/* ── threads whose relation is unknown, by process ───────────────────────── */

/* 1 + the list that the thread belongs to; 0: none. Threads that were not touched since the last
 * loss are in none. */
static unsigned int open_list(const struct thread_machine *t)
{
	if (t->pub.gone || !t->touched)
		return 0;
	if (t->relation == REL_NONE)
		return 1 + OPEN_NONE;
	if (relation_known(t->relation))
		return 0;
	if (t->relation != (REL_NONE | REL_HOLDING))
		return 1 + OPEN_ANY;
	/* partial: nothing is known of a thread that can act */
	return !process_of(t)->partial || thread_is_off(t) ? 1 + OPEN_NOT_WAITING : 0;
}

void relation_list(struct world *w, struct thread_machine *t)
{
	unsigned int list = open_list(t);
	struct process_entry *process = process_of(t);

	if (t->listed == list) {
		edges_may_wait(w, process);
		return;
	}
	if (t->listed)
		DL_DELETE2(process->open[t->listed - 1], t, prev_open, next_open);
	if (list)
		DL_APPEND2(process->open[list - 1], t, prev_open, next_open);
	t->listed = list;
	edges_may_wait(w, process);
}

void relation_set(struct world *w, struct thread_machine *t, unsigned int relation)
{
	t->relation = relation;
	relation_list(w, t);
	thread_moved(w, t);
}

/* ── holds and waits, which are emitted after the intervals ──────────────── */

static bool is_certain(const struct gil_machine *g)
{
	return g->pub.holder || g->pub.free;
}

void gil_cut(const struct world *w, struct gil_machine *g, uint64_t ts)
{
	uint64_t since = g->ts_counted > w->ts_begin ? g->ts_counted : w->ts_begin;

	if (w->begun && !g->counted && !g->pub.gone && !g->pub.process->gone && ts > since)
		g->pub.unknown_ns += ts - since;
	g->ts_counted = ts;
}

/* Keeps the process's count of certain GILs; called when a change is complete. */
static void recount(const struct world *w, struct gil_machine *g, uint64_t ts)
{
	struct process_entry *process = gil_process(g);

	if (g->pub.gone || g->counted == is_certain(g))
		return;
	gil_cut(w, g, ts);
	g->counted = !g->counted;
	process->certain += g->counted ? 1 : -1u;
}

void gil_set_off(struct gil_machine *g, bool off)
{
	gil_process(g)->off += off - g->off;
	g->off = off;
}

void gil_touch(struct world *w, struct gil_machine *g)
{
	if (g->touched)
		return;
	g->touched = true;
	DL_APPEND2(gil_process(g)->touched_gils, g, prev_touched, next_touched);
	process_touch(w, gil_process(g));
}

void gil_hold_begin(struct world *w, struct gil_machine *g, struct thread_machine *t, uint64_t ts,
		    bool whole)
{
	g->pub.free = false;
	g->pub.holder = &t->pub;
	g->pub.ts_hold = ts;
	g->hold_whole = whole;
	g->hold_handoff = g->previous && g->previous != &t->pub;
	g->previous = &t->pub;
	relation_set(w, t, REL_HOLDING);
	t->wait_stack.hdr.type = 0;
	t->pub.gil = &g->pub;
	if (gil_is_partial(g))
		edges_sample_holder(w, g, t);
}

void gil_hold_end(struct world *w, struct gil_machine *g, uint64_t ts, bool whole, bool requested)
{
	whole = whole && g->hold_whole;
	if (whole || g->pub.ts_hold < ts)
		emit_later(w, EMIT_HOLD)->hold = (struct hold){.gil = &g->pub,
							       .thread = g->pub.holder,
							       .start = g->pub.ts_hold,
							       .end = ts,
							       .whole = whole,
							       .requested = requested,
							       .handoff = g->hold_handoff};
	g->pub.holder = NULL;
	g->announced = false;
}

void gil_unknown(struct world *w, struct gil_machine *g, uint64_t ts)
{
	if (g->pub.holder) {
		relation_set(w, machine_of(g->pub.holder), REL_UNKNOWN);
		gil_hold_end(w, g, ts, false, false);
	}
	g->pub.free = false;
	g->weak = false;
	gil_set_off(g, false);
	g->previous = NULL;
	recount(w, g, ts);
}

void gil_violate(struct world *w, struct gil_machine *g, uint64_t ts)
{
	struct thread_machine *holder = g->pub.holder ? machine_of(g->pub.holder) : NULL;

	g->pub.violations++;
	if (holder)
		thread_doubt(w, holder);
	gil_unknown(w, g, ts);
}

static void emit_waiters(const struct world *w, struct gil_machine *g, uint64_t ts)
{
	g->ts_waiters = ts;
	if (w->sink.waiters)
		w->sink.waiters(w->sink.ctx, &g->pub, ts);
}

static void wait_begin(struct world *w, struct thread_machine *t, struct gil_machine *g,
		       uint64_t ts, bool whole)
{
	struct gil_wait wait = {.start = ts, .whole = whole};
	uint64_t since = retry_resume(w, t, g, ts, &wait);

	if (g->pub.waiters++ == 0)
		g->pub.ts_contention = ts;
	relation_set(w, t, REL_WAITING);
	t->pub.gil = &g->pub;
	t->ts_wait = wait.start;
	t->wait_whole = wait.whole;
	if (t->pub.loop)
		DL_PREPEND2(g->pub.waiting, &t->pub, prev_waiting, next_waiting);
	else
		DL_APPEND2(g->pub.waiting, &t->pub, prev_waiting, next_waiting);
	edges_recount(w, t);
	emit_waiters(w, g, since < g->ts_waiters ? ts : since);
}

void gil_contended(struct world *w, struct gil_machine *g, uint64_t start, uint64_t end)
{
	uint64_t since = g->ts_calm > start ? g->ts_calm : start;

	if (g->pub.waiters && g->pub.ts_contention > since)
		g->pub.ts_contention = since;
	if (g->pub.waiters || since >= end)
		return;
	emit_later(w, EMIT_CONTENTION)->contention = (struct contention){
		.gil = &g->pub, .start = since, .end = end};
	g->ts_calm = end;
}

static void wait_end(struct world *w, struct thread_machine *t, uint64_t ts, bool whole)
{
	struct gil_machine *g = gil_of(t);
	struct gil_wait wait = {.gil = &g->pub,
				.thread = &t->pub,
				.start = t->ts_wait,
				.end = ts,
				.whole = whole && t->wait_whole};

	retry_begin(t, &wait);
	if (!whole || !t->by_mutex || !gil_is_partial(g))
		retry_over(w, t);
	relation_set(w, t, REL_UNKNOWN);
	t->in_handover = t->by_mutex = false;
	t->wait_stack.hdr.type = 0;
	edges_recount(w, t);
	DL_DELETE2(g->pub.waiting, &t->pub, prev_waiting, next_waiting);
	t->pub.next_waiting = NULL;
	g->pub.waiters--;
	emit_waiters(w, g, ts);
	if (g->pub.waiters)
		return;
	gil_contended(w, g, g->pub.ts_contention, ts);
	/* its DROP would not be traced any more */
	if (gil_is_partial(g) && g->pub.holder)
		edges_decay(w, machine_of(g->pub.holder), ts);
}

void relation_acquire(struct world *w, struct thread_machine *t, uint64_t ts)
{
	wait_end(w, t, ts, true);
}

void relation_handed_over(struct world *w, struct thread_machine *t, uint64_t ts)
{
	/* while it is still in the list of those that wait, so that the present holder is emitted
	 * first */
	thread_cut(w, t, ts);
	wait_end(w, t, ts, true);
	relation_set(w, t, REL_NONE);
}

/*
 * The GIL's own futexes. A thread without the GIL that sleeps on its mutex is in take_gil, before
 * its first WAIT, so it waits. (A holder that sleeps there is in drop_gil: everybody is stuck
 * behind it as behind any other sleeping holder.) In the hand-over the thread has dropped the GIL
 * and sleeps until another one has taken it. It usually wants it back, but it may be about to make
 * a blocking call, so this is a wait only as long as it sleeps. Without the GIL it may also sleep
 * here at the end of drop_gil: glibc's pthread_cond_signal() waits for a group of earlier waiters
 * to have left (nptl/pthread_cond_common.c). What it does next, other than to take the GIL, shows
 * that.
 */
void relation_sleep(struct world *w, struct gil_machine *g, struct thread_machine *t, bool handover,
		    uint64_t ts)
{
	if (g->pub.process != t->pub.process)
		return;
	if (!relation_known(t->relation))
		relation_set(w, t, REL_UNKNOWN); /* it may be waiting now */
	if (t->relation != REL_NONE)
		return;
	t->pub.python = true;
	wait_begin(w, t, g, ts, true);
	t->in_handover = handover;
	t->by_mutex = !handover;
	edges_recount(w, t);
}

void relation_wait_on(struct world *w, struct gil_machine *g, struct thread_machine *t, uint64_t ts)
{
	wait_begin(w, t, g, ts, true);
	t->by_mutex = true;
	edges_recount(w, t);
}

void relation_sleep_in_wait(struct world *w, struct gil_machine *g, struct thread_machine *t,
			    uint64_t ts)
{
	if (g->pub.process != t->pub.process || g->pub.process->sites_fault)
		return;
	t->pub.python = true;
	/* its WAIT may have been lost; in mode futex there is none */
	relation_wait(w, g, t, g->pub.mode != MODE_FUTEX, ts);
}

void relation_elsewhere(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (t->relation == REL_WAITING && t->by_mutex)
		relation_handed_over(w, t, ts);
}

void relation_leave(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (t->relation == REL_WAITING)
		wait_end(w, t, ts, false);
	else if (t->relation == REL_HOLDING)
		gil_unknown(w, gil_of(t), ts);
}

void gil_emit_open(struct world *w, struct gil_machine *g, uint64_t ts)
{
	if (g->pub.holder)
		gil_hold_end(w, g, ts, false, false);
}

void relation_contradict(struct world *w, struct gil_machine *g, struct thread_machine *t,
			 uint64_t ts)
{
	g->pub.violations++;
	thread_doubt(w, t);
	relation_leave(w, t, ts);
}

/* ── threads that have no GIL ────────────────────────────────────────────── */

/* If all GILs of its process are certain and it holds none of them, it has none. */
void relation_not_waiting(struct world *w, struct thread_machine *t)
{
	struct process_entry *process = process_of(t);

	if (relation_known(t->relation) || !(t->relation & REL_WAITING))
		return;
	relation_set(w, t, t->relation & ~(unsigned int)REL_WAITING);
	if (process->partial)
		process->pending = true;
	else if (process->certain == process->gils && process->gils)
		relation_set(w, t, REL_NONE);
}

/* Once all GILs of the process are certain, threads that do not wait and hold none of them have
 * none. */
static void gil_settle(struct world *w, struct process_entry *process)
{
	if (process->certain != process->gils)
		return;
	for (struct thread_machine *t; (t = process->open[OPEN_NOT_WAITING]);)
		relation_set(w, t, REL_NONE);
}

/* ── transitions ─────────────────────────────────────────────────────────── */

/*
 * A wait that ends with the lock word free ends as the holder: with the GIL's mutex held, take_gil
 * sets the word next (Python/ceval_gil.c). TAKE follows, some instructions later, and confirms it.
 */
static void take_after_wait(struct world *w, struct gil_machine *g, struct thread_machine *t,
			    uint64_t ts)
{
	relation_acquire(w, t, ts);
	gil_hold_begin(w, g, t, ts, true);
	g->announced = true;
}

static void take(struct world *w, struct gil_machine *g, struct thread_machine *t, uint64_t ts)
{
	bool holds = t->relation == REL_HOLDING && t->pub.gil == &g->pub;
	/* it was observed while it was taking it, perhaps after a wait */
	bool observed = holds && g->weak;

	if (holds && g->announced) {
		g->announced = false;
		return;
	}
	if (observed)
		g->pub.holder = NULL;
	else if (t->relation == REL_WAITING && t->pub.gil == &g->pub)
		relation_acquire(w, t, ts);
	else if (t->relation == REL_WAITING || t->relation == REL_HOLDING)
		relation_contradict(w, g, t, ts);
	if (g->pub.holder)
		gil_violate(w, g, ts);
	gil_hold_begin(w, g, t, ts, !observed);
	g->weak = false;
}

bool relation_drop(struct world *w, struct gil_machine *g, struct thread_machine *t, bool requested,
		   bool violates, uint64_t ts)
{
	bool held = t->relation == REL_HOLDING && t->pub.gil == &g->pub;

	if (held) {
		gil_hold_end(w, g, ts, true, requested);
	} else {
		if (t->relation == REL_WAITING || t->relation == REL_HOLDING)
			relation_contradict(w, g, t, ts);
		if (violates)
			gil_violate(w, g, ts);
	}
	relation_set(w, t, REL_NONE);
	t->pub.gil = &g->pub;
	return held;
}

static void exact_drop(struct world *w, struct gil_machine *g, struct thread_machine *t,
		       bool requested, uint64_t ts)
{
	bool violates = g->pub.holder || (g->pub.free && !g->weak);

	if (!relation_drop(w, g, t, requested, violates, ts))
		g->previous = &t->pub;
	g->weak = false;
	g->pub.free = true;
}

void relation_wait(struct world *w, struct gil_machine *g, struct thread_machine *t, bool again,
		   uint64_t ts)
{
	if (t->relation == REL_WAITING && t->pub.gil == &g->pub) {
		t->by_mutex = false;
		edges_recount(w, t);
		return;
	}
	if (t->relation == REL_WAITING || t->relation == REL_HOLDING ||
	    (again && t->relation == REL_NONE))
		relation_contradict(w, g, t, ts);
	/* unless it is known to have done something else, this may be one more round of an earlier
	 */
	wait_begin(w, t, g, ts, !again && !(t->relation & REL_WAITING));
}

/* It may have waited for the GIL's mutex only, or not at all. */
void relation_go_on(struct world *w, struct gil_machine *g, struct thread_machine *t, uint64_t ts)
{
	if (t->relation != REL_NONE) {
		relation_wait(w, g, t, true, ts);
		wait_end(w, t, ts, true);
	}
	relation_set(w, t, REL_NONE);
}

/* For WAIT and WAIT_END, which read the lock word with the GIL's mutex held. */
static void check_lock_word(struct world *w, struct gil_machine *g, bool locked, uint64_t ts)
{
	if (locked ? g->pub.free : g->pub.holder != NULL)
		gil_violate(w, g, ts);
	if (!locked) {
		g->pub.free = true;
		g->weak = false;
		g->ts_fact = ts;
	}
}

void gil_feed(struct world *w, const struct fact *fact)
{
	unsigned int flags = fact->event->hdr.flags;
	struct thread_machine *t = fact->thread;
	struct gil_machine *g = fact->gil;
	uint64_t ts = fact->ts;

	sites_fact(w, fact);
	if (g->pub.process->sites_fault)
		return;
	gil_set_off(g, false);
	switch (fact->event->hdr.type) {
	case EV_TAKE:
		take(w, g, t, ts);
		g->ts_fact = ts;
		break;
	case EV_DROP:
		exact_drop(w, g, t, flags & EVF_DROP_REQUESTED, ts);
		g->ts_fact = ts;
		break;
	case EV_WAIT:
		relation_wait(w, g, t, false, ts);
		check_lock_word(w, g, true, ts);
		break;
	case EV_WAIT_END:
		if (flags & EVF_WAIT_END_OFF)
			relation_go_on(w, g, t, ts);
		else
			relation_wait(w, g, t, true, ts);
		check_lock_word(w, g, flags & EVF_WAIT_END_LOCKED, ts);
		if (!(flags & (EVF_WAIT_END_LOCKED | EVF_WAIT_END_OFF)) &&
		    t->relation == REL_WAITING)
			take_after_wait(w, g, t, ts);
		break;
	}
	recount(w, g, ts);
	gil_settle(w, process_of(t));
}

/* ── snapshots ───────────────────────────────────────────────────────────── */

/* The GIL was not certain; now its state is known as of an instant since which it had no
 * transition. */
static void settle_from_snapshot(struct world *w, struct gil_machine *g,
				 struct thread_machine *holder, bool definite, uint64_t ts)
{
	if (holder && (relation_known(holder->relation) || !(holder->relation & REL_HOLDING))) {
		/* it does something else, perhaps holds another GIL: its TAKE is not stamped yet,
		 * or was missed */
		g->pub.violations += definite;
		return;
	}
	g->weak = !definite;
	if (holder) {
		holder->pub.python = true;
		loop_confirm(w, holder, ts); /* no thread waits in its loop with the GIL */
		gil_hold_begin(w, g, holder, ts, false);
	} else {
		g->pub.free = true;
	}
}

/* The GIL is switched off. When all GILs of the process are, no thread holds or awaits one. */
void gil_settle_off(struct world *w, struct gil_machine *g)
{
	struct process_entry *process = gil_process(g);

	gil_set_off(g, true);
	for (int list = 0; list < OPEN_NONE && process->off == process->gils; list++)
		for (struct thread_machine *t; (t = process->open[list]);)
			relation_set(w, t, REL_NONE);
}

void gil_observe(struct world *w, const struct fact *fact, struct thread_machine *holder)
{
	const struct ev_observe *event = &fact->event->observe;
	bool locked = event->hdr.flags & EVF_OBSERVE_LOCKED,
	     definite = event->hdr.flags & EVF_OBSERVE_DEFINITE;
	struct gil_machine *g = fact->gil;
	uint64_t ts = fact->ts, since = fact_since(fact, event->span_ns);

	if (since < facts_from(w, gil_process(g)) || g->ts_fact >= since ||
	    g->pub.process->sites_fault)
		return;
	if (is_certain(g)) {
		/* without the mutex, the lock word may be ahead of a transition that is not stamped
		 * yet */
		bool agrees = locked ? g->pub.holder && (!event->holder ||
							 event->holder == g->pub.holder->tid)
				     : g->pub.free;

		if (definite && !agrees)
			gil_violate(w, g, ts);
	} else if (!locked || holder) {
		settle_from_snapshot(w, g, holder, definite, ts);
	}
	recount(w, g, ts);
	if (event->hdr.flags & EVF_OBSERVE_OFF && g->pub.free)
		gil_settle_off(w, g);
	gil_settle(w, gil_process(g));
}

void relation_snapshot(struct world *w, struct thread_machine *t, struct gil_machine *g,
		       bool waiting, uint64_t ts)
{
	if (relation_known(t->relation) || t->pub.process->sites_fault)
		return;
	if (!waiting) {
		relation_not_waiting(w, t);
	} else if (g && g->pub.process == t->pub.process && (t->relation & REL_WAITING)) {
		t->pub.python = true;
		wait_begin(w, t, g, ts, false);
	}
}
