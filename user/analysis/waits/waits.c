/* SPDX-License-Identifier: MIT */
/*
 * waits.c - attributes GIL waits to holders, with the Python stacks of both.
 *
 * Each finished stretch with the GIL is added to the waits of every thread waiting for that GIL,
 * and to the blockers of its loop if that is in a turn. The model emits holders before waiters
 * (model.h), so a wait ends only after all of its holders' stretches were added.
 *
 * A stretch without a stack may be emitted again with one (ATTRIBUTION_HOLD_EARLIER); its time then
 * moves to that stack.
 */
#include <errno.h>
#include <stdlib.h>

#include "analysis/fold.h"

static struct wait_entry *wait_of(struct report_builder *builder, const struct thread *waiter,
				  uint32_t waiter_stack, const struct thread *holder,
				  uint32_t holder_stack)
{
	struct wait_entry key = {.key = {.waiter = waiter,
					 .holder = holder,
					 .waiter_stack = waiter_stack,
					 .holder_stack = holder_stack}};
	struct wait_entry *entry;
	int err = waits_get(&builder->waits, &key.key, &entry);

	if (err == -ENOSPC && (waiter_stack || holder_stack))
		return wait_of(builder, waiter, 0, holder, 0);
	check(builder, err == -ENOSPC ? 0 : err);
	return entry;
}

/* `ns` is modular: a negative amount is taken away. */
static void entry_add(struct wait_entry *entry, enum thread_state state, uint64_t ns)
{
	entry->time.ns += ns;
	entry->time.asleep_ns += state == TS_HELD_BLOCKED ? ns : 0;
	entry->time.no_cpu_ns += state == TS_HELD_RUNNABLE ? ns : 0;
}

/* When the table is full, the time is not stored: it counts as a wait with an unknown holder. */
static void wait_add(struct report_builder *builder, struct thread_fold *fold,
		     const struct thread *waiter, const struct thread *holder,
		     uint32_t holder_stack, enum thread_state state, uint64_t ns)
{
	uint32_t stack = still_of(builder, waiter).stack;
	struct wait_entry *entry = fold->wait_entry < builder->waits.count
					   ? table_at(&builder->waits, fold->wait_entry)
					   : NULL;

	if (!entry || entry->key.holder != holder || entry->key.waiter != waiter ||
	    entry->key.waiter_stack != stack || entry->key.holder_stack != holder_stack ||
	    entry->key.of.function) {
		entry = wait_of(builder, waiter, stack, holder, holder_stack);
		if (!entry)
			return;
		fold->wait_entry = (uint32_t)(entry - (struct wait_entry *)builder->waits.entries);
	}
	entry_add(entry, state, ns);
	fold->wait_attributed_ns += ns;
}

/* The waiter's loop if it is in a turn, else NULL. *ret_start: where the wait inside it starts. */
static struct loop_fold *waiting_loop(const struct thread *waiter, uint64_t start,
				      uint64_t *ret_start)
{
	struct loop_fold *loop = waiter->loop ? waiter->loop->data : NULL;

	if (!loop || !loop->in_turn)
		return NULL;
	*ret_start = later(start, loop->ts_turn);
	return loop;
}

static bool waits_for(const struct thread *waiter, const struct gil *gil)
{
	return waiter->state == TS_GIL_WAIT && waiter->gil == gil;
}

static void blame(struct report_builder *builder, const struct interval *i, struct thread *waiter,
		  const struct stack_ref *ref)
{
	uint64_t from = later(i->start, waiter->ts_state);
	struct thread_fold *fold = thread_fold(builder, waiter);
	struct loop_fold *loop;
	uint64_t ns;

	if (!fold || from >= i->end)
		return;
	wait_add(builder, fold, waiter, i->thread, ref ? ref->stack : 0, i->state, i->end - from);
	fold->waited_ns += i->end - from;
	starved_held(builder, fold, waiter, i, ref);
	loop = waiting_loop(waiter, from, &from);
	if (!loop || from >= i->end)
		return;
	ns = i->end - from;
	check(builder,
	      breakdown_add_blocker(&loop->now, i->thread, i->state, ns,
				    gc_share(i->thread->process, i->gc, ref, i->state, ns), ref));
	if (sysno_is_stop(i->sysno))
		check(builder,
		      breakdown_add_stop(&loop->now, i->thread, stop_kind_of(i->sysno), ns));
}

void waits_held(struct report_builder *builder, const struct stretch *stretch)
{
	const struct interval *i = stretch->interval;
	const struct stack_ref *ref = builder->report.stacks ? stretch->ref : NULL;
	struct thread *waiter = i->gil->waiting;

	for (uint32_t n = 0; waiter && n < WAITERS_MAX; waiter = waiter->next_waiting, n++)
		if (waits_for(waiter, i->gil))
			blame(builder, i, waiter, ref);
}

/* Moves the waiter's time during `early` from holder stack 0 to `ref`. */
static void move(struct report_builder *builder, const struct interval *early,
		 const struct thread *waiter, const struct stack_ref *ref)
{
	const struct thread *holder = early->thread;
	uint64_t from = later(early->start, waiter->ts_state), ns;
	struct thread_fold *fold = waiter->data;
	struct wait_entry *entry;
	struct loop_fold *loop;

	if (!fold || from >= early->end)
		return;
	entry = wait_of(builder, waiter, still_of(builder, waiter).stack, holder, 0);
	ns = early->end - from;
	if (entry && ref->stack && entry->time.ns >= ns) {
		entry_add(entry, early->state, -ns);
		fold->wait_attributed_ns -= ns;
		wait_add(builder, fold, waiter, holder, ref->stack, early->state, ns);
	}
	starved_held_earlier(builder, fold, waiter, early, ref);
	loop = waiting_loop(waiter, from, &from);
	if (!loop || from >= early->end)
		return;
	ns = early->end - from;
	check(builder, breakdown_move_blocker(
			       &loop->now, holder, early->state, ns,
			       gc_share(holder->process, early->gc, NULL, early->state, ns),
			       gc_share(holder->process, early->gc, ref, early->state, ns), ref));
}

void waits_held_earlier(struct report_builder *builder, const struct stretch *stretch)
{
	const struct gil *gil = stretch->thread->gil;
	const struct thread *waiter = gil->waiting;

	for (uint32_t n = 0; waiter && n < WAITERS_MAX; waiter = waiter->next_waiting, n++)
		if (waits_for(waiter, gil))
			move(builder, stretch->interval, waiter, stretch->ref);
}

void waits_waited(struct report_builder *builder, struct thread_fold *waiter,
		  const struct interval *i)
{
	uint64_t ns = i->end - i->start;

	/* Waiting time without a known holder. Not stored when the waiter's stack is unknown:
	 * report_flames() derives it as the remainder. */
	if (ns > waiter->waited_ns && still_of(builder, i->thread).stack)
		wait_add(builder, waiter, i->thread, NULL, 0, TS_UNKNOWN, ns - waiter->waited_ns);
	waiter->waited_ns = 0;
}
