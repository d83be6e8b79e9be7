/* SPDX-License-Identifier: MIT */
#include "stream/stage.h"

#include <errno.h>
#include <stdlib.h>

static void stage_free(const struct stage *stage)
{
	if (stage->free)
		stage->free(stage->self);
}

static int grow(struct stages *stages)
{
	struct stage *list = reallocarray(stages->list, stages->count + 1, sizeof(*list));
	struct stream_sink *takers;

	if (!list)
		return -ENOMEM;
	stages->list = list;
	takers = reallocarray(stages->takers, stages->taker_count + 1, sizeof(*takers));
	if (!takers)
		return -ENOMEM;
	stages->takers = takers;
	return 0;
}

int stages_append(struct stages *stages, struct stage stage)
{
	int err = grow(stages);

	if (err) {
		stage_free(&stage);
		return err;
	}
	stages->list[stages->count++] = stage;
	if (stage.sink.event)
		stages->takers[stages->taker_count++] = stage.sink;
	return 0;
}

static int feed_process(void *ctx, const struct process_info *info)
{
	const struct stages *stages = ctx;
	int err = 0;

	for (uint32_t i = 0; i < stages->count && !err; i++)
		if (stages->list[i].sink.process)
			err = sink_process(&stages->list[i].sink, info);
	return err;
}

/* Millions of them pass here, and mostly only one stage takes them. */
static int feed_event(void *ctx, const union event *event)
{
	const struct stages *stages = ctx;

	if (stages->taker_count == 1)
		return sink_event(stages->takers, event);
	for (uint32_t i = 0; i < stages->taker_count; i++) {
		int err = sink_event(&stages->takers[i], event);

		if (err)
			return err;
	}
	return 0;
}

static int feed_definition(void *ctx, const struct definition *definition)
{
	const struct stages *stages = ctx;
	int err = 0;

	for (uint32_t i = 0; i < stages->count && !err; i++)
		err = sink_define(&stages->list[i].sink, definition);
	return err;
}

struct stream_sink stages_sink(struct stages *stages)
{
	return (struct stream_sink){.process = feed_process,
				    .event = feed_event,
				    .ctx = stages,
				    .define = feed_definition};
}

int stages_advance(const struct stages *stages, uint64_t ts_known)
{
	int err = 0;

	for (uint32_t i = 0; i < stages->count && !err; i++)
		if (stages->list[i].advance)
			err = stages->list[i].advance(stages->list[i].self, ts_known);
	return err;
}

int stages_flush(const struct stages *stages)
{
	int err = 0;

	for (uint32_t i = 0; i < stages->count && !err; i++)
		if (stages->list[i].flush)
			err = stages->list[i].flush(stages->list[i].self);
	return err;
}

void stages_done(struct stages *stages)
{
	while (stages->count)
		stage_free(&stages->list[--stages->count]);
	free(stages->list);
	free(stages->takers);
	*stages = (struct stages){0};
}
