/* SPDX-License-Identifier: MIT */
/*
 * checkpoint.c - the state of a world as events. Every event that is written is turned back by the
 * world's own rules (docs/model.md) into what it was made from. Comments below say where the order
 * matters.
 */
#include "model/checkpoint/checkpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/turn.h"

#define GC_DEPTH_MAX 8 /* collections inside each other; deeper ones are not written */

/* The first error stops it. */
struct writing {
	const struct world *world;
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

/* An event of a thread, with the given fields of its payload. */
#define PUT(writing, type_, name, thread, aux_, flags_, ...)                                       \
	put(writing, (union event){.name = {.hdr = {.type = EV_##type_,                            \
						    .tid = (thread)->pub.tid,                      \
						    .aux = (wire_u16)(aux_),                       \
						    .flags = (wire_u8)(flags_)},                   \
					    ##__VA_ARGS__}})

/* Declaring a thread that Python does not know says that it has no GIL, so it is declared only if
 * that is true. Otherwise it is left out, as if it had not been declared yet. */
static bool is_written(const struct thread_machine *t)
{
	unsigned int relation = t->relation;

	if (process_of(t)->partial && relation == (REL_NONE | REL_HOLDING) &&
	    t->sched == SCHED_RUNNING)
		relation = REL_NONE; /* it could have taken one untraced since: edges_decay() */
	return !t->pub.gone && (t->pub.python || relation == REL_NONE);
}

static void write_threads(struct writing *writing,
			  void (*write)(struct writing *writing, const struct thread_machine *t))
{
	const struct list *threads = &writing->world->threads;

	for (uint32_t i = 0; i < threads->count && !writing->err; i++)
		if (is_written(threads->items[i]))
			write(writing, threads->items[i]);
}

/* ── what there is ───────────────────────────────────────────────────────── */

static void write_processes(struct writing *writing)
{
	for (uint32_t i = 0; i < writing->world->processes.count && !writing->err; i++) {
		const struct process_entry *process = process_at(writing->world, i);

		if (process->described && !process->pub.gone)
			writing->err = sink_process(writing->to, &process->pub.info);
	}
}

/* The world that reads it has this one's mode for GILs that do not say another. */
static wire_u8 gil_flags(const struct world *w, const struct gil_machine *g)
{
	return g->pub.mode == MODE_EDGES && w->mode != MODE_EDGES ? EVF_GIL_EDGES : 0;
}

static wire_u8 child_flags(const struct process *process, const struct child *child)
{
	return (child->loop ? 0 : EVF_CHILD_WORKER) |
	       (process->supervisor ? EVF_CHILD_SUPERVISED : 0);
}

static void write_children(struct writing *writing)
{
	for (uint32_t i = 0; i < writing->world->processes.count; i++) {
		const struct process *process = &process_at(writing->world, i)->pub;

		for (uint32_t n = 0; n < process->child_count && !process->gone; n++) {
			const struct child *child = &process->children[n];

			put(writing,
			    (union event){.child = {.hdr = {.type = EV_CHILD,
							    .tid = process->info.pid,
							    .flags = child_flags(process, child)},
						    .pid = child->pid,
						    .text = child->text}});
		}
	}
}

static void write_gils(struct writing *writing)
{
	for (uint32_t i = 0; i < writing->world->gils.count; i++) {
		const struct gil_machine *g = gil_at(writing->world, i);

		if (!g->pub.gone && !g->pub.process->gone)
			put(writing,
			    (union event){.gil = {.hdr = {.type = EV_GIL,
							  .tid = g->pub.process->info.pid,
							  .aux = g->pub.index,
							  .flags = gil_flags(writing->world, g)},
						  .address = g->pub.address,
						  .interpreter = g->pub.interpreter}});
	}
}

static void write_comm(struct writing *writing, uint32_t tid, uint32_t pid, const char *text)
{
	union event event = {.comm = {.hdr = {.type = EV_COMM, .tid = tid}, .pid = pid}};

	memcpy(event.comm.comm.text, text, sizeof(event.comm.comm.text));
	put(writing, event);
}

/* Names of tasks that are no threads of ours. Those of threads that are gone are not needed. */
static void write_foreign_comms(struct writing *writing)
{
	const struct thread_machine *t;

	for (const struct comm *comm = writing->world->comms; comm; comm = comm->hh.next) {
		HASH_FIND(hh, writing->world->by_tid, &comm->tid, sizeof(comm->tid), t);
		if (!t)
			write_comm(writing, comm->tid, comm->pid, comm->text);
	}
}

static void declare_thread(struct writing *writing, const struct thread_machine *t)
{
	uint32_t pid = t->pub.process->info.pid;

	PUT(writing, THREAD, thread, t, 0, t->pub.python ? EVF_THREAD_PYTHON : 0, .pid = pid,
	    .nstid = t->nstid);
	if (t->pub.comm[0])
		write_comm(writing, t->pub.tid, pid, t->pub.comm);
	if (t->pub.python_name)
		PUT(writing, PYTHON_NAME, python_name, t, 0, 0, .text = t->pub.python_name,
		    .limit = t->pub.pool_limit);
}

/* ── which thread runs which loop ─────────────────────────────────────────────────── */

/* Written before the facts about its waits, so that it does not apply to them. */
static void write_loops_known(struct writing *writing, const struct thread_machine *t)
{
	if (process_of(t)->pub.loops_known && t->pub.python)
		PUT(writing, RUNS_LOOP, runs_loop, t, 0, t->ran ? EVF_RUNS_LOOP_RAN : 0,
		    .kind = LOOP_UNKNOWN);
}

/* Before the window, EPOLL_ENTER says what a thread waits on, and not that it is waiting. */
static void write_wait_on(struct writing *writing, const struct thread_machine *t, uint32_t epfd)
{
	PUT(writing, EPOLL_ENTER, epoll_enter, t, 0, 0, .epfd = epfd, .timeout_ms = -2);
}

static const struct descriptor *first_declared(const struct process_entry *process)
{
	const struct descriptor *d = process->descriptors;

	while (d && !d->declared)
		d = d->hh.next;
	return d;
}

/*
 * Must come before the descriptors are declared, so that no thread is taken to run a loop because
 * of such a wait. RUNS_LOOP `no` counts only for a thread that waits on a loop's descriptor; which
 * one does not matter.
 */
static void write_wait_without_loop(struct writing *writing, const struct thread_machine *t)
{
	const struct descriptor *d = t->waited;

	if (t->pub.loop)
		return;
	if (t->runs == RUNS_NO && (!d || !d->declared))
		d = first_declared(process_of(t));
	if (d)
		write_wait_on(writing, t, d->epfd);
}

static wire_u8 epoll_flags(const struct process_entry *process)
{
	return EVF_EPOLL_WAKEUP | (process->alone ? EVF_EPOLL_ALONE : 0);
}

static void write_descriptors(struct writing *writing)
{
	for (uint32_t i = 0; i < writing->world->processes.count; i++) {
		const struct process_entry *process = process_at(writing->world, i);

		for (const struct descriptor *d = process->descriptors; d && !process->pub.gone;
		     d = d->hh.next)
			if (d->declared)
				put(writing,
				    (union event){.epoll = {.hdr = {.type = EV_EPOLL,
								    .tid = process->pub.info.pid,
								    .flags = epoll_flags(process)},
							    .epfd = d->epfd,
							    .kind = d->kind}});
	}
}

/* RUNS_LOOP comes first, but not for a loop that is run `by_behaviour`, which would then seem to be
 * known from Python's own state. */
static void write_loop(struct writing *writing, const struct thread_machine *t)
{
	bool python = t->runs != RUNS_UNKNOWN && !(t->pub.loop && t->pub.loop->by_behaviour);

	if (python)
		PUT(writing, RUNS_LOOP, runs_loop, t, 0,
		    t->runs == RUNS_YES ? EVF_RUNS_LOOP_YES : 0, .kind = t->runs_kind);
	if (t->pub.loop && !loop_is_unbound(t))
		write_wait_on(writing, t, t->pub.loop->epfd);
	else if (t->runs == RUNS_NO && t->waited)
		write_wait_on(writing, t, t->waited->epfd);
}

static void write_declarations(struct writing *writing)
{
	write_processes(writing);
	write_children(writing);
	write_gils(writing);
	write_foreign_comms(writing);
	write_threads(writing, declare_thread);
	write_threads(writing, write_loops_known);
	write_threads(writing, write_wait_without_loop);
	write_descriptors(writing);
	write_threads(writing, write_loop);
}

/* ── what it does ────────────────────────────────────────────────────────── */

static void write_cpus(struct writing *writing)
{
	const struct cpu *cpus = writing->world->cpus;

	for (uint32_t i = 0; i < writing->world->cpu_count; i++)
		if (cpus[i].known && !cpus[i].by_switch) /* its thread's SWITCH_IN says it */
			put(writing, (union event){.run = {.hdr = {.type = EV_RUN,
								   .tid = cpus[i].tid,
								   .aux = (wire_u16)i},
							   .pid = cpus[i].pid}});
}

/* If only a snapshot showed the thread asleep, no fact can say so, but another snapshot can:
 * write_state(). */
static bool only_snapshot(const struct thread_machine *t)
{
	return t->sched == SCHED_ASLEEP && !t->out.hdr.type;
}

/* Was the thread woken in a wait that is its loop's, or may turn out to be a loop's? No event could
 * say since when its turn lasts, so the wait is left out. */
static bool is_woken_in_wait(const struct thread_machine *t)
{
	return t->place == PLACE_INSIDE && (t->slept || process_of(t)->alone) &&
	       t->sched != SCHED_ASLEEP && (!t->pub.loop || loop_waits(t));
}

/* Collections, which also prove the thread outside its loop's wait, come after the event that says
 * so and before another wait inside them. */
static void write_gc(struct writing *writing, const struct thread_machine *t)
{
	unsigned int generation = t->generation == GC_GENERATION_UNKNOWN ? UINT16_MAX
									 : t->generation;

	for (uint32_t i = 0; i < t->gc_depth && t->gc_depth <= GC_DEPTH_MAX; i++)
		PUT(writing, GC_BEGIN, gc_begin, t, generation, 0);
}

static unsigned int enter_flags(const struct thread_machine *t)
{
	return (process_of(t)->alone && t->unseen ? EVF_EPOLL_ENTER_ALONE : 0) |
	       (t->missed ? EVF_EPOLL_ENTER_ASLEEP : 0);
}

/* The thread's place. Before a WAIT, no event may prove that the thread did not wait earlier, or
 * the wait would count as whole. */
static void write_place(struct writing *writing, const struct thread_machine *t)
{
	bool no_wait = !(t->relation & REL_WAITING);

	if (t->place == PLACE_OUTSIDE && t->pub.loop && no_wait)
		PUT(writing, EPOLL_EXIT, epoll_exit, t, 0, 0, .epfd = t->pub.loop->epfd);
	if (is_woken_in_wait(t)) /* a collection would prove it outside, too */
		return;
	write_gc(writing, t);
	if (t->place == PLACE_INSIDE && no_wait)
		PUT(writing, EPOLL_ENTER, epoll_enter, t, 0, enter_flags(t), .epfd = t->epfd,
		    .timeout_ms = -2);
}

/* A thread that waits on the GIL's mutex began to wait with the stack that it sleeps, or is ready
 * to run, in. */
static void write_wait(struct writing *writing, const struct thread_machine *t)
{
	struct ev_stack stack = t->wait_stack;

	if (!stack.hdr.type && thread_is_off(t)) {
		stack = t->off_stack;
		stack.hdr.flags = EVF_STACK_WAIT;
		stack.hdr.aux = t->pub.gil->index;
	}
	put(writing, (union event){.stack = stack});
	PUT(writing, WAIT, wait, t, t->pub.gil->index, 0);
}

/* Read after all threads have gone to sleep, in this order of events. An owner that may have
 * released the mutex since it was read would seem to have it now, so it is left out. */
static void write_lock(struct writing *writing, const struct thread_machine *t)
{
	const struct lock *lock = &t->pub.lock;
	const struct thread_machine *owner = lock_is_certain(&t->pub) ? machine_of(lock->owner)
								      : NULL;

	if (!lock->address || t->sched != SCHED_ASLEEP)
		return;
	PUT(writing, FUTEX, futex, t, 0,
	    (owner ? EVF_FUTEX_MUTEX : 0) |
		    (lock->kind == LOCK_SEMAPHORE ? EVF_FUTEX_SEMAPHORE : 0),
	    .address = lock->address,
	    .other = owner ? owner->nstid ? owner->nstid : owner->pub.tid : 0, .span_ns = 1);
	if (lock->parked)
		PUT(writing, PARK, park, t, 0,
		    lock->kind == LOCK_WORLD	  ? EVF_PARK_SUSPENDED
		    : lock->kind == LOCK_CRITICAL ? EVF_PARK_CRITICAL
		    : lock->kind == LOCK_PYMUTEX  ? EVF_PARK_MUTEX
						  : 0,
		    .address = lock->parked);
}

/* Partial GILs: as it has read of itself. Who has one is written by write_owners(). */
static void write_none(struct writing *writing, const struct thread_machine *t)
{
	const struct process_entry *process = process_of(t);

	if (!process->partial || t->relation != REL_NONE)
		return;
	for (const struct gil_machine *g = process->gil_list; g; g = g->next)
		if (!g->pub.gone)
			PUT(writing, OBSERVE, observe, t, g->pub.index, EVF_OBSERVE_OTHER);
}

static void write_off(struct writing *writing, const struct thread_machine *t)
{
	write_none(writing, t);
	if (t->sched == SCHED_ASLEEP) {
		put(writing, (union event){.switch_out = t->out});
		return;
	}
	PUT(writing, SWITCH_OUT, switch_out, t, t->pub.cpu,
	    EVF_SWITCH_OUT_RUNNABLE | (t->throttled ? EVF_SWITCH_OUT_THROTTLED : 0));
}

/* A thread that has slept on the GIL's mutex, was woken, and shows no more yet. */
static void write_mutex(struct writing *writing, const struct thread_machine *t)
{
	put(writing, (union event){.stack = t->off_stack});
	PUT(writing, SWITCH_OUT, switch_out, t, 0,
	    EVF_SWITCH_OUT_SYSCALL | EVF_SWITCH_OUT_GIL_MUTEX, .sysno = t->out.sysno,
	    .gil = t->pub.gil->index);
	PUT(writing, WAKE, wake, t, t->pub.cpu, t->throttled ? EVF_WAKE_THROTTLED : 0);
	if (t->sched == SCHED_RUNNING)
		PUT(writing, SWITCH_IN, switch_in, t, t->pub.cpu, 0);
}

/* As if it had begun at this instant what it is doing. */
static void write_thread(struct writing *writing, const struct thread_machine *t)
{
	/* one that waits by what it sleeps on does so again by its SWITCH_OUT */
	bool waits = t->relation == REL_WAITING && !t->in_handover &&
		     !(t->by_mutex && t->sched == SCHED_ASLEEP);

	if (t->sched == SCHED_UNKNOWN || only_snapshot(t))
		return;
	if (waits && t->by_mutex) {
		if (t->pub.cpu != CPU_NONE) /* else no events could say that */
			write_mutex(writing, t);
		return;
	}
	if (t->sched == SCHED_RUNNING && t->pub.cpu != CPU_NONE)
		PUT(writing, SWITCH_IN, switch_in, t, t->pub.cpu, 0);
	write_place(writing, t);
	if (waits)
		write_wait(writing, t);
	if (!thread_is_off(t))
		return;
	if (!waits)
		put(writing, (union event){.stack = t->off_stack});
	write_off(writing, t);
}

static void write_owners(struct writing *writing)
{
	for (uint32_t i = 0; i < writing->world->gils.count; i++) {
		const struct gil_machine *g = gil_at(writing->world, i);
		unsigned int flags = g->weak || g->announced ? 0 : EVF_OBSERVE_DEFINITE;

		if (g->pub.gone || g->pub.process->gone || !(g->pub.holder || g->pub.free))
			continue;
		flags |= g->pub.holder ? EVF_OBSERVE_LOCKED : g->off ? EVF_OBSERVE_OFF : 0;
		put(writing,
		    (union event){.observe = {.hdr = {.type = EV_OBSERVE,
						      .aux = g->pub.index,
						      .flags = (wire_u8)flags},
					      .holder = g->pub.holder ? g->pub.holder->tid : 0}});
	}
}

static unsigned int sleep_flags(const struct thread_machine *t)
{
	switch (t->sysno) {
	case SYSNO_STOPPED:
		return EVF_STATE_STOPPED;
	case SYSNO_TRACED:
		return EVF_STATE_TRACED;
	case SYSNO_GIL:
		return EVF_STATE_GIL_MUTEX;
	default:
		return t->sysno >= 0 ? EVF_STATE_SYSCALL : 0;
	}
}

/* The stack of a thread that only a snapshot showed asleep. */
static void write_still(struct writing *writing, const struct thread_machine *t)
{
	const struct ev_stack *stack = &t->off_stack;

	if (only_snapshot(t) && stack->hdr.type)
		PUT(writing, STILL, still, t, 0, 0, .stack = stack->stack, .task = stack->task,
		    .root = stack->root);
}

/* Must come after all facts, for a sleeper that does not wait for the GIL is stated to have none.
 * Nothing can be said while it is unknown whether the thread is in an epoll wait. */
static void write_state(struct writing *writing, const struct thread_machine *t)
{
	bool waits = t->relation == REL_WAITING, inside = t->place == PLACE_INSIDE;
	unsigned int flags = EVF_STATE_ASLEEP | sleep_flags(t) | (inside ? EVF_STATE_EPOLL : 0) |
			     (waits ? EVF_STATE_GIL_WAIT : 0);
	bool sure = waits ? only_snapshot(t)
			  : !(t->relation & REL_WAITING) ||
				    (only_snapshot(t) && t->sysno == SYSNO_GIL);

	if (t->sched != SCHED_ASLEEP || t->place == PLACE_UNKNOWN || !sure)
		return;
	PUT(writing, STATE, state, t, waits ? t->pub.gil->index : 0, flags,
	    .sysno = t->sysno >= 0 ? t->sysno : 0, .epfd = inside ? t->epfd : 0);
	if (only_snapshot(t))
		write_none(writing, t);
	write_still(writing, t);
}

static void write_loss(struct writing *writing, const struct loss_end *loss, uint32_t tid,
		       unsigned int flags)
{
	if (loss->ts > writing->ts)
		put(writing,
		    (union event){
			    .lost = {.hdr = {.type = EV_LOST, .tid = tid, .flags = (wire_u8)flags},
				     .count = loss->count,
				     .last_ts = loss->ts - 1}});
}

/* Those that last longer. Of whom they are, nothing is known. */
static void write_losses(struct writing *writing)
{
	const struct world *w = writing->world;
	uint64_t end = w->loss.ts;

	write_loss(writing, &w->loss, 0, 0);
	for (uint32_t i = 0; i < w->processes.count; i++) {
		const struct process_entry *process = process_at(w, i);

		if (process->pub.gone)
			continue;
		write_loss(writing, &process->loss, process->pub.info.pid, 0);
		end = process->loss.ts > end ? process->loss.ts : end;
	}
	if (w->any_loss.ts > end) /* of RUN, or of a process that is gone */
		write_loss(writing, &w->any_loss, 0, EVF_LOST_RUNS);
}

int world_checkpoint(const struct world *w, uint64_t ts, const struct stream_sink *to)
{
	struct writing writing = {.world = w, .to = to, .ts = ts};

	write_declarations(&writing);
	put(&writing, (union event){.window = {.hdr = {.type = EV_WINDOW}}});
	if (w->ended) /* it was full and has not followed the stream since */
		return writing.err;
	write_losses(&writing);
	write_cpus(&writing);
	write_threads(&writing, write_thread);
	write_owners(&writing);
	writing.ts = ts + 1;
	write_threads(&writing, write_state);
	writing.ts = ts + 2;
	write_threads(&writing, write_lock);
	return writing.err;
}
