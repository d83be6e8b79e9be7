/* SPDX-License-Identifier: MIT */
/* What a stack says in addition to its handler: the functions around the one that a person seeks.
 */
#include <string.h>

#include "symbols/handler_search.h"

/* ── its innermost function ──────────────────────────────────────────────── */

bool handler_inner(struct handler_finder *finder, const struct dictionary *dictionary,
		   uint32_t stack, const struct handler *handler, uint32_t *ret_index)
{
	const struct definition *own = dictionary_find(dictionary, DEFINE_FUNCTION,
						       handler->frame.function);
	struct stack_search search = search_of(finder, dictionary, stack);

	if (handler->role == HANDLER_NONE)
		return false;
	for (uint32_t i = 0; i < search.count; i++) {
		const struct definition *function = search_function(&search, i);

		if (!function)
			return false;
		if (search_is_application(&search, i, function) || function == own ||
		    (own && search_same_package(own, function))) {
			*ret_index = i;
			return true;
		}
	}
	return false;
}

bool handler_called(struct handler_finder *finder, const struct dictionary *dictionary,
		    uint32_t stack, uint32_t index, uint32_t *ret_index)
{
	struct stack_search search = search_of(finder, dictionary, stack);

	while (index--) {
		const struct definition *function = search_function(&search, index);

		if (!function)
			return false;
		*ret_index = index;
		if (search_owner(&search, function) != OWNER_NOBODY)
			return true;
	}
	return false;
}

/* Whether two functions are in one package, or in one module of the standard library. */
static bool same_library(const struct definition *a, const struct definition *b)
{
	char one[128], other[128];

	owner_module(a->function.file, one, sizeof(one));
	owner_module(b->function.file, other, sizeof(other));
	one[strcspn(one, ".")] = other[strcspn(other, ".")] = '\0';
	return strcmp(one, other) == 0;
}

/* The next frame outwards from `index` on, of this owner or of a library, and in another one
 * than `unlike` (NULL: in any). UINT32_MAX: none. */
static uint32_t next_outwards(const struct stack_search *search, uint32_t index,
			      enum code_owner least, const struct definition *unlike)
{
	for (; index < search->count; index++) {
		const struct definition *function = search_function(search, index);

		if (function && search_owner(search, function) >= least &&
		    search_owner(search, function) <= OWNER_LIBRARY &&
		    (!unlike || !same_library(function, unlike)))
			return index;
	}
	return UINT32_MAX;
}

bool handler_library(struct handler_finder *finder, const struct dictionary *dictionary,
		     uint32_t stack, uint32_t *ret_index, uint32_t *ret_caller)
{
	struct stack_search search = search_of(finder, dictionary, stack);
	uint32_t index = next_outwards(&search, 0, OWNER_LIBRARY, NULL);

	if (index == UINT32_MAX)
		index = next_outwards(&search, 0, OWNER_STDLIB, NULL);
	if (index == UINT32_MAX)
		return false;
	*ret_index = index;
	*ret_caller = next_outwards(&search, index + 1, OWNER_STDLIB,
				    search_function(&search, index));
	return true;
}

uint32_t handler_candidate(struct handler_finder *finder, const struct dictionary *dictionary,
			   uint32_t stack)
{
	struct stack_search search = search_of(finder, dictionary, stack);

	for (uint32_t i = search.count; i--;) {
		const struct definition *function = search_function(&search, i);
		const char *package;
		size_t length;

		if (!function || search_owner(&search, function) != OWNER_LIBRARY)
			continue;
		package = owner_package_name(function->function.file, &length);
		if (length && !search_is_framework(package, length))
			return function->id;
	}
	return 0;
}
