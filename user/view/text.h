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

/* Adds a thread as 'name' (tid), with the kernel's name where Python has another, or as "thread 4711" when its name is not known. */
void text_add_thread(struct text *text, const struct report *report, const struct thread *thread);
/* The same without quotes and number, in about so many columns; `both`: with the kernel's name. */
void text_add_thread_name(struct text *text, const struct report *report, const struct thread *thread, unsigned columns, bool both);
/* Adds a frame as "function (file:line)". */
void text_add_frame(struct text *text, const struct report *report, const struct stack_frame *frame);
/* Its parts: the function, and "file:line", in at most so many columns. */
void text_add_function(struct text *text, const struct report *report, const struct stack_frame *frame, unsigned columns);
void text_add_place(struct text *text, const struct report *report, const struct stack_frame *frame, unsigned columns);
/* Adds a handler, which is one, as "function (file:line), route". */
void text_add_handler(struct text *text, const struct report *report, const struct handler *handler);
/* What a role is called; NULL for those that say nothing. */
const char *text_role(enum handler_role role);
/* Which letter means what, for the states that occurred. */
void text_legend(const struct text_page *page, const struct state_sums *sums);
/* Adds what ran in a stall's turn when it was more than one thing: "10 callbacks: tick (app.py:10) 96.0 ms in 8, ...". */
void text_add_parts(struct text *text, const struct report *report, const struct stall *stall);
/* Adds what a system call is called, for people: its name, "system call 999", "a page fault". */
void text_add_syscall(struct text *text, const struct process *process, int32_t sysno);
/* Adds the task that had a CPU for which a thread of `process` waited; "nobody" for an idle one. */
void text_add_occupant(struct text *text, const struct process *process, const struct cpu_share *share);
/* Time of the window, not 0. */
uint64_t text_window_ns(const struct report *report);

#endif
