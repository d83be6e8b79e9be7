/* SPDX-License-Identifier: MIT */
#include "analysis/ended/ended.h"
#include "analysis/last/last.h"

#include <errno.h>
#include <stdlib.h>

/* State of the model's objects, created on first use; NULL when memory is short. */

static void *part_new(struct report_builder *builder, size_t size)
{
	void *part = calloc(1, size);

	if (!part)
		check(builder, -ENOMEM);
	return part;
}

struct thread_fold *thread_fold_new(struct report_builder *builder, struct thread *thread)
{
	struct thread_fold *fold = part_new(builder, sizeof(*fold));

	if (!fold)
		return NULL;
	fold->report.thread = thread;
	fold->next = builder->threads;
	builder->threads = fold;
	return thread->data = fold;
}

struct gil_fold *gil_fold(struct report_builder *builder, struct gil *gil)
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

struct process_fold *process_fold(struct report_builder *builder, struct process *process)
{
	struct process_fold *fold = process->data;

	if (fold)
		return fold;
	fold = part_new(builder, sizeof(*fold));
	if (!fold)
		return NULL;
	fold->process = process;
	fold->next = builder->processes;
	builder->processes = fold;
	return process->data = fold;
}

struct loop_fold *loop_fold(struct report_builder *builder, struct loop *loop)
{
	struct process_fold *process = process_fold(builder, loop->thread->process);
	struct loop_fold *fold = loop->data, **grown;

	if (fold || !process || !thread_fold(builder, loop->thread))
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
	builder->loop_count++;
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

static void add_to_turn(struct report_builder *builder, struct loop_fold *loop,
			const struct interval *i)
{
	uint64_t dur = i->end - i->start;

	/* Occupants of the CPU count only if the thread waited for it during the whole interval. */
	if (loop->meanwhile.preempted_by_count) {
		if (i->state == TS_RUNNABLE || i->state == TS_HELD_RUNNABLE)
			check(builder, breakdown_merge(&loop->now, &loop->meanwhile));
		breakdown_reset(&loop->meanwhile);
	}
	loop->now.states.ns[i->state] += dur;
	locks_turn_interval(builder, loop, i);
	if (i->state == TS_BLOCKED || i->state == TS_HELD_BLOCKED)
		check(builder, breakdown_add_syscall(&loop->now, i->sysno, dur));
	else if ((i->state == TS_RUNNABLE || i->state == TS_HELD_RUNNABLE) && i->throttled)
		loop->now.throttled_ns += dur;
	if (sysno_is_stop(i->sysno))
		loop->now.stop_ns[stop_kind_of(i->sysno)] += dur;
	if (i->gc)
		loop->now.gc_ns += gc_share(i->thread->process, true, NULL, i->state, dur);
}

/* The thread's loop if it is in a turn, else NULL. */
static struct loop_fold *loop_in_turn(const struct thread *thread)
{
	struct loop_fold *loop = thread->loop ? thread->loop->data : NULL;

	return loop && loop->in_turn ? loop : NULL;
}

/* By the last look (partial GILs). No hold of the model's covers such time. */
static void hold_sampled(struct report_builder *builder, const struct interval *i)
{
	struct gil_fold *gil = gil_fold(builder, i->gil);

	if (gil)
		gil->report.held_ns += i->end - i->start;
}

static void add_wait(struct report_builder *builder, const struct interval *i)
{
	struct gil_fold *gil = gil_fold(builder, i->gil);

	if (gil)
		gil->report.waited_ns += i->end - i->start;
}

static void on_interval(void *ctx, const struct interval *i)
{
	struct report_builder *builder = ctx;
	struct thread_fold *thread = thread_fold(builder, i->thread);
	struct loop_fold *loop = i->in_turn ? loop_in_turn(i->thread) : NULL;
	uint64_t dur = i->end - i->start;

	if (!thread)
		return;
	last_interval(builder, thread, i);
	thread->report.states.ns[i->state] += dur;
	if (i->state == TS_GIL_WAIT)
		add_wait(builder, i);
	locks_interval(builder, thread, i);
	if (i->sampled)
		thread->report.sampled_ns += dur;
	if (interval_holds(i))
		thread->report.held_ns += dur;
	if (interval_holds(i) && i->sampled)
		hold_sampled(builder, i);
	if (i->in_turn)
		thread->turn_ns[i->state] += dur;
	if (i->state == TS_GIL_WAIT)
		waits_waited(builder, thread, i);
	if (loop)
		add_to_turn(builder, loop, i);
	else if ((i->state == TS_IDLE || i->state == TS_UNKNOWN) && dur && i->thread->loop &&
		 i->thread->loop->data)
		freeze_end(i->thread->loop->data);
}

/* Called before the stretches that this sample ends, so that their handlers take it into account.
 */
static void on_sample(void *ctx, const struct sample *sample)
{
	struct report_builder *builder = ctx;
	struct report *report = &builder->report;

	report->stack_evidence.taken++;
	report->stack_evidence.missing += !sample->stack;
	report->stack_evidence.torn += (sample->flags & EVF_STACK_TORN) != 0;
	report->stack_evidence.unsure += handler_unsure_of(builder, sample->stack);
	if (report->stacks && thread_fold(builder, sample->thread)) {
		pools_sample(builder, sample->thread->data, sample);
		last_sample(builder, sample->thread->data, sample);
	}
	if (report->stacks && report->finder && report->names)
		handler_note(report->finder, report->names, sample->stack,
			     sample->stack ? sample->root : 0);
}

static void on_state(void *ctx, const struct thread *thread, uint64_t ts)
{
	pools_state(ctx, thread, ts);
}

static void on_stretch(void *ctx, const struct stretch *stretch)
{
	struct report_builder *builder = ctx;
	struct thread_fold *thread = thread_fold(builder, stretch->thread);
	struct loop_fold *loop = loop_in_turn(stretch->thread);

	if (!thread)
		return;
	switch (stretch->policy) {
	case ATTRIBUTION_STILL:
		flames_add(builder, thread, stretch);
		if (loop && stretch->interval->in_turn)
			check(builder, turn_add(builder, &loop->stacks, stretch));
		break;
	case ATTRIBUTION_TURN:
		if (loop)
			check(builder, turn_add(builder, &loop->stacks, stretch));
		break;
	case ATTRIBUTION_CLOCK:
		flames_add(builder, thread, stretch);
		break;
	case ATTRIBUTION_HOLD:
		waits_held(builder, stretch);
		break;
	case ATTRIBUTION_HOLD_EARLIER:
		waits_held_earlier(builder, stretch);
		break;
	case ATTRIBUTION_LANE:
		break;
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
	gil->held_by = hold->thread;
	gil->ts_held = hold->end;
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
	starved_waited(builder, thread, wait);
	if (wait->end - wait->start > gil->report.longest_wait_ns) {
		gil->report.longest_wait_ns = wait->end - wait->start;
		gil->report.longest_wait_cut = !wait->whole;
	}
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
 * Adds a run of the CPU's occupant, which is emitted before the interval of the thread that waited
 * for it. A thread that migrates waits for one CPU at a time, so no instant is counted twice
 * (ts_preempted).
 */
static void preempt(struct report_builder *builder, struct loop_fold *loop, const struct run *run)
{
	const struct thread *waiter = loop->loop->thread;
	uint64_t from = later(later(run->start, waiter->ts_state), loop->ts_preempted);
	bool waits = (waiter->state == TS_RUNNABLE || waiter->state == TS_HELD_RUNNABLE) &&
		     waiter->cpu == run->cpu;

	if (!loop->in_turn || !waits || from >= run->end)
		return;
	check(builder,
	      breakdown_add_occupant(&loop->meanwhile, run->tid, run->pid, run->end - from));
	loop->ts_preempted = run->end;
}

static void on_run(void *ctx, const struct run *run)
{
	struct report_builder *builder = ctx;

	const struct thread *thread = run->queued;

	for (uint32_t n = 0; thread && n < WAITERS_MAX; thread = thread->next_queued, n++)
		if (thread->loop && thread->loop->data)
			preempt(builder, thread->loop->data, run);
}

static void on_release(void *ctx, const struct release *release)
{
	locks_released(ctx, release);
}

static void on_native(void *ctx, const struct thread *thread, uint32_t function)
{
	locks_sampled(ctx, thread, function);
}

/* Limit of blockers per loop. */
static uint32_t blockers_max(const struct report_builder *builder)
{
	uint32_t share = BLOCKERS_TOTAL / builder->loop_count;

	return share > BLOCKERS_MAX ? BLOCKERS_MAX : share < BLOCKERS_MIN ? BLOCKERS_MIN : share;
}

static void on_turn_begin(void *ctx, struct loop *loop)
{
	struct loop_fold *fold = loop_fold(ctx, loop);

	if (!fold)
		return;
	breakdown_reset(&fold->now);
	fold->now.blocker_max = blockers_max(ctx);
	breakdown_reset(&fold->meanwhile);
	locks_turn_begin(fold);
	turn_stacks_begin(&fold->stacks);
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

void stall_done(struct stall *stall)
{
	breakdown_done(&stall->what);
	free(stall->parts);
	free(stall->chain);
	*stall = (struct stall){0};
}

int stall_make(struct report_builder *builder, const struct loop_fold *loop, struct stall *stall)
{
	int err = breakdown_copy(&loop->now, &stall->what);

	if (err < 0)
		return err;
	err = locks_fill(loop, &stall->what);
	stall->deadlock = CHAIN_MAX;
	stall->cause = state_sums_largest(&stall->what.states);
	if (err == 0 && builder->report.stacks)
		err = turn_fill(builder, &loop->stacks, loop->loop->thread, stall);
	if (err == 0)
		err = handlers_of_blockers(builder, &stall->what);
	breakdown_sort(&stall->what);
	if (err < 0)
		stall_done(stall);
	return err;
}

/* Keeps the turn in progress as a stall. */
static int keep_stall(struct report_builder *builder, struct loop_fold *loop,
		      const struct turn *turn)
{
	struct stall stall = {.start = turn->start,
			      .end = turn->end,
			      .ongoing = turn->ongoing,
			      .earlier = turn->earlier,
			      .whole = turn->whole};
	int err = stall_make(builder, loop, &stall);

	if (err < 0)
		return err;
	err = turn->ongoing ? locks_chain(builder, loop, &stall) : 0;
	if (err < 0) {
		stall_done(&stall);
		return err;
	}
	freeze_add(builder, &loop->report, &loop->freeze, &stall);
	stall.freeze = loop->freeze;
	loop->report.stalled.blocker_max = blockers_max(builder);
	err = breakdown_merge(&loop->report.stalled, &stall.what);
	if (err == 0)
		return stall_list(builder, loop, &stall);
	stall_done(&stall);
	return err;
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
	loop->report.recent_ns = later(loop->report.recent_ns, dur);
	if (dur && dur >= builder->stall_ns)
		check(builder, keep_stall(builder, loop, turn));
	loop->in_turn = false;
}

static void on_turn_cancel(void *ctx, struct loop *loop)
{
	struct loop_fold *fold = loop->data;

	if (!fold)
		return;
	fold->in_turn = false;
	freeze_end(fold);
}

struct stretch_sink fold_sink(struct report_builder *builder)
{
	uint32_t policies = ATTRIBUTION_BIT(ATTRIBUTION_HOLD);

	if (builder->report.stacks)
		policies |= ATTRIBUTION_BIT(ATTRIBUTION_STILL) | ATTRIBUTION_BIT(ATTRIBUTION_TURN) |
			    ATTRIBUTION_BIT(ATTRIBUTION_CLOCK) |
			    ATTRIBUTION_BIT(ATTRIBUTION_HOLD_EARLIER);
	return (struct stretch_sink){.model = {.thread = on_thread,
					       .loop = on_loop,
					       .interval = on_interval,
					       .state = on_state,
					       .sample = on_sample,
					       .hold = on_hold,
					       .wait = on_wait,
					       .contention = on_contention,
					       .run = on_run,
					       .release = on_release,
					       .native = on_native,
					       .turn_begin = on_turn_begin,
					       .turn = on_turn,
					       .turn_cancel = on_turn_cancel,
					       .choose = ended_choose,
					       .forget = ended_forget,
					       .ctx = builder},
				     .stretch = on_stretch,
				     .policies = policies,
				     .ctx = builder};
}
