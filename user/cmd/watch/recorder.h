/* SPDX-License-Identifier: MIT */
/*
 * recorder.h - the flight recorder: writes the history window to a file when something has
 * happened, and keeps the files within a budget.
 *
 * A recording is written a moment later, so that it also has what followed, and what happens until
 * then is in it as well. The next one is not written before the window has moved on: recordings
 * hardly overlap, and many stalls do not make many files. An urgent one is written at once, unless
 * there was another one within the length of the window: neither do many deaths.
 */
#ifndef GILSCOPE_CMD_WATCH_RECORDER_H
#define GILSCOPE_CMD_WATCH_RECORDER_H

#include <stdbool.h>

#include "cmd/pipeline/pipeline.h"
#include "cmd/pipeline/snapshot.h"

#define RECORDER_BUDGET_DEFAULT (UINT64_C(1) << 30)

struct recorder {
	const struct pipeline *pipeline; /* with a history */
	uint64_t keep_ns;		 /* the length of its window */
	uint64_t budget;		 /* bytes of all files together */
	char wanted[SNAPSHOT_NAME_MAX];	 /* the next file; "": none is wanted */
	uint64_t due;			 /* when it is written … */
	uint64_t from;			 /* … at the latest before this leaves the window */
	uint64_t end;			 /* of the latest recording */
	uint64_t urgent;		 /* when an urgent one was wanted last; 0: never */
	uint64_t largest;		 /* bytes */
	uint64_t first; /* where the window began before it moved; 0: not known yet */
};

/* What became of a recording. */
struct recorded {
	char name[SNAPSHOT_NAME_MAX];
	uint64_t start, end, bytes;
	struct diag diag; /* why it was not written */
};

/* Opens the folder, in which everything is from then on: the current directory. 0, or -errno with a
 * diag. */
int recorder_enter(const char *folder, struct diag *diag);
/* Something has happened, from `from` to `ts`. Returns the name of the file that will have it. */
const char *recorder_want(struct recorder *recorder, uint64_t from, uint64_t ts, bool urgent);
/* Writes the recording that is due by `ts`; with `now`, one that is wanted. 1: it has tried, and
 * `ret_recorded` says what came of it (`end` 0: nothing); 0: there was nothing to do. */
int recorder_serve(struct recorder *recorder, uint64_t ts, bool now, struct recorded *ret_recorded);

#endif
