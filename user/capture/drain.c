/* SPDX-License-Identifier: MIT */
#include "capture/private.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "python/process/pages.h"

static int handle_event(struct capture *capture, const void *data, size_t size)
{
	union event event = {0};
	int err = 0;

	if (size > sizeof(event))
		return -EPROTO;
	memcpy(&event, data, size);
	if (event_size(event.hdr.type) != size)
		return -EPROTO;
	capture->status.events++;
	if (event.hdr.type >= EV_EPOLL_ENTER)
		err = capture_note(capture, &event);
	return err ? err : sink_event(&capture->sink, &event);
}

/* A stack or text is resolved outside the callback, because that reads the process's memory. */
static int hold(struct capture *capture, const void *data, size_t size)
{
	struct held_record *held = &capture->held;

	if (size > sizeof(*held) - offsetof(struct held_record, hdr))
		return -EPROTO;
	memcpy(&held->hdr, data, size);
	held->bytes = size;
	return 0;
}

static int handle_record(struct capture *capture, const void *data, size_t size)
{
	const struct event_hdr *hdr = data;

	/* a mismatch of type and size means a build that mixes two versions */
	if (size < sizeof(*hdr))
		return -EPROTO;
	switch (hdr->type) {
	case RING_STACK:
	case RING_TEXT:
		return hold(capture, data, size);
	case RING_SAMPLE:
		return capture_handle_sample(capture, data, size);
	case RING_NATIVE:
		return capture_handle_native(capture, data, size);
	case RING_FILE:
		return capture_handle_file(capture, data, size);
	case RING_FAMILY:
		return capture_note_family(capture, data, size);
	default:
		return handle_event(capture, data, size);
	}
}

/* A record beyond horizon and window proves that everything up to the horizon has come. The drain
 * ends there, so that probes which are faster than the reader cannot keep it in one drain. */
static bool is_beyond(const struct capture *capture, uint64_t ts)
{
	return ts > capture->horizon && ts - capture->horizon > REORDER_WINDOW_NS;
}

int capture_handle_record(void *ctx, void *data, size_t size)
{
	const struct event_hdr *hdr = data;
	struct capture *capture = ctx;

	capture->error = handle_record(capture, data, size);
	if (capture->error)
		return capture->error;
	return capture->held.bytes || is_beyond(capture, hdr->ts) ? -EAGAIN : 0;
}

/* Records that refer to a stack or text come after it, so it is resolved before they are consumed.
 */
static int drain_ring(struct capture *capture)
{
	bool more = true;
	int err = 0;

	while (more && !err) {
		probes_consume(&capture->probes);
		err = capture->error;
		more = capture->held.bytes && !is_beyond(capture, capture->held.hdr.ts);
		if (!err)
			err = capture_resolve_held(capture);
	}
	return err;
}

/* A snapshot tells what holds behind the loss. If it is not known when that was, it counts from
 * now on: the reorder stage moves what is late. */
static int put_loss(void *arg, uint32_t whose, uint16_t cpu, const struct shared_loss *loss)
{
	bool runs = whose == SHARED_LOSS_RUNS;
	struct capture *capture = arg;
	union event event = {.lost = {
				     .hdr = {.ts = loss->first_ts,
					     .tid = runs ? 0 : whose,
					     .type = EV_LOST,
					     .flags = runs ? EVF_LOST_RUNS : 0,
					     .aux = cpu},
				     .count = loss->count,
				     .last_ts = loss->last_ts,
			     }};

	capture->status.lost += loss->count;
	if (whose == SHARED_LOSS_ALL)
		capture_request_snapshots(capture);
	else if (!runs)
		capture_request_snapshot(capture, whose);
	return sink_event(&capture->sink, &event);
}

int capture_drain_losses(struct capture *capture)
{
	return probes_take_losses(&capture->probes, put_loss, capture);
}

void capture_begin_misses(struct capture *capture)
{
	capture->misses = probes_misses(&capture->probes);
	capture->ts_misses = clock_now_ns();
}

/* Often enough for the reorder stage to hold everything since the last look: what it has passed on
 * cannot become unknown. */
#define MISSES_EVERY_NS (REORDER_WINDOW_NS / 2)

/*
 * Skipped hits become LOST events too. The kernel counts those of all processes together and not
 * when they happened, so everything since the last look is unknown.
 */
static int drain_misses(struct capture *capture, uint64_t horizon)
{
	struct misses before = capture->misses, now;
	union event event = {.lost = {.hdr = {.ts = capture->ts_misses,
					      .type = EV_LOST,
					      .flags = EVF_LOST_MISSED}}};
	uint64_t ts = clock_now_ns();

	if (capture->enabled && ts - capture->ts_misses < MISSES_EVERY_NS)
		return 0;
	now = probes_misses(&capture->probes);
	capture->misses = now;
	capture->ts_misses = ts;
	capture->unsampled += now.samples - before.samples;
	event.lost.count = now.hits - before.hits;
	if (!event.lost.count)
		return 0;
	/* WINDOW(end) itself must not be inside the loss */
	event.lost.last_ts = capture->enabled ? clock_now_ns() : horizon - 1;
	if (event.hdr.ts > event.lost.last_ts)
		event.hdr.ts = event.lost.last_ts;
	capture->status.missed += event.lost.count;
	capture_request_snapshots(capture);
	return sink_event(&capture->sink, &event);
}

/* Memory of the targets that was not read since the last drain, although it perhaps could be. */
static int drain_unread(struct capture *capture, uint64_t horizon)
{
	union event event = {.unread = {.hdr = {.ts = horizon - 1, .type = EV_UNREAD},
					.count = pages_unread() - capture->unread}};

	capture->unread += event.unread.count;
	return event.unread.count ? sink_event(&capture->sink, &event) : 0;
}

/* Samples that were lost since the last drain. */
static int drain_unsampled(struct capture *capture, uint64_t horizon)
{
	union event event = {.unsampled = {.hdr = {.ts = horizon - 1, .type = EV_UNSAMPLED},
					   .count = capture->unsampled}};

	capture->unsampled = 0;
	return event.unsampled.count ? sink_event(&capture->sink, &event) : 0;
}

/*
 * Losses are read before the ring is emptied: records stamped before `horizon` are by now either
 * in the ring or counted as lost, except for those in flight on a CPU, which the reorder window
 * covers.
 */
int capture_drain(struct capture *capture, uint64_t horizon)
{
	int err = capture_drain_losses(capture);

	if (!err)
		err = drain_misses(capture, horizon);
	if (!err)
		err = drain_unread(capture, horizon);
	if (!err)
		err = drain_unsampled(capture, horizon);
	if (err)
		return err;
	capture->horizon = horizon;
	err = drain_ring(capture);
	return err ? err : reorder_advance(capture->reorder, horizon);
}
