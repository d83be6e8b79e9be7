/* SPDX-License-Identifier: MIT */
/*
 * trace.h - the trace file: written while recording, readable when cut off anywhere
 * (docs/trace-format.md).
 */
#ifndef GILSCOPE_STREAM_TRACE_TRACE_H
#define GILSCOPE_STREAM_TRACE_TRACE_H

#include <stdio.h>
#include "stream/stream.h"

struct diag;
struct trace_writer;

/*
 * Starts a trace at the file's position. The file stays the caller's. Events are buffered and
 * compressed in chunks; a chunk is written when it is full or when trace_writer_flush() is called,
 * so a recording that is killed loses no more than the events since the last flush. Definitions are
 * collected likewise and stand in the file before the events that are held with them: a reader may
 * get them earlier than they came, never later. The sink refuses with -EINVAL what a reader would
 * not take.
 */
int trace_writer_new(FILE *file, const struct stream_head *head, struct diag *diag,
		     struct trace_writer **ret_writer);
struct stream_sink trace_writer_sink(struct trace_writer *writer);
int trace_writer_flush(struct trace_writer *writer);
/* Writes what is left and the end mark, flushes the file. Returns the first error of the writer's
 * life (-ENOSPC, …): no failed write is missed. */
int trace_writer_finish(struct trace_writer *writer, struct diag *diag);
void trace_writer_free(struct trace_writer *writer);

struct trace_outcome {
	bool complete; /* the end mark was there; false: the file was cut off and all that was whole
			  has been delivered */
	uint64_t events;  /* delivered */
	uint64_t skipped; /* events of a type unknown to this version */
	uint64_t last_ts; /* of the last event delivered */
};

/*
 * Reads a whole trace into a sink. The file is distrusted: any bytes give an error or a result,
 * never a crash, a hang or more memory than a chunk's bound. Fails with EXIT_FAILED for what is not
 * a trace (the diag says so), with EXIT_UNSUPPORTED for a newer major version. `head` is called
 * once, before the sink; it may be NULL. A file that ends early is no error: ret_outcome->complete
 * says so. Damage in the middle is one: -EBADMSG, what was before has been delivered, and then
 * ret_outcome is written too. When `head` or the sink fails, its error is returned, and the diag is
 * filled if they left it empty.
 */
int trace_read(FILE *file, int (*head)(void *ctx, const struct stream_head *), void *head_ctx,
	       struct stream_sink sink, struct diag *diag, struct trace_outcome *ret_outcome);

#endif
