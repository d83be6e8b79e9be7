/* SPDX-License-Identifier: MIT */
#include "symbols/symbols_internal.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

int definitions_begin(struct definitions *definitions, struct stream_sink sink)
{
	struct dictionary *dictionary = dictionary_new();

	if (!dictionary)
		return -ENOMEM;
	definitions->issue = (struct issue){.dictionary = dictionary, .to = sink};
	return dictionary_forgets(dictionary, (struct dictionary_user){0});
}

void definitions_done(struct definitions *definitions)
{
	dictionary_free(definitions->issue.dictionary);
	issue_done(&definitions->issue);
}

uint64_t definitions_made(const struct definitions *definitions, enum definition_kind kind)
{
	return dictionary_made(definitions->issue.dictionary, kind);
}

bool definitions_has(const struct definitions *definitions, enum definition_kind kind, uint32_t id)
{
	return !id || dictionary_find(definitions->issue.dictionary, kind, id);
}

int definitions_number(struct definitions *definitions, enum definition_kind kind, uint32_t id,
		       uint32_t *ret_number)
{
	return issue_number(&definitions->issue, kind, id, ret_number);
}

/* Defines it at once. */
static int intern(struct definitions *definitions, const struct definition *definition,
		  uint32_t *ret_id)
{
	int err = dictionary_intern(definitions->issue.dictionary, definition, ret_id);
	uint32_t number;

	return err ? err : definitions_number(definitions, definition->kind, *ret_id, &number);
}

int definitions_function(struct definitions *definitions, const char *name, const char *file,
			 uint32_t line, uint32_t *ret_id)
{
	return intern(definitions,
		      &(struct definition){.kind = DEFINE_FUNCTION,
					   .function = {.name = name, .file = file, .line = line}},
		      ret_id);
}

int definitions_stack(struct definitions *definitions, const struct stack_frame *frames,
		      uint32_t count, bool cut, uint32_t *ret_id)
{
	return intern(definitions,
		      &(struct definition){.kind = DEFINE_STACK,
					   .stack = {.frames = frames, .count = count, .cut = cut}},
		      ret_id);
}

int definitions_text(struct definitions *definitions, const char *text, uint32_t *ret_id)
{
	return intern(definitions, &(struct definition){.kind = DEFINE_TEXT, .text = text}, ret_id);
}

/* NULL: nothing has been said of it yet. */
static const struct definition *find_source(const struct definitions *definitions,
					    uint32_t function, uint32_t line)
{
	const struct definition *source = NULL;

	while ((source = dictionary_next_source(definitions->issue.dictionary, function, source)))
		if (source->source.line == line)
			break;
	return source;
}

int definitions_source(struct definitions *definitions, uint32_t function, uint32_t line,
		       const char *text)
{
	const struct definition *known = find_source(definitions, function, line);
	struct definition definition = {
		.kind = DEFINE_SOURCE,
		.source = {.function = function, .line = line, .text = known ? "" : text}};
	uint32_t id;
	int err;

	if (known && (!strcmp(known->source.text, text) || !known->source.text[0]))
		return 0;
	err = dictionary_intern(definitions->issue.dictionary, &definition, &id);
	return err || (!known && !*text) ? err : issue_source(&definitions->issue, function, line);
}
