/* SPDX-License-Identifier: MIT */
/*
 * image.h - the file of a process that CPython's runtime lives in: the executable or a shared
 * library, whatever its name, and also when it was deleted, replaced, or lies in another mount
 * namespace.
 */
#ifndef GILSCOPE_PYTHON_IMAGE_H
#define GILSCOPE_PYTHON_IMAGE_H

#include "python/elf/elf_image.h"
#include "python/process/proc.h"

struct diag;

struct image {
	int fd;
	struct elf_image elf;
	char path[128];	  /* opens the very file from here, and takes uprobes */
	const char *name; /* path as the process sees it; of the mappings */
	uint64_t bias;	  /* added to the ELF's addresses in the process */
	uint64_t runtime; /* address of _PyRuntime in the process; 0: an interpreter older than 3.7,
			     which has none */
	uint64_t runtime_size;
};

/*
 * Finds it. -ENOEXEC with EXIT_UNSUPPORTED: 32-bit, another architecture, PyPy, no Python at all,
 * or files that cannot be read within the budget. The mappings and the budget must outlive the
 * image.
 */
int image_find(pid_t pid, const struct mappings *mappings, struct elf_budget *budget,
	       struct diag *diag, struct image *ret_image);
/* The budget is spent: says so, and what to do, of the file that was read last. Returns -EFBIG. */
int image_too_much(pid_t pid, const char *path, struct diag *diag);
void image_done(struct image *image);

/* Opens the file of an executable mapping, whatever it is; runtime and runtime_size stay 0. Mapping
 * and budget must outlive the image. */
int image_open(pid_t pid, const struct mapping *mapping, struct elf_budget *budget,
	       struct image *ret_image);

#endif
