/* SPDX-License-Identifier: MIT */
#include "diagnosis/calls.h"

#include <stdbool.h>
#include <string.h>

const struct library_call library_calls[] = {
#define CALL(file, function, what, instead) {file, function, what, instead},
#include "diagnosis/calls.def"
};
const size_t library_call_count = sizeof(library_calls) / sizeof(library_calls[0]);

/* Whether `end` is the end of `text`, and begins it or comes after a `separator`. */
static bool ends_with(const char *text, const char *end, char separator)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && !strcmp(text + length - end_length, end) &&
	       (length == end_length || text[length - end_length - 1] == separator);
}

static bool is_file(const char *path, const char *file)
{
	if (file[strlen(file) - 1] != '/')
		return ends_with(path, file, '/');
	for (const char *at = path; (at = strstr(at, file)); at++)
		if (at == path || at[-1] == '/')
			return true;
	return false;
}

/* Before Python 3.11 a name has no class in front. */
static bool is_function(const char *name, const char *function)
{
	const char *last = strrchr(function, '.');

	return !*function || ends_with(name, function, '.') ||
	       (last && !strchr(name, '.') && !strcmp(name, last + 1));
}

const struct library_call *library_call_find(const char *file, const char *function)
{
	for (size_t i = 0; i < library_call_count; i++)
		if (is_file(file, library_calls[i].file) &&
		    is_function(function, library_calls[i].function))
			return &library_calls[i];
	return NULL;
}
