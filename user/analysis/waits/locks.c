/* SPDX-License-Identifier: MIT */
/*
 * locks.c - what a stalled loop waited for, beyond a system call: who released the lock, which
 * threads of C code ran meanwhile, and who waits for whom when a stall does not end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fold.h"
#include "base/duration.h"
#include "base/sysname.h"

#define HELPERS_LOOKED_AT 256 /* threads, when a sleep ends */
#define LOOPS_LOOKED_AT	  16  /* of a process, when a thread of C code has run */

static bool on_futex(const struct interval *i)
{
	const char *name = i->sysno >= 0 ? sysname(i->thread->process->info.machine, i->sysno)
					 : NULL;

	return i->state == TS_BLOCKED && name && strncmp(name, "futex", 5) == 0;
}

/* ── who released it ─────────────────────────────────────────────────────── */

static void note_sleep(const struct report_builder *builder, struct thread_fold *thread,
		       const struct interval *i)
{
	bool asleep = i->state == TS_BLOCKED || i->state == TS_HELD_BLOCKED;

	if (!asleep || i->end - i->start < NS_PER_MS)
		return;
	/* a sleep may come in pieces */
	if (thread->slept.end != i->start || thread->slept.sysno != i->sysno)
		thread->slept.start = i->start;
	thread->slept.end = i->end;
	thread->slept.sysno = i->sysno;
	thread->slept.stack = still_of(builder, i->thread).stack;
}

/* What `by` slept in since `from`. */
static void add_its_sleep(struct lock_wait *wait, const struct thread_fold *by, uint64_t from,
			  uint64_t to)
{
	uint64_t start = by ? later(by->slept.start, from) : to;

	if (!by || by->slept.end > to || by->slept.end < start + NS_PER_MS)
		return;
	wait->by_sysno = by->slept.sysno;
	wait->by_slept = by->slept.stack;
	wait->by_slept_ns = by->slept.end - start;
}

/* `since`: from when on it held the loop up. */
static void note_release(struct report_builder *builder, struct loop_fold *loop,
			 const struct release *release, bool with_gil, uint64_t since)
{
	uint64_t from = later(later(release->start, since), loop->ts_turn);
	struct lock_wait wait = {.thread = release->thread,
				 .by = release->by,
				 .kind = release->kind,
				 .parked = release->parked,
				 .with_gil = with_gil,
				 .stack = still_of(builder, release->thread).stack,
				 .by_stack = builder->report.stacks ? release->stack : 0,
				 .ns = release->end - from,
				 .by_sysno = SYSNO_UNKNOWN};

	if (from >= release->end)
		return;
	add_its_sleep(&wait, release->by->data, from, release->end);
	check(builder, breakdown_add_lock(&loop->now, &wait));
}

static struct loop_fold *turning_loop(const struct thread *thread)
{
	struct loop_fold *loop = thread->loop ? thread->loop->data : NULL;

	return loop && loop->in_turn ? loop : NULL;
}

/* One thread after the other is let go on, within microseconds; the first of them shows that the
 * world was stopped, the others at most that it was for longer. */
static void note_pause(struct report_builder *builder, const struct release *release)
{
	struct thread_fold *by = thread_fold(builder, release->by);
	struct pauses *pauses = by ? &by->report.pauses : NULL;
	uint64_t was_ns;

	if (!by)
		return;
	if (!pauses->count || release->start >= by->ts_paused) {
		pauses->count++;
		by->ts_pause = by->ts_paused = release->start;
	}
	was_ns = by->ts_paused - by->ts_pause;
	if (release->start < by->ts_pause)
		by->ts_pause = release->start;
	by->ts_paused = release->end;
	pauses->ns += by->ts_paused - by->ts_pause - was_ns;
	if (by->ts_paused - by->ts_pause <= pauses->worst_ns)
		return;
	pauses->worst_ns = by->ts_paused - by->ts_pause;
	pauses->stack = builder->report.stacks ? release->stack : 0;
}

void locks_released(struct report_builder *builder, const struct release *release)
{
	const struct thread *thread = release->thread, *waiter;
	const struct gil *gil = thread->gil;
	bool with_gil = gil && gil->holder == thread;
	struct loop_fold *loop = turning_loop(thread);

	if (release->kind == LOCK_WORLD)
		note_pause(builder, release);
	if (loop) {
		loop->woken_by = release->by;
		note_release(builder, loop, release, with_gil, release->start);
	}
	waiter = with_gil ? gil->waiting : NULL;
	for (uint32_t n = 0; waiter && n < WAITERS_MAX; waiter = waiter->next_waiting, n++) {
		loop = turning_loop(waiter);
		if (loop && waiter->state == TS_GIL_WAIT && waiter->gil == gil)
			note_release(builder, loop, release, true, waiter->ts_state);
	}
}

/* ── threads of C code that ran meanwhile ────────────────────────────────── */

static bool is_at_work(const struct thread *thread, enum thread_state state)
{
	return !thread->python && (state == TS_NATIVE || state == TS_RUNNABLE);
}

static void note_helper(struct report_builder *builder, const struct interval *i)
{
	const struct process_fold *process = i->thread->process->data;

	for (uint32_t n = 0; process && n < process->loop_count && n < LOOPS_LOOKED_AT; n++) {
		struct loop_fold *loop = process->loops[n];
		const struct thread *sleeper = loop->loop->thread;
		uint64_t from = later(i->start, sleeper->ts_state);

		if (loop->in_turn && sleeper->state == TS_BLOCKED && from < i->end)
			check(builder, breakdown_add_helper(&loop->asleep, i->thread, i->state,
							    from, i->end));
	}
}

void locks_sampled(struct report_builder *builder, const struct thread *thread, uint32_t function)
{
	const struct process_fold *process = thread->process->data;
	uint32_t rate_hz = builder->report.rate_hz;

	for (uint32_t n = 0; process && n < process->loop_count && n < LOOPS_LOOKED_AT; n++) {
		struct loop_fold *loop = process->loops[n];

		if (loop->in_turn && loop->loop->thread->state == TS_BLOCKED && !thread->python)
			check(builder,
			      breakdown_add_helper_sample(&loop->asleep, thread, function,
							  rate_hz ? NS_PER_S / rate_hz : 1));
	}
}

void locks_interval(struct report_builder *builder, struct thread_fold *thread,
		    const struct interval *i)
{
	thread->ts_told = i->end;
	note_sleep(builder, thread, i);
	if (is_at_work(i->thread, i->state))
		note_helper(builder, i);
}

/* What runs on at `to` is in no interval yet. */
static void add_running(struct report_builder *builder, struct loop_fold *loop, uint64_t from,
			uint64_t to)
{
	const struct thread_fold *fold = builder->threads;

	for (uint32_t n = 0; fold && n < HELPERS_LOOKED_AT; fold = fold->next, n++) {
		const struct thread *thread = fold->report.thread;

		if (!is_at_work(thread, thread->state) ||
		    thread->process != loop->loop->thread->process)
			continue;
		check(builder, breakdown_add_helper(
				       &loop->asleep, thread, thread->state,
				       later(later(fold->ts_told, thread->ts_state), from), to));
	}
}

static bool is_helped(const struct loop_fold *loop)
{
	return loop->asleep.helped_ns >= NS_PER_MS && loop->asleep.helper_count &&
	       !(loop->woken_by && loop->woken_by->python);
}

void locks_turn_begin(struct loop_fold *loop)
{
	breakdown_reset(&loop->asleep);
	loop->woken_by = NULL;
}

void locks_turn_interval(struct report_builder *builder, struct loop_fold *loop,
			 const struct interval *i)
{
	struct breakdown *asleep = &loop->asleep;

	if (on_futex(i)) {
		add_running(builder, loop, i->start, i->end);
		asleep->helped_ns += i->end - i->start;
		asleep->helped_longest_ns = asleep->helped_ns;
		asleep->helped_stack = still_of(builder, i->thread).stack;
		return;
	}
	if (is_helped(loop))
		check(builder, breakdown_merge(&loop->now, asleep));
	if (asleep->helper_count || asleep->helped_ns)
		locks_turn_begin(loop);
	loop->woken_by = NULL;
}

int locks_fill(const struct loop_fold *loop, struct breakdown *what)
{
	return is_helped(loop) ? breakdown_merge(what, &loop->asleep) : 0;
}

/* ── who waits for whom ──────────────────────────────────────────────────── */

static struct chain_link link_of(const struct report_builder *builder, const struct thread *thread,
				 uint64_t ts)
{
	struct stack_ref ref = still_of(builder, thread);

	if (builder->report.stacks && thread_state_runs(thread->state))
		ref = attribution_hold(builder->attribution, thread);
	return (struct chain_link){.thread = thread,
				   .state = thread->state,
				   .lock = thread->lock,
				   .had_ns = lock_had_ns(thread, ts),
				   .sysno = thread->sysno,
				   .stack = ref.stack,
				   .ns = ts > thread->ts_state ? ts - thread->ts_state : 0};
}

/* Whom it waits for at `ts`; NULL: nobody, or that is unknown. The end of the window ends holds
 * first. What somebody waits for who perhaps does not have the mutex any more holds up nobody. */
static const struct thread *next_of(const struct chain_link *link, uint64_t ts)
{
	const struct gil *gil = link->thread->gil;
	const struct gil_fold *fold = gil ? gil->data : NULL;

	if (link->state != TS_GIL_WAIT)
		return link->lock.owner;
	if (gil && gil->holder)
		return gil->holder;
	return fold && fold->ts_held == ts ? fold->held_by : NULL;
}

int locks_chain(const struct report_builder *builder, const struct loop_fold *loop,
		struct stall *stall)
{
	const struct thread *next = loop->loop->thread;
	struct chain_link chain[CHAIN_MAX];
	uint32_t count = 0, known;
	bool certain = true;

	while (next && count < CHAIN_MAX) {
		for (known = 0; known < count && chain[known].thread != next; known++)
			;
		if (known < count) {
			stall->deadlock = certain ? known : CHAIN_MAX;
			break;
		}
		chain[count] = link_of(builder, next, stall->end);
		next = certain ? next_of(&chain[count], stall->end) : NULL;
		certain = !chain[count++].had_ns;
	}
	if (count == 1 ? !chain[0].lock.address
		       : count == 2 && !chain[0].lock.address && !chain[1].lock.address)
		return 0; /* that the GIL is waited for, and who has it, is reported anyway */
	stall->chain = calloc(count, sizeof(*stall->chain));
	if (!stall->chain)
		return -ENOMEM;
	memcpy(stall->chain, chain, count * sizeof(*chain));
	stall->chain_count = count;
	return 0;
}
