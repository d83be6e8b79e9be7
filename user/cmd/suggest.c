/* SPDX-License-Identifier: MIT */
#include "cmd/suggest.h"

#include <stdint.h>
#include <string.h>

#define WORD_MAX 32

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Letters to insert, remove, replace or swap with their neighbour (optimal string alignment). */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1], *above = rows[1], *now = rows[2], *older = rows[0];
	size_t length = strlen(b);

	for (size_t j = 0; j <= length; j++)
		above[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t *free_row = older;

		now[0] = i + 1;
		for (size_t j = 0; j < length; j++) {
			now[j + 1] = least(least(above[j + 1], now[j]) + 1,
					   above[j] + (a[i] != b[j]));
			if (i && j && a[i] == b[j - 1] && a[i - 1] == b[j])
				now[j + 1] = least(now[j + 1], older[j - 1] + 1);
		}
		older = above;
		above = now;
		now = free_row;
	}
	return above[length];
}

const char *suggest(const char *typed, const char *(*word)(const void *ctx, size_t i),
		    const void *ctx)
{
	size_t length = strlen(typed), best = length <= 4 ? 2 : 3; /* less than that */
	const char *found = NULL, *candidate;

	for (size_t i = 0; length <= WORD_MAX && (candidate = word(ctx, i)); i++) {
		size_t letters = strlen(candidate) <= WORD_MAX ? distance(typed, candidate) : best;

		if (letters < best) {
			best = letters;
			found = candidate;
		}
	}
	return found;
}

static bool takes_argument(const struct argp_option *option)
{
	return option->arg && !(option->flags & OPTION_ARG_OPTIONAL);
}

/* The option, or the first of several, that a long name stands for. */
static const struct argp_option *long_option(const struct argp_option *options, size_t count,
					     const char *name, size_t length)
{
	const struct argp_option *found = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!options[i].name || strncmp(options[i].name, name, length) != 0)
			continue;
		if (!options[i].name[length])
			return &options[i];
		if (!found)
			found = &options[i];
	}
	return found;
}

/* Whether the last letter of "-qd" takes the next argument. */
static bool letters_take_next(const struct argp_option *options, size_t count, const char *letters)
{
	for (; *letters; letters++)
		for (size_t i = 0; i < count; i++)
			if (options[i].key == *letters && takes_argument(&options[i]))
				return !letters[1];
	return false;
}

/* argp's own */
static bool is_builtin(const char *name, size_t length)
{
	static const char *const names[] = {"help", "usage", "version"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(names[i], name, length))
			return true;
	return false;
}

const char *suggest_unknown(const struct argp_option *options, size_t count, bool takes_command,
			    char *const argv[])
{
	for (size_t at = 1; argv[at] && strcmp(argv[at], "--") != 0; at++) {
		const char *arg = argv[at];
		const struct argp_option *option;
		size_t length;

		if (arg[0] != '-' && takes_command)
			return NULL;
		if (arg[0] == '-' && arg[1] != '-' && letters_take_next(options, count, arg + 1)) {
			if (argv[at + 1])
				at++;
			continue;
		}
		if (arg[0] != '-' || arg[1] != '-')
			continue;
		length = strcspn(arg + 2, "=");
		option = long_option(options, count, arg + 2, length);
		if (!option && !is_builtin(arg + 2, length))
			return arg;
		if (option && !arg[2 + length] && takes_argument(option) && argv[at + 1])
			at++;
	}
	return NULL;
}
