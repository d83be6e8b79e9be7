/* SPDX-License-Identifier: MIT */
#include "python/interpreter/gil.h"
#include "python/versions/rows.h"

const struct python_layout layout_rows[PYTHON_MINOR_MAX + 1][PYTHON_BUILDS] = {
#define VALUE(name, value)	     .name = (value),
#define LAYOUT(minor, build, values) [minor][build] = {values.free_threaded = (build) != WITH_GIL},
#define POSITIONS(minor, values)
#include "python/versions/rows.inc"
#undef LAYOUT
#undef POSITIONS
};

const struct debug_positions debug_positions[PYTHON_MINOR_MAX + 1] = {
#define LAYOUT(minor, build, values)
#define POSITIONS(minor, values) [minor] = {values},
#include "python/versions/rows.inc"
#undef LAYOUT
#undef POSITIONS
#undef VALUE
};

/*
 * The proof that nothing is missing, which an initialiser would leave 0: a set has one bit for each
 * field that a row gives, or for each version that has a row.
 */
typedef unsigned __int128 set;
#define BIT(number)	 ((set)1 << (number))
#define UP_TO(number)	 (BIT((number) + 1) - 1)
#define VERSIONS_OF(min) (UP_TO(PYTHON_MINOR_MAX) & ~UP_TO((min) - 1))

enum {
#define FIELD(name, doc) FIELD_##name,
#include "python/versions/fields.def"
	FIELD_COUNT
};
enum {
#define SIZE(name, path)		   POSITION_##name,
#define CORE(name, path, size, align)	   POSITION_##name,
#define STACK(name, path, size, align)	   POSITION_##name,
#define STACK_314(name, path, size, align) POSITION_##name,
#define KNOWN(name, path)		   POSITION_##name,
#include "python/versions/fields.def"
	POSITION_COUNT
};
_Static_assert(FIELD_COUNT < 128 && POSITION_COUNT < 128, "a set has too few bits");

#define VALUE(name, value) | BIT(FIELD_##name)
#define LAYOUT(minor, build, values)                                                               \
	_Static_assert((0 values) == UP_TO(FIELD_COUNT - 1),                                       \
		       "3." #minor " " #build ": not all fields; run tools/gen-python-layouts");
#define POSITIONS(minor, values)
#include "python/versions/rows.inc"
#undef VALUE
#undef LAYOUT
#undef POSITIONS

#define VALUE(name, value) | BIT(POSITION_##name)
#define LAYOUT(minor, build, values)
#define POSITIONS(minor, values)                                                                   \
	_Static_assert((0 values) == UP_TO(POSITION_COUNT - 1),                                    \
		       "3." #minor ": not all positions; run tools/gen-python-layouts");
#include "python/versions/rows.inc"
#undef LAYOUT
#undef POSITIONS

#define LAYOUT(minor, build, values) | ((build) == WITH_GIL ? BIT(minor) : 0)
#define POSITIONS(minor, values)
_Static_assert(((0
#include "python/versions/rows.inc"
		 ) &
		UP_TO(PYTHON_MINOR_MAX)) == VERSIONS_OF(PYTHON_MINOR_MIN),
	       "a version has no row: run tools/gen-python-layouts on its headers");
#undef LAYOUT

#define LAYOUT(minor, build, values) | ((build) == FREE_THREADED ? BIT(minor) : 0)
_Static_assert(((0
#include "python/versions/rows.inc"
		 ) &
		UP_TO(PYTHON_MINOR_MAX)) == VERSIONS_OF(PYTHON_MINOR_ROWS + 1),
	       "a version has no free-threaded row: run tools/gen-python-layouts on its headers");
#undef LAYOUT
#undef POSITIONS

#define LAYOUT(minor, build, values)
#define POSITIONS(minor, values) | BIT(minor)
_Static_assert(((0
#include "python/versions/rows.inc"
		 ) &
		UP_TO(PYTHON_MINOR_MAX)) == VERSIONS_OF(PYTHON_MINOR_ROWS + 1),
	       "a version has no positions: run tools/gen-python-layouts on its headers");
#undef LAYOUT
#undef POSITIONS

/* last, so that a terminal shows this message below all that is wrong then */
#define LAYOUT(minor, build, values) | BIT(minor)
#define POSITIONS(minor, values)
_Static_assert(((0
#include "python/versions/rows.inc"
		 ) &
		~UP_TO(PYTHON_MINOR_MAX)) == 0,
	       "a row is newer than PYTHON_MINOR_MAX: raise it (interpreter/version.h)");
