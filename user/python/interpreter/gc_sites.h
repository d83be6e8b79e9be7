/* SPDX-License-Identifier: MIT */
/*
 * gc_sites.h - where a Python image begins and ends a garbage collection (struct gc_site): the
 * static probe points gc__start and gc__done that distributions build in (--with-dtrace;
 * Include/pydtrace.d, notes as in systemtap's sys/sdt.h), or else the collector's entry and return,
 * found by its symbol.
 */
#ifndef GILSCOPE_PYTHON_INTERPRETER_GC_SITES_H
#define GILSCOPE_PYTHON_INTERPRETER_GC_SITES_H

#include "python/elf/elf_image.h"
#include "python/target.h"

enum { GC_SITES_MAX = 32 };

struct gc_sites {
	struct gc_site list[GC_SITES_MAX];
	uint32_t count; /* 0: the image has no sites, or not both begin and end, or more than
			   fit */
};

/* `collectors` are the version's (COLLECTOR_…, versions/layout.h). */
void gc_sites_find(const struct elf_image *image, unsigned int collectors,
		   struct gc_sites *ret_sites);

/* Where a probe point's first argument is, from the note's text: "-4@%ebp", "-4@$2", "-4@112(%rsp)"
 * (x86-64); "-4@w19", "-4@2", "-4@[sp, 28]" (arm64). */
void gc_argument_parse(const char *text, struct gc_site *site);

#endif
