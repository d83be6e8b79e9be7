/* SPDX-License-Identifier: MIT */
/* A turn that held several callbacks: ten of 12 ms are not one culprit of 120 ms. */
#include "view/text.h"

#include <stdlib.h>

#include "view/names.h"

#define SHOWN_FUNCTIONS 3

/* The parts of a turn with one handler. */
struct group {
	struct handler handler;
	uint64_t ns, longest_ns;
	uint32_t count;
};

static int larger_first(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? 1 : -1;
	return (x->handler.frame.function > y->handler.frame.function) - (x->handler.frame.function < y->handler.frame.function);
}

static struct group *group_of(struct group *groups, uint32_t *count, const struct handler *handler)
{
	for (uint32_t i = 0; i < *count; i++)
		if (groups[i].handler.role == handler->role && groups[i].handler.frame.function == handler->frame.function)
			return &groups[i];
	groups[*count] = (struct group){.handler = *handler};
	return &groups[(*count)++];
}

static void add_group(struct text *text, const struct report *report, const struct group *group)
{
	if (group->handler.role == HANDLER_NONE)
		text_add(text, "no function of the application");
	else
		text_add_frame(text, report, &group->handler.frame);
	text_add(text, " ");
	if (group->count > 1) {
		text_add(text, "%u" NBSP "times, ", group->count);
		text_add_duration(text, group->ns);
		text_add(text, " in all, longest ");
	}
	text_add_duration(text, group->longest_ns);
}

void text_add_parts(struct text *text, const struct report *report, const struct stall *stall)
{
	struct group groups[TURN_PARTS_MAX];
	uint32_t count = 0, i;
	uint64_t resolution_ns = stall_resolution_ns(report, stall);

	if (stall->part_count < 2)
		return;
	for (i = 0; i < stall->part_count && i < TURN_PARTS_MAX; i++) {
		struct group *group = group_of(groups, &count, &stall->parts[i].handler);
		uint64_t ns = state_sums_total(&stall->parts[i].states);

		group->ns += ns;
		group->longest_ns = ns > group->longest_ns ? ns : group->longest_ns;
		group->count++;
	}
	qsort(groups, count, sizeof(*groups), larger_first);
	text_add(text, "%s%u callbacks", stall->part_count == TURN_PARTS_MAX ? "at least " : "", stall->part_count);
	if (resolution_ns) {
		text_add(text, ", told apart to ");
		text_add_duration(text, resolution_ns);
	}
	text_add(text, ": ");
	for (i = 0; i < count && i < SHOWN_FUNCTIONS; i++) {
		text_add(text, i ? "; " : "");
		add_group(text, report, &groups[i]);
	}
	if (i < count)
		text_add(text, "; %u" NBSP "more", count - i);
}
