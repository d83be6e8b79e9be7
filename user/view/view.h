/* SPDX-License-Identifier: MIT */
/*
 * view.h - how findings are shown. A view writes what a report says to a file; it computes nothing
 * and knows no other view.
 */
#ifndef GILSCOPE_VIEW_VIEW_H
#define GILSCOPE_VIEW_VIEW_H

#include <stdbool.h>
#include <stdio.h>
#include "analysis/dump.h"
#include "analysis/report.h"

/* Waits for the GIL by the stacks of the waiters, or of the threads that made them wait. In both,
 * the weights are the waiters' time. */
enum flame_direction { FLAME_WAITER = 1, FLAME_HOLDER = 2 };

struct view_options {
	bool colour;	     /* ANSI colours */
	unsigned columns;    /* width of the terminal; 0 = 100 */
	bool all;	     /* every stall, not only the longest ones */
	bool screen;	     /* the answer alone, in VIEW_SCREEN_ROWS lines at most */
	const char *more;    /* with `screen`: the command that shows the rest; NULL: none */
	unsigned states;     /* flames: which states, one bit each (1 << enum thread_state) */
	unsigned directions; /* flames of gil_wait: enum flame_direction; both are for formats that
				separate them */
	uint64_t origin_ns;  /* JSON: points in time are relative to this one, which is included; 0:
				absolute */
};

#define VIEW_SCREEN_ROWS   24
#define VIEW_SUMMARY_LINES 8

struct view {
	const char *name;
	/* 0, or -errno of a failed write. */
	int (*show)(FILE *file, const struct report *report, const struct view_options *options);
};

extern const struct view view_text;    /* one screen for people */
extern const struct view view_summary; /* the answer, in VIEW_SUMMARY_LINES lines at most */
extern const struct view
	view_markdown;		    /* the answer, findings and caveats, for an issue or a chat */
extern const struct view view_json; /* gilscope.report/1, docs/report.schema.json */

/* What every thread does at one instant. */
struct view_dump {
	const struct report *report; /* of the window that ends there: for names */
	const struct dump_list *list;
	uint64_t realtime_ns; /* of the instant, CLOCK_REALTIME; 0: unknown */
};
/* For people, and gilscope.dump/1 (docs/dump.schema.json). 0, -ENOMEM, or -errno of a failed write.
 */
int view_dump_text(FILE *file, const struct view_dump *dump, const struct view_options *options);
int view_dump_json(FILE *file, const struct view_dump *dump, const struct view_options *options);

/*
 * Flames: time by thread, handler and stack, outermost frame first, weights in nanoseconds. The
 * leading frames are the process (if there are several), the thread and the handler; in a graph of
 * several states, the last frame is the state. For each state the weights add up to the report's
 * sums.
 */
extern const struct view view_folded;	  /* a line for each stack: "frame;frame;frame 123" */
extern const struct view view_speedscope; /* https://www.speedscope.app/file-format-schema.json: a
					     profile for each state and direction */
extern const struct view view_pprof;	  /* gzip of pprof's profile.proto */
extern const struct view view_flame_page; /* one self-contained HTML page with a graph for each
					     state and direction */
extern const struct view
	view_flame_svg; /* one graph of all the chosen states, a picture without a script */

/* Says which weights and stacks are exact and which are sampled: one sentence each, at most
 * VIEW_FLAME_NOTES. Returns how many. */
#define VIEW_FLAME_NOTES 6
struct view_note {
	char text[320];
};
unsigned view_flame_notes(const struct report *report, const struct view_options *options,
			  struct view_note notes[static VIEW_FLAME_NOTES]);

#endif
