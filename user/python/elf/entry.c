/* SPDX-License-Identifier: MIT */
/* Intel SDM volume 2. The few instructions that compilers put before the first jump or call of such
 * a function; at any other one the search ends. */
#include "python/elf/entry.h"

#include <string.h>

enum { REG_CX = 1, REG_DI = 7, REG_NONE = 16, INSTRUCTIONS_MAX = 16 };

/* An instruction that only computes. */
struct plain {
	size_t length; /* 0: it is not known */
	unsigned int writes;
};

/* Whole instructions but for their operands. */
static const struct pattern {
	const char *bytes;
	uint8_t count, operands;
} patterns[] = {
	{"\xf3\x0f\x1e\xfa", 4, 0}, /* endbr64 */
	{"\x80\x3d", 2, 5},	    /* cmpb $imm8, disp32(%rip) */
	{"\x83\x3d", 2, 5},	    /* cmpl $imm8, disp32(%rip) */
	{"\x64\x8b\x04\x25", 4, 4}, /* mov %fs:disp32, %eax */
	{"\x64\x83\x3c\x25", 4, 5}, /* cmpl $imm8, %fs:disp32 */
	{"\x64\x80\x3c\x25", 4, 5}, /* cmpb $imm8, %fs:disp32 */
	{"\x85\xc0", 2, 0},	    /* test %eax, %eax */
	{"\x48\x83\xec", 3, 1},	    /* sub $imm8, %rsp */
	{"\x48\x81\xec", 3, 4},	    /* sub $imm32, %rsp */
	{"\x6a", 1, 1},		    /* push $imm8 */
	{"\x68", 1, 4},		    /* push $imm32 */
};

static struct plain pattern_at(const uint8_t *code, size_t size)
{
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
		const struct pattern *pattern = &patterns[i];

		if ((size_t)(pattern->count + pattern->operands) <= size &&
		    memcmp(code, pattern->bytes, pattern->count) == 0)
			return (struct plain){pattern->count + pattern->operands, REG_NONE};
	}
	return (struct plain){0};
}

/* [REX] mov, movslq or xor between registers, or mov $imm32 to one */
static struct plain register_at(const uint8_t *code, size_t size)
{
	uint8_t rex = (code[0] & 0xf0) == 0x40 ? code[0] : 0, opcode, modrm;
	unsigned int reg, rm;
	size_t at = rex ? 1 : 0;

	if (at + 2 > size)
		return (struct plain){0};
	opcode = code[at];
	modrm = code[at + 1];
	if ((opcode & 0xf8) == 0xb8 && !(rex & 8))
		return (struct plain){at + 5, (opcode & 7u) | (rex & 1u) << 3};
	reg = (modrm >> 3 & 7u) | (rex & 4u) << 1;
	rm = (modrm & 7u) | (rex & 1u) << 3;
	if (modrm >> 6 != 3)
		return (struct plain){0};
	switch (opcode) {
	case 0x63: /* movslq, of the same register: the argument stays */
		return (struct plain){at + 2, reg == rm ? REG_NONE : reg};
	case 0x8b:
	case 0x33:
		return (struct plain){at + 2, reg};
	case 0x89:
	case 0x31:
		return (struct plain){at + 2, rm};
	default:
		return (struct plain){0};
	}
}

static bool is_short_jump(uint8_t opcode)
{
	return (opcode & 0xf0) == 0x70 || opcode == 0xeb;
}

static bool is_emulated(const uint8_t *code, size_t size)
{
	if (is_short_jump(code[0]) || code[0] == 0xe8 || code[0] == 0xe9 ||
	    (code[0] & 0xf8) == 0x50)
		return true;
	return size > 1 && ((code[0] == 0x0f && (code[1] & 0xf0) == 0x80) ||
			    (code[0] == 0x41 && (code[1] & 0xf8) == 0x50));
}

size_t entry_place(const uint8_t *code, size_t size, bool fourth)
{
	size_t at = 0;

	for (int i = 0; i < INSTRUCTIONS_MAX && at < size; i++) {
		struct plain plain;

		if (is_emulated(code + at, size - at))
			return at;
		plain = pattern_at(code + at, size - at);
		if (!plain.length)
			plain = register_at(code + at, size - at);
		if (!plain.length || plain.writes == REG_DI || (fourth && plain.writes == REG_CX))
			return 0;
		at += plain.length;
	}
	return 0;
}

/* cmp $imm32, %rax; cmp $imm8, %rax; cmp $imm8, %eax */
static size_t comparison_at(const uint8_t *code)
{
	if (memcmp(code, "\x48\x3d", 2) == 0)
		return 6;
	if (memcmp(code, "\x48\x83\xf8", 3) == 0)
		return 4;
	return memcmp(code, "\x83\xf8", 2) == 0 ? 3 : 0;
}

size_t entry_result_place(const uint8_t *code, size_t size)
{
	enum { BEHIND = 8 }; /* bytes of the longest comparison and the jump's opcode */

	for (size_t at = 0; at + 2 + BEHIND <= size; at++) {
		const uint8_t *behind = code + at + 2;
		size_t length = memcmp(code + at, "\x0f\x05", 2) == 0 ? comparison_at(behind) : 0;

		if (length && is_emulated(behind + length, 2))
			return at + 2 + length;
	}
	return SIZE_MAX;
}
