/* SPDX-License-Identifier: MIT */
/*
 * handler_rules.h - the table of places where frameworks call the application.
 */
#ifndef GILSCOPE_SYMBOLS_HANDLER_RULES_H
#define GILSCOPE_SYMBOLS_HANDLER_RULES_H

#include "symbols/handler.h"

enum handler_rule_flag {
	/*
	 * Only the frame directly inside counts, because this frame calls many other things.
	 * Anything deeper is reported as HANDLER_FRAME.
	 */
	RULE_DIRECT = 1,
	/*
	 * With no application frame inside, the framework itself is at work: application frames
	 * further out (a middleware, the caller of the server) have only passed control on.
	 */
	RULE_ENDS = 2,
	/* With no application frame inside, the loop or the server itself is at work: rules further
	 * out may still match, but not HANDLER_FRAME. */
	RULE_LOOP = 4,
	/* Middlewares that call each other with no frame of the framework in between: go inward as
	 * long as the next frame is a __call__. */
	RULE_CHAIN = 8,
	/* The same, as long as the caller has `middleware` in its name; the frame reached is the
	 * route, or the last middleware. */
	RULE_CHAIN_BY_NAME = 16,
	/* The innermost application frame instead of the outermost, since what is in between has no
	 * common name (HANDLER_FRAME). */
	RULE_INNERMOST = 32,
	/* The frame calls nothing but the application, so what it calls is the application's even
	 * when it is installed among the libraries. */
	RULE_CALLS = 64,
	/* Only for applications that are installed: those in files of their own are found by a rule
	 * further out, which knows the role better. */
	RULE_INSTALLED = 128,
	/* The package is also a program: where a command line names it, what it does itself is the
	 * application's (search_is_framework()). */
	RULE_PROGRAM = 256,
};

/*
 * A frame of `function` in `file` calls the application: the handler is the outermost application
 * frame inside it. Decorators and wrappers of libraries in between do not matter.
 */
struct handler_rule {
	const char *file; /* the end of the path, starting with a directory's name; ending with '/',
			     a directory anywhere in a library's path */
	const char *function; /* the end of the qualified name, starting after a dot; before
				 Python 3.11 only the last part is compared */
	const char *outer;    /* NULL; or what the next outer frame must be: the last part of its
				 function's name, or a directory of its library ("fastapi/") */
	enum handler_role role;
	unsigned int flags; /* RULE_… */
};

extern const struct handler_rule handler_rules[];
extern const unsigned int handler_rule_count;

/* Top-level packages that are never the application's, in addition to those of the rules. */
extern const char *const handler_frameworks[];
extern const unsigned int handler_framework_count;

#endif
