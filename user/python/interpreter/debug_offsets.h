/* SPDX-License-Identifier: MIT */
/*
 * debug_offsets.h - reads struct _Py_DebugOffsets (CPython's
 * Include/internal/pycore_debug_offsets.h), with which _PyRuntime begins from 3.13 on. It is a
 * table of 64-bit numbers; per structure the structure's size, then offsets in it.
 */
#ifndef GILSCOPE_PYTHON_INTERPRETER_DEBUG_OFFSETS_H
#define GILSCOPE_PYTHON_INTERPRETER_DEBUG_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DEBUG_OFFSETS_BYTES = 888,
	DEBUG_OFFSETS_WORDS = DEBUG_OFFSETS_BYTES / 8
}; /* of 3.15, the longest; what follows a shorter one is not used */

/* Anything at or beyond the size of its structure, or not aligned as the field must be, spoils the
 * whole table. */
struct debug_reader {
	const uint64_t *words;
	bool bad;
};

/* Where struct _Py_DebugOffsets says whether the build is free-threaded, in bytes. */
enum { DEBUG_FREE_THREADED = 16 };

static inline uint32_t debug_field(struct debug_reader *reader, unsigned int position,
				   uint64_t struct_size, unsigned int alignment)
{
	uint64_t value = reader->words[position / 8];

	if (value >= struct_size || value % alignment)
		reader->bad = true;
	return (uint32_t)value;
}

#endif
