/* SPDX-License-Identifier: MIT */
/* lists.h - what a world has its objects in, and the numbers that it gives them. */
#ifndef GILSCOPE_MODEL_LIVES_LISTS_H
#define GILSCOPE_MODEL_LIVES_LISTS_H

#include <stdint.h>

/* All objects of a kind, in order of appearance. */
struct list {
	void **items;
	uint32_t count, room;
};

/* Makes room for `count` items in all, or for one more. 0 or -ENOMEM. */
int list_room(struct list *list, uint32_t count);
int list_reserve(struct list *list);
/* list_reserve() or list_room() has made room. */
static inline void list_add(struct list *list, void *item)
{
	list->items[list->count++] = item;
}

/* Numbers from 0 on. */
struct indices {
	uint32_t *free; /* that were given back; room for all */
	uint32_t free_count, room, count;
};

/* Makes sure that index_take() has one. 0 or -ENOMEM. */
int index_reserve(struct indices *indices);
/* One that was given back, or the next. */
uint32_t index_take(struct indices *indices);
void index_give(struct indices *indices, uint32_t index);

#endif
