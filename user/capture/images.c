/* SPDX-License-Identifier: MIT */
#include "capture/images.h"

#include <string.h>

#include "base/cleanup.h"
#include "python/elf/scans.h"

struct shared_image *images_find(struct images *images, const struct image_id *id)
{
	for (size_t i = 0; i < IMAGES_MAX; i++)
		if (images->list[i].number && scans_same(&images->list[i].id, id))
			return &images->list[i];
	return NULL;
}

struct shared_image *images_numbered(struct images *images, uint32_t number)
{
	for (size_t i = 0; i < IMAGES_MAX; i++)
		if (number && images->list[i].number == number)
			return &images->list[i];
	return NULL;
}

struct shared_image *images_add(struct images *images, const struct image_id *id, uint32_t number,
				uint64_t now)
{
	for (size_t i = 0; i < IMAGES_MAX; i++) {
		struct shared_image *image = &images->list[i];

		if (image->number)
			continue;
		if (!number)
			number = images->last_number + 1;
		if (number > images->last_number)
			images->last_number = number;
		*image = (struct shared_image){.id = *id, .number = number, .ts_idle = now};
		return image;
	}
	return NULL;
}

struct uprobes images_remove(struct shared_image *image)
{
	struct uprobes uprobes = STEAL(image->uprobes, (struct uprobes){0});

	*image = (struct shared_image){0};
	return uprobes;
}

void images_use(struct shared_image *image)
{
	image->users++;
}

void images_leave(struct shared_image *image, uint64_t now)
{
	image->users--;
	image->ts_idle = now;
}

struct shared_image *images_unused(struct images *images, uint64_t now)
{
	for (size_t i = 0; i < IMAGES_MAX; i++) {
		struct shared_image *image = &images->list[i];

		if (image->number && !image->users && now - image->ts_idle >= IMAGES_KEEP_NS)
			return image;
	}
	return NULL;
}
