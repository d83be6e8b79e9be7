/* SPDX-License-Identifier: MIT */
/*
 * starved.c - waits for the GIL that lasted a second and more, and who had it meanwhile.
 *
 * A wait is followed from STARVED_FROM_NS on only, so that the usual ones, of a few milliseconds,
 * cost a comparison. What had the GIL before that is missing from `what`.
 *
 * All such waits share HOLDERS_TOTAL holders and STACKS_TOTAL of their stacks, so that memory does
 * not grow with waiters times holders times stacks: each has the n-th part when it is the n-th.
 */
#include <errno.h>
#include <stdlib.h>

#include "analysis/fold.h"
#include "base/duration.h"

#define STARVED_FROM_NS (10 * NS_PER_MS)
#define HOLDERS_TOTAL	16384
#define HOLDERS_MAX	128 /* of one wait; … */
#define STACKS_TOTAL	65536
#define STACKS_MAX	2048
#define PART_MIN	2 /* … and at least so many */

static bool is_followed(const struct thread *waiter, uint64_t ts)
{
	return ts - waiter->ts_state >= STARVED_FROM_NS;
}

static uint32_t part_of(uint32_t total, uint32_t count, uint32_t max)
{
	uint32_t part = total / count;

	return part > max ? max : part < PART_MIN ? PART_MIN : part;
}

static void follow(struct report_builder *builder, struct thread_fold *fold,
		   const struct thread *waiter)
{
	fold->wait_stack = still_of(builder, waiter).stack;
	if (fold->following)
		return;
	fold->following = true;
	builder->long_waits++;
	fold->waiting_for.blocker_max = part_of(HOLDERS_TOTAL, builder->long_waits, HOLDERS_MAX);
	fold->waiting_for.blocker_stacks_max = part_of(STACKS_TOTAL, builder->long_waits,
						       STACKS_MAX);
}

void starved_held(struct report_builder *builder, struct thread_fold *fold,
		  const struct thread *waiter, const struct interval *i,
		  const struct stack_ref *ref)
{
	uint64_t from = later(i->start, waiter->ts_state), ns = i->end - from;

	if (!is_followed(waiter, i->end))
		return;
	follow(builder, fold, waiter);
	check(builder,
	      breakdown_add_blocker(&fold->waiting_for, i->thread, i->state, ns,
				    gc_share(i->thread->process, i->gc, ref, i->state, ns), ref));
	if (sysno_is_stop(i->sysno))
		check(builder, breakdown_add_stop(&fold->waiting_for, i->thread,
						  stop_kind_of(i->sysno), ns));
}

void starved_held_earlier(struct report_builder *builder, struct thread_fold *fold,
			  const struct thread *waiter, const struct interval *early,
			  const struct stack_ref *ref)
{
	const struct process *process = early->thread->process;
	uint64_t ns = early->end - later(early->start, waiter->ts_state);

	if (fold->following && is_followed(waiter, early->end))
		check(builder, breakdown_move_blocker(
				       &fold->waiting_for, early->thread, early->state, ns,
				       gc_share(process, early->gc, NULL, early->state, ns),
				       gc_share(process, early->gc, ref, early->state, ns), ref));
}

/* Takes the breakdown over, and gives back that of the longest so far. */
static void keep_longest(struct thread_fold *fold, const struct gil_wait *wait)
{
	struct starvation *starved = &fold->report.starved;
	struct breakdown old = starved->what;

	starved->start = wait->start;
	starved->end = wait->end;
	starved->whole = wait->whole;
	starved->stack = fold->wait_stack;
	starved->what = fold->waiting_for;
	fold->waiting_for = old;
}

void starved_waited(struct report_builder *builder, struct thread_fold *fold,
		    const struct gil_wait *wait)
{
	struct starvation *starved = &fold->report.starved;
	uint64_t ns = wait->end - wait->start;

	if (ns >= STARVED_NS) {
		if (!fold->following) /* its holders are unknown */
			fold->wait_stack = 0;
		starved->count++;
		starved->ns += ns;
		if (ns > starved->end - starved->start)
			keep_longest(fold, wait);
	}
	builder->long_waits -= fold->waiting_for.blocker_max != 0;
	breakdown_done(&fold->waiting_for);
	fold->following = false;
}

/* The wait in progress, as of the latest world_cut(). */
static int make_waiting(struct report_builder *builder, const struct thread_fold *fold,
			struct starvation **ret_waiting)
{
	const struct thread *thread = fold->report.thread;
	uint64_t end = builder->report.window.end;
	struct starvation *waiting;

	if (thread->state != TS_GIL_WAIT || thread->gone || thread->ts_state + STARVED_NS > end)
		return 0;
	waiting = calloc(1, sizeof(*waiting));
	if (!waiting || breakdown_copy(&fold->waiting_for, &waiting->what) < 0) {
		free(waiting);
		return -ENOMEM;
	}
	waiting->count = 1;
	waiting->ns = end - thread->ts_state;
	waiting->start = thread->ts_state;
	waiting->end = end;
	waiting->stack = fold->following ? fold->wait_stack : 0;
	*ret_waiting = waiting;
	return handlers_of_blockers(builder, &waiting->what);
}

void starvation_free(struct starvation *starvation)
{
	if (starvation)
		breakdown_done(&starvation->what);
	free(starvation);
}

int report_starved(struct report_builder *builder, struct thread_fold *fold,
		   struct thread_report *report)
{
	struct starvation *starved = &fold->report.starved;
	int err;

	breakdown_sort(&starved->what);
	err = handlers_of_blockers(builder, &starved->what);
	report->starved = *starved;
	if (err < 0 || !builder->growth)
		return err;
	builder->long_waits -= starved->what.blocker_max != 0;
	*starved = (struct starvation){0}; /* it is the report's now */
	return make_waiting(builder, fold, &report->waiting);
}
