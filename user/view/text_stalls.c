/* SPDX-License-Identifier: MIT */
#include "view/text.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

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

static void add_blockers(struct text *text, const struct breakdown *what, const struct stall *stall)
{
	uint32_t i;

	for (i = 0; i < what->blocker_count && i < SHOWN_PARTS && matters(state_sums_total(&what->blockers[i].states), stall); i++) {
		if (i)
			text_add(text, "; ");
		else
			text_add(text, "GIL held by ");
		text_add_thread(text, what->blockers[i].thread);
		text_add(text, ": ");
		add_states(text, &what->blockers[i].states, stall, TS_COUNT);
	}
	if (i)
		add_more(text, what->blocker_count - i);
}

static void add_syscalls(struct text *text, const struct process *process, const struct breakdown *what, const struct stall *stall)
{
	uint32_t i;

	for (i = 0; i < what->syscall_count && i < SHOWN_PARTS && matters(what->syscalls[i].ns, stall); i++) {
		if (i)
			text_add(text, ", ");
		else
			text_add(text, "slept in ");
		text_add_syscall(text, process, what->syscalls[i].sysno);
		text_add(text, NBSP);
		text_add_duration(text, what->syscalls[i].ns);
	}
	if (i)
		add_more(text, what->syscall_count - i);
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

static void show_details(const struct text_page *page, const struct process *process, const struct stall *stall)
{
	struct text text = {0};

	add_blockers(&text, &stall->what, stall);
	show_detail(page, &text);
	add_syscalls(&text, process, &stall->what, stall);
	show_detail(page, &text);
	add_occupants(&text, process, &stall->what, stall);
	show_detail(page, &text);
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
	show_details(page, process, stall);
}

static void show_heading(const struct text_page *page, const struct loop_report *loop, uint32_t shown)
{
	struct text heading = {0};

	fputc('\n', page->canvas.file);
	if (shown < loop->stall_count)
		text_add(&heading, "the %u longest of ", shown);
	text_add_number_of(&heading, loop->stall_count, "STALL of ", "STALLS of ");
	text_add_thread(&heading, loop->loop->thread);
	if (loop->stall_count > 1)
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
