/* SPDX-License-Identifier: MIT */
/*
 * owner.h - whose code a function is, by its file and name alone: the application's, a library's,
 * or none. Its callers are considered in handler.c, and take precedence.
 */
#ifndef GILSCOPE_SYMBOLS_OWNER_H
#define GILSCOPE_SYMBOLS_OWNER_H

#include <stdbool.h>
#include <stddef.h>

enum code_owner {
	OWNER_NOBODY, /* code that was generated, or only starts a program: it is never an answer */
	OWNER_STDLIB, /* the standard library */
	OWNER_LIBRARY,	   /* an installed package */
	OWNER_APPLICATION, /* everything else */
};

struct owners;

/*
 * `roots` (may be NULL with count 0): directories or module files that belong to the application
 * whatever they look like. The strings are copied. NULL if memory is short.
 */
struct owners *owners_new(const char *const *roots, unsigned int count);
void owners_free(struct owners *owners);

/*
 * Adds the packages that a command line names, wherever they are installed: `shop` of "uvicorn
 * shop.api:app", "python -m shop" and "/srv/venv/bin/shop". `is_framework` says which packages are
 * never the application's, such as uvicorn itself. Returns 1 if there is a new one, 0, or -ENOMEM.
 */
int owners_add_command(struct owners *owners, const char *command,
		       bool (*is_framework)(const char *package, size_t length));

enum code_owner code_owner_of(const struct owners *owners, const char *name, const char *file);
/* The same without the function's name: is the file the application's? */
bool owner_is_application(const struct owners *owners, const char *file);

/* Whether this is the `<module>` of a program file as installers write it into a directory bin:
 * it has no owner if it only calls something in another file. */
bool owner_is_launcher(const char *name, const char *file);

/* "run" of "Runner.run"; before Python 3.11 names have only that part. */
const char *function_last_part(const char *name);

/* The part of a library's path that names its package: length of ".../site-packages/shop"; 0: the
 * file is in no package. */
size_t owner_package(const char *file);
/* The package's own name in it; length 0: none. */
const char *owner_package_name(const char *file, size_t *ret_length);
/* A library's path as a module: "json.decoder" for ".../lib/python3.11/json/decoder.py"; what is in
 * no library keeps only its file's name. `to` is terminated. */
void owner_module(const char *file, char *to, size_t size);

#endif
