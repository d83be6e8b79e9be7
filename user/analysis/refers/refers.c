/* SPDX-License-Identifier: MIT */
#include "analysis/refers/refers.h"

#include "analysis/ended/ended.h"
#include "analysis/last/last.h"
#include "analysis/refers/attribution_state.h"

/* ── parts of a report ───────────────────────────────────────────────────── */

void handler_refers(const struct handler *handler, const struct definition_visit *visit)
{
	visit_definition(visit, DEFINE_FUNCTION, handler->frame.function);
}

static void natives_refer(const struct native_share natives[NATIVES_MAX_OF_SHARE],
			  const struct definition_visit *visit)
{
	for (uint32_t i = 0; i < NATIVES_MAX_OF_SHARE; i++)
		visit_definition(visit, DEFINE_FUNCTION, natives[i].function);
}

static void shares_refer(const struct stack_share *shares, uint32_t count,
			 const struct definition_visit *visit)
{
	for (uint32_t i = 0; i < count; i++) {
		visit_definition(visit, DEFINE_STACK, shares[i].stack);
		visit_definition(visit, DEFINE_TEXT, shares[i].task);
		visit_definition(visit, DEFINE_TEXT, shares[i].file);
		natives_refer(shares[i].natives, visit);
	}
}

void breakdown_refers(const struct breakdown *what, const struct definition_visit *visit)
{
	shares_refer(what->stacks, what->stack_count, visit);
	for (uint32_t i = 0; i < what->blocker_count; i++) {
		shares_refer(what->blockers[i].stacks, what->blockers[i].stack_count, visit);
		handler_refers(&what->blockers[i].handler, visit);
	}
	for (uint32_t i = 0; i < what->lock_count; i++) {
		visit_definition(visit, DEFINE_STACK, what->locks[i].stack);
		visit_definition(visit, DEFINE_STACK, what->locks[i].by_stack);
		visit_definition(visit, DEFINE_STACK, what->locks[i].by_slept);
	}
	for (uint32_t i = 0; i < what->helper_count; i++)
		natives_refer(what->helpers[i].natives, visit);
	visit_definition(visit, DEFINE_STACK, what->helped_stack);
}

static void parts_refer(const struct turn_part *parts, uint32_t count,
			const struct definition_visit *visit)
{
	for (uint32_t i = 0; i < count; i++) {
		handler_refers(&parts[i].handler, visit);
		visit_definition(visit, DEFINE_TEXT, parts[i].task);
		visit_definition(visit, DEFINE_STACK, parts[i].stack);
	}
}

void stall_refers(const struct stall *stall, const struct definition_visit *visit)
{
	breakdown_refers(&stall->what, visit);
	visit_definition(visit, DEFINE_STACK, stall->stack);
	handler_refers(&stall->handler, visit);
	handler_refers(&stall->culprit, visit);
	for (uint32_t i = 0; i < stall->chain_count; i++)
		visit_definition(visit, DEFINE_STACK, stall->chain[i].stack);
	parts_refer(stall->parts, stall->part_count, visit);
}

void starvation_refers(const struct starvation *starved, const struct definition_visit *visit)
{
	visit_definition(visit, DEFINE_STACK, starved->stack);
	breakdown_refers(&starved->what, visit);
}

void pool_refers(const struct pool_report *pool, const struct definition_visit *visit)
{
	for (uint32_t i = 0; i < pool->function_count; i++) {
		handler_refers(&pool->functions[i].handler, visit);
		visit_definition(visit, DEFINE_STACK, pool->functions[i].stack);
	}
}

/* ── what is being added up ──────────────────────────────────────────────── */

void turn_refers(const struct turn_stacks *turn, const struct definition_visit *visit)
{
	for (uint32_t i = 0; i < turn->shares.count; i++) {
		const struct turn_share *share = table_at(&turn->shares, i);

		visit_definition(visit, DEFINE_STACK, share->key.stack);
		visit_definition(visit, DEFINE_TEXT, share->key.task);
		visit_definition(visit, DEFINE_TEXT, share->file);
		natives_refer(share->natives, visit);
	}
	parts_refer(turn->parts.list, turn->parts.count, visit);
}

static void loop_refers(const struct loop_fold *loop, const struct definition_visit *visit)
{
	breakdown_refers(&loop->now, visit);
	breakdown_refers(&loop->meanwhile, visit);
	breakdown_refers(&loop->asleep, visit);
	if (loop->in_turn)
		turn_refers(&loop->stacks, visit);
	breakdown_refers(&loop->report.stalled, visit);
	for (uint32_t i = 0; i < loop->report.stall_count; i++)
		stall_refers(&loop->report.stalls[i], visit);
	stall_refers(&loop->ongoing, visit);
}

static void heirs_refer(const struct heirs *heirs, const struct definition_visit *visit)
{
	for (uint32_t i = 0; i < heirs->count; i++)
		visit_definition(visit, DEFINE_TEXT, heirs->list[i]->thread.python_name);
}

void ended_refers(const struct ended *ended, const struct definition_visit *visit)
{
	if (!ended)
		return;
	process_refers(&ended->process, visit);
	heirs_refer(&ended->heirs, visit);
	for (uint32_t i = 0; i < ended->death_count; i++)
		process_refers(&ended->deaths[i].process, visit);
}

static void thread_fold_refers(const struct thread_fold *thread,
			       const struct definition_visit *visit)
{
	starvation_refers(&thread->report.starved, visit);
	if (thread->report.waiting)
		starvation_refers(thread->report.waiting, visit);
	visit_definition(visit, DEFINE_STACK, thread->report.pauses.stack);
	visit_definition(visit, DEFINE_STACK, thread->slept.stack);
	visit_definition(visit, DEFINE_TEXT, thread->pool_name);
	visit_definition(visit, DEFINE_FUNCTION, thread->job);
	visit_definition(visit, DEFINE_STACK, thread->wait_stack);
	breakdown_refers(&thread->waiting_for, visit);
	if (!thread->last)
		return;
	visit_definition(visit, DEFINE_STACK, thread->last->stack);
	visit_definition(visit, DEFINE_FUNCTION, thread->last->native);
}

/* The stacks of `flames` and `waits` may be forgotten: flames_leave(). */
static void tables_refer(const struct report_builder *builder, const struct definition_visit *visit)
{
	for (uint32_t i = 0; i < builder->flames.count; i++)
		visit_definition(visit, DEFINE_FUNCTION,
				 ((const struct flame_entry *)table_at(&builder->flames, i))
					 ->key.of.function);
	for (uint32_t i = 0; i < builder->waits.count; i++)
		visit_definition(
			visit, DEFINE_FUNCTION,
			((const struct wait_entry *)table_at(&builder->waits, i))->key.of.function);
	for (uint32_t i = 0; i < builder->left_out.count; i++)
		handler_refers(&((const struct handler_entry *)table_at(&builder->left_out, i))
					->blame.handler,
			       visit);
}

static void last_refers(const struct last_moments *last, const struct definition_visit *visit)
{
	for (uint32_t i = 0; last && i < last->count; i++) {
		visit_definition(visit, DEFINE_STACK, last->threads[i].stack);
		visit_definition(visit, DEFINE_FUNCTION, last->threads[i].native);
		handler_refers(&last->threads[i].handler, visit);
	}
}

static void report_refers(const struct report *report, const struct definition_visit *visit)
{
	for (uint32_t i = 0; i < report->blame_count; i++)
		handler_refers(&report->blame[i].handler, visit);
	for (uint32_t i = 0; i < report->pool_count; i++)
		pool_refers(&report->pools[i], visit);
	for (uint32_t i = 0; i < report->process_count; i++) {
		handler_refers(&report->processes[i].crashed, visit);
		last_refers(report->processes[i].last, visit);
	}
}

static void ref_refers(const struct stack_ref *ref, const struct definition_visit *visit)
{
	visit_definition(visit, DEFINE_STACK, ref->stack);
	visit_definition(visit, DEFINE_TEXT, ref->task);
	visit_definition(visit, DEFINE_FUNCTION, ref->native);
}

void attribution_refers(const struct attribution *attribution, const struct definition_visit *visit)
{
	for (uint32_t i = 0; i < attribution->room; i++) {
		const struct thread_attribution *thread = attribution->threads[i];

		if (!thread)
			continue;
		ref_refers(&thread->still, visit);
		ref_refers(&thread->lane.last, visit);
		ref_refers(&thread->turn.last, visit);
		ref_refers(&thread->clock.last, visit);
		ref_refers(&thread->hold, visit);
		for (uint32_t n = 0; thread->early && n < thread->early_count; n++)
			visit_definition(visit, DEFINE_TEXT, thread->early[n].file);
	}
}

void report_builder_refers(const struct report_builder *builder,
			   const struct definition_visit *visit)
{
	attribution_refers(builder->attribution, visit);
	for (const struct thread_fold *fold = builder->threads; fold; fold = fold->next)
		thread_fold_refers(fold, visit);
	for (const struct process_fold *fold = builder->processes; fold; fold = fold->next) {
		for (uint32_t i = 0; i < fold->loop_count; i++)
			loop_refers(fold->loops[i], visit);
		heirs_refer(&fold->heirs, visit);
	}
	ended_refers(builder->ended, visit);
	tables_refer(builder, visit);
	report_refers(&builder->report, visit);
}
