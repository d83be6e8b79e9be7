/* SPDX-License-Identifier: MIT */
/*
 * version.h - which CPython a process runs, read from its memory; file names prove nothing.
 */
#ifndef GILSCOPE_PYTHON_INTERPRETER_VERSION_H
#define GILSCOPE_PYTHON_INTERPRETER_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "python/elf/elf_image.h"

enum {
	PYTHON_MINOR_MIN = 8,
	PYTHON_MINOR_ROWS = 12, /* the last one without _Py_DebugOffsets */
	PYTHON_MINOR_MAX = 15,	/* raised: versions/rows.c does not compile without its rows */
};

static inline unsigned int version_minor(uint32_t hex)
{
	return hex >> 16 & 0xff;
}

bool version_supported(uint32_t hex);

/* … and publishes its offsets (debug_offsets.h). */
static inline bool version_has_debug_offsets(uint32_t hex)
{
	return version_supported(hex) && version_minor(hex) > PYTHON_MINOR_ROWS;
}

/* "3.11.2", "3.15.0b1" */
void version_text(uint32_t hex, char *to, size_t size);

/*
 * PY_VERSION_HEX of the process. From 3.11 on the exported constant Py_Version; before that the
 * buffer that Py_GetVersion() fills when the interpreter starts (Python/getversion.c: "3.9.2
 * (default, …) \n[GCC …]"), found in the image's own data. -ENODATA: there is no such text, or
 * several that differ; or the error of reading the memory.
 */
int version_read(pid_t pid, const struct elf_image *image, uint64_t bias, uint32_t *ret_hex);

/* Finds the version in a piece of memory that holds such a buffer. -ENODATA as above. */
int version_search(const char *bytes, size_t size, uint32_t *ret_hex);

#endif
