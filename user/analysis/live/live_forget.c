/* SPDX-License-Identifier: MIT */
/* Processes, threads and GILs that the world frees: what is kept of them goes, too. They ended
 * longer ago than the window is long, so the view has lost nothing by it but lines that say
 * nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/ended/ended.h"
#include "analysis/live/live_private.h"

/* ── whose an entry is: all of them begin with a pointer that says so ────── */

static bool thread_leaves(const void *entry)
{
	return (*(const struct thread *const *)entry)->leaves;
}

static bool gil_leaves(const void *entry)
{
	return (*(const struct gil *const *)entry)->leaves;
}

static bool loop_leaves(const void *entry)
{
	return (*(const struct loop *const *)entry)->thread->leaves;
}

static bool process_leaves(const void *entry)
{
	return (*(const struct process *const *)entry)->leaves;
}

/* ── and what it owns ────────────────────────────────────────────────────── */

static void loop_step_done(void *entry)
{
	dist_growth_done(&((struct loop_step *)entry)->turn);
}

static void pool_done(void *entry)
{
	free(((struct pool_report *)entry)->functions);
}

static void starved_done(void *entry)
{
	breakdown_done(&((struct live_starved *)entry)->starved.what);
}

static void loop_sums_done(void *entry)
{
	struct loop_sums *loop = entry;

	dist_done(&loop->turn);
	live_stall_put(loop->ongoing);
}

/* ── lists and tables ────────────────────────────────────────────────────── */

typedef bool (*leaving)(const void *entry);
typedef void (*ending)(void *entry); /* NULL: it owns nothing */

/* Returns how many entries the list has left. */
static uint32_t list_forget(void *list, uint32_t count, size_t bytes, leaving leaves, ending done)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		char *entry = (char *)list + i * bytes;

		if (!leaves(entry))
			memmove((char *)list + kept++ * bytes, entry, bytes);
		else if (done)
			done(entry);
	}
	return kept;
}
#define LIST_FORGET(list, count, leaves, done)                                                     \
	((count) = list_forget(list, count, sizeof(*(list)), leaves, done))

static void step_forget(struct step *step)
{
	LIST_FORGET(step->threads, step->thread_count, thread_leaves, NULL);
	LIST_FORGET(step->gils, step->gil_count, gil_leaves, NULL);
	LIST_FORGET(step->loops, step->loop_count, loop_leaves, loop_step_done);
	LIST_FORGET(step->pools, step->pool_count, process_leaves, pool_done);
	LIST_FORGET(step->starved, step->starved_count, thread_leaves, starved_done);
	LIST_FORGET(step->waits, step->wait_count, thread_leaves, NULL);
	LIST_FORGET(step->processes, step->process_count, process_leaves, NULL);
}

/* All keys are one pointer. Without memory for the new table nothing is left of the old one, and
 * the next step has the sums of all time; but then there is no step (live_update()). */
static void table_forget(struct live *live, struct table *table, leaving leaves, ending done)
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

/* A thread that stays may have had a GIL that leaves. */
static void let_go_of_gil(struct live_thread *thread)
{
	if (thread->gil && thread->gil->leaves)
		thread->gil = NULL;
}

static void forget_gils_of_threads(struct live *live)
{
	for (uint32_t i = 0; i < live->step_count; i++)
		for (uint32_t n = 0; n < live->steps[i].thread_count; n++)
			let_go_of_gil(&live->steps[i].threads[n]);
	for (uint32_t i = 0; i < live->threads.count; i++)
		let_go_of_gil(table_at(&live->threads, i));
}

/* ── the stage ───────────────────────────────────────────────────────────── */

static void spare_starved(const struct live_starved *list, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		ended_spare_breakdown(&list[i].starved.what);
}

static void spare_step(const struct step *step)
{
	spare_starved(step->starved, step->starved_count);
	for (uint32_t i = 0; i < step->wait_count; i++)
		ended_spare(step->waits[i].holder);
}

/* Somebody may look at a stall for longer than the window is long, and a wait may last longer. */
static bool on_choose(void *ctx, const struct world *world, struct world_ended ended)
{
	const struct live *live = ctx;

	(void)world;
	(void)ended;
	for (const struct live_stall *stall = live->all; stall; stall = stall->next) {
		stall->loop->thread->process->leaves = false;
		ended_spare(stall->loop->thread);
		ended_spare_stall(&stall->stall);
	}
	for (uint32_t i = 0; i < live->step_count; i++)
		spare_step(&live->steps[i]);
	spare_starved(live->waiting, live->waiting_count);
	return false;
}

static void on_forget(void *ctx, const struct world *world)
{
	struct live *live = ctx;

	(void)world;
	for (uint32_t i = 0; i < live->step_count; i++)
		step_forget(&live->steps[i]);
	LIST_FORGET(live->waiting, live->waiting_count, thread_leaves, starved_done);
	table_forget(live, &live->threads, thread_leaves, NULL);
	table_forget(live, &live->gils, gil_leaves, NULL);
	table_forget(live, &live->loops, loop_leaves, loop_sums_done);
	table_forget(live, &live->process_sums, process_leaves, NULL);
	forget_gils_of_threads(live);
	live->process_count = 0; /* until the next step */
}

struct stretch_sink live_sink(struct live *live)
{
	return (struct stretch_sink){
		.model = {.choose = on_choose, .forget = on_forget, .ctx = live}};
}
