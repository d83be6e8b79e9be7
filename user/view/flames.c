/* SPDX-License-Identifier: MIT */
#include "view/flames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "words/names.h"

const char *flame_row_kind(const struct flame_row *row)
{
	return row->by_holder ? "made_wait" : thread_state_name(row->state);
}

const char *flame_row_evidence(const struct report *report, const struct flame_row *row)
{
	if (row->by_holder)
		return "exact time, the holders' stacks are samples";
	if (row->state == TS_UNKNOWN)
		return "evidence is missing";
	if (!thread_state_runs(row->state))
		return "exact";
	return report->sampled_ns ? "partly sampled time, sampled stacks"
				  : "exact time, sampled stacks";
}

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Only entries that agree in all of this are one row. */
static int in_order(const void *a, const void *b)
{
	const struct flame_row *x = a, *y = b;
	int order = compare(x->state, y->state);

	order = order ? order : compare(x->by_holder, y->by_holder);
	order = order ? order : compare(x->process->index, y->process->index);
	order = order ? order
		      : compare(x->thread ? x->thread->tid : UINT64_MAX,
				y->thread ? y->thread->tid : UINT64_MAX);
	/* a tid that was used twice */
	order = order ? order : compare((uintptr_t)x->thread, (uintptr_t)y->thread);
	return order ? order : compare(x->stack, y->stack);
}

static size_t merge(struct flame_row *rows, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (kept && !in_order(&rows[kept - 1], &rows[i]))
			rows[kept - 1].ns += rows[i].ns;
		else
			rows[kept++] = rows[i];
	return kept;
}

int flame_rows(const struct report *report, const struct view_options *options,
	       struct flame_row **ret_rows, size_t *ret_count)
{
	bool waits = options->states & 1u << TS_GIL_WAIT,
	     by_waiter = options->directions & FLAME_WAITER,
	     by_holder = options->directions & FLAME_HOLDER;
	struct flame_row *rows = calloc((size_t)report->flame_count + report->wait_flame_count + 1,
					sizeof(*rows));
	size_t count = 0;

	if (!rows)
		return -ENOMEM;
	for (uint32_t i = 0; i < report->flame_count; i++) {
		const struct flame *flame = &report->flames[i];

		if (flame->ns && options->states & 1u << flame->state &&
		    (flame->state != TS_GIL_WAIT || by_waiter))
			rows[count++] = (struct flame_row){flame->state,	   false,
							   flame->thread->process, flame->thread,
							   flame->stack,	   flame->ns};
	}
	for (uint32_t i = 0; waits && by_holder && i < report->wait_flame_count; i++) {
		const struct wait_flame *flame = &report->wait_flames[i];

		if (flame->ns)
			rows[count++] = (struct flame_row){TS_GIL_WAIT,
							   true,
							   flame->waiter->process,
							   flame->holder,
							   flame->holder_stack,
							   flame->ns};
	}
	qsort(rows, count, sizeof(*rows), in_order);
	*ret_count = merge(rows, count);
	*ret_rows = rows;
	return 0;
}

size_t flame_rows_alike(const struct flame_row *rows, size_t count)
{
	size_t i = 0;

	while (i < count && rows[i].state == rows[0].state &&
	       rows[i].by_holder == rows[0].by_holder)
		i++;
	return i;
}

/* A name from the target between words of ours. */
static const char *label(char to[static FLAME_TEXT_MAX], const char *before, const char *name,
			 const char *after)
{
	char escaped[4 * DEFINE_TEXT_MAX];

	escape_text(escaped, sizeof(escaped), name, strlen(name));
	snprintf(to, FLAME_TEXT_MAX, "%s%s%s", before, escaped, after);
	return to;
}

static struct flame_frame process_frame(const struct flame_row *row, struct flame_labels *labels)
{
	char title[PROCESS_TITLE_MAX], number[32] = "";

	if (!row->process->stands_for)
		snprintf(number, sizeof(number), " (%u)", row->process->info.pid);
	return (struct flame_frame){
		.label = label(labels->process, "", process_title(row->process, title), number)};
}

static struct flame_frame thread_frame(const struct report *report, const struct flame_row *row,
				       struct flame_labels *labels)
{
	const char *name = row->thread ? thread_name(report, row->thread) : "";
	char number[32];

	if (!row->thread)
		return (struct flame_frame){.label = "[holder unknown]"};
	snprintf(number, sizeof(number), " (%u)", row->thread->tid);
	return (struct flame_frame){
		.label = label(labels->thread, "", *name ? name : "thread", number)};
}

/* The same for all lines of the handler, so the line is that of its definition. */
static struct flame_frame handler_frame(const struct report *report, const struct flame_row *row,
					struct flame_labels *labels)
{
	struct handler handler = report->finder
					 ? handler_find(report->finder, report->names, row->stack)
					 : (struct handler){0};
	struct frame_names words = frame_names(report, &handler.frame);
	char role[32];

	if (handler.role == HANDLER_NONE || !words.function)
		return (struct flame_frame){.label = "[no handler]"};
	snprintf(role, sizeof(role), "%s ", handler_role_name(handler.role));
	return (struct flame_frame){label(labels->handler, role, words.function, ""),
				    handler.frame.function, words.defined};
}

unsigned flame_frames(const struct report *report, const struct flame_row *row, bool state,
		      struct flame_labels *labels,
		      struct flame_frame frames[static FLAME_FRAMES_MAX])
{
	const struct definition *stack = stack_of(report, row->stack);
	unsigned count = 0;

	if (report->process_count > 1)
		frames[count++] = process_frame(row, labels);
	frames[count++] = thread_frame(report, row, labels);
	frames[count++] = handler_frame(report, row, labels);
	if (!stack || stack->stack.cut)
		frames[count++] = (struct flame_frame){.label = stack ? "[cut]" : "[no stack]"};
	for (uint32_t i = stack ? stack->stack.count : 0; i > 0; i--) {
		const struct stack_frame *frame = &stack->stack.frames[i - 1];

		frames[count++] = (struct flame_frame){frame->function ? NULL : "[unknown]",
						       frame->function, frame->line};
	}
	if (state)
		frames[count++] = (struct flame_frame){.label = flame_row_kind(row)};
	return count;
}

void flame_words(const struct report *report, const struct flame_frame *frame,
		 struct flame_words *ret_words)
{
	struct frame_names words = frame_names(
		report, &(struct stack_frame){.function = frame->function, .line = frame->line});

	label(ret_words->name, "", words.function ? words.function : "[unknown]", "");
	if (frame->label) /* already escaped */
		snprintf(ret_words->name, sizeof(ret_words->name), "%s", frame->label);
	label(ret_words->file, "", words.file, "");
	ret_words->line = words.line;
	ret_words->defined = words.defined;
}
