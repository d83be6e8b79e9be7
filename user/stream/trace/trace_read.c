/* SPDX-License-Identifier: MIT */
#include "stream/trace/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "stream/describe.h"
#include "stream/trace/trace_format.h"

DEFINE_CLEANUP(trace_decoder_free, struct trace_decoder *, trace_decoder_free, NULL)

struct reader {
	FILE *file;
	int (*head)(void *ctx, const struct stream_head *);
	void *head_ctx;
	struct stream_sink sink;
	struct diag *diag;
	struct trace_decoder *decoder;
	unsigned char *payload; /* `room` bytes, enough for the longest chunk so far */
	size_t room;
	uint64_t offset, chunk_offset; /* bytes read; start of the current chunk */
	bool has_head, complete;
	struct trace_decoded decoded;
	struct definition_counts defined;
};

/* Ends reading without being an error: the file ends before its trace does. */
#define CUT_OFF 1

/* 0, CUT_OFF or -errno. */
static int read_bytes(struct reader *reader, void *to, size_t length)
{
	size_t got;
	int err;

	errno = 0;
	got = fread(to, 1, length, reader->file);
	err = errno ? errno : EIO;
	reader->offset += got;
	if (got == length)
		return 0;
	if (!ferror(reader->file))
		return CUT_OFF;
	return diag_set(reader->diag, EXIT_FAILED, -err, "cannot read the trace: %s",
			strerror(err));
}

static int damaged(struct reader *reader, const char *why)
{
	diag_set(reader->diag, EXIT_FAILED, -EBADMSG,
		 "the trace is damaged in the chunk at byte %" PRIu64 ": %s; the %" PRIu64
		 " events before are good",
		 reader->chunk_offset, why, reader->decoded.events);
	diag_hint(reader->diag, "copy the file again from where it was recorded, or record again");
	return -EBADMSG;
}

/* Passes on an error of the head's callback or the sink, with a general message if they left the
 * diag empty. */
static int stopped(struct reader *reader, int err)
{
	if (err && reader->diag->status == EXIT_OK)
		diag_set(reader->diag, EXIT_FAILED, err,
			 "cannot continue after event %" PRIu64 " of the trace: %s",
			 reader->decoded.events, strerror(-err));
	return err;
}

static int read_head(struct reader *reader, uint32_t length)
{
	char why[DESCRIBE_WHY_MAX];
	struct stream_head head;

	if (reader->has_head)
		return damaged(reader, "a second head");
	if (parse_head((const char *)reader->payload, length, false, &head, why))
		return damaged(reader, why);
	reader->has_head = true;
	return stopped(reader, reader->head ? reader->head(reader->head_ctx, &head) : 0);
}

static int read_process(struct reader *reader, uint32_t length)
{
	char why[DESCRIBE_WHY_MAX];
	struct process_info info;

	if (parse_process((const char *)reader->payload, length, false, &info, why))
		return damaged(reader, why);
	return stopped(reader, sink_process(&reader->sink, &info));
}

static int read_events(struct reader *reader, uint32_t length)
{
	const char *why;
	int err = trace_decode(reader->decoder, reader->payload, length, &reader->sink,
			       &reader->decoded, &why);

	return err && why ? damaged(reader, why) : stopped(reader, err);
}

static int read_definitions(struct reader *reader, enum trace_chunk_type type, uint32_t length)
{
	const char *why;
	int err = trace_decode_definitions(reader->decoder, type, reader->payload, length,
					   &reader->sink, &reader->defined, &why);

	return err && why ? damaged(reader, why) : stopped(reader, err);
}

static int read_end(struct reader *reader, uint32_t length)
{
	uint64_t events;

	if (length < sizeof(events))
		return damaged(reader, "the end mark is too short");
	memcpy(&events, reader->payload, sizeof(events));
	if (events != reader->decoded.events + reader->decoded.skipped)
		return damaged(reader, "the end mark counts another number of events");
	reader->complete = true;
	return 0;
}

static int no_memory(struct diag *diag)
{
	return diag_set(diag, EXIT_FAILED, -ENOMEM, "not enough memory to read a trace");
}

static int make_room(struct reader *reader, size_t length)
{
	if (reader->payload && length <= reader->room)
		return 0;
	free(reader->payload);
	reader->payload = malloc(length ? length : 1);
	reader->room = reader->payload ? length : 0;
	return reader->payload ? 0 : no_memory(reader->diag);
}

static int read_chunk(struct reader *reader)
{
	struct trace_chunk chunk;
	int err;

	reader->chunk_offset = reader->offset;
	err = read_bytes(reader, &chunk, sizeof(chunk));
	if (err)
		return err;
	if (chunk.length > TRACE_CHUNK_MAX)
		return damaged(reader, "its length is impossible");
	err = make_room(reader, chunk.length);
	if (err)
		return err;
	err = read_bytes(reader, reader->payload, chunk.length);
	if (err)
		return err;
	if (chunk.crc != trace_chunk_crc(&chunk, reader->payload))
		return damaged(reader, "its checksum is wrong");
	if (!reader->has_head && chunk.type != TRACE_HEAD)
		return damaged(reader, "the head should stand here");
	switch (chunk.type) {
	case TRACE_HEAD:
		return read_head(reader, chunk.length);
	case TRACE_PROCESS:
		return read_process(reader, chunk.length);
	case TRACE_EVENTS:
		return read_events(reader, chunk.length);
	case TRACE_DEFINITIONS:
	case TRACE_SOURCES:
		return read_definitions(reader, chunk.type, chunk.length);
	case TRACE_END:
		return read_end(reader, chunk.length);
	default:
		return 0; /* a chunk of a newer version, which an older reader may skip */
	}
}

static int read_preamble(struct reader *reader)
{
	struct trace_preamble preamble;
	int err = read_bytes(reader, &preamble, sizeof(preamble));

	if (err < 0)
		return err;
	if (err == CUT_OFF || memcmp(preamble.magic, TRACE_MAGIC, sizeof(preamble.magic)) != 0) {
		diag_set(reader->diag, EXIT_FAILED, -EINVAL, "this is not a gilscope trace");
		diag_hint(reader->diag, "traces are written by `gilscope record`");
		return -EINVAL;
	}
	if (preamble.major == TRACE_MAJOR)
		return 0;
	diag_set(reader->diag, EXIT_UNSUPPORTED, -ENOTSUP,
		 "the trace has format %u.%u, and this version reads format %u", preamble.major,
		 preamble.minor, TRACE_MAJOR);
	diag_hint(reader->diag, "read it with a newer gilscope");
	return -ENOTSUP;
}

static int read_all(struct reader *reader)
{
	int err = read_preamble(reader);

	while (!err && !reader->complete)
		err = read_chunk(reader);
	/* nothing after a missing head can be interpreted */
	if (err == CUT_OFF && !reader->has_head)
		return diag_set(reader->diag, EXIT_FAILED, -EINVAL,
				"the trace is cut off before its head: nothing was recorded");
	return err == CUT_OFF ? 0 : err;
}

int trace_read(FILE *file, int (*head)(void *ctx, const struct stream_head *), void *head_ctx,
	       struct stream_sink sink, struct diag *diag, struct trace_outcome *ret_outcome)
{
	_cleanup_(trace_decoder_freep) struct trace_decoder *decoder = trace_decoder_new();
	struct reader reader = {.file = file,
				.head = head,
				.head_ctx = head_ctx,
				.sink = sink,
				.diag = diag,
				.decoder = decoder};
	int err;

	if (!decoder)
		return no_memory(diag);
	diag->status = EXIT_OK;
	err = read_all(&reader);
	free(reader.payload);
	if (!err || err == -EBADMSG)
		*ret_outcome = (struct trace_outcome){.complete = reader.complete,
						      .events = reader.decoded.events,
						      .skipped = reader.decoded.skipped,
						      .last_ts = reader.decoded.last_ts};
	return err;
}
