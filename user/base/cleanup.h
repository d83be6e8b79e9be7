/* SPDX-License-Identifier: MIT */
/*
 * cleanup.h - resources bound to a scope: `_cleanup_(fclosep) FILE *f = NULL;` is closed when the
 * scope is left, in whatever way. A cleanup function gets a pointer to the variable. STEAL() passes
 * the resource on and disarms the cleanup.
 */
#ifndef GILSCOPE_BASE_CLEANUP_H
#define GILSCOPE_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

/* Defines NAMEp(TYPE *), a cleanup that calls `function` unless the variable is `empty`. */
#define DEFINE_CLEANUP(name, type, function, empty)                                                \
	static inline void name##p(type *value)                                                    \
	{                                                                                          \
		if (*value != (empty))                                                             \
			(void)function(*value);                                                    \
	}

DEFINE_CLEANUP(fclose, FILE *, fclose, NULL)
DEFINE_CLEANUP(close, int, close, -1)

static inline void freep(void *value)
{
	free(*(void **)value);
}

#define STEAL(variable, empty)                                                                     \
	({                                                                                         \
		__typeof__(variable) stolen_ = (variable);                                         \
		(variable) = (empty);                                                              \
		stolen_;                                                                           \
	})

#endif
