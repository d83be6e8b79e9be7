/* SPDX-License-Identifier: MIT */
#include "stream/who_state.h"

/* Where it goes, and when; the first error stops it. */
struct writing {
	const struct stream_sink *to;
	uint64_t ts;
	int err;
};

static void put(struct writing *writing, union event event)
{
	if (writing->err || !event.hdr.type)
		return;
	event.hdr.ts = writing->ts;
	writing->err = sink_event(writing->to, &event);
}

static void write_declarations(const struct who *who, struct writing *writing)
{
	for (const struct who_process *process = who->processes; process && !writing->err;
	     process = process->hh.next)
		writing->err = sink_process(writing->to, &process->info);
	for (const struct who_gil *gil = who->gils; gil; gil = gil->hh.next)
		put(writing, (union event){.gil = gil->gil});
	for (const struct who_descriptor *descriptor = who->descriptors; descriptor;
	     descriptor = descriptor->hh.next)
		put(writing, (union event){.epoll = descriptor->epoll});
	for (const struct who_name *name = who->names; name; name = name->hh.next)
		put(writing, (union event){.comm = name->comm});
	for (const struct who_thread *thread = who->threads; thread; thread = thread->hh.next) {
		put(writing, (union event){.thread = thread->thread});
		put(writing, (union event){.comm = thread->comm});
		put(writing, (union event){.python_name = thread->name});
		if (!(thread->runs.hdr.flags & EVF_RUNS_LOOP_YES))
			continue;
		put(writing, (union event){.runs_loop = {.hdr = thread->runs.hdr,
							 .kind = thread->runs.kind}});
	}
	/* outside of the window a wait says which loop a thread runs, and not where it is */
	for (const struct who_thread *thread = who->threads; thread; thread = thread->hh.next)
		put(writing, (union event){.epoll_enter = thread->loop_wait});
}

/*
 * As if it had come to what it does at this instant. A thread that was woken in its wait is left
 * out: since when its turn lasts could not be said. In front of a wait nothing may say that the
 * thread did not wait before, or it would be a whole one.
 */
static void write_thread(struct writing *writing, const struct who_thread *thread)
{
	bool waits = thread->relation == RELATION_WAITS,
	     off = thread->sched == SCHED_READY || thread->sched == SCHED_ASLEEP;

	if (thread->place == PLACE_INSIDE && thread->sched != SCHED_ASLEEP)
		return;
	if (thread->sched == SCHED_RUNNING)
		put(writing, thread->switched);
	if (waits) {
		put(writing, (union event){.stack = thread->wait_stack});
		put(writing, (union event){.wait = thread->wait});
	} else if (thread->place == PLACE_INSIDE) {
		put(writing, (union event){.epoll_enter = {.hdr = {.type = EV_EPOLL_ENTER,
								   .tid = thread->tid},
							   .epfd = thread->epfd,
							   .timeout_ms = -2}});
	} else if (thread->place == PLACE_OUTSIDE && thread->loop_wait.hdr.type &&
		   thread->relation == RELATION_OTHER) {
		put(writing,
		    (union event){.epoll_exit = {.hdr = {.type = EV_EPOLL_EXIT, .tid = thread->tid},
						 .epfd = thread->loop_wait.epfd}});
	}
	if (!off)
		return;
	if (!waits)
		put(writing, (union event){.stack = thread->stack});
	put(writing, thread->switched);
}

static void write_gil(struct writing *writing, const struct who_gil *gil)
{
	unsigned int flags = EVF_OBSERVE_DEFINITE | (gil->holder ? EVF_OBSERVE_LOCKED
						     : gil->off	 ? EVF_OBSERVE_OFF
								 : 0);

	if (gil->known)
		put(writing, (union event){.observe = {.hdr = {.type = EV_OBSERVE,
							       .aux = gil->index,
							       .flags = (wire_u8)flags},
						       .holder = gil->holder}});
}

/* Who sleeps without waiting for the GIL. */
static void write_state(struct writing *writing, const struct who_thread *thread)
{
	bool syscall = thread->switched.hdr.flags & EVF_SWITCH_OUT_SYSCALL,
	     inside = thread->place == PLACE_INSIDE;
	bool mutex = thread->switched.hdr.flags &
		     (EVF_SWITCH_OUT_GIL_MUTEX | EVF_SWITCH_OUT_HANDOVER);
	unsigned int flags = EVF_STATE_ASLEEP | (syscall ? EVF_STATE_SYSCALL : 0) |
			     (inside ? EVF_STATE_EPOLL : 0) | (mutex ? EVF_STATE_GIL_MUTEX : 0);

	if (thread->sched != SCHED_ASLEEP || thread->relation != RELATION_OTHER)
		return;
	put(writing,
	    (union event){
		    .state = {
			    .hdr = {.type = EV_STATE, .tid = thread->tid, .flags = (wire_u8)flags},
			    .sysno = syscall ? thread->switched.switch_out.sysno : 0,
			    .epfd = inside ? thread->epfd : 0}});
}

int who_write(const struct who *who, uint64_t ts, const struct stream_sink *to)
{
	struct writing writing = {.to = to, .ts = ts};

	write_declarations(who, &writing);
	put(&writing, (union event){.window = {.hdr = {.type = EV_WINDOW}}});
	if (who->lost.hdr.type && who->lost.last_ts >= ts) {
		/* its end is still to come: nothing is known */
		put(&writing, (union event){.lost = who->lost});
		return writing.err;
	}
	for (const struct who_thread *thread = who->threads; thread; thread = thread->hh.next)
		write_thread(&writing, thread);
	for (const struct who_gil *gil = who->gils; gil; gil = gil->hh.next)
		write_gil(&writing, gil);
	writing.ts = ts + 1;
	for (const struct who_thread *thread = who->threads; thread; thread = thread->hh.next)
		write_state(&writing, thread);
	return writing.err;
}
