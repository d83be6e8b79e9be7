/* SPDX-License-Identifier: MIT */
/*
 * pipeline.h - the pipeline that all commands build: a source pushes into the reorder stage, which
 * feeds a list of stages (stream/stage.h): a recording, the history window, the model with its fold
 * and possibly a drawing.
 *
 * Append the stages, then call pipeline_front(). Stages get each event in the order in which they
 * were appended. The recording precedes the fold, so that when the disk is full the report contains
 * nothing that is not in the file.
 */
#ifndef GILSCOPE_CMD_PIPELINE_PIPELINE_H
#define GILSCOPE_CMD_PIPELINE_PIPELINE_H

#include <stdbool.h>
#include "analysis/dump.h"
#include "analysis/report.h"
#include "base/cleanup.h"
#include "base/diag.h"
#include "cmd/files/cutting.h"
#include "stream/keep.h"
#include "stream/reorder.h"
#include "stream/stage.h"
#include "stream/trace/trace.h"
#include "view/drawing.h"

/* Which functions are the application's. */
#define APP_ROOTS_MAX 64
struct names_options {
	/* directories and files of the application's own code */
	const char *app_roots[APP_ROOTS_MAX];
	unsigned int app_root_count;
};

/* Initially all zero except for `names`, `cut`, `growth`, `forgets`, `drawing_kind`, `drawing_file`
 * and `wants_dump`. Parts that have not been appended are NULL. */
struct pipeline {
	struct stream_head head; /* set before anything is appended */
	uint64_t stall_ns;
	struct reorder *reorder; /* where the source pushes */
	struct stages stages;
	struct trace_writer *trace; /* of pipeline_append_trace() */
	/* Behind this, ids of the dictionary stand for the numbers of the stream: */
	struct dictionary *dictionary;
	struct stages named;
	struct keep *keep; /* of pipeline_append_history() */
	/* of pipeline_append_fold() */
	struct world *world;
	struct report_builder *builder;
	struct handler_finder *finder;
	struct names_options names;
	bool growth;  /* of reports: the caller calls world_tidy() when nobody holds a view */
	bool forgets; /* names that a report does not need; no flames are shown */
	uint64_t stalls, worst_ns; /* announced so far, and the longest, ended or not */
	struct cut_points cut;	   /* of a recording: the part that is read */
	const struct drawing_kind *drawing_kind; /* NULL: no drawing */
	FILE *drawing_file;
	struct drawing *drawing;
	struct spans *spans;
	bool wants_dump;
	struct dump *dump; /* taken when the window ends */
};

/* Fills `head` for a live source. */
void pipeline_live_head(struct stream_head *head);

/* Each appends a part. 0, or -errno with a diag; then only pipeline_done() may be called. */

/* The model, the report's builder, the drawing if there is one, and the dump if it is wanted. */
int pipeline_append_fold(struct pipeline *pipeline, uint64_t stall_ns, struct diag *diag);
/* A recording, written to `file`, which the caller keeps. trace_writer_finish() ends it. */
int pipeline_append_trace(struct pipeline *pipeline, FILE *file, struct diag *diag);
/* The history window: the last `while_ns` in at most `max_bytes` of memory (keep.h). */
int pipeline_append_history(struct pipeline *pipeline, uint64_t while_ns, size_t max_bytes,
			    struct diag *diag);

/*
 * Creates the reorder stage in front of what has been appended. 0, or -errno with a diag. A live
 * source delivers a window's worth of events at a time and then advances the stage. A recording is
 * already in order, except for scripts written by hand, and never advances the stage. Events are
 * then passed on only when its buffer is full, so that is small.
 */
int pipeline_front(struct pipeline *pipeline, bool live, struct diag *diag);

/* Takes the dump, if one is wanted, as of `ts`: for a stream that was cut off. 0 or -ENOMEM. */
int pipeline_dump(struct pipeline *pipeline, uint64_t ts);

/* Ends the drawing, once the report exists. 0, or -errno with a diag. */
int pipeline_draw(struct pipeline *pipeline, const struct report *report, struct diag *diag);

void pipeline_done(struct pipeline *pipeline);

#endif
