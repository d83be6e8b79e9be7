/* SPDX-License-Identifier: MIT */
/*
 * store.h - the entries of a dictionary. Internal to the folder: dictionary.c stores and finds
 * them, forget.c removes them.
 */
#ifndef GILSCOPE_STREAM_NAMES_STORE_H
#define GILSCOPE_STREAM_NAMES_STORE_H

#include "stream/definition.h"
#include "stream/names/dictionary.h"

struct dictionary_entry {
	struct definition definition; /* its texts and frames are behind the entry, or in `text` */
	uint64_t used;		      /* dictionary.now then */
	uint32_t hash;		      /* of the content */
	uint32_t users;		      /* of a function: how often it is in stacks */
	uint32_t sources; /* of a function: place of its latest line of source, 1 …; of a line of
			     source: of the one before; 0: none */
	bool keep, forgotten;
};

/*
 * The entries of a kind. An id is the place of its entry, and above that how many others have been
 * at this place before.
 */
struct shelf {
	struct dictionary_entry **items; /* by place, from 1; NULL: free */
	uint32_t *ids;			 /* by place: of its entry, or else of its next one */
	uint32_t *vacant;		 /* places that are free, below `top` */
	uint32_t room, top, vacant_count;
	uint32_t *index; /* places by hash, with linear probing; 0: free */
	uint32_t index_room, count;
	uint64_t made, refused;
	uint32_t patience; /* refusals until it is worth trying to forget something again */
	uint32_t *numbers; /* ids by the stream's numbers, the latest definition_limit() of them */
	uint32_t number_room;
};

struct dictionary {
	struct shelf shelves[DEFINE_KINDS];
	struct definition_counts counts; /* of the stream */
	uint64_t now, bytes;
	struct dictionary_user *users;
	uint32_t user_count;
};

/* Bits of an id that are the place. */
static inline uint32_t place_mask(enum definition_kind kind)
{
	static const uint32_t masks[DEFINE_KINDS] = {[DEFINE_FUNCTION] = (1u << 19) - 1,
						     [DEFINE_STACK] = (1u << 17) - 1,
						     [DEFINE_TEXT] = (1u << 17) - 1,
						     [DEFINE_SOURCE] = (1u << 15) - 1};
	return masks[kind];
}

/* NULL, unless it is there. */
static inline struct dictionary_entry *entry_of_id(const struct dictionary *dictionary,
						   enum definition_kind kind, uint32_t id)
{
	const struct shelf *shelf = &dictionary->shelves[kind];
	uint32_t place = id & place_mask(kind);

	if (!place || place > shelf->top || !shelf->items[place] ||
	    shelf->items[place]->definition.id != id)
		return NULL;
	return shelf->items[place];
}

/* There is room for it. */
void shelf_index(struct shelf *shelf, uint32_t place);
void entry_free(struct dictionary *dictionary, struct dictionary_entry *entry);

/* Makes room for one more of the kind. False: there is nothing to be forgotten. */
bool dictionary_make_room(struct dictionary *dictionary, enum definition_kind kind);

#endif
