/* SPDX-License-Identifier: MIT */
/*
 * text.h - the sections of the text view, in the order of the page. Internal to the room. Every section ends its last line.
 */
#ifndef GILSCOPE_VIEW_TEXT_H
#define GILSCOPE_VIEW_TEXT_H

#include "view/canvas.h"
#include "view/view.h"

struct text_page {
	struct canvas canvas;
	const struct report *report;
	bool all;
};

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

/* Adds what a system call is called, for people: its name, "system call 999", "a page fault". */
void text_add_syscall(struct text *text, const struct process *process, int32_t sysno);
/* Adds the task that had a CPU for which a thread of `process` waited; "nobody" for an idle one. */
void text_add_occupant(struct text *text, const struct process *process, const struct cpu_share *share);
/* Time of the window, not 0. */
uint64_t text_window_ns(const struct report *report);

#endif
