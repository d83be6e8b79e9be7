/* SPDX-License-Identifier: MIT */
/* Arbitrary bytes as a script. What is accepted is written again and must then read the same: a
 * round trip loses nothing. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "stream/script/script.h"

struct copy {
	FILE *file; /* receives a script of what was read */
};

static int copy_head(void *ctx, const struct stream_head *head)
{
	struct copy *copy = ctx;

	return script_write_head(copy->file, head);
}

static int copy_event(void *ctx, const union event *event)
{
	struct copy *copy = ctx;
	struct stream_sink sink = script_sink(copy->file);

	return sink_event(&sink, event);
}

static int copy_process(void *ctx, const struct process_info *info)
{
	struct copy *copy = ctx;
	struct stream_sink sink = script_sink(copy->file);

	return sink_process(&sink, info);
}

static int copy_define(void *ctx, const struct definition *definition)
{
	struct copy *copy = ctx;
	struct stream_sink sink = script_sink(copy->file);

	return sink_define(&sink, definition);
}

/* The script as gilscope writes it, or NULL if it was refused. */
static char *rewritten(const void *bytes, size_t length, size_t *ret_length)
{
	FILE *file = fmemopen((void *)bytes, length, "r");
	char *text = NULL;
	struct copy copy = {open_memstream(&text, ret_length)};
	struct diag diag = {0};
	int err;

	if (!file || !copy.file)
		abort();
	err = script_read(file, copy_head, &copy,
			  (struct stream_sink){copy_process, copy_event, &copy, copy_define},
			  &diag);
	fclose(file);
	fclose(copy.file);
	if (!err != (diag.status == EXIT_OK) || (err && !diag.what[0]))
		abort();
	if (!err)
		return text;
	free(text);
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t first_length, second_length;
	char *first = size ? rewritten(data, size, &first_length) : NULL, *second;

	if (!first)
		return 0;
	second = rewritten(first, first_length, &second_length);
	if (!second || first_length != second_length || memcmp(first, second, first_length) != 0)
		abort();
	free(first);
	free(second);
	return 0;
}
