/* SPDX-License-Identifier: MIT */
/*
 * keep.c - events in chunks, packed by their size. Events that are too old are fed to the state,
 * one by one, so that what is kept begins where the window does.
 */
#include "stream/keep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream/names/issue.h"

#define CHUNKS		16 /* of a window that is full; the memory bound is kept to one of them */
#define CHUNK_BYTES_MAX (256u << 10)

/* A process among the events: a header of type 0, and where its description is. */
struct process_record {
	struct event_hdr hdr;
	struct process_info *info;
};

struct chunk {
	struct chunk *next;
	size_t length, begin; /* bytes, and those of them that have gone on */
	uint64_t ts_last;
	uint64_t used; /* dictionary_now() when it was begun */
	unsigned char bytes[];
};

struct keep {
	uint64_t window_ns;
	size_t max_bytes, chunk_bytes, bytes;
	struct chunk *first, *last;
	struct stream_state state; /* as of the begin of what is kept */
	struct dictionary *dictionary;
	bool begun;
	uint64_t ts_begin, ts_known;
};

/* What events refer to was used when they came. */
static void keep_refers(void *ctx, struct dictionary *dictionary)
{
	const struct keep *keep = ctx;
	const struct definition_visit visit = dictionary_keeping(dictionary);

	keep->state.refers(keep->state.sink.ctx, &visit);
	if (keep->first)
		dictionary_keep_used(dictionary, keep->first->used);
}

struct keep *keep_new(uint64_t window_ns, size_t max_bytes, struct stream_state state,
		      struct dictionary *dictionary)
{
	struct keep *keep = state.sink.ctx ? calloc(1, sizeof(*keep)) : NULL;

	if (!keep) {
		state.free(state.sink.ctx);
		return NULL;
	}
	keep->state = state;
	keep->window_ns = window_ns;
	keep->max_bytes = max_bytes > KEEP_BYTES_MIN ? max_bytes : KEEP_BYTES_MIN;
	keep->chunk_bytes = keep->max_bytes / CHUNKS < CHUNK_BYTES_MAX ? keep->max_bytes / CHUNKS
								       : CHUNK_BYTES_MAX;
	keep->dictionary = dictionary;
	if (!dictionary ||
	    !dictionary_forgets(dictionary,
				(struct dictionary_user){.refers = keep_refers, .ctx = keep}))
		return keep;
	keep_free(keep);
	return NULL;
}

/* ── records ─────────────────────────────────────────────────────────────── */

static size_t record_size(const struct event_hdr *hdr)
{
	return hdr->type ? event_size(hdr->type) : sizeof(struct process_record);
}

static struct process_info *info_at(const unsigned char *at)
{
	struct process_record record;

	memcpy(&record, at, sizeof(record));
	return record.info;
}

/* The header of the record at this place; they are multiples of 8 bytes. */
static const struct event_hdr *header_at(const struct chunk *chunk, size_t at)
{
	return (const struct event_hdr *)(const void *)(chunk->bytes + at);
}

static void read_event(const struct chunk *chunk, size_t at, union event *event)
{
	memset(event, 0, sizeof(*event));
	memcpy(event, chunk->bytes + at, record_size(header_at(chunk, at)));
}

static struct chunk *chunk_with_room(struct keep *keep, size_t size)
{
	struct chunk *chunk = keep->last;

	if (chunk && chunk->length + size <= keep->chunk_bytes)
		return chunk;
	chunk = malloc(sizeof(*chunk) + keep->chunk_bytes);
	if (!chunk)
		return NULL;
	*chunk = (struct chunk){.used = keep->dictionary ? dictionary_now(keep->dictionary) : 0};
	if (keep->last)
		keep->last->next = chunk;
	else
		keep->first = chunk;
	keep->last = chunk;
	keep->bytes += sizeof(*chunk) + keep->chunk_bytes;
	return chunk;
}

static int append(struct keep *keep, const void *record, size_t size, uint64_t ts)
{
	struct chunk *chunk = chunk_with_room(keep, size);

	if (!chunk)
		return -ENOMEM;
	memcpy(chunk->bytes + chunk->length, record, size);
	chunk->length += size;
	if (ts > chunk->ts_last)
		chunk->ts_last = ts;
	return 0;
}

static void drop_first(struct keep *keep)
{
	struct chunk *chunk = keep->first;

	keep->first = chunk->next;
	if (!keep->first)
		keep->last = NULL;
	keep->bytes -= sizeof(*chunk) + keep->chunk_bytes;
	free(chunk);
}

/* ── letting go ──────────────────────────────────────────────────────────── */

static int fold_record(struct keep *keep, struct chunk *chunk)
{
	const struct event_hdr *hdr = header_at(chunk, chunk->begin);
	size_t at = chunk->begin;
	union event event;
	int err;

	chunk->begin += record_size(hdr);
	if (hdr->type) {
		read_event(chunk, at, &event);
		return sink_event(&keep->state.sink, &event);
	}
	err = sink_process(&keep->state.sink, info_at(chunk->bytes + at));
	free(info_at(chunk->bytes + at));
	return err;
}

/* The history window begins at `ts` from now on: all events before it are fed to the state. */
static int begin_at(struct keep *keep, uint64_t ts)
{
	int err = 0;

	while (keep->first && !err) {
		struct chunk *chunk = keep->first;

		while (chunk->begin < chunk->length && header_at(chunk, chunk->begin)->ts <= ts &&
		       !err)
			err = fold_record(keep, chunk);
		/* the last one is being written to */
		if (chunk->begin < chunk->length || !chunk->next)
			break;
		drop_first(keep);
	}
	if (ts > keep->ts_begin)
		keep->ts_begin = ts;
	return err;
}

static int let_go(struct keep *keep)
{
	int err = 0;

	if (keep->ts_known > keep->window_ns && keep->ts_known - keep->window_ns > keep->ts_begin)
		err = begin_at(keep, keep->ts_known - keep->window_ns);
	while (!err && keep->bytes > keep->max_bytes && keep->first->next)
		err = begin_at(keep, keep->first->ts_last);
	return err;
}

int keep_advance(struct keep *keep, uint64_t ts_known)
{
	if (ts_known > keep->ts_known)
		keep->ts_known = ts_known;
	return keep->begun ? let_go(keep) : 0;
}

/* ── the sink ────────────────────────────────────────────────────────────── */

static int on_process(void *ctx, const struct process_info *info)
{
	struct keep *keep = ctx;
	struct process_record record = {.hdr = {.ts = keep->ts_known}};
	int err;

	if (!keep->begun)
		return sink_process(&keep->state.sink, info);
	record.info = malloc(sizeof(*record.info));
	if (!record.info)
		return -ENOMEM;
	*record.info = *info;
	err = append(keep, &record, sizeof(record), record.hdr.ts);
	if (err)
		free(record.info);
	return err;
}

/* The window's bounds are not kept: it begins where what is kept does. */
static int on_window(struct keep *keep, const union event *window)
{
	if (keep->begun || window->hdr.flags & EVF_WINDOW_END)
		return keep_advance(keep, window->hdr.ts);
	keep->begun = true;
	keep->ts_begin = keep->ts_known = window->hdr.ts;
	return sink_event(&keep->state.sink, window); /* facts count from here on */
}

static int on_event(void *ctx, const union event *event)
{
	struct keep *keep = ctx;
	int err;

	if (event->hdr.type == EV_WINDOW)
		return on_window(keep, event);
	if (!event_size(event->hdr.type))
		return 0;
	if (!keep->begun)
		return sink_event(&keep->state.sink, event);
	err = append(keep, event, event_size(event->hdr.type), event->hdr.ts);
	return err ? err : keep_advance(keep, event->hdr.ts);
}

struct stream_sink keep_sink(struct keep *keep)
{
	return (struct stream_sink){.process = on_process, .event = on_event, .ctx = keep};
}

uint64_t keep_begin(const struct keep *keep)
{
	return keep->begun ? keep->ts_begin : 0;
}

/* ── writing ─────────────────────────────────────────────────────────────── */

static int write_record(const struct chunk *chunk, size_t at, const struct stream_sink *to)
{
	union event event;

	if (!header_at(chunk, at)->type)
		return sink_process(to, info_at(chunk->bytes + at));
	read_event(chunk, at, &event);
	return sink_event(to, &event);
}

static int write_all(const struct keep *keep, const struct stream_sink *to)
{
	union event end = {
		.window = {
			.hdr = {.ts = keep->ts_known, .type = EV_WINDOW, .flags = EVF_WINDOW_END}}};
	int err = keep->state.write(keep->state.sink.ctx, keep->ts_begin, to);

	for (const struct chunk *chunk = keep->first; chunk && !err; chunk = chunk->next)
		for (size_t at = chunk->begin; at < chunk->length && !err;
		     at += record_size(header_at(chunk, at)))
			err = write_record(chunk, at, to);
	return err ? err : sink_event(to, &end);
}

int keep_write(const struct keep *keep, const struct stream_sink *to)
{
	struct issue issue = {.dictionary = keep->dictionary, .to = *to};
	struct stream_sink sink = issue_sink(&issue);
	int err;

	if (!keep->begun)
		return -EAGAIN;
	err = write_all(keep, keep->dictionary ? &sink : to);
	issue_done(&issue);
	return err;
}

void keep_free(struct keep *keep)
{
	if (!keep)
		return;
	while (keep->first) {
		const struct chunk *chunk = keep->first;

		for (size_t at = chunk->begin; at < chunk->length;
		     at += record_size(header_at(chunk, at)))
			if (!header_at(chunk, at)->type)
				free(info_at(chunk->bytes + at));
		drop_first(keep);
	}
	keep->state.free(keep->state.sink.ctx);
	free(keep);
}
