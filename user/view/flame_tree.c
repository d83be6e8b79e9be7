/* SPDX-License-Identifier: MIT */
/* The rows of a flame graph as a tree: frames with the same callers become one node. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/table.h"
#include "view/flames.h"

#define NO_PARENT UINT32_MAX

/* A node is found by its first two members. */
_Static_assert(offsetof(struct flame_node, frame) == sizeof(uint32_t),
	       "the key is the parent and the frame");

static int node_of(struct table *nodes, uint32_t parent, uint32_t frame, uint32_t *ret_node)
{
	const uint32_t key[] = {parent, frame};
	void *node;
	int err = table_get(nodes, key, sizeof(key), &node);

	if (err < 0)
		return err == -ENOSPC ? -ENOMEM : err;
	*ret_node = (uint32_t)((struct flame_node *)node - (struct flame_node *)nodes->entries);
	return 0;
}

static struct flame_node *node_at(const struct table *nodes, uint32_t number)
{
	return table_at(nodes, number);
}

static int add_row(struct table *nodes, const struct report *report, const struct flame_row *row,
		   bool state, struct flame_index *index)
{
	struct flame_frame frames[FLAME_FRAMES_MAX];
	struct flame_labels labels;
	unsigned depth = flame_frames(report, row, state, &labels, frames);
	uint32_t node = 0;
	int err = 0;

	node_at(nodes, 0)->ns += row->ns;
	for (unsigned i = 0; !err && i < depth; i++) {
		uint32_t frame = 0;
		bool new;

		err = flame_index_add(index, &frames[i], &frame, &new);
		if (!err)
			err = node_of(nodes, node, frame, &node);
		if (!err)
			node_at(nodes, node)->ns += row->ns;
	}
	node_at(nodes, node)->self_ns += row->ns;
	return err;
}

int flame_tree_make(const struct report *report, const struct flame_row *rows, size_t count,
		    bool state, struct flame_index *index, struct flame_tree *ret_tree)
{
	struct table nodes = {.entry_bytes = sizeof(struct flame_node), .limit = UINT32_MAX / 4};
	uint32_t root;
	int err = node_of(&nodes, NO_PARENT, 0, &root);

	for (size_t i = 0; !err && i < count; i++)
		err = add_row(&nodes, report, &rows[i], state, index);
	if (!err) {
		*ret_tree = (struct flame_tree){nodes.entries, nodes.count};
		nodes.entries = NULL;
	}
	table_done(&nodes);
	return err;
}

void flame_tree_done(struct flame_tree *tree)
{
	free(tree->nodes);
	*tree = (struct flame_tree){0};
}
