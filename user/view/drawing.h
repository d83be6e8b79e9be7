/* SPDX-License-Identifier: MIT */
/*
 * drawing.h - views that show the recording itself, span by span, and not only what is folded of
 * it. They are fed while it is read, and finished with the report: all figures that are in the
 * report they take from there.
 */
#ifndef GILSCOPE_VIEW_DRAWING_H
#define GILSCOPE_VIEW_DRAWING_H

#include "analysis/spans.h"
#include "view/view.h"

struct drawing;

struct drawing_kind {
	const char *name;
	/* Begins to draw into `file`, which stays the caller's, as do the names. NULL when memory
	 * is short. */
	struct drawing *(*begin)(FILE *file, const struct stream_head *head,
				 const struct dictionary *names, struct handler_finder *finder);
	/* Where the spans go. What fails there is said by finish(). */
	struct span_sink (*sink)(struct drawing *drawing);
	/* The rest, after the last span. 0, or -errno: -ENOMEM, or of a failed write. */
	int (*finish)(struct drawing *drawing, const struct report *report);
	void (*free)(struct drawing *drawing); /* NULL is fine */
};

extern const struct drawing_kind drawing_page; /* one self-contained HTML page, page.h */
extern const struct drawing_kind
	drawing_perfetto; /* https://perfetto.dev/docs/reference/trace-packet-proto, perfetto.h */

#endif
