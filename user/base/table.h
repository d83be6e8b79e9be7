/* SPDX-License-Identifier: MIT */
/*
 * table.h - a hash table for counting by key: entries are added, found by their key, and listed in
 * the order in which they were added.
 *
 * An entry is a struct of the caller's whose first member is the key: a multiple of 4 bytes,
 * without padding, compared as bytes. Entries lie in one array, and move when it grows; that is the
 * only time that adding allocates. There is no removal of single entries: where that is needed, or
 * addresses must stay, use hash.h.
 *
 * A zeroed table with entry_bytes and limit set is empty. TABLE_OF() makes the function to use.
 */
#ifndef GILSCOPE_BASE_TABLE_H
#define GILSCOPE_BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Linear probing: an entry is in the slot that its hash names, or in one of the next. */
struct table_slot {
	uint32_t number; /* of the entry, counted from 1 since the table was made; those up to
			    table.forgotten are gone, and their slots free */
	uint32_t hash;	 /* of its key, so that most others are recognised without their entry */
};

struct table {
	size_t entry_bytes;
	uint32_t limit; /* of entries; at most UINT32_MAX / 4 */
	uint32_t count, room;
	void *entries;
	struct table_slot *slots; /* twice as many as `room`, a power of two */
	uint32_t forgotten;	  /* entries before the latest table_reset() */
};

#define TABLE(type, limit_) ((struct table){.entry_bytes = sizeof(type), .limit = (limit_)})

static inline void *table_at(const struct table *table, uint32_t i)
{
	return (char *)table->entries + i * table->entry_bytes;
}

static inline uint32_t table_hash(const void *key, size_t key_bytes)
{
	const char *bytes = key;
	uint64_t hash = 0, word;
	size_t at = 0;

	for (; at < key_bytes; at += sizeof(word)) {
		word = 0;
		memcpy(&word, bytes + at,
		       key_bytes - at < sizeof(word) ? sizeof(uint32_t) : sizeof(word));
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return (uint32_t)hash;
}

/* For table_get(): the entry behind the first `key_bytes`, or NULL. */
static inline void *table_find(const struct table *table, const void *key, size_t key_bytes,
			       uint32_t hash)
{
	uint32_t mask = table->room * 2 - 1, number;

	if (!table->count)
		return NULL;
	for (uint32_t i = hash & mask; (number = table->slots[i].number) > table->forgotten;
	     i = (i + 1) & mask) {
		void *entry = table_at(table, number - table->forgotten - 1);

		if (table->slots[i].hash == hash && !memcmp(entry, key, key_bytes))
			return entry;
	}
	return NULL;
}

/* For table_get(): adds the entry, which is not in the table. */
int table_add(struct table *table, const void *key, size_t key_bytes, uint32_t hash,
	      void **ret_entry);

/* The entry of the key; made, with the rest zeroed, when there is none. `key_bytes` is the same
 * with every call. 0, -ENOMEM, or -ENOSPC: the limit is reached. */
static inline int table_get(struct table *table, const void *key, size_t key_bytes,
			    void **ret_entry)
{
	uint32_t hash = table_hash(key, key_bytes);

	*ret_entry = table_find(table, key, key_bytes, hash);
	return *ret_entry ? 0 : table_add(table, key, key_bytes, hash, ret_entry);
}

/* Defines NAME_get(), which is table_get() for entries of `type` with its first member `key_`. On
 * an error *ret_entry is NULL. */
#define TABLE_OF(name, type, key_)                                                                 \
	_Static_assert(offsetof(type, key_) == 0 && sizeof(((type *)0)->key_) % 4 == 0,            \
		       "the key comes first, and is a multiple of 4 bytes");                       \
	static inline int name##_get(struct table *table,                                          \
				     const __typeof__(((type *)0)->key_) *key, type **ret_entry)   \
	{                                                                                          \
		void *entry = NULL;                                                                \
		int err = table_get(table, key, sizeof(*key), &entry);                             \
                                                                                                   \
		*ret_entry = entry;                                                                \
		return err;                                                                        \
	}

/* Empties it and keeps the memory. Takes no longer with many entries than with few. */
void table_reset(struct table *table);
void table_done(struct table *table);

#endif
