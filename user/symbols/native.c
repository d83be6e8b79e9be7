/* SPDX-License-Identifier: MIT */
#include "symbols/symbols_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first range that ends behind the address. */
static uint32_t place_of(const struct natives *natives, uint64_t address)
{
	uint32_t low = 0, high = natives->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (natives->list[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

bool natives_find(const struct natives *natives, uint64_t address, uint32_t *ret_function)
{
	uint32_t place = place_of(natives, address);

	if (place == natives->count || natives->list[place].start > address)
		return false;
	*ret_function = natives->list[place].function;
	return true;
}

static int ranges_grow(struct natives *natives)
{
	uint32_t room = natives->room ? 2 * natives->room : 64;
	struct native_range *grown;

	if (natives->count < natives->room)
		return 0;
	grown = reallocarray(natives->list, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	natives->list = grown;
	natives->room = room;
	return 0;
}

int natives_keep(struct natives *natives, const struct native_range *range)
{
	uint32_t place, behind;
	int err;

	if (range->start >= range->end)
		return 0;
	if (natives->count == NATIVES_MAX)
		natives->count = 0;
	err = ranges_grow(natives);
	if (err)
		return err;
	place = behind = place_of(natives, range->start);
	while (behind < natives->count && natives->list[behind].start < range->end)
		behind++;
	memmove(&natives->list[place + 1], &natives->list[behind],
		(natives->count - behind) * sizeof(*natives->list));
	natives->list[place] = *range;
	natives->count += 1 + place - behind;
	return 0;
}

void natives_done(struct natives *natives)
{
	free(natives->list);
	*natives = (struct natives){0};
}
