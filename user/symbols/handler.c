/* SPDX-License-Identifier: MIT */
#include "symbols/handler.h"

#include <stdlib.h>

struct handler_finder {
	unsigned int app_root_count;
};

const char *handler_role_name(enum handler_role role)
{
	static const char *const names[HANDLER_ROLES] = {
		[HANDLER_NONE] = "none",	     [HANDLER_ROUTE] = "route",	      [HANDLER_DEPENDENCY] = "dependency",
		[HANDLER_MIDDLEWARE] = "middleware", [HANDLER_BACKGROUND] = "background", [HANDLER_EXECUTOR] = "executor",
		[HANDLER_THREAD] = "thread",	     [HANDLER_TASK] = "task",	      [HANDLER_CALLBACK] = "callback",
		[HANDLER_FRAME] = "frame",
	};

	return role < HANDLER_ROLES ? names[role] : NULL;
}

struct handler_finder *handler_finder_new(const char *const *app_roots, unsigned int app_root_count)
{
	return calloc(1, sizeof(struct handler_finder));
}

void handler_finder_free(struct handler_finder *finder)
{
	free(finder);
}

struct handler handler_find(struct handler_finder *finder, const struct dictionary *dictionary, uint32_t stack)
{
	return (struct handler){0};
}

bool handler_is_application(const struct handler_finder *finder, const char *file)
{
	return false;
}
