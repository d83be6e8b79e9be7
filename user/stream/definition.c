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

uint32_t definition_limit(enum definition_kind kind)
{
	return kinds[kind].max;
}

uint32_t definition_renewal(enum definition_kind kind)
{
	return kinds[kind].max / 8 * 3;
}

uint32_t definition_next(const struct definition_counts *counts, enum definition_kind kind)
{
	return (uint32_t)(counts->of[kind] % UINT32_MAX) + 1;
}

uint64_t definition_age(const struct definition_counts *counts, enum definition_kind kind,
			uint32_t number)
{
	uint64_t count = counts->of[kind], age;
	uint32_t latest = (uint32_t)((count - 1) % UINT32_MAX) + 1;

	if (!count || !number)
		return UINT64_MAX;
	age = latest >= number ? latest - number : UINT32_MAX - (uint64_t)number + latest;
	return age < count ? age : UINT64_MAX;
}

static bool is_defined(const struct definition_counts *counts, uint32_t function)
{
	return definition_age(counts, DEFINE_FUNCTION, function) < DEFINE_FUNCTIONS_MAX;
}

const char *definition_fault(const struct definition_counts *counts,
			     const struct definition *definition)
{
	if ((unsigned int)definition->kind >= DEFINE_KINDS)
		return "a definition is of no kind";
	if (definition->id != definition_next(counts, definition->kind))
		return "a definition's number is not the next of its kind";
	if (definition->kind == DEFINE_SOURCE && !is_defined(counts, definition->source.function))
		return "a line of source is of a function that is not defined";
	if (definition->kind != DEFINE_STACK)
		return NULL;
	if (!definition->stack.count || definition->stack.count > DEFINE_FRAMES_MAX)
		return "a stack has no frames or too many";
	for (uint32_t i = 0; i < definition->stack.count; i++)
		if (definition->stack.frames[i].function &&
		    !is_defined(counts, definition->stack.frames[i].function))
			return "a stack names a function that is not defined";
	return NULL;
}

size_t definition_text_length(const char *text)
{
	return strnlen(text, DEFINE_TEXT_MAX - 1);
}
