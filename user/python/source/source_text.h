/* SPDX-License-Identifier: MIT */
/*
 * source_text.h - finds a function's line, or its decorator, in the text of its file, if the text
 * is the one that the code was made from as far as can be seen. Pure; the text is hostile.
 */
#ifndef GILSCOPE_PYTHON_SOURCE_SOURCE_TEXT_H
#define GILSCOPE_PYTHON_SOURCE_SOURCE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCE_TEXT_MAX 200 /* bytes, terminator included; longer lines end with an ellipsis */

struct source_place {
	const char *name;    /* of the function, qualified or not */
	const char *file;    /* as the code object has it */
	uint32_t first_line; /* of its code object: where its decorators begin, if it has any */
	uint32_t line;	     /* 0: its decorator */
};

/*
 * The line without the blanks around it; or the decorator in one line, without comments: the first
 * one with a path ("/…") in it, which is the route, else the first.
 *
 * False: there is no such line, or the text does not fit the code: behind the decorators there must
 * be the function's `def` (or `class`), or `lambda` on the first line. Comprehensions and modules
 * leave no such trace, so of these only lines of files called *.py are told: other texts (those of
 * templates) have line numbers of their own.
 */
bool source_find(const char *text, size_t length, const struct source_place *place,
		 char to[static SOURCE_TEXT_MAX]);

#endif
