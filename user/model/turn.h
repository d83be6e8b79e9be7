/* SPDX-License-Identifier: MIT */
/* turn.h - which threads run event loops, whether they are inside their waits in epoll, and the
 * turns of the loops. */
#ifndef GILSCOPE_MODEL_TURN_H
#define GILSCOPE_MODEL_TURN_H

#include "model/private.h"

/* ── loop.c ──────────────────────────────────────────────────────────────── */

int loop_feed_runs(struct world *w, const struct fact *fact); /* RUNS_LOOP */
int loop_declare(struct world *w, const struct fact *fact);   /* EPOLL */
/* The thread is, or was, in a wait on this descriptor; does it run a loop there? 0, -ENOMEM or
 * -ENOSPC. */
int loop_wait_on(struct world *w, struct thread_machine *t, uint32_t epfd, uint64_t ts);
/* The thread closes this descriptor: no loop waits on it any more. */
void loop_close(struct world *w, struct thread_machine *t, uint32_t epfd, uint64_t ts);
void loops_settle_kinds(struct world *w);
/* The thread runs a loop that it has not waited in since that is known. */
static inline bool loop_is_unbound(const struct thread_machine *t)
{
	return t->pub.loop && t->pub.loop->epfd == EPFD_UNKNOWN;
}

/* The thread is in the wait of the loop that it runs. */
static inline bool loop_waits(const struct thread_machine *t)
{
	return t->place == PLACE_INSIDE && t->pub.loop && t->pub.loop->epfd == t->epfd;
}

/* ── turn.c ──────────────────────────────────────────────────────────────── */

void loop_turn_begin(struct world *w, struct loop_machine *l, uint64_t ts, bool whole,
		     bool possible);
/* What was begun was no turn, or its end is unknown. */
void loop_turn_cancel(struct world *w, struct loop_machine *l);
void loop_turn_end(struct world *w, struct loop_machine *l, uint64_t ts, bool whole, bool ongoing);

void loop_enter(struct world *w, struct thread_machine *t, const struct ev_epoll_enter *event,
		uint64_t ts);
void loop_exit(struct world *w, struct thread_machine *t, uint32_t epfd, uint64_t ts);
/* The thread does something that it cannot do inside an epoll wait. */
void loop_prove_outside(struct world *w, struct thread_machine *t, uint64_t ts);
void loop_snapshot(struct world *w, struct thread_machine *t, bool inside, uint32_t epfd);
void loop_sleep(struct world *w, struct thread_machine *t, uint64_t ts);
/* `whole`: the wake-up is a fact, so a turn that begins with it is whole. */
void loop_wake(struct world *w, struct thread_machine *t, uint64_t ts, bool whole);
/* The thread is outside its loop's wait, though maybe in another one. */
void loop_confirm(struct world *w, struct thread_machine *t, uint64_t ts);
/* A switch was missed: the thread may have been woken in its wait before. */
void loop_doubt_wake(struct world *w, struct thread_machine *t, uint64_t ts);
/* The thread may get a possible turn when the loss is over: loop_evidence(). */
void loop_await(struct world *w, struct thread_machine *t);
void loop_await_no_more(struct loop_machine *l);
void loop_evidence(struct world *w, struct loop_machine *l, uint64_t ts);
/*
 * A possible turn of a thread of which nothing is known outlasts losses. Before anything becomes
 * known of the thread, its begin is moved to the end of the last loss.
 */
void loop_refresh(struct world *w, struct thread_machine *t);
/* Evidence ends, by a loss, the thread's exit or (`ongoing`) the window's end. */
void loop_break(struct world *w, struct thread_machine *t, uint64_t ts, bool ongoing);

#endif
