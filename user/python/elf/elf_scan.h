/* SPDX-License-Identifier: MIT */
/*
 * elf_scan.h - finds the GIL's call sites in a Python image without symbols (target.h explains
 * how).
 */
#ifndef GILSCOPE_PYTHON_ELF_ELF_SCAN_H
#define GILSCOPE_PYTHON_ELF_ELF_SCAN_H

#include <stdbool.h>

#include "python/elf/elf_image.h"
#include "python/target.h"

struct diag;

struct elf_sites {
	struct gil_site *list; /* by address */
	uint32_t count;
	uint32_t number[SITE_KINDS];
	bool wait_apart; /* WAIT is in a function that take_gil calls */
	bool doubtful;	 /* the file's own symbols (where it has them) disagree, or a signal is sent
			    by a tail call, which cannot be a GIL site */
};

/* EXIT_UNSUPPORTED when the image has no such sites; the diag says what is missing. */
int elf_scan(const struct elf_image *image, struct diag *diag, struct elf_sites *ret_sites);
void elf_sites_done(struct elf_sites *sites);

#endif
