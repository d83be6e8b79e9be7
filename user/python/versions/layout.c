/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "python/interpreter/gil.h"
#include "python/interpreter/version.h"
#include "python/process/memory.h"
#include "python/versions/debug_offsets.h"
#include "python/versions/rows.h"

enum { STRUCT_SIZE_MAX = 1 << 24 };

/* The size of a structure. */
static uint64_t size_at(struct debug_reader *reader, uint32_t position)
{
	uint64_t size = debug_word(reader, position);

	if (size > STRUCT_SIZE_MAX)
		reader->bad = true;
	return size;
}

/* Replaces the row's offset, unless the version does not have the field, or does not publish it. */
static void replace(struct debug_reader *reader, uint32_t *field, uint32_t position,
		    uint64_t struct_size, unsigned int alignment)
{
	if (*field != LAYOUT_NONE && position != LAYOUT_NONE)
		*field = debug_field(reader, position, struct_size, alignment);
}

/* What attaching needs. */
static void parse_core(struct debug_reader *reader, const struct debug_positions *at,
		       struct python_layout *layout)
{
	uint64_t interp_size = size_at(reader, at->interp_size);
	uint32_t gil = debug_field(reader, at->gil_state, interp_size, 4);

#define CORE(name, path, size, align)                                                              \
	replace(reader, &layout->name, at->name, size_at(reader, at->size), align);
#include "python/versions/fields.def"
	/* 3.13: the first field behind the PyThreadState (_PyThreadStateImpl) */
	if (layout->tstate_loop != LAYOUT_NONE)
		layout->tstate_loop = (uint32_t)size_at(reader, at->tstate_size);
	layout->gil = gil_layout_of(layout->free_threaded);
	/* where three of the GIL's fields are, which must agree with gil.c; `enabled`, the first
	 * one, is given relative to the GIL itself */
	if (debug_field(reader, at->gil_locked, interp_size, 4) - gil != layout->gil.locked ||
	    debug_field(reader, at->gil_holder, interp_size, 4) - gil != layout->gil.last_holder ||
	    debug_word(reader, at->gil_enabled) != 0)
		reader->bad = true;
}

/* … and what stacks need in addition. */
static void parse_stack(struct debug_reader *reader, const struct debug_positions *at,
			struct python_layout *layout)
{
#define STACK(name, path, size, align)                                                             \
	replace(reader, &layout->name, at->name, size_at(reader, at->size), align);
#define STACK_314(name, path, size, align) STACK(name, path, size, align)
#include "python/versions/fields.def"
	layout->interp_gc_collecting =
		debug_field(reader, at->interp_gc, size_at(reader, at->interp_size), 8) +
		debug_field(reader, at->gc_collecting, size_at(reader, at->gc_size), 4);
	layout->has_stacks = !reader->bad;
}

int layout_parse_debug_offsets(const uint64_t *words, size_t count, uint32_t version_hex,
			       uint64_t runtime_size, struct python_layout *ret_layout)
{
	const struct debug_positions *at;
	struct debug_reader reader = {.words = words};
	struct python_layout layout;

	if (!version_has_debug_offsets(version_hex) || count < DEBUG_OFFSETS_WORDS ||
	    memcmp(words, "xdebugpy", 8) != 0 || words[DEBUG_VERSION / 8] != version_hex ||
	    words[DEBUG_FREE_THREADED / 8] > 1)
		return -ENOTSUP;
	at = &debug_positions[version_minor(version_hex)];
	layout = layout_rows[version_minor(version_hex)]
			    [words[DEBUG_FREE_THREADED / 8] ? FREE_THREADED : WITH_GIL];
	parse_core(&reader, at, &layout);
	if (reader.bad || (runtime_size && debug_word(&reader, at->runtime_size) != runtime_size))
		return -ENOTSUP;
	parse_stack(&reader, at, &layout);
	*ret_layout = layout;
	return 0;
}

int layout_read(pid_t pid, uint32_t version_hex, uint64_t runtime, uint64_t runtime_size,
		struct python_layout *ret_layout)
{
	uint64_t words[DEBUG_OFFSETS_WORDS];
	int err;

	if (!version_supported(version_hex))
		return -ENOTSUP;
	if (!version_has_debug_offsets(version_hex)) {
		*ret_layout = layout_rows[version_minor(version_hex)][WITH_GIL];
		ret_layout->gil = gil_layout_of(false);
		ret_layout->has_stacks = true;
		return 0;
	}
	err = memory_read(pid, runtime, words, sizeof(words));
	return err ? err
		   : layout_parse_debug_offsets(words, DEBUG_OFFSETS_WORDS, version_hex,
						runtime_size, ret_layout);
}
