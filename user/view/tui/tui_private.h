/* SPDX-License-Identifier: MIT */
/*
 * tui_private.h - the parts of the live view's screen.
 */
#ifndef GILSCOPE_VIEW_TUI_TUI_PRIVATE_H
#define GILSCOPE_VIEW_TUI_TUI_PRIVATE_H

#include "analysis/live/live.h"
#include "diagnosis/diagnosis.h"
#include "diagnosis/findings.h"
#include "words/stall.h"
#include "view/tui/tui.h"
#include "view/tui/tui_paint.h"

enum pane { PANE_STALLS, PANE_FUNCTIONS, PANE_THREADS, PANES };

#define TUI_WIDE 80 /* columns; in fewer the least telling figures are left out */

struct pane_state {
	uint32_t selected, top; /* entries */
	unsigned sort;
	uint32_t matching; /* entries that the filter leaves; they come first */
	int y, rows;	   /* as drawn last, with the heading */
};

/* What is shown, and the position in it. */
struct tui_page {
	struct tui_paint paint;
	struct live_view view;
	struct live_report window;     /* the view as a report … */
	struct finding_list *findings; /* … and what it shows; NULL: memory was short */
	enum pane focus;
	struct pane_state panes[PANES];
	struct live_stall *chosen; /* the one selected in the list of stalls, a reference of our
				      own; NULL: whichever is first */
	enum { TUI_LISTS, TUI_STALL, TUI_FINDINGS, TUI_PROCESSES, TUI_HELP } sheet;
	uint32_t scroll;		  /* lines of the sheet scrolled out at the top */
	uint32_t sheet_lines, sheet_rows; /* as drawn last */
	char message[256];
	char filter[64]; /* "": everything is shown */
	bool typing;	 /* keys go to the filter */
};

/* tui_words.c: what is wrong, and what a stall is about */
void tui_add_verdict(struct text_buffer *text, const struct tui_page *page);
bool tui_alarming(const struct live_view *view); /* a stall is ongoing */
/* In about `columns`. */
void tui_add_stall(struct text_buffer *text, const struct live_view *view,
		   const struct live_stall *stall, unsigned columns);
/* "function file:line", with the function whole if possible. */
void tui_add_frame(struct text_buffer *text, const struct report *report,
		   const struct stack_frame *frame, unsigned columns);
const struct process *tui_process_of(const struct live_stall *stall);
/* At most 13 wide; a loop that is asleep in an iteration is in a blocking call. */
const char *tui_cause(enum thread_state state);

/* tui_keys.c: what keys do to the page */
enum tui_command {
	COMMAND_NONE,
	COMMAND_QUIT,
	COMMAND_BACK,
	COMMAND_OPEN,
	COMMAND_UP,
	COMMAND_DOWN,
	COMMAND_PAGE_UP,
	COMMAND_PAGE_DOWN,
	COMMAND_FIRST,
	COMMAND_LAST,
	COMMAND_NEXT_LIST,
	COMMAND_PREVIOUS_LIST,
	COMMAND_SORT,
	COMMAND_PAUSE,
	COMMAND_THRESHOLD_UP,
	COMMAND_THRESHOLD_DOWN,
	COMMAND_RECORD,
	COMMAND_FINDINGS,
	COMMAND_PROCESSES,
	COMMAND_HELP,
	COMMAND_FILTER,
	COMMAND_OTHER,
	COMMAND_REPAINT,
};
enum tui_action tui_obey(struct tui_page *page, enum tui_command command);
int64_t tui_steps(enum tui_command command, int64_t height);
/* tui_choose.c: draws a list, and what a command and a click in this row do to it. */
void tui_list_draw(const struct tui_paint *paint, struct tui_list *list);
enum tui_action tui_list_obey(struct tui_list *list, enum tui_command command, int rows);
enum tui_action tui_list_click(struct tui_list *list, int y);
/* A click in this row. */
void tui_click(struct tui_page *page, int y);
/* Finds the selected stall in a new view. */
void tui_find_chosen(struct tui_page *page);

/* tui_filter.c: a character for the filter, or the key that ends typing; and, of a sorted list,
 * brings the entries that match to its front. Returns how many. */
#define TUI_ERASE 127
void tui_filter_type(struct tui_page *page, int key);
void tui_filter_end(struct tui_page *page, bool keep);
uint32_t tui_filter_list(struct tui_page *page, enum pane pane);

/* tui_head.c: the title; and all the lines above the lists. Returns how many. */
void tui_title(const struct tui_page *page, const struct tui_status *status);
int tui_head(const struct tui_page *page, const struct tui_status *status);

/* tui_panes.c: the lists */
/* Without those that the filter leaves out. */
uint32_t tui_pane_count(const struct tui_page *page, enum pane pane);
unsigned tui_pane_sorts(enum pane pane);
void tui_pane_sort(struct tui_page *page, enum pane pane);
/* What the letters of the bars mean. */
void tui_states(const struct tui_page *page, int y);
/* All three, in these rows. */
void tui_panes(struct tui_page *page, int y, int rows);

/* tui_findings.c: makes the window's report, and its findings, of a new view; whether there are
 * any; the first in a sentence; and prints all: 0 or -ENOMEM. */
void tui_diagnose(struct tui_page *page);
bool tui_has_finding(const struct tui_page *page);
void tui_add_finding(struct text_buffer *text, const struct tui_page *page);
int tui_findings(const struct canvas *canvas, const struct tui_page *page);

/* tui_sheet.c: a page for a stall, the findings, the processes or the help. 0 or -ENOMEM */
int tui_sheet(struct tui_page *page, int y, int rows);

#endif
