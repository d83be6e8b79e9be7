/* SPDX-License-Identifier: MIT */
#include "stream/trace/trace_format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

struct trace_decoder {
	ZSTD_DCtx *zstd;
	unsigned char *block; /* `room` bytes, enough for the largest block so far */
	size_t room;
	const unsigned char *next; /* the rest of the block … */
	size_t left;		   /* … and its length */
	struct trace_block head;
	const unsigned char *kinds, *steps, *indexes; /* columns in the block */
	struct event_table {
		const unsigned char *column; /* NULL if there is none */
		uint32_t rows, width, next;  /* next: the row of the next event */
	} tables[256];
};

struct trace_decoder *trace_decoder_new(void)
{
	struct trace_decoder *decoder = calloc(1, sizeof(*decoder));

	if (!decoder)
		return NULL;
	decoder->zstd = ZSTD_createDCtx();
	if (!decoder->zstd) {
		trace_decoder_free(decoder);
		return NULL;
	}
	return decoder;
}

void trace_decoder_free(struct trace_decoder *decoder)
{
	if (!decoder)
		return;
	ZSTD_freeDCtx(decoder->zstd);
	free(decoder->block);
	free(decoder);
}

/* The next `length` bytes of the block, or NULL. */
static const unsigned char *block_take(struct trace_decoder *decoder, size_t length)
{
	const unsigned char *taken = decoder->next;

	if (length > decoder->left)
		return NULL;
	decoder->next += length;
	decoder->left -= length;
	return taken;
}

static const char *take_tables(struct trace_decoder *decoder)
{
	memset(decoder->tables, 0, sizeof(decoder->tables));
	for (uint32_t i = 0; i < decoder->head.tables; i++) {
		const unsigned char *bytes = block_take(decoder, sizeof(struct trace_table));
		struct trace_table table;
		const unsigned char *column;

		if (!bytes)
			return "a table is cut off";
		memcpy(&table, bytes, sizeof(table));
		if (!table.width || table.width > 256 || !table.rows ||
		    table.rows > decoder->head.events || decoder->tables[table.type].column)
			return "a table has impossible sizes or comes twice";
		column = block_take(decoder, (size_t)table.width * table.rows);
		if (!column)
			return "a table is cut off";
		decoder->tables[table.type] = (struct event_table){
			.column = column, .rows = table.rows, .width = table.width};
	}
	return decoder->left ? "there are bytes after the last table" : NULL;
}

/* Locates the columns of a block. NULL, or what is wrong with it. */
static const char *dissect(struct trace_decoder *decoder, const unsigned char *block, size_t size)
{
	struct trace_block *head = &decoder->head;

	if (size < sizeof(*head))
		return "a block is shorter than its header";
	memcpy(head, block, sizeof(*head));
	decoder->next = block + sizeof(*head);
	decoder->left = size - sizeof(*head);
	if (!head->events || head->events > TRACE_BLOCK_EVENTS_MAX || !head->kinds ||
	    head->kinds > TRACE_KINDS_MAX)
		return "a block has an impossible number of events";
	if (!head->step_width || head->step_width > 8 || !head->kind_width || head->kind_width > 4)
		return "a block has an impossible width of a column";
	decoder->kinds = block_take(decoder, (size_t)head->kinds * 8);
	decoder->steps = block_take(decoder, (size_t)head->events * head->step_width);
	decoder->indexes = block_take(decoder, (size_t)head->events * head->kind_width);
	if (!decoder->kinds || !decoder->steps || !decoder->indexes)
		return "a block is shorter than its columns";
	return take_tables(decoder);
}

/* The i-th number of a column of `count` numbers of `width` bytes. */
static inline uint64_t number_at(const unsigned char *column, uint32_t count, uint32_t width,
				 uint32_t i)
{
	uint64_t number = 0;

	for (uint32_t byte = 0; byte < width; byte++)
		number |= (uint64_t)column[(size_t)byte * count + i] << 8 * byte;
	return number;
}

/* Fills the event's fields from its table. A newer version may have appended fields; an older one
 * may lack some, which are 0. */
static const char *take_payload(struct event_table *table, uint32_t size, union event *event)
{
	uint32_t width = table->width < size ? table->width : size;
	uint32_t row = table->next++;

	if (row >= table->rows)
		return "a table has too few rows";
	for (uint32_t at = 0; at < width; at += 8)
		event->words[2 + at / 8] = number_at(table->column + (size_t)at * table->rows,
						     table->rows, width - at < 8 ? width - at : 8,
						     row);
	return NULL;
}

static int deliver(struct trace_decoder *decoder, const struct stream_sink *sink,
		   struct trace_decoded *decoded, const char **ret_why)
{
	const struct trace_block *head = &decoder->head;
	uint64_t ts = head->ts_base;

	for (uint32_t i = 0; i < head->events; i++) {
		uint64_t step = number_at(decoder->steps, head->events, head->step_width, i);
		uint64_t index = number_at(decoder->indexes, head->events, head->kind_width, i);
		union event event = {0};
		uint32_t size;
		int err;

		if (index >= head->kinds)
			return *ret_why = "an event is of no kind", -EBADMSG;
		ts += step >> 1 ^ -(step & 1);
		event.hdr.ts = ts;
		event.words[1] = number_at(decoder->kinds, head->kinds, 8, (uint32_t)index);
		size = event_size(event.hdr.type);
		if (!size) {
			decoded->skipped++;
			continue;
		}
		*ret_why = size > sizeof(event.hdr) ? take_payload(&decoder->tables[event.hdr.type],
								   size - sizeof(event.hdr), &event)
						    : NULL;
		if (*ret_why)
			return -EBADMSG;
		err = sink_event(sink, &event);
		if (err)
			return err;
		decoded->events++;
		decoded->last_ts = ts;
	}
	return 0;
}

int trace_decompress(struct trace_decoder *decoder, const void *payload, uint32_t length,
		     const unsigned char **ret_block, size_t *ret_size, const char **ret_why)
{
	unsigned long long size = ZSTD_getFrameContentSize(payload, length);
	size_t got;

	*ret_why = NULL;
	if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN ||
	    size > TRACE_BLOCK_MAX)
		return *ret_why = "a block has no size or an impossible one", -EBADMSG;
	if (size > decoder->room) {
		free(decoder->block);
		decoder->block = malloc(size);
		decoder->room = decoder->block ? size : 0;
	}
	if (size > decoder->room)
		return -ENOMEM;
	got = ZSTD_decompressDCtx(decoder->zstd, decoder->block, decoder->room, payload, length);
	if (ZSTD_isError(got))
		return *ret_why = ZSTD_getErrorName(got), -EBADMSG;
	*ret_block = decoder->block;
	*ret_size = got;
	return 0;
}

int trace_decode(struct trace_decoder *decoder, const void *payload, uint32_t length,
		 const struct stream_sink *sink, struct trace_decoded *decoded,
		 const char **ret_why)
{
	const unsigned char *block;
	size_t size;
	int err = trace_decompress(decoder, payload, length, &block, &size, ret_why);

	if (err)
		return err;
	*ret_why = dissect(decoder, block, size);
	return *ret_why ? -EBADMSG : deliver(decoder, sink, decoded, ret_why);
}
