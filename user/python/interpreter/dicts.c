/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "python/process/memory.h"
#include "python/interpreter/objects.h"

enum {
	ENTRIES_MAX = 1 << 15,
	TRIES = 3,
	STR_HEADER_MAX = 256,
	STATE_COMPACT_ASCII = 3 << 5, /* PyASCIIObject.state */
	FLAG_INLINE_VALUES = 2,	      /* Py_TPFLAGS_INLINE_VALUES, 3.13 on */
	FLAG_MANAGED_DICT = 4,	      /* Py_TPFLAGS_MANAGED_DICT, 3.11 on */
	FLAG_HEAPTYPE = 9,
	FLAG_DICT = 29,
	KEYS_GENERAL = 0, /* dk_kind */
};

struct dict_head {
	uint64_t used, version, keys, values;
};

/* The entries of a keys object, read: pairs of key and value, where a split dict's values stand
 * elsewhere. */
struct entries {
	uint64_t *words;
	size_t count;
	unsigned int step, key; /* words from one entry to the next, and in front of the key */
};

static void entries_done(struct entries *entries)
{
	free(entries->words);
}

/* 3.8 to 3.10: struct _dictkeysobject, Objects/dict-common.h */
struct keys_310 {
	uint64_t references, size, lookup, usable, entries;
};

static int keys_read_310(pid_t pid, uint64_t address, struct entries *entries, uint64_t *ret_at)
{
	struct keys_310 keys;
	uint64_t index_bytes;
	int err = memory_read(pid, address, &keys, sizeof(keys));

	if (err)
		return err;
	if (!keys.size || keys.size & (keys.size - 1) || keys.size > ENTRIES_MAX * 2 ||
	    keys.entries > keys.size)
		return -EINVAL;
	index_bytes = keys.size <= UINT8_MAX ? 1 : keys.size <= UINT16_MAX ? 2 : 4;
	*ret_at = address + sizeof(keys) + keys.size * index_bytes;
	entries->count = keys.entries;
	entries->step = 3; /* hash, key, value */
	entries->key = 1;
	return 0;
}

/* 3.11 on: pycore_dict.h */
struct keys_311 {
	uint64_t references;
	uint8_t log2_size, log2_index_bytes, kind, lock;
	uint32_t version;
	uint64_t usable, entries;
};

static int keys_read_311(pid_t pid, uint64_t address, struct entries *entries, uint64_t *ret_at)
{
	struct keys_311 keys;
	int err = memory_read(pid, address, &keys, sizeof(keys));

	if (err)
		return err;
	if (keys.log2_size > 20 || keys.log2_index_bytes > 24 ||
	    keys.entries > UINT64_C(1) << keys.log2_size)
		return -EINVAL;
	*ret_at = address + sizeof(keys) + (UINT64_C(1) << keys.log2_index_bytes);
	entries->count = keys.entries;
	/* where all keys are str the hash is left out */
	entries->step = keys.kind == KEYS_GENERAL ? 3 : 2;
	entries->key = keys.kind == KEYS_GENERAL ? 1 : 0;
	return 0;
}

static int entries_read(const struct objects *objects, uint64_t keys, struct entries *ret_entries)
{
	_cleanup_(entries_done) struct entries entries = {0};
	uint64_t at;
	int err = (objects->layout->dict_keys_form == DICT_KEYS_311
			   ? keys_read_311
			   : keys_read_310)(objects->pid, keys, &entries, &at);

	if (err)
		return err;
	if (entries.count > ENTRIES_MAX)
		return -EINVAL;
	entries.words = calloc(entries.count + 1, entries.step * sizeof(uint64_t));
	if (!entries.words)
		return -ENOMEM;
	err = entries.count ? memory_read(objects->pid, at, entries.words,
					  entries.count * entries.step * sizeof(uint64_t))
			    : 0;
	if (err)
		return err;
	*ret_entries = STEAL(entries, (struct entries){0});
	return 0;
}

/* Puts a split dict's values in their places: there are as many as keys. */
static int values_join(pid_t pid, uint64_t values, struct entries *entries)
{
	_cleanup_(freep) uint64_t *list = calloc(entries->count + 1, sizeof(*list));
	int err;

	if (!list)
		return -ENOMEM;
	err = entries->count ? memory_read(pid, values, list, entries->count * sizeof(*list)) : 0;
	for (size_t i = 0; !err && i < entries->count; i++)
		entries->words[i * entries->step + entries->key + 1] = list[i];
	return err;
}

static int head_read(const struct objects *objects, uint64_t dict, struct dict_head *ret_head)
{
	uint64_t type, flags;
	int err = memory_read_u64(objects->pid, dict + objects->layout->object_type, &type);

	if (!err)
		err = memory_read_u64(objects->pid, type + objects->layout->type_flags, &flags);
	if (!err && !(flags >> FLAG_DICT & 1))
		err = -EINVAL;
	return err ? err
		   : memory_read(objects->pid, dict + objects->layout->dict_head, ret_head,
				 sizeof(*ret_head));
}

/* The dict's entries as they were at one instant: its head is the same before and after. */
static int dict_read(const struct objects *objects, uint64_t dict, struct entries *ret_entries)
{
	for (int try = 0; try < TRIES; try++) {
		_cleanup_(entries_done) struct entries entries = {0};
		struct dict_head head, again;
		int err = head_read(objects, dict, &head), err_entries;

		if (err)
			return err;
		err_entries = entries_read(objects, head.keys, &entries);
		if (!err_entries && head.values)
			err_entries = values_join(objects->pid,
						  head.values + objects->layout->dict_values_head,
						  &entries);
		err = head_read(objects, dict, &again);
		if (err)
			return err;
		if (memcmp(&head, &again, sizeof(head)) != 0)
			continue;
		if (err_entries)
			return err_entries;
		*ret_entries = STEAL(entries, (struct entries){0});
		return 0;
	}
	return -EAGAIN;
}

int object_dict_visit(const struct objects *objects, uint64_t dict,
		      int (*visit)(void *ctx, uint64_t key, uint64_t value), void *ctx)
{
	_cleanup_(entries_done) struct entries entries = {0};
	int err = dict_read(objects, dict, &entries);

	for (size_t i = 0; !err && i < entries.count; i++) {
		const uint64_t *entry = entries.words + i * entries.step + entries.key;

		if (entry[0] && entry[1])
			err = visit(ctx, entry[0], entry[1]);
	}
	return err;
}

/*
 * The entry whose key is a str of these ASCII characters. There are many keys and reads are
 * expensive, so all are read at once, each with the length of the wanted one. A str's header and
 * these characters are proof enough. -ENOENT.
 */
static int find(const struct objects *objects, const struct entries *entries, const char *name,
		size_t *ret_index)
{
	const struct python_layout *layout = objects->layout;
	size_t length = strlen(name), header = layout->unicode_ascii, size = header + length;
	const uint32_t compact_ascii = STATE_COMPACT_ASCII << layout->unicode_shift;
	_cleanup_(freep) uint64_t *keys = calloc(entries->count + 1, sizeof(*keys));
	_cleanup_(freep) char *bytes = NULL;

	if (layout->unicode_ascii > STR_HEADER_MAX ||
	    layout->unicode_state + 4 > layout->unicode_ascii ||
	    layout->unicode_length + 8 > layout->unicode_ascii)
		return -EINVAL;
	bytes = calloc(entries->count + 1, size);
	if (!keys || !bytes)
		return -ENOMEM;
	for (size_t i = 0; i < entries->count; i++)
		keys[i] = entries->words[i * entries->step + entries->key];
	memory_read_each(objects->pid, keys, entries->count, bytes, size);
	for (size_t i = 0; i < entries->count; i++) {
		const char *str = bytes + i * size;
		uint64_t found;
		uint32_t state;

		memcpy(&found, str + layout->unicode_length, sizeof(found));
		memcpy(&state, str + layout->unicode_state, sizeof(state));
		if (found != length || (state & compact_ascii) != compact_ascii ||
		    memcmp(str + header, name, length) != 0)
			continue;
		*ret_index = i;
		return 0;
	}
	return -ENOENT;
}

int object_dict_get(const struct objects *objects, uint64_t dict, const char *key,
		    uint64_t *ret_value)
{
	_cleanup_(entries_done) struct entries entries = {0};
	size_t index;
	uint64_t value;
	int err = dict_read(objects, dict, &entries);

	if (!err)
		err = find(objects, &entries, key, &index);
	if (err)
		return err;
	value = entries.words[index * entries.step + entries.key + 1];
	if (!value)
		return -ENOENT; /* deleted */
	*ret_value = value;
	return 0;
}

/* PyHeapTypeObject.ht_cached_keys: the keys that the instances of a class share */
static int cached_keys(const struct objects *objects, uint64_t type, uint64_t *ret_keys)
{
	uint64_t flags;
	int err = memory_read_u64(objects->pid, type + objects->layout->type_flags, &flags);

	if (!err && !(flags >> FLAG_HEAPTYPE & 1))
		err = -EINVAL;
	return err ? err
		   : memory_read_u64(objects->pid, type + objects->layout->type_cached_keys,
				     ret_keys);
}

/* An attribute among the values that stand in a class's common order. */
static int values_get(const struct objects *objects, uint64_t type, uint64_t values,
		      const char *name, uint64_t *ret_value)
{
	_cleanup_(entries_done) struct entries entries = {0};
	uint64_t keys, value;
	size_t index;
	int err = cached_keys(objects, type, &keys);

	if (!err)
		err = entries_read(objects, keys, &entries);
	if (!err)
		err = find(objects, &entries, name, &index);
	if (!err)
		err = memory_read_u64(objects->pid, values + index * sizeof(uint64_t), &value);
	if (err)
		return err;
	if (!value)
		return -ENOENT;
	*ret_value = value;
	return 0;
}

/* 3.13 on: a dict when the instance has one, else values inside it, behind its fields (struct
 * _dictvalues: capacity, size, embedded, valid). */
static int inline_get(const struct objects *objects, uint64_t object, uint64_t type,
		      const char *name, uint64_t *ret_value)
{
	uint64_t dict, size, flags;
	uint8_t head[4];
	int err = memory_read_u64(objects->pid, object - objects->layout->managed_dict, &dict);

	if (err || dict)
		return err ? err : object_dict_get(objects, dict, name, ret_value);
	err = memory_read_u64(objects->pid, type + objects->layout->type_flags, &flags);
	if (!err)
		err = memory_read_u64(objects->pid, type + objects->layout->type_basicsize, &size);
	if (!err)
		err = memory_read(objects->pid, object + size, head, sizeof(head));
	if (err)
		return err;
	if (!(flags >> FLAG_INLINE_VALUES & 1) || !head[3])
		return -ENOENT;
	return values_get(objects, type, object + size + objects->layout->dict_values_head, name,
			  ret_value);
}

static int managed_get(const struct objects *objects, uint64_t object, uint64_t type,
		       const char *name, uint64_t *ret_value)
{
	uint64_t dict = 0, values = 0;
	int err;

	if (objects->layout->managed_form == MANAGED_INLINE)
		return inline_get(objects, object, type, name, ret_value);
	err = memory_read_u64(objects->pid, object - objects->layout->managed_dict, &dict);
	if (!err && objects->layout->managed_form == MANAGED_TWO_WORDS) {
		err = memory_read_u64(objects->pid, object - objects->layout->managed_dict - 8,
				      &values);
		/* 3.12: one word for both, where values have the low bit set (PyDictOrValues) */
	} else if (!err && dict & 1) {
		values = dict + 1;
		dict = 0;
	}
	if (err)
		return err;
	if (values)
		return values_get(objects, type, values, name, ret_value);
	return dict ? object_dict_get(objects, dict, name, ret_value) : -ENOENT;
}

int object_attribute(const struct objects *objects, uint64_t object, const char *name,
		     uint64_t *ret_value)
{
	enum { OFFSET_MAX = 1 << 16 };
	uint64_t type, flags, offset, dict;
	int err = memory_read_u64(objects->pid, object + objects->layout->object_type, &type);

	if (!err)
		err = memory_read_u64(objects->pid, type + objects->layout->type_flags, &flags);
	if (err)
		return err;
	if (objects->layout->managed_form != MANAGED_NOT && flags >> FLAG_MANAGED_DICT & 1)
		return managed_get(objects, object, type, name, ret_value);
	err = memory_read_u64(objects->pid, type + objects->layout->type_dictoffset, &offset);
	if (err || !offset || offset > OFFSET_MAX)
		return err ? err : -ENOENT;
	err = memory_read_u64(objects->pid, object + offset, &dict);
	if (err || !dict)
		return err ? err : -ENOENT;
	return object_dict_get(objects, dict, name, ret_value);
}
