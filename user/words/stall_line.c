/* SPDX-License-Identifier: MIT */
/* A stall as one short line: when, how long, in which function, doing what. */
#include "words/stall.h"

#include "words/names.h"
#include "words/palette.h"

#define TIME_COLUMNS	    12
#define LENGTH_COLUMNS	    10
#define LINE_NAME_COLUMNS   32
#define LINE_PLACE_COLUMNS  32
#define LINE_SOURCE_COLUMNS 40

static void add_cell(struct text_buffer *text, const struct text_buffer *cell, unsigned columns)
{
	unsigned width = text_width(cell->bytes);

	text_add(text, "%*s%s", width < columns ? (int)(columns - width) : 0, "", cell->bytes);
}

/* How much of a place is shown, from all to the least. */
enum detail { WITH_PATH, WITH_SOURCE, WITH_FILE };

static void add_place_of(struct text_buffer *text, const struct report *report,
			 const struct stack_frame *frame, enum detail detail)
{
	struct text_buffer source = {0};

	text_add_function(text, report, frame, LINE_NAME_COLUMNS);
	text_add(text, " ");
	if (detail == WITH_PATH)
		text_add_place(text, report, frame, LINE_PLACE_COLUMNS);
	else
		text_add_short_place(text, report, frame, LINE_PLACE_COLUMNS);
	if (detail <= WITH_SOURCE)
		text_add_source(&source, report, frame, LINE_SOURCE_COLUMNS);
	text_add(text, "%s%s", source.length ? " " : "", source.bytes);
}

/* The holder of the GIL, and what it did. */
static void add_holder(struct text_buffer *text, const struct report *report,
		       const struct breakdown *what, enum detail detail)
{
	const struct blocker *blocker = what->blocker_count ? &what->blockers[0] : NULL;

	if (!blocker || !breakdown_holders_known(what)) {
		text_add(text, "waiting for the GIL, whose holder is unknown");
		return;
	}
	if (blocker->handler.role != HANDLER_NONE) {
		add_place_of(text, report, &blocker->handler.frame, detail);
		text_add(text, "  ");
	}
	text_add(text, "GIL held by ");
	text_add_thread(text, report, blocker->thread);
	if (state_sums_largest(&blocker->states) == TS_HELD_BLOCKED)
		text_add(text, ", asleep");
}

/* The loop's own function; without one of the application's, where in which package. */
static void add_where(struct text_buffer *text, const struct report *report,
		      const struct stall *stall, enum detail detail)
{
	const struct definition *stack = stack_of(report, stall->stack);

	if (stall->handler.role != HANDLER_NONE)
		add_place_of(text, report, &stall->handler.frame, detail);
	else if (stack)
		add_place_of(text, report, &stack->stack.frames[0], detail);
	else
		text_add(text, "unknown function");
}

/* The largest item behind the state. */
static void add_causing(struct text_buffer *text, const struct report *report,
			const struct process *process, const struct stall *stall)
{
	const struct breakdown *what = &stall->what;
	bool sleeps = stall->cause == TS_BLOCKED || stall->cause == TS_HELD_BLOCKED;

	text_add(text, "  ");
	if (sleeps && what->syscall_count)
		text_add_syscall(text, process, what->syscalls[0].sysno);
	else
		text_add(text, "%s", palette_of(stall->cause)->label);
	if (sleeps)
		text_add(text, "%s", stall->cause == TS_BLOCKED ? "" : ", with the GIL");
	else if (stall->cause == TS_RUNNABLE || stall->cause == TS_HELD_RUNNABLE)
		text_add_culprit(text, report, process, stall->cause, what);
}

/* A loop that becomes known during its iteration has one that began earlier, too. */
static void add_bounds(struct text_buffer *text, const struct report *report,
		       const struct stall *stall)
{
	text_add(text, "%s", stall->ongoing ? "  … ongoing" : "");
	if (stall->earlier)
		text_add(text, "%s",
			 stall->start == report->window.start ? ", began before gilscope attached"
							      : ", began earlier");
}

static void add_line(struct text_buffer *text, const struct report *report, const struct loop *loop,
		     const struct stall *stall, bool many_loops, enum detail detail)
{
	struct text_buffer when = {0}, length = {0};
	enum stop_kind kind;

	text_add_time(&when, report, stall->start);
	text_add(&length, "%s", stall->whole && !stall->ongoing ? "" : "≥" NBSP);
	text_add_duration(&length, stall->end - stall->start);
	add_cell(text, &when, TIME_COLUMNS);
	add_cell(text, &length, LENGTH_COLUMNS);
	text_add(text, "  ");
	if (breakdown_is_stopped(&stall->what, &kind)) {
		text_add(text, "%s", text_stop(kind));
	} else if (stall->cause == TS_GIL_WAIT) {
		add_holder(text, report, &stall->what, detail);
	} else {
		add_where(text, report, stall, detail);
		add_causing(text, report, loop->thread->process, stall);
	}
	if (many_loops) {
		text_add(text, "  loop of ");
		text_add_thread(text, report, loop->thread);
	}
	add_bounds(text, report, stall);
}

void text_add_stall_line(struct text_buffer *text, const struct report *report,
			 const struct loop *loop, const struct stall *stall, bool many_loops,
			 unsigned columns)
{
	/* on a terminal the file's name is enough */
	for (enum detail detail = columns ? WITH_SOURCE : WITH_PATH;; detail++) {
		struct text_buffer line = {0};

		add_line(&line, report, loop, stall, many_loops, detail);
		if (columns && detail < WITH_FILE && text_width(line.bytes) > columns)
			continue;
		if (columns)
			text_add_cut(text, line.bytes, columns);
		else
			text_add(text, "%s", line.bytes);
		return;
	}
}
