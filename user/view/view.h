/* SPDX-License-Identifier: MIT */
/*
 * view.h - how findings are shown. A view writes to a file what a report says; it computes nothing and knows no other view.
 */
#ifndef GILSCOPE_VIEW_VIEW_H
#define GILSCOPE_VIEW_VIEW_H

#include <stdbool.h>
#include <stdio.h>
#include "analysis/report.h"

struct view_options {
	bool colour;	  /* ANSI colours */
	unsigned columns; /* width of the terminal; 0 = 100 */
	bool all;	  /* every stall, not only the longest ones */
};

struct view {
	const char *name;
	/* 0, or -errno of a failed write. */
	int (*show)(FILE *file, const struct report *report, const struct view_options *options);
};

extern const struct view view_text; /* one screen for people */
extern const struct view view_json; /* gilscope.report/1, docs/report.schema.json */

#endif
