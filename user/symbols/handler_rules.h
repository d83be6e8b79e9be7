/* SPDX-License-Identifier: MIT */
/*
 * handler_rules.h - the table that says where frameworks call the application.
 */
#ifndef GILSCOPE_SYMBOLS_HANDLER_RULES_H
#define GILSCOPE_SYMBOLS_HANDLER_RULES_H

#include "symbols/handler.h"

enum handler_rule_flag {
	/*
	 * Only the frame just inside counts, because this frame calls much else too. What lies
	 * deeper is told as HANDLER_FRAME.
	 */
	RULE_DIRECT = 1,
	/*
	 * With nothing of the application inside, the framework itself is at work: whatever of the
	 * application lies further out, a middleware or the server's caller, has only handed on.
	 */
	RULE_ENDS = 2,
	/* With nothing of the application inside, the loop or the server itself is at work: other
	   rules may apply further out, but no HANDLER_FRAME. */
	RULE_LOOP = 4,
	/* Middlewares that call each other without a frame of the framework between them: go inward
	   as long as the next frame is a __call__. */
	RULE_CHAIN = 8,
	/* … as long as it is called by one that has `middleware` in its name; who is left is the
	   route, or the last middleware. */
	RULE_CHAIN_BY_NAME = 16,
	/* The innermost frame of the application instead of the outermost one: what lies between
	   has no name as a whole (HANDLER_FRAME). */
	RULE_INNERMOST = 32,
};

/*
 * A frame of `function` in `file` calls the application: the handler is the outermost frame of the
 * application inside it. Decorators and wrappers of libraries that lie between do not matter.
 */
struct handler_rule {
	const char *file; /* the end of the path, from a directory's name on; one that ends with '/'
			     is a directory anywhere in a library's path */
	const char *function; /* the end of the qualified name, from a dot on; before Python 3.11
				 its last part is compared */
	const char *outer;    /* NULL; or what the frame outside must be: the last part of its
				 function's name, or a directory of its library's file ("fastapi/") */
	enum handler_role role;
	unsigned int flags; /* RULE_… */
};

extern const struct handler_rule handler_rules[];
extern const unsigned int handler_rule_count;

#endif
