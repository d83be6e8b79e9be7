/* SPDX-License-Identifier: MIT */
/* forget.c - what leaves a dictionary that is full: what nobody keeps, the least recently used
 * first. */
#include "stream/names/dictionary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream/names/store.h"

#define SHARE 4	   /* one of so many is forgotten at a time, so that it is rare */
#define FRESH 1024 /* uses ago: it may be a function whose stack is about to come */
#define LEAST 16   /* one of so many refused before it is tried again: trying takes time, too */

int dictionary_forgets(struct dictionary *dictionary, struct dictionary_user user)
{
	struct dictionary_user *users = reallocarray(dictionary->users, dictionary->user_count + 1,
						     sizeof(*users));

	if (!users)
		return -ENOMEM;
	dictionary->users = users;
	users[dictionary->user_count++] = user;
	return 0;
}

/* ── what stays ──────────────────────────────────────────────────────────── */

void dictionary_keep(struct dictionary *dictionary, enum definition_kind kind, uint32_t id)
{
	struct dictionary_entry *entry = entry_of_id(dictionary, kind, id);

	if (entry)
		entry->keep = true;
}

static void keep_visited(void *ctx, enum definition_kind kind, uint32_t id)
{
	dictionary_keep(ctx, kind, id);
}

struct definition_visit dictionary_keeping(struct dictionary *dictionary)
{
	return (struct definition_visit){.one = keep_visited, .ctx = dictionary};
}

void dictionary_keep_used(struct dictionary *dictionary, uint64_t since)
{
	for (int kind = 0; kind < DEFINE_KINDS; kind++) {
		struct shelf *shelf = &dictionary->shelves[kind];

		for (uint32_t place = 1; place <= shelf->top; place++)
			if (shelf->items[place] && shelf->items[place]->used >= since)
				shelf->items[place]->keep = true;
	}
}

bool dictionary_forgotten(const struct dictionary *dictionary, enum definition_kind kind,
			  uint32_t id)
{
	const struct dictionary_entry *entry = entry_of_id(dictionary, kind, id);

	return entry && entry->forgotten;
}

/* ── what goes ───────────────────────────────────────────────────────────── */

/* A line of source is as recent as its function. */
static uint64_t last_use(const struct dictionary *dictionary, const struct dictionary_entry *entry)
{
	const struct definition *definition = &entry->definition;

	return definition->kind == DEFINE_SOURCE
		       ? entry_of_id(dictionary, DEFINE_FUNCTION, definition->source.function)->used
		       : entry->used;
}

/* … if it was not used after `last`. */
static bool may_go(const struct dictionary *dictionary, const struct dictionary_entry *entry,
		   uint64_t last)
{
	if (!entry || entry->keep || entry->users || entry->forgotten)
		return false;
	return last_use(dictionary, entry) <= last &&
	       last_use(dictionary, entry) + FRESH < dictionary->now;
}

static int by_time(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void release_functions(struct dictionary *dictionary, const struct definition *stack)
{
	for (uint32_t i = 0; i < stack->stack.count; i++) {
		struct dictionary_entry *function = entry_of_id(dictionary, DEFINE_FUNCTION,
								stack->stack.frames[i].function);

		if (function)
			function->users--;
	}
}

static void forget_entry(struct dictionary *dictionary, struct dictionary_entry *entry)
{
	const struct definition *definition = &entry->definition;
	uint32_t place = definition->kind == DEFINE_FUNCTION ? entry->sources : 0;

	entry->forgotten = true;
	if (definition->kind == DEFINE_STACK)
		release_functions(dictionary, definition);
	while (place) {
		struct dictionary_entry *source = dictionary->shelves[DEFINE_SOURCE].items[place];

		source->forgotten = true;
		place = source->sources;
	}
}

/* Marks `count` of the kind, or as many as there are that were last used at *last or before, as
 * forgotten. *last: when the latest of them was; it stays when there is none. Returns how many; 0
 * also when memory is short. */
static uint32_t choose(struct dictionary *dictionary, enum definition_kind kind, uint32_t count,
		       uint64_t *last)
{
	struct shelf *shelf = &dictionary->shelves[kind];
	uint64_t *times = reallocarray(NULL, shelf->count + 1, sizeof(*times));
	uint32_t candidates = 0, forgotten = 0;

	if (!times)
		return 0;
	for (uint32_t place = 1; place <= shelf->top; place++)
		if (may_go(dictionary, shelf->items[place], *last))
			times[candidates++] = last_use(dictionary, shelf->items[place]);
	qsort(times, candidates, sizeof(*times), by_time);
	if (count && candidates) {
		*last = times[(candidates > count ? count : candidates) - 1];
		for (uint32_t place = 1; place <= shelf->top; place++)
			if (may_go(dictionary, shelf->items[place], *last)) {
				forget_entry(dictionary, shelf->items[place]);
				forgotten++;
			}
	}
	free(times);
	return forgotten;
}

/* Most functions are in stacks. Those that are not, but were used since the stacks that go now
 * were, stay, unless that helps nothing. */
static void choose_functions(struct dictionary *dictionary, uint32_t count)
{
	const uint32_t stacks = dictionary->shelves[DEFINE_STACK].count / SHARE;
	uint64_t last = UINT64_MAX, any = UINT64_MAX;

	choose(dictionary, DEFINE_STACK, stacks, &last);
	if (!choose(dictionary, DEFINE_FUNCTION, count, &last))
		choose(dictionary, DEFINE_FUNCTION, count, &any);
}

/* ── cleaning up ─────────────────────────────────────────────────────────── */

/* Lines of source whose function stays. */
static void link_sources(struct dictionary *dictionary)
{
	const struct shelf *functions = &dictionary->shelves[DEFINE_FUNCTION],
			   *sources = &dictionary->shelves[DEFINE_SOURCE];

	for (uint32_t place = 1; place <= functions->top; place++)
		if (functions->items[place])
			functions->items[place]->sources = 0;
	for (uint32_t place = 1; place <= sources->top; place++) {
		struct dictionary_entry *entry = sources->items[place], *function;

		if (!entry || entry->forgotten)
			continue;
		function = entry_of_id(dictionary, DEFINE_FUNCTION,
				       entry->definition.source.function);
		entry->sources = function->sources;
		function->sources = place;
	}
}

/* The id of the next one at this place; they begin anew when the number of those before is too
 * large for an id. */
static uint32_t id_after(enum definition_kind kind, uint32_t id)
{
	uint32_t next;

	return __builtin_add_overflow(id, place_mask(kind) + 1, &next) ? id & place_mask(kind)
								       : next;
}

static void clean_shelf(struct dictionary *dictionary, enum definition_kind kind)
{
	struct shelf *shelf = &dictionary->shelves[kind];

	if (!shelf->room)
		return;
	memset(shelf->index, 0, shelf->index_room * sizeof(*shelf->index));
	for (uint32_t place = 1; place <= shelf->top; place++) {
		struct dictionary_entry *entry = shelf->items[place];

		if (entry && !entry->forgotten) {
			entry->keep = false;
			shelf_index(shelf, place);
		} else if (entry) {
			shelf->ids[place] = id_after(kind, entry->definition.id);
			shelf->vacant[shelf->vacant_count++] = place;
			shelf->items[place] = NULL;
			shelf->count--;
			entry_free(dictionary, entry);
		}
	}
}

static uint32_t forget_oldest(struct dictionary *dictionary, enum definition_kind kind)
{
	uint32_t count = dictionary->shelves[kind].count;
	uint64_t last = UINT64_MAX;

	for (uint32_t i = 0; i < dictionary->user_count; i++)
		if (dictionary->users[i].refers)
			dictionary->users[i].refers(dictionary->users[i].ctx, dictionary);
	if (kind == DEFINE_FUNCTION)
		choose_functions(dictionary, count / SHARE);
	else
		choose(dictionary, kind, count / SHARE, &last);
	for (uint32_t i = 0; i < dictionary->user_count; i++)
		if (dictionary->users[i].forget)
			dictionary->users[i].forget(dictionary->users[i].ctx, dictionary);
	clean_shelf(dictionary, DEFINE_STACK);
	clean_shelf(dictionary, DEFINE_TEXT);
	clean_shelf(dictionary, DEFINE_SOURCE);
	link_sources(dictionary);
	clean_shelf(dictionary, DEFINE_FUNCTION);
	return count - dictionary->shelves[kind].count;
}

bool dictionary_make_room(struct dictionary *dictionary, enum definition_kind kind)
{
	struct shelf *shelf = &dictionary->shelves[kind];
	uint32_t limit = definition_limit(kind);

	if (!dictionary->user_count)
		return false;
	if (shelf->patience) {
		shelf->patience--;
		return false;
	}
	if (forget_oldest(dictionary, kind) < limit / LEAST)
		shelf->patience = limit / LEAST;
	return shelf->count < limit;
}
