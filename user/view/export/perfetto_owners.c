/* SPDX-License-Identifier: MIT */
#include "view/export/perfetto_owners.h"

#include <errno.h>
#include <stdlib.h>

struct owner *owner_of(struct perfetto *perfetto, struct owner **owners, const void *of,
		       bool *ret_new)
{
	struct owner *owner;

	HASH_FIND_PTR(*owners, &of, owner);
	*ret_new = !owner;
	if (owner)
		return owner;
	owner = calloc(1, sizeof(*owner));
	if (owner) {
		owner->of = of;
		HASH_ADD_PTR(*owners, of, owner);
	}
	if (!owner || HASH_FAILED(owner)) {
		perfetto_fail(perfetto, -ENOMEM);
		free(owner);
		return NULL;
	}
	for (int i = 0; i < TRACKS; i++) {
		uint64_t track = perfetto_track(perfetto);

		owner->tracks = owner->tracks ? owner->tracks : track;
	}
	return owner;
}

static bool always(const void *of)
{
	return of != NULL;
}

void tracks_forget(struct owner **owners, bool (*leaves)(const void *of))
{
	struct owner *owner, *next;

	HASH_ITER(hh, *owners, owner, next)
	{
		if (!leaves(owner->of))
			continue;
		HASH_DEL(*owners, owner);
		free(owner->frames);
		free(owner);
	}
}

void tracks_free(struct owner **owners)
{
	tracks_forget(owners, always);
}
