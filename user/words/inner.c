/* SPDX-License-Identifier: MIT */
/* The inner end of a stack: the application's innermost function, and the library that it calls. */
#include "words/stall.h"

#include <string.h>

#include "symbols/owner.h"
#include "words/names.h"

#define CALL_COLUMNS 48

static bool has_function(const struct definition *stack, uint32_t function)
{
	for (uint32_t i = 0; i < stack->stack.count; i++)
		if (stack->stack.frames[i].function == function)
			return true;
	return false;
}

/* "subprocess.run" */
static void add_call(struct text_buffer *text, const struct report *report,
		     const struct stack_frame *frame)
{
	struct frame_names words = frame_names(report, frame);
	char module[128], call[sizeof(module) + DEFINE_TEXT_MAX];

	owner_module(words.file, module, sizeof(module));
	snprintf(call, sizeof(call), "%s.%s", module, words.function);
	text_add_name(text, call, CALL_COLUMNS);
}

static void add_inner(struct text_buffer *text, const struct report *report,
		      const struct definition *stack, const struct handler *handler)
{
	const struct stack_frame *frames = stack->stack.frames;
	uint32_t inner, called;
	size_t before = text->length;

	if (!has_function(stack, handler->frame.function) ||
	    !handler_inner(report->finder, report->names, stack->id, handler, &inner))
		return;
	if (frames[inner].function != handler->frame.function) {
		text_add(text, " → ");
		text_add_frame(text, report, &frames[inner]);
	}
	if (!handler_called(report->finder, report->names, stack->id, inner, &called))
		return;
	text_add(text, text->length > before ? ", in " : "; in ");
	add_call(text, report, &frames[called]);
}

static void add_library(struct text_buffer *text, const struct report *report,
			const struct definition *stack)
{
	const struct stack_frame *frames = stack->stack.frames;
	uint32_t index = 0, caller = UINT32_MAX;

	text_separate(text, ", ");
	text_add(text, "in ");
	if (report->finder)
		handler_library(report->finder, report->names, stack->id, &index, &caller);
	text_add_frame(text, report, &frames[index]);
	if (caller == UINT32_MAX)
		return;
	text_add(text, ", called by ");
	text_add_frame(text, report, &frames[caller]);
}

void text_add_innermost(struct text_buffer *text, const struct report *report, uint32_t id,
			const struct handler *handler)
{
	const struct definition *stack = stack_of(report, id);

	if (!stack)
		return;
	if (handler->role != HANDLER_NONE)
		add_inner(text, report, stack, handler);
	else
		add_library(text, report, stack);
}
