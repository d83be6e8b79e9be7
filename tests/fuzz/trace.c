/* SPDX-License-Identifier: MIT */
/*
 * Arbitrary bytes as a trace. A fuzzer would not get past the checksums, so the first byte of the
 * input says how the rest is read: as a file, or (odd) as chunks that get the right checksums and,
 * if they hold events or definitions, are compressed here.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/diag.h"
#include "stream/names/dictionary.h"
#include "stream/trace/trace.h"
#include "stream/trace/trace_format.h"

struct seen {
	uint64_t events;
	struct dictionary *dictionary;
};

static int see_event(void *ctx, const union event *event)
{
	struct seen *seen = ctx;

	if (!event_size(event->hdr.type))
		abort();
	seen->events++;
	return 0;
}

static int see_process(void *ctx, const struct process_info *info)
{
	if (!info->pid || !memchr(info->cmdline, '\0', sizeof(info->cmdline)))
		abort();
	return 0;
}

/* A dictionary accepts whatever the reader delivers; texts may end anywhere. */
static int see_define(void *ctx, const struct definition *definition)
{
	struct seen *seen = ctx;
	int err = dictionary_define(seen->dictionary, definition);

	if (err == -EBADMSG ||
	    (definition->kind == DEFINE_TEXT && strlen(definition->text) >= DEFINE_TEXT_MAX) ||
	    (definition->kind == DEFINE_FUNCTION &&
	     strlen(definition->function.name) + strlen(definition->function.file) >
		     2 * (DEFINE_TEXT_MAX - 1)))
		abort();
	return err;
}

static void read_file(void *bytes, size_t length)
{
	FILE *file = fmemopen(bytes, length, "r");
	struct trace_outcome outcome = {0};
	struct seen seen = {0, dictionary_new()};
	struct diag diag = {0};
	int err;

	if (!file || !seen.dictionary)
		abort();
	err = trace_read(file, NULL, NULL,
			 (struct stream_sink){see_process, see_event, &seen, see_define}, &diag,
			 &outcome);
	if (!err != (diag.status == EXIT_OK) || (err && !diag.what[0]) ||
	    (!err && outcome.events != seen.events))
		abort();
	fclose(file);
	dictionary_free(seen.dictionary);
}

static void put_chunk(FILE *file, uint32_t type, const void *payload, uint32_t length)
{
	struct trace_chunk chunk = {.type = type, .length = length};

	chunk.crc = trace_chunk_crc(&chunk, payload);
	fwrite(&chunk, sizeof(chunk), 1, file);
	fwrite(payload, length, 1, file);
}

/* Chunks of the input: u8 type, u16 length, payload. */
static void read_made(const uint8_t *data, size_t size)
{
	static const struct trace_preamble preamble = {.magic = TRACE_MAGIC, .major = TRACE_MAJOR};
	static unsigned char compressed[ZSTD_COMPRESSBOUND(1 << 16)];
	size_t length;
	char *bytes;
	FILE *file = open_memstream(&bytes, &length);

	fwrite(&preamble, sizeof(preamble), 1, file);
	put_chunk(file, TRACE_HEAD, "{}", 2);
	while (size > 3) {
		uint32_t payload = (uint32_t)(data[1] | data[2] << 8);

		payload = payload < size - 3 ? payload : (uint32_t)size - 3;
		if (data[0] == TRACE_EVENTS || data[0] == TRACE_DEFINITIONS)
			put_chunk(file, data[0], compressed,
				  (uint32_t)ZSTD_compress(compressed, sizeof(compressed), data + 3,
							  payload, 1));
		else
			put_chunk(file, data[0], data + 3, payload);
		data += 3 + payload;
		size -= 3 + payload;
	}
	fclose(file);
	read_file(bytes, length);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] & 1)
		read_made(data + 1, size - 1);
	else
		read_file((void *)(data + 1), size - 1);
	return 0;
}
