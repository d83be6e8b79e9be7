/* SPDX-License-Identifier: MIT */
/*
 * text.h - the sections of the text view, in their order on the page. Every section ends with a
 * newline.
 */
#ifndef GILSCOPE_VIEW_TEXT_TEXT_H
#define GILSCOPE_VIEW_TEXT_TEXT_H

#include "diagnosis/diagnosis.h"
#include "diagnosis/findings.h"
#include "words/canvas.h"
#include "view/view.h"

#define SEPARATOR " · "

struct text_page {
	struct canvas canvas;
	const struct report *report;
	bool all;
};

/* "uvicorn app:app · PID 4711 · Python 3.12.3", the command line in at most `columns`. */
void text_add_process(struct text_buffer *text, const struct process *process, unsigned columns);
/* The terminal's width, within what the view is made for. */
unsigned text_columns(const struct view_options *options);

/* What was observed: the heading of every report. */
void text_head(const struct text_page *page);
/* The answer in VIEW_SCREEN_ROWS lines. 0 or -ENOMEM. */
int text_screen(const struct text_page *page, const char *more);
/* The functions that hold up the loops, and how; nothing if none was seen. */
void text_blame(const struct text_page *page);
/* A table of the processes; nothing if there is only one. */
void text_processes(const struct text_page *page, const struct process_report **sorted);
/* Whether the event loops were held up, and by what: two sentences for each loop. */
void text_verdict(const struct text_page *page, const struct process_report *process);
/* The threads by what they did with the GIL, the busiest first. 0 or -ENOMEM. */
int text_threads(const struct text_page *page, const struct process_report *process);
/* The pools of threads, in a sentence each; nothing if there are none. */
void text_pools(const struct text_page *page, const struct process_report *process);
void text_gils(const struct text_page *page, const struct process_report *process);
/* The stalls of every loop, longest first; nothing if there are none. 0 or -ENOMEM. */
int text_stalls(const struct text_page *page, const struct process_report *process);
/* The diagnosis, with advice: the first five, or all. 0 or -ENOMEM. */
int text_findings(const struct text_page *page);
/* What the report does not know; nothing if that is nothing. */
void text_caveats(const struct text_page *page);
/* The meaning of the letters, for the states that occurred. */
void text_legend(const struct text_page *page, const struct state_sums *sums);

#endif
