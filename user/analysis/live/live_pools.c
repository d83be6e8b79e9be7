/* SPDX-License-Identifier: MIT */
/* The pools of growth reports, by step and added up for a view. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/live/live_private.h"

#define POOL_FUNCTIONS 4096 /* of all pools in one step; of what is beyond none is known */

struct pool_number {
	uint32_t id;	 /* pool_report.id */
	uint32_t number; /* in the view, 1 …; 0: it is not there */
};
TABLE_OF(pool_numbers, struct pool_number, id)

int live_step_pools(struct step *step, const struct report *report)
{
	uint32_t functions = 0;

	step->pools = calloc(report->pool_count + 1, sizeof(*step->pools));
	if (!step->pools)
		return -ENOMEM;
	for (uint32_t i = 0; i < report->pool_count; i++) {
		struct pool_report *pool = &step->pools[step->pool_count++];

		*pool = report->pools[i];
		functions += pool->function_count;
		if (functions > POOL_FUNCTIONS)
			pool->function_count = 0;
		pool->functions = live_duplicate(pool->functions, pool->function_count,
						 sizeof(*pool->functions));
		if (pool->function_count && !pool->functions)
			return -ENOMEM;
	}
	return 0;
}

static int add_job_function(struct pool_report *pool, const struct pool_function *from)
{
	struct pool_function *to = NULL;

	for (uint32_t i = 0; i < pool->function_count && !to; i++)
		if (pool->functions[i].handler.frame.function == from->handler.frame.function)
			to = &pool->functions[i];
	if (!to && pool->function_count == POOL_FUNCTIONS_MAX)
		return 0;
	if (!to && !pool->functions) {
		pool->functions = calloc(POOL_FUNCTIONS_MAX, sizeof(*pool->functions));
		if (!pool->functions)
			return -ENOMEM;
	}
	if (!to) {
		to = &pool->functions[pool->function_count++];
		*to = (struct pool_function){.handler = from->handler};
	}
	to->ns += from->ns;
	if (from->stack_ns > to->stack_ns) {
		to->stack_ns = from->stack_ns;
		to->stack = from->stack;
		to->handler = from->handler;
	}
	return 0;
}

/* A pool that has grown since then was not full before. */
static int add_pool(struct pool_report *to, const struct pool_report *from)
{
	int err = 0;

	to->busy_ns += from->busy_ns;
	to->busy_max = from->busy_max > to->busy_max ? from->busy_max : to->busy_max;
	for (uint32_t i = 0; i < from->function_count && err == 0; i++)
		err = add_job_function(to, &from->functions[i]);
	if (from->threads != to->threads)
		return err;
	to->full_ns += from->full_ns;
	to->full_worst_ns = from->full_worst_ns > to->full_worst_ns ? from->full_worst_ns
								    : to->full_worst_ns;
	to->back_to_back += from->back_to_back;
	return err;
}

static int by_time(const void *a, const void *b)
{
	const struct pool_function *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? 1 : -1;
	return (x->stack > y->stack) - (x->stack < y->stack);
}

/* The pools of all steps, by their number in the view, which a table of ids says. */
static int add_pool_steps(const struct live *live, struct live_view *view, struct table *numbers)
{
	int err = 0;

	for (uint32_t n = 0; n < live->step_count; n++)
		for (uint32_t i = 0; i < live->steps[n].pool_count && err == 0; i++) {
			const struct pool_report *from = &live->steps[n].pools[i];
			struct pool_number *number;

			err = pool_numbers_get(numbers, &from->id, &number);
			if (err == 0 && number->number)
				err = add_pool(&view->pools[number->number - 1], from);
		}
	return err;
}

static void finish_pool(struct pool_report *pool)
{
	pool->busy_ns = live_at_least_zero(pool->busy_ns);
	pool->full_ns = live_at_least_zero(pool->full_ns);
	pool->back_to_back = live_at_least_zero(pool->back_to_back);
	if (pool->function_count)
		qsort(pool->functions, pool->function_count, sizeof(*pool->functions), by_time);
}

/* As the latest report has them: it has all that there were. */
int live_view_pools(const struct live *live, struct live_view *view)
{
	const struct step *last = live->step_count ? &live->steps[live->step_count - 1] : NULL;
	struct table numbers = TABLE(struct pool_number, UINT32_MAX / 4);
	uint32_t count = last ? last->pool_count : 0;
	int err = 0;

	view->pools = calloc(count + 1, sizeof(*view->pools));
	if (!view->pools)
		return -ENOMEM;
	for (uint32_t i = 0; i < count && err == 0; i++) {
		struct pool_report *pool = &view->pools[view->pool_count++];
		struct pool_number *number;

		*pool = last->pools[i];
		pool->functions = NULL;
		pool->function_count = pool->busy_max = 0;
		pool->busy_ns = pool->full_ns = pool->full_worst_ns = pool->back_to_back = 0;
		err = pool_numbers_get(&numbers, &pool->id, &number);
		if (err == 0)
			number->number = i + 1;
	}
	err = err ? err : add_pool_steps(live, view, &numbers);
	for (uint32_t i = 0; i < view->pool_count; i++)
		finish_pool(&view->pools[i]);
	table_done(&numbers);
	return err;
}

void live_pools_free(struct pool_report *pools, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		free(pools[i].functions);
	free(pools);
}
