/* SPDX-License-Identifier: MIT */
/*
 * handler.h - finds the application's own function in a stack: the route, task or callback, not a
 * frame of the framework.
 *
 * The rules are a table in handler_rules.c that says where frameworks call the application ("the
 * frame called by run_endpoint_function of fastapi/routing.py"). The innermost matching rule wins,
 * so that a dependency or a middleware's own frame is found as well as a route. Inside it the
 * handler is the outermost function in a file of the application (owner.h); or, where the rule's
 * frame calls nothing else (RULE_CALLS), what it called, which makes that function the
 * application's wherever its file lies. If no rule matches, the handler is the innermost frame in a
 * file of the application. There is no handler if there is no such frame; if the framework or the
 * loop itself is at work (a middleware that has passed the request on, or the function that runs
 * the loop, is not its handler); or if a frame that could not be read might be the handler.
 */
#ifndef GILSCOPE_SYMBOLS_HANDLER_H
#define GILSCOPE_SYMBOLS_HANDLER_H

#include "stream/names/dictionary.h"
#include "symbols/owner.h"

/* What kind of place the handler was called from: roles.def describes each. */
enum handler_role {
#define ROLE(NAME, name, doc) HANDLER_##NAME,
#include "symbols/roles.def"
	HANDLER_ROLES
};
/* The identifier in reports ("route"); NULL for what is not a role. */
const char *handler_role_name(enum handler_role role);

struct handler {
	enum handler_role role;
	uint32_t index; /* of the frame in the stack, 0 = innermost; undefined with HANDLER_NONE */
	struct stack_frame frame; /* that frame; function 0 with HANDLER_NONE */
};

struct handler_finder;

/*
 * `app_roots` (may be NULL with count 0): directories or module files that belong to the
 * application whatever they look like; a frame below one of them is never a library's. The strings
 * are copied. NULL if memory is short.
 */
struct handler_finder *handler_finder_new(const char *const *app_roots,
					  unsigned int app_root_count);
void handler_finder_free(struct handler_finder *finder);

/*
 * Notes that a sample with this stack has this STACK.root. A stack alone does not show whether the
 * loop runs a coroutine, in a task, or a plain callback, since tasks have no frames of their own.
 * If a function was ever sampled with root == 0, it is a plain callback, not a task's body.
 * Default: task.
 */
void handler_note(struct handler_finder *finder, const struct dictionary *dictionary,
		  uint32_t stack, uint64_t root);

/* The answer for a stack is cached, so asking again is cheap. All calls for one finder must use the
 * same dictionary. `stack` 0 or unknown: HANDLER_NONE. */
struct handler handler_find(struct handler_finder *finder, const struct dictionary *dictionary,
			    uint32_t stack);

/*
 * Whether so many frames of the stack are missing that it does not show which callback ran: frames
 * could not be read, or those outside one that was cut might be a rule's. With HANDLER_NONE nothing
 * is known of what ran then, while without missing frames it says that the framework or the loop
 * did. HANDLER_FRAME is still the application's innermost function.
 */
bool handler_unsure(struct handler_finder *finder, const struct dictionary *dictionary,
		    uint32_t stack);

/*
 * The application's innermost function in a stack: index of its frame, of `handler` itself if it
 * calls only others. False: there is none, or a frame inside it could not be read, which may be the
 * application's, too. `handler` need not be of this stack.
 */
bool handler_inner(struct handler_finder *finder, const struct dictionary *dictionary,
		   uint32_t stack, const struct handler *handler, uint32_t *ret_index);

/* The frame that the one at `index` called, itself or through generated code. False: there is
 * none, or it could not be read. */
bool handler_called(struct handler_finder *finder, const struct dictionary *dictionary,
		    uint32_t stack, uint32_t index, uint32_t *ret_index);

/*
 * For a stack without a frame of the application: the frame that says most about what it does, the
 * innermost one of an installed package, or else of the standard library; and its caller in another
 * package or module (*ret_caller is UINT32_MAX if there is none). False: no frame could be read.
 */
bool handler_library(struct handler_finder *finder, const struct dictionary *dictionary,
		     uint32_t stack, uint32_t *ret_index, uint32_t *ret_caller);

/* The outermost function of a stack whose package may be the application's, although nothing says
 * so: it is installed, and not a known framework. 0: there is none. */
uint32_t handler_candidate(struct handler_finder *finder, const struct dictionary *dictionary,
			   uint32_t stack);

/* Takes the processes of a stream: the packages that their command lines name are the
 * application's. */
struct stream_sink handler_finder_sink(struct handler_finder *finder);

/* Whether a file belongs to the application: it is not in the standard library, not below
 * site-packages or dist-packages, and not frozen. */
bool handler_is_application(const struct handler_finder *finder, const char *file);
/* Whose code it is, for colours: never OWNER_NOBODY. What was generated or frozen counts as the
 * standard library's, the file of a program that only starts a package as that package's. Without a
 * finder (NULL) all else is the application's. */
enum code_owner handler_owner(const struct handler_finder *finder, const char *name,
			      const char *file);

#endif
