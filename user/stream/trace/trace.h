/* SPDX-License-Identifier: MIT */
/*
 * trace.h - the trace file: written while recording, readable wherever it is cut off
 * (docs/trace-format.md).
 */
#ifndef GILSCOPE_STREAM_TRACE_TRACE_H
#define GILSCOPE_STREAM_TRACE_TRACE_H

#include <stdio.h>
#include "stream/stream.h"

struct diag;
struct trace_writer;

/*
 * Starts a trace at the file's position; the file remains the caller's. Events are buffered and
 * compressed in chunks. A chunk is written when it is full or when trace_writer_flush() is called,
 * so a recording that is killed loses only the events since the last flush. Definitions are
 * collected likewise, and written before the events that are held along with them: a reader may get
 * them earlier than they came, never later. The sink returns -EINVAL for what a reader would
 * reject.
 */
int trace_writer_new(FILE *file, const struct stream_head *head, struct diag *diag,
		     struct trace_writer **ret_writer);
struct stream_sink trace_writer_sink(struct trace_writer *writer);
int trace_writer_flush(struct trace_writer *writer);
/* Writes the rest and the end mark, and flushes the file. Returns the first error since the writer
 * was created (-ENOSPC, …): no failed write goes unnoticed. */
int trace_writer_finish(struct trace_writer *writer, struct diag *diag);
void trace_writer_free(struct trace_writer *writer);

struct trace_outcome {
	bool complete; /* the end mark was there; false: the file was cut off, and everything intact
			  before that was delivered */
	uint64_t events;  /* delivered */
	uint64_t skipped; /* events of a type unknown to this version */
	uint64_t last_ts; /* of the last event delivered */
};

/*
 * Reads a whole trace into a sink. The file is not trusted: any bytes lead to an error or a result,
 * never to a crash, a hang, or more memory than a chunk's limit. Fails with EXIT_FAILED for a file
 * that is not a trace (the diag says so), and with EXIT_UNSUPPORTED for a newer major version.
 * `head` is called once, before the sink; it may be NULL. A file that ends early is not an error:
 * ret_outcome->complete is false. Damage in the middle is -EBADMSG, after everything before it has
 * been delivered; ret_outcome is written then, too. If `head` or the sink fails, its error is
 * returned, and the diag is filled if it was left empty.
 */
int trace_read(FILE *file, int (*head)(void *ctx, const struct stream_head *), void *head_ctx,
	       struct stream_sink sink, struct diag *diag, struct trace_outcome *ret_outcome);

#endif
