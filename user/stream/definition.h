/* SPDX-License-Identifier: MIT */
/*
 * definition.h - what a definition must be like, in one place for all that write, read and keep
 * them.
 */
#ifndef GILSCOPE_STREAM_DEFINITION_H
#define GILSCOPE_STREAM_DEFINITION_H

#include <stddef.h>
#include "stream/stream.h"

/* "function", "stack", "text". */
const char *definition_name(enum definition_kind kind);

/* How many of each kind a stream has defined so far; all 0 at its start. */
struct definition_counts {
	uint32_t of[DEFINE_KINDS];
};

/*
 * NULL when the definition may follow those that are counted, or what is wrong with it, fit for a
 * terminal: its kind is unknown, its id is not the next one of its kind or beyond the kind's limit,
 * it has too few or too many frames, or a frame's function is not defined. Whoever takes the
 * definition counts it: counts->of[kind]++. Texts can't be wrong: they are what
 * definition_text_length() makes of them.
 */
const char *definition_fault(const struct definition_counts *counts,
			     const struct definition *definition);

/* Bytes of a name, a file or a text, without the terminator: what is longer than DEFINE_TEXT_MAX
 * allows is cut there. */
size_t definition_text_length(const char *text);

#endif
