/* SPDX-License-Identifier: MIT */
/* spare.c - which of the threads that have ended, of processes that live, are not reported one by
 * one any more. */
#include "analysis/ended/ended.h"

#include <errno.h>
#include <stdlib.h>

/* ── what something refers to stays ──────────────────────────────────────── */

void ended_spare(const struct thread *thread)
{
	if (thread)
		((struct thread *)thread)->leaves = false;
}

void ended_spare_breakdown(const struct breakdown *what)
{
	for (uint32_t i = 0; i < what->blocker_count; i++)
		ended_spare(what->blockers[i].thread);
	for (uint32_t i = 0; i < what->lock_count; i++) {
		ended_spare(what->locks[i].thread);
		ended_spare(what->locks[i].by);
	}
	for (uint32_t i = 0; i < what->helper_count; i++)
		ended_spare(what->helpers[i].thread);
}

void ended_spare_stall(const struct stall *stall)
{
	ended_spare_breakdown(&stall->what);
	for (uint32_t i = 0; i < stall->chain_count; i++) {
		ended_spare(stall->chain[i].thread);
		ended_spare(stall->chain[i].lock.owner);
	}
}

/* A loop with listed stalls, the turn in progress, and who stopped the loop most. */
static void spare_loop(const struct loop_fold *loop)
{
	const struct loop_report *report = &loop->report;

	for (uint32_t i = 0; i < report->stall_count; i++)
		ended_spare_stall(&report->stalls[i]);
	if (report->stall_count || loop->in_turn)
		ended_spare(loop->loop->thread);
	ended_spare_breakdown(&report->stalled);
	ended_spare_breakdown(&loop->now);
	ended_spare_breakdown(&loop->meanwhile);
	ended_spare_breakdown(&loop->asleep);
	ended_spare(loop->woken_by);
}

static void spare_referenced(const struct report_builder *builder)
{
	for (const struct process_fold *process = builder->processes; process;
	     process = process->next)
		for (uint32_t n = 0; n < process->loop_count; n++)
			spare_loop(process->loops[n]);
	for (const struct thread_fold *fold = builder->threads; fold; fold = fold->next) {
		if (fold->report.thread->gone)
			continue;
		ended_spare_breakdown(&fold->report.starved.what);
		ended_spare_breakdown(&fold->waiting_for);
	}
	for (const struct gil_fold *fold = builder->gils; fold; fold = fold->next)
		ended_spare(fold->held_by);
}

/* ── which of the others ─────────────────────────────────────────────────── */

static bool may_leave(const struct report_builder *builder, const struct thread *thread,
		      uint64_t now)
{
	return thread->gone && !thread->process->gone && thread->tid != thread->process->info.pid &&
	       thread->ts_state + builder->ended_after_ns <= now;
}

static int by_end(const void *a, const void *b)
{
	const struct thread *const *x = a, *const *y = b;

	return ((*x)->ts_state > (*y)->ts_state) - ((*x)->ts_state < (*y)->ts_state);
}

/* Returns how many of the list may leave, the first to end first. */
static uint32_t list_threads(const struct report_builder *builder, const struct world *world,
			     struct thread **list)
{
	uint64_t now = world_window(world).end;
	uint32_t count = 0, kept = 0, position = 0;
	struct thread *thread;

	while ((thread = world_next_thread(world, &position))) {
		thread->leaves = may_leave(builder, thread, now);
		if (thread->leaves)
			list[count++] = thread;
	}
	spare_referenced(builder);
	for (uint32_t i = 0; i < count; i++)
		if (list[i]->leaves)
			list[kept++] = list[i];
	qsort(list, kept, sizeof(struct thread *), by_end);
	return kept;
}

bool ended_choose_threads(struct report_builder *builder, const struct world *world, uint32_t gone)
{
	uint64_t kept = ENDED_THREADS_TIMES * (uint64_t)builder->ended_kept;
	uint32_t count;
	struct thread **list;

	if (gone <= kept + kept / 2)
		return false;
	list = calloc(gone, sizeof(struct thread *));
	if (!list) {
		check(builder, -ENOMEM);
		return false;
	}
	count = list_threads(builder, world, list);
	for (uint64_t i = count > kept ? count - kept : 0; i < count; i++)
		list[i]->leaves = false; /* the latest stay */
	free(list);
	return count > kept;
}
