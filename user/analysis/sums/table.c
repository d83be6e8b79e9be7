/* SPDX-License-Identifier: MIT */
#include "analysis/sums/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

static uint32_t hash_of(const struct table *table, const char *key)
{
	uint64_t hash = 0, word;
	size_t at = 0;

	for (; at + sizeof(word) <= table->key_bytes; at += sizeof(word)) {
		memcpy(&word, key + at, sizeof(word));
		hash = mix(hash, word);
	}
	for (; at < table->key_bytes; at++)
		hash = mix(hash, (unsigned char)key[at]);
	return (uint32_t)hash;
}

/* The slot that has the key, or the empty one where it belongs. */
static struct table_slot *slot_of(const struct table *table, const void *key, uint32_t hash)
{
	uint32_t mask = table->room * 2 - 1, i = hash & mask;

	while (table->slots[i].number &&
	       (table->slots[i].hash != hash ||
		memcmp(table_at(table, table->slots[i].number - 1), key, table->key_bytes)))
		i = (i + 1) & mask;
	return &table->slots[i];
}

static int table_grow(struct table *table)
{
	uint32_t room = table->room ? table->room * 2 : 16;
	struct table_slot *slots = calloc(room, 2 * sizeof(*slots));
	void *entries = slots ? reallocarray(table->entries, room, table->entry_bytes) : NULL;

	if (!entries) {
		free(slots);
		return -ENOMEM;
	}
	free(table->slots);
	table->entries = entries;
	table->slots = slots;
	table->room = room;
	for (uint32_t i = 0; i < table->count; i++) {
		uint32_t hash = hash_of(table, table_at(table, i));

		*slot_of(table, table_at(table, i), hash) = (struct table_slot){i + 1, hash};
	}
	return 0;
}

int table_get(struct table *table, const void *key, void **ret_entry)
{
	uint32_t hash = hash_of(table, key);
	struct table_slot *slot = table->room ? slot_of(table, key, hash) : NULL;

	if (slot && slot->number) {
		*ret_entry = table_at(table, slot->number - 1);
		return 0;
	}
	if (table->count >= table->limit)
		return -ENOSPC;
	if (table->count == table->room) {
		if (table_grow(table) < 0)
			return -ENOMEM;
		slot = slot_of(table, key, hash);
	}
	*ret_entry = table_at(table, table->count);
	memset(*ret_entry, 0, table->entry_bytes);
	memcpy(*ret_entry, key, table->key_bytes);
	*slot = (struct table_slot){++table->count, hash};
	return 0;
}

void table_reset(struct table *table)
{
	/* backwards: what is behind an entry in its row of slots came later */
	while (table->count) {
		const void *last = table_at(table, table->count - 1);

		slot_of(table, last, hash_of(table, last))->number = 0;
		table->count--;
	}
}

void table_done(struct table *table)
{
	free(table->entries);
	free(table->slots);
	table->entries = NULL;
	table->slots = NULL;
	table->count = table->room = 0;
}
