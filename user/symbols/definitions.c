/* SPDX-License-Identifier: MIT */
#include "symbols/symbols_internal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct interned {
	uint32_t id;
	UT_hash_handle hh;
	unsigned char content[];
};

static const uint32_t limits[DEFINE_KINDS] = {
	[DEFINE_FUNCTION] = DEFINE_FUNCTIONS_MAX,
	[DEFINE_STACK] = DEFINE_STACKS_MAX,
	[DEFINE_TEXT] = DEFINE_TEXTS_MAX,
	[DEFINE_SOURCE] = DEFINE_SOURCES_MAX,
};

void definitions_done(struct definitions *definitions)
{
	for (int kind = 0; kind < DEFINE_KINDS; kind++) {
		struct interned *entry, *next;

		HASH_ITER(hh, definitions->known[kind], entry, next)
		{
			HASH_DEL(definitions->known[kind], entry);
			free(entry);
		}
	}
	table_done(&definitions->sources);
}

uint32_t definitions_count(const struct definitions *definitions, enum definition_kind kind)
{
	return HASH_COUNT(definitions->known[kind]);
}

/* Gives the definition the id of an equal one, else the next id, unless there are `most` of its
 * kind. */
static int intern_up_to(struct definitions *definitions, const void *content, uint32_t length,
			uint32_t most, struct definition *definition)
{
	struct interned **known = &definitions->known[definition->kind], *entry;
	int err;

	HASH_FIND(hh, *known, content, length, entry);
	definition->id = entry ? entry->id : 0;
	if (entry || HASH_COUNT(*known) >= most)
		return 0;
	entry = malloc(sizeof(*entry) + length);
	if (!entry)
		return -ENOMEM;
	memcpy(entry->content, content, length);
	entry->id = definition->id = HASH_COUNT(*known) + 1;
	HASH_ADD(hh, *known, content, length, entry);
	if (HASH_FAILED(entry)) {
		free(entry);
		return -ENOMEM;
	}
	err = sink_define(&definitions->sink, definition);
	if (err) {
		HASH_DEL(*known, entry);
		free(entry);
		return err;
	}
	definitions->bytes += sizeof(*entry) + length;
	return 0;
}

static int intern(struct definitions *definitions, const void *content, uint32_t length,
		  struct definition *definition)
{
	return intern_up_to(definitions, content, length, limits[definition->kind], definition);
}

int definitions_function(struct definitions *definitions, const char *name, const char *file,
			 uint32_t line, uint32_t *ret_id)
{
	struct definition definition = {.kind = DEFINE_FUNCTION,
					.function = {.name = name, .file = file, .line = line}};
	char content[sizeof(line) + 2 * DEFINE_TEXT_MAX];
	size_t name_size = strnlen(name, DEFINE_TEXT_MAX - 1) + 1,
	       file_size = strnlen(file, DEFINE_TEXT_MAX - 1);
	int err;

	memcpy(content, &line, sizeof(line));
	memcpy(content + sizeof(line), name, name_size);
	memcpy(content + sizeof(line) + name_size, file, file_size);
	err = intern(definitions, content, (uint32_t)(sizeof(line) + name_size + file_size),
		     &definition);
	if (!err)
		*ret_id = definition.id;
	return err;
}

int definitions_stack(struct definitions *definitions, const struct stack_frame *frames,
		      uint32_t count, bool cut, uint32_t *ret_id)
{
	struct definition definition = {.kind = DEFINE_STACK,
					.stack = {.frames = frames, .count = count, .cut = cut}};
	struct stack_frame content[DEFINE_FRAMES_MAX + 1];
	int err;

	memcpy(content, frames, count * sizeof(*frames));
	/* not a function: `cut` is part of the content */
	content[count] = (struct stack_frame){.function = UINT32_MAX};
	err = intern(definitions, content, (count + cut) * (uint32_t)sizeof(*frames), &definition);
	if (!err)
		*ret_id = definition.id;
	return err;
}

int definitions_text(struct definitions *definitions, const char *text, uint32_t most,
		     uint32_t *ret_id)
{
	struct definition definition = {.kind = DEFINE_TEXT, .text = text};
	int err = intern_up_to(definitions, text, (uint32_t)strnlen(text, DEFINE_TEXT_MAX - 1),
			       most, &definition);

	if (!err)
		*ret_id = definition.id;
	return err;
}

int definitions_source(struct definitions *definitions, uint32_t function, uint32_t line,
		       const char *text)
{
	struct definition definition = {
		.kind = DEFINE_SOURCE,
		.source = {.function = function, .line = line, .text = text}};
	struct told_place place = {function, line};
	char content[sizeof(place) + DEFINE_TEXT_MAX] = {0}; /* hashed as a whole */
	bool first = !table_find(&definitions->sources, &place, sizeof(place),
				 table_hash(&place, sizeof(place)));
	struct told *told;
	int err = told_get(&definitions->sources, &place, &told);

	if (err)
		return err == -ENOSPC ? 0 : err;
	memcpy(content, &place, sizeof(place));
	strncpy(content + sizeof(place), text, DEFINE_TEXT_MAX - 1);
	if (first)
		told->hash = table_hash(content, sizeof(content));
	else if (told->hash != table_hash(content, sizeof(content)))
		definition.source.text = "";
	else
		return 0;
	if (first && !*text)
		return 0;
	return intern(definitions, content,
		      (uint32_t)(sizeof(place) + strlen(definition.source.text)), &definition);
}
