/* SPDX-License-Identifier: MIT */
/* move.c - what was added up of threads and loops that leave becomes part of what stands for
 * them, and what points to them points there. */
#include "analysis/ended/ended.h"
#include "analysis/last/last.h"

#include <errno.h>
#include <stdlib.h>

/* ── threads ─────────────────────────────────────────────────────────────── */

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
		((struct thread *)heir)->stands_for += how_many(thread->report.thread->stands_for);
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
	last_free(builder, thread);
	free(thread);
}

void ended_redirect(struct report_builder *builder, struct thread_fold *thread)
{
	point_to_heirs(builder, &thread->report.starved.what);
	point_to_heirs(builder, &thread->waiting_for);
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

static uint64_t loop_observed_ns(const struct loop_fold *loop)
{
	if (loop->report.stands_for)
		return loop->report.observed_ns;
	return state_sums_total(
		&((const struct thread_fold *)loop->loop->thread->data)->report.states);
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
	sums->stands_for += how_many(from->report.stands_for);
	sums->observed_ns += loop_observed_ns(from);
}

static void drop_stalls(struct report_builder *builder, const struct loop_fold *loop)
{
	for (uint32_t i = 0; i < loop->report.stall_count; i++)
		builder->stall_bytes -= stall_bytes(&loop->report.stalls[i]);
}

void ended_move_loop(struct report_builder *builder, struct loop_fold *loop)
{
	struct loop_fold *to = loop_was_none(loop) ? NULL : ended_loop_heir(builder, loop->loop);

	if (to) {
		move_sums(builder, to, loop);
		move_stalls(builder, to, loop);
	} else {
		drop_stalls(builder, loop);
	}
	loop_fold_free(loop);
}
