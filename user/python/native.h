/* SPDX-License-Identifier: MIT */
/*
 * native.h - which module and function the machine code at an address of a process belongs to.
 *
 * A function is named only if a symbol's size covers the address: in a stripped file the nearest
 * symbol may be any distance away. Of the interpreter's own code nothing is reported but the
 * modules that it has built in (`re`, `json` and the like), where it has symbols.
 */
#ifndef GILSCOPE_PYTHON_NATIVE_H
#define GILSCOPE_PYTHON_NATIVE_H

#include "python/elf/elf_image.h"
#include "python/target.h"

struct native_code {
	uint64_t start, end;	      /* addresses for which all this is true, end excluded */
	char module[DEFINE_TEXT_MAX]; /* path as the process has it, or the name of a built-in
					 module; "": nothing to report */
	char symbol[ELF_NAME_MAX];    /* "": unknown */
};

/*
 * Reads the process's mappings and the symbols of the file at `address`; a millisecond or a few.
 * Files are charged to a budget that is the target's: when it is spent, or a file cannot be read,
 * the module is reported without a symbol. 0 or -errno (-ESRCH: gone; -ENOENT: nothing is mapped
 * there).
 */
int target_native(struct target *target, uint64_t address, struct native_code *ret_code);

#endif
