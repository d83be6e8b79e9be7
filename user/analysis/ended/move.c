/* SPDX-License-Identifier: MIT */
/* move.c - what was added up of threads, GILs and loops that leave becomes part of what stands for
 * them, and what points to them points there. */
#include "analysis/ended/ended.h"

#include <errno.h>
#include <stdlib.h>

/* ── threads ─────────────────────────────────────────────────────────────── */

static const struct thread *heir_or_self(struct report_builder *builder,
					 const struct thread *thread)
{
	return thread && thread->leaves ? ended_heir(builder, thread) : thread;
}

static void point_to_heirs(struct report_builder *builder, struct breakdown *what)
{
	for (uint32_t i = 0; i < what->blocker_count; i++)
		what->blockers[i].thread = heir_or_self(builder, what->blockers[i].thread);
	for (uint32_t i = 0; i < what->lock_count; i++) {
		what->locks[i].thread = heir_or_self(builder, what->locks[i].thread);
		what->locks[i].by = heir_or_self(builder, what->locks[i].by);
	}
	for (uint32_t i = 0; i < what->helper_count; i++)
		what->helpers[i].thread = heir_or_self(builder, what->helpers[i].thread);
	table_reset(&what->blocker_index);
}

static void drop_waits(struct report_builder *builder, struct breakdown *what)
{
	builder->long_waits -= what->blocker_max != 0;
	breakdown_done(what);
}

static void move_starved(struct report_builder *builder, struct starvation *to,
			 struct starvation *from)
{
	const uint64_t count = to->count + from->count, ns = to->ns + from->ns;

	point_to_heirs(builder, &from->what);
	if (from->count && from->end - from->start > to->end - to->start) {
		struct starvation shorter = *to;

		*to = *from;
		*from = shorter;
	}
	to->count = count;
	to->ns = ns;
	drop_waits(builder, &from->what);
}

/* What a thread stopped the world for (locks.c). */
static void move_pauses(struct pauses *to, const struct pauses *from)
{
	to->count += from->count;
	to->ns += from->ns;
	if (from->worst_ns <= to->worst_ns)
		return;
	to->worst_ns = from->worst_ns;
	to->stack = from->stack;
}

void ended_move_thread(struct report_builder *builder, struct thread_fold *thread)
{
	const struct thread *heir = ended_heir(builder, thread->report.thread);
	struct thread_fold *to = heir ? heir->data : NULL;

	if (to) {
		((struct thread *)heir)->stands_for++;
		state_sums_add(&to->report.states, &thread->report.states);
		for (int s = 0; s < TS_COUNT; s++) {
			to->turn_ns[s] += thread->turn_ns[s];
			to->attributed_ns[s][0] += thread->attributed_ns[s][0];
			to->attributed_ns[s][1] += thread->attributed_ns[s][1];
		}
		to->report.holds += thread->report.holds;
		to->report.waits += thread->report.waits;
		to->report.forced_drops += thread->report.forced_drops;
		to->report.held_ns += thread->report.held_ns;
		to->report.sampled_ns += thread->report.sampled_ns;
		to->wait_attributed_ns += thread->wait_attributed_ns;
		to->wait_rest_reported += thread->wait_rest_reported;
		move_pauses(&to->report.pauses, &thread->report.pauses);
		move_starved(builder, &to->report.starved, &thread->report.starved);
	} else {
		drop_waits(builder, &thread->report.starved.what);
	}
	drop_waits(builder, &thread->waiting_for);
	free(thread);
}

/* ── loops ───────────────────────────────────────────────────────────────── */

static void stall_point_to_heirs(struct report_builder *builder, struct stall *stall)
{
	builder->stall_bytes -= stall_bytes(stall);
	point_to_heirs(builder, &stall->what);
	builder->stall_bytes += stall_bytes(stall);
	for (uint32_t i = 0; i < stall->chain_count; i++) {
		stall->chain[i].thread = heir_or_self(builder, stall->chain[i].thread);
		stall->chain[i].lock.owner = (struct thread *)heir_or_self(
			builder, stall->chain[i].lock.owner);
	}
}

static int by_start(const void *a, const void *b)
{
	const struct stall *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static void move_stalls(struct report_builder *builder, struct loop_fold *to,
			struct loop_fold *from)
{
	struct loop_report *report = &to->report;

	for (uint32_t i = 0; i < from->report.stall_count; i++) {
		struct stall *stall = &from->report.stalls[i];

		stall_point_to_heirs(builder, stall);
		if (loop_fold_reserve(to) < 0) {
			check(builder, -ENOMEM);
			builder->stall_bytes -= stall_bytes(stall);
			stall_done(stall);
			continue;
		}
		report->stalls[report->stall_count++] = *stall;
	}
	from->report.stall_count = 0;
	if (report->stall_count)
		qsort(report->stalls, report->stall_count, sizeof(*report->stalls), by_start);
}

static struct loop_fold *loop_heir(struct report_builder *builder, const struct loop *loop)
{
	struct thread *thread = ended_heir(builder, loop->thread);
	struct ended *ended = builder->ended;
	struct loop_fold *fold;

	if (!thread)
		return NULL;
	if (!ended->has_loop) {
		ended->has_loop = true;
		ended->loop = (struct loop){
			.thread = thread, .epfd = EPFD_UNKNOWN, .kind = loop->kind};
		thread->loop = &ended->loop;
	}
	ended->loop.by_behaviour |= loop->by_behaviour;
	if (ended->loop.kind != loop->kind)
		ended->loop.kind = LOOP_UNKNOWN;
	fold = loop_fold(builder, &ended->loop);
	if (fold)
		fold->ts_ended = UINT64_MAX; /* each was told in its time */
	return fold;
}

static void move_sums(struct report_builder *builder, struct loop_fold *to, struct loop_fold *from)
{
	struct loop_report *sums = &to->report;

	check(builder, dist_merge(&sums->turn, &from->report.turn));
	point_to_heirs(builder, &from->report.stalled);
	sums->stalled.blocker_max = BLOCKERS_MAX;
	check(builder, breakdown_merge(&sums->stalled, &from->report.stalled));
	sums->stalls_left_out += from->report.stalls_left_out;
	sums->freezes += from->report.freezes;
	if (from->report.freeze.end - from->report.freeze.start >
	    sums->freeze.end - sums->freeze.start)
		sums->freeze = from->report.freeze;
	sums->longest_ns = later(sums->longest_ns, from->report.longest_ns);
	sums->stands_for++;
	sums->observed_ns +=
		((const struct process_fold *)from->loop->thread->process->data)->observed_ns;
}

static void drop_stalls(struct report_builder *builder, const struct loop_fold *loop)
{
	for (uint32_t i = 0; i < loop->report.stall_count; i++)
		builder->stall_bytes -= stall_bytes(&loop->report.stalls[i]);
}

void ended_move_loop(struct report_builder *builder, struct loop_fold *loop)
{
	struct loop_fold *to = loop_was_none(loop) ? NULL : loop_heir(builder, loop->loop);

	if (to) {
		move_sums(builder, to, loop);
		move_stalls(builder, to, loop);
	} else {
		drop_stalls(builder, loop);
	}
	loop_fold_free(loop);
}

/* ── GILs ────────────────────────────────────────────────────────────────── */

void ended_move_gil(struct report_builder *builder, struct gil *gil)
{
	const struct gil_fold *from = gil->data;
	struct ended *ended = builder->ended;
	struct gil_report *to;
	struct gil_fold *fold;

	if (!ended->has_gil) {
		ended->has_gil = true;
		ended->gil = (struct gil){.process = &ended->process, .mode = gil->mode};
	}
	fold = gil_fold(builder, &ended->gil);
	ended->gil.unknown_ns += gil->unknown_ns;
	ended->gil.violations += gil->violations;
	if (!from || !fold)
		return;
	to = &fold->report;
	to->held_ns += from->report.held_ns;
	to->contended_ns += from->report.contended_ns;
	to->handoffs += from->report.handoffs;
	to->forced += from->report.forced;
	check(builder, dist_merge(&to->hold, &from->report.hold));
	check(builder, dist_merge(&to->wait, &from->report.wait));
	if (from->report.longest_wait_ns > to->longest_wait_ns) {
		to->longest_wait_ns = from->report.longest_wait_ns;
		to->longest_wait_cut = from->report.longest_wait_cut;
	}
}

/* ── tables ──────────────────────────────────────────────────────────────── */

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
		to->time.ns += from->time.ns;
		to->time.gc_ns += from->time.gc_ns;
		to->samples += from->samples;
		to->reported += from->reported;
	}
	table_done(&old);
}

static void add_wait(struct wait_time *to, const struct wait_time *from)
{
	to->ns += from->ns;
	to->asleep_ns += from->asleep_ns;
	to->no_cpu_ns += from->no_cpu_ns;
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
		add_wait(&to->time, &from->time);
		add_wait(&to->reported, &from->reported);
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
	for (uint32_t i = 0; i < builder->ended->heir_count; i++)
		builder->ended->heirs[i]->pool = place_in(places, builder->ended->heirs[i]->pool);
	table_done(&old);
	free(places);
}
