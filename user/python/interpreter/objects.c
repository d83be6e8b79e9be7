/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "python/process/memory.h"
#include "python/interpreter/objects.h"

enum {
	TYPE_DEPTH_MAX = 16,
	TYPE_NAME_BYTES = 128,
	TEXT_CHARACTERS_MAX = 1 << 12,
	FLAG_LONG = 24, /* Py_TPFLAGS_LONG_SUBCLASS */
	FLAG_UNICODE = 28,
	INT_DIGIT_BITS = 30,
};

struct objects objects_of(const struct target *target)
{
	return (struct objects){.pid = (pid_t)target->info.pid, .layout = &target->layout};
}

static int type_of(const struct objects *objects, uint64_t object, uint64_t *ret_type)
{
	return memory_read_u64(objects->pid, object + objects->layout->object_type, ret_type);
}

static int type_name(const struct objects *objects, uint64_t type, char *to, size_t size)
{
	uint64_t address;
	int err = memory_read_u64(objects->pid, type + objects->layout->type_name, &address);

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
	       !memory_read_u64(objects->pid, type + objects->layout->type_flags, &flags) &&
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
			err = memory_read_u64(objects->pid, type + objects->layout->type_base,
					      &type);
	}
	return err;
}

int str_read(pid_t pid, const struct python_layout *layout, uint64_t object, char *to, size_t size)
{
	uint8_t bytes[TEXT_CHARACTERS_MAX * 4];
	uint64_t count;
	uint32_t state, kind;
	bool compact, ascii;
	int err = memory_read_u32(pid, object + layout->unicode_state, &state);

	if (!err)
		err = memory_read_u64(pid, object + layout->unicode_length, &count);
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
	object += (ascii ? layout->unicode_ascii : layout->unicode_compact);
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
			  ? memory_read_u64(objects->pid, object + objects->layout->int_size, &size)
			  : -EINVAL;

	if (!err && objects->layout->int_tag_bits) {
		if (size & 3 && (size & 3) != 1)
			err = -EINVAL;
		size >>= objects->layout->int_tag_bits;
	}
	if (!err && size > DIGITS_MAX)
		err = -EINVAL;
	if (!err && size)
		err = memory_read(objects->pid, object + objects->layout->int_digits, digits,
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
