/* SPDX-License-Identifier: MIT */
/* Arm Architecture Reference Manual, C6.2: ADRP, LDR (immediate), BR, BL, B, B.cond, CBZ, TBZ. */
#include <string.h>

#include "python/elf/decoder.h"

static uint32_t word_at(const struct machine_code *code, size_t at)
{
	uint32_t word;

	memcpy(&word, code->bytes + at, sizeof(word));
	return word;
}

/* `bits` bits of a word from `shift` on, as a signed number of instructions, in bytes */
static uint64_t branch_offset(uint32_t word, unsigned int shift, unsigned int bits)
{
	return (uint64_t)((int64_t)((uint64_t)(word >> shift) << (64 - bits)) >> (64 - bits)) * 4;
}

/* adrp x16, page; ldr x17, [x16, #low]: the address that is loaded, or 0 */
static uint64_t loaded_from(const struct machine_code *code, size_t at)
{
	uint32_t adrp = word_at(code, at), ldr = word_at(code, at + 4);
	uint64_t page = (code->vaddr + at) & ~UINT64_C(0xfff);
	uint32_t immediate = (adrp >> 29 & 3) | (adrp >> 5 & 0x7ffff) << 2;

	if ((adrp & 0x9f00001f) != 0x90000010 || (ldr & 0xffc003ff) != 0xf9400211)
		return 0;
	page += (uint64_t)((int64_t)((uint64_t)immediate << 43) >> 43) << 12;
	return page + (ldr >> 10 & 0xfff) * 8;
}

static void stubs(const struct machine_code *code, const struct places *slots,
		  struct places *ret_stubs)
{
	static const uint32_t bti_c = 0xd503245f;

	for (size_t at = 0; at + 8 <= code->size; at += 4) {
		const struct import_place *slot = places_find(slots, loaded_from(code, at));

		if (!slot)
			continue;
		places_add(ret_stubs, code->vaddr + at, slot->import);
		if (at >= 4 && word_at(code, at - 4) == bti_c)
			places_add(ret_stubs, code->vaddr + at - 4, slot->import);
	}
}

static int calls(const struct machine_code *code, const struct places *slots,
		 const struct places *stub_places, int (*found)(void *ctx, const struct call *call),
		 void *ctx)
{
	for (size_t at = 0; at + 4 <= code->size; at += 4) {
		uint32_t word = word_at(code, at);
		bool link = (word & 0xfc000000) == 0x94000000,
		     jump = (word & 0xfc000000) == 0x14000000;
		const struct import_place *stub =
			link || jump ? places_find(stub_places,
						   code->vaddr + at + branch_offset(word, 0, 26))
				     : NULL;
		int ret = 0;

		if (stub)
			ret = found(ctx, &(struct call){.vaddr = code->vaddr + at,
							.length = 4,
							.jump = jump,
							.import = stub->import});
		if (ret)
			return ret;
	}
	return 0;
}

static bool jumps(const struct machine_code *code, uint64_t from, uint64_t from_end, uint64_t to,
		  uint64_t to_end)
{
	if (from < code->vaddr || from_end - code->vaddr > code->size || from_end < from)
		return false;
	for (size_t at = from - code->vaddr; at + 4 <= from_end - code->vaddr; at += 4) {
		uint32_t word = word_at(code, at);
		uint64_t target = code->vaddr + at;

		if ((word & 0xfc000000) == 0x14000000) /* b */
			target += branch_offset(word, 0, 26);
		/* b.cond, cbz, cbnz */
		else if ((word & 0xff000000) == 0x54000000 || (word & 0x7e000000) == 0x34000000)
			target += branch_offset(word, 5, 19);
		else if ((word & 0x7e000000) == 0x36000000) /* tbz, tbnz */
			target += branch_offset(word, 5, 14);
		else
			continue;
		if (target >= to && target < to_end)
			return true;
	}
	return false;
}

const struct decoder decoder_aarch64 = {stubs, calls, jumps};
