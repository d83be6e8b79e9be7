/* SPDX-License-Identifier: MIT */
/* gils.c - which GILs of interpreters that have ended, in processes that live, are not reported one
 * by one any more, and what becomes of these and of those of processes that leave. */
#include "analysis/ended/ended.h"

#include <errno.h>
#include <stdlib.h>

/* ── which ───────────────────────────────────────────────────────────────── */

static int by_end(const void *a, const void *b)
{
	const struct gil *const *x = a, *const *y = b;

	return ((*x)->ts_gone > (*y)->ts_gone) - ((*x)->ts_gone < (*y)->ts_gone);
}

/* Returns how many there are, the first to end first. */
static uint32_t list_gils(const struct world *world, struct gil **list, uint32_t room)
{
	uint32_t count = 0, position = 0;
	struct gil *gil;

	while ((gil = world_next_gil(world, &position)) && count < room)
		if (gil->gone && !gil->process->gone)
			list[count++] = gil;
	qsort(list, count, sizeof(struct gil *), by_end);
	return count;
}

bool ended_choose_gils(struct report_builder *builder, const struct world *world, uint32_t gone)
{
	uint64_t kept = builder->ended_kept, now = world_window(world).end;
	struct gil **list;
	uint32_t count;
	bool any = false;

	if (gone <= kept + kept / 2)
		return false;
	list = calloc(gone, sizeof(struct gil *));
	if (!list) {
		check(builder, -ENOMEM);
		return false;
	}
	count = list_gils(world, list, gone);
	for (uint32_t i = 0; i + kept < count; i++) {
		list[i]->leaves = list[i]->ts_gone + builder->ended_after_ns <= now ||
				  i + ENDED_GILS_MAX < count;
		any |= list[i]->leaves;
	}
	free(list);
	return any;
}

/* ── what stands for them ────────────────────────────────────────────────── */

static struct gil *heir_gil(struct report_builder *builder, const struct gil *gil)
{
	bool with_process = gil->process->leaves;
	struct process_fold *fold = with_process ? NULL : process_fold(builder, gil->process);
	struct gil *heir = with_process ? &builder->ended->gil : fold ? &fold->gil : NULL;

	if (heir && !heir->stands_for)
		*heir = (struct gil){.process = with_process ? &builder->ended->process
							     : gil->process,
				     .mode = gil->mode,
				     .gone = true};
	return heir;
}

static void add_gil_sums(struct report_builder *builder, struct gil_report *to,
			 const struct gil_report *from)
{
	to->held_ns += from->held_ns;
	to->waited_ns += from->waited_ns;
	to->contended_ns += from->contended_ns;
	to->handoffs += from->handoffs;
	to->forced += from->forced;
	check(builder, dist_merge(&to->hold, &from->hold));
	check(builder, dist_merge(&to->wait, &from->wait));
	if (from->longest_wait_ns <= to->longest_wait_ns)
		return;
	to->longest_wait_ns = from->longest_wait_ns;
	to->longest_wait_cut = from->longest_wait_cut;
}

static void move_gil(struct report_builder *builder, const struct gil *gil)
{
	const struct gil_fold *from = gil->data;
	struct gil *heir = heir_gil(builder, gil);
	struct gil_fold *to = heir ? gil_fold(builder, heir) : NULL;

	if (!to)
		return;
	heir->stands_for += how_many(gil->stands_for);
	heir->violations += gil->violations;
	heir->unknown_ns += gil_unknown_ns(gil, from ? &from->report : NULL);
	if (gil->mode > heir->mode)
		heir->mode = gil->mode; /* of which least is known */
	if (from)
		add_gil_sums(builder, &to->report, &from->report);
}

static void drop_folds(struct report_builder *builder)
{
	struct gil_fold **link = &builder->gils, *fold;

	while ((fold = *link)) {
		if (!fold->report.gil->leaves) {
			link = &fold->next;
			continue;
		}
		*link = fold->next;
		dist_done(&fold->report.hold);
		dist_done(&fold->report.wait);
		free(fold);
	}
}

void ended_move_gils(struct report_builder *builder, const struct world *world)
{
	uint32_t position = 0;
	struct gil *gil;

	while ((gil = world_next_gil(world, &position)))
		if (gil->leaves)
			move_gil(builder, gil);
	for (struct process_fold *fold = builder->processes; fold; fold = fold->next) {
		if (!fold->process->leaves || !fold->gil.stands_for)
			continue;
		move_gil(builder, &fold->gil);
		fold->gil.leaves = true;
	}
	drop_folds(builder);
}
