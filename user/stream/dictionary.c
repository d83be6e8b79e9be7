/* SPDX-License-Identifier: MIT */
#include "stream/dictionary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "stream/definition.h"

struct shelf {
	struct definition **items; /* of ids 1, 2, … */
	uint32_t room;
};

/* A line of source. */
struct known_source {
	struct source_key {
		uint32_t function, line;
	} key;
	uint32_t source; /* the latest definition */
};
TABLE_OF(known_source, struct known_source, key)

struct dictionary {
	struct definition_counts counts;
	struct shelf shelves[DEFINE_KINDS];
	struct table places;
	uint64_t bytes;
};

struct dictionary *dictionary_new(void)
{
	struct dictionary *dictionary = calloc(1, sizeof(*dictionary));

	if (dictionary)
		dictionary->places = TABLE(struct known_source, DEFINE_SOURCES_MAX);
	return dictionary;
}

void dictionary_free(struct dictionary *dictionary)
{
	if (!dictionary)
		return;
	for (int kind = 0; kind < DEFINE_KINDS; kind++) {
		struct shelf *shelf = &dictionary->shelves[kind];

		for (uint32_t i = 0; i < dictionary->counts.of[kind]; i++)
			free(shelf->items[i]);
		free(shelf->items);
	}
	table_done(&dictionary->places);
	free(dictionary);
}

static size_t text_size(const char *text)
{
	return definition_text_length(text) + 1;
}

/* Bytes behind the struct that a copy needs. */
static size_t tail_size(const struct definition *definition)
{
	switch (definition->kind) {
	case DEFINE_FUNCTION:
		return text_size(definition->function.name) + text_size(definition->function.file);
	case DEFINE_STACK:
		return definition->stack.count * sizeof(struct stack_frame);
	case DEFINE_TEXT:
		return text_size(definition->text);
	case DEFINE_SOURCE:
		return text_size(definition->source.text);
	case DEFINE_KINDS:
		break;
	}
	return 0;
}

static const char *copy_text(char **tail, const char *text)
{
	size_t size = text_size(text);
	char *copy = *tail;

	memcpy(copy, text, size - 1);
	copy[size - 1] = '\0';
	*tail += size;
	return copy;
}

static struct definition *copy_of(const struct definition *definition, size_t tail)
{
	struct definition *copy = malloc(sizeof(*copy) + tail);
	char *to = (char *)(copy + 1);

	if (!copy)
		return NULL;
	*copy = *definition;
	if (definition->kind == DEFINE_FUNCTION) {
		copy->function.name = copy_text(&to, definition->function.name);
		copy->function.file = copy_text(&to, definition->function.file);
	} else if (definition->kind == DEFINE_STACK) {
		memcpy(to, definition->stack.frames, tail);
		copy->stack.frames = (const struct stack_frame *)to;
	} else if (definition->kind == DEFINE_SOURCE) {
		copy->source.text = copy_text(&to, definition->source.text);
	} else {
		copy->text = copy_text(&to, definition->text);
	}
	return copy;
}

static int note_place(struct dictionary *dictionary, const struct definition *definition)
{
	struct source_key key = {definition->source.function, definition->source.line};
	struct known_source *known;
	int err = known_source_get(&dictionary->places, &key, &known);

	if (!err)
		known->source = definition->id;
	return err;
}

int dictionary_define(struct dictionary *dictionary, const struct definition *definition)
{
	struct shelf *shelf;
	uint32_t *count;
	size_t tail;

	if (definition_fault(&dictionary->counts, definition))
		return -EBADMSG;
	shelf = &dictionary->shelves[definition->kind];
	count = &dictionary->counts.of[definition->kind];
	if (*count == shelf->room) {
		uint32_t room = shelf->room ? shelf->room * 2 : 64;
		struct definition **items = reallocarray(shelf->items, room, sizeof(*items));

		if (!items)
			return -ENOMEM;
		dictionary->bytes += (room - shelf->room) * sizeof(*items);
		shelf->items = items;
		shelf->room = room;
	}
	tail = tail_size(definition);
	shelf->items[*count] = copy_of(definition, tail);
	if (!shelf->items[*count])
		return -ENOMEM;
	++*count;
	dictionary->bytes += sizeof(*definition) + tail;
	return definition->kind == DEFINE_SOURCE ? note_place(dictionary, definition) : 0;
}

const char *dictionary_source(const struct dictionary *dictionary, uint32_t function, uint32_t line)
{
	struct source_key key = {function, line};
	const struct known_source *known = table_find(&dictionary->places, &key, sizeof(key),
						      table_hash(&key, sizeof(key)));
	const struct definition *source = known ? dictionary_find(dictionary, DEFINE_SOURCE,
								  known->source)
						: NULL;

	return source && source->source.text[0] ? source->source.text : NULL;
}

const struct definition *dictionary_find(const struct dictionary *dictionary,
					 enum definition_kind kind, uint32_t id)
{
	return id && id <= dictionary->counts.of[kind] ? dictionary->shelves[kind].items[id - 1]
						       : NULL;
}

uint32_t dictionary_count(const struct dictionary *dictionary, enum definition_kind kind)
{
	return dictionary->counts.of[kind];
}

uint64_t dictionary_bytes(const struct dictionary *dictionary)
{
	return dictionary->bytes;
}

static int take_definition(void *ctx, const struct definition *definition)
{
	return dictionary_define(ctx, definition);
}

struct stream_sink dictionary_sink(struct dictionary *dictionary)
{
	return (struct stream_sink){.define = take_definition, .ctx = dictionary};
}
