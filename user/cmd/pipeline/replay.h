/* SPDX-License-Identifier: MIT */
/*
 * replay.h - reads a recording, trace or text script, into a sink.
 */
#ifndef GILSCOPE_CMD_PIPELINE_REPLAY_H
#define GILSCOPE_CMD_PIPELINE_REPLAY_H

#include <stdio.h>
#include "stream/trace/trace.h"

/*
 * "-" is stdin. 0, or -errno with a diag that names the file. Confines the process (confine.h), so
 * open every other file first.
 */
int replay_open(const char *path, struct diag *diag, FILE **ret_file);

/* Reads to the end. `head` is called first. ret_outcome is that of trace_read(); a script is always
 * complete. 0, or -errno with a diag. */
int replay(FILE *file, const char *path, int (*head)(void *ctx, const struct stream_head *),
	   void *head_ctx, struct stream_sink sink, struct diag *diag,
	   struct trace_outcome *ret_outcome);

/* Forwards to `*to`, which may be set as late as in `head`. */
struct stream_sink replay_late_sink(struct stream_sink *to);

#endif
