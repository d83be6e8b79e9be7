/* SPDX-License-Identifier: MIT */
#include "cmd/pipeline/replay.h"

#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "cmd/pipeline/confine.h"
#include "stream/script/script.h"

#define RECOGNISE_BYTES 15

int replay_open(const char *path, struct diag *diag, FILE **ret_file)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;

	if (!file) {
		int err = -errno;

		diag_set(diag, EXIT_FAILED, err, "cannot open %s: %s", path, strerror(-err));
		if (err == -ENOENT)
			diag_hint(diag, "make a recording first: sudo gilscope record -p PID -o %s",
				  path);
		return err;
	}
	*ret_file = file;
	confine_reader();
	return 0;
}

/* Reads the first bytes and puts them back, by ungetc where the file is a pipe. Returns how many.
 */
static size_t peek(FILE *file, char *bytes, size_t length)
{
	size_t count = fread(bytes, 1, length, file);

	if (fseek(file, -(long)count, SEEK_CUR) == 0)
		return count;
	/* glibc takes back as many characters as were just read into its buffer */
	for (size_t i = count; i > 0; i--)
		ungetc((unsigned char)bytes[i - 1], file);
	return count;
}

int replay(FILE *file, const char *path, int (*head)(void *ctx, const struct stream_head *),
	   void *head_ctx, struct stream_sink sink, struct diag *diag,
	   struct trace_outcome *ret_outcome)
{
	char first[RECOGNISE_BYTES];
	struct diag inner = {0};
	int err;

	if (script_recognise(first, peek(file, first, sizeof(first)))) {
		*ret_outcome = (struct trace_outcome){.complete = true};
		err = script_read(file, head, head_ctx, sink, &inner);
	} else {
		err = trace_read(file, head, head_ctx, sink, &inner, ret_outcome);
	}
	if (!err)
		return 0;
	diag_set(diag, inner.status ? inner.status : EXIT_FAILED, err, "%s: %s", path,
		 inner.what[0] ? inner.what : strerror(-err));
	if (inner.hint[0])
		diag_hint(diag, "%s", inner.hint);
	return err;
}

static int late_process(void *ctx, const struct process_info *info)
{
	const struct stream_sink *to = ctx;

	return sink_process(to, info);
}

static int late_event(void *ctx, const union event *event)
{
	const struct stream_sink *to = ctx;

	return sink_event(to, event);
}

static int late_define(void *ctx, const struct definition *definition)
{
	const struct stream_sink *to = ctx;

	return sink_define(to, definition);
}

struct stream_sink replay_late_sink(struct stream_sink *to)
{
	return (struct stream_sink){
		.process = late_process, .event = late_event, .define = late_define, .ctx = to};
}
