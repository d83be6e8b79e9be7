/* SPDX-License-Identifier: MIT */
/*
 * rows.h - the rows of rows.inc as tables. rows.c does not compile unless every version from
 * PYTHON_MINOR_MIN to PYTHON_MINOR_MAX has its rows, and every row all fields.
 */
#ifndef GILSCOPE_PYTHON_VERSIONS_ROWS_H
#define GILSCOPE_PYTHON_VERSIONS_ROWS_H

#include "python/interpreter/version.h"
#include "python/versions/layout.h"

/* Where struct _Py_DebugOffsets of a version keeps each number, in bytes. LAYOUT_NONE: it does not
 * have it. */
struct debug_positions {
#define SIZE(name, path)		   uint32_t name;
#define CORE(name, path, size, align)	   uint32_t name;
#define STACK(name, path, size, align)	   uint32_t name;
#define STACK_314(name, path, size, align) uint32_t name;
#define KNOWN(name, path)		   uint32_t name;
#include "python/versions/fields.def"
};

/* By minor version; both builds of a version have the same positions. Free-threaded builds and
 * positions begin with 3.13. */
extern const struct python_layout layout_rows[PYTHON_MINOR_MAX + 1][PYTHON_BUILDS];
extern const struct debug_positions debug_positions[PYTHON_MINOR_MAX + 1];

#endif
