/* SPDX-License-Identifier: MIT */
#include "stream/trace/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "stream/describe.h"
#include "stream/trace/trace_format.h"

struct trace_writer {
	FILE *file;
	struct trace_encoder *encoder;
	int err; /* the first error; nothing is written after it, so that the file ends with what is
		    intact */
	uint64_t events; /* total */
	uint32_t held;
	union event buffer[TRACE_WRITE_EVENTS];
	struct definition_counts defined;
	struct trace_definitions block;	  /* for the definitions that are held … */
	enum trace_chunk_type block_type; /* … which are in a chunk of this type */
	size_t records_end;
	unsigned char records[TRACE_WRITE_DEFINITIONS]; /* space for `block`, then the records */
};

/* Remembers the first error. */
static int note(struct trace_writer *writer, int err)
{
	if (!writer->err)
		writer->err = err;
	return writer->err;
}

static int write_bytes(struct trace_writer *writer, const void *bytes, size_t length)
{
	errno = 0;
	if (!writer->err && fwrite(bytes, 1, length, writer->file) != length)
		note(writer, errno ? -errno : -EIO);
	return writer->err;
}

static int write_flush(struct trace_writer *writer)
{
	errno = 0;
	if (!writer->err && fflush(writer->file))
		note(writer, errno ? -errno : -EIO);
	return writer->err;
}

static int write_chunk(struct trace_writer *writer, enum trace_chunk_type type, const void *payload,
		       uint32_t length)
{
	struct trace_chunk chunk = {.type = type, .length = length};

	chunk.crc = trace_chunk_crc(&chunk, payload);
	write_bytes(writer, &chunk, sizeof(chunk));
	return write_bytes(writer, payload, length);
}

static int write_definitions(struct trace_writer *writer)
{
	const void *payload;
	uint32_t length;
	int err;

	if (writer->err || !writer->block.count)
		return writer->err;
	memcpy(writer->records, &writer->block, sizeof(writer->block));
	err = trace_encode_definitions(writer->encoder, writer->records, writer->records_end,
				       &payload, &length);
	if (err)
		return note(writer, err);
	writer->block.count = 0;
	return write_chunk(writer, writer->block_type, payload, length);
}

/* Writes everything that is held: definitions first, since the events may refer to them. */
static int write_held(struct trace_writer *writer)
{
	const void *payload;
	uint32_t length;
	int err;

	write_definitions(writer);
	if (writer->err || !writer->held)
		return writer->err;
	err = trace_encode(writer->encoder, writer->buffer, writer->held, &payload, &length);
	if (err)
		return note(writer, err);
	writer->held = 0;
	return write_chunk(writer, TRACE_EVENTS, payload, length);
}

static int write_event(void *ctx, const union event *event)
{
	struct trace_writer *writer = ctx;

	if (!event_size(event->hdr.type))
		return note(writer, -EINVAL);
	if (writer->err)
		return writer->err;
	writer->buffer[writer->held++] = *event;
	writer->events++;
	if (writer->held < TRACE_WRITE_EVENTS)
		return 0;
	write_held(writer);
	return write_flush(writer);
}

static int write_process(void *ctx, const struct process_info *info)
{
	struct trace_writer *writer = ctx;
	char text[DESCRIBE_TEXT_MAX];
	int err = describe_process(info, text);

	if (err)
		return note(writer, err);
	write_held(writer);
	return write_chunk(writer, TRACE_PROCESS, text, (uint32_t)strlen(text));
}

static void begin_block(struct trace_writer *writer, enum trace_chunk_type type)
{
	struct trace_kinds kinds = trace_kinds_of(type);

	writer->block = (struct trace_definitions){0};
	for (int i = 0; i < kinds.count; i++)
		writer->block.next[i] = definition_next(&writer->defined,
							(enum definition_kind)(kinds.first + i));
	writer->block_type = type;
	writer->records_end = sizeof(writer->block);
}

static int write_define(void *ctx, const struct definition *definition)
{
	struct trace_writer *writer = ctx;
	enum trace_chunk_type type = definition->kind == DEFINE_SOURCE ? TRACE_SOURCES
								       : TRACE_DEFINITIONS;

	if (definition_fault(&writer->defined, definition))
		return note(writer, -EINVAL);
	if (type != writer->block_type)
		write_definitions(writer);
	if (writer->err)
		return writer->err;
	if (!writer->block.count)
		begin_block(writer, type);
	writer->records_end += trace_put_definition(writer->records + writer->records_end,
						    definition);
	writer->block.count++;
	writer->defined.of[definition->kind]++;
	if (writer->records_end + TRACE_DEFINITION_MAX <= sizeof(writer->records))
		return 0;
	write_definitions(writer);
	return write_flush(writer);
}

static int say(const struct trace_writer *writer, struct diag *diag)
{
	diag_set(diag, EXIT_FAILED, writer->err, "cannot write the trace: %s",
		 strerror(-writer->err));
	if (writer->err == -ENOSPC || writer->err == -EDQUOT || writer->err == -EFBIG)
		diag_hint(diag, "free some space or choose another place with -o; what was written "
				"so far can be read");
	return writer->err;
}

int trace_writer_new(FILE *file, const struct stream_head *head, struct diag *diag,
		     struct trace_writer **ret_writer)
{
	struct trace_preamble preamble = {
		.magic = TRACE_MAGIC, .major = TRACE_MAJOR, .minor = TRACE_MINOR};
	struct trace_writer *writer = calloc(1, sizeof(*writer));
	char text[DESCRIBE_TEXT_MAX];

	if (!writer || !(writer->encoder = trace_encoder_new())) {
		trace_writer_free(writer);
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "not enough memory to write a trace");
	}
	writer->file = file;
	note(writer, describe_head(head, text));
	write_bytes(writer, &preamble, sizeof(preamble));
	if (!writer->err)
		write_chunk(writer, TRACE_HEAD, text, (uint32_t)strlen(text));
	if (write_flush(writer)) {
		int err = say(writer, diag);

		trace_writer_free(writer);
		return err;
	}
	*ret_writer = writer;
	return 0;
}

struct stream_sink trace_writer_sink(struct trace_writer *writer)
{
	return (struct stream_sink){.process = write_process,
				    .event = write_event,
				    .define = write_define,
				    .ctx = writer};
}

int trace_writer_flush(struct trace_writer *writer)
{
	write_held(writer);
	return write_flush(writer);
}

int trace_writer_finish(struct trace_writer *writer, struct diag *diag)
{
	write_held(writer);
	write_chunk(writer, TRACE_END, &writer->events, sizeof(writer->events));
	return write_flush(writer) ? say(writer, diag) : 0;
}

void trace_writer_free(struct trace_writer *writer)
{
	if (!writer)
		return;
	trace_encoder_free(writer->encoder);
	free(writer);
}
