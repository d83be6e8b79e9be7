/* SPDX-License-Identifier: MIT */
/*
 * images.h - the Python images whose uprobes are set once, for every process that has the file. An
 * image stays for as long as a target uses it, and IMAGES_KEEP_NS more: a service may have a worker
 * that is restarted again and again. Pure; whoever sets the probes asks here first.
 *
 * The observer and its helper (helper.h) have a table each. An image gets its number in the process
 * that sets its probes, and both know it by that.
 */
#ifndef GILSCOPE_CAPTURE_IMAGES_H
#define GILSCOPE_CAPTURE_IMAGES_H

#include "base/duration.h"
#include "capture/probes.h"
#include "python/target.h"

enum { IMAGES_MAX = 64 }; /* each process of any other image has uprobes of its own */
#define IMAGES_KEEP_NS (2 * NS_PER_S)

struct shared_image {
	struct image_id id;
	uint32_t number; /* cookie of its uprobes; 0: the place is free */
	uint32_t users;
	uint64_t ts_idle; /* since when it has had no user */
	struct uprobes uprobes;
};

/* Begins as all zeros. */
struct images {
	struct shared_image list[IMAGES_MAX];
	uint32_t last_number;
};

/* NULL: it is not there. */
struct shared_image *images_find(struct images *images, const struct image_id *id);
struct shared_image *images_numbered(struct images *images, uint32_t number);

/* Adds one that is not there, without users, with a number that none had before, or with the one
 * that it has in the other table. NULL: there is no room. */
struct shared_image *images_add(struct images *images, const struct image_id *id, uint32_t number,
				uint64_t now);
/* Its uprobes are the caller's. */
struct uprobes images_remove(struct shared_image *image);

void images_use(struct shared_image *image);
void images_leave(struct shared_image *image, uint64_t now);
/* One that has had no user for so long; NULL: there is none. */
struct shared_image *images_unused(struct images *images, uint64_t now);

#endif
