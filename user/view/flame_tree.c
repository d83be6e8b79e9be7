/* SPDX-License-Identifier: MIT */
/* The rows of a flame graph put together: what has the same callers is one. */
#include <errno.h>
#include <stdlib.h>

#include <string.h>

#include "view/flames.h"

#define HASH_NONFATAL_OOM	     1
#define uthash_nonfatal_oom(element) ((void)(element)) /* the handle's table stays NULL then */
#include <uthash.h>

/* Which node a frame below a node is. */
struct edge {
	UT_hash_handle hh;
	uint32_t key[2]; /* parent, frame */
	uint32_t node;
};

struct growing {
	struct flame_tree tree;
	uint32_t room;
	struct edge *edges;
};

static int add_node(struct growing *growing, uint32_t parent, uint32_t frame)
{
	struct flame_tree *tree = &growing->tree;
	uint32_t room = growing->room ? 2 * growing->room : 256;
	struct flame_node *nodes = tree->count < growing->room ? tree->nodes : reallocarray(tree->nodes, room, sizeof(*nodes));

	if (!nodes)
		return -ENOMEM;
	growing->room = tree->count < growing->room ? growing->room : room;
	tree->nodes = nodes;
	nodes[tree->count++] = (struct flame_node){.parent = parent, .frame = frame};
	return 0;
}

static int child_of(struct growing *growing, uint32_t parent, uint32_t frame, uint32_t *ret_node)
{
	const uint32_t key[2] = {parent, frame};
	struct edge *edge;

	HASH_FIND(hh, growing->edges, key, sizeof(key), edge);
	if (!edge) {
		edge = add_node(growing, parent, frame) < 0 ? NULL : calloc(1, sizeof(*edge));
		if (!edge)
			return -ENOMEM;
		memcpy(edge->key, key, sizeof(key));
		edge->node = growing->tree.count - 1;
		HASH_ADD(hh, growing->edges, key, sizeof(key), edge);
		if (!edge->hh.tbl) {
			free(edge);
			return -ENOMEM;
		}
	}
	*ret_node = edge->node;
	return 0;
}

static int add_row(struct growing *growing, const struct report *report, const struct flame_row *row, bool state, struct flame_index *index)
{
	struct flame_frame frames[FLAME_FRAMES_MAX];
	struct flame_labels labels;
	unsigned depth = flame_frames(report, row, state, &labels, frames);
	uint32_t node = 0;
	int r = 0;

	growing->tree.nodes[0].ns += row->ns;
	for (unsigned i = 0; !r && i < depth; i++) {
		uint32_t frame = 0;
		bool new;

		r = flame_index_add(index, &frames[i], &frame, &new);
		if (!r)
			r = child_of(growing, node, frame, &node);
		if (!r)
			growing->tree.nodes[node].ns += row->ns;
	}
	growing->tree.nodes[node].self_ns += row->ns;
	return r;
}

int flame_tree_make(const struct report *report, const struct flame_row *rows, size_t count, bool state, struct flame_index *index, struct flame_tree *ret_tree)
{
	struct growing growing = {0};
	struct edge *edge, *next;
	int r = add_node(&growing, 0, 0);

	for (size_t i = 0; !r && i < count; i++)
		r = add_row(&growing, report, &rows[i], state, index);
	HASH_ITER(hh, growing.edges, edge, next)
	{
		HASH_DEL(growing.edges, edge);
		free(edge);
	}
	if (r < 0)
		flame_tree_done(&growing.tree);
	else
		*ret_tree = growing.tree;
	return r;
}

void flame_tree_done(struct flame_tree *tree)
{
	free(tree->nodes);
	*tree = (struct flame_tree){0};
}
