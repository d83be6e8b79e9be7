/* SPDX-License-Identifier: MIT */
#include "diagnosis/calls.h"

#include <stdbool.h>
#include <string.h>

const struct library_call library_calls[] = {
#define CALL(file, function, what, slept, ran)                                                     \
	{file, function, what, {[CALL_SLEPT] = slept, [CALL_RAN] = ran}},
#include "diagnosis/calls.def"
#define AWAITED(file, function, what, advice) {file, function, what, {[CALL_AWAITED] = advice}},
#define BODY(file, function, what, advice)    {file, function, what, {[CALL_BODY] = advice}},
#include "diagnosis/frameworks.def"
};
const size_t library_call_count = sizeof(library_calls) / sizeof(library_calls[0]);

/* ── files ───────────────────────────────────────────────────────────────── */

static bool begins_with(const char *text, const char *begin)
{
	return strncmp(text, begin, strlen(begin)) == 0;
}

/* The beginning of the path's part that ends before `end`, the place of a '/'. */
static const char *part_before(const char *path, const char *end)
{
	while (end > path && end[-1] != '/')
		end--;
	return end;
}

/* Whether a library's root directory ends before `at`: ".../lib/python3.11/",
 * ".../python311.zip/", or ".../site-packages/" (Debian: dist-packages). */
static bool is_root(const char *path, const char *at)
{
	const char *part, *above;

	if (at < path + 2)
		return false;
	part = part_before(path, at - 1);
	if (begins_with(part, "site-packages/") || begins_with(part, "dist-packages/"))
		return true;
	if (!begins_with(part, "python3"))
		return false;
	above = part > path ? part_before(path, part - 1) : part;
	return begins_with(above, "lib/") || begins_with(above, "lib64/") ||
	       begins_with(at - 5, ".zip/");
}

/* Modules that are part of the interpreter's binary: "<frozen importlib._bootstrap>" for
 * importlib/_bootstrap.py. */
static bool is_frozen(const char *path, const char *file)
{
	static const char FROZEN[] = "<frozen ";

	if (!begins_with(path, FROZEN))
		return false;
	for (path += sizeof(FROZEN) - 1; *path && *path == (*file == '/' ? '.' : *file); file++)
		path++;
	return !strcmp(path, ">") && !strcmp(file, ".py");
}

static bool is_file(const char *path, const char *file)
{
	size_t length = strlen(file);

	for (const char *at = path; (at = strstr(at, file)); at++)
		if ((file[length - 1] == '/' || !at[length]) && is_root(path, at))
			return true;
	return is_frozen(path, file);
}

/* ── functions ───────────────────────────────────────────────────────────── */

/* Whether `part` is in `name` from its beginning or a dot on, and `name` then ends, or continues
 * in any way if `part` is a class with its dot. */
static bool has_part(const char *name, const char *part)
{
	size_t length = strlen(part);

	for (const char *at = name; (at = strstr(at, part)); at++)
		if ((at == name || at[-1] == '.') && (part[length - 1] == '.' || !at[length]))
			return true;
	return false;
}

/* Before Python 3.11 a name has no class in front. */
static bool is_function(const char *name, const char *function)
{
	const char *last = strrchr(function, '.');

	return !*function || has_part(name, function) ||
	       (last && last[1] && !strchr(name, '.') && !strcmp(name, last + 1));
}

/* A row without a name is PASS: whatever the function calls, no other row is to speak of it. */
static bool applies(const struct library_call *call, enum call_use use)
{
	return call->advice[use] || (!call->what && (use == CALL_SLEPT || use == CALL_RAN));
}

const struct library_call *library_call_find(const char *file, const char *function,
					     enum call_use use)
{
	for (size_t i = 0; i < library_call_count; i++) {
		const struct library_call *call = &library_calls[i];

		if (applies(call, use) && is_file(file, call->file) &&
		    is_function(function, call->function))
			return call;
	}
	return NULL;
}
