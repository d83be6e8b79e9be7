/* SPDX-License-Identifier: MIT */
#include "base/hash.h"
#include "view/flames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	UT_hash_handle hh;
	uint32_t number;
	bool labelled;
	char key[]; /* function, line, and the label, terminated */
};

struct flame_index {
	struct entry *table;
	struct entry **entries; /* by number */
	uint32_t count, room;
};

#define NUMBERS (2 * sizeof(uint32_t))

struct flame_index *flame_index_new(void)
{
	return calloc(1, sizeof(struct flame_index));
}

void flame_index_free(struct flame_index *index)
{
	if (!index)
		return;
	HASH_CLEAR(hh, index->table);
	for (uint32_t i = 0; i < index->count; i++)
		free(index->entries[i]);
	free(index->entries);
	free(index);
}

uint32_t flame_index_count(const struct flame_index *index)
{
	return index->count;
}

struct flame_frame flame_index_frame(const struct flame_index *index, uint32_t number)
{
	const struct entry *entry = index->entries[number];
	struct flame_frame frame = {.label = entry->labelled ? entry->key + NUMBERS : NULL};

	memcpy(&frame.function, entry->key, sizeof(frame.function));
	memcpy(&frame.line, entry->key + sizeof(frame.function), sizeof(frame.line));
	return frame;
}

static int index_grow(struct flame_index *index)
{
	uint32_t room = index->room ? 2 * index->room : 64;
	struct entry **entries = index->count < index->room ? index->entries
							    : reallocarray(index->entries, room,
									   sizeof(struct entry *));

	if (!entries)
		return -ENOMEM;
	index->room = index->count < index->room ? index->room : room;
	index->entries = entries;
	return 0;
}

static int index_add(struct flame_index *index, const char *key, size_t length, bool labelled)
{
	struct entry *entry = index_grow(index) < 0 ? NULL : calloc(1, sizeof(*entry) + length);

	if (!entry)
		return -ENOMEM;
	entry->number = index->count;
	entry->labelled = labelled;
	memcpy(entry->key, key, length);
	HASH_ADD_KEYPTR(hh, index->table, entry->key, length, entry);
	if (HASH_FAILED(entry)) {
		free(entry);
		return -ENOMEM;
	}
	index->entries[index->count++] = entry;
	return 0;
}

int flame_index_add(struct flame_index *index, const struct flame_frame *frame,
		    uint32_t *ret_number, bool *ret_new)
{
	char key[NUMBERS + FLAME_TEXT_MAX];
	size_t length = NUMBERS + strlen(frame->label ? frame->label : "") + 1;
	struct entry *entry;

	memcpy(key, &frame->function, sizeof(frame->function));
	memcpy(key + sizeof(frame->function), &frame->line, sizeof(frame->line));
	memcpy(key + NUMBERS, frame->label ? frame->label : "", length - NUMBERS);
	HASH_FIND(hh, index->table, key, length, entry);
	if (!entry && index_add(index, key, length, frame->label) < 0)
		return -ENOMEM;
	*ret_new = !entry;
	*ret_number = entry ? entry->number : index->count - 1;
	return 0;
}
