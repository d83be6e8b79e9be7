/* SPDX-License-Identifier: MIT */
/*
 * image.h - the file that contains a process's CPython runtime: the executable or a shared library,
 * under any name, even if it was deleted, replaced, or is in another mount namespace.
 */
#ifndef GILSCOPE_PYTHON_IMAGE_H
#define GILSCOPE_PYTHON_IMAGE_H

#include "python/elf/elf_image.h"
#include "python/process/proc.h"

struct diag;

struct image {
	int fd;
	struct elf_image elf;
	char path[128];	  /* opens this very file from gilscope's namespace; uprobes go there */
	const char *name; /* path in the process's namespace; owned by the mappings */
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
/* Fills `diag` for a spent budget, naming the file that was read last. Returns -EFBIG. */
int image_too_much(pid_t pid, const char *path, struct diag *diag);
void image_done(struct image *image);

/* Opens the file of any executable mapping; runtime and runtime_size stay 0. Mapping and budget
 * must outlive the image. */
int image_open(pid_t pid, const struct mapping *mapping, struct elf_budget *budget,
	       struct image *ret_image);

#endif
