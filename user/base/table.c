/* SPDX-License-Identifier: MIT */
#include "base/table.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_FIRST 16

static struct table_slot *free_slot(const struct table *table, uint32_t hash)
{
	uint32_t mask = table->room * 2 - 1, i = hash & mask;

	while (table->slots[i].number > table->forgotten)
		i = (i + 1) & mask;
	return &table->slots[i];
}

static int table_grow(struct table *table)
{
	uint32_t slots_before = table->room * 2, room = table->room ? slots_before : ROOM_FIRST;
	struct table_slot *slots = calloc(room, 2 * sizeof(*slots)), *before = table->slots;
	void *entries = slots ? reallocarray(table->entries, room, table->entry_bytes) : NULL;

	if (!entries) {
		free(slots);
		return -ENOMEM;
	}
	table->entries = entries;
	table->slots = slots;
	table->room = room;
	for (uint32_t i = 0; i < slots_before; i++)
		if (before[i].number > table->forgotten)
			*free_slot(table, before[i].hash) = before[i];
	free(before);
	return 0;
}

int table_add(struct table *table, const void *key, size_t key_bytes, uint32_t hash,
	      void **ret_entry)
{
	void *entry;

	*ret_entry = NULL;
	if (table->count >= table->limit)
		return -ENOSPC;
	if (table->count == table->room && table_grow(table) < 0)
		return -ENOMEM;
	entry = table_at(table, table->count++);
	memcpy(entry, key, key_bytes);
	memset((char *)entry + key_bytes, 0, table->entry_bytes - key_bytes);
	*free_slot(table, hash) = (struct table_slot){table->forgotten + table->count, hash};
	*ret_entry = entry;
	return 0;
}

void table_reset(struct table *table)
{
	table->forgotten += table->count;
	table->count = 0;
	if (table->forgotten <= UINT32_MAX / 2)
		return;
	memset(table->slots, 0, sizeof(*table->slots) * table->room * 2);
	table->forgotten = 0;
}

void table_done(struct table *table)
{
	free(table->entries);
	free(table->slots);
	table->entries = NULL;
	table->slots = NULL;
	table->count = table->room = table->forgotten = 0;
}
