/* SPDX-License-Identifier: MIT */
/* symbols_helpers.h - stacks as the probes would send them, made by hand, and a dictionary that
 * receives the results. */
#ifndef GILSCOPE_TESTS_SYMBOLS_HELPERS_H
#define GILSCOPE_TESTS_SYMBOLS_HELPERS_H

#include "tests/unit/python/python_child.h"

#include "stream/names/dictionary.h"
#include "symbols/symbols.h"
#include "python/process/memory.h"

struct received {
	struct dictionary *dictionary;
	struct symbols *symbols;
	uint64_t last_hash;
	uint32_t counts[DEFINE_KINDS]; /* numbers of the latest definitions */
};

static inline int hear(void *ctx, const struct definition *definition)
{
	struct received *received = ctx;

	assert_int_equal(dictionary_define(received->dictionary, definition), 0);
	received->counts[definition->kind] = definition->id;
	return 0;
}

static inline void received_init(struct received *received)
{
	*received = (struct received){.dictionary = dictionary_new()};
	received->symbols = symbols_new((struct stream_sink){.define = hear, .ctx = received});
	assert_non_null(received->dictionary);
	assert_int_equal(dictionary_forgets(received->dictionary, (struct dictionary_user){0}), 0);
	assert_non_null(received->symbols);
}

static inline void received_done(struct received *received)
{
	symbols_free(received->symbols);
	dictionary_free(received->dictionary);
}

/* What the probes would compute for the code object that is at `address` now, implemented from the
 * description in bpf/shared.h. */
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

static inline struct shared_stack stack_of(struct received *received, uint32_t pid, uint32_t count)
{
	return (struct shared_stack){
		.hdr = {.type = RING_STACK, .tid = pid, .aux = (uint16_t)count},
		.pid = pid,
		.hash = ++received->last_hash};
}

/* As the stream knows it now. */
static inline uint32_t stack_id(struct symbols *symbols, uint64_t hash)
{
	uint32_t id;

	assert_int_equal(symbols_stack_id(symbols, hash, &id), 0);
	return id;
}

static inline uint32_t text_id(struct symbols *symbols, uint64_t hash)
{
	uint32_t id;

	assert_int_equal(symbols_text_id(symbols, hash, &id), 0);
	return id;
}

/* The definition that results from a stack. */
static inline const struct definition *resolved(struct received *received,
						const struct shared_stack *stack)
{
	const struct definition *definition;

	assert_int_equal(symbols_stack(received->symbols, stack), 0);
	definition = dictionary_find(received->dictionary, DEFINE_STACK,
				     dictionary_id(received->dictionary, DEFINE_STACK,
						   stack_id(received->symbols, stack->hash)));
	assert_non_null(definition);
	assert_int_equal(definition->stack.count, stack->hdr.aux);
	return definition;
}

/* The same for a stack of one frame. */
static inline struct stack_frame resolved_frame(struct received *received, uint32_t pid,
						struct shared_frame frame)
{
	struct shared_stack stack = stack_of(received, pid, 1);

	stack.frames[0] = frame;
	return resolved(received, &stack)->stack.frames[0];
}

#endif
