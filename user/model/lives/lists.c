/* SPDX-License-Identifier: MIT */
#include "model/lives/lists.h"

#include <errno.h>
#include <stdlib.h>

int list_room(struct list *list, uint32_t count)
{
	uint32_t room = list->room ? list->room : 8;
	void **grown;

	if (count <= list->room)
		return 0;
	while (room < count)
		room *= 2;
	grown = reallocarray(list->items, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->items = grown;
	list->room = room;
	return 0;
}

int list_reserve(struct list *list)
{
	return list_room(list, list->count + 1);
}

int index_reserve(struct indices *indices)
{
	uint32_t room = indices->room ? indices->room : 64, *grown;

	if (indices->free_count || indices->count < indices->room)
		return 0;
	while (room <= indices->count)
		room *= 2;
	grown = reallocarray(indices->free, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	indices->free = grown;
	indices->room = room;
	return 0;
}

uint32_t index_take(struct indices *indices)
{
	return indices->free_count ? indices->free[--indices->free_count] : indices->count++;
}

void index_give(struct indices *indices, uint32_t index)
{
	/* index_reserve() has made room */
	indices->free[indices->free_count++] = index;
}
