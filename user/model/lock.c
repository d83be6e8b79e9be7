/* SPDX-License-Identifier: MIT */
/* lock.c - what threads sleep on when that is a futex, who has it, and who wakes them there. */
#include "model/loss.h"

/* The thread of the process that calls itself `tid`. Threads that were born in the window have no
 * number of the process's own namespace; it is the same one if it is for the process's first
 * thread. */
static struct thread *own_thread(struct world *w, const struct process_entry *process, uint32_t tid)
{
	const struct thread_machine *first;
	struct thread_machine *t;

	HASH_FIND(hh_nstid, process->by_nstid, &tid, sizeof(tid), t);
	if (t)
		return &t->pub;
	first = thread_in(w, process, process->pub.info.pid);
	t = first && first->nstid == first->pub.tid ? thread_in(w, process, tid) : NULL;
	return t && !t->nstid ? &t->pub : NULL;
}

static bool still_asleep(const struct world *w, const struct fact *fact)
{
	const struct ev_futex *event = &fact->event->futex;
	const struct thread_machine *t = fact->thread;
	uint64_t since = fact_since(fact, event->span_ns);

	if (event->span_ns)
		return snapshot_counts(w, t, since) && !sysno_is_stop(t->sysno);
	return t->out.hdr.type && t->out.hdr.ts == event->hdr.ts;
}

static void sleeps(struct world *w, const struct fact *fact)
{
	const struct ev_futex *event = &fact->event->futex;
	struct thread_machine *t = fact->thread;
	struct lock lock = {.address = event->address};

	if (!still_asleep(w, fact))
		return;
	/* read again while it changes hands, it looks like nothing */
	if (t->pub.lock.address == lock.address) {
		lock.kind = t->pub.lock.kind;
		lock.parked = t->pub.lock.parked;
	}
	if (event->hdr.flags & EVF_FUTEX_SEMAPHORE && !lock.parked)
		lock.kind = LOCK_SEMAPHORE;
	if (event->hdr.flags & EVF_FUTEX_MUTEX)
		lock.owner = own_thread(w, process_of(t), event->other);
	if (lock.owner) {
		lock.kind = LOCK_MUTEX;
		lock.ts_owner = fact_since(fact, event->span_ns);
	}
	t->pub.lock = lock;
}

static void woken(struct world *w, const struct fact *fact)
{
	const struct ev_futex *event = &fact->event->futex;
	struct thread_machine *t = fact->thread;
	struct thread_machine *by = thread_in(w, process_of(t), event->other);
	const struct lock *lock = &t->pub.lock;

	if (!by || lock->address != event->address || !w->sink.release)
		return;
	w->sink.release(
		w->sink.ctx,
		&(struct release){.thread = &t->pub,
				  .by = &by->pub,
				  .start = t->ts_off,
				  .end = fact->ts,
				  .kind = lock->kind,
				  .parked = lock->parked,
				  .stack = by->ts_wakes == event->hdr.ts ? by->wakes_stack : 0});
}

/* It follows the FUTEX of this sleep. */
static void parks(const struct fact *fact)
{
	const struct ev_park *event = &fact->event->park;
	struct thread_machine *t = fact->thread;

	if (!t->pub.lock.address)
		return;
	t->pub.lock.parked = event->address;
	t->pub.lock.kind = event->hdr.flags & EVF_PARK_SUSPENDED  ? LOCK_WORLD
			   : event->hdr.flags & EVF_PARK_CRITICAL ? LOCK_CRITICAL
			   : event->hdr.flags & EVF_PARK_MUTEX	  ? LOCK_PYMUTEX
								  : LOCK_PARKED;
}

void lock_feed(struct world *w, const struct fact *fact)
{
	struct thread_machine *t = fact->thread;

	if (!t || t->sched != SCHED_ASLEEP || !facts_count(w, process_of(t), fact->ts))
		return;
	if (fact->event->hdr.type == EV_PARK)
		parks(fact);
	else if (fact->event->hdr.flags & EVF_FUTEX_WOKEN)
		woken(w, fact);
	else
		sleeps(w, fact);
}
