/* SPDX-License-Identifier: MIT */
/*
 * cutting.h - the options --from and --to: which part of a recording is read.
 */
#ifndef GILSCOPE_CMD_FILES_CUTTING_H
#define GILSCOPE_CMD_FILES_CUTTING_H

#include <stdbool.h>
#include <stdint.h>

#include "stream/cut.h"

/* An offset from the recording's begin, or a local time of day in ns since midnight. */
struct cut_point {
	bool given, of_day;
	uint64_t ns;
};

struct cut_points {
	struct cut_point from, to;
};

/* "3.5", "3500ms", "1m10s", "14:03:05.250", "14:03". 0 or -EINVAL. */
int cut_point_parse(const char *text, struct cut_point *ret_point);

/* With neither given, *ret_cut is NULL and `to` is to be fed directly. 0, or -errno with a diag. */
int cutting_begin(const struct cut_points *points, const struct stream_head *head,
		  struct stream_sink to, struct diag *diag, struct cut **ret_cut);
/* At the end of the recording; frees the cut, which may be NULL. `err` is how reading it ended and
 * is returned unless it is 0. */
int cutting_end(struct cut *cut, int err, struct diag *diag);

#endif
