/* SPDX-License-Identifier: MIT */
/* cpu.c - the scheduling of threads, and which tasks have the CPUs that they are queued at. */
#include "model/edges.h"
#include "model/loss.h"
#include "model/turn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cpu_ensure(struct world *w, uint16_t cpu)
{
	uint32_t count = w->cpu_count ? w->cpu_count : 8;
	struct cpu *grown;
	uint16_t *touched;

	if (cpu < w->cpu_count)
		return 0;
	while (count <= cpu)
		count *= 2;
	touched = reallocarray(w->touched_cpus, count, sizeof(*touched));
	if (!touched)
		return -ENOMEM;
	w->touched_cpus = touched;
	grown = reallocarray(w->cpus, count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	memset(grown + w->cpu_count, 0, (count - w->cpu_count) * sizeof(*grown));
	w->cpus = grown;
	w->cpu_count = count;
	return 0;
}

void cpu_cut(struct world *w, uint16_t index, uint64_t ts)
{
	struct cpu *cpu;

	if (index >= w->cpu_count)
		return;
	cpu = &w->cpus[index];
	if (ts < cpu->since) /* a GAP reaches back in time */
		return;
	if (cpu->queued && cpu->known && cpu->since < ts && w->sink.run)
		w->sink.run(w->sink.ctx, &(struct run){.cpu = index,
						       .tid = cpu->tid,
						       .pid = cpu->pid,
						       .start = cpu->since,
						       .end = ts,
						       .queued = cpu->queued});
	cpu->since = ts;
}

void cpu_cut_touched(struct world *w, uint64_t ts)
{
	for (uint32_t i = 0; i < w->touched_cpu_count; i++)
		cpu_cut(w, w->touched_cpus[i], ts);
}

/* This task has the CPU from now on. */
static void cpu_occupy(struct world *w, uint16_t index, uint32_t tid, uint32_t pid, bool by_switch,
		       uint64_t ts)
{
	struct cpu *cpu = &w->cpus[index];

	cpu_cut(w, index, ts);
	if (!cpu->touched && !by_switch) {
		w->touched_cpus[w->touched_cpu_count++] = index;
		cpu->touched = true;
	}
	cpu->known = true;
	cpu->by_switch = by_switch;
	cpu->tid = tid;
	cpu->pid = pid;
	cpu->begun = ts;
}

void cpu_run(struct world *w, const struct ev_run *event, uint64_t ts)
{
	struct cpu *cpu = &w->cpus[event->hdr.aux];

	cpu_occupy(w, event->hdr.aux, event->hdr.tid, event->pid, false, ts);
	cpu->known = !(event->hdr.flags & EVF_RUN_END);
}

void cpu_unknown(struct world *w, uint16_t index, uint64_t ts)
{
	cpu_cut(w, index, ts);
	w->cpus[index].known = false;
}

/* The thread, which has this CPU for all that is known, has it no more. */
static void cpu_leave(struct world *w, uint16_t index, const struct thread_machine *t, uint64_t ts)
{
	if (index < w->cpu_count && w->cpus[index].known && w->cpus[index].tid == t->pub.tid)
		cpu_unknown(w, index, ts);
}

/* The thread has had this CPU until now. Who has it next is known if a RUN of this instant says so;
 * an earlier one was wrong. */
static void cpu_left(struct world *w, uint16_t index, const struct thread_machine *t, uint64_t ts)
{
	cpu_leave(w, index, t, ts);
	if (index < w->cpu_count && w->cpus[index].known && w->cpus[index].begun < ts) {
		w->cpus[index].since = ts;
		w->cpus[index].known = false;
	}
}

/* The CPUs of threads, and the queues, are left thread by thread, by sched_set(). */
void cpu_forget(struct world *w, uint64_t ts)
{
	cpu_cut_touched(w, ts);
	for (uint32_t i = 0; i < w->touched_cpu_count; i++) {
		struct cpu *cpu = &w->cpus[w->touched_cpus[i]];

		cpu->known = cpu->known && cpu->by_switch;
		cpu->touched = false;
	}
	w->touched_cpu_count = 0;
}

void sched_set(struct world *w, struct thread_machine *t, enum sched sched, uint16_t cpu,
	       uint64_t ts)
{
	/* who loses its CPU on the way to its next WAIT, and gets it back, has waited as well */
	bool may_go_on = (t->sched == SCHED_RUNNING && sched == SCHED_READY) ||
			 (t->sched == SCHED_READY && sched == SCHED_RUNNING);
	bool was_off;

	if (t->sched == SCHED_RUNNING)
		cpu_leave(w, t->pub.cpu, t, ts);
	/* the run is emitted while the thread is still in the queue */
	if (t->sched == SCHED_READY && t->pub.cpu < w->cpu_count) {
		cpu_cut(w, t->pub.cpu, ts);
		DL_DELETE2(w->cpus[t->pub.cpu].queued, &t->pub, prev_queued, next_queued);
		t->pub.next_queued = NULL;
	}
	/* and that of the new CPU before the thread joins its queue: what had that CPU so far did
	 * not delay this thread */
	if (sched == SCHED_READY)
		cpu_cut(w, cpu, ts);
	was_off = thread_is_off(t);
	if (t->pub.lock.address)
		t->pub.lock = (struct lock){0};
	t->sched = sched;
	t->waking = false;
	t->pub.cpu = cpu;
	thread_moved(w, t);
	if (!was_off && thread_is_off(t)) {
		t->ts_off = ts;
		if (process_of(t)->partial)
			edges_off(w, t, ts);
	}
	if (!may_go_on)
		retry_over(w, t);
	relation_list(w, t);
	if (sched == SCHED_RUNNING && (t->in_handover || edges_ends_wait(t)))
		relation_handed_over(w, t, ts);
	if (process_of(t)->partial) {
		edges_recount(w, t);
		if (was_off && sched == SCHED_RUNNING)
			edges_on(w, t);
	}
	if (sched == SCHED_RUNNING && cpu < w->cpu_count)
		cpu_occupy(w, cpu, t->pub.tid, t->pub.process->info.pid, true, ts);
	if (sched != SCHED_READY || cpu >= w->cpu_count)
		return;
	if (t->pub.loop)
		DL_PREPEND2(w->cpus[cpu].queued, &t->pub, prev_queued, next_queued);
	else
		DL_APPEND2(w->cpus[cpu].queued, &t->pub, prev_queued, next_queued);
}

/* A fact does not fit the scheduling, so an earlier one was missed. */
static void sched_contradict(struct world *w, struct thread_machine *t, uint64_t ts)
{
	w->contradictions++;
	thread_doubt_sched(w, t);
	loop_doubt_wake(w, t, ts);
}

void sched_prove(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (t->sched == SCHED_RUNNING)
		return;
	if (t->sched != SCHED_UNKNOWN)
		sched_contradict(w, t, ts);
	sched_set(w, t, SCHED_RUNNING, CPU_NONE, ts);
}

void sched_forget(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (!thread_is_off(t))
		return;
	sched_contradict(w, t, ts);
	sched_set(w, t, SCHED_UNKNOWN, CPU_NONE, ts);
}

/* What it sleeps in. When a thread is stopped from outside, the system call of that instant means
 * nothing: it is over, or will be restarted. */
static int32_t sleeps_in(const struct ev_switch_out *event)
{
	unsigned int flags = event->hdr.flags;

	if (flags & EVF_SWITCH_OUT_STOPPED)
		return SYSNO_STOPPED;
	if (flags & EVF_SWITCH_OUT_TRACED)
		return SYSNO_TRACED;
	if (flags & EVF_SWITCH_OUT_FROZEN)
		return SYSNO_FROZEN;
	if (flags & (EVF_SWITCH_OUT_GIL_MUTEX | EVF_SWITCH_OUT_HANDOVER))
		return SYSNO_GIL;
	if (!(flags & EVF_SWITCH_OUT_SYSCALL))
		return SYSNO_NONE;
	return event->sysno < 0 ? SYSNO_UNKNOWN : event->sysno;
}

void sched_sleeps_on(struct world *w, const struct fact *fact)
{
	const struct ev_sleeps_on *event = &fact->event->sleeps_on;
	uint64_t since = fact_since(fact, event->span_ns);
	struct thread_machine *t = fact->thread;

	if (!t || t->sched != SCHED_ASLEEP)
		return;
	if (event->span_ns ? !snapshot_counts(w, t, since) : t->out.hdr.ts != event->hdr.ts)
		return;
	t->file = event->text;
	thread_moved(w, t);
}

#define SLEEPS_ON_GIL (EVF_SWITCH_OUT_GIL_MUTEX | EVF_SWITCH_OUT_HANDOVER)

/* Whether it sleeps where take_gil does not before its first WAIT, that is, not on a GIL's mutex.
 */
static bool is_elsewhere(const struct ev_switch_out *event)
{
	return event->hdr.flags & EVF_SWITCH_OUT_SYSCALL && !(event->hdr.flags & SLEEPS_ON_GIL);
}

static void sched_out(struct world *w, struct thread_machine *t, const struct ev_switch_out *event,
		      uint64_t ts)
{
	unsigned int flags = event->hdr.flags;
	struct gil_machine *g;

	if (t->sched != SCHED_RUNNING && t->sched != SCHED_UNKNOWN)
		sched_contradict(w, t, ts);
	cpu_left(w, event->hdr.aux, t, ts);
	t->out = *event;
	if (t->off_stack.hdr.ts != event->hdr.ts)
		t->off_stack.hdr.type = 0;
	if (flags & EVF_SWITCH_OUT_RUNNABLE) {
		t->throttled = flags & EVF_SWITCH_OUT_THROTTLED;
		sched_set(w, t, SCHED_READY, event->hdr.aux, ts);
		return;
	}
	if (flags & EVF_SWITCH_OUT_SYSCALL)
		retry_over(w, t);
	if (is_elsewhere(event)) {
		relation_elsewhere(w, t, ts);
		if (process_of(t)->partial)
			relation_not_waiting(w, t);
	}
	if ((flags & SLEEPS_ON_GIL) == SLEEPS_ON_GIL && t->place != PLACE_OUTSIDE)
		loop_prove_outside(w, t, ts);
	t->sysno = sleeps_in(event);
	t->file = 0;
	sched_set(w, t, SCHED_ASLEEP, CPU_NONE, ts);
	loop_sleep(w, t, ts);
	if (!(flags & SLEEPS_ON_GIL))
		return;
	g = gil_find(w, event->gil);
	if (g && (flags & SLEEPS_ON_GIL) == SLEEPS_ON_GIL)
		relation_sleep_in_wait(w, g, t, ts);
	else if (g)
		relation_sleep(w, g, t, flags & EVF_SWITCH_OUT_HANDOVER, ts);
}

/* A wake-up means something only for a sleeping thread. On a running one it means nothing, so it is
 * ignored while the scheduling is unknown, unless it is the first wake-up of a new thread. */
static void sched_wake(struct world *w, struct thread_machine *t, const struct ev_wake *event,
		       uint64_t ts)
{
	unsigned int flags = event->hdr.flags;

	if (flags & EVF_WAKE_BEGINS) {
		t->waking = true;
		edges_recount(w, t);
		return;
	}
	if (t->sched == SCHED_UNKNOWN)
		t->doubted = true;
	if (t->sched != SCHED_ASLEEP && !(t->sched == SCHED_UNKNOWN && (flags & EVF_WAKE_NEW)))
		return;
	loop_wake(w, t, ts, true);
	t->throttled = flags & EVF_WAKE_THROTTLED;
	sched_set(w, t, SCHED_READY, event->hdr.aux, ts);
	/* it has never run: the first thread of a process continues where its parent was */
	if (flags & EVF_WAKE_NEW && t->pub.tid != t->pub.process->info.pid)
		relation_set(w, t, REL_NONE);
}

/*
 * The thread was woken then, unless it has gone to sleep after that: the kernel's note is then of
 * an earlier wake-up. What has been emitted stays; for others it counts from now on, since what
 * follows for them from its sleep has been emitted as well. On which CPUs it was queued is not
 * known: its migrations are not reported, either.
 */
static void sched_queued(struct world *w, struct thread_machine *t, const struct ev_queued *event,
			 uint64_t now)
{
	bool emitted = event->since < t->open.start;
	uint64_t ts = emitted ? t->open.start : event->since;

	if (t->sched != SCHED_ASLEEP || event->since < t->ts_off)
		return;
	loop_wake(w, t, ts, !emitted);
	t->throttled = false;
	sched_set(w, t, SCHED_READY, CPU_NONE, now);
	thread_derive(w, t, ts);
}

/*
 * The thread runs without a SWITCH_IN. Up to the last switch reported on that CPU everything was as
 * it seemed; from there to now the thread is unknown, except that a wait for the GIL continues
 * whatever the scheduler does, if it does not only count while the thread sleeps.
 */
static void sched_gap(struct world *w, struct thread_machine *t, const struct ev_gap *event,
		      uint64_t ts)
{
	if (thread_is_off(t)) {
		w->gaps++;
		if (!thread_waits_anyway(t) && event->since < ts)
			thread_cut(w, t, event->since);
		thread_doubt_sched(w, t);
		t->open.still = false; /* it ran untraced for an unknown time */
		loop_wake(w, t, ts, false);
	} else if (t->sched == SCHED_RUNNING && t->pub.cpu != CPU_NONE &&
		   t->pub.cpu != event->hdr.aux) {
		sched_contradict(w, t, ts);
	}
	sched_set(w, t, SCHED_RUNNING, event->hdr.aux, ts);
}

void sched_feed(struct world *w, const struct fact *fact)
{
	const union event *event = fact->event;
	struct thread_machine *t = fact->thread;
	uint64_t ts = fact->ts;

	t->ts_fact = ts;
	switch (event->hdr.type) {
	case EV_SWITCH_IN:
		if (t->sched == SCHED_RUNNING || t->sched == SCHED_ASLEEP)
			sched_contradict(w, t, ts);
		sched_set(w, t, SCHED_RUNNING, event->hdr.aux, ts);
		break;
	case EV_SWITCH_OUT:
		sched_out(w, t, &event->switch_out, ts);
		break;
	case EV_WAKE:
		sched_wake(w, t, &event->wake, ts);
		break;
	case EV_GAP:
		sched_gap(w, t, &event->gap, ts);
		break;
	case EV_QUEUED:
		sched_queued(w, t, &event->queued, ts);
		break;
	case EV_MIGRATE:
		if (t->sched == SCHED_READY)
			sched_set(w, t, SCHED_READY, event->hdr.aux, ts);
		break;
	}
}
