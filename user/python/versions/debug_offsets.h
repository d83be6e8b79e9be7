/* SPDX-License-Identifier: MIT */
/*
 * debug_offsets.h - struct _Py_DebugOffsets (CPython's Include/internal/pycore_debug_offsets.h),
 * with which _PyRuntime begins from 3.13 on. It is a table of 64-bit numbers: "xdebugpy", the
 * version, and then per structure the structure's size and the offsets of fields in it. Where it
 * has which number is in rows.inc; tools/python-layout.c checks the constants here.
 */
#ifndef GILSCOPE_PYTHON_VERSIONS_DEBUG_OFFSETS_H
#define GILSCOPE_PYTHON_VERSIONS_DEBUG_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DEBUG_OFFSETS_BYTES = 888, /* of 3.15, the longest; what follows a shorter one is ignored */
	DEBUG_OFFSETS_WORDS = DEBUG_OFFSETS_BYTES / 8,
	DEBUG_VERSION = 8,	  /* byte offset of PY_VERSION_HEX … */
	DEBUG_FREE_THREADED = 16, /* … and of 1 in a build with --disable-gil */
};

struct debug_reader {
	const uint64_t *words;
	bool bad; /* an offset is not inside its structure, or not aligned as its field must be */
};

/* The number at byte `position` of the table; UINT64_MAX, which no size or offset is, beyond it. */
static inline uint64_t debug_word(const struct debug_reader *reader, unsigned int position)
{
	return position < DEBUG_OFFSETS_BYTES ? reader->words[position / 8] : UINT64_MAX;
}

/* The offset at byte `position` of the table, of a field in a structure of `struct_size` bytes. */
static inline uint32_t debug_field(struct debug_reader *reader, unsigned int position,
				   uint64_t struct_size, unsigned int alignment)
{
	uint64_t value = debug_word(reader, position);

	if (value >= struct_size || value % alignment)
		reader->bad = true;
	return (uint32_t)value;
}

#endif
