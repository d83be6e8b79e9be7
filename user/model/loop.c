/* SPDX-License-Identifier: MIT */
/*
 * loop.c - which threads run event loops, and the turns of these loops.
 *
 * A turn in progress is one of three: real; tentative, while the thread is woken but still inside its wait and might go back to sleep; possible,
 * after a loss, until a fact shows whether the thread was inside its wait all the time.
 */
#include "model/private.h"

#include <errno.h>
#include <stdlib.h>

/* A thread whose loop's descriptor is not waited on during so many waits and so long on another loop's descriptor runs that one. */
#define RIVAL_WAITS 64
#define RIVAL_NS    UINT64_C(1000000000)

static void turn_begin(struct world *w, struct loop_machine *l, uint64_t ts, bool whole, bool possible)
{
	thread_cut(w, machine_of(l->pub.thread), ts); /* here, even if one that was none was in progress */
	l->pub.in_turn = true;
	l->pub.possible = possible;
	l->pub.ts_turn = ts;
	l->whole = whole;
	world_tell(w, TOLD_TURN_BEGIN)->loop = &l->pub;
}

static void turn_cancel(struct world *w, struct loop_machine *l)
{
	if (!l->pub.in_turn)
		return;
	l->pub.in_turn = l->pub.possible = false;
	world_tell(w, TOLD_TURN_CANCEL)->loop = &l->pub;
}

static void turn_end(struct world *w, struct loop_machine *l, uint64_t ts, bool whole, bool ongoing)
{
	if (!l->pub.in_turn)
		return;
	whole = whole && l->whole;
	if (!whole && !ongoing && l->pub.ts_turn == ts) {
		turn_cancel(w, l);
		return;
	}
	l->pub.in_turn = l->pub.possible = false;
	if (ts - l->pub.ts_turn > l->pub.longest)
		l->pub.longest = ts - l->pub.ts_turn;
	world_tell(w, TOLD_TURN)->turn = (struct turn){.loop = &l->pub, .start = l->pub.ts_turn, .end = ts, .whole = whole, .ongoing = ongoing};
}

/* ── who runs a loop ─────────────────────────────────────────────────────────────────────────────────────────────── */

static struct descriptor *descriptor_find(const struct process_entry *process, uint32_t epfd)
{
	struct descriptor *d;

	HASH_FIND(hh, process->descriptors, &epfd, sizeof(epfd), d);
	return d;
}

/* Python's own word for it, if it has one. */
static enum loop_kind kind_of(const struct thread_machine *t, const struct descriptor *d)
{
	return t->runs == RUNS_YES && t->runs_kind != LOOP_UNKNOWN ? t->runs_kind : d->kind;
}

static struct loop_machine *loop_of_epfd(const struct thread_machine *t, uint32_t epfd)
{
	struct loop_machine *l = t->loops;

	while (l && l->pub.epfd != epfd)
		l = l->next;
	return l;
}

/* The thread runs the descriptor's loop from now on: one that it ran before goes on. */
static int loop_run(struct world *w, struct thread_machine *t, const struct descriptor *d)
{
	struct loop_machine *l = loop_of_epfd(t, d->epfd);
	bool is_new = !l;

	if (is_new) {
		int r = list_reserve_object(w, &w->loops, WORLD_LOOPS_MAX, "event loops");

		if (r < 0)
			return r;
		if (world_reserve(w, 1) < 0 || !(l = calloc(1, sizeof(*l))))
			return -ENOMEM;
		l->pub = (struct loop){.thread = &t->pub, .epfd = d->epfd};
		l->next = t->loops;
		t->loops = l;
		list_add(&w->loops, l);
	}
	l->pub.kind = kind_of(t, d);
	/* if it has taken the place of another one, Python did not say so */
	l->pub.by_behaviour = t->runs != RUNS_YES || t->pub.loop;
	t->deposed = t->pub.loop;
	t->former_epfd = t->pub.loop ? t->pub.loop->epfd : 0;
	t->pub.loop = &l->pub;
	t->rival_waits = 0;
	if (is_new && w->sink.loop)
		w->sink.loop(w->sink.ctx, &l->pub);
	return 0;
}

/* Its own loop's descriptor is waited on no more, and another's is. One that lost that way wins with the first wait. */
static bool rival_wins(struct thread_machine *t, uint32_t epfd, uint64_t ts)
{
	if (t->deposed && t->former_epfd == epfd)
		return true;
	if (t->rival_epfd != epfd || !t->rival_waits) {
		t->rival_epfd = epfd;
		t->rival_waits = 0;
		t->ts_rival = ts;
	}
	return ++t->rival_waits >= RIVAL_WAITS && ts - t->ts_rival > RIVAL_NS;
}

int loop_meet(struct world *w, struct thread_machine *t, uint32_t epfd, uint64_t ts)
{
	const struct descriptor *d;

	if (!t->waited || t->waited_epfd != epfd)
		t->ts_waited = ts;
	t->waited = true;
	t->waited_epfd = epfd;
	if (t->pub.loop && t->pub.loop->epfd == epfd) {
		t->rival_waits = 0;
		return 0;
	}
	d = descriptor_find(process_of(t), epfd);
	if (!d || t->runs == RUNS_NO || (t->pub.loop && !rival_wins(t, epfd, ts)))
		return 0;
	if (t->pub.loop)
		loop_break(w, t, ts, false);
	return loop_run(w, t, d);
}

/*
 * Threads that wait on the descriptor just now run its loop. So does one that waited there last and is outside now, if Python says that it runs one: asyncio
 * looks into its descriptor before the first callback, so a loop that begins is mostly known to be one only inside its first turn.
 */
static int loop_adopt(struct world *w, struct thread_machine *t, const struct descriptor *d, uint64_t ts)
{
	bool outside = t->place == PLACE_OUTSIDE && t->runs == RUNS_YES && t->waited && t->waited_epfd == d->epfd;
	int r;

	if ((!outside && (t->place != PLACE_INSIDE || t->epfd != d->epfd)) || t->pub.loop || t->runs == RUNS_NO)
		return 0;
	r = loop_run(w, t, d);
	if (r < 0)
		return r;
	if (outside)
		turn_begin(w, loop_of(t), ts, false, false);
	else if (t->slept && t->sched != SCHED_ASLEEP)
		turn_begin(w, loop_of(t), ts, false, false); /* it was woken before */
	thread_update(w, t, ts);
	return 0;
}

int loop_declare(struct world *w, const struct ev_epoll *event, uint64_t ts)
{
	enum loop_kind kind = event->kind <= LOOP_UVLOOP ? (enum loop_kind)event->kind : LOOP_UNKNOWN;
	struct process_entry *process;
	struct descriptor *d;
	int r = process_get(w, event->hdr.tid, &process);

	if (r < 0 || !(event->hdr.flags & EVF_EPOLL_WAKEUP))
		return r;
	d = descriptor_find(process, event->epfd);
	if (d && d->kind == kind)
		return 0; /* known as such to all that came to wait on it since */
	if (!d) {
		if (!(d = calloc(1, sizeof(*d))))
			return -ENOMEM;
		d->epfd = event->epfd;
		HASH_ADD(hh, process->descriptors, epfd, sizeof(d->epfd), d);
		if (HASH_FAILED(d)) {
			free(d);
			return -ENOMEM;
		}
	}
	d->kind = kind;
	for (struct thread_machine *t = process->threads; t && r == 0; t = t->sibling) {
		if (t->pub.loop && t->pub.loop->epfd == d->epfd)
			t->pub.loop->kind = kind_of(t, d);
		r = loop_adopt(w, t, d, ts);
	}
	return r;
}

/* ── Python's own state ──────────────────────────────────────────────────────────────────────────────────────────── */

/* The thread runs its loop no more, or never did; when a turn in progress ended is not known, so it is none. */
static void loop_leave(struct world *w, struct thread_machine *t, uint64_t ts)
{
	turn_cancel(w, loop_of(t));
	t->pub.loop = NULL;
	t->deposed = false;
	thread_update(w, t, ts);
}

static int runs_yes(struct world *w, struct thread_machine *t, enum loop_kind kind, uint64_t ts)
{
	const struct descriptor *d = t->waited ? descriptor_find(process_of(t), t->waited_epfd) : NULL;

	t->pub.python = true;
	t->runs = RUNS_YES;
	t->runs_kind = kind;
	if (!t->pub.loop)
		return d ? loop_adopt(w, t, d, ts) : 0;
	if (!t->deposed)
		t->pub.loop->by_behaviour = false;
	if (kind != LOOP_UNKNOWN)
		t->pub.loop->kind = kind;
	return 0;
}

/*
 * Had it run one before, it may run it again without being asked. Else what it waits on, if it has waited there since before it was asked, is no loop
 * of Python's, nor will be what else it waits on, until Python says so.
 */
static void runs_no(struct world *w, struct thread_machine *t, uint64_t since, uint64_t ts)
{
	bool had = t->runs == RUNS_YES, met = t->waited && t->ts_waited <= since && descriptor_find(process_of(t), t->waited_epfd);

	if (!had && !met)
		return;
	t->runs = had ? RUNS_UNTOLD : RUNS_NO;
	if (t->pub.loop)
		loop_leave(w, t, ts);
}

int loop_told(struct world *w, const struct ev_runs_loop *event, uint64_t ts)
{
	struct thread_machine *t = thread_find(w, event->hdr.tid);
	uint64_t since = event->span_ns < ts ? ts - event->span_ns : 0;

	if (!t || (t->runs != RUNS_UNTOLD && since < t->ts_runs) || since < t->ts_closed)
		return 0; /* it may be older than what is known */
	t->ts_runs = ts;
	if (event->hdr.flags & EVF_RUNS_LOOP_YES)
		return runs_yes(w, t, event->kind <= LOOP_UVLOOP ? (enum loop_kind)event->kind : LOOP_UNKNOWN, ts);
	runs_no(w, t, since, ts);
	return 0;
}

/* The thread's loop waits no more: its last turn is over, and what the thread does from here on is none. */
static void loop_over(struct world *w, struct thread_machine *t, uint64_t ts)
{
	struct loop_machine *l = loop_of(t);

	if (l->pub.possible || loop_waits(t))
		turn_cancel(w, l);
	else
		turn_end(w, l, ts, true, false);
	thread_update(w, t, ts); /* as long as it still has the loop, whose turn this is */
	loop_leave(w, t, ts);
	t->runs = RUNS_UNTOLD;
	t->ts_closed = ts;
}

void loop_close(struct world *w, struct thread_machine *t, uint32_t epfd, uint64_t ts)
{
	struct process_entry *process = process_of(t);
	struct descriptor *d = descriptor_find(process, epfd);

	if (d) {
		HASH_DEL(process->descriptors, d);
		free(d);
	}
	for (struct thread_machine *other = process->threads; other; other = other->sibling) {
		if (other->pub.loop && other->pub.loop->epfd == epfd)
			loop_over(w, other, ts);
		if (other->waited && other->waited_epfd == epfd)
			other->waited = false;
		if (other->deposed && other->former_epfd == epfd)
			other->deposed = false;
		if (other->rival_epfd == epfd)
			other->rival_waits = 0;
	}
}

/* ── turns ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_own(const struct thread_machine *t, uint32_t epfd)
{
	return t->pub.loop && t->pub.loop->epfd == epfd;
}

/* The thread is seen outside its loop's wait. No wait ended since evidence began, so it was outside all the time: the possible turn is one. */
static void confirm(struct thread_machine *t)
{
	if (t->pub.loop)
		t->pub.loop->possible = false;
}

/* A fact shows that the thread is not where it was thought to be. */
static void contradict(struct world *w, struct thread_machine *t, uint64_t ts)
{
	w->contradictions++;
	if (t->open.state == TS_IDLE || t->open.state == TS_BLOCKED) /* the others do not rest on where it is */
		thread_doubt(t);
	loop_break(w, t, ts, false);
}

void loop_enter(struct world *w, struct thread_machine *t, uint32_t epfd, uint64_t ts)
{
	if (t->place == PLACE_INSIDE)
		contradict(w, t, ts);
	confirm(t);
	if (is_own(t, epfd)) {
		turn_end(w, loop_of(t), ts, true, false);
		gc_set(w, t, 0, GC_GENERATION_UNKNOWN, ts); /* no collection spans this: its end was missed */
	}
	t->place = PLACE_INSIDE;
	t->epfd = epfd;
	t->slept = false;
}

void loop_exit(struct world *w, struct thread_machine *t, uint32_t epfd, uint64_t ts)
{
	bool known = t->place == PLACE_INSIDE && t->epfd == epfd;
	struct loop_machine *l = loop_of(t);

	if (!known && t->place != PLACE_UNKNOWN)
		contradict(w, t, ts);
	if (!is_own(t, epfd)) {
		confirm(t);
	} else if (!known || !l->pub.in_turn) {
		turn_cancel(w, l);
		turn_begin(w, l, ts, known, false);
	}
	t->place = PLACE_OUTSIDE;
}

void loop_prove_outside(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (t->place == PLACE_OUTSIDE)
		return;
	if (t->place == PLACE_INSIDE) {
		bool own = loop_waits(t);

		contradict(w, t, ts);
		if (own)
			turn_begin(w, loop_of(t), ts, false, false);
	}
	confirm(t);
	t->place = PLACE_OUTSIDE;
}

void loop_snapshot(struct world *w, struct thread_machine *t, bool inside, uint32_t epfd)
{
	if (t->place != PLACE_UNKNOWN)
		return;
	t->place = inside ? PLACE_INSIDE : PLACE_OUTSIDE;
	t->epfd = epfd;
	t->slept = true;
	if (loop_waits(t))
		turn_cancel(w, loop_of(t));
	else
		confirm(t);
}

void loop_sleep(struct world *w, struct thread_machine *t)
{
	t->slept = true;
	if (loop_waits(t))
		turn_cancel(w, loop_of(t));
}

void loop_wake(struct world *w, struct thread_machine *t, uint64_t ts, bool told)
{
	if (loop_waits(t) && t->sched == SCHED_ASLEEP && !t->pub.loop->in_turn)
		turn_begin(w, loop_of(t), ts, told, false);
}

void loop_doubt_wake(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (!loop_waits(t))
		return;
	turn_cancel(w, loop_of(t));
	turn_begin(w, loop_of(t), ts, false, false);
}

void loop_see(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (!t->pub.loop || t->place != PLACE_UNKNOWN || t->pub.loop->in_turn)
		return;
	turn_begin(w, loop_of(t), ts, false, true);
	thread_update(w, t, ts);
}

void loop_break(struct world *w, struct thread_machine *t, uint64_t ts, bool ongoing)
{
	struct loop_machine *l = loop_of(t);

	if (!l)
		return;
	/* woken, but still inside its wait: whether it goes back to sleep there is not seen any more */
	if (l->pub.possible || (loop_waits(t) && !ongoing))
		turn_cancel(w, l);
	else
		turn_end(w, l, ts, false, ongoing);
}
