/* SPDX-License-Identifier: MIT */
/*
 * starved.c - waits for the GIL that lasted a second and more, and who had it meanwhile.
 *
 * A wait is followed from STARVED_FROM_NS on only, so that the usual ones, of a few milliseconds,
 * cost a comparison. What had the GIL before that is missing from `what`.
 */
#include "analysis/fold.h"
#include "base/duration.h"

#define STARVED_FROM_NS (10 * NS_PER_MS)

static bool is_followed(const struct thread *waiter, uint64_t ts)
{
	return ts - waiter->ts_state >= STARVED_FROM_NS;
}

static void follow(struct report_builder *builder, struct thread_fold *fold,
		   const struct thread *waiter)
{
	fold->wait_stack = still_of(builder, waiter).stack;
	if (fold->following)
		return;
	fold->following = true;
	breakdown_reset(&fold->waiting_for);
	fold->waiting_for.blocker_max = STARVED_HOLDERS_MAX;
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

/* Takes the breakdown over, and gives back that of the longest so far, emptied later. */
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

void starved_waited(struct thread_fold *fold, const struct gil_wait *wait)
{
	struct starvation *starved = &fold->report.starved;
	uint64_t ns = wait->end - wait->start;

	if (ns >= STARVED_NS) {
		if (!fold->following) { /* its holders are unknown */
			breakdown_reset(&fold->waiting_for);
			fold->wait_stack = 0;
		}
		starved->count++;
		starved->ns += ns;
		if (ns > starved->end - starved->start)
			keep_longest(fold, wait);
	}
	fold->following = false;
}

int report_starved(struct report_builder *builder, struct thread_fold *fold)
{
	struct breakdown *what = &fold->report.starved.what;

	breakdown_sort(what);
	return handlers_of_blockers(builder, what);
}
