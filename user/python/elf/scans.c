/* SPDX-License-Identifier: MIT */
#include "python/elf/scans.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/duration.h"

enum { SCANS_MAX = 16 }; /* a service has one or two */

struct known_image {
	struct image_id id;
	uint32_t
		version; /* which symbols are the collector's depends on it; 0: the place is free */
	uint64_t asked;	 /* by `known_turn`, when last asked for */
	struct gil_site *sites;
	uint32_t site_count, take, drop, wait;
	struct gc_site *gc_sites;
	uint32_t gc_site_count;
	enum confidence confidence;
};

static struct known_image known_images[SCANS_MAX];
static uint64_t known_turn;

/* ── which file ──────────────────────────────────────────────────────────────────────────────── */

/* A note: the lengths of its name and content, its type, "GNU", the content. */
static void read_build_id(const struct elf_image *image, struct image_id *id)
{
	enum { HEAD = 16 };
	_cleanup_(freep) uint8_t *note = NULL;
	size_t size;

	if (elf_image_section_bytes(image, ".note.gnu.build-id", &note, &size) || size <= HEAD)
		return;
	size -= HEAD;
	memcpy(id->build_id, note + HEAD,
	       size < sizeof(id->build_id) ? size : sizeof(id->build_id));
}

int scans_id_of(const struct elf_image *image, struct image_id *ret_id)
{
	struct stat stat;

	if (fstat(image->fd, &stat))
		return -errno;
	*ret_id = (struct image_id){
		.device = stat.st_dev,
		.inode = stat.st_ino,
		.size = (uint64_t)stat.st_size,
		.modified_ns = (uint64_t)stat.st_mtim.tv_sec * NS_PER_S +
			       (uint64_t)stat.st_mtim.tv_nsec,
	};
	read_build_id(image, ret_id);
	return 0;
}

bool scans_same(const struct image_id *a, const struct image_id *b)
{
	return !memcmp(a, b, sizeof(*a)); /* it has no gaps */
}

_Static_assert(sizeof(struct image_id) == 4 * 8 + sizeof(((struct image_id *)0)->build_id),
	       "scans_same() compares bytes");

/* ── what is in it ───────────────────────────────────────────────────────────────────────────── */

static struct known_image *find_known(const struct target *target)
{
	for (size_t i = 0; i < SCANS_MAX; i++)
		if (known_images[i].version && known_images[i].version == target->version_hex &&
		    scans_same(&known_images[i].id, &target->image_id))
			return &known_images[i];
	return NULL;
}

static void free_known(struct known_image *scan)
{
	free(scan->sites);
	free(scan->gc_sites);
	*scan = (struct known_image){0};
}

void scans_forget(void)
{
	for (size_t i = 0; i < SCANS_MAX; i++)
		free_known(&known_images[i]);
}

static struct known_image *oldest_known(void)
{
	struct known_image *found = &known_images[0];

	for (size_t i = 0; i < SCANS_MAX; i++)
		if (known_images[i].asked < found->asked)
			found = &known_images[i];
	return found;
}

/* A list of its own. */
static void *list_copy(const void *from, uint32_t count, size_t size)
{
	void *copy = calloc(count ? count : 1, size);

	if (copy && count)
		memcpy(copy, from, count * size);
	return copy;
}

bool scans_recall(struct target *target)
{
	struct known_image *scan = find_known(target);
	struct gil_site *sites;
	struct gc_site *gc_sites;

	if (!scan)
		return false;
	sites = list_copy(scan->sites, scan->site_count, sizeof(*sites));
	gc_sites = list_copy(scan->gc_sites, scan->gc_site_count, sizeof(*gc_sites));
	if (!sites || !gc_sites) {
		free(sites);
		free(gc_sites);
		return false;
	}
	scan->asked = ++known_turn;
	target->sites = sites;
	target->site_count = scan->site_count;
	target->gc_sites = gc_sites;
	target->gc_site_count = scan->gc_site_count;
	target->info.take = scan->take;
	target->info.drop = scan->drop;
	target->info.wait = scan->wait;
	target->info.confidence = scan->confidence;
	return true;
}

void scans_note(const struct target *target)
{
	struct known_image *scan = find_known(target);
	struct known_image found = {
		.id = target->image_id,
		.version = target->version_hex,
		.site_count = target->site_count,
		.take = target->info.take,
		.drop = target->info.drop,
		.wait = target->info.wait,
		.gc_site_count = target->gc_site_count,
		.confidence = target->info.confidence,
	};

	if (scan) {
		scan->asked = ++known_turn;
		return;
	}
	found.sites = list_copy(target->sites, target->site_count, sizeof(*found.sites));
	found.gc_sites = list_copy(target->gc_sites, target->gc_site_count,
				   sizeof(*found.gc_sites));
	if (!found.sites || !found.gc_sites) {
		free_known(&found);
		return;
	}
	found.asked = ++known_turn;
	scan = oldest_known();
	free_known(scan);
	*scan = found;
}
