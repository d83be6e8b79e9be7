/* SPDX-License-Identifier: MIT */
/* Thread pools as JSON. */
#include "view/json/json_parts.h"

static json_t *function_json(const struct report *report, const struct pool_function *function)
{
	return JSON_NEW(report_pool_function, .handler = json_handler(report, &function->handler),
			.stack = json_stack(report, function->stack),
			.ns = json_uint(function->ns));
}

static json_t *pool_json(const struct report *report, const struct pool_report *pool)
{
	json_t *functions = json_array();

	for (uint32_t i = 0; i < pool->function_count; i++)
		json_array_append_new(functions, function_json(report, &pool->functions[i]));
	return JSON_NEW(report_pool, .kind = json_string(pool_kind_name(pool->kind)),
			.name = json_text(pool->name), .threads = json_integer(pool->threads),
			.limit = pool->limit ? json_integer(pool->limit) : json_null(),
			.busy_max = json_integer(pool->busy_max),
			.busy_ns = json_uint(pool->busy_ns), .full_ns = json_uint(pool->full_ns),
			.full_worst_ns = json_uint(pool->full_worst_ns),
			.jobs_back_to_back = json_uint(pool->back_to_back), .functions = functions);
}

json_t *json_pools(const struct report *report, const struct process *process)
{
	json_t *pools = NULL;

	for (uint32_t i = 0; i < report->pool_count; i++) {
		if (report->pools[i].process != process)
			continue;
		pools = pools ? pools : json_array();
		json_array_append_new(pools, pool_json(report, &report->pools[i]));
	}
	return pools ? pools : JSON_LEFT_OUT;
}
