/* SPDX-License-Identifier: MIT */
/* symbols_helpers.h - stacks as the probes would send them, made by hand, and a dictionary that
 * hears what becomes of them. */
#ifndef GILSCOPE_TESTS_SYMBOLS_HELPERS_H
#define GILSCOPE_TESTS_SYMBOLS_HELPERS_H

#include "tests/unit/python/python_child.h"

#include "stream/dictionary.h"
#include "symbols/symbols.h"
#include "python/process/memory.h"

struct heard {
	struct dictionary *dictionary;
	struct symbols *symbols;
	uint64_t last_hash;
};

static inline int hear(void *ctx, const struct definition *definition)
{
	struct heard *heard = ctx;

	assert_int_equal(dictionary_define(heard->dictionary, definition), 0);
	return 0;
}

static inline void heard_init(struct heard *heard)
{
	heard->dictionary = dictionary_new();
	heard->symbols = symbols_new((struct stream_sink){.define = hear, .ctx = heard});
	heard->last_hash = 0;
	assert_non_null(heard->dictionary);
	assert_non_null(heard->symbols);
}

static inline void heard_done(struct heard *heard)
{
	symbols_free(heard->symbols);
	dictionary_free(heard->dictionary);
}

/* What the probes would compute for the code object that is at `address` now; written from the
 * words of bpf/shared.h. */
static inline uint32_t check_of(pid_t pid, const struct stack_layout *layout, uint64_t address)
{
	uint64_t span[CODE_SPAN_WORDS], weak[4], hash = 0x67696c73636f7065;

	assert_int_equal(memory_read(pid, address + layout->code_span, span, sizeof(span)), 0);
	for (int i = 0; i < CODE_SPAN_WORDS; i++)
		hash = shared_mix(hash, span[i]);
	if (layout->code_weak) {
		assert_int_equal(
			memory_read_u64(pid, span[layout->code_name_word] + layout->unicode_hash,
					&weak[0]),
			0);
		assert_int_equal(memory_read(pid,
					     span[layout->code_linetable_word] + layout->bytes_size,
					     &weak[1], 24),
				 0);
		for (int i = 0; i < 4; i++)
			hash = shared_mix(hash, weak[i]);
	}
	return (uint32_t)(hash ^ hash >> 32);
}

static inline struct shared_stack stack_of(struct heard *heard, uint32_t pid, uint32_t count)
{
	return (struct shared_stack){
		.hdr = {.type = RING_STACK, .tid = pid, .aux = (uint16_t)count},
		.pid = pid,
		.hash = ++heard->last_hash};
}

/* The definition that a stack becomes. */
static inline const struct definition *resolved(struct heard *heard,
						const struct shared_stack *stack)
{
	const struct definition *definition;

	assert_int_equal(symbols_stack(heard->symbols, stack), 0);
	definition = dictionary_find(heard->dictionary, DEFINE_STACK,
				     symbols_stack_id(heard->symbols, stack->hash));
	assert_non_null(definition);
	assert_int_equal(definition->stack.count, stack->hdr.aux);
	return definition;
}

/* … of one frame. */
static inline struct stack_frame resolved_frame(struct heard *heard, uint32_t pid,
						struct shared_frame frame)
{
	struct shared_stack stack = stack_of(heard, pid, 1);

	stack.frames[0] = frame;
	return resolved(heard, &stack)->stack.frames[0];
}

#endif
