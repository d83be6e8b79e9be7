/* SPDX-License-Identifier: MIT */
/*
 * view.h - how findings are shown. A view writes to a file what a report says; it computes nothing
 * and knows no other view.
 */
#ifndef GILSCOPE_VIEW_VIEW_H
#define GILSCOPE_VIEW_VIEW_H

#include <stdbool.h>
#include <stdio.h>
#include "analysis/report.h"

/* Waiting for the GIL, by the stacks of those who waited, or of those who made them wait. The
 * weights are the waiters' time in both. */
enum flame_direction { FLAME_WAITER = 1, FLAME_HOLDER = 2 };

struct view_options {
	bool colour;	     /* ANSI colours */
	unsigned columns;    /* width of the terminal; 0 = 100 */
	bool all;	     /* every stall, not only the longest ones */
	unsigned states;     /* flames: of which states, a bit (1 << enum thread_state) each */
	unsigned directions; /* flames of gil_wait: enum flame_direction; both is for formats that
				keep them apart */
	uint64_t origin_ns;  /* JSON: points in time are relative to this one, and it is named; 0 =
				as they are */
};

struct view {
	const char *name;
	/* 0, or -errno of a failed write. */
	int (*show)(FILE *file, const struct report *report, const struct view_options *options);
};

extern const struct view view_text; /* one screen for people */
extern const struct view view_json; /* gilscope.report/1, docs/report.schema.json */

/*
 * Flames: time by thread, handler and stack, outermost frame first, weights in nanoseconds. The
 * leading frames are the process (where there are several), the thread and the handler; where one
 * graph holds several states, the last one is the state. Per state the weights add up to the
 * report's sums.
 */
extern const struct view view_folded;	  /* a line for each stack: "frame;frame;frame 123" */
extern const struct view view_speedscope; /* https://www.speedscope.app/file-format-schema.json: a
					     profile for each state and direction */
extern const struct view view_pprof;	  /* gzip of pprof's profile.proto */
extern const struct view view_flame_page; /* one self-contained HTML page with a graph for each
					     state and direction */
extern const struct view
	view_flame_svg; /* one graph of all the chosen states, a picture without a script */

/* Which of the weights and stacks are exact and which are made of samples: a sentence for each, at
 * most VIEW_FLAME_NOTES. Returns how many. */
#define VIEW_FLAME_NOTES 6
struct view_note {
	char text[320];
};
unsigned view_flame_notes(const struct report *report, const struct view_options *options,
			  struct view_note notes[static VIEW_FLAME_NOTES]);

#endif
