/* SPDX-License-Identifier: MIT */
/*
 * handler.h - the application's own function in a stack: the route, task or callback, not a frame
 * of the framework.
 *
 * The table of rules is in handler_rules.c, in one place: where a framework calls the application
 * ("the frame called by run_endpoint_function of fastapi/routing.py"). The innermost rule that
 * matches wins, so a dependency or a middleware's own frame is found as well as a route. Where no
 * rule matches, the handler is the innermost frame outside of the standard library and
 * site-packages; where there is none either, the stack has none. It has none either where the
 * framework or the loop itself is at work: a middleware that has handed on, or the function that
 * runs the loop, is not its handler; and where a frame that could not be read might be the handler.
 */
#ifndef GILSCOPE_SYMBOLS_HANDLER_H
#define GILSCOPE_SYMBOLS_HANDLER_H

#include "stream/dictionary.h"

/* What kind of place the handler was called from; names by handler_role_name(). */
enum handler_role {
	HANDLER_NONE,  /* no frame of the application */
	HANDLER_ROUTE, /* a route function, or view */
	HANDLER_DEPENDENCY,
	HANDLER_MIDDLEWARE,
	HANDLER_BACKGROUND, /* a background task */
	HANDLER_EXECUTOR,   /* handed to a thread pool: run_in_executor, to_thread, anyio,
			       concurrent.futures */
	HANDLER_THREAD,	    /* target of a threading.Thread */
	HANDLER_TASK, /* outermost application frame of an asyncio task, or of what else the loop
			 calls: see handler_note() */
	HANDLER_CALLBACK, /* a plain callback of the loop, or a method of a protocol */
	HANDLER_FRAME,	  /* no rule matched: the innermost frame of the application */
	HANDLER_ROLES
};
const char *handler_role_name(enum handler_role role);

struct handler {
	enum handler_role role;
	uint32_t
		index; /* of the frame in the stack, 0 = innermost; meaningless with HANDLER_NONE */
	struct stack_frame frame; /* that frame; function 0 with HANDLER_NONE */
};

struct handler_finder;

/*
 * `app_roots` (may be NULL with count 0): directories or module files that are the application's
 * whatever they look like; a frame below one of them is never the library's. The strings are
 * copied. NULL when memory is short.
 */
struct handler_finder *handler_finder_new(const char *const *app_roots,
					  unsigned int app_root_count);
void handler_finder_free(struct handler_finder *finder);

/*
 * A sample with this stack has this STACK.root. A stack alone does not tell a coroutine, which a
 * task runs, from a callback, which the loop calls just so (tasks have no frames of their own); a
 * function that has been seen in a stack without a coroutine is no task's. Until then it counts as
 * one.
 */
void handler_note(struct handler_finder *finder, const struct dictionary *dictionary,
		  uint32_t stack, uint64_t root);

/* The answer for a stack is kept, so asking again is cheap; all questions to a finder are about one
 * dictionary. `stack` 0 or unknown: HANDLER_NONE. */
struct handler handler_find(struct handler_finder *finder, const struct dictionary *dictionary,
			    uint32_t stack);

/* Is a file the application's: not of the standard library, not below site-packages or
 * dist-packages, not frozen? */
bool handler_is_application(const struct handler_finder *finder, const char *file);

#endif
