/* SPDX-License-Identifier: MIT */
/* A turn with several callbacks: ten of 12 ms each are not one culprit of 120 ms. */
#include "words/stall.h"

#include <stdlib.h>

#include "words/names.h"

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
	return (x->handler.frame.function > y->handler.frame.function) -
	       (x->handler.frame.function < y->handler.frame.function);
}

static struct group *group_of(struct group *groups, uint32_t *count, const struct handler *handler)
{
	for (uint32_t i = 0; i < *count; i++)
		if (groups[i].handler.role == handler->role &&
		    groups[i].handler.frame.function == handler->frame.function)
			return &groups[i];
	groups[*count] = (struct group){.handler = *handler};
	return &groups[(*count)++];
}

static void add_group(struct text_buffer *text, const struct report *report,
		      const struct group *group)
{
	text_add_frame(text, report, &group->handler.frame);
	text_add(text, " ");
	if (group->count > 1) {
		text_add(text, "%u" NBSP "times, ", group->count);
		text_add_duration(text, group->ns);
		text_add(text, " in total, longest ");
	}
	text_add_duration(text, group->longest_ns);
}

/* Groups the parts by handler. Only the application's: the loop itself always does something
 * between callbacks. Returns the number of parts in the groups. */
static uint32_t group_parts(const struct stall *stall, struct group groups[static TURN_PARTS_MAX],
			    uint32_t *ret_groups)
{
	uint32_t parts = 0;

	*ret_groups = 0;
	for (uint32_t i = 0; i < stall->part_count && i < TURN_PARTS_MAX; i++) {
		const struct turn_part *part = &stall->parts[i];
		uint64_t ns = state_sums_total(&part->states);
		struct group *group;

		if (part->handler.role == HANDLER_NONE)
			continue;
		group = group_of(groups, ret_groups, &part->handler);
		group->ns += ns;
		group->longest_ns = ns > group->longest_ns ? ns : group->longest_ns;
		group->count++;
		parts++;
	}
	qsort(groups, *ret_groups, sizeof(*groups), larger_first);
	return parts;
}

void text_add_parts(struct text_buffer *text, const struct report *report,
		    const struct stall *stall)
{
	struct group groups[TURN_PARTS_MAX];
	uint32_t count, i, parts = group_parts(stall, groups, &count);
	uint64_t resolution_ns = stall_resolution_ns(report, stall);

	if (parts < 2)
		return;
	text_add(text, "%s%u callbacks", stall->part_count == TURN_PARTS_MAX ? "at least " : "",
		 parts);
	if (resolution_ns) {
		text_add(text, " (boundaries ±");
		text_add_duration(text, resolution_ns);
		text_add(text, ")");
	}
	text_add(text, ": ");
	for (i = 0; i < count && i < SHOWN_FUNCTIONS; i++) {
		text_add(text, i ? "; " : "");
		add_group(text, report, &groups[i]);
	}
	if (i < count)
		text_add(text, "; %u" NBSP "more", count - i);
}
