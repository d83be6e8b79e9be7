/* SPDX-License-Identifier: MIT */
/*
 * ongoing.c - stalls in progress, and forgetting finished ones.
 */
#include <string.h>

#include "analysis/fold.h"

bool loop_was_none(const struct loop_fold *loop)
{
	const struct loop *now = loop->loop->thread->loop;

	return (!now && loop->loop->by_behaviour) ||
	       (now != loop->loop && !loop->report.longest_ns);
}

int stall_make_ongoing(struct report_builder *builder, const struct loop_fold *loop,
		       struct stall *stall)
{
	uint64_t dur = loop->in_turn ? state_sums_total(&loop->now.states) : 0;
	int err;

	if (!dur || dur < builder->stall_ns)
		return 0;
	err = stall_make(builder, loop, stall);
	if (err < 0)
		return err;
	stall->start = loop->ts_turn;
	stall->end = loop->ts_turn + dur;
	stall->ongoing = true;
	stall->earlier = loop->loop->earlier;
	stall->whole = !stall->earlier && !stall->what.states.ns[TS_UNKNOWN];
	err = locks_chain(builder, loop, stall);
	if (err < 0)
		stall_done(stall);
	return err < 0 ? err : 1;
}

static bool is_certain(const struct loop_fold *loop)
{
	return loop->in_turn && !loop->loop->possible;
}

bool report_builder_stalled(const struct report_builder *builder, uint64_t ts)
{
	for (const struct process_fold *process = builder->processes; process;
	     process = process->next)
		for (uint32_t n = 0; n < process->loop_count; n++) {
			const struct loop_fold *loop = process->loops[n];

			if (is_certain(loop) && ts > loop->ts_turn &&
			    ts - loop->ts_turn >= builder->stall_ns)
				return true;
		}
	return false;
}

/* What the thread of the loop is doing now. */
static void read_now(const struct report_builder *builder, const struct loop_fold *loop,
		     struct ongoing *ongoing)
{
	const struct thread *thread = loop->loop->thread;

	ongoing->state = thread->state;
	ongoing->sysno = thread->sysno;
	ongoing->stack = (thread_state_runs(thread->state)
				  ? attribution_turn_latest(builder->attribution, thread)
				  : attribution_still(builder->attribution, thread))
				 .stack;
	ongoing->handler = handler_of(builder, ongoing->stack);
	if (thread->state != TS_GIL_WAIT || !thread->gil || !thread->gil->holder)
		return;
	ongoing->holder = thread->gil->holder;
	ongoing->holder_stack = attribution_hold(builder->attribution, ongoing->holder).stack;
	ongoing->holder_handler = handler_of(builder, ongoing->holder_stack);
}

static int visit_loop(struct report_builder *builder, const struct world *world,
		      const struct loop_fold *loop,
		      int (*visit)(void *ctx, const struct ongoing *ongoing), void *ctx)
{
	struct ongoing ongoing = {.report = &builder->report, .loop = loop->loop};
	int err = stall_make_ongoing(builder, loop, &ongoing.stall);

	if (err <= 0)
		return err;
	name_occupants(world, &ongoing.stall.what);
	read_now(builder, loop, &ongoing);
	err = visit(ctx, &ongoing);
	stall_done(&ongoing.stall);
	return err;
}

int report_builder_ongoing(struct report_builder *builder, const struct world *world,
			   int (*visit)(void *ctx, const struct ongoing *ongoing), void *ctx)
{
	int err = builder->error;

	builder->report.window = world_window(world);
	for (struct process_fold *process = builder->processes; process; process = process->next)
		for (uint32_t n = 0; n < process->loop_count && !err; n++)
			if (is_certain(process->loops[n]) && !loop_was_none(process->loops[n]))
				err = visit_loop(builder, world, process->loops[n], visit, ctx);
	return err;
}

const struct report *report_builder_names(struct report_builder *builder, const struct world *world)
{
	builder->report.window = world_window(world);
	return &builder->report;
}

int report_builder_ended(struct report_builder *builder, const struct world *world,
			 int (*visit)(void *ctx, const struct report *report,
				      const struct loop *loop, const struct stall *stall),
			 void *ctx)
{
	int err = builder->error;

	builder->report.window = world_window(world);
	for (struct process_fold *process = builder->processes; process; process = process->next)
		for (uint32_t n = 0; n < process->loop_count; n++) {
			struct loop_fold *loop = process->loops[n];
			uint32_t first = loop->report.stall_count;

			while (first && loop->report.stalls[first - 1].end > loop->ts_ended)
				first--;
			for (; first < loop->report.stall_count && !err; first++) {
				struct stall *stall = &loop->report.stalls[first];

				loop->ts_ended = stall->end;
				if (loop_was_none(loop))
					continue;
				name_occupants(world, &stall->what);
				err = visit(ctx, &builder->report, loop->loop, stall);
			}
		}
	return err;
}

static void forget(struct report_builder *builder, struct loop_report *report, uint64_t ts)
{
	uint32_t old = 0;

	while (old < report->stall_count && report->stalls[old].end < ts) {
		builder->stall_bytes -= stall_bytes(&report->stalls[old]);
		stall_done(&report->stalls[old++]);
	}
	if (!old)
		return;
	report->stall_count -= old;
	memmove(report->stalls, report->stalls + old,
		report->stall_count * sizeof(*report->stalls));
}

void report_builder_forget(struct report_builder *builder, uint64_t ts)
{
	for (struct process_fold *process = builder->processes; process; process = process->next)
		for (uint32_t n = 0; n < process->loop_count; n++)
			forget(builder, &process->loops[n]->report, ts);
}
