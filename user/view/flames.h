/* SPDX-License-Identifier: MIT */
/*
 * flames.h - the rows of a flame graph as every format needs them: selected, merged and sorted,
 * with their leading frames.
 */
#ifndef GILSCOPE_VIEW_FLAMES_H
#define GILSCOPE_VIEW_FLAMES_H

#include "view/view.h"

/* process, thread, handler, [cut], the stack, the state */
#define FLAME_FRAMES_MAX (DEFINE_FRAMES_MAX + 5)
/* a name or a file with every byte escaped, and a few words around it */
#define FLAME_TEXT_MAX (4 * DEFINE_TEXT_MAX + 64)

/* Time of a thread in a state with a stack. */
struct flame_row {
	enum thread_state state;
	bool by_holder; /* `state` is gil_wait, and it was not `thread` that waited: others did
			   while it held the GIL */
	const struct process *process;
	const struct thread *thread; /* NULL: the holder of the GIL is unknown */
	uint32_t stack;
	uint64_t ns;
};

/*
 * The rows of these states and directions, sorted by state and direction, process, thread and
 * stack, each once. The caller frees `ret_rows`. 0 or -ENOMEM.
 */
int flame_rows(const struct report *report, const struct view_options *options,
	       struct flame_row **ret_rows, size_t *ret_count);
/* How many of the rows from `rows` on have the state and direction of the first one. */
size_t flame_rows_alike(const struct flame_row *rows, size_t count);

/* The state's name; "made_wait" for rows by holder. */
const char *flame_row_kind(const struct flame_row *row);
/* How reliable the rows are: "exact", "exact time, sampled stacks". */
const char *flame_row_evidence(const struct report *report, const struct flame_row *row);

/* A frame: a function in the dictionary, or a label, or a label with the function after it. */
struct flame_frame {
	const char *label;
	uint32_t function, line;
};

/* Space for the labels of a row's leading frames. */
struct flame_labels {
	char process[FLAME_TEXT_MAX], thread[FLAME_TEXT_MAX], handler[FLAME_TEXT_MAX];
};

/* The frames of a row, outermost first; with `state`, the last one is its kind. Returns how many.
 * The labels are written to the caller's space, escaped. */
unsigned flame_frames(const struct report *report, const struct flame_row *row, bool state,
		      struct flame_labels *labels,
		      struct flame_frame frames[static FLAME_FRAMES_MAX]);

/* The name of a frame and where it is, escaped. */
struct flame_words {
	char name[FLAME_TEXT_MAX], file[FLAME_TEXT_MAX]; /* file "": only a label */
	uint32_t line, defined;
};
void flame_words(const struct report *report, const struct flame_frame *frame,
		 struct flame_words *ret_words);

/* Numbers frames, 0, 1, … in the order of their first appearance. */
struct flame_index;
struct flame_index *flame_index_new(void); /* NULL when memory is short */
void flame_index_free(struct flame_index *index);
/* The number of a frame; `*ret_new`: it has just been assigned. 0 or -ENOMEM. The label is
 * copied. */
int flame_index_add(struct flame_index *index, const struct flame_frame *frame,
		    uint32_t *ret_number, bool *ret_new);
uint32_t flame_index_count(const struct flame_index *index);
/* The frame with a number below the count. */
struct flame_frame flame_index_frame(const struct flame_index *index, uint32_t number);

/* ── rows as a tree, for what is drawn (flame_tree.c) ────────────────────── */

/* Node 0 is the root and has no frame. Every other node is a frame below its caller, which has a
 * smaller number. */
struct flame_node {
	uint32_t parent, frame; /* frame: its number in the index */
	uint64_t self_ns, ns;	/* without and with its callees */
};
struct flame_tree {
	struct flame_node *nodes;
	uint32_t count;
};
/* The frames are added to `index`; `state` as for flame_frames(). 0 or -ENOMEM. */
int flame_tree_make(const struct report *report, const struct flame_row *rows, size_t count,
		    bool state, struct flame_index *index, struct flame_tree *ret_tree);
void flame_tree_done(struct flame_tree *tree);

/* Whose recording it is: "uvicorn app:app · PID 4711 · Python 3.11.2 · 10.0 s". Escaped. */
struct flame_title {
	char text[FLAME_TEXT_MAX + 256];
};
void flame_title(const struct report *report, struct flame_title *ret_title);

/*
 * The flame graph's page (flame_page.c writes it, view/flame/assets/flame.js reads it) has a blob
 * (assets.h) "head" of JSON: one object, flame_head of flame/flame_head.def.
 *
 * There is a graph for every state and direction requested; one without time has no blob. A graph's
 * blob contains columns of varints (page.h) for the nodes of its tree from number 1 on: count · how
 * far its caller is before the preceding node (0: that one; the root has number 0) · frame (index
 * in `frames`) · ns without its callees. The leading frames are those of flame_frames(): the
 * process, if there are several, the thread, and the handler.
 */

#endif
