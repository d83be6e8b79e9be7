/* SPDX-License-Identifier: MIT */
#include "symbols/code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/shared.h"
#include "base/cleanup.h"
#include "symbols/symbols.h"
#include "python/interpreter/objects.h"
#include "python/process/memory.h"

#define HEAD_MAX                                                                                   \
	512 /* enough for the fields that are read; CPython's code objects have up to 216 bytes    \
	       before the instructions */
#define FIELD_MAX 65536

/* Bytes from the start of a code object to the end of the fields that are read. */
static size_t head_size(const struct stack_layout *stack, const struct python_layout *layout)
{
	const uint32_t fields[] = {layout->object_type,	   layout->code_filename,
				   layout->code_name,	   layout->code_qualname,
				   layout->code_linetable, layout->code_firstlineno};
	size_t size = stack->code_span + CODE_SPAN_WORDS * 8u;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i] != LAYOUT_NONE && (size_t)fields[i] + 8 > size)
			size = (size_t)fields[i] + 8;
	return size;
}

static bool in_reach(uint32_t offset)
{
	return offset <= FIELD_MAX;
}

bool code_readable(const struct stack_layout *stack, const struct python_layout *layout)
{
	return in_reach(layout->object_type) &&
	       layout->object_type >= (stack->free_threaded ? 16 : 8) &&
	       in_reach(layout->type_name) && in_reach(layout->code_filename) &&
	       in_reach(layout->code_name) &&
	       (layout->code_qualname == LAYOUT_NONE || in_reach(layout->code_qualname)) &&
	       in_reach(layout->code_linetable) && in_reach(layout->code_firstlineno) &&
	       in_reach(layout->unicode_length) && in_reach(layout->unicode_state) &&
	       in_reach(layout->unicode_ascii) && in_reach(layout->unicode_compact) &&
	       in_reach(layout->bytes_size) && in_reach(layout->bytes_data) &&
	       stack->code_name_word < CODE_SPAN_WORDS &&
	       stack->code_linetable_word < CODE_SPAN_WORDS && head_size(stack, layout) <= HEAD_MAX;
}

static uint64_t word_at(const unsigned char *head, uint32_t offset)
{
	uint64_t word;

	memcpy(&word, head + offset, sizeof(word));
	return word;
}

/*
 * Freed memory keeps its contents for a while, but not its first words: a deallocated object has a
 * reference count of 0, and the allocators then store a link there (pymalloc: Objects/obmalloc.c),
 * or a link and a key (glibc, which also overwrites the type). A count is never as large as an
 * address, though since 3.14 there are flags in its upper 16 bits (Include/object.h). Free-threaded
 * objects have two counts, ob_ref_local and ob_ref_shared, the latter above two bits of flags.
 */
static bool alive(const unsigned char *head, const struct stack_layout *stack,
		  const struct python_layout *layout)
{
	uint64_t count = word_at(head, layout->object_type - 8);

	if (stack->free_threaded)
		return (uint32_t)word_at(head, layout->object_type - 12) || count >> 2;
	return (uint32_t)count && !(count >> 32 & 0xffff);
}

static int check_type(pid_t pid, const struct python_layout *layout, uint64_t address,
		      uint64_t *type)
{
	static const char wanted[] = "code";
	char name[sizeof(wanted)];
	uint64_t at;
	int err;

	if (!address)
		return -ESTALE;
	if (address == *type)
		return 0;
	err = memory_read_u64(pid, address + layout->type_name, &at);
	if (!err)
		err = memory_read(pid, at, name, sizeof(name));
	if (err)
		return err;
	if (memcmp(name, wanted, sizeof(wanted)) != 0)
		return -ESTALE;
	*type = address;
	return 0;
}

/* The same sum as in the probes (bpf/shared.h). They count words that cannot be read as 0; here
 * those are an error, since the object is gone. */
static int check_sum(pid_t pid, const struct stack_layout *stack, const unsigned char *head,
		     uint32_t *ret_check)
{
	const unsigned char *span = head + stack->code_span;
	uint64_t hash = SHARED_CHECK_BEGIN, words[4];

	for (uint32_t i = 0; i < CODE_SPAN_WORDS; i++)
		hash = shared_mix(hash, word_at(span, i * 8));
	if (stack->code_weak && !stack->free_threaded) {
		int err = memory_read_u64(
			pid, word_at(span, stack->code_name_word * 8u) + stack->unicode_hash,
			&words[0]);

		if (!err)
			err = memory_read(pid,
					  word_at(span, stack->code_linetable_word * 8u) +
						  stack->bytes_size,
					  &words[1], 24);
		if (err)
			return err;
		for (int i = 0; i < 4; i++)
			hash = shared_mix(hash, words[i]);
	}
	*ret_check = shared_check_end(hash);
	return 0;
}

int code_checksum(pid_t pid, const struct stack_layout *stack, const struct python_layout *layout,
		  uint64_t address, uint32_t *ret_check)
{
	unsigned char head[HEAD_MAX];
	int err = memory_read(pid, address, head, head_size(stack, layout));

	return err ? err : check_sum(pid, stack, head, ret_check);
}

static int read_lines(pid_t pid, const struct python_layout *layout, uint64_t address,
		      struct code *code)
{
	_cleanup_(freep) uint8_t *lines = NULL;
	uint64_t bytes;
	int err = memory_read_u64(pid, address + layout->bytes_size, &bytes);

	if (err)
		return err;
	code->lines_known = bytes <= SYMBOLS_LINETABLE_MAX;
	code->lines = NULL;
	code->lines_bytes = 0;
	if (!code->lines_known || !bytes)
		return 0;
	lines = malloc(bytes);
	if (!lines)
		return -ENOMEM;
	err = memory_read(pid, address + layout->bytes_data, lines, bytes);
	if (err)
		return err;
	code->lines = STEAL(lines, NULL);
	code->lines_bytes = (uint32_t)bytes;
	return 0;
}

/* -EBADMSG: not a compact str, as every name of a code object is. */
static int read_name(pid_t pid, const struct python_layout *layout, uint64_t address,
		     char to[DEFINE_TEXT_MAX])
{
	int err = str_read(pid, layout, address, to, DEFINE_TEXT_MAX);

	return err == -EINVAL ? -EBADMSG : err;
}

static int read_texts(pid_t pid, const struct python_layout *layout, const unsigned char *head,
		      struct code *code)
{
	int err = read_name(pid, layout,
			    word_at(head, layout->code_qualname != LAYOUT_NONE
						  ? layout->code_qualname
						  : layout->code_name),
			    code->name);

	return err ? err : read_name(pid, layout, word_at(head, layout->code_filename), code->file);
}

int code_read(pid_t pid, const struct stack_layout *stack, const struct python_layout *layout,
	      uint64_t *type, uint64_t address, uint32_t check, struct code *ret_code)
{
	unsigned char head[HEAD_MAX], again[HEAD_MAX];
	size_t size = head_size(stack, layout), fixed = (size_t)layout->object_type;
	uint32_t sum;
	int err = memory_read(pid, address, head, size);

	if (!err && !alive(head, stack, layout))
		err = -ESTALE;
	if (!err)
		err = check_type(pid, layout, word_at(head, layout->object_type), type);
	if (!err)
		err = check_sum(pid, stack, head, &sum);
	if (!err && sum != check)
		err = -ESTALE;
	if (!err)
		err = read_texts(pid, layout, head, ret_code);
	if (!err)
		err = read_lines(pid, layout, word_at(head, layout->code_linetable), ret_code);
	if (err)
		return err;
	memcpy(&ret_code->first_line, head + layout->code_firstlineno,
	       sizeof(ret_code->first_line));
	/* names and line table belong to it only if it still exists: it holds references to them as
	 * long as it lives, and never changes */
	err = memory_read(pid, address, again, size);
	if (!err && (!alive(again, stack, layout) ||
		     memcmp(head + fixed, again + fixed, size - fixed) != 0))
		err = -ESTALE;
	if (err) {
		free(ret_code->lines);
		ret_code->lines = NULL;
	}
	return err;
}

bool code_is_trampoline(const struct code *code)
{
	return strcmp(code->name, "__init__") == 0 && strcmp(code->file, code->name) == 0;
}
