/* SPDX-License-Identifier: MIT */
/*
 * replay.h - reads a recording, trace or text script, into a sink.
 */
#ifndef GILSCOPE_CMD_PIPELINE_REPLAY_H
#define GILSCOPE_CMD_PIPELINE_REPLAY_H

#include <stdio.h>
#include "stream/trace/trace.h"

/*
 * "-" is stdin. 0, or -errno with a diag that names the file. From then on the process can do
 * little else than read it (confine.h): whatever else is to be opened, open it before.
 */
int replay_open(const char *path, struct diag *diag, FILE **ret_file);

/* Reads to the end. `head` comes first. ret_outcome as trace_read's; a script is always complete.
 */
int replay(FILE *file, const char *path, int (*head)(void *ctx, const struct stream_head *),
	   void *head_ctx, struct stream_sink sink, struct diag *diag,
	   struct trace_outcome *ret_outcome);

/* A sink that does not exist before the head is known: forwards to `*to`. */
struct stream_sink replay_late_sink(struct stream_sink *to);

#endif
