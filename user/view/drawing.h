/* SPDX-License-Identifier: MIT */
/*
 * drawing.h - views that show the recording itself, span by span, not only a summary. They are fed
 * while it is read and finished with the report, from which they take all figures that it contains.
 */
#ifndef GILSCOPE_VIEW_DRAWING_H
#define GILSCOPE_VIEW_DRAWING_H

#include "analysis/spans.h"
#include "view/view.h"

struct drawing;

struct drawing_kind {
	const char *name;
	/* Starts to draw into `file`. The file and the names remain the caller's. NULL if memory is
	 * short. */
	struct drawing *(*begin)(FILE *file, const struct stream_head *head,
				 const struct dictionary *names, struct handler_finder *finder);
	/* Receives the spans. Its errors are reported by finish(). */
	struct span_sink (*sink)(struct drawing *drawing);
	/* Writes the rest, after the last span. 0, or -errno: -ENOMEM, or of a failed write. */
	int (*finish)(struct drawing *drawing, const struct report *report);
	void (*free)(struct drawing *drawing); /* accepts NULL */
};

extern const struct drawing_kind drawing_page; /* one self-contained HTML page, page.h */
extern const struct drawing_kind
	drawing_firefox; /* processed profile of https://profiler.firefox.com, firefox.h */
extern const struct drawing_kind
	drawing_perfetto; /* https://perfetto.dev/docs/reference/trace-packet-proto, perfetto.h */

#endif
