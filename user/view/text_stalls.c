/* SPDX-License-Identifier: MIT */
#include "view/text.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "view/names.h"

#define SHOWN_STALLS 10
#define SHOWN_PARTS 3
#define INDENT "      "

static uint64_t stall_ns(const struct stall *stall)
{
	return stall->end - stall->start;
}

static int longer_first(const void *a, const void *b)
{
	const struct stall *x = *(const struct stall *const *)a, *y = *(const struct stall *const *)b;

	if (stall_ns(x) != stall_ns(y))
		return stall_ns(x) < stall_ns(y) ? 1 : -1;
	return (x->start > y->start) - (x->start < y->start);
}

/* What is less than a hundredth of the stall explains nothing of it. */
static bool matters(uint64_t ns, const struct stall *stall)
{
	return ns && ns >= stall_ns(stall) / 100;
}

/* The states that matter, largest first, without `except` (TS_COUNT: with all). */
static void add_states(struct text *text, const struct state_sums *sums, const struct stall *stall, enum thread_state except)
{
	bool used[TS_COUNT + 1] = {false};
	size_t before = text->length;

	used[except] = true;
	for (;;) {
		int next = -1;

		for (int i = 0; i < TS_COUNT; i++)
			if (!used[i] && matters(sums->ns[i], stall) && (next < 0 || sums->ns[i] > sums->ns[next]))
				next = i;
		if (next < 0)
			return;
		used[next] = true;
		text_add(text, "%s%s" NBSP, text->length > before ? ", " : "", thread_state_name((enum thread_state)next));
		text_add_duration(text, sums->ns[next]);
	}
}

static void add_more(struct text *text, uint32_t count)
{
	if (count)
		text_add(text, ", %u" NBSP "more", count);
}

static bool has_function(const struct definition *stack, uint32_t function)
{
	for (uint32_t i = 0; i < stack->stack.count; i++)
		if (stack->stack.frames[i].function == function)
			return true;
	return false;
}

void text_add_innermost(struct text *text, const struct report *report, uint32_t id, const struct handler *handler)
{
	const struct definition *stack = stack_of(report, id);
	const struct stack_frame *frame = stack ? &stack->stack.frames[0] : NULL;

	if (!frame)
		return;
	if (handler->role != HANDLER_NONE && (frame->function == handler->frame.function || !has_function(stack, handler->frame.function)))
		return;
	text_add(text, handler->role != HANDLER_NONE ? "; innermost " : "in ");
	text_add_frame(text, report, frame);
}

/* What the loop's own thread was at: "in render (app.py:12), route, of task 'Task-7'; innermost dumps (…)". */
static void add_own(struct text *text, const struct report *report, const struct stall *stall)
{
	const char *task = task_of(report, &stall->what, stall->stack);

	/* where the loop itself waited for the GIL is of no interest */
	if (stall->handler.role == HANDLER_NONE && stall->cause == TS_GIL_WAIT)
		return;
	if (stall->handler.role != HANDLER_NONE) {
		text_add(text, "in ");
		text_add_handler(text, report, &stall->handler);
	}
	if (stall->handler.role != HANDLER_NONE && task) {
		text_add(text, ", of task '");
		text_add_name(text, task, 48);
		text_add(text, "'");
	}
	text_add_innermost(text, report, stall->stack, &stall->handler);
}

static void add_garbage(struct text *text, const struct stall *stall)
{
	const struct breakdown *what = &stall->what;

	if (!matters(what->gc_ns, stall))
		return;
	text_add(text, "garbage collection ");
	text_add_duration(text, what->gc_ns);
	text_add(text, " of it%s", what->gc_sampled ? " (by samples)" : "");
}

static void add_blockers(struct text *text, const struct report *report, const struct breakdown *what, const struct stall *stall)
{
	enum stop_kind kind;
	uint32_t i;

	for (i = 0; i < what->blocker_count && i < SHOWN_PARTS && matters(state_sums_total(&what->blockers[i].states), stall); i++) {
		const struct blocker *blocker = &what->blockers[i];

		text_add(text, i ? "; " : "GIL held by ");
		if (blocker->handler.role != HANDLER_NONE) {
			text_add_handler(text, report, &blocker->handler);
			text_add(text, ", running in ");
		}
		text_add_thread(text, report, blocker->thread);
		text_add(text, ": ");
		add_states(text, &blocker->states, stall, TS_COUNT);
		if (blocker_is_stopped(blocker, &kind))
			text_add(text, ", %s", text_stop(kind));
		if (matters(blocker->gc_ns, stall)) {
			text_add(text, ", garbage collection ");
			text_add_duration(text, blocker->gc_ns);
		}
		text_add_innermost(text, report, stack_share_largest(blocker->stacks, blocker->stack_count), &blocker->handler);
	}
	if (i)
		add_more(text, what->blocker_count - i);
}

static void add_syscalls(struct text *text, const struct process *process, const struct breakdown *what, const struct stall *stall)
{
	uint32_t i, shown = 0, stops = 0;

	for (i = 0; i < what->syscall_count && shown < SHOWN_PARTS && matters(what->syscalls[i].ns, stall); i++) {
		if (sysno_is_stop(what->syscalls[i].sysno)) { /* add_stops() */
			stops++;
			continue;
		}
		text_add(text, shown++ ? ", " : "slept in ");
		text_add_syscall(text, process, what->syscalls[i].sysno);
		text_add(text, NBSP);
		text_add_duration(text, what->syscalls[i].ns);
	}
	if (shown)
		add_more(text, what->syscall_count - shown - stops);
}

static void add_stops(struct text *text, const struct breakdown *what, const struct stall *stall)
{
	for (int i = 0; i < STOP_KINDS; i++)
		if (matters(what->stop_ns[i], stall)) {
			text_separate(text, "; ");
			text_add(text, "%s" NBSP, text_stop((enum stop_kind)i));
			text_add_duration(text, what->stop_ns[i]);
		}
}

static void add_occupants(struct text *text, const struct process *process, const struct breakdown *what, const struct stall *stall)
{
	uint32_t i;

	for (i = 0; i < what->preempted_by_count && i < SHOWN_PARTS && matters(what->preempted_by[i].ns, stall); i++) {
		if (i)
			text_add(text, ", ");
		else
			text_add(text, "CPU taken by ");
		text_add_occupant(text, process, &what->preempted_by[i]);
		text_add(text, NBSP);
		text_add_duration(text, what->preempted_by[i].ns);
	}
	if (i)
		add_more(text, what->preempted_by_count - i);
	if (matters(what->throttled_ns, stall)) {
		text_separate(text, "; ");
		text_add(text, "its cgroup's CPU quota used up for ");
		text_add_duration(text, what->throttled_ns);
	}
}

static void show_detail(const struct text_page *page, struct text *text)
{
	if (text->length)
		canvas_paragraph(&page->canvas, INDENT, sizeof(INDENT) - 1, text);
	*text = (struct text){0};
}

/* A whole stack, innermost frame first. */
static void show_stack(const struct text_page *page, uint32_t id, const char *whose)
{
	const struct definition *stack = stack_of(page->report, id);
	struct text text = {0};

	if (!stack)
		return;
	text_add(&text, "stack%s, innermost frame first:", whose);
	show_detail(page, &text);
	for (uint32_t i = 0; i < stack->stack.count; i++) {
		text_add_frame(&text, page->report, &stack->stack.frames[i]);
		canvas_paragraph(&page->canvas, INDENT "  ", sizeof(INDENT) + 1, &text);
		text = (struct text){0};
	}
	if (stack->stack.cut) {
		text_add(&text, "… and more");
		canvas_paragraph(&page->canvas, INDENT "  ", sizeof(INDENT) + 1, &text);
	}
}

void text_stall_details(const struct text_page *page, const struct process *process, const struct stall *stall)
{
	struct text text = {0};

	add_own(&text, page->report, stall);
	show_detail(page, &text);
	text_add_parts(&text, page->report, stall);
	show_detail(page, &text);
	add_garbage(&text, stall);
	show_detail(page, &text);
	add_blockers(&text, page->report, &stall->what, stall);
	show_detail(page, &text);
	add_stops(&text, &stall->what, stall);
	show_detail(page, &text);
	add_syscalls(&text, process, &stall->what, stall);
	show_detail(page, &text);
	add_occupants(&text, process, &stall->what, stall);
	show_detail(page, &text);
}

void text_stall_stacks(const struct text_page *page, const struct stall *stall)
{
	show_stack(page, stall->stack, "");
	for (uint32_t i = 0; i < stall->what.blocker_count && i < SHOWN_PARTS; i++)
		show_stack(page, stack_share_largest(stall->what.blockers[i].stacks, stall->what.blockers[i].stack_count), " of the GIL's holder");
}

/* When, how long, the cause with its share, the split; the other states behind it where they fit, else on a line of their own. */
static void show_stall(const struct text_page *page, const struct process *process, const struct stall *stall)
{
	struct text when = {0}, length = {0}, cause = {0}, rest = {0};
	uint64_t after = stall->start - page->report->window.start;
	unsigned bar = page->canvas.columns >= 100 ? 24 : 12;

	text_add(&when, "+%llu.%03llu" NBSP "s", (unsigned long long)(after / 1000000000), (unsigned long long)(after / 1000000 % 1000));
	text_add(&length, stall->whole && !stall->ongoing ? "" : "≥" NBSP);
	text_add_duration(&length, stall_ns(stall));
	text_add(&cause, "%s" NBSP, thread_state_name(stall->cause));
	text_add_duration(&cause, stall->what.states.ns[stall->cause]);
	canvas_cell(&page->canvas, when.bytes, 12, true);
	canvas_cell(&page->canvas, length.bytes, 10, true);
	fputs("  ", page->canvas.file);
	canvas_cell(&page->canvas, cause.bytes, 23, false);
	canvas_bar(&page->canvas, &stall->what.states, stall_ns(stall), bar);
	add_states(&rest, &stall->what.states, stall, stall->cause);
	if (stall->ongoing) {
		text_separate(&rest, "; ");
		text_add(&rest, "ongoing");
	}
	if (rest.length && 49 + bar + text_width(rest.bytes) > page->canvas.columns)
		fputs("\n" INDENT, page->canvas.file);
	else if (rest.length)
		fputs("  ", page->canvas.file);
	canvas_paragraph(&page->canvas, "", sizeof(INDENT) - 1, &rest);
	text_stall_details(page, process, stall);
	if (page->all)
		text_stall_stacks(page, stall);
}

static void show_heading(const struct text_page *page, const struct loop_report *loop, uint32_t shown)
{
	struct text heading = {0};

	fputc('\n', page->canvas.file);
	if (shown < loop_stall_count(loop))
		text_add(&heading, "the %u longest of ", shown);
	text_add_number_of(&heading, loop_stall_count(loop), "STALL of ", "STALLS of ");
	text_add_thread(&heading, page->report, loop->loop->thread);
	if (loop_stall_count(loop) > 1)
		text_add(&heading, ", longest first");
	canvas_heading(&page->canvas, &heading);
}

static int show_loop(const struct text_page *page, const struct process *process, const struct loop_report *loop)
{
	uint32_t shown = page->all || loop->stall_count <= SHOWN_STALLS ? loop->stall_count : SHOWN_STALLS;
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
		if (process->loops[i].stall_count && show_loop(page, process->process, &process->loops[i]) < 0)
			return -ENOMEM;
	return 0;
}
