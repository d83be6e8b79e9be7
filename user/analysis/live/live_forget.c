/* SPDX-License-Identifier: MIT */
/* Processes that the world frees: what is kept of them goes, too. They ended longer ago than the
 * window is long, so the view has lost nothing by it but lines that say nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/live/live_private.h"

/* ── lists of a step ─────────────────────────────────────────────────────── */

static void forget_threads(struct step *step)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < step->thread_count; i++)
		if (!step->threads[i].thread->leaves)
			step->threads[kept++] = step->threads[i];
	step->thread_count = kept;
}

static void forget_gils(struct step *step)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < step->gil_count; i++)
		if (!step->gils[i].gil->process->leaves)
			step->gils[kept++] = step->gils[i];
	step->gil_count = kept;
}

static void forget_loops(struct step *step)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < step->loop_count; i++)
		if (!step->loops[i].loop->thread->leaves)
			step->loops[kept++] = step->loops[i];
		else
			dist_growth_done(&step->loops[i].turn);
	step->loop_count = kept;
}

static void forget_pools(struct step *step)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < step->pool_count; i++)
		if (!step->pools[i].process->leaves)
			step->pools[kept++] = step->pools[i];
		else
			free(step->pools[i].functions);
	step->pool_count = kept;
}

static void forget_starved(struct live_starved *list, uint32_t *count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < *count; i++)
		if (!list[i].thread->leaves)
			list[kept++] = list[i];
		else
			breakdown_done(&list[i].starved.what);
	*count = kept;
}

static void forget_waits(struct step *step)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < step->wait_count; i++)
		if (!step->waits[i].waiter->leaves)
			step->waits[kept++] = step->waits[i];
	step->wait_count = kept;
}

static void forget_processes(struct step *step)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < step->process_count; i++)
		if (!step->processes[i].process->leaves)
			step->processes[kept++] = step->processes[i];
	step->process_count = kept;
}

/* ── sums as of the last report ──────────────────────────────────────────── */

static bool thread_leaves(const void *entry)
{
	return ((const struct live_thread *)entry)->thread->leaves;
}

static bool gil_leaves(const void *entry)
{
	return ((const struct live_gil *)entry)->gil->process->leaves;
}

static bool loop_leaves(const void *entry)
{
	return ((const struct loop_sums *)entry)->loop->thread->leaves;
}

static bool process_leaves(const void *entry)
{
	return ((const struct process_sums *)entry)->process->leaves;
}

static void loop_sums_done(void *entry)
{
	struct loop_sums *loop = entry;

	dist_done(&loop->turn);
	live_stall_put(loop->ongoing);
}

/* All keys are one pointer. Without memory for the new table nothing is left of the old one, and
 * the next step has the sums of all time; but then there is no step (live_update()). */
static void table_forget(struct live *live, struct table *table, bool (*leaves)(const void *entry),
			 void (*done)(void *entry))
{
	struct table old = *table;
	const size_t bytes = old.entry_bytes, key_bytes = sizeof(void *);

	*table = (struct table){.entry_bytes = bytes, .limit = old.limit};
	for (uint32_t i = 0; i < old.count; i++) {
		void *from = table_at(&old, i), *to = NULL;

		if (!leaves(from) && table_get(table, from, key_bytes, &to) < 0)
			live->error = -ENOMEM;
		if (to)
			memcpy(to, from, bytes);
		else if (done)
			done(from);
	}
	table_done(&old);
}

/* ── the stage ───────────────────────────────────────────────────────────── */

/* Somebody may look at a stall for longer than the window is long. */
static bool on_choose(void *ctx, const struct world *world, struct world_ended ended)
{
	const struct live *live = ctx;

	(void)world;
	(void)ended;
	for (const struct live_stall *stall = live->all; stall; stall = stall->next)
		stall->loop->thread->process->leaves = false;
	return false;
}

static void on_forget(void *ctx, const struct world *world)
{
	struct live *live = ctx;

	(void)world;
	for (uint32_t i = 0; i < live->step_count; i++) {
		struct step *step = &live->steps[i];

		forget_threads(step);
		forget_gils(step);
		forget_loops(step);
		forget_pools(step);
		forget_starved(step->starved, &step->starved_count);
		forget_waits(step);
		forget_processes(step);
	}
	forget_starved(live->waiting, &live->waiting_count);
	table_forget(live, &live->threads, thread_leaves, NULL);
	table_forget(live, &live->gils, gil_leaves, NULL);
	table_forget(live, &live->loops, loop_leaves, loop_sums_done);
	table_forget(live, &live->process_sums, process_leaves, NULL);
	live->process_count = 0; /* until the next step */
}

struct stretch_sink live_sink(struct live *live)
{
	return (struct stretch_sink){
		.model = {.choose = on_choose, .forget = on_forget, .ctx = live}};
}
