/* SPDX-License-Identifier: MIT */
/* What a function looks like in its file. */
#include "words/names.h"
#include "words/words.h"

#include <string.h>

#define DECORATOR_COLUMNS 64
#define PLACE_COLUMNS	  32

const char *source_of(const struct report *report, uint32_t function, uint32_t line)
{
	return report->names && line != STACK_GAP_LINE
		       ? dictionary_source(report->names, function, line)
		       : NULL;
}

void text_add_decorator(struct text_buffer *text, const struct report *report, uint32_t function,
			unsigned columns)
{
	const char *decorator = source_of(report, function, 0);

	if (decorator)
		text_add_name(text, decorator,
			      columns < DECORATOR_COLUMNS ? columns : DECORATOR_COLUMNS);
}

/* "app.py:83": of a file without its folders, since the frame has been named by its path before. */
static void add_short_place(struct text_buffer *text, const struct report *report,
			    const struct stack_frame *frame)
{
	struct frame_names names = frame_names(report, frame);
	const char *slash = strrchr(names.file, '/');

	text_add_name(text, slash ? slash + 1 : names.file, PLACE_COLUMNS);
	text_add(text, ":%u", names.line);
}

void text_add_source(struct text_buffer *text, const struct report *report,
		     const struct stack_frame *frame, unsigned columns)
{
	const char *source = frame->line ? source_of(report, frame->function, frame->line) : NULL;

	if (!source)
		return;
	text_add(text, "> ");
	text_add_name(text, source, columns - 2);
}

void text_add_sources(struct text_buffer *text, const struct report *report,
		      const struct handler *handler, const struct stack_frame *inner,
		      unsigned columns)
{
	const struct stack_frame *frame = inner->function ? inner : &handler->frame;
	size_t before = text->length;

	if (handler->role != HANDLER_NONE)
		text_add_decorator(text, report, handler->frame.function, columns);
	if (!frame->line || !source_of(report, frame->function, frame->line))
		return;
	text_add(text, "%s", text->length > before ? " · " : "");
	add_short_place(text, report, frame);
	text_add(text, " ");
	text_add_source(text, report, frame, columns);
}
