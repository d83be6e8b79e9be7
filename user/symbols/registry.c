/* SPDX-License-Identifier: MIT */
#include "symbols/private.h"

#include <errno.h>
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
};

void registry_done(struct registry *registry)
{
	for (int kind = 0; kind < DEFINE_KINDS; kind++) {
		struct interned *entry, *next;

		HASH_ITER(hh, registry->known[kind], entry, next)
		{
			HASH_DEL(registry->known[kind], entry);
			free(entry);
		}
	}
}

uint32_t registry_count(const struct registry *registry, enum definition_kind kind)
{
	return HASH_COUNT(registry->known[kind]);
}

/* Gives the definition the id of the same content, or the next one. */
static int intern(struct registry *registry, const void *content, uint32_t length,
		  struct definition *definition)
{
	struct interned **known = &registry->known[definition->kind], *entry;
	int err;

	HASH_FIND(hh, *known, content, length, entry);
	definition->id = entry ? entry->id : 0;
	if (entry || HASH_COUNT(*known) == limits[definition->kind])
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
	err = sink_define(&registry->sink, definition);
	if (err) {
		HASH_DEL(*known, entry);
		free(entry);
		return err;
	}
	registry->bytes += sizeof(*entry) + length;
	return 0;
}

int registry_function(struct registry *registry, const char *name, const char *file, uint32_t line,
		      uint32_t *ret_id)
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
	err = intern(registry, content, (uint32_t)(sizeof(line) + name_size + file_size),
		     &definition);
	if (!err)
		*ret_id = definition.id;
	return err;
}

int registry_stack(struct registry *registry, const struct stack_frame *frames, uint32_t count,
		   bool cut, uint32_t *ret_id)
{
	struct definition definition = {.kind = DEFINE_STACK,
					.stack = {.frames = frames, .count = count, .cut = cut}};
	struct stack_frame content[DEFINE_FRAMES_MAX + 1];
	int err;

	memcpy(content, frames, count * sizeof(*frames));
	/* no function's: whether it is cut is part of the content */
	content[count] = (struct stack_frame){.function = UINT32_MAX};
	err = intern(registry, content, (count + cut) * (uint32_t)sizeof(*frames), &definition);
	if (!err)
		*ret_id = definition.id;
	return err;
}

int registry_text(struct registry *registry, const char *text, uint32_t *ret_id)
{
	struct definition definition = {.kind = DEFINE_TEXT, .text = text};
	int err = intern(registry, text, (uint32_t)strnlen(text, DEFINE_TEXT_MAX - 1), &definition);

	if (!err)
		*ret_id = definition.id;
	return err;
}
