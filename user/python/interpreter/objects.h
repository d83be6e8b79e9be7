/* SPDX-License-Identifier: MIT */
/*
 * objects.h - reads a few kinds of Python objects in a process's memory: str, int, dict, and
 * attributes of instances. The process keeps running and its memory may be forged: sizes and depths
 * are bounded, and a dict that changed while it was read is read again.
 */
#ifndef GILSCOPE_PYTHON_INTERPRETER_OBJECTS_H
#define GILSCOPE_PYTHON_INTERPRETER_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "python/target.h"

struct objects {
	pid_t pid;
	const struct python_layout *layout;
};

/* The means to read a target's objects; valid as long as the target. */
struct objects objects_of(const struct target *target);

/* The name in the object's type: "dict", "uvloop.loop.Loop". Errors as memory_read(); -EINVAL: not
 * a valid name. */
int object_type_name(const struct objects *objects, uint64_t object, char *to, size_t size);

/*
 * Calls `visit` with the names of the object's type and of the types it derives from (tp_base),
 * outwards, until it returns non-zero, and returns that; 0 at the end.
 */
int object_type_visit(const struct objects *objects, uint64_t object,
		      int (*visit)(void *ctx, const char *name), void *ctx);

/*
 * Reads a compact str at `object` as UTF-8 (Include/cpython/unicodeobject.h), cut at a whole
 * character to size - 1 bytes and terminated. What is not a character (lone surrogates) and NUL
 * become U+FFFD. Does not check the object's type. -EINVAL: not a compact str; only instances of
 * subclasses, and before 3.12 the legacy strings of PyUnicode_FromUnicode(), are not. Other errors
 * as memory_read().
 */
int str_read(pid_t pid, const struct python_layout *layout, uint64_t object, char *to, size_t size);

/* The same for an object of any type. -EINVAL: it is not a str. */
int object_text(const struct objects *objects, uint64_t object, char *to, size_t size);

/* An int that fits in 64 bits and is not negative. -EINVAL: the object is not. */
int object_int(const struct objects *objects, uint64_t object, uint64_t *ret_value);

/* A dict's items in their order: keys and values are objects. `visit` may end it by returning
 * non-zero, which is returned. -EAGAIN: it changed. */
int object_dict_visit(const struct objects *objects, uint64_t dict,
		      int (*visit)(void *ctx, uint64_t key, uint64_t value), void *ctx);

/* The value of a key that is an ASCII str. -ENOENT: the dict does not have it; -EAGAIN: it changed
 * all the time. */
int object_dict_get(const struct objects *objects, uint64_t dict, const char *key,
		    uint64_t *ret_value);

/* The attribute in an instance's own dict, or in the values that stand for it. -ENOENT. */
int object_attribute(const struct objects *objects, uint64_t object, const char *name,
		     uint64_t *ret_value);

#endif
