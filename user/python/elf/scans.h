/* SPDX-License-Identifier: MIT */
/*
 * scans.h - what was found in the files of Python images: the workers of a service have one file,
 * and its code is not searched for each of them.
 *
 * A scan is of the file's content and of nothing else, so that a process cannot make another one's
 * probes be set in a wrong place. It is known by struct image_id; a file that was changed since is
 * scanned again.
 */
#ifndef GILSCOPE_PYTHON_ELF_SCANS_H
#define GILSCOPE_PYTHON_ELF_SCANS_H

#include "python/elf/elf_image.h"
#include "python/target.h"

/* The id of a file that is open. 0 or -errno. */
int scans_id_of(const struct elf_image *image, struct image_id *ret_id);
bool scans_same(const struct image_id *a, const struct image_id *b);

/* Fills the target with what is known of its image and version: sites and gc_sites. False: nothing
 * is; or there is no memory. */
bool scans_recall(struct target *target);
/* Remembers what was found in the target's image, in place of what was not asked for the longest
 * time. Without memory it is found again the next time. */
void scans_note(const struct target *target);
/* Forgets all. */
void scans_forget(void);

#endif
