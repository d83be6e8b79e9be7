/* SPDX-License-Identifier: MIT */
/*
 * checkpoint_state.c - follows a stream with a world that has no sink. A world keeps objects that
 * are gone, because its sink may refer to them, and takes in a limited number. So when more than
 * half of its objects may be gone, it is replaced by a new one that is fed its checkpoint.
 */
#include "model/checkpoint/checkpoint.h"

#include <errno.h>
#include <stdlib.h>

#include "model/private.h"

#define OBJECTS_MIN 512 /* replacing a smaller world is not worth it */

struct follower {
	struct world *world;
	enum evidence_mode mode;
	uint32_t room; /* the world is replaced when it has more objects */
};

static void replace(struct follower *follower, struct world *world)
{
	world_free(follower->world);
	follower->world = world;
	follower->room = world->object_count * 2 + OBJECTS_MIN;
}

static int begin_anew(struct follower *follower)
{
	struct world *world = world_new((struct model_sink){0}, follower->mode);
	struct stream_sink sink;
	int err;

	if (!world)
		return -ENOMEM;
	sink = world_sink(world);
	err = world_checkpoint(follower->world, follower->world->now, &sink);
	if (err)
		world_free(world);
	else
		replace(follower, world);
	return err;
}

static int on_process(void *ctx, const struct process_info *info)
{
	struct follower *follower = ctx;
	struct stream_sink sink = world_sink(follower->world);

	return sink_process(&sink, info);
}

static int on_event(void *ctx, const union event *event)
{
	struct follower *follower = ctx;
	int err = world_feed(follower->world, event);

	if (err || !follower->world->begun || follower->world->object_count <= follower->room)
		return err;
	return begin_anew(follower);
}

static int write_checkpoint(const void *ctx, uint64_t ts, const struct stream_sink *to)
{
	return world_checkpoint(((const struct follower *)ctx)->world, ts, to);
}

static void follower_refers(const void *ctx, const struct definition_visit *visit)
{
	world_refers(((const struct follower *)ctx)->world, visit);
}

static void follower_free(void *ctx)
{
	struct follower *follower = ctx;

	if (follower)
		world_free(follower->world);
	free(follower);
}

struct stream_state checkpoint_state(enum evidence_mode mode)
{
	struct follower *follower = calloc(1, sizeof(*follower));
	struct world *world = world_new((struct model_sink){0}, mode);

	if (follower && world) {
		follower->mode = mode;
		replace(follower, world);
	} else {
		free(follower);
		world_free(world);
		follower = NULL;
	}
	return (struct stream_state){
		.sink = {.process = on_process, .event = on_event, .ctx = follower},
		.write = write_checkpoint,
		.refers = follower_refers,
		.free = follower_free};
}
