/* SPDX-License-Identifier: MIT */
/*
 * stream_made.h - traces made by hand, chunk by chunk.
 */
#ifndef GILSCOPE_TESTS_STREAM_MADE_H
#define GILSCOPE_TESTS_STREAM_MADE_H

#include "stream_helpers.h"

#include <zstd.h>

#include "base/diag.h"
#include "stream/trace/trace_format.h"

static inline void put(struct bytes *bytes, const void *from, size_t length)
{
	if (bytes->length + length >= bytes->room)
		bytes->at = realloc(bytes->at, bytes->room = 2 * (bytes->length + length) + 1);
	assert_non_null(bytes->at);
	memcpy(bytes->at + bytes->length, from, length);
	bytes->length += length;
}

static inline void put_chunk(struct bytes *bytes, uint32_t type, const void *payload,
			     uint32_t length)
{
	struct trace_chunk chunk = {.type = type, .length = length};

	chunk.crc = trace_chunk_crc(&chunk, payload);
	put(bytes, &chunk, sizeof(chunk));
	put(bytes, payload, length);
}

static inline void put_start(struct bytes *bytes)
{
	static const struct trace_preamble preamble = {
		.magic = TRACE_MAGIC, .major = TRACE_MAJOR, .minor = 77};

	put(bytes, &preamble, sizeof(preamble));
	put_chunk(bytes, TRACE_HEAD, "{\"mode\": \"exact\", \"colour\": 7}", 30);
}

static inline void put_block(struct bytes *bytes, uint32_t type, const struct bytes *block)
{
	size_t room = ZSTD_compressBound(block->length), length;
	unsigned char *payload = malloc(room);

	length = ZSTD_compress(payload, room, block->at, block->length, 1);
	assert_false(ZSTD_isError(length));
	put_chunk(bytes, type, payload, (uint32_t)length);
	free(payload);
}

#endif
