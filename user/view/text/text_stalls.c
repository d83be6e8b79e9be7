/* SPDX-License-Identifier: MIT */
#include "view/text/text.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "words/names.h"
#include "words/palette.h"
#include "words/stall.h"

#define SHOWN_STALLS  10
#define NARROW_BAR    3 /* fits the narrowest page, of 60 columns */
#define INDENT	      "      "
#define TIME_COLUMNS  14
#define CAUSE_COLUMNS 30

static uint64_t stall_ns(const struct stall *stall)
{
	return stall->end - stall->start;
}

static int longer_first(const void *a, const void *b)
{
	const struct stall *x = *(const struct stall *const *)a,
			   *y = *(const struct stall *const *)b;

	if (stall_ns(x) != stall_ns(y))
		return stall_ns(x) < stall_ns(y) ? 1 : -1;
	return (x->start > y->start) - (x->start < y->start);
}

/* When, how long, the cause with its share, and the split; the other states after it if they fit,
 * else on a line of their own. */
static void show_stall(const struct text_page *page, const struct process *process,
		       const struct stall *stall)
{
	struct text_buffer when = {0}, length = {0}, cause = {0}, rest = {0};
	unsigned bar = page->canvas.columns >= 100 ? 24 : 12;

	text_add_time(&when, page->report, stall->start);
	text_add(&length, stall->whole && !stall->ongoing ? "" : "≥" NBSP);
	text_add_duration(&length, stall_ns(stall));
	text_add(&cause, "%s" NBSP, palette_of(stall->cause)->label);
	text_add_duration(&cause, stall->what.states.ns[stall->cause]);
	canvas_cell(&page->canvas, when.bytes, TIME_COLUMNS, true);
	canvas_cell(&page->canvas, length.bytes, 10, true);
	fputs("  ", page->canvas.file);
	canvas_cell(&page->canvas, cause.bytes, CAUSE_COLUMNS, false);
	if (text_width(cause.bytes) >= CAUSE_COLUMNS)
		fputs(" ", page->canvas.file);
	if (page->canvas.columns < 70)
		bar = NARROW_BAR;
	canvas_bar(&page->canvas, &stall->what.states, stall_ns(stall), bar);
	text_add_states(&rest, &stall->what.states, stall, stall->cause);
	if (stall->earlier || stall->ongoing) {
		text_separate(&rest, "; ");
		text_add(&rest, "%s%s%s", stall->earlier ? "began before" : "",
			 stall->earlier && stall->ongoing ? ", " : "",
			 stall->ongoing ? "ongoing" : "");
	}
	if (rest.length &&
	    14 + TIME_COLUMNS + CAUSE_COLUMNS + bar + text_width(rest.bytes) > page->canvas.columns)
		fputs("\n" INDENT, page->canvas.file);
	else if (rest.length)
		fputs("  ", page->canvas.file);
	canvas_paragraph(&page->canvas, "", sizeof(INDENT) - 1, &rest);
	canvas_stall_details(&page->canvas, page->report, process, stall);
	if (page->all)
		canvas_stall_stacks(&page->canvas, page->report, stall);
}

static void show_heading(const struct text_page *page, const struct loop_report *loop,
			 uint32_t shown)
{
	struct text_buffer heading = {0};

	fputc('\n', page->canvas.file);
	text_add(&heading, loop_stall_count(loop) > 1 ? "STALLS of " : "STALL of ");
	text_add_thread(&heading, page->report, loop->loop->thread);
	if (shown < loop_stall_count(loop)) {
		text_add(&heading, ": the %u longest of ", shown);
		text_add_count(&heading, loop_stall_count(loop));
	} else if (shown > 1) {
		text_add(&heading, ", longest first");
	}
	canvas_heading(&page->canvas, &heading);
}

static int show_loop(const struct text_page *page, const struct process *process,
		     const struct loop_report *loop)
{
	uint32_t shown = page->all || loop->stall_count <= SHOWN_STALLS ? loop->stall_count
									: SHOWN_STALLS;
	_cleanup_(freep) const struct stall **order = calloc(loop->stall_count, sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < loop->stall_count; i++)
		order[i] = &loop->stalls[i];
	qsort(order, loop->stall_count, sizeof(struct stall *), longer_first);
	show_heading(page, loop, shown);
	for (uint32_t i = 0; i < shown; i++)
		show_stall(page, process, order[i]);
	return 0;
}

int text_stalls(const struct text_page *page, const struct process_report *process)
{
	for (uint32_t i = 0; i < process->loop_count; i++)
		if (process->loops[i].stall_count &&
		    show_loop(page, process->process, &process->loops[i]) < 0)
			return -ENOMEM;
	return 0;
}
