/* SPDX-License-Identifier: MIT */
/*
 * Thread pools all of whose threads were busy, so that more work had to wait.
 *
 * A pool that may still grow is not full. How large it may become is known of some (pools.def).
 * An executor whose limit is unknown has reached it when a thread began its next job without
 * idling: that job was in the queue, and an executor starts a thread rather than to queue a job as
 * long as it may. Threads that somebody keeps busy for good (a consumer in an executor of its own)
 * are no full pool: where nothing shows that work waited, only shared pools count, from 1 s on.
 */
#include "base/duration.h"
#include "diagnosis/pools.h"
#include "diagnosis/rule.h"
#include "words/names.h"

#define FULL_NS NS_PER_S

static bool at_limit(const struct pool_report *pool)
{
	uint32_t limit = pool_limit(pool->kind);

	if (limit == LIMIT_FIXED)
		return true;
	if (limit == LIMIT_OWN && !pool->limit)
		return pool->back_to_back > 0;
	/* with more threads than the usual limit it is another one, which is not read */
	if (limit != LIMIT_OWN && pool->threads > limit)
		return pool->back_to_back > 0;
	return pool->threads >= (limit == LIMIT_OWN ? pool->limit : limit);
}

/* A thread alone is busy with every request: it is much at a time, or half of the window. */
static bool is_busy_for_long(const struct report *report, const struct pool_report *pool)
{
	return pool->full_ns >= FULL_NS && (pool->threads > 1 || pool->full_worst_ns >= FULL_NS ||
					    pool->full_ns >= text_window_ns(report) / 2);
}

static bool is_full(const struct report *report, const struct pool_report *pool)
{
	/* what comes right after another request may come from the same client */
	bool queued = pool->back_to_back && (pool->threads > 1 || pool->kind == POOL_EXECUTOR);

	return at_limit(pool) && pool->full_ns >= report->stall_ns && pool->full_ns &&
	       (queued || (pool_owner_of(report, pool)->shared && is_busy_for_long(report, pool)));
}

static void process_pools(struct collector *collector, const struct report *report,
			  const struct process_report *process)
{
	for (uint32_t i = 0; i < report->pool_count; i++) {
		const struct pool_report *pool = &report->pools[i];
		struct finding finding = {.id = FINDING_POOL_FULL,
					  .subject = SUBJECT_POOL,
					  .process = process,
					  .pool = pool,
					  .sysno = SYSNO_UNKNOWN,
					  .ns = pool->full_ns,
					  .count = pool->back_to_back,
					  .worst_ns = pool->full_worst_ns};

		if (pool->process != process->process || !is_full(report, pool))
			continue;
		if (pool->function_count) {
			set_stack(&finding, report, pool->functions[0].stack);
			finding.handler = pool->functions[0].handler;
		}
		collector_add_whole(collector, &finding);
	}
}

/* In what, if that is half of it. */
static void add_work(struct text_buffer *text, const struct report *report,
		     const struct finding *finding)
{
	const struct pool_report *pool = finding->pool;
	struct finding work = *finding;
	uint64_t total = 0;

	for (uint32_t i = 0; i < pool->function_count; i++)
		total += pool->functions[i].ns;
	if (!total || pool->functions[0].ns * 2 < total ||
	    (finding->handler.role == HANDLER_NONE && !finding->inner.function))
		return;
	text_add(text, pool->functions[0].ns >= total / 10 * 9 ? ", in " : ", mostly in ");
	if (work.handler.role == HANDLER_EXECUTOR) /* that it ran in a pool is being said */
		work.handler.role = HANDLER_FRAME;
	add_function(text, report, &work);
}

static void text_pool(struct text_buffer *text, const struct report *report,
		      const struct finding *finding)
{
	const struct pool_report *pool = finding->pool;
	struct text_buffer work = {0};

	if (pool->threads > 2)
		text_add(text, "All %u" NBSP "threads of ", pool->threads);
	else if (pool->threads > 1)
		text_add(text, "Both threads of ");
	else
		text_add(text, "The thread of ");
	text_add_pool(text, report, pool);
	text_add(text, pool->threads > 1 ? " were busy for " : " was busy for ");
	text_add_duration(text, pool->full_ns);
	text_add(text, " of ");
	text_add_duration(text, text_window_ns(report));
	add_work(&work, report, finding);
	if (work.length && work.bytes[work.length - 1] == ',')
		work.bytes[--work.length] = '\0';
	text_add(text, "%s", work.bytes);
	text_add_back_to_back(text, pool);
}

static void advise_pool(struct text_buffer *text, const struct report *report,
			const struct finding *finding)
{
	text_add(text, "%s", pool_owner_of(report, finding->pool)->advice);
}

const struct rule rule_pool_full = {
	.process = process_pools, .text = text_pool, .advice = advise_pool};
