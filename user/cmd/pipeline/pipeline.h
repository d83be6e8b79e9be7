/* SPDX-License-Identifier: MIT */
/*
 * pipeline.h - the one pipeline of all commands: a source in front, reorder → (tee → trace) → model
 * → fold → report behind.
 */
#ifndef GILSCOPE_CMD_PIPELINE_PIPELINE_H
#define GILSCOPE_CMD_PIPELINE_PIPELINE_H

#include <stdbool.h>
#include "analysis/report.h"
#include "base/cleanup.h"
#include "base/diag.h"
#include "stream/keep.h"
#include "stream/reorder.h"
#include "stream/trace/trace.h"
#include "view/drawing.h"

/* How names are found. */
#define APP_ROOTS_MAX 64
struct names_options {
	const char
		*app_roots[APP_ROOTS_MAX]; /* directories and files of the application's own code */
	unsigned int app_root_count;
};

/* Any part may be missing: a recording has no fold, a report no trace. */
struct pipeline {
	struct stream_head head;
	uint64_t stall_ns;
	struct reorder *reorder; /* where the source pushes */
	struct world *world;
	struct report_builder *builder;
	struct dictionary *dictionary;
	struct handler_finder *finder;
	struct dictionary_stage stage;
	struct names_options names; /* set before pipeline_fold() */
	const struct drawing_kind
		*drawing_kind; /* set before, too, with the file, if there is to be one */
	FILE *drawing_file;
	struct drawing *drawing;
	struct spans *spans;
	struct keep *keep; /* the last while, fed besides the world; set before pipeline_front() */
	struct trace_writer *trace;
	struct tee tee;
};

/* Fills `head` for a live source. */
void pipeline_live_head(struct stream_head *head);

/* Builds what ends in a report. The head must be known. 0 or -ENOMEM with a diag. */
int pipeline_fold(struct pipeline *pipeline, const struct stream_head *head, uint64_t stall_ns,
		  struct diag *diag);

/* Ends the drawing, after the report has been made: 0, or -errno with a diag. */
int pipeline_draw(struct pipeline *pipeline, const struct report *report, struct diag *diag);

/*
 * Puts the reorder stage in front of what has been built: of `world`, of `trace`, or of both; or of
 * `keep` and `world`. A live source brings a window's worth of events at once and tells how far
 * they reach; a recording is in order already (but for scripts written by hand) and tells nothing,
 * so the stage's room is all it holds back, and is small.
 */
int pipeline_front(struct pipeline *pipeline, bool live, struct diag *diag);

void pipeline_done(struct pipeline *pipeline);

#endif
