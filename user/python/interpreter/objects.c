/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "python/process/memory.h"
#include "python/interpreter/objects.h"
#include "python/interpreter/version.h"

enum {
	TYPE_DEPTH_MAX = 16,
	TYPE_NAME_BYTES = 128,
	TEXT_CHARACTERS_MAX = 1 << 12,
	/* PyTypeObject, from tp_name on (Include/cpython/object.h) */
	TYPE_FLAGS = 144,
	TYPE_BASE = 232,
	FLAG_LONG = 24, /* Py_TPFLAGS_LONG_SUBCLASS */
	FLAG_UNICODE = 28,
	FREE_THREADED_HEADER = 16, /* ob_tid, ob_ref_local, ob_ref_shared … instead of ob_refcnt
				      (Include/object.h, Py_GIL_DISABLED) */
	INT_SIZE = 16, /* ob_size, the digits' number with the sign; from 3.12 on lv_tag */
	INT_DIGITS = 24,
	INT_DIGIT_BITS = 30,
};

struct objects objects_of(const struct target *target)
{
	return (struct objects){.pid = (pid_t)target->info.pid,
				.minor = version_minor(target->version_hex),
				.layout = &target->code,
				.header = target->free_threaded ? FREE_THREADED_HEADER : 0};
}

static int type_of(const struct objects *objects, uint64_t object, uint64_t *ret_type)
{
	return memory_read_u64(objects->pid, object + (uint64_t)objects->layout->type, ret_type);
}

static int type_name(const struct objects *objects, uint64_t type, char *to, size_t size)
{
	uint64_t address;
	int err = memory_read_u64(objects->pid, type + (uint64_t)objects->layout->type_name,
				  &address);

	if (!err)
		err = memory_read_text(objects->pid, address, to, size);
	if (err)
		return err;
	for (const char *p = to; *p; p++)
		if (*p < ' ' && *p > 0)
			return -EINVAL;
	return *to ? 0 : -EINVAL;
}

/* Does the type derive from int, str, …? CPython keeps a flag for that. */
static bool has_flag(const struct objects *objects, uint64_t object, unsigned int flag)
{
	uint64_t type, flags;

	return !type_of(objects, object, &type) &&
	       !memory_read_u64(objects->pid,
				type + (uint64_t)objects->layout->type_name + TYPE_FLAGS, &flags) &&
	       flags >> flag & 1;
}

int object_type_name(const struct objects *objects, uint64_t object, char *to, size_t size)
{
	uint64_t type;
	int err = type_of(objects, object, &type);

	return err ? err : type_name(objects, type, to, size);
}

int object_type_visit(const struct objects *objects, uint64_t object,
		      int (*visit)(void *ctx, const char *name), void *ctx)
{
	char name[TYPE_NAME_BYTES];
	uint64_t type;
	int err = type_of(objects, object, &type);

	for (int depth = 0; !err && type && depth < TYPE_DEPTH_MAX; depth++) {
		err = type_name(objects, type, name, sizeof(name));
		if (!err)
			err = visit(ctx, name);
		if (!err)
			err = memory_read_u64(
				objects->pid,
				type + (uint64_t)objects->layout->type_name + TYPE_BASE, &type);
	}
	return err;
}

int str_read(pid_t pid, const struct code_layout *layout, uint64_t object, char *to, size_t size)
{
	uint8_t bytes[TEXT_CHARACTERS_MAX * 4];
	uint64_t count;
	uint32_t state, kind;
	bool compact, ascii;
	int err = memory_read_u32(pid, object + (uint64_t)layout->unicode_state, &state);

	if (!err)
		err = memory_read_u64(pid, object + (uint64_t)layout->unicode_length, &count);
	if (err)
		return err;
	/* state: interned (2 bits or a byte), kind (3 bits), compact, ascii */
	state >>= layout->unicode_shift;
	kind = state >> 2 & 7;
	compact = state >> 5 & 1;
	ascii = state >> 6 & 1;
	if (!compact || count > INT64_MAX || (kind != 1 && (ascii || (kind != 2 && kind != 4))))
		return -EINVAL;
	if (count > TEXT_CHARACTERS_MAX)
		count = TEXT_CHARACTERS_MAX;
	if (count >= size)
		count = size - 1; /* no character is shorter than a byte */
	object += (uint64_t)(ascii ? layout->unicode_ascii : layout->unicode_compact);
	err = count ? memory_read(pid, object, bytes, count * kind) : 0;
	if (err)
		return err;
	if (ascii) /* or what only claims to be */
		utf8_clean((const char *)bytes, count, false, to, size);
	else
		utf8_from_units(bytes, kind, count, to, size);
	return 0;
}

int object_text(const struct objects *objects, uint64_t object, char *to, size_t size)
{
	return has_flag(objects, object, FLAG_UNICODE)
		       ? str_read(objects->pid, objects->layout, object, to, size)
		       : -EINVAL;
}

int object_int(const struct objects *objects, uint64_t object, uint64_t *ret_value)
{
	enum { DIGITS_MAX = 3 };
	uint32_t digits[DIGITS_MAX] = {0};
	uint64_t size, value = 0;
	int err = has_flag(objects, object, FLAG_LONG)
			  ? memory_read_u64(objects->pid, object + objects->header + INT_SIZE,
					    &size)
			  : -EINVAL;

	if (!err && objects->minor >= 12) {
		if (size & 3 && (size & 3) != 1)
			err = -EINVAL;
		size >>= 3;
	}
	if (!err && size > DIGITS_MAX)
		err = -EINVAL;
	if (!err && size)
		err = memory_read(objects->pid, object + objects->header + INT_DIGITS, digits,
				  size * sizeof(digits[0]));
	if (err)
		return err;
	for (int i = DIGITS_MAX - 1; i >= 0; i--) {
		if (digits[i] >> INT_DIGIT_BITS || value >> (64 - INT_DIGIT_BITS))
			return -EINVAL;
		value = value << INT_DIGIT_BITS | digits[i];
	}
	*ret_value = value;
	return 0;
}
