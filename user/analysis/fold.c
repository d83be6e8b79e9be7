/* SPDX-License-Identifier: MIT */
#include "analysis/fold.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void check(struct report_builder *builder, int r)
{
	if (r < 0 && !builder->error)
		builder->error = r;
}

/* The parts of the model's objects, made when first needed; NULL when memory is short. */

static void *part_new(struct report_builder *builder, size_t size)
{
	void *part = calloc(1, size);

	if (!part)
		check(builder, -ENOMEM);
	return part;
}

static struct thread_fold *thread_fold(struct report_builder *builder, struct thread *thread)
{
	struct thread_fold *fold = thread->data;

	if (fold)
		return fold;
	fold = part_new(builder, sizeof(*fold));
	if (!fold)
		return NULL;
	fold->report.thread = thread;
	fold->next = builder->threads;
	builder->threads = fold;
	return thread->data = fold;
}

static struct gil_fold *gil_fold(struct report_builder *builder, struct gil *gil)
{
	struct gil_fold *fold = gil->data;

	if (fold)
		return fold;
	fold = part_new(builder, sizeof(*fold));
	if (!fold)
		return NULL;
	fold->report.gil = gil;
	fold->next = builder->gils;
	builder->gils = fold;
	return gil->data = fold;
}

static struct process_fold *process_fold(struct report_builder *builder, struct process *process)
{
	struct process_fold *fold = process->data;

	if (fold)
		return fold;
	fold = part_new(builder, sizeof(*fold));
	if (!fold)
		return NULL;
	fold->next = builder->processes;
	builder->processes = fold;
	return process->data = fold;
}

static struct loop_fold *loop_fold(struct report_builder *builder, struct loop *loop)
{
	struct process_fold *process = process_fold(builder, loop->thread->process);
	struct loop_fold *fold = loop->data, **grown;

	if (fold || !process)
		return fold;
	if (process->loop_count == process->loop_room) {
		uint32_t room = process->loop_room ? process->loop_room * 2 : 1;

		grown = reallocarray(process->loops, room, sizeof(struct loop_fold *));
		if (!grown) {
			check(builder, -ENOMEM);
			return NULL;
		}
		process->loops = grown;
		process->loop_room = room;
	}
	fold = part_new(builder, sizeof(*fold));
	if (!fold)
		return NULL;
	fold->loop = loop;
	fold->report.loop = loop;
	process->loops[process->loop_count++] = fold;
	return loop->data = fold;
}

static void on_thread(void *ctx, struct thread *thread)
{
	thread_fold(ctx, thread);
}

static void on_loop(void *ctx, struct loop *loop)
{
	loop_fold(ctx, loop);
}

/*
 * A stretch with the GIL is over: it is added to the blockers of every loop in a turn that waits for that GIL just now. Holders are told before
 * waiters (model.h), so no wait is over before its holder's part has come here.
 */
static void blame_holder(struct report_builder *builder, const struct interval *i)
{
	const struct process_fold *process = i->thread->process->data;

	for (uint32_t n = 0; process && n < process->loop_count; n++) {
		struct loop_fold *loop = process->loops[n];
		const struct thread *waiter = loop->loop->thread;
		uint64_t from = later(later(i->start, waiter->ts_state), loop->ts_turn);

		if (loop->in_turn && waiter->state == TS_GIL_WAIT && waiter->gil == i->gil && from < i->end)
			check(builder, breakdown_add_blocker(&loop->now, i->thread, i->state, i->end - from));
	}
}

static void add_to_turn(struct report_builder *builder, struct loop_fold *loop, const struct interval *i)
{
	uint64_t dur = i->end - i->start;

	/* who had the CPU counts when it is certain that the thread was ready for it all the time */
	if (i->state == TS_RUNNABLE || i->state == TS_HELD_RUNNABLE)
		check(builder, breakdown_merge(&loop->now, &loop->meanwhile));
	breakdown_reset(&loop->meanwhile);
	loop->now.states.ns[i->state] += dur;
	if (i->state == TS_BLOCKED || i->state == TS_HELD_BLOCKED)
		check(builder, breakdown_add_syscall(&loop->now, i->sysno, dur));
	else if ((i->state == TS_RUNNABLE || i->state == TS_HELD_RUNNABLE) && i->throttled)
		loop->now.throttled_ns += dur;
}

static void on_interval(void *ctx, const struct interval *i)
{
	struct report_builder *builder = ctx;
	struct thread_fold *thread = thread_fold(builder, i->thread);
	uint64_t dur = i->end - i->start;

	if (!thread)
		return;
	thread->report.states.ns[i->state] += dur;
	if (i->sampled)
		thread->report.sampled_ns += dur;
	if (thread_state_holds(i->state))
		thread->report.held_ns += dur;
	/* a holder is a holder, also while it is unknown what it does */
	if (i->gil && i->state != TS_GIL_WAIT)
		blame_holder(builder, i);
	if (i->in_turn && i->thread->loop && i->thread->loop->data) {
		struct loop_fold *loop = i->thread->loop->data;

		if (loop->in_turn)
			add_to_turn(builder, loop, i);
	}
}

static void on_hold(void *ctx, const struct hold *hold)
{
	struct report_builder *builder = ctx;
	struct gil_fold *gil = gil_fold(builder, hold->gil);
	struct thread_fold *thread = thread_fold(builder, hold->thread);
	uint64_t dur = hold->end - hold->start;

	if (!gil || !thread)
		return;
	gil->report.held_ns += dur;
	gil->report.handoffs += hold->handoff;
	gil->report.forced += hold->requested;
	thread->report.holds++;
	thread->report.forced_drops += hold->requested;
	if (hold->whole)
		check(builder, dist_add(&gil->report.hold, dur));
}

static void on_wait(void *ctx, const struct gil_wait *wait)
{
	struct report_builder *builder = ctx;
	struct gil_fold *gil = gil_fold(builder, wait->gil);
	struct thread_fold *thread = thread_fold(builder, wait->thread);

	if (!gil || !thread)
		return;
	thread->report.waits++;
	if (wait->whole)
		check(builder, dist_add(&gil->report.wait, wait->end - wait->start));
}

static void on_contention(void *ctx, const struct contention *contention)
{
	struct gil_fold *gil = gil_fold(ctx, contention->gil);

	if (gil)
		gil->report.contended_ns += contention->end - contention->start;
}

/*
 * The same for who had the CPU, which is told before the thread that waited for it. A thread that moves to another CPU's queue waits for one of the
 * two at a time, so an instant that has an occupant gets no second one.
 */
static void preempt(struct report_builder *builder, struct loop_fold *loop, const struct run *run)
{
	const struct thread *waiter = loop->loop->thread;
	uint64_t from = later(later(run->start, waiter->ts_state), loop->ts_preempted);
	bool waits = (waiter->state == TS_RUNNABLE || waiter->state == TS_HELD_RUNNABLE) && waiter->cpu == run->cpu;

	if (!loop->in_turn || !waits || from >= run->end)
		return;
	check(builder, breakdown_add_occupant(&loop->meanwhile, run->tid, run->pid, run->end - from));
	loop->ts_preempted = run->end;
}

static void on_run(void *ctx, const struct run *run)
{
	struct report_builder *builder = ctx;

	for (struct process_fold *process = builder->processes; process; process = process->next)
		for (uint32_t n = 0; n < process->loop_count; n++)
			preempt(builder, process->loops[n], run);
}

static void on_turn_begin(void *ctx, struct loop *loop)
{
	struct loop_fold *fold = loop_fold(ctx, loop);

	if (!fold)
		return;
	breakdown_reset(&fold->now);
	breakdown_reset(&fold->meanwhile);
	fold->in_turn = true;
	fold->ts_turn = fold->ts_preempted = loop->ts_turn;
}

int loop_fold_reserve(struct loop_fold *loop)
{
	uint32_t room = loop->stall_room ? loop->stall_room * 2 : 4;
	struct stall *grown;

	if (loop->report.stall_count + 2 <= loop->stall_room)
		return 0;
	grown = reallocarray(loop->report.stalls, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	loop->report.stalls = grown;
	loop->stall_room = room;
	return 0;
}

/* Keeps the turn in progress as a stall. */
static int keep_stall(struct loop_fold *loop, const struct turn *turn)
{
	struct stall stall = {.start = turn->start, .end = turn->end, .ongoing = turn->ongoing, .whole = turn->whole};
	int r = loop_fold_reserve(loop);

	if (r < 0)
		return r;
	r = breakdown_copy(&loop->now, &stall.what);
	if (r < 0)
		return r;
	stall.cause = state_sums_largest(&stall.what.states);
	loop->report.stalls[loop->report.stall_count++] = stall;
	return breakdown_merge(&loop->report.stalled, &loop->now);
}

static void on_turn(void *ctx, const struct turn *turn)
{
	struct report_builder *builder = ctx;
	struct loop_fold *loop = loop_fold(builder, turn->loop);
	uint64_t dur = turn->end - turn->start;

	if (!loop)
		return;
	if (turn->whole && !turn->ongoing)
		check(builder, dist_add(&loop->report.turn, dur));
	loop->report.longest_ns = later(loop->report.longest_ns, dur);
	if (dur && dur >= builder->stall_ns)
		check(builder, keep_stall(loop, turn));
	loop->in_turn = false;
}

static void on_turn_cancel(void *ctx, struct loop *loop)
{
	struct loop_fold *fold = loop->data;

	if (fold)
		fold->in_turn = false;
}

struct model_sink report_builder_sink(struct report_builder *builder)
{
	return (struct model_sink){
		.thread = on_thread,
		.loop = on_loop,
		.interval = on_interval,
		.hold = on_hold,
		.wait = on_wait,
		.contention = on_contention,
		.run = on_run,
		.turn_begin = on_turn_begin,
		.turn = on_turn,
		.turn_cancel = on_turn_cancel,
		.ctx = builder,
	};
}
