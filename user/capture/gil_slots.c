/* SPDX-License-Identifier: MIT */
#include "capture/gil_slots.h"

#include <errno.h>

static const struct shared_gil_key nobody = {0};

/* The slot with `stored` among those where the probes look for `key`. 0 or -ENOENT. */
static int find(const struct gil_slots *slots, const struct shared_gil_key *key,
		const struct shared_gil_key *stored, uint32_t *ret_slot)
{
	for (uint32_t i = 0; i < SHARED_GIL_TRIES; i++) {
		uint32_t slot = shared_gil_slot(key, i);

		if (slots->keys[slot].condition != stored->condition ||
		    slots->keys[slot].tgid != stored->tgid)
			continue;
		*ret_slot = slot;
		return 0;
	}
	return -ENOENT;
}

int gil_slots_take(struct gil_slots *slots, const struct shared_gil_key *key, uint32_t *ret_slot)
{
	if (!find(slots, key, key, ret_slot))
		return 0;
	if (find(slots, key, &nobody, ret_slot))
		return -E2BIG;
	slots->keys[*ret_slot] = *key;
	return 0;
}

int gil_slots_free(struct gil_slots *slots, const struct shared_gil_key *key, uint32_t *ret_slot)
{
	if (find(slots, key, key, ret_slot))
		return -ENOENT;
	slots->keys[*ret_slot] = nobody;
	return 0;
}
