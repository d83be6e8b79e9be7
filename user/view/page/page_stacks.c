/* SPDX-License-Identifier: MIT */
/* Stacks share most of their frames: sorted by their outermost frames, each adds to a tree only
 * what the ones before it lack. */
#include "view/page/page_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "view/assets.h"

/* ── numbers ─────────────────────────────────────────────────────────────── */

static int grow(uint32_t **list, uint32_t *room, uint32_t needed)
{
	uint32_t to = *room ? *room : 64;
	uint32_t *grown;

	if (needed <= *room)
		return 0;
	while (to < needed)
		to *= 2;
	grown = reallocarray(*list, to, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	for (uint32_t i = *room; i < to; i++)
		grown[i] = 0;
	*list = grown;
	*room = to;
	return 0;
}

int numbering_get(struct numbering *numbering, const struct dictionary *names,
		  enum definition_kind kind, uint32_t id, uint32_t *ret_number)
{
	if (id < numbering->number_room && numbering->numbers[id]) {
		*ret_number = numbering->numbers[id];
		return 0;
	}
	*ret_number = 0;
	if (!names || !dictionary_find(names, kind, id))
		return 0;
	/* ids are bounded by the dictionary */
	if (grow(&numbering->numbers, &numbering->number_room, id + 1) < 0 ||
	    grow(&numbering->ids, &numbering->id_room, numbering->count + 1) < 0)
		return -ENOMEM;
	numbering->ids[numbering->count] = id;
	*ret_number = numbering->numbers[id] = ++numbering->count;
	return 0;
}

void numbering_done(struct numbering *numbering)
{
	free(numbering->numbers);
	free(numbering->ids);
	*numbering = (struct numbering){0};
}

/* ── the tree ────────────────────────────────────────────────────────────── */

struct entry {
	const struct definition *stack;
	uint32_t number;
};

/* The index is counted from the outermost frame. */
static const struct stack_frame *frame_at(const struct definition *stack, uint32_t depth)
{
	return &stack->stack.frames[stack->stack.count - 1 - depth];
}

static uint32_t common_depth(const struct definition *a, const struct definition *b)
{
	uint32_t depth = 0;

	while (depth < a->stack.count && depth < b->stack.count &&
	       frame_at(a, depth)->function == frame_at(b, depth)->function &&
	       frame_at(a, depth)->line == frame_at(b, depth)->line)
		depth++;
	return depth;
}

static int compare(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int outermost_first(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	uint32_t depth = common_depth(x->stack, y->stack);
	int order;

	if (depth == x->stack->stack.count || depth == y->stack->stack.count) {
		order = compare(x->stack->stack.count, y->stack->stack.count);
		return order ? order : compare(x->number, y->number);
	}
	order = compare(frame_at(x->stack, depth)->function, frame_at(y->stack, depth)->function);
	return order ? order
		     : compare(frame_at(x->stack, depth)->line, frame_at(y->stack, depth)->line);
}

static int add_node(struct page_stacks *stacks, const struct dictionary *names, uint32_t parent,
		    const struct stack_frame *frame)
{
	uint32_t function;
	int err = numbering_get(&stacks->functions, names, DEFINE_FUNCTION, frame->function,
				&function);

	if (!err)
		err = column_add(&stacks->parents, parent);
	if (!err)
		err = column_add(&stacks->node_functions, function);
	if (!err)
		err = column_add(&stacks->lines, frame->line);
	stacks->node_count++;
	return err;
}

/* Turns the entries into nodes of the tree; `nodes` gets the innermost node of each stack, by the
 * stack's number. */
static int make_tree(struct page_stacks *stacks, const struct dictionary *names,
		     const struct entry *entries, uint32_t count, uint32_t *nodes)
{
	/* of the preceding entry; by depth, the root first */
	uint32_t path[DEFINE_FRAMES_MAX + 1] = {0};

	for (uint32_t i = 0; i < count; i++) {
		const struct definition *stack = entries[i].stack;

		for (uint32_t depth = i ? common_depth(entries[i - 1].stack, stack) : 0;
		     depth < stack->stack.count; depth++) {
			int err = add_node(stacks, names, path[depth], frame_at(stack, depth));

			if (err < 0)
				return err;
			path[depth + 1] = stacks->node_count;
		}
		nodes[entries[i].number - 1] = path[stack->stack.count];
	}
	return 0;
}

/* ── the stacks ──────────────────────────────────────────────────────────── */

static int add_stack(struct page_stacks *stacks, const struct dictionary *names,
		     struct handler_finder *finder, uint32_t id, uint32_t node)
{
	struct handler handler = finder ? handler_find(finder, names, id) : (struct handler){0};
	uint32_t function;
	int err = numbering_get(&stacks->functions, names, DEFINE_FUNCTION, handler.frame.function,
				&function);

	if (!err)
		err = column_add(&stacks->nodes, node);
	if (!err)
		err = column_add_byte(&stacks->cut,
				      dictionary_find(names, DEFINE_STACK, id)->stack.cut);
	if (!err)
		err = column_add(&stacks->handlers, function);
	if (!err)
		err = column_add(&stacks->roles, handler.role);
	stacks->stack_count++;
	return err;
}

int page_stacks_make(const struct numbering *numbers, const struct dictionary *names,
		     struct handler_finder *finder, struct page_stacks *stacks)
{
	_cleanup_(freep) struct entry *entries = calloc(numbers->count + 1, sizeof(*entries));
	_cleanup_(freep) uint32_t *nodes = calloc(numbers->count + 1, sizeof(*nodes));
	int err;

	*stacks = (struct page_stacks){0};
	if (!entries || !nodes)
		return -ENOMEM;
	for (uint32_t i = 0; i < numbers->count; i++)
		entries[i] = (struct entry){dictionary_find(names, DEFINE_STACK, numbers->ids[i]),
					    i + 1};
	qsort(entries, numbers->count, sizeof(*entries), outermost_first);
	err = make_tree(stacks, names, entries, numbers->count, nodes);
	for (uint32_t i = 0; !err && i < numbers->count; i++)
		err = add_stack(stacks, names, finder, numbers->ids[i], nodes[i]);
	return err;
}

int page_stacks_write(FILE *file, const struct page_stacks *stacks)
{
	const struct column *const tree[] = {&stacks->parents, &stacks->node_functions,
					     &stacks->lines};
	const struct column *const list[] = {&stacks->nodes, &stacks->cut, &stacks->handlers,
					     &stacks->roles};
	struct column nodes = {0}, count = {0};
	FILE *blob = NULL;

	if (!column_add(&nodes, stacks->node_count) && !column_add(&count, stacks->stack_count))
		blob = page_blob_begin(file, "stacks");
	if (blob) {
		column_write(blob, &nodes);
		for (size_t i = 0; i < sizeof(tree) / sizeof(tree[0]); i++)
			column_write(blob, tree[i]);
		column_write(blob, &count);
		for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
			column_write(blob, list[i]);
	}
	column_done(&nodes);
	column_done(&count);
	return blob ? page_blob_end(blob) : -ENOMEM;
}

void page_stacks_done(struct page_stacks *stacks)
{
	numbering_done(&stacks->functions);
	column_done(&stacks->parents);
	column_done(&stacks->node_functions);
	column_done(&stacks->lines);
	column_done(&stacks->nodes);
	column_done(&stacks->cut);
	column_done(&stacks->handlers);
	column_done(&stacks->roles);
}
