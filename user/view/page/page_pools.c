/* SPDX-License-Identifier: MIT */
/* The lanes of thread pools: steps are added to columns as they come. Which stretches were full is
 * certain only at the end, when it is known how many threads a pool had. */
#include "view/page/page_parts.h"

#include <errno.h>
#include <stdlib.h>

enum { FLAGS, LENGTHS, BUSY, IDLE };

/* Two steps are held back: the latest may yet be replaced, and then be no step at all. */
struct pool_lane {
	struct page_lane lane;
	struct column unknown; /* the last column: other lanes have four at most */
	struct pool_step shown, latest;
	bool begun;
};

static struct pool_lane *pool_lane(struct page_pools *pools, uint32_t pool)
{
	if (pool >= pools->room) {
		uint32_t room = pool + 8;
		struct pool_lane *grown = reallocarray(pools->lanes, room, sizeof(*grown));

		if (!grown)
			return NULL;
		for (uint32_t i = pools->room; i < room; i++)
			grown[i] = (struct pool_lane){0};
		pools->lanes = grown;
		pools->room = room;
	}
	return &pools->lanes[pool];
}

static void pool_lane_done(struct pool_lane *pool)
{
	page_lane_done(&pool->lane);
	column_done(&pool->unknown);
	*pool = (struct pool_lane){0};
}

static int put_shown(struct pool_lane *pool, uint64_t end)
{
	const struct pool_step *step = &pool->shown;
	struct page_lane *lane = &pool->lane;
	int err;

	if (step->ts == end)
		return 0;
	err = page_lane_next(lane, step->ts, end);
	if (!err)
		err = column_add_byte(&lane->columns[FLAGS], step->full ? PAGE_POOL_FULL : 0);
	if (!err)
		err = column_add(&lane->columns[LENGTHS], end - step->ts);
	if (!err)
		err = column_add(&lane->columns[BUSY], step->busy);
	if (!err)
		err = column_add(&lane->columns[IDLE], step->idle);
	return err ? err : column_add(&pool->unknown, step->unknown);
}

/* The latest step is one. */
static int settle(struct pool_lane *pool)
{
	const struct pool_step *a = &pool->shown, *b = &pool->latest;
	int err;

	if (a->busy == b->busy && a->idle == b->idle && a->unknown == b->unknown &&
	    a->full == b->full)
		return 0;
	err = put_shown(pool, b->ts);
	pool->shown = *b;
	return err;
}

int page_pools_add(struct page_pools *pools, const struct pool_step *step)
{
	struct pool_lane *pool = pool_lane(pools, step->pool);
	int err = 0;

	if (!pool)
		return -ENOMEM;
	if (step->anew) {
		pool_lane_done(pool);
		return 0;
	}
	if (!pool->begun)
		pool->shown = *step;
	else if (step->ts != pool->latest.ts)
		err = settle(pool);
	pool->latest = *step;
	pool->begun = true;
	return err;
}

/* While a pool had fewer threads it could still grow: it was not full. */
static void clear_grown(struct page_lane *lane, uint32_t threads)
{
	size_t at = 0;

	for (uint64_t i = 0; i < lane->count; i++)
		if (column_next(&lane->columns[BUSY], &at) < threads)
			lane->columns[FLAGS].bytes[i] &= (unsigned char)~PAGE_POOL_FULL;
}

int page_pool_write(FILE *file, struct page_pools *pools, const struct pool_report *report,
		    uint32_t number, const struct world_window *window)
{
	struct pool_lane *pool = pool_lane(pools, report->id);
	int err;

	if (!pool)
		return -ENOMEM;
	err = settle(pool);
	if (!err && pool->begun)
		err = put_shown(pool, window->end);
	if (err)
		return err;
	clear_grown(&pool->lane, report->threads);
	return page_lane_write(file, number, &pool->lane, &pool->unknown, window->start);
}

void page_pools_done(struct page_pools *pools)
{
	for (uint32_t i = 0; i < pools->room; i++)
		pool_lane_done(&pools->lanes[i]);
	free(pools->lanes);
	*pools = (struct page_pools){0};
}
