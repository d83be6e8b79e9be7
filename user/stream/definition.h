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
	uint64_t of[DEFINE_KINDS];
};

/* The number of the next one; after UINT32_MAX comes 1 again. */
uint32_t definition_next(const struct definition_counts *counts, enum definition_kind kind);
/* How many were defined after that number; UINT64_MAX: it was never defined (0 included). */
uint64_t definition_age(const struct definition_counts *counts, enum definition_kind kind,
			uint32_t number);
/* Readers accept a number until so many later ones are defined: the DEFINE_..._MAX of the kind. */
uint32_t definition_limit(enum definition_kind kind);
/* Writers use no number that is older than half of that, and gilscope's none that is older than
 * this: what was issued may still have to be put in order, while others are defined. */
uint32_t definition_renewal(enum definition_kind kind);

/*
 * NULL if the definition may follow those counted, else what is wrong with it, fit for a terminal:
 * its kind is unknown, its id is not the next one of its kind, it has no frames or too many, or a
 * function that it names is not defined, or so long ago that it may be forgotten. The caller counts
 * the definitions that it accepts: counts->of[kind]++. Texts cannot be wrong: they are what
 * definition_text_length() makes of them.
 */
const char *definition_fault(const struct definition_counts *counts,
			     const struct definition *definition);

/* Length of a name, a file or a text without the terminator, cut to what DEFINE_TEXT_MAX allows. */
size_t definition_text_length(const char *text);

#endif
