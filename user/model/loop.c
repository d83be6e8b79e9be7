/* SPDX-License-Identifier: MIT */
/* loop.c - which threads run event loops, and on which descriptors. */
#include "model/loss.h"
#include "model/turn.h"

#include <errno.h>
#include <stdlib.h>

/* After OTHER_WAITS waits spanning OTHER_NS on another loop's descriptor, with none on its own, a
 * thread is taken to run the other loop. */
#define OTHER_WAITS 64
#define OTHER_NS    UINT64_C(1000000000)

const char *loop_kind_name(enum loop_kind kind)
{
	static const char *const names[LOOP_KINDS] = {[LOOP_UNKNOWN] = "unknown",
						      [LOOP_ASYNCIO] = "asyncio",
						      [LOOP_UVLOOP] = "uvloop",
						      [LOOP_TRIO] = "trio"};

	return names[kind < LOOP_KINDS ? kind : LOOP_UNKNOWN];
}

/* ── who runs a loop ─────────────────────────────────────────────────────── */

/* Recordings of later versions may have other kinds. */
static enum loop_kind kind_known(uint32_t kind)
{
	return kind < LOOP_KINDS ? (enum loop_kind)kind : LOOP_UNKNOWN;
}

/* What Python's own state says counts before what the descriptor's declaration says. */
static enum loop_kind kind_of(const struct thread_machine *t, const struct descriptor *d)
{
	if (t->runs == RUNS_YES && t->runs_kind != LOOP_UNKNOWN)
		return t->runs_kind;
	return d ? d->kind : LOOP_UNKNOWN;
}

/* Kinds of loops are brought up to date only when the sink may read them. */
static void settle_kind(const struct thread_machine *t)
{
	const struct descriptor *d = t->pub.loop ? descriptor_find(process_of(t), t->pub.loop->epfd)
						 : NULL;

	if (d)
		t->pub.loop->kind = kind_of(t, d);
}

void loops_settle_kinds(struct world *w)
{
	for (uint32_t i = 0; i < w->loops.count && w->kinds_changed; i++)
		settle_kind(machine_of(((struct loop_machine *)w->loops.items[i])->pub.thread));
	w->kinds_changed = false;
}

static int loop_new(struct world *w, struct thread_machine *t, const struct loop_key *key,
		    struct loop_machine **ret_loop)
{
	struct loop_machine *l;
	int err = list_reserve_object(w, &w->loops, WORLD_LOOPS_MAX, "event loops");

	if (err < 0)
		return err;
	if (world_reserve(w, 1) < 0 || !(l = calloc(1, sizeof(*l))))
		return -ENOMEM;
	l->pub = (struct loop){.thread = &t->pub, .epfd = key->epfd};
	l->key = *key;
	HASH_ADD(hh, w->loop_by_key, key, sizeof(l->key), l);
	if (HASH_FAILED(l)) {
		free(l);
		return -ENOMEM;
	}
	list_add(&w->loops, l);
	t->pub.process->serves = true;
	*ret_loop = l;
	return 0;
}

/* The thread runs the descriptor's loop from now on, or one whose descriptor is unknown (NULL). If
 * it ran that one before, the same loop object continues. */
static int loop_run(struct world *w, struct thread_machine *t, struct descriptor *d)
{
	struct loop_key key = {.thread = t->pub.index, .epfd = d ? d->epfd : EPFD_UNKNOWN};
	struct loop_machine *l;
	bool is_new;
	int err;

	HASH_FIND(hh, w->loop_by_key, &key, sizeof(key), l);
	is_new = !l;
	err = is_new ? loop_new(w, t, &key, &l) : 0;
	if (err < 0)
		return err;
	settle_kind(t); /* of its loop so far */
	l->pub.kind = kind_of(t, d);
	/* Python's state does not say that a loop replaced another one */
	l->pub.by_behaviour = t->runs != RUNS_YES || t->pub.loop;
	t->previous = t->own ? t->own->number : 0;
	t->previous_epfd = t->own ? t->own->epfd : 0;
	t->pub.loop = &l->pub;
	t->pub.poller = false;
	t->ran = true;
	thread_moved(w, t);
	loop_own(t, d);
	t->other_waits = 0;
	if (is_blind(w, process_of(t)))
		loop_await(w, t);
	if (is_new && w->sink.loop)
		w->sink.loop(w->sink.ctx, &l->pub);
	return 0;
}

/* Where Python's own state is known, it decides; behaviour does only where it is not, and for a
 * thread that has run a loop before. */
static bool may_run(const struct thread_machine *t)
{
	if (t->runs != RUNS_UNKNOWN)
		return t->runs == RUNS_YES;
	return t->ran || !process_of(t)->pub.loops_known;
}

/* Has the thread changed to the loop of this descriptor, which is not its own loop's? A loop that
 * was replaced that way is back with the first wait. */
static bool has_changed_loop(struct thread_machine *t, const struct descriptor *d, uint64_t ts)
{
	if (t->previous == d->number)
		return true;
	if (t->other != d->number || !t->other_waits) {
		t->other = d->number;
		t->other_waits = 0;
		t->ts_other = ts;
	}
	return ++t->other_waits >= OTHER_WAITS && ts - t->ts_other > OTHER_NS;
}

/*
 * The first wait of a loop that was known before it waited shows which descriptor it has. If an
 * earlier loop of the thread had one of that number, its object continues; the other one keeps the
 * turn that ends here.
 */
static int loop_bind(struct world *w, struct thread_machine *t, struct descriptor *d, uint64_t ts)
{
	struct loop_key key = {.thread = t->pub.index, .epfd = d->epfd};
	struct loop_machine *l = loop_of(t), *other;

	HASH_FIND(hh, w->loop_by_key, &key, sizeof(key), other);
	if (other) {
		if (l->pub.possible)
			loop_turn_cancel(w, l);
		else
			loop_turn_end(w, l, ts, true, false);
		if (t->open.in_turn) /* while the thread still has that loop */
			thread_cut(w, t, ts);
		t->pub.loop = NULL;
		return loop_run(w, t, d);
	}
	HASH_DEL(w->loop_by_key, l);
	l->key = key;
	HASH_ADD(hh, w->loop_by_key, key, sizeof(l->key), l);
	if (HASH_FAILED(l))
		return -ENOMEM;
	l->pub.epfd = d->epfd;
	l->pub.kind = kind_of(t, d);
	loop_own(t, d);
	thread_moved(w, t);
	return 0;
}

int loop_wait_on(struct world *w, struct thread_machine *t, uint32_t epfd, uint64_t ts)
{
	int err = descriptor_wait(w, t, epfd, ts);

	if (err < 0)
		return err;
	if (loop_is_unbound(t))
		return t->waited->declared ? loop_bind(w, t, t->waited, ts) : 0;
	if (t->pub.loop && t->pub.loop->epfd == epfd) {
		t->other_waits = 0;
		return 0;
	}
	if (!t->waited->declared || !may_run(t) ||
	    (t->pub.loop && !has_changed_loop(t, t->waited, ts)))
		return 0;
	if (t->pub.loop)
		loop_break(w, t, ts, false);
	return loop_run(w, t, t->waited);
}

/*
 * A thread that is waiting on the descriptor runs its loop. So does one that waited there last and
 * is outside now, if Python says that it runs a loop: asyncio polls its descriptor before the first
 * callback, so a new loop is usually recognised only inside its first turn.
 */
static int loop_adopt(struct world *w, struct thread_machine *t, struct descriptor *d, uint64_t ts)
{
	bool outside = t->place == PLACE_OUTSIDE && t->runs == RUNS_YES && t->waited == d;
	bool unbound = loop_is_unbound(t);
	int err;

	if ((!outside && (t->place != PLACE_INSIDE || t->epfd != d->epfd)) ||
	    (t->pub.loop && !unbound) || !may_run(t))
		return 0;
	if (unbound) /* it has waited since, so the end of its turn is unknown */
		loop_turn_cancel(w, loop_of(t));
	err = unbound ? loop_bind(w, t, d, ts) : loop_run(w, t, d);
	if (err < 0)
		return err;
	if (outside)
		loop_turn_begin(w, loop_of(t), ts, false, false);
	else if ((t->slept || t->unseen) && !t->missed && t->sched != SCHED_ASLEEP)
		loop_turn_begin(w, loop_of(t), ts, false,
				false); /* it was woken, or did not sleep */
	return 0;
}

int loop_declare(struct world *w, const struct fact *fact)
{
	const struct ev_epoll *event = &fact->event->epoll;
	enum loop_kind kind = kind_known(event->kind);
	struct process_entry *process = fact->process;
	struct descriptor *d;
	int err = process ? 0 : process_get(w, event->hdr.tid, &process);

	if (err < 0 || !(event->hdr.flags & EVF_EPOLL_WAKEUP))
		return err;
	process->alone |= event->hdr.flags & EVF_EPOLL_ALONE;
	err = descriptor_get(w, process, event->epfd, &d);
	if (err < 0)
		return err;
	if (d->declared) { /* threads that waited on it since then have adopted it */
		w->kinds_changed |= d->kind != kind;
		d->kind = kind;
		return 0;
	}
	d->declared = true;
	d->kind = kind;
	for (struct thread_machine *t = d->waited; t && err == 0; t = t->next_waited)
		err = loop_adopt(w, t, d, fact->ts);
	return err;
}

/* ── Python's own state ──────────────────────────────────────────────────── */

/* The thread no longer runs its loop, or never did. A turn in progress is cancelled, because its
 * end is unknown. */
static void loop_leave(struct world *w, struct thread_machine *t)
{
	loop_turn_cancel(w, loop_of(t));
	settle_kind(t);
	t->pub.loop = NULL;
	thread_moved(w, t);
	loop_own(t, NULL);
	t->previous = 0;
}

/* Has its loop replaced another one whose descriptor is still open? */
static bool has_previous_loop(const struct thread_machine *t)
{
	const struct descriptor *d = t->previous ? descriptor_find(process_of(t), t->previous_epfd)
						 : NULL;

	return d && d->number == t->previous;
}

/* Python says that the thread runs a loop, and it was not seen to wait there: it is in a turn that
 * began before, unless it turns out to be in its wait. */
static int loop_run_unbound(struct world *w, struct thread_machine *t, uint64_t ts)
{
	int err = t->place == PLACE_INSIDE ? 0 : loop_run(w, t, NULL);

	if (err < 0 || t->place == PLACE_INSIDE || !facts_count(w, process_of(t), ts) ||
	    is_blind(w, process_of(t)))
		return err;
	loop_turn_begin(w, loop_of(t), ts, false, t->place == PLACE_UNKNOWN);
	return 0;
}

static int runs_yes(struct world *w, struct thread_machine *t, enum loop_kind kind, uint64_t ts)
{
	struct descriptor *d = t->waited && t->waited->declared ? t->waited : NULL;

	t->pub.python = true;
	t->runs = RUNS_YES;
	t->runs_kind = kind;
	t->ran = true;
	if (!t->pub.loop)
		return d ? loop_adopt(w, t, d, ts) : loop_run_unbound(w, t, ts);
	if (!has_previous_loop(t))
		t->pub.loop->by_behaviour = false;
	if (kind != LOOP_UNKNOWN)
		t->pub.loop->kind = kind;
	return 0;
}

/*
 * If it ran a loop before, it may run one again without another RUNS_LOOP. Otherwise what it waits
 * on, if it did so before `since`, is not a loop of Python's, nor is anything else that it will
 * wait on until Python says so.
 */
static void runs_no(struct world *w, struct thread_machine *t, uint64_t since)
{
	bool had = t->runs == RUNS_YES,
	     met = t->waited && t->waited->declared && t->ts_waited <= since;

	if (!had && !met)
		return;
	t->runs = had ? RUNS_UNKNOWN : RUNS_NO;
	t->pub.poller = !had;
	if (t->pub.loop)
		loop_leave(w, t);
}

int loop_feed_runs(struct world *w, const struct fact *fact)
{
	const struct ev_runs_loop *event = &fact->event->runs_loop;
	struct thread_machine *t = fact->thread;
	uint64_t ts = fact->ts, since = fact_since(fact, event->span_ns);

	if (!t || (t->runs != RUNS_UNKNOWN && since < t->ts_runs) || since < t->ts_closed)
		return 0; /* it may be older than what is known already */
	t->ts_runs = ts;
	t->ran |= event->hdr.flags & EVF_RUNS_LOOP_RAN;
	process_of(t)->pub.loops_known |= t->pub.python;
	if (event->hdr.flags & EVF_RUNS_LOOP_YES)
		return runs_yes(w, t, kind_known(event->kind), ts);
	runs_no(w, t, since);
	return 0;
}

/* The thread's loop will not wait again: its last turn is over, and what the thread does from here
 * on belongs to no turn. */
static void loop_over(struct world *w, struct thread_machine *t, uint64_t ts)
{
	struct loop_machine *l = loop_of(t);

	if (l->pub.possible || loop_waits(t))
		loop_turn_cancel(w, l);
	else
		loop_turn_end(w, l, ts, true, false);
	if (t->open.in_turn) /* while the thread still has the loop that the turn belongs to */
		thread_cut(w, t, ts);
	loop_leave(w, t);
	t->runs = RUNS_UNKNOWN;
	t->ts_closed = ts;
}

void loop_close(struct world *w, struct thread_machine *t, uint32_t epfd, uint64_t ts)
{
	struct process_entry *process = process_of(t);
	struct descriptor *d = descriptor_find(process, epfd);

	if (!d)
		return;
	if (d->declared && !d->running && loop_is_unbound(t))
		loop_over(w, t, ts); /* a loop closes its descriptor itself */
	while (d->running)
		loop_over(w, d->running, ts); /* which takes it off the list */
	d->declared = false;
	while (d->waited && d->waited->next_waited)
		loop_unwait(w, d->waited);
	if (d->waited)
		loop_unwait(w, d->waited); /* the last one frees the descriptor */
	else
		descriptor_free(w, process, d);
}
