/* SPDX-License-Identifier: MIT */
/*
 * layout.h - where in CPython's structures the fields are that gilscope reads: one descriptor per
 * version and kind of build.
 *
 * The rows (rows.inc) are made from CPython's headers by tools/gen-python-layouts;
 * fields.def says what each field is. From 3.13 on the process itself has most of the
 * offsets (debug_offsets.h), and these replace the row's. None is used before the process's memory
 * has confirmed it (runtime_calibrate()).
 */
#ifndef GILSCOPE_PYTHON_VERSIONS_LAYOUT_H
#define GILSCOPE_PYTHON_VERSIONS_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "python/interpreter/gil_layout.h"
#include "python/interpreter/stack_layout.h"

/* This version has no such field. */
#define LAYOUT_NONE UINT32_MAX

/* The builds of a version that have rows: the usual one, and the one with --disable-gil (3.13 on),
 * whether its GIL is on or not. */
enum python_build { WITH_GIL, FREE_THREADED, PYTHON_BUILDS };

/* lines_form: the form of a code object's line table. */
enum lines_form {
	LINES_LNOTAB, /* 3.8, 3.9 */
	LINES_310,
	LINES_311, /* PEP 657 */
};

/* dict_keys_form: the head of a dict's keys object. */
enum dict_keys_form {
	DICT_KEYS_310, /* up to 3.10: Objects/dict-common.h */
	DICT_KEYS_311, /* 3.11 on: pycore_dict.h */
};

/* managed_form: where an instance has its attributes, if its type has Py_TPFLAGS_MANAGED_DICT
 * (pycore_object.h). */
enum managed_form {
	MANAGED_NOT,	   /* up to 3.10 there is no such flag */
	MANAGED_TWO_WORDS, /* 3.11: one word points to a dict, the word before it to values */
	MANAGED_TAGGED,	   /* 3.12: one word; values have its low bit set */
	MANAGED_INLINE,	   /* 3.13 on: a dict, or values behind the instance's fields */
};

/* collectors: the functions that collect garbage, where they have symbols. Flags. */
enum {
	COLLECTOR_STATIC = 1,	/* collect() of gcmodule.c */
	COLLECTOR_MAIN = 2,	/* gc_collect_main() */
	COLLECTOR_EXPORTED = 4, /* _PyGC_Collect() */
};

struct python_layout {
#define FIELD(name, doc) uint32_t name;
#include "python/versions/fields.def"
	struct gil_layout gil;
	bool free_threaded;
	bool has_stacks; /* false: the process's offsets of frames or code objects do not fit
			    together; all but Python's stacks can be read */
};

/*
 * `runtime` is _PyRuntime's address and `runtime_size` its size (0: unknown). -ENOTSUP: this
 * version's layout is unknown, or the process's debug offsets do not look as that version writes
 * them; or the error of reading the memory.
 */
int layout_read(pid_t pid, uint32_t version_hex, uint64_t runtime, uint64_t runtime_size,
		struct python_layout *ret_layout);

/* From the bytes of a struct _Py_DebugOffsets. */
int layout_parse_debug_offsets(const uint64_t *words, size_t count, uint32_t version_hex,
			       uint64_t runtime_size, struct python_layout *ret_layout);

#endif
