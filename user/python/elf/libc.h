/* SPDX-License-Identifier: MIT */
/*
 * libc.h - the process's C library, and where in its functions waits of event loops and the closing
 * of their descriptors are seen: whoever calls them, Python, libuv or an extension that is loaded
 * later. The library is there from the beginning, and is one file.
 */
#ifndef GILSCOPE_PYTHON_ELF_LIBC_H
#define GILSCOPE_PYTHON_ELF_LIBC_H

#include "python/target.h"

struct elf_budget;
struct mapping;
struct mappings;

/* Is this the code of musl's C library? */
bool libc_is_musl(const struct mapping *mapping);

/* Fills target->libc. There are no places in a process that has no such library, or an unknown one.
 * Without `waits` no place is to be probed: a thread was just waiting in epoll in another way. */
void libc_examine(struct target *target, const struct mappings *mappings,
		  struct elf_budget *budget);

#endif
