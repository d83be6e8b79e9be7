/* SPDX-License-Identifier: MIT */
/*
 * The block is stored as columns of bytes: the noise of a stream is confined to the low bytes of
 * its timestamps, and with those together and compressed separately everything else nearly
 * vanishes. Tid, type, flags and aux of an event depend on each other, so they are stored as one
 * number, the index of a "kind".
 */
#include "stream/trace/trace_format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/table.h"

#define LEVEL 1 /* higher levels take twice the time and save a few percent */

/* NOLINTNEXTLINE(misc-redundant-expression): the two limits happen to be equal */
_Static_assert(TRACE_WRITE_EVENTS <= TRACE_KINDS_MAX, "every event may be of its own kind");

/* Kinds in the order in which they came: the table's entries are the block's column. */
struct kind_entry {
	uint64_t kind;
};
TABLE_OF(kinds, struct kind_entry, kind)

#define BLOCK_SIZE                                                                                 \
	(sizeof(struct trace_block) + EV_COUNT * sizeof(struct trace_table) +                      \
	 (size_t)TRACE_WRITE_EVENTS * (8 + 8 + 4 + EVENT_PAYLOAD_MAX))
_Static_assert(BLOCK_SIZE <= TRACE_BLOCK_MAX, "a reader takes our blocks");
/* every plane may need the header of a block that could not be compressed */
#define PAYLOAD_SIZE (ZSTD_COMPRESSBOUND(BLOCK_SIZE) + 4096)
_Static_assert(PAYLOAD_SIZE <= TRACE_CHUNK_MAX, "a reader takes our chunks");

#define PAYLOAD_WORDS_MAX (EVENT_PAYLOAD_MAX / sizeof(uint64_t))
_Static_assert(_Alignof(struct event_hdr) == sizeof(uint64_t), "every payload is whole words");

struct trace_encoder {
	ZSTD_CCtx *zstd;
	struct table kinds; /* of the block; struct kind_entry */
	uint64_t steps[TRACE_WRITE_EVENTS];
	uint32_t indexes[TRACE_WRITE_EVENTS];
	uint64_t rows[(size_t)TRACE_WRITE_EVENTS * PAYLOAD_WORDS_MAX];
	unsigned char plane[TRACE_WRITE_EVENTS];
	unsigned char payload[PAYLOAD_SIZE];
	ZSTD_outBuffer out;
};

struct trace_encoder *trace_encoder_new(void)
{
	struct trace_encoder *encoder = calloc(1, sizeof(*encoder));

	if (!encoder)
		return NULL;
	encoder->kinds = TABLE(struct kind_entry, TRACE_WRITE_EVENTS);
	encoder->zstd = ZSTD_createCCtx();
	if (!encoder->zstd ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(encoder->zstd, ZSTD_c_compressionLevel, LEVEL))) {
		trace_encoder_free(encoder);
		return NULL;
	}
	return encoder;
}

void trace_encoder_free(struct trace_encoder *encoder)
{
	if (!encoder)
		return;
	ZSTD_freeCCtx(encoder->zstd);
	table_done(&encoder->kinds);
	free(encoder);
}

static int append(struct trace_encoder *encoder, const void *bytes, size_t length,
		  ZSTD_EndDirective directive)
{
	ZSTD_inBuffer in = {bytes, length, 0};
	size_t left = ZSTD_compressStream2(encoder->zstd, &encoder->out, &in, directive);

	/* the buffer holds the worst case, so one call is enough */
	return ZSTD_isError(left) || in.pos < in.size || (directive != ZSTD_e_continue && left)
		       ? -EIO
		       : 0;
}

/* Every plane is flushed to a zstd block of its own, so that it has its own statistics. */
static int append_column(struct trace_encoder *encoder, const void *numbers, uint32_t count,
			 uint32_t stride, uint32_t width)
{
	int err = 0;

	for (uint32_t byte = 0; byte < width && !err; byte++) {
		const unsigned char *from = (const unsigned char *)numbers + byte;

		for (uint32_t i = 0; i < count; i++)
			encoder->plane[i] = from[(size_t)i * stride];
		err = append(encoder, encoder->plane, count, ZSTD_e_flush);
	}
	return err;
}

static int kind_index(struct trace_encoder *encoder, uint64_t kind, uint32_t *ret_index)
{
	struct kind_entry *entry;
	int err = kinds_get(&encoder->kinds, &kind, &entry);

	if (!err)
		*ret_index = (uint32_t)(entry - (struct kind_entry *)encoder->kinds.entries);
	return err;
}

static uint8_t width_of(uint64_t largest)
{
	return largest ? (uint8_t)((64 - __builtin_clzll(largest) + 7) / 8) : 1;
}

/* Fills steps, kinds and indexes. 0 or -ENOMEM. */
static int survey(struct trace_encoder *encoder, const union event *events, uint32_t count,
		  uint32_t rows[static EV_COUNT], struct trace_block *ret_block)
{
	struct trace_block block = {.ts_base = events->hdr.ts, .events = count};
	uint64_t ts = block.ts_base, bits = 0;

	table_reset(&encoder->kinds);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t step = events[i].hdr.ts - ts;
		int err = kind_index(encoder, events[i].words[1], &encoder->indexes[i]);

		if (err)
			return err;
		ts = events[i].hdr.ts;
		encoder->steps[i] = step << 1 ^ (step >> 63 ? UINT64_MAX : 0);
		bits |= encoder->steps[i];
		rows[events[i].hdr.type]++;
	}
	block.step_width = width_of(bits);
	block.kinds = encoder->kinds.count;
	block.kind_width = width_of(block.kinds - 1);
	for (uint32_t type = 0; type < EV_COUNT; type++)
		block.tables += rows[type] && event_size(type) > sizeof(struct event_hdr);
	*ret_block = block;
	return 0;
}

/* Bytes of the block before compression. */
static size_t block_size(const struct trace_block *block, const uint32_t rows[static EV_COUNT])
{
	size_t size = sizeof(*block) + (size_t)block->kinds * sizeof(uint64_t) +
		      (size_t)block->events * (block->step_width + block->kind_width);

	size += block->tables * sizeof(struct trace_table);
	for (uint32_t type = 0; type < EV_COUNT; type++)
		if (rows[type])
			size += rows[type] * (event_size(type) - sizeof(struct event_hdr));
	return size;
}

static uint32_t payload_words(uint32_t type)
{
	return (event_size(type) - sizeof(struct event_hdr)) / sizeof(uint64_t);
}

static int append_tables(struct trace_encoder *encoder, const union event *events, uint32_t count,
			 const uint32_t rows[static EV_COUNT])
{
	uint64_t *start[EV_COUNT], *end[EV_COUNT], *free_row = encoder->rows;
	uint32_t words[EV_COUNT];
	int err = 0;

	for (uint32_t type = 0; type < EV_COUNT; type++) {
		words[type] = rows[type] ? payload_words(type) : 0;
		start[type] = end[type] = free_row;
		free_row += rows[type] * words[type];
	}
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t n = 0; n < words[events[i].hdr.type]; n++)
			*end[events[i].hdr.type]++ = events[i].words[2 + n];
	for (uint32_t type = 0; type < EV_COUNT && !err; type++) {
		struct trace_table table = {.type = (uint8_t)type, .rows = rows[type]};

		if (end[type] == start[type])
			continue;
		table.width = (uint16_t)(words[type] * sizeof(uint64_t));
		err = append(encoder, &table, sizeof(table), ZSTD_e_continue);
		if (!err)
			err = append_column(encoder, start[type], table.rows, table.width,
					    table.width);
	}
	return err;
}

int trace_encode(struct trace_encoder *encoder, const union event *events, uint32_t count,
		 const void **ret_payload, uint32_t *ret_length)
{
	uint32_t rows[EV_COUNT] = {0};
	struct trace_block block;
	int err = survey(encoder, events, count, rows, &block);

	if (err)
		return err;
	/* zstd fails at the end if the size was wrong */
	if (ZSTD_isError(ZSTD_CCtx_reset(encoder->zstd, ZSTD_reset_session_only)) ||
	    ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(encoder->zstd, block_size(&block, rows))))
		return -EIO;
	encoder->out = (ZSTD_outBuffer){encoder->payload, sizeof(encoder->payload), 0};
	err = append(encoder, &block, sizeof(block), ZSTD_e_continue);
	if (!err)
		err = append_column(encoder, encoder->kinds.entries, block.kinds, sizeof(uint64_t),
				    sizeof(uint64_t));
	if (!err)
		err = append_column(encoder, encoder->steps, count, sizeof(uint64_t),
				    block.step_width);
	if (!err)
		err = append_column(encoder, encoder->indexes, count, sizeof(uint32_t),
				    block.kind_width);
	if (!err)
		err = append_tables(encoder, events, count, rows);
	if (!err)
		err = append(encoder, NULL, 0, ZSTD_e_end);
	if (err)
		return err;
	*ret_payload = encoder->payload;
	*ret_length = (uint32_t)encoder->out.pos;
	return 0;
}

int trace_encode_definitions(struct trace_encoder *encoder, const void *block, size_t size,
			     const void **ret_payload, uint32_t *ret_length)
{
	size_t length;

	_Static_assert(sizeof(encoder->payload) >= ZSTD_COMPRESSBOUND(TRACE_WRITE_DEFINITIONS),
		       "the worst case fits");
	if (ZSTD_isError(ZSTD_CCtx_reset(encoder->zstd, ZSTD_reset_session_only)))
		return -EIO;
	length = ZSTD_compress2(encoder->zstd, encoder->payload, sizeof(encoder->payload), block,
				size);
	if (ZSTD_isError(length))
		return -EIO;
	*ret_payload = encoder->payload;
	*ret_length = (uint32_t)length;
	return 0;
}
