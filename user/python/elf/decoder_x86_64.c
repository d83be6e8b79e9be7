/* SPDX-License-Identifier: MIT */
/* Intel SDM volume 2: CALL, JMP, Jcc. */
#include <string.h>

#include "python/elf/decoder.h"

void places_add(struct places *places, uint64_t vaddr, enum import import)
{
	if (!places_full(places))
		places->list[places->count++] = (struct import_place){vaddr, import};
}

const struct import_place *places_find(const struct places *places, uint64_t vaddr)
{
	for (uint32_t i = 0; i < places->count; i++)
		if (places->list[i].vaddr == vaddr)
			return &places->list[i];
	return NULL;
}

/* Where the 32-bit displacement at `at`, the last part of its instruction, points to. */
static uint64_t relative(const struct machine_code *code, size_t at)
{
	int32_t displacement;

	memcpy(&displacement, code->bytes + at, sizeof(displacement));
	return code->vaddr + at + 4 + (uint64_t)(int64_t)displacement;
}

/* The next `byte` at or behind `at` that `room` more bytes follow; code->size when there is none.
 */
static size_t next_byte(const struct machine_code *code, size_t at, uint8_t byte, size_t room)
{
	const uint8_t *found = at + room < code->size
				       ? memchr(code->bytes + at, byte, code->size - at - room)
				       : NULL;

	return found ? (size_t)(found - code->bytes) : code->size;
}

static void stubs(const struct machine_code *code, const struct places *slots,
		  struct places *ret_stubs)
{
	static const uint8_t endbr64[4] = {0xf3, 0x0f, 0x1e, 0xfa};

	/* [endbr64] [bnd] jmp *slot(%rip): called at its first byte, so every place where it may
	 * begin is a stub */
	for (size_t at = next_byte(code, 0, 0xff, 5); at < code->size;
	     at = next_byte(code, at + 1, 0xff, 5)) {
		const struct import_place *slot = code->bytes[at + 1] == 0x25
							  ? places_find(slots,
									relative(code, at + 2))
							  : NULL;
		size_t start = at;

		if (!slot)
			continue;
		places_add(ret_stubs, code->vaddr + start, slot->import);
		if (start >= 1 && code->bytes[start - 1] == 0xf2)
			places_add(ret_stubs, code->vaddr + --start, slot->import);
		if (start >= sizeof(endbr64) &&
		    memcmp(code->bytes + start - sizeof(endbr64), endbr64, sizeof(endbr64)) == 0)
			places_add(ret_stubs, code->vaddr + start - sizeof(endbr64), slot->import);
	}
}

/* call rel32 (0xe8) and jmp rel32 (0xe9) */
static int direct_calls(const struct machine_code *code, uint8_t opcode,
			const struct places *stub_places,
			int (*found)(void *ctx, const struct call *call), void *ctx)
{
	for (size_t at = next_byte(code, 0, opcode, 4); at < code->size;
	     at = next_byte(code, at + 1, opcode, 4)) {
		const struct import_place *stub = places_find(stub_places, relative(code, at + 1));
		struct call call = {.vaddr = code->vaddr + at, .length = 5, .jump = opcode == 0xe9};
		int ret;

		if (!stub)
			continue;
		call.import = stub->import;
		ret = found(ctx, &call);
		if (ret)
			return ret;
	}
	return 0;
}

static int calls(const struct machine_code *code, const struct places *slots,
		 const struct places *stub_places, int (*found)(void *ctx, const struct call *call),
		 void *ctx)
{
	int ret = direct_calls(code, 0xe8, stub_places, found, ctx);

	if (!ret)
		ret = direct_calls(code, 0xe9, stub_places, found, ctx);
	/* call *slot(%rip), as -fno-plt writes it. Its jmp looks like a stub's, and is not needed:
	 * no GIL site is a tail call */
	for (size_t at = next_byte(code, 0, 0xff, 5); !ret && at < code->size;
	     at = next_byte(code, at + 1, 0xff, 5)) {
		const struct import_place *slot = code->bytes[at + 1] == 0x15
							  ? places_find(slots,
									relative(code, at + 2))
							  : NULL;

		if (slot)
			ret = found(ctx, &(struct call){.vaddr = code->vaddr + at,
							.length = 6,
							.import = slot->import});
	}
	return ret;
}

static bool jumps(const struct machine_code *code, uint64_t from, uint64_t from_end, uint64_t to,
		  uint64_t to_end)
{
	if (from < code->vaddr || from_end - code->vaddr > code->size || from_end < from)
		return false;
	for (size_t at = from - code->vaddr; at + 5 <= from_end - code->vaddr; at++) {
		const uint8_t *p = code->bytes + at;
		uint64_t target;

		if (*p == 0xe9)
			target = relative(code, at + 1);
		else if (*p == 0x0f && (p[1] & 0xf0) == 0x80 && at + 6 <= from_end - code->vaddr)
			target = relative(code, at + 2);
		else
			continue;
		if (target >= to && target < to_end)
			return true;
	}
	return false;
}

const struct decoder decoder_x86_64 = {stubs, calls, jumps};
