/* SPDX-License-Identifier: MIT */
/*
 * calls.h - what a library's function is that keeps an event loop from going on, and what to use
 * instead: the table calls.def.
 */
#ifndef GILSCOPE_DIAGNOSIS_CALLS_H
#define GILSCOPE_DIAGNOSIS_CALLS_H

#include <stddef.h>

struct library_call {
	const char *file, *function; /* what a frame must be (calls.def) */
	const char *what, *instead;
};

/* The first row for a function (qualified, or before Python 3.11 its last part) of a file; NULL:
 * none. */
const struct library_call *library_call_find(const char *file, const char *function);

/* All rows, in order. */
extern const struct library_call library_calls[];
extern const size_t library_call_count;

#endif
