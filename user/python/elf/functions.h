/* SPDX-License-Identifier: MIT */
/*
 * functions.h - where functions begin and end in a file without symbols: the search table of
 * .eh_frame_hdr, which stripping keeps, and the frame descriptions it points to (Linux Standard
 * Base, "Exception Frames"). A function that the compiler split has one entry per part.
 */
#ifndef GILSCOPE_PYTHON_ELF_FUNCTIONS_H
#define GILSCOPE_PYTHON_ELF_FUNCTIONS_H

#include "python/elf/elf_image.h"

struct function {
	uint64_t start, end; /* addresses in the ELF's address space, end excluded */
};

struct functions {
	const struct elf_image *image;
	uint64_t base; /* address of .eh_frame_hdr, which the table's numbers are relative to */
	uint32_t count;
	int32_t (*table)[2]; /* function, frame description; sorted by function */
};

/* -ENODATA: no table, or one in an encoding that linkers do not write. The image must outlive the
 * functions. */
int functions_read(const struct elf_image *image, struct functions *ret_functions);
void functions_done(struct functions *functions);

/* The function (or part of one) that an address lies in; -ENOENT when it lies in none. */
int functions_find(const struct functions *functions, uint64_t vaddr,
		   struct function *ret_function);

#endif
