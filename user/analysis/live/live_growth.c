/* SPDX-License-Identifier: MIT */
/*
 * What growth reports bring of their own: the long waits for the GIL, who had it, sums by process,
 * and pools (live_pools.c). Kept by step, and added up for a view.
 */
#include <errno.h>
#include <stdlib.h>

#include "analysis/live/live_private.h"

#define WAITS	4096 /* by waiter, holder and function in one step, likewise */
#define HOLDERS 8    /* of a long wait that are kept, most first */

/* ── long waits for the GIL ──────────────────────────────────────────────── */

static int starved_copy(struct live_starved *to, const struct thread *thread,
			const struct starvation *from)
{
	struct starvation copy = *from;
	struct breakdown what = from->what;

	if (what.blocker_count > HOLDERS) {
		what.blocker_count = HOLDERS;
		what.more_blockers = true;
	}
	if (breakdown_copy(&what, &copy.what) < 0)
		return -ENOMEM;
	*to = (struct live_starved){.thread = thread, .starved = copy};
	return 0;
}

void live_starved_free(struct live_starved *list, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		breakdown_done(&list[i].starved.what);
	free(list);
}

static int keep_starved(struct live_starved **list, uint32_t *count, const struct thread *thread,
			const struct starvation *starved)
{
	struct live_starved *grown = reallocarray(*list, *count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	*list = grown;
	if (starved_copy(&grown[*count], thread, starved) < 0)
		return -ENOMEM;
	++*count;
	return 0;
}

static int step_starved(struct live *live, struct step *step, const struct thread_report *report)
{
	int err = 0;

	if (report->starved.count)
		err = keep_starved(&step->starved, &step->starved_count, report->thread,
				   &report->starved);
	if (err == 0 && report->waiting)
		err = keep_starved(&live->waiting, &live->waiting_count, report->thread,
				   report->waiting);
	return err;
}

/* The table's entries point into the steps until all are added up. */
static int add_starved(struct table *table, const struct live_starved *from)
{
	struct live_starved *entry;
	struct starvation *to;
	uint64_t count, ns;

	if (live_starved_get(table, &from->thread, &entry) < 0)
		return -ENOMEM;
	to = &entry->starved;
	count = to->count + from->starved.count;
	ns = to->ns + from->starved.ns;
	if (!to->count || from->starved.end - from->starved.start > to->end - to->start)
		*to = from->starved;
	to->count = count;
	to->ns = ns;
	return 0;
}

static int by_appearance(const void *a, const void *b)
{
	const struct live_starved *x = a, *y = b;

	return (x->thread->index > y->thread->index) - (x->thread->index < y->thread->index);
}

static int view_starved(const struct live *live, struct live_view *view)
{
	struct table table = TABLE(struct live_starved, UINT32_MAX / 4);
	int err = 0;

	for (uint32_t n = 0; n < live->step_count; n++)
		for (uint32_t i = 0; i < live->steps[n].starved_count && err == 0; i++)
			err = add_starved(&table, &live->steps[n].starved[i]);
	for (uint32_t i = 0; i < live->waiting_count && err == 0; i++)
		err = add_starved(&table, &live->waiting[i]);
	for (uint32_t i = 0; i < table.count && err == 0; i++) {
		const struct live_starved *entry = table_at(&table, i);

		err = keep_starved(&view->starved, &view->starved_count, entry->thread,
				   &entry->starved);
	}
	table_done(&table);
	if (view->starved_count)
		qsort(view->starved, view->starved_count, sizeof(*view->starved), by_appearance);
	return err;
}

/* ── who had it ──────────────────────────────────────────────────────────── */

/* Of what it ran only the function counts. */
struct live_wait {
	struct {
		const struct thread *waiter, *holder;
		uint32_t function, spare; /* the holder's handler; 0: none */
	} key;
	struct wait_flame wait; /* the holder's stack is that with … */
	uint64_t most_ns;	/* … so much */
};
TABLE_OF(live_waits, struct live_wait, key)

static int add_wait(struct table *table, const struct wait_flame *from, uint32_t function)
{
	struct live_wait *entry, like = {.key = {from->waiter, from->holder, function, 0}};
	int err = live_waits_get(table, &like.key, &entry);

	if (err == -ENOSPC)
		return 0;
	if (err < 0)
		return err;
	entry->wait.waiter = from->waiter;
	entry->wait.holder = from->holder;
	entry->wait.ns += from->ns;
	entry->wait.asleep_ns += from->asleep_ns;
	entry->wait.no_cpu_ns += from->no_cpu_ns;
	if (from->holder_stack && live_at_least_zero(from->ns) >= entry->most_ns) {
		entry->most_ns = live_at_least_zero(from->ns);
		entry->wait.holder_stack = from->holder_stack;
		entry->wait.waiter_stack = from->waiter_stack;
	}
	return 0;
}

static uint32_t function_at(const struct report *report, uint32_t stack)
{
	return report->finder && stack
		       ? handler_find(report->finder, report->names, stack).frame.function
		       : 0;
}

/* What is kept of them, as a list of their own. Frees the table. */
static struct wait_flame *list_waits(struct table *table, uint32_t *ret_count)
{
	struct wait_flame *list = calloc(table->count + 1, sizeof(*list));

	for (uint32_t i = 0; list && i < table->count; i++) {
		struct wait_flame *wait = &list[*ret_count];

		*wait = ((const struct live_wait *)table_at(table, i))->wait;
		*ret_count += wait->ns != 0;
	}
	table_done(table);
	return list;
}

/* Only in processes without a loop are waits a finding by themselves. */
static int step_waits(struct step *step, const struct report *report)
{
	struct table table = TABLE(struct live_wait, WAITS);
	int err = 0;

	for (uint32_t i = 0; i < report->wait_flame_count && err == 0; i++) {
		const struct wait_flame *wait = &report->wait_flames[i];

		if (!report->processes[wait->waiter->process->index].loop_count)
			err = add_wait(&table, wait, function_at(report, wait->holder_stack));
	}
	step->waits = list_waits(&table, &step->wait_count);
	return err < 0 || step->waits ? err : -ENOMEM;
}

static bool is_positive(const struct wait_flame *wait)
{
	return wait->ns && wait->ns <= INT64_MAX && wait->asleep_ns <= wait->ns &&
	       wait->no_cpu_ns <= wait->ns - wait->asleep_ns;
}

static int view_waits(const struct live *live, struct live_view *view)
{
	struct table table = TABLE(struct live_wait, UINT32_MAX / 4);
	uint32_t kept = 0;
	int err = 0;

	for (uint32_t n = 0; n < live->step_count; n++)
		for (uint32_t i = 0; i < live->steps[n].wait_count && err == 0; i++) {
			const struct wait_flame *wait = &live->steps[n].waits[i];

			err = add_wait(&table, wait, function_at(&live->about, wait->holder_stack));
		}
	view->waits = list_waits(&table, &view->wait_count);
	for (uint32_t i = 0; i < view->wait_count; i++)
		if (is_positive(&view->waits[i]))
			view->waits[kept++] = view->waits[i];
	view->wait_count = kept;
	return err < 0 || view->waits ? err : -ENOMEM;
}

/* ── processes ───────────────────────────────────────────────────────────── */

static int step_process(struct live *live, struct step *step, const struct process_report *report)
{
	struct process_sums *before,
		growth = {.process = report->process, .states = report->states};
	int err = live_processes_get(&live->process_sums, &report->process, &before);

	if (err < 0)
		return err;
	for (int s = 0; s < TS_COUNT; s++)
		growth.states.ns[s] -= before->states.ns[s];
	before->states = report->states;
	step->processes[step->process_count++] = growth;
	return 0;
}

static int view_processes(const struct live *live, struct live_view *view)
{
	struct table table = TABLE(struct process_sums, UINT32_MAX / 4);
	struct process_sums *sums;
	int err = 0;

	for (uint32_t n = 0; n < live->step_count; n++)
		for (uint32_t i = 0; i < live->steps[n].process_count && err == 0; i++) {
			const struct process_sums *step = &live->steps[n].processes[i];

			err = live_processes_get(&table, &step->process, &sums);
			if (err == 0)
				state_sums_add(&sums->states, &step->states);
		}
	view->process_states = calloc(view->process_count + 1, sizeof(*view->process_states));
	if (err == 0 && !view->process_states)
		err = -ENOMEM;
	for (uint32_t i = 0; i < view->process_count && err == 0; i++) {
		err = live_processes_get(&table, &view->processes[i], &sums);
		for (int s = 0; s < TS_COUNT && err == 0; s++)
			view->process_states[i].ns[s] = live_at_least_zero(sums->states.ns[s]);
	}
	table_done(&table);
	return err;
}

/* ── all of it ───────────────────────────────────────────────────────────── */

int live_step_growth(struct live *live, struct step *step, const struct report *report)
{
	int err = live_step_pools(step, report);

	live_starved_free(live->waiting, live->waiting_count);
	live->waiting = NULL;
	live->waiting_count = 0;
	err = err ? err : step_waits(step, report);
	step->processes = calloc(report->process_count + 1, sizeof(*step->processes));
	if (err == 0 && !step->processes)
		err = -ENOMEM;
	for (uint32_t p = 0; p < report->process_count && err == 0; p++) {
		const struct process_report *process = &report->processes[p];

		err = step_process(live, step, process);
		for (uint32_t i = 0; i < process->thread_count && err == 0; i++)
			err = step_starved(live, step, &process->threads[i]);
	}
	return err;
}

void live_step_growth_done(struct step *step)
{
	live_pools_free(step->pools, step->pool_count);
	live_starved_free(step->starved, step->starved_count);
	free(step->waits);
	free(step->processes);
}

int live_view_growth(const struct live *live, struct live_view *view)
{
	int err = live_view_pools(live, view);

	err = err ? err : view_starved(live, view);
	err = err ? err : view_waits(live, view);
	return err ? err : view_processes(live, view);
}
