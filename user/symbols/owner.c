/* SPDX-License-Identifier: MIT */
#include "symbols/owner.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKAGES_MAX 64		       /* named on command lines */
#define PYTHON_FLAGS "bBdEiIOPqRsSuvx" /* options without an argument, which may share a word */

struct owners {
	char **roots;
	size_t *root_lengths;
	unsigned int root_count;
	char *packages[PACKAGES_MAX];
	unsigned int package_count;
	bool string; /* some process is python -c PROGRAM */
};

struct owners *owners_new(const char *const *roots, unsigned int count)
{
	struct owners *owners = calloc(1, sizeof(*owners));

	if (!owners || !count)
		return owners;
	owners->roots = calloc(count, sizeof(*owners->roots));
	owners->root_lengths = calloc(count, sizeof(*owners->root_lengths));
	for (unsigned int i = 0; owners->roots && owners->root_lengths && i < count; i++) {
		owners->roots[i] = strdup(roots[i]);
		if (!owners->roots[i])
			break;
		owners->root_lengths[i] = strlen(roots[i]);
		while (owners->root_lengths[i] && roots[i][owners->root_lengths[i] - 1] == '/')
			owners->root_lengths[i]--;
		owners->root_count++;
	}
	if (owners->root_count == count)
		return owners;
	owners_free(owners);
	return NULL;
}

void owners_free(struct owners *owners)
{
	if (!owners)
		return;
	for (unsigned int i = 0; i < owners->root_count; i++)
		free(owners->roots[i]);
	for (unsigned int i = 0; i < owners->package_count; i++)
		free(owners->packages[i]);
	free(owners->roots);
	free(owners->root_lengths);
	free(owners);
}

/* ── paths ───────────────────────────────────────────────────────────────── */

static bool segment_is(const char *segment, size_t length, const char *name)
{
	return length == strlen(name) && memcmp(segment, name, length) == 0;
}

/* "python3.11", with a `t` appended in free-threaded builds; or the zipped standard library,
 * "python311.zip". */
static bool is_python_dir(const char *segment, size_t length, bool *ret_zip)
{
	size_t i = 7;

	*ret_zip = false;
	if (length < 8 || memcmp(segment, "python3", 7) != 0)
		return false;
	if (segment[i] == '.')
		i++;
	while (i < length && isdigit((unsigned char)segment[i]))
		i++;
	*ret_zip = segment_is(segment + i, length - i, ".zip");
	return (segment[7] == '.' && i > 8 &&
		(i == length || segment_is(segment + i, length - i, "t"))) ||
	       *ret_zip;
}

/* The path within a library: after site-packages, dist-packages, or the standard library's
 * directory (lib or lib64, then python3.N, in every installation and virtual environment). NULL: in
 * none. */
static const char *inside_library(const char *file, bool *ret_stdlib)
{
	bool after_lib = false, zip;
	const char *inside = NULL;

	*ret_stdlib = false;
	for (const char *segment = file; *segment;) {
		size_t length = strcspn(segment, "/");
		const char *next = segment + length + (segment[length] == '/');

		if (segment[length] == '/' && (segment_is(segment, length, "site-packages") ||
					       segment_is(segment, length, "dist-packages"))) {
			*ret_stdlib = false;
			return next;
		}
		if (!inside && segment[length] == '/' && is_python_dir(segment, length, &zip) &&
		    (after_lib || zip)) {
			*ret_stdlib = true;
			inside = next;
		}
		after_lib = segment_is(segment, length, "lib") ||
			    segment_is(segment, length, "lib64");
		segment = next;
	}
	return inside;
}

const char *owner_package_name(const char *file, size_t *ret_length)
{
	bool stdlib;
	const char *inside = inside_library(file, &stdlib);

	*ret_length = inside && !stdlib ? strcspn(inside, "/") : 0;
	return inside;
}

size_t owner_package(const char *file)
{
	size_t length;
	const char *name = owner_package_name(file, &length);

	return length ? (size_t)(name - file) + length : 0;
}

void owner_module(const char *file, char *to, size_t size)
{
	static const char *const ends[] = {".py", "/__init__"};
	bool stdlib;
	const char *inside = inside_library(file, &stdlib), *slash = strrchr(file, '/');

	snprintf(to, size, "%s", inside ? inside : slash ? slash + 1 : file);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t length = strlen(to), end = strlen(ends[i]);

		if (length > end && strcmp(to + length - end, ends[i]) == 0)
			to[length - end] = '\0';
	}
	for (char *at = to; *at; at++)
		if (*at == '/')
			*at = '.';
}

/* ── command lines ───────────────────────────────────────────────────────── */

/* Length of the identifier that `text` begins with. */
static size_t identifier(const char *text)
{
	size_t length = 0;

	while (isalpha((unsigned char)text[length]) || text[length] == '_' ||
	       (length && isdigit((unsigned char)text[length])))
		length++;
	return length;
}

/* Length of "shop.api", up to `end`; 0: it is not a dotted name. */
static size_t dotted_name(const char *text, size_t end)
{
	size_t length = 0, part;

	while ((part = identifier(text + length)) && length + part < end &&
	       text[length + part] == '.')
		length += part + 1;
	return part && length + part <= end ? length + part : 0;
}

/* Whether the word names a module: "shop.api:app", "shop.wsgi", or any name where one is wanted. */
static bool names_module(const char *word, size_t length, bool wanted)
{
	size_t name = dotted_name(word, length);

	if (!name)
		return false;
	if (name == length)
		return wanted || memchr(word, '.', length);
	return word[name] == ':' && identifier(word + name + 1);
}

static int add_package(struct owners *owners, const char *name, size_t length,
		       bool (*is_framework)(const char *package, size_t length))
{
	if (!length || is_framework(name, length) || owners->package_count == PACKAGES_MAX)
		return 0;
	for (unsigned int i = 0; i < owners->package_count; i++)
		if (segment_is(name, length, owners->packages[i]))
			return 0;
	owners->packages[owners->package_count] = strndup(name, length);
	if (!owners->packages[owners->package_count])
		return -ENOMEM;
	owners->package_count++;
	return 1;
}

/* The module named by the n-th word; for a program in a directory bin, that of its own name, with
 * `_` for `-`. */
static int add_word(struct owners *owners, const char *word, size_t length, bool wanted,
		    bool (*is_framework)(const char *package, size_t length))
{
	const char *base = memrchr(word, '/', length);
	char name[256];

	if (!base)
		return names_module(word, length, wanted)
			       ? add_package(owners, word, identifier(word), is_framework)
			       : 0;
	length -= (size_t)(++base - word);
	if (base - word < 5 || memcmp(base - 5, "/bin/", 5) != 0 || length >= sizeof(name))
		return 0;
	memcpy(name, base, length);
	name[length] = '\0';
	for (char *dash = name; (dash = strchr(dash, '-'));)
		*dash = '_';
	return identifier(name) == length ? add_package(owners, name, length, is_framework) : 0;
}

static bool begins_with(const char *text, const char *begin)
{
	return strncmp(text, begin, strlen(begin)) == 0;
}

/* Whether it is python -c PROGRAM, with other options in between or in the same word; but not the
 * program with which multiprocessing starts its processes. */
static bool runs_string(const char *command)
{
	const char *word = command + strcspn(command, " ");
	const char *base = memrchr(command, '/', (size_t)(word - command));

	if (!begins_with(base ? base + 1 : command, "python"))
		return false;
	while (word[0] == ' ' && word[1] == '-') {
		size_t length = strcspn(++word, " "), flags = 1 + strspn(word + 1, PYTHON_FLAGS);
		bool takes_next = segment_is(word, length, "-X") || segment_is(word, length, "-W");

		if (word[flags] == 'c' && flags + 1 == length)
			return !begins_with(word + length, " from multiprocessing.") &&
			       !begins_with(word + length, " from billiard.");
		word += length;
		if (takes_next && *word)
			word += 1 + strcspn(word + 1, " ");
	}
	return false;
}

int owners_add_command(struct owners *owners, const char *command,
		       bool (*is_framework)(const char *package, size_t length))
{
	static const char *const options[] = {"-m", "-A", "--app"};
	bool wanted = false;
	int found = !owners->string && runs_string(command);

	owners->string |= found;

	for (const char *word = command; *word;) {
		size_t length = strcspn(word, " ");
		int err = add_word(owners, word, length, wanted, is_framework);

		if (err < 0)
			return err;
		found |= err;
		wanted = false;
		for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
			wanted |= segment_is(word, length, options[i]);
		word += length + (word[length] == ' ');
	}
	return found;
}

const char *function_last_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

/* ── the answer ──────────────────────────────────────────────────────────── */

/*
 * Code without a file: frozen, or made by libraries at run time. In "<string>" are what they exec()
 * (methods of dataclasses, of namedtuple and of multiprocessing's proxies; celery makes a function
 * for each task to check its arguments) and the program of python -c. Of that, the functions are
 * the application's. A file named like the function is not one: Sanic compiles its own methods
 * anew, and the interpreter has a code object of its own, __init__, for classes that it calls
 * (3.12, 3.13).
 */
static bool is_generated(const struct owners *owners, const char *name, const char *file)
{
	static const char *const begins[] = {
		"<frozen ",	 "<attrs generated ", "<decorator-gen-", "<__array_function__ ",
		"<makefun-gen-", "<boltons.",	      "<template>",	 "<interpreter "};
	const char *last = function_last_part(name);

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (begins_with(file, begins[i]))
			return true;
	if (*file && strcmp(file, last) == 0)
		return true;
	return strcmp(file, "<string>") == 0 &&
	       (!owners->string || begins_with(last, "__") || *last == '<');
}

bool owner_is_launcher(const char *name, const char *file)
{
	const char *base = strrchr(file, '/');

	return strcmp(name, "<module>") == 0 && base && base - file >= 4 &&
	       memcmp(base - 4, "/bin", 4) == 0 && !strchr(base, '.');
}

bool owner_is_application(const struct owners *owners, const char *file)
{
	return code_owner_of(owners, "", file) == OWNER_APPLICATION;
}

static bool is_rooted(const struct owners *owners, const char *file)
{
	for (unsigned int i = 0; i < owners->root_count; i++) {
		size_t length = owners->root_lengths[i];

		if (strncmp(file, owners->roots[i], length) == 0 &&
		    (file[length] == '/' || !file[length]))
			return true;
	}
	return false;
}

/* `inside`: the path after site-packages. A package's directory, or its only file. */
static bool is_named(const struct owners *owners, const char *inside)
{
	for (unsigned int i = 0; i < owners->package_count; i++) {
		size_t length = strlen(owners->packages[i]);

		if (strncmp(inside, owners->packages[i], length) == 0 &&
		    (inside[length] == '/' || strcmp(inside + length, ".py") == 0))
			return true;
	}
	return false;
}

enum code_owner code_owner_of(const struct owners *owners, const char *name, const char *file)
{
	const char *inside;
	bool stdlib;

	if (is_rooted(owners, file))
		return OWNER_APPLICATION;
	if (is_generated(owners, name, file))
		return OWNER_NOBODY;
	inside = inside_library(file, &stdlib);
	if (!inside)
		return OWNER_APPLICATION;
	if (stdlib)
		return OWNER_STDLIB;
	return is_named(owners, inside) ? OWNER_APPLICATION : OWNER_LIBRARY;
}
