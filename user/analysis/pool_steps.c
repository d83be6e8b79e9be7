/* SPDX-License-Identifier: MIT */
#include "analysis/pool_steps.h"

#include "analysis/fold.h"

void report_builder_pool_steps(struct report_builder *builder, struct pool_sink sink)
{
	builder->pool_sink = sink;
}

uint32_t pool_id(const struct report_builder *builder, const struct pool_fold *pool)
{
	(void)builder;
	return pool->id;
}

static bool same_step(const struct pool_step *a, const struct pool_step *b)
{
	return a->busy == b->busy && a->idle == b->idle && a->unknown == b->unknown &&
	       a->full == b->full && !b->anew;
}

void pool_step(const struct report_builder *builder, struct pool_fold *pool)
{
	const struct pool_step step = {.pool = pool_id(builder, pool),
				       .ts = pool->ts,
				       .busy = pool->busy,
				       .idle = pool->idle,
				       .unknown = pool->alive - pool->busy - pool->idle,
				       .full = pool->full,
				       .anew = !pool->report.threads};

	if (!builder->pool_sink.step || same_step(&pool->step, &step))
		return;
	pool->step = step;
	builder->pool_sink.step(builder->pool_sink.ctx, &step);
}
