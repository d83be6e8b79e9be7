/* SPDX-License-Identifier: MIT */
/*
 * calls.h - what a library's function is that keeps an event loop from going on, and what to do
 * instead: the tables calls.def and frameworks.def.
 */
#ifndef GILSCOPE_DIAGNOSIS_CALLS_H
#define GILSCOPE_DIAGNOSIS_CALLS_H

#include <stddef.h>

enum call_use {
	CALL_SLEPT,   /* a function that sleeps, called by the application */
	CALL_RAN,     /* one that computes, called by the application */
	CALL_AWAITED, /* a coroutine that the application awaits, and that need not wait */
	CALL_BODY,    /* a framework's work on a body before or after the handler */
	CALL_USES
};

struct library_call {
	const char *file, *function; /* what a frame must be (calls.def) */
	const char *what;	     /* NULL: it awaits, and nothing is said of what it calls */
	/* Sentences: all that is to be said, but where it computed the first; NULL: the row does
	 * not apply to that use. */
	const char *advice[CALL_USES];
};

/*
 * The first row that applies to a function (qualified, or before Python 3.11 its last part) of a
 * file; NULL: none. Only the standard library's and installed packages' files have rows: an
 * application may call its own files queue.py or requests.py.
 */
const struct library_call *library_call_find(const char *file, const char *function,
					     enum call_use use);

/* All rows, in order. */
extern const struct library_call library_calls[];
extern const size_t library_call_count;

#endif
