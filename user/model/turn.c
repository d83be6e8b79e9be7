/* SPDX-License-Identifier: MIT */
/*
 * turn.c - whether a thread is inside or outside its waits in epoll, and the turns of its loop.
 *
 * A turn in progress is one of three: real; tentative, while the thread may still be inside its
 * wait and may go (back) to sleep there; possible, after a loss, until a fact shows whether the
 * thread was inside its wait all the time.
 */
#include "model/loss.h"
#include "model/turn.h"

void loop_turn_begin(struct world *w, struct loop_machine *l, uint64_t ts, bool whole,
		     bool possible)
{
	/* cut here even when a tentative turn is in progress; it is cancelled afterwards */
	thread_cut(w, machine_of(l->pub.thread), ts);
	l->pub.in_turn = true;
	l->pub.possible = possible;
	l->pub.ts_turn = ts;
	l->pub.earlier = !whole;
	emit_later(w, EMIT_TURN_BEGIN)->loop = &l->pub;
	thread_moved(w, machine_of(l->pub.thread));
}

void loop_turn_cancel(struct world *w, struct loop_machine *l)
{
	if (!l->pub.in_turn)
		return;
	l->pub.in_turn = l->pub.possible = false;
	emit_later(w, EMIT_TURN_CANCEL)->loop = &l->pub;
	thread_moved(w, machine_of(l->pub.thread));
}

void loop_turn_end(struct world *w, struct loop_machine *l, uint64_t ts, bool whole, bool ongoing)
{
	if (!l->pub.in_turn)
		return;
	whole = whole && !l->pub.earlier;
	if (!whole && !ongoing && l->pub.ts_turn == ts) {
		loop_turn_cancel(w, l);
		return;
	}
	l->pub.in_turn = l->pub.possible = false;
	emit_later(w, EMIT_TURN)->turn = (struct turn){.loop = &l->pub,
						       .start = l->pub.ts_turn,
						       .end = ts,
						       .whole = whole,
						       .earlier = l->pub.earlier,
						       .ongoing = ongoing};
	thread_moved(w, machine_of(l->pub.thread));
}

static bool is_own(const struct thread_machine *t, uint32_t epfd)
{
	return t->pub.loop && t->pub.loop->epfd == epfd && epfd != EPFD_UNKNOWN;
}

/* The thread is outside its loop's wait. No wait has ended since evidence began, so it was outside
 * all the time: the possible turn is a real one. But if returns are not traced, and the thread was
 * woken meanwhile, that may have been in its wait; then it is only certain that it is in a turn
 * now.
 */
void loop_confirm(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (!t->pub.loop)
		return;
	if (t->pub.loop->possible && t->doubted && process_of(t)->alone) {
		loop_turn_cancel(w, loop_of(t));
		loop_turn_begin(w, loop_of(t), ts, false, false);
	}
	t->pub.loop->possible = false;
}

/* A fact shows that the thread's place was wrong. */
static void contradict(struct world *w, struct thread_machine *t, uint64_t ts)
{
	w->contradictions++;
	/* other states do not depend on its place */
	if (t->open.state == TS_IDLE || t->open.state == TS_BLOCKED)
		thread_doubt(w, t);
	loop_break(w, t, ts, false);
}

/* The wait was not seen to begin: a turn in progress has ended in the meantime, unknown when, or
 * was none, since the thread is still in the wait that it was woken in. */
static void enter_missed(struct world *w, struct thread_machine *t, uint32_t epfd, uint64_t ts)
{
	if (is_own(t, epfd))
		loop_turn_cancel(w, loop_of(t));
	else
		loop_confirm(w, t, ts);
}

/* `alone`: if the wait returns at once, nothing will say so. So a tentative turn begins here, which
 * a sleep in this wait cancels. */
static void enter_seen(struct world *w, struct thread_machine *t, uint32_t epfd, bool alone,
		       uint64_t ts)
{
	if (t->place == PLACE_INSIDE && !alone && !t->unseen)
		contradict(w, t, ts);
	loop_confirm(w, t, ts);
	if (!is_own(t, epfd))
		return;
	loop_turn_end(w, loop_of(t), ts, true, false);
	/* no collection spans this, so its end was missed */
	gc_set(w, t, 0, GC_GENERATION_UNKNOWN);
	if (alone)
		loop_turn_begin(w, loop_of(t), ts, true, false);
}

void loop_enter(struct world *w, struct thread_machine *t, const struct ev_epoll_enter *event,
		uint64_t ts)
{
	bool alone = event->hdr.flags & EVF_EPOLL_ENTER_ALONE;

	if (event->hdr.flags & EVF_EPOLL_ENTER_ASLEEP)
		enter_missed(w, t, event->epfd, ts);
	else
		enter_seen(w, t, event->epfd, alone, ts);
	place_set(w, t, PLACE_INSIDE);
	t->epfd = event->epfd;
	t->slept = false;
	t->unseen = alone;
	process_of(t)->alone |= alone;
	t->missed = event->hdr.flags & EVF_EPOLL_ENTER_ASLEEP;
}

void loop_exit(struct world *w, struct thread_machine *t, uint32_t epfd, uint64_t ts)
{
	bool known = t->place == PLACE_INSIDE && t->epfd == epfd;
	struct loop_machine *l = loop_of(t);

	if (!known && t->place != PLACE_UNKNOWN)
		contradict(w, t, ts);
	if (!is_own(t, epfd)) {
		loop_confirm(w, t, ts);
	} else if (!known || !l->pub.in_turn) {
		loop_turn_cancel(w, l);
		loop_turn_begin(w, l, ts, known, false);
	}
	t->unseen = t->missed = false;
	place_set(w, t, PLACE_OUTSIDE);
}

void loop_prove_outside(struct world *w, struct thread_machine *t, uint64_t ts)
{
	bool own = loop_waits(t);

	if (t->place == PLACE_OUTSIDE)
		return;
	if (t->place == PLACE_INSIDE && !t->unseen)
		contradict(w, t, ts);
	if (own && !t->pub.loop->in_turn && !t->missed)
		loop_turn_begin(w, loop_of(t), ts, false, false);
	loop_confirm(w, t, ts);
	place_set(w, t, PLACE_OUTSIDE);
}

void loop_snapshot(struct world *w, struct thread_machine *t, bool inside, uint32_t epfd)
{
	if (t->place != PLACE_UNKNOWN)
		return;
	place_set(w, t, inside ? PLACE_INSIDE : PLACE_OUTSIDE);
	t->epfd = epfd;
	t->slept = t->unseen = true;
	t->missed = false;
	if (loop_waits(t))
		loop_turn_cancel(w, loop_of(t));
	else
		loop_confirm(w, t, w->now);
}

/* epoll_wait, epoll_pwait, epoll_pwait2 */
static bool sleeps_in_epoll(const struct thread_machine *t)
{
	bool arm = t->pub.process->info.machine[0] == 'a';

	return t->sysno == 441 || (arm ? t->sysno == 22 : t->sysno == 232 || t->sysno == 281);
}

/*
 * Where returns from waits are not traced, a sleep shows where the thread is: in another system
 * call, or stopped from outside, which happens on the way out of one, it has returned. Asleep in
 * epoll it is in the wait that it entered last, whatever seemed to be (a tracer stops it at the
 * entry of the call, too); after a loss that wait is unknown.
 */
static void sleep_alone(struct world *w, struct thread_machine *t, uint64_t ts)
{
	bool inside = sleeps_in_epoll(t);

	if (!inside && t->place != PLACE_OUTSIDE)
		loop_prove_outside(w, t, ts);
	else if (inside && t->place == PLACE_UNKNOWN && t->pub.loop)
		loop_turn_cancel(w, loop_of(t));
	else if (inside && t->place == PLACE_OUTSIDE && t->unseen)
		place_set(w, t, PLACE_INSIDE);
}

void loop_sleep(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (t->unseen || (process_of(t)->alone && t->place == PLACE_UNKNOWN))
		sleep_alone(w, t, ts);
	t->slept = true;
	if (loop_waits(t))
		loop_turn_cancel(w, loop_of(t));
}

void loop_wake(struct world *w, struct thread_machine *t, uint64_t ts, bool whole)
{
	bool unknown = process_of(t)->alone && t->place == PLACE_UNKNOWN && t->pub.loop;

	if (t->sched != SCHED_ASLEEP || t->missed || (!unknown && !loop_waits(t)))
		return;
	if (!t->pub.loop->in_turn)
		loop_turn_begin(w, loop_of(t), ts, whole && !unknown, unknown);
}

void loop_doubt_wake(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (!loop_waits(t))
		return;
	loop_turn_cancel(w, loop_of(t));
	if (!t->missed)
		loop_turn_begin(w, loop_of(t), ts, false, false);
}

void loop_await(struct world *w, struct thread_machine *t)
{
	struct loop_machine *l = loop_of(t);

	if (!l || l->awaiting)
		return;
	l->awaiting = true;
	DL_APPEND2(process_of(t)->awaiting, l, prev_awaiting, next_awaiting);
}

void loop_await_no_more(struct loop_machine *l)
{
	struct process_entry *process = process_of(machine_of(l->pub.thread));

	if (l->awaiting)
		DL_DELETE2(process->awaiting, l, prev_awaiting, next_awaiting);
	l->awaiting = false;
}

/* Emitted at once: all that is emitted of the thread from here on is part of the turn. */
void loop_refresh(struct world *w, struct thread_machine *t)
{
	struct loop_machine *l = loop_of(t);
	bool blind = is_blind(w, process_of(t));
	uint64_t ts = process_of(t)->ts_evidence;

	if (!l || !l->pub.in_turn || !l->pub.possible || (!blind && l->pub.ts_turn >= ts))
		return;
	thread_cut(w, t, blind ? w->now : ts);
	l->pub.in_turn = l->pub.possible = false;
	if (w->sink.turn_cancel)
		w->sink.turn_cancel(w->sink.ctx, &l->pub);
	if (blind) {
		t->open.in_turn = false;
		loop_await(w, t);
		return;
	}
	l->pub.in_turn = l->pub.possible = true;
	l->pub.ts_turn = ts;
	if (w->sink.turn_begin)
		w->sink.turn_begin(w->sink.ctx, &l->pub);
}

void loop_evidence(struct world *w, struct loop_machine *l, uint64_t ts)
{
	struct thread_machine *t = machine_of(l->pub.thread);

	loop_await_no_more(l);
	if (t->pub.gone || t->pub.loop != &l->pub || t->place != PLACE_UNKNOWN ||
	    t->pub.loop->in_turn || t->missed)
		return;
	t->doubted = false;
	loop_turn_begin(w, l, ts, false, true);
}

void loop_break(struct world *w, struct thread_machine *t, uint64_t ts, bool ongoing)
{
	struct loop_machine *l = loop_of(t);

	if (!l)
		return;
	/* woken, but still inside its wait: whether it will go back to sleep there is unknown */
	if (l->pub.possible || (loop_waits(t) && !ongoing))
		loop_turn_cancel(w, l);
	else
		loop_turn_end(w, l, ts, false, ongoing);
}
