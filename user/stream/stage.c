/* SPDX-License-Identifier: MIT */
#include "stream/stage.h"

#include <errno.h>
#include <stdlib.h>

static void stage_free(const struct stage *stage)
{
	if (stage->free)
		stage->free(stage->self);
}

int stages_append(struct stages *stages, struct stage stage)
{
	struct stage *list = reallocarray(stages->list, stages->count + 1, sizeof(*list));

	if (!list) {
		stage_free(&stage);
		return -ENOMEM;
	}
	stages->list = list;
	list[stages->count++] = stage;
	return 0;
}

static int feed_process(void *ctx, const struct process_info *info)
{
	const struct stages *stages = ctx;
	int err = 0;

	for (uint32_t i = 0; i < stages->count && !err; i++)
		err = sink_process(&stages->list[i].sink, info);
	return err;
}

static int feed_event(void *ctx, const union event *event)
{
	const struct stages *stages = ctx;
	int err = 0;

	for (uint32_t i = 0; i < stages->count && !err; i++)
		err = sink_event(&stages->list[i].sink, event);
	return err;
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
	*stages = (struct stages){0};
}
