/* SPDX-License-Identifier: MIT */
/*
 * Arbitrary bytes as a process's memory: the result may be a missing frame or a name, but never a
 * crash, a hang or invalid text. The memory is a block of this process with one valid code object.
 * The input overwrites words of it, with any value or an address inside it, and then says which
 * code objects are on a stack. Decoders of line tables and text also get the input directly.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "python/interpreter/stacks.h"
#include "python/versions/rows.h"
#include "stream/names/dictionary.h"
#include "symbols/handler.h"
#include "symbols/lines.h"
#include "symbols/symbols.h"
#include "base/utf8.h"

#define BLOCK 16384

/* Offsets in the block. */
enum { CODE = 0, TYPE = 512, TYPE_NAME = 640, NAME = 1024, FILE_NAME = 2048, LINES = 4096 };

/* One of each kind of line table and code object, and a free-threaded build. */
static const struct {
	unsigned int minor;
	enum python_build build;
} versions[] = {{8, WITH_GIL}, {10, WITH_GIL}, {11, WITH_GIL}, {13, FREE_THREADED}};

static unsigned char *block;

static void put(uint32_t at, uint64_t word)
{
	memcpy(block + at % (BLOCK - 8), &word, sizeof(word));
}

static uint64_t get(uint64_t address)
{
	uint64_t word = 0, at = address - (uint64_t)(uintptr_t)block;

	if (at <= BLOCK - 8)
		memcpy(&word, block + at, sizeof(word));
	return word;
}

static uint64_t inside(uint32_t at)
{
	return (uint64_t)(uintptr_t)block + at;
}

static void put_right(const struct stack_layout *stack, const struct python_layout *layout)
{
	memset(block, 0, BLOCK);
	put(CODE + layout->object_type - 8, stack->free_threaded ? 4 : 1);
	put(CODE + layout->object_type, inside(TYPE));
	put(CODE + layout->code_filename, inside(FILE_NAME));
	put(CODE + layout->code_name, inside(NAME));
	if (layout->code_qualname != LAYOUT_NONE)
		put(CODE + layout->code_qualname, inside(NAME));
	put(CODE + layout->code_linetable, inside(LINES));
	put(TYPE + layout->type_name, inside(TYPE_NAME));
	memcpy(block + TYPE_NAME, "code", 5);
	for (uint32_t text = NAME; text <= FILE_NAME; text += FILE_NAME - NAME) {
		put(text + layout->unicode_length, 4);
		put(text + layout->unicode_state, (uint64_t)(1 << 5 | 1 << 6 | 1 << 2)
							  << layout->unicode_shift);
		memcpy(block + text + layout->unicode_ascii, "text", 4);
	}
	put(LINES + layout->bytes_size, 4);
}

static uint32_t check_of(const struct stack_layout *stack, uint64_t code)
{
	uint64_t hash = 0x67696c73636f7065, span = code + stack->code_span;

	for (uint32_t i = 0; i < CODE_SPAN_WORDS; i++)
		hash = shared_mix(hash, get(span + i * 8));
	if (stack->code_weak) {
		hash = shared_mix(
			hash, get(get(span + stack->code_name_word * 8u) + stack->unicode_hash));
		for (uint32_t i = 0; i < 3; i++)
			hash = shared_mix(hash, get(get(span + stack->code_linetable_word * 8u) +
						    stack->bytes_size + i * 8));
	}
	return (uint32_t)(hash ^ hash >> 32);
}

/* The length of a sequence by its first byte; 0: invalid first byte. */
static size_t length_of(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc0 || first >= 0xf8)
		return 0;
	if (first < 0xe0)
		return 2;
	return first < 0xf0 ? 3 : 4;
}

/* Valid by RFC 3629, and not too long. */
static void must_be_text(const char *text)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

	if (strlen(text) >= DEFINE_TEXT_MAX)
		abort();
	for (const unsigned char *p = (const unsigned char *)text; *p;) {
		size_t length = length_of(*p);
		uint32_t value = length > 1 ? *p & (0x7fu >> length) : *p;

		for (size_t i = 1; i < length; i++) {
			if ((p[i] & 0xc0) != 0x80)
				abort();
			value = value << 6 | (p[i] & 0x3f);
		}
		if (!length || (length > 1 && value < least[length]) || value > 0x10ffff ||
		    (value >= 0xd800 && value < 0xe000))
			abort();
		p += length;
	}
}

static int define(void *ctx, const struct definition *definition)
{
	if (definition->kind == DEFINE_FUNCTION) {
		must_be_text(definition->function.name);
		must_be_text(definition->function.file);
	} else if (definition->kind == DEFINE_TEXT) {
		must_be_text(definition->text);
	}
	if (dictionary_define(ctx, definition))
		abort();
	return 0;
}

/* Overwrites words: three bytes of place and kind and eight of value each, until a kind of none. */
static size_t change_block(const uint8_t *data, size_t size)
{
	size_t i = 0;

	for (; i + 11 <= size && data[i + 2] < 192; i += 11) {
		uint64_t value;

		memcpy(&value, data + i + 3, sizeof(value));
		put((uint32_t)(data[i] | data[i + 1] << 8),
		    data[i + 2] < 96 ? value : inside((uint32_t)(value % BLOCK)));
	}
	return i + (i < size);
}

static void resolve(const uint8_t *data, size_t size, unsigned int which)
{
	struct python_layout layout = layout_rows[versions[which].minor][versions[which].build];
	struct dictionary *dictionary = dictionary_new();
	struct symbols *symbols = symbols_new(
		(struct stream_sink){.define = define, .ctx = dictionary});
	struct handler_finder *finder = handler_finder_new(NULL, 0);
	struct shared_stack stack = {
		.hdr = {.type = RING_STACK}, .hash = 1, .pid = (uint32_t)getpid()};
	struct shared_text text = {.hdr = {.type = RING_TEXT}, .hash = 1};
	struct stack_layout walked;
	struct handler handler;
	size_t used;
	uint32_t id;

	layout.has_stacks = true;
	if (stack_layout_of(&layout, 0, &walked))
		abort();
	put_right(&walked, &layout);
	used = change_block(data, size);
	symbols_add_process(symbols, stack.pid, &walked, &layout);
	for (size_t i = used; i + 6 <= size && stack.hdr.aux < SHARED_FRAMES_MAX; i += 6) {
		struct shared_frame *frame = &stack.frames[stack.hdr.aux++];
		uint32_t lasti = (uint32_t)(data[i] | data[i + 1] << 8 | data[i + 2] << 16);

		frame->code = data[i + 5] & 1 ? inside(CODE)
					      : inside((uint32_t)(data[i + 3] | data[i + 4] << 8));
		frame->lasti = data[i + 5] & 2 ? UINT32_MAX - lasti : lasti;
		frame->check = check_of(&walked, frame->code);
	}
	if (symbols_stack(symbols, &stack))
		abort();
	if (symbols_stack_id(symbols, stack.hash, &id))
		abort();
	if (!id != !stack.hdr.aux)
		abort();
	handler = handler_find(finder, dictionary, id);
	if (handler.role != HANDLER_NONE &&
	    (handler.index >= stack.hdr.aux || !handler.frame.function))
		abort();
	text.hdr.aux = (uint16_t)(size < SHARED_TEXT_MAX ? size : SHARED_TEXT_MAX);
	memcpy(text.bytes, data, text.hdr.aux);
	if (symbols_text(symbols, &text) || symbols_text_id(symbols, text.hash, &id) || !id)
		abort();
	handler_finder_free(finder);
	symbols_free(symbols);
	dictionary_free(dictionary);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char clean[DEFINE_TEXT_MAX];

	if (!size)
		return 0;
	if (!block) /* memory beyond it cannot be read */
		block = mmap(NULL, BLOCK + 4096, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (block == MAP_FAILED || mprotect(block + BLOCK, 4096, PROT_NONE))
		abort();
	for (uint32_t i = 0; i < 3; i++)
		lines_find((int)(data[0] >> 4 & 3), data + 1, size - 1,
			   size < 8 ? UINT32_MAX : data[1], i * i * i * 300);
	utf8_clean((const char *)data, size, data[0] & 1, clean, sizeof(clean));
	must_be_text(clean);
	resolve(data + 1, size - 1, data[0] % 4);
	return 0;
}
