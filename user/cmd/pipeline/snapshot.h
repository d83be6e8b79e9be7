/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h - writes the history window of a live command to a recording.
 */
#ifndef GILSCOPE_CMD_PIPELINE_SNAPSHOT_H
#define GILSCOPE_CMD_PIPELINE_SNAPSHOT_H

#include "base/diag.h"
#include "stream/keep.h"

#define SNAPSHOT_NAME_MAX 64

/*
 * Writes to a new file in the current directory, named after the time of day. No file is ever
 * overwritten, and an incomplete one is removed. 0, or -errno with a diag.
 */
int snapshot_write(const struct keep *keep, const struct stream_head *head, struct diag *diag,
		   char ret_name[static SNAPSHOT_NAME_MAX]);
/* The same for a file of this name. */
int snapshot_write_as(const char *name, const struct keep *keep, const struct stream_head *head,
		      struct diag *diag);

#endif
