/* SPDX-License-Identifier: MIT */
/*
 * text.h - the sections of the text view, in the order of the page. Internal to the room. Every
 * section ends its last line.
 */
#ifndef GILSCOPE_VIEW_TEXT_TEXT_H
#define GILSCOPE_VIEW_TEXT_TEXT_H

#include "diagnosis/diagnosis.h"
#include "words/canvas.h"
#include "view/view.h"

struct text_page {
	struct canvas canvas;
	const struct report *report;
	bool all;
};

/* Which functions starve the loops, and how; nothing when none was seen. */
void text_blame(const struct text_page *page);
/* Whether the event loops were starved, and by what, in two sentences a loop. */
void text_verdict(const struct text_page *page, const struct process_report *process);
/* The threads by what they did with the GIL, the busiest first. 0 or -ENOMEM. */
int text_threads(const struct text_page *page, const struct process_report *process);
void text_gils(const struct text_page *page, const struct process_report *process);
/* The stalls of every loop, longest first; nothing when there are none. 0 or -ENOMEM. */
int text_stalls(const struct text_page *page, const struct process_report *process);
/* One remedy for every cause that occurred; nothing when there is none. */
void text_remedies(const struct text_page *page, const struct process_report *process);
/* What the report does not know; nothing when it knows all. */
void text_caveats(const struct text_page *page);
/* Which letter means what, for the states that occurred. */
void text_legend(const struct text_page *page, const struct state_sums *sums);

#endif
