/* SPDX-License-Identifier: MIT */
/* handler_search.h - a stack as handler.c and handler_places.c look at it. Internal to the room. */
#ifndef GILSCOPE_SYMBOLS_HANDLER_SEARCH_H
#define GILSCOPE_SYMBOLS_HANDLER_SEARCH_H

#include "symbols/handler.h"
#include "symbols/owner.h"

struct stack_search {
	struct handler_finder *finder;
	const struct dictionary *dictionary;
	const struct stack_frame *frames;
	uint32_t count;
	bool cut;
};

/* All zero if the stack is not defined. */
struct stack_search search_of(struct handler_finder *finder, const struct dictionary *dictionary,
			      uint32_t stack);
/* The function of a frame; NULL: it could not be read, or there is no such frame. */
const struct definition *search_function(const struct stack_search *search, uint32_t index);
/* Whose it is by itself, cached; search_is_application(): and at this place in the stack. */
enum code_owner search_owner(const struct stack_search *search, const struct definition *function);
bool search_is_application(const struct stack_search *search, uint32_t index,
			   const struct definition *function);
/* Whether two functions are in one installed package. */
bool search_same_package(const struct definition *a, const struct definition *b);
/* Whether a top-level package is never the application's. */
bool search_is_framework(const char *package, size_t length);

#endif
