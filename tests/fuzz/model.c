/* SPDX-License-Identifier: MIT */
/*
 * Arbitrary events in any order: the model neither crashes nor emits anything malformed.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"

static int turning; /* its address marks loops during an iteration */

static void require(int condition)
{
	if (!condition)
		abort();
}

static void on_interval(void *ctx, const struct interval *i)
{
	uint64_t *end = i->thread->data;

	require(i->start < i->end && i->state < TS_COUNT && !i->thread->gone);
	require(!*end || *end == i->start);
	*end = i->end;
	if (!thread_state_holds(i->state))
		return;
	if (!i->gil->data)
		require((i->gil->data = calloc(1, sizeof(uint64_t))) != NULL);
	require(i->start >= *(uint64_t *)i->gil->data); /* a GIL has one holder at a time */
	*(uint64_t *)i->gil->data = i->end;
}

static void on_sample(void *ctx, const struct sample *sample)
{
	const uint64_t *end = sample->thread->data;

	require(!sample->thread->gone && *end <= sample->ts);
	require(!sample->seen_by ||
		(sample->gil && gil_last_holder(sample->gil) == sample->thread));
}

static void on_thread(void *ctx, struct thread *thread)
{
	require((thread->data = calloc(1, sizeof(uint64_t))) != NULL);
}

static void on_turn_begin(void *ctx, struct loop *loop)
{
	require(!loop->data);
	loop->data = ctx;
}

static void on_turn_cancel(void *ctx, struct loop *loop)
{
	require(loop->data != NULL);
	loop->data = NULL;
}

static void on_turn(void *ctx, const struct turn *turn)
{
	require(turn->start <= turn->end && turn->loop->data);
	turn->loop->data = NULL;
}

/* All that are gone go. */
static bool on_choose(void *ctx, const struct world *world, struct world_ended ended)
{
	uint32_t position = 0, threads = 0, gils = 0;
	struct process *process;
	struct thread *thread;
	struct gil *gil;

	while ((process = world_next_process(world, &position)))
		process->leaves = process->gone;
	for (position = 0; (thread = world_next_thread(world, &position));) {
		thread->leaves = thread->gone;
		threads += thread->gone && !thread->process->gone;
	}
	for (position = 0; (gil = world_next_gil(world, &position));) {
		gil->leaves = gil->gone;
		gils += gil->gone && !gil->process->gone;
		require(!gil->gone || (!gil->holder && !gil->observed && !gil->waiting));
	}
	require(threads == ended.threads && gils == ended.gils);
	return true;
}

static void on_forget(void *ctx, const struct world *world)
{
	uint32_t position = 0;
	struct thread *thread;
	struct gil *gil;

	while ((thread = world_next_thread(world, &position)))
		if (thread->leaves)
			free(thread->data);
	for (position = 0; (gil = world_next_gil(world, &position));)
		if (gil->leaves)
			free(gil->data);
}

/* Prefers small numbers, so that events refer to the same things more often. */
static void tame(union event *event, uint64_t *ts)
{
	*ts += event->hdr.ts & 0xff;
	event->hdr.ts = *ts;
	event->hdr.tid %= 8;
	event->hdr.aux %= 4;
	if (event->hdr.type == EV_THREAD)
		event->thread.pid %= 8;
	if (event->hdr.type == EV_GIL)
		event->gil.address %= 2;
	if (event->hdr.type == EV_LOST)
		event->lost.last_ts = *ts + (event->lost.last_ts & 0xff);
	if (event->hdr.type == EV_LOST && event->lost.count & 1)
		event->hdr.tid = 0;
	if (event->hdr.type == EV_OBSERVE)
		event->observe.holder %= 8, event->observe.span_ns %= 256;
	if (event->hdr.type == EV_STATE)
		event->state.span_ns %= 256, event->state.epfd %= 4;
	if (event->hdr.type >= EV_EPOLL_ENTER && event->hdr.type <= EV_EPOLL)
		event->epoll_enter.epfd %= 4;
	if (event->hdr.type == EV_RUNS_LOOP)
		event->runs_loop.span_ns %= 256;
	if (event->hdr.type == EV_WINDOW && (event->lost.count & 0xf))
		event->hdr.flags = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool wild = size && data[0] & 1, partial = size && data[0] & 2, tidy = size && data[0] & 4;
	const struct model_sink sink = {.thread = on_thread,
					.choose = tidy ? on_choose : NULL,
					.forget = on_forget,
					.interval = on_interval,
					.sample = on_sample,
					.turn_begin = on_turn_begin,
					.turn_cancel = on_turn_cancel,
					.turn = on_turn,
					.ctx = &turning};
	struct world *world = world_new(sink, partial ? MODE_EDGES : MODE_EXACT);
	uint32_t position = 0;
	uint64_t ts = 1;

	require(world != NULL);
	for (size_t at = 1; at + sizeof(union event) <= size; at += sizeof(union event)) {
		union event event;

		memcpy(&event, data + at, sizeof(event));
		event.hdr.type %= EV_COUNT;
		if (!wild)
			tame(&event, &ts);
		require(world_feed(world, &event) == 0);
		world_tidy(world);
	}
	world_end(world, world_window(world).end);
	for (struct thread *thread; (thread = world_next_thread(world, &position));)
		free(thread->data);
	position = 0;
	for (struct gil *gil; (gil = world_next_gil(world, &position));)
		free(gil->data);
	world_free(world);
	return 0;
}
