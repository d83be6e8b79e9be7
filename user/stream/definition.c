/* SPDX-License-Identifier: MIT */
#include "stream/definition.h"

#include <string.h>

static const struct {
	const char *name;
	uint32_t max;
} kinds[DEFINE_KINDS] = {
	[DEFINE_FUNCTION] = {"function", DEFINE_FUNCTIONS_MAX},
	[DEFINE_STACK] = {"stack", DEFINE_STACKS_MAX},
	[DEFINE_TEXT] = {"text", DEFINE_TEXTS_MAX},
	[DEFINE_SOURCE] = {"source", DEFINE_SOURCES_MAX},
};

const char *definition_name(enum definition_kind kind)
{
	return kinds[kind].name;
}

const char *definition_fault(const struct definition_counts *counts,
			     const struct definition *definition)
{
	if ((unsigned int)definition->kind >= DEFINE_KINDS)
		return "a definition is of no kind";
	if (definition->id != counts->of[definition->kind] + 1)
		return "a definition's number is not the next of its kind";
	if (definition->id > kinds[definition->kind].max)
		return "there are too many definitions of one kind";
	if (definition->kind == DEFINE_SOURCE &&
	    (!definition->source.function ||
	     definition->source.function > counts->of[DEFINE_FUNCTION]))
		return "a line of source is of a function that is not defined";
	if (definition->kind != DEFINE_STACK)
		return NULL;
	if (!definition->stack.count || definition->stack.count > DEFINE_FRAMES_MAX)
		return "a stack has no frames or too many";
	for (uint32_t i = 0; i < definition->stack.count; i++)
		if (definition->stack.frames[i].function > counts->of[DEFINE_FUNCTION])
			return "a stack names a function that is not defined";
	return NULL;
}

size_t definition_text_length(const char *text)
{
	return strnlen(text, DEFINE_TEXT_MAX - 1);
}
