/* SPDX-License-Identifier: MIT */
/*
 * Nearly all events arrive in order or a few places too early, so a sorted ring with insertion from
 * its tail costs next to nothing. An event that would have to move far goes to a heap instead,
 * which keeps the worst case (a hostile file) at O(log n). Among equal timestamps the ring's events
 * come first. That is their order of arrival: a ring event that arrived after one in the heap would
 * have had to move as far, and would be in the heap, too.
 */
#include "stream/reorder.h"

#include <errno.h>
#include <stdlib.h>

#define INSERT_MAX 256
/* Places to begin with. Every event is written into the next place, so a ring with much more of
 * them than are needed is new memory with every event, and not in any cache. */
#define PLACES_MIN 4096

struct straggler {
	union event event;
	uint64_t number; /* order of arrival */
};

struct reorder {
	struct stream_sink next;
	uint64_t window_ns;
	uint32_t max_events;
	uint64_t ts_gone; /* anything older is late: the time of the last event passed on, or how
			     far the source has promised to be complete */
	uint64_t late;
	struct ev_lost lost; /* late events not yet passed on as a loss; none if its count is 0 */

	union event *ring; /* sorted; a power of two of places, more when they are needed */
	uint64_t mask, head, tail;

	struct straggler *heap; /* a binary heap, the oldest first */
	uint64_t heap_length, number;
};

static bool straggler_before(const struct straggler *a, const struct straggler *b)
{
	return a->event.hdr.ts < b->event.hdr.ts ||
	       (a->event.hdr.ts == b->event.hdr.ts && a->number < b->number);
}

static void heap_push(struct reorder *reorder, const union event *event)
{
	struct straggler straggler = {.event = *event, .number = reorder->number++};
	uint64_t place = reorder->heap_length++;

	for (uint64_t parent;
	     place && straggler_before(&straggler, &reorder->heap[parent = (place - 1) / 2]);
	     place = parent)
		reorder->heap[place] = reorder->heap[parent];
	reorder->heap[place] = straggler;
}

static void heap_pop(struct reorder *reorder)
{
	const struct straggler *last = &reorder->heap[--reorder->heap_length];
	uint64_t place = 0;

	for (uint64_t child; (child = 2 * place + 1) < reorder->heap_length; place = child) {
		if (child + 1 < reorder->heap_length &&
		    straggler_before(&reorder->heap[child + 1], &reorder->heap[child]))
			child++;
		if (!straggler_before(&reorder->heap[child], last))
			break;
		reorder->heap[place] = reorder->heap[child];
	}
	reorder->heap[place] = *last;
}

static union event *ring_at(const struct reorder *reorder, uint64_t place)
{
	return &reorder->ring[place & reorder->mask];
}

/* 0 or -ENOMEM. */
static int ring_grow(struct reorder *reorder)
{
	uint64_t before = reorder->mask, mask = 2 * before + 1;
	union event *ring = realloc(reorder->ring, (mask + 1) * sizeof(*ring));

	if (!ring)
		return -ENOMEM;
	reorder->ring = ring;
	reorder->mask = mask;
	for (uint64_t i = reorder->head; i < reorder->tail; i++)
		if ((i & mask) != (i & before))
			ring[i & mask] = ring[i & before];
	return 0;
}

/* For an event that is older than the youngest in the ring. Returns false if it would have to move
 * too far. */
static bool ring_insert(struct reorder *reorder, const union event *event)
{
	uint64_t place = reorder->tail;
	uint64_t least = place - reorder->head > INSERT_MAX ? place - INSERT_MAX : reorder->head;

	while (place > least && ring_at(reorder, place - 1)->hdr.ts > event->hdr.ts)
		place--;
	if (place == least && least > reorder->head &&
	    ring_at(reorder, place - 1)->hdr.ts > event->hdr.ts)
		return false;
	for (uint64_t i = reorder->tail; i > place; i--)
		*ring_at(reorder, i) = *ring_at(reorder, i - 1);
	*ring_at(reorder, place) = *event;
	reorder->tail++;
	return true;
}

static bool ring_push(struct reorder *reorder, const union event *event)
{
	uint64_t tail = reorder->tail;

	if (tail != reorder->head && ring_at(reorder, tail - 1)->hdr.ts > event->hdr.ts)
		return ring_insert(reorder, event);
	*ring_at(reorder, tail) = *event;
	reorder->tail = tail + 1;
	return true;
}

static bool is_empty(const struct reorder *reorder)
{
	return reorder->tail == reorder->head && !reorder->heap_length;
}

/* The oldest event held is the heap's; there is one. */
static bool heap_is_next(const struct reorder *reorder)
{
	return reorder->heap_length &&
	       (reorder->tail == reorder->head ||
		reorder->heap->event.hdr.ts < ring_at(reorder, reorder->head)->hdr.ts);
}

/* Its time; there is one. */
static uint64_t oldest_ts(const struct reorder *reorder)
{
	return heap_is_next(reorder) ? reorder->heap->event.hdr.ts
				     : ring_at(reorder, reorder->head)->hdr.ts;
}

static int emit_lost(struct reorder *reorder)
{
	union event event = {.lost = reorder->lost};

	if (!reorder->lost.count)
		return 0;
	reorder->lost.count = 0;
	return sink_event(&reorder->next, &event);
}

static int pass_straggler(struct reorder *reorder)
{
	union event event = reorder->heap->event;

	heap_pop(reorder);
	reorder->ts_gone = event.hdr.ts;
	return sink_event(&reorder->next, &event);
}

/* There is one. */
static int pass_oldest(struct reorder *reorder)
{
	int err = reorder->lost.count ? emit_lost(reorder) : 0;
	const union event *event;

	if (err)
		return err;
	if (heap_is_next(reorder))
		return pass_straggler(reorder);
	/* its place is not used again before this returns */
	event = ring_at(reorder, reorder->head++);
	reorder->ts_gone = event->hdr.ts;
	return sink_event(&reorder->next, event);
}

/* Whether hdr.tid is that of a process or of a thread, by what events.def says. */
#define IS(word, other) (__builtin_strcmp(word, other) == 0)
static const bool NAMES_PROCESS[EV_COUNT] = {
#define EVENT(id, NAME, name, aux, tid, doc)                                                       \
	[id] = IS(#tid, "thread") || IS(#tid, "observer") || IS(#tid, "process"),
#include "bpf/events.def"
};

/* What is missing without this event. */
static struct event_hdr missing(const struct reorder *reorder, const union event *event)
{
	struct event_hdr hdr = {.ts = reorder->ts_gone, .type = EV_LOST, .flags = EVF_LOST_LATE};

	if (event->hdr.type == EV_RUN || event->hdr.type == EV_COMM)
		hdr.flags |= EVF_LOST_RUNS;
	else if (event->hdr.type == EV_THREAD)
		hdr.tid = event->thread.pid;
	else if (event->hdr.type < EV_COUNT && NAMES_PROCESS[event->hdr.type])
		hdr.tid = event->hdr.tid;
	return hdr;
}

static int note_late(struct reorder *reorder, const union event *event)
{
	struct ev_lost *lost = &reorder->lost;
	struct event_hdr hdr = missing(reorder, event);
	int err = 0;

	reorder->late++;
	if (lost->count && (lost->hdr.tid != hdr.tid || lost->hdr.flags != hdr.flags))
		err = emit_lost(reorder);
	if (!lost->count)
		*lost = (struct ev_lost){.hdr = hdr, .last_ts = hdr.ts};
	lost->count++;
	return err;
}

/* A loss that arrives late keeps its count and its length; it begins at `ts`, since what has been
 * passed on cannot be taken back. */
static union event loss_from(uint64_t ts, const union event *event)
{
	union event loss = *event;

	loss.hdr.ts = ts;
	if (loss.lost.last_ts < ts)
		loss.lost.last_ts = ts;
	return loss;
}

static int reorder_timely_event(struct reorder *reorder, const union event *event)
{
	if (reorder->tail - reorder->head > reorder->mask && ring_grow(reorder) < 0)
		return -ENOMEM;
	if (!ring_push(reorder, event))
		heap_push(reorder, event);
	if (reorder->tail - reorder->head + reorder->heap_length > reorder->max_events)
		return pass_oldest(reorder);
	return 0;
}

/* An event that is older than one already passed on. */
static int reorder_late_event(struct reorder *reorder, const union event *event)
{
	union event loss;

	if (event->hdr.type != EV_LOST)
		return note_late(reorder, event);
	loss = loss_from(reorder->ts_gone, event);
	return reorder_timely_event(reorder, &loss);
}

static int reorder_event(void *ctx, const union event *event)
{
	struct reorder *reorder = ctx;

	return event->hdr.ts < reorder->ts_gone ? reorder_late_event(reorder, event)
						: reorder_timely_event(reorder, event);
}

static int reorder_process(void *ctx, const struct process_info *info)
{
	struct reorder *reorder = ctx;

	return sink_process(&reorder->next, info);
}

static int reorder_define(void *ctx, const struct definition *definition)
{
	const struct reorder *reorder = ctx;

	return sink_define(&reorder->next, definition);
}

struct reorder *reorder_new(struct stream_sink next, uint64_t window_ns, uint32_t max_events)
{
	struct reorder *reorder = calloc(1, sizeof(*reorder));

	if (!reorder)
		return NULL;
	reorder->ring = malloc(PLACES_MIN * sizeof(*reorder->ring));
	/* untouched memory is not allocated, so this costs only what is held */
	reorder->heap = malloc(((uint64_t)max_events + 1) * sizeof(*reorder->heap));
	if (!reorder->ring || !reorder->heap) {
		reorder_free(reorder);
		return NULL;
	}
	reorder->next = next;
	reorder->window_ns = window_ns;
	reorder->max_events = max_events;
	reorder->mask = PLACES_MIN - 1;
	return reorder;
}

void reorder_free(struct reorder *reorder)
{
	if (!reorder)
		return;
	free(reorder->ring);
	free(reorder->heap);
	free(reorder);
}

struct stream_sink reorder_sink(struct reorder *reorder)
{
	return (struct stream_sink){.process = reorder_process,
				    .event = reorder_event,
				    .ctx = reorder,
				    .define = reorder_define};
}

int reorder_advance(struct reorder *reorder, uint64_t ts)
{
	uint64_t due = ts > reorder->window_ns ? ts - reorder->window_ns : 0;
	int err = emit_lost(reorder);

	while (!err && !is_empty(reorder) && oldest_ts(reorder) < due)
		err = pass_oldest(reorder);
	if (due > reorder->ts_gone)
		reorder->ts_gone = due;
	return err;
}

uint64_t reorder_reached(const struct reorder *reorder)
{
	return reorder->ts_gone;
}

int reorder_flush(struct reorder *reorder)
{
	int err = emit_lost(reorder);

	while (!err && !is_empty(reorder))
		err = pass_oldest(reorder);
	return err;
}

uint64_t reorder_late(const struct reorder *reorder)
{
	return reorder->late;
}
