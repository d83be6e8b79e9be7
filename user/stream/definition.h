/* SPDX-License-Identifier: MIT */
/*
 * definition.h - what a valid definition is, in one place for all code that writes, reads or stores
 * them.
 */
#ifndef GILSCOPE_STREAM_DEFINITION_H
#define GILSCOPE_STREAM_DEFINITION_H

#include <stddef.h>
#include "stream/stream.h"

/* "function", "stack", "text", "source". */
const char *definition_name(enum definition_kind kind);

/* How many of each kind a stream has defined so far; all 0 at its start. */
struct definition_counts {
	uint32_t of[DEFINE_KINDS];
};

/*
 * NULL if the definition may follow those counted, else what is wrong with it, fit for a terminal:
 * its kind is unknown, its id is not the next one of its kind or is beyond the kind's limit, it has
 * no frames or too many, or a function that it names is not defined. The caller counts the
 * definitions that it accepts: counts->of[kind]++. Texts cannot be wrong: they are what
 * definition_text_length() makes of them.
 */
const char *definition_fault(const struct definition_counts *counts,
			     const struct definition *definition);

/* Length of a name, a file or a text without the terminator, cut to what DEFINE_TEXT_MAX allows. */
size_t definition_text_length(const char *text);

#endif
