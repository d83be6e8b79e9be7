/* SPDX-License-Identifier: MIT */
#include "stream/names/dictionary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream/names/references.h"
#include "stream/names/store.h"

_Static_assert(DEFINE_FUNCTIONS_MAX < 1u << 19 && DEFINE_STACKS_MAX < 1u << 17 &&
		       DEFINE_TEXTS_MAX < 1u << 17 && DEFINE_SOURCES_MAX < 1u << 15,
	       "place_mask()");

struct dictionary *dictionary_new(void)
{
	return calloc(1, sizeof(struct dictionary));
}

/* ── content ─────────────────────────────────────────────────────────────── */

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length)
{
	const char *at = bytes;

	for (; length; at += 8) {
		size_t step = length < 8 ? length : 8;
		uint64_t word = 0;

		memcpy(&word, at, step);
		hash = (hash ^ word ^ length) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
		length -= step;
	}
	return hash;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
	return hash_bytes(hash + 1, text, definition_text_length(text));
}

static uint32_t hash_content(const struct definition *definition)
{
	uint64_t hash = definition->kind;

	switch (definition->kind) {
	case DEFINE_FUNCTION:
		hash = hash_bytes(hash, &definition->function.line, sizeof(uint32_t));
		hash = hash_text(hash_text(hash, definition->function.name),
				 definition->function.file);
		break;
	case DEFINE_STACK:
		hash = hash_bytes(hash + definition->stack.cut, definition->stack.frames,
				  definition->stack.count * sizeof(struct stack_frame));
		break;
	case DEFINE_TEXT:
		hash = hash_text(hash, definition->text);
		break;
	case DEFINE_SOURCE:
		hash = hash_bytes(hash, &definition->source.function, sizeof(uint32_t));
		hash = hash_bytes(hash, &definition->source.line, sizeof(uint32_t));
		break;
	case DEFINE_KINDS:
		break;
	}
	return (uint32_t)(hash ^ hash >> 32);
}

/* `stored` is terminated, the other one perhaps too long. */
static bool same_text(const char *stored, const char *text)
{
	return !strncmp(stored, text, DEFINE_TEXT_MAX - 1);
}

static bool same_content(const struct definition *stored, const struct definition *other)
{
	switch (stored->kind) {
	case DEFINE_FUNCTION:
		return stored->function.line == other->function.line &&
		       same_text(stored->function.name, other->function.name) &&
		       same_text(stored->function.file, other->function.file);
	case DEFINE_STACK:
		return stored->stack.count == other->stack.count &&
		       stored->stack.cut == other->stack.cut &&
		       !memcmp(stored->stack.frames, other->stack.frames,
			       stored->stack.count * sizeof(struct stack_frame));
	case DEFINE_TEXT:
		return same_text(stored->text, other->text);
	case DEFINE_SOURCE:
		return stored->source.function == other->source.function &&
		       stored->source.line == other->source.line;
	case DEFINE_KINDS:
		break;
	}
	return false;
}

static size_t text_size(const char *text)
{
	return definition_text_length(text) + 1;
}

/* Bytes behind the entry that a copy needs. */
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
	case DEFINE_KINDS:
		break;
	}
	return 0;
}

void entry_free(struct dictionary *dictionary, struct dictionary_entry *entry)
{
	const struct definition *definition = &entry->definition;

	dictionary->bytes -= sizeof(*entry) + tail_size(definition);
	if (definition->kind == DEFINE_SOURCE)
		free((char *)definition->source.text);
	free(entry);
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

static struct dictionary_entry *entry_new(const struct definition *definition)
{
	size_t tail = tail_size(definition);
	struct dictionary_entry *entry = calloc(1, sizeof(*entry) + tail);
	struct definition *copy;
	char *to = (char *)(entry + 1);

	if (!entry)
		return NULL;
	copy = &entry->definition;
	*copy = *definition;
	if (copy->kind == DEFINE_FUNCTION) {
		copy->function.name = copy_text(&to, definition->function.name);
		copy->function.file = copy_text(&to, definition->function.file);
	} else if (copy->kind == DEFINE_STACK) {
		memcpy(to, definition->stack.frames, tail);
		copy->stack.frames = (const struct stack_frame *)to;
	} else if (copy->kind == DEFINE_TEXT) {
		copy->text = copy_text(&to, definition->text);
	} else {
		copy->source.text = strndup(definition->source.text, DEFINE_TEXT_MAX - 1);
	}
	if (copy->kind != DEFINE_SOURCE || copy->source.text)
		return entry;
	free(entry);
	return NULL;
}

/* ── shelves ─────────────────────────────────────────────────────────────── */

void shelf_index(struct shelf *shelf, uint32_t place)
{
	uint32_t mask = shelf->index_room - 1, at = shelf->items[place]->hash & mask;

	while (shelf->index[at])
		at = (at + 1) & mask;
	shelf->index[at] = place;
}

static struct dictionary_entry *shelf_find(const struct shelf *shelf,
					   const struct definition *definition, uint32_t hash)
{
	uint32_t mask = shelf->index_room - 1, place;

	if (!shelf->count)
		return NULL;
	for (uint32_t at = hash & mask; (place = shelf->index[at]); at = (at + 1) & mask) {
		struct dictionary_entry *entry = shelf->items[place];

		if (entry->hash == hash && same_content(&entry->definition, definition))
			return entry;
	}
	return NULL;
}

static bool grow_list(uint32_t **list, uint32_t room)
{
	uint32_t *grown = reallocarray(*list, room, sizeof(*grown));

	if (grown)
		*list = grown;
	return grown != NULL;
}

/* Room for one more, in all lists. 0 or -ENOMEM. */
static int shelf_reserve(struct dictionary *dictionary, struct shelf *shelf)
{
	uint32_t room = shelf->room ? shelf->room * 2 : 64, *index;
	struct dictionary_entry **items;

	if (shelf->vacant_count || shelf->top + 1 < shelf->room)
		return 0;
	items = reallocarray(shelf->items, room, sizeof(struct dictionary_entry *));
	if (!items)
		return -ENOMEM;
	shelf->items = items;
	index = calloc(room * 2, sizeof(*index));
	if (!index || !grow_list(&shelf->ids, room) || !grow_list(&shelf->vacant, room)) {
		free(index);
		return -ENOMEM;
	}
	free(shelf->index);
	shelf->index = index;
	shelf->index_room = room * 2;
	for (uint32_t place = 1; place <= shelf->top; place++)
		shelf_index(shelf, place);
	dictionary->bytes += (room - shelf->room) *
			     (sizeof(struct dictionary_entry *) + 4 * sizeof(uint32_t));
	shelf->room = room;
	return 0;
}

/* There is room. */
static void shelf_put(struct shelf *shelf, struct dictionary_entry *entry)
{
	uint32_t place;

	if (shelf->vacant_count) {
		place = shelf->vacant[--shelf->vacant_count];
	} else {
		place = ++shelf->top;
		shelf->ids[place] = place;
	}
	entry->definition.id = shelf->ids[place];
	shelf->items[place] = entry;
	shelf->count++;
	shelf->made++;
	shelf_index(shelf, place);
}

/* ── by content ──────────────────────────────────────────────────────────── */

static int replace_source(struct dictionary_entry *entry, const struct definition *definition)
{
	char *text = strndup(definition->source.text, DEFINE_TEXT_MAX - 1);

	if (!text)
		return -ENOMEM;
	free((char *)entry->definition.source.text);
	entry->definition.source.text = text;
	return 0;
}

/* What an entry refers to. */
static void link_entry(struct dictionary *dictionary, struct dictionary_entry *entry)
{
	const struct definition *definition = &entry->definition;
	struct dictionary_entry *function;

	for (uint32_t i = 0; definition->kind == DEFINE_STACK && i < definition->stack.count; i++) {
		function = entry_of_id(dictionary, DEFINE_FUNCTION,
				       definition->stack.frames[i].function);
		if (function)
			function->users++;
	}
	if (definition->kind != DEFINE_SOURCE)
		return;
	function = entry_of_id(dictionary, DEFINE_FUNCTION, definition->source.function);
	entry->sources = function->sources;
	function->sources = definition->id & place_mask(DEFINE_SOURCE);
}

static int add_entry(struct dictionary *dictionary, const struct definition *definition,
		     uint32_t hash, uint32_t *ret_id)
{
	struct shelf *shelf = &dictionary->shelves[definition->kind];
	struct dictionary_entry *entry;

	*ret_id = 0;
	if (shelf->count == definition_limit(definition->kind) &&
	    !dictionary_make_room(dictionary, definition->kind)) {
		shelf->refused++;
		return 0;
	}
	if (shelf_reserve(dictionary, shelf) < 0)
		return -ENOMEM;
	entry = entry_new(definition);
	if (!entry)
		return -ENOMEM;
	entry->hash = hash;
	entry->used = dictionary->now;
	shelf_put(shelf, entry);
	link_entry(dictionary, entry);
	dictionary->bytes += sizeof(*entry) + tail_size(definition);
	*ret_id = entry->definition.id;
	return 0;
}

static int intern_known(struct dictionary *dictionary, const struct definition *definition,
			uint32_t *ret_id)
{
	uint32_t hash = hash_content(definition);
	struct dictionary_entry *entry = shelf_find(&dictionary->shelves[definition->kind],
						    definition, hash);

	if (!entry)
		return add_entry(dictionary, definition, hash, ret_id);
	entry->used = dictionary->now;
	*ret_id = entry->definition.id;
	return definition->kind == DEFINE_SOURCE ? replace_source(entry, definition) : 0;
}

/* A function that it names may have been forgotten by now. */
int dictionary_intern(struct dictionary *dictionary, const struct definition *definition,
		      uint32_t *ret_id)
{
	struct stack_frame frames[DEFINE_FRAMES_MAX];
	struct definition known = *definition;

	dictionary->now++;
	*ret_id = 0;
	if (definition->kind == DEFINE_SOURCE &&
	    !dictionary_find(dictionary, DEFINE_FUNCTION, definition->source.function))
		return 0;
	if (definition->kind != DEFINE_STACK)
		return intern_known(dictionary, definition, ret_id);
	memcpy(frames, definition->stack.frames, definition->stack.count * sizeof(*frames));
	for (uint32_t i = 0; i < definition->stack.count; i++)
		if (!dictionary_find(dictionary, DEFINE_FUNCTION, frames[i].function))
			frames[i].function = 0;
	known.stack.frames = frames;
	return intern_known(dictionary, &known, ret_id);
}

/* ── of a stream ─────────────────────────────────────────────────────────── */

/* Enough for all numbers that may be used, and a power of two, so that numbers may begin anew. */
static uint32_t number_room_max(enum definition_kind kind)
{
	uint32_t room = 256;

	while (room < definition_limit(kind))
		room *= 2;
	return room;
}

static int note_number(struct shelf *shelf, enum definition_kind kind, uint32_t number, uint32_t id)
{
	uint32_t room = shelf->number_room ? shelf->number_room : 256;

	while (room <= number && room < number_room_max(kind))
		room *= 2;
	if (room != shelf->number_room) {
		if (!grow_list(&shelf->numbers, room))
			return -ENOMEM;
		memset(shelf->numbers + shelf->number_room, 0,
		       (room - shelf->number_room) * sizeof(*shelf->numbers));
		shelf->number_room = room;
	}
	shelf->numbers[number & (room - 1)] = id;
	return 0;
}

uint32_t dictionary_id(const struct dictionary *dictionary, enum definition_kind kind,
		       uint32_t number)
{
	const struct shelf *shelf = &dictionary->shelves[kind];
	uint32_t id;

	if (!shelf->number_room ||
	    definition_age(&dictionary->counts, kind, number) >= definition_limit(kind))
		return 0;
	id = shelf->numbers[number & (shelf->number_room - 1)];
	return entry_of_id(dictionary, kind, id) ? id : 0;
}

int dictionary_define(struct dictionary *dictionary, const struct definition *definition)
{
	struct stack_frame frames[DEFINE_FRAMES_MAX];
	struct definition by_id = *definition;
	uint32_t id;
	int err;

	if (definition_fault(&dictionary->counts, definition))
		return -EBADMSG;
	if (definition->kind == DEFINE_STACK) {
		for (uint32_t i = 0; i < definition->stack.count; i++)
			frames[i] = (struct stack_frame){
				dictionary_id(dictionary, DEFINE_FUNCTION,
					      definition->stack.frames[i].function),
				definition->stack.frames[i].line};
		by_id.stack.frames = frames;
	} else if (definition->kind == DEFINE_SOURCE) {
		by_id.source.function = dictionary_id(dictionary, DEFINE_FUNCTION,
						      definition->source.function);
	}
	err = dictionary_intern(dictionary, &by_id, &id);
	if (!err && definition->kind != DEFINE_SOURCE)
		err = note_number(&dictionary->shelves[definition->kind], definition->kind,
				  definition->id, id);
	if (!err)
		dictionary->counts.of[definition->kind]++;
	return err;
}

const union event *dictionary_translate(struct dictionary *dictionary, const union event *event,
					union event *copy)
{
	struct reference references[REFERENCES_MAX];
	uint32_t count = event_references(event, references);

	if (!count)
		return event;
	*copy = *event;
	dictionary->now++;
	for (uint32_t i = 0; i < count; i++) {
		enum definition_kind kind = references[i].kind;
		uint32_t id = dictionary_id(dictionary, kind, reference_get(copy, &references[i]));

		dictionary_use(dictionary, kind, id);
		reference_set(copy, &references[i], id);
	}
	return copy;
}

static int take_definition(void *ctx, const struct definition *definition)
{
	return dictionary_define(ctx, definition);
}

struct stream_sink dictionary_sink(struct dictionary *dictionary)
{
	return (struct stream_sink){.define = take_definition, .ctx = dictionary};
}

/* ── by id ───────────────────────────────────────────────────────────────── */

const struct definition *dictionary_find(const struct dictionary *dictionary,
					 enum definition_kind kind, uint32_t id)
{
	const struct dictionary_entry *entry = entry_of_id(dictionary, kind, id);

	return entry ? &entry->definition : NULL;
}

uint32_t dictionary_place(enum definition_kind kind, uint32_t id)
{
	return id & place_mask(kind);
}

const char *dictionary_source(const struct dictionary *dictionary, uint32_t function, uint32_t line)
{
	const struct definition key = {.kind = DEFINE_SOURCE,
				       .source = {.function = function, .line = line}};
	const struct dictionary_entry *entry = shelf_find(&dictionary->shelves[DEFINE_SOURCE], &key,
							  hash_content(&key));

	return entry && entry->definition.source.text[0] ? entry->definition.source.text : NULL;
}

const struct definition *dictionary_next_source(const struct dictionary *dictionary,
						uint32_t function, const struct definition *source)
{
	const struct dictionary_entry *entry =
		source ? entry_of_id(dictionary, DEFINE_SOURCE, source->id)
		       : entry_of_id(dictionary, DEFINE_FUNCTION, function);

	if (!entry || !entry->sources)
		return NULL;
	return &dictionary->shelves[DEFINE_SOURCE].items[entry->sources]->definition;
}

uint32_t dictionary_count(const struct dictionary *dictionary, enum definition_kind kind)
{
	return dictionary->shelves[kind].count;
}

uint64_t dictionary_made(const struct dictionary *dictionary, enum definition_kind kind)
{
	return dictionary->shelves[kind].made;
}

uint64_t dictionary_refused(const struct dictionary *dictionary, enum definition_kind kind)
{
	return dictionary->shelves[kind].refused;
}

uint64_t dictionary_bytes(const struct dictionary *dictionary)
{
	return dictionary->bytes;
}

uint64_t dictionary_now(const struct dictionary *dictionary)
{
	return dictionary->now;
}

void dictionary_use(struct dictionary *dictionary, enum definition_kind kind, uint32_t id)
{
	struct dictionary_entry *entry = entry_of_id(dictionary, kind, id);

	if (entry)
		entry->used = dictionary->now;
}

/* ── the end ─────────────────────────────────────────────────────────────── */

void dictionary_free(struct dictionary *dictionary)
{
	if (!dictionary)
		return;
	for (int kind = 0; kind < DEFINE_KINDS; kind++) {
		struct shelf *shelf = &dictionary->shelves[kind];

		for (uint32_t place = 1; place <= shelf->top; place++)
			if (shelf->items[place])
				entry_free(dictionary, shelf->items[place]);
		free(shelf->items);
		free(shelf->ids);
		free(shelf->vacant);
		free(shelf->index);
		free(shelf->numbers);
	}
	free(dictionary->users);
	free(dictionary);
}
