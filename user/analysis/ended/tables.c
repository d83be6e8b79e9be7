/* SPDX-License-Identifier: MIT */
/* tables.c - tables by thread and of pools, without the threads and processes that leave. */
#include "analysis/ended/ended.h"

#include <errno.h>
#include <stdlib.h>

/* ── by thread ──────────────────────────────────────────────────────────────── */

static void move_flames(struct report_builder *builder)
{
	struct table old = builder->flames;

	builder->flames = TABLE(struct flame_entry, FLAMES_MAX);
	for (uint32_t n = 0; n < old.count; n++) {
		const struct flame_entry *from = table_at(&old, n);
		struct flame_entry key = *from, *to;

		key.key.thread = heir_or_self(builder, key.key.thread);
		if (!key.key.thread)
			continue;
		/* never more entries than before */
		check(builder, flames_get(&builder->flames, &key.key, &to));
		if (!to)
			continue;
		flame_entry_add(to, from);
	}
	table_done(&old);
}

static void move_waits(struct report_builder *builder)
{
	struct table old = builder->waits;

	builder->waits = TABLE(struct wait_entry, FLAMES_MAX);
	for (uint32_t n = 0; n < old.count; n++) {
		const struct wait_entry *from = table_at(&old, n);
		struct wait_entry key = *from, *to;

		key.key.waiter = heir_or_self(builder, key.key.waiter);
		key.key.holder = heir_or_self(builder, key.key.holder);
		if (!key.key.waiter)
			continue;
		check(builder, waits_get(&builder->waits, &key.key, &to));
		if (!to)
			continue;
		wait_entry_add(to, from);
	}
	table_done(&old);
}

void ended_move_tables(struct report_builder *builder)
{
	move_flames(builder);
	move_waits(builder);
}

/* ── pools ───────────────────────────────────────────────────────────────── */

static void pool_add(struct pool_fold *to, const struct pool_fold *from)
{
	struct pool_report *sums = &to->report;

	if (!sums->kind) {
		*sums = from->report;
		sums->process = to->key.process;
		to->reported.busy_ns = from->reported.busy_ns;
		to->reported.full_ns = from->reported.full_ns;
		to->reported.back_to_back = from->reported.back_to_back;
		to->ts = from->ts;
		to->id = from->id;
		return;
	}
	sums->threads = from->report.threads > sums->threads ? from->report.threads : sums->threads;
	sums->limit = from->report.limit == sums->limit ? sums->limit : 0;
	sums->busy_max = from->report.busy_max > sums->busy_max ? from->report.busy_max
								: sums->busy_max;
	sums->busy_ns += from->report.busy_ns;
	sums->full_ns += from->report.full_ns;
	sums->full_worst_ns = later(sums->full_worst_ns, from->report.full_worst_ns);
	sums->back_to_back += from->report.back_to_back;
	to->reported.busy_ns += from->reported.busy_ns;
	to->reported.full_ns += from->reported.full_ns;
	to->reported.back_to_back += from->reported.back_to_back;
	to->ts = later(to->ts, from->ts);
}

/* Its place in the new table, counted from 1; 0: it is in none. */
static uint32_t move_pool(struct report_builder *builder, const struct pool_fold *from)
{
	struct pool_fold key = *from, *to;
	bool leaves = from->key.process->leaves;

	if (leaves) {
		if (!from->report.threads) /* it turned out to be none */
			return 0;
		key.key.process = &builder->ended->process;
	}
	check(builder, pools_get(&builder->pools, &key.key, &to));
	if (!to)
		return 0;
	if (leaves || to->report.kind)
		pool_add(to, from);
	else
		*to = *from;
	return 1 + (uint32_t)(to - (struct pool_fold *)builder->pools.entries);
}

static uint32_t place_in(const uint32_t *places, uint32_t pool)
{
	return places && pool ? places[pool - 1] : 0;
}

static void place_heirs(const uint32_t *places, struct heirs *heirs)
{
	for (uint32_t i = 0; i < heirs->count; i++)
		heirs->list[i]->pool = place_in(places, heirs->list[i]->pool);
}

void ended_move_pools(struct report_builder *builder)
{
	struct table old = builder->pools;
	uint32_t *places = calloc(old.count + 1, sizeof(*places));

	if (!places)
		check(builder, -ENOMEM);
	builder->pools = TABLE(struct pool_fold, POOLS_MAX);
	for (uint32_t i = 0; places && i < old.count; i++)
		places[i] = move_pool(builder, table_at(&old, i));
	for (struct thread_fold *fold = builder->threads; fold; fold = fold->next) {
		fold->pool = place_in(places, fold->pool);
		fold->was_pool = place_in(places, fold->was_pool);
	}
	if (builder->ended)
		place_heirs(places, &builder->ended->heirs);
	for (struct process_fold *fold = builder->processes; fold; fold = fold->next)
		place_heirs(places, &fold->heirs);
	table_done(&old);
	free(places);
}
