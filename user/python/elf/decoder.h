/* SPDX-License-Identifier: MIT */
/*
 * decoder.h - finds calls of imported functions in machine code, per architecture. Not a
 * disassembler: it knows the few encodings in which compilers and linkers write a call, and looks
 * for those whose operand is exactly the import's stub or GOT slot.
 */
#ifndef GILSCOPE_PYTHON_ELF_DECODER_H
#define GILSCOPE_PYTHON_ELF_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum import { IMPORT_TIMEDWAIT, IMPORT_SIGNAL, IMPORTS };

/* A run of code as it lies in the file. */
struct machine_code {
	const uint8_t *bytes;
	size_t size;
	uint64_t vaddr;
};

/* A place that leads to an import: its GOT slot (a word of data), or a stub in the PLT (code that
 * jumps through the slot). */
struct import_place {
	uint64_t vaddr;
	enum import import;
};

enum { PLACES_MAX = 64 };

struct places {
	struct import_place list[PLACES_MAX];
	uint32_t count;
};

/* Appends; what does not fit is dropped and makes places_full() true. */
void places_add(struct places *places, uint64_t vaddr, enum import import);
const struct import_place *places_find(const struct places *places, uint64_t vaddr);
static inline bool places_full(const struct places *places)
{
	return places->count >= PLACES_MAX;
}

struct call {
	uint64_t vaddr;
	uint8_t length; /* of the instruction, in bytes */
	bool jump;	/* a tail call: nothing comes back behind it */
	enum import import;
};

struct decoder {
	/* Finds the stubs that jump through the slots. */
	void (*stubs)(const struct machine_code *code, const struct places *slots,
		      struct places *stubs);
	/* Finds calls to stubs and calls through slots until `found` returns non-zero, and returns
	 * that. */
	int (*calls)(const struct machine_code *code, const struct places *slots,
		     const struct places *stubs, int (*found)(void *ctx, const struct call *call),
		     void *ctx);
	/* Is there a direct jump, conditional or not, from [from, from_end) of the code to an
	 * address in [to, to_end)? */
	bool (*jumps)(const struct machine_code *code, uint64_t from, uint64_t from_end,
		      uint64_t to, uint64_t to_end);
};

extern const struct decoder decoder_x86_64;
extern const struct decoder decoder_aarch64;

#if defined(__x86_64__)
#define DECODER decoder_x86_64
#else
#define DECODER decoder_aarch64
#endif

#endif
