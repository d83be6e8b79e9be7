/* SPDX-License-Identifier: MIT */
/*
 * pipeline.h - the one pipeline of all commands: a source pushes into the reorder stage, which
 * feeds a list of stages (stream/stage.h): a recording, the history window, the model with its fold
 * and perhaps a drawing.
 *
 * Built by appending, then pipeline_front(). What must have an event before the fold has seen it is
 * appended before it: when the disk is full, the fold knows nothing that the file does not have.
 */
#ifndef GILSCOPE_CMD_PIPELINE_PIPELINE_H
#define GILSCOPE_CMD_PIPELINE_PIPELINE_H

#include <stdbool.h>
#include "analysis/report.h"
#include "base/cleanup.h"
#include "base/diag.h"
#include "stream/keep.h"
#include "stream/reorder.h"
#include "stream/stage.h"
#include "stream/trace/trace.h"
#include "view/drawing.h"

/* How names are found. */
#define APP_ROOTS_MAX 64
struct names_options {
	const char
		*app_roots[APP_ROOTS_MAX]; /* directories and files of the application's own code */
	unsigned int app_root_count;
};

/* All zero to begin with, but for `names` and the drawing's kind and file. Parts that have not been
 * appended are NULL. */
struct pipeline {
	struct stream_head head; /* set before anything is appended */
	uint64_t stall_ns;
	struct reorder *reorder; /* where the source pushes */
	struct stages stages;
	struct trace_writer *trace; /* of pipeline_append_trace() */
	struct keep *keep;	    /* of pipeline_append_history() */
	/* of pipeline_append_fold() */
	struct world *world;
	struct report_builder *builder;
	struct dictionary *dictionary;
	struct handler_finder *finder;
	struct names_options names;
	const struct drawing_kind *drawing_kind; /* NULL: nothing is drawn … */
	FILE *drawing_file;			 /* … into this file */
	struct drawing *drawing;
	struct spans *spans;
};

/* Fills `head` for a live source. */
void pipeline_live_head(struct stream_head *head);

/* Each appends a part. 0, or -errno with a diag; the pipeline is then good for nothing but
 * pipeline_done(). */

/* The model and all that becomes a report, a drawing included. */
int pipeline_append_fold(struct pipeline *pipeline, uint64_t stall_ns, struct diag *diag);
/* A recording, written to `file`, which stays the caller's. trace_writer_finish() ends it. */
int pipeline_append_trace(struct pipeline *pipeline, FILE *file, struct diag *diag);
/* The history window: the last `while_ns` in at most `max_bytes` of memory (keep.h). */
int pipeline_append_history(struct pipeline *pipeline, uint64_t while_ns, size_t max_bytes,
			    struct diag *diag);

/*
 * Creates the reorder stage in front of what has been appended. A live source brings a window's
 * worth of events at once and tells how far they reach; a recording is in order already (but for
 * scripts written by hand) and tells nothing, so the stage's room is all it holds back, and is
 * small.
 */
int pipeline_front(struct pipeline *pipeline, bool live, struct diag *diag);

/* Ends the drawing, after the report has been made: 0, or -errno with a diag. */
int pipeline_draw(struct pipeline *pipeline, const struct report *report, struct diag *diag);

void pipeline_done(struct pipeline *pipeline);

#endif
