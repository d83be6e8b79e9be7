/* SPDX-License-Identifier: MIT */
/*
 * table.h - entries found by their first bytes, in the order in which they came. For folds and
 * views.
 *
 * An entry is a struct of the caller's whose first member is the key: key_bytes long, without
 * padding. Adding allocates only when the table grows; entries may move then. A zeroed table with
 * the three sizes set is empty.
 */
#ifndef GILSCOPE_ANALYSIS_SUMS_TABLE_H
#define GILSCOPE_ANALYSIS_SUMS_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* Where an entry is, at the place that its key hashes to or behind it. */
struct table_slot {
	uint32_t number; /* 1 + the entry's number; 0: empty */
	uint32_t hash;	 /* of its key: most others are told apart without looking at them */
};

struct table {
	size_t entry_bytes, key_bytes;
	uint32_t limit; /* of entries */
	uint32_t count, room;
	void *entries;
	struct table_slot *slots; /* twice as many as `room`, a power of two */
};

#define TABLE(type, key, limit_)                                                                   \
	((struct table){.entry_bytes = sizeof(type),                                               \
			.key_bytes = sizeof(((type *)0)->key),                                     \
			.limit = (limit_)})

/* The entry of the key; made, with the rest zeroed, when there is none. 0, -ENOMEM, or -ENOSPC: the
 * limit is reached. */
int table_get(struct table *table, const void *key, void **ret_entry);
static inline void *table_at(const struct table *table, uint32_t i)
{
	return (char *)table->entries + i * table->entry_bytes;
}

/* Empties it and keeps the memory. Takes as long as there were entries. */
void table_reset(struct table *table);
void table_done(struct table *table);

#endif
