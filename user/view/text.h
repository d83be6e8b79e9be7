/* SPDX-License-Identifier: MIT */
/*
 * text.h - the sections of the text view, in the order of the page. Internal to the room. Every section ends its last line.
 */
#ifndef GILSCOPE_VIEW_TEXT_H
#define GILSCOPE_VIEW_TEXT_H

#include "view/sentences.h"
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
/* What stands below one stall: what ran, who held the GIL, what it slept in, who had the CPU. */
void text_stall_details(const struct text_page *page, const struct process *process, const struct stall *stall);
/* Where its thread was most of the time, and those who held the GIL meanwhile. */
void text_stall_stacks(const struct text_page *page, const struct stall *stall);
/* One remedy for every cause that occurred; nothing when there is none. */
void text_remedies(const struct text_page *page, const struct process_report *process);
/* What the report does not know; nothing when it knows all. */
void text_caveats(const struct text_page *page);

/*
 * Adds "; innermost dumps (…/json/encoder.py:200)" behind a handler, else "in dumps (…)": where a stack ends, unless that is in the handler itself, or the
 * stack is another handler's.
 */
void text_add_innermost(struct text *text, const struct report *report, uint32_t stack, const struct handler *handler);
/* Adds what a stall that lasts was mostly, and what goes on now if that is another thing. */
void text_add_ongoing(struct text *text, const struct ongoing *ongoing);
/* Which letter means what, for the states that occurred. */
void text_legend(const struct text_page *page, const struct state_sums *sums);
/* Adds what ran in a stall's turn when it was more than one thing: "10 callbacks: tick (app.py:10) 96.0 ms in 8, ...". */
void text_add_parts(struct text *text, const struct report *report, const struct stall *stall);

#endif
