/* SPDX-License-Identifier: MIT */
/* choose.c - which of the processes that have ended are not reported one by one any more, and what
 * becomes of them. */
#include "analysis/ended/ended.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* ── which ───────────────────────────────────────────────────────────────── */

struct candidate {
	struct process *process;
	bool trouble;	     /* it had a stall, or did not end well */
	uint64_t longest_ns; /* stall */
};

static bool ended_badly(const struct death *death)
{
	if (!death->known)
		return false;
	return death->signal ? death->signal != SIGTERM && death->signal != SIGINT &&
				       death->signal != SIGHUP
			     : death->status != 0;
}

static struct candidate candidate_of(struct process *process)
{
	struct candidate candidate = {.process = process, .trouble = ended_badly(&process->death)};
	const struct process_fold *fold = process->data;

	for (uint32_t n = 0; fold && n < fold->loop_count; n++) {
		const struct loop_report *loop = &fold->loops[n]->report;

		candidate.trouble |= loop_stall_count(loop) != 0;
		if (loop_stall_count(loop))
			candidate.longest_ns = later(candidate.longest_ns, loop->longest_ns);
	}
	return candidate;
}

static int least_interesting_first(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->trouble != y->trouble)
		return x->trouble ? 1 : -1;
	if (x->longest_ns != y->longest_ns)
		return x->longest_ns > y->longest_ns ? 1 : -1;
	return (x->process->ts_gone > y->process->ts_gone) -
	       (x->process->ts_gone < y->process->ts_gone);
}

static uint32_t list_candidates(const struct report_builder *builder, const struct world *world,
				struct candidate *list)
{
	uint64_t now = world_window(world).end;
	uint32_t count = 0, position = 0;
	struct process *process;

	while ((process = world_next_process(world, &position)))
		if (process->gone && process->ts_gone + builder->ended_after_ns <= now)
			list[count++] = candidate_of(process);
	return count;
}

/* Half as many more than are kept, so that the work is done for many at a time. */
static bool choose_processes(struct report_builder *builder, const struct world *world,
			     uint32_t ended)
{
	uint32_t kept = builder->ended_kept, count;
	struct candidate *list;

	if (ended <= kept + kept / 2)
		return false;
	list = calloc(ended, sizeof(*list));
	if (!list) {
		check(builder, -ENOMEM);
		return false;
	}
	count = list_candidates(builder, world, list);
	qsort(list, count, sizeof(*list), least_interesting_first);
	if (count > ended - kept)
		count = ended - kept;
	for (uint32_t i = 0; i < count; i++)
		list[i].process->leaves = true;
	free(list);
	return count;
}

bool ended_choose(void *ctx, const struct world *world, struct world_ended gone)
{
	struct report_builder *builder = ctx;
	bool any;

	if (builder->error)
		return false;
	any = choose_processes(builder, world, gone.processes);
	any |= ended_choose_threads(builder, world, gone.threads);
	return ended_choose_gils(builder, world, gone.gils) || any;
}

/* ── what stands for them ────────────────────────────────────────────────── */

static struct ended *ended_of(struct report_builder *builder, const struct process *first)
{
	struct ended *ended = builder->ended;

	if (ended)
		return ended;
	ended = builder->ended = calloc(1, sizeof(*ended));
	if (!ended) {
		check(builder, -ENOMEM);
		return NULL;
	}
	ended->process.info = first->info;
	ended->process.info.pid = ended->process.info.parent = 0;
	ended->process.info.container[0] = '\0'; /* each may have had its own */
	ended->process.loops_known = first->loops_known;
	ended->process.gone = true;
	return ended;
}

static bool same_death(const struct process *a, const struct process *b)
{
	return a->death.signal == b->death.signal && a->death.status == b->death.status &&
	       a->death.oom == b->death.oom && a->sent.number == b->sent.number;
}

/* The finding about such deaths goes on counting them, and looks like the latest. */
static void move_death(struct report_builder *builder, struct ended *ended,
		       const struct process *process)
{
	const struct process_fold *fold = process->data;
	struct ended_death *death = NULL;

	if (!ended_badly(&process->death))
		return;
	for (uint32_t i = 0; i < ended->death_count && !death; i++)
		if (same_death(&ended->deaths[i].process, process))
			death = &ended->deaths[i];
	if (!death && ended->death_count < ENDED_DEATHS_MAX)
		death = &ended->deaths[ended->death_count++];
	if (!death)
		return;
	death->count++;
	death->served |= fold && fold->loop_count;
	if (process->death.ts < death->process.death.ts)
		return;
	death->process = *process;
	death->process.parent = death->process.sent.from = NULL;
	death->process.data = NULL;
	death->report.process = &death->process;
	death->report.crashed = handler_of(builder, process->crash.stack);
}

static void move_process(struct report_builder *builder, struct process *process)
{
	struct ended *ended = ended_of(builder, process);
	const struct process_fold *fold = process_fold(builder, process);

	if (!ended || !fold)
		return;
	ended->process.stands_for++;
	ended->process.lost += process->lost;
	if (!ended->process.sites_fault)
		ended->process.sites_fault = process->sites_fault;
	move_death(builder, ended, process);
	for (uint32_t i = 0; i < fold->heirs.count; i++)
		fold->heirs.list[i]->thread.leaves = true;
}

static void note_loops(const struct process_fold *process)
{
	for (uint32_t n = 0; n < process->loop_count; n++) {
		const struct thread *thread = process->loops[n]->loop->thread;

		((struct thread_fold *)thread->data)->had_loop = false;
	}
	for (uint32_t n = 0; n < process->loop_count; n++) {
		const struct thread *thread = process->loops[n]->loop->thread;

		if (!loop_was_none(process->loops[n]))
			((struct thread_fold *)thread->data)->had_loop = true;
	}
}

/* ── all of it ───────────────────────────────────────────────────────────── */

static void move_threads(struct report_builder *builder)
{
	struct thread_fold **link = &builder->threads, *fold;

	while ((fold = *link)) {
		if (!fold->report.thread->leaves) {
			ended_redirect(builder, fold);
			link = &fold->next;
			continue;
		}
		*link = fold->next;
		ended_move_thread(builder, fold);
	}
}

/* Their heirs' are appended to the same list. */
static void move_loops(struct report_builder *builder, struct process_fold *process)
{
	for (uint32_t n = 0; n < process->loop_count;) {
		struct loop_fold *loop = process->loops[n];

		if (!loop->loop->thread->leaves) {
			n++;
			continue;
		}
		process->loop_count--;
		memmove(&process->loops[n], &process->loops[n + 1],
			(process->loop_count - n) * sizeof(struct loop_fold *));
		builder->loop_count--;
		ended_move_loop(builder, loop);
	}
}

static void drop_processes(struct report_builder *builder)
{
	struct process_fold **link = &builder->processes, *fold;

	while ((fold = *link)) {
		if (!fold->process->leaves) {
			link = &fold->next;
			continue;
		}
		*link = fold->next;
		process_fold_free(fold);
	}
}

/* As of a report: process_report.observed_ns. */
static void add_observed(struct report_builder *builder, const struct world *world)
{
	struct process *process;
	uint32_t position = 0;

	for (const struct thread_fold *fold = builder->threads; fold; fold = fold->next) {
		const struct thread *thread = fold->report.thread;
		struct process_fold *of = thread->leaves ? thread->process->data : NULL;

		if (of && !thread->stands_for && (thread->python || fold->had_loop))
			of->observed_ns = later(of->observed_ns,
						state_sums_total(&fold->report.states));
	}
	while ((process = world_next_process(world, &position)))
		if (process->leaves && process->data)
			builder->ended->observed_ns +=
				((const struct process_fold *)process->data)->observed_ns;
}

/* Pools first, for heirs are by pool; and threads last, for everything else looks at them. */
void ended_forget(void *ctx, const struct world *world)
{
	struct report_builder *builder = ctx;
	struct process_fold *fold;
	struct process *process;
	uint32_t position = 0;

	while ((process = world_next_process(world, &position)))
		if (process->leaves)
			move_process(builder, process);
	if (builder->error)
		return;
	for (fold = builder->processes; fold; fold = fold->next)
		note_loops(fold);
	add_observed(builder, world);
	report_clear(builder);
	ended_move_pools(builder);
	ended_move_tables(builder);
	for (fold = builder->processes; fold; fold = fold->next)
		move_loops(builder, fold);
	ended_move_gils(builder, world);
	move_threads(builder);
	drop_processes(builder);
}

void ended_free(struct ended *ended)
{
	if (ended)
		heirs_done(&ended->heirs);
	free(ended);
}
