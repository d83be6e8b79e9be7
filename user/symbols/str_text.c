/* SPDX-License-Identifier: MIT */
#include "symbols/str_text.h"

#include <errno.h>
#include <string.h>

#include "python/process/memory.h"

#define REPLACEMENT 0xfffdu

/* Appends a character when it still fits with a terminator. */
static bool put(char *to, size_t *used, uint32_t c)
{
	unsigned char bytes[4];
	size_t length;

	if (!c || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = REPLACEMENT;
	length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	if (*used + length >= DEFINE_TEXT_MAX)
		return false;
	if (length == 1) {
		bytes[0] = (unsigned char)c;
	} else {
		for (size_t i = length - 1; i; i--, c >>= 6)
			bytes[i] = 0x80 | (c & 0x3f);
		bytes[0] = (unsigned char)(0xf00u >> length | c);
	}
	memcpy(to + *used, bytes, length);
	*used += length;
	return true;
}

static uint32_t unit_at(const unsigned char *unit, unsigned int kind)
{
	uint32_t c = unit[0];

	if (kind > 1)
		c |= (uint32_t)unit[1] << 8;
	if (kind > 2)
		c |= (uint32_t)unit[2] << 16 | (uint32_t)unit[3] << 24;
	return c;
}

void str_decode(const void *characters, unsigned int kind, size_t count, char to[DEFINE_TEXT_MAX])
{
	size_t used = 0;

	for (size_t i = 0;
	     i < count &&
	     put(to, &used, unit_at((const unsigned char *)characters + i * kind, kind));
	     i++)
		;
	to[used] = '\0';
}

int str_read(pid_t pid, const struct code_layout *layout, uint64_t address,
	     char to[DEFINE_TEXT_MAX])
{
	unsigned char units[DEFINE_TEXT_MAX * 4];
	uint64_t length;
	uint32_t state, kind;
	bool ascii;
	int err = memory_read_u64(pid, address + (uint64_t)layout->unicode_length, &length);

	if (!err)
		err = memory_read_u32(pid, address + (uint64_t)layout->unicode_state, &state);
	if (err)
		return err;
	/* state: interned 2 bits or a byte, kind 3, compact 1, ascii 1 */
	state >>= layout->unicode_shift;
	kind = state >> 2 & 7;
	ascii = state >> 6 & 1;
	if (!(state >> 5 & 1) || (kind != 1 && kind != 2 && kind != 4) || (ascii && kind != 1) ||
	    length > INT64_MAX)
		return -EBADMSG;
	if (length >= DEFINE_TEXT_MAX)
		length = DEFINE_TEXT_MAX - 1;
	err = memory_read(
		pid, address + (uint64_t)(ascii ? layout->unicode_ascii : layout->unicode_compact),
		units, length * kind);
	if (err)
		return err;
	if (ascii)
		text_clean((const char *)units, length, false, to);
	else
		str_decode(units, kind, length, to);
	return 0;
}

/*
 * The character at `p`, of *ret_length bytes. One that is none is U+FFFD: it takes its first byte
 * alone, or at the end of the text (*ret_short) all that is there of it. Overlong forms are none;
 * put() refuses surrogates and what is too large.
 */
static uint32_t character(const unsigned char *p, size_t left, size_t *ret_length, bool *ret_short)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	uint32_t value = length == 1 ? p[0] : p[0] & (0x7fu >> length);

	*ret_length = 1;
	*ret_short = false;
	if (p[0] >= 0xf8 || (p[0] >= 0x80 && p[0] < 0xc0))
		return REPLACEMENT;
	for (size_t i = 1; i < length; i++) {
		if (i == left) {
			*ret_length = left;
			*ret_short = true;
			return REPLACEMENT;
		}
		if ((p[i] & 0xc0) != 0x80)
			return REPLACEMENT;
		value = value << 6 | (p[i] & 0x3f);
	}
	if (value < least[length])
		return REPLACEMENT;
	*ret_length = length;
	return value;
}

void text_clean(const char *bytes, size_t length, bool cut, char to[DEFINE_TEXT_MAX])
{
	size_t used = 0, taken;

	for (size_t i = 0; i < length; i += taken) {
		bool is_short;
		uint32_t c = character((const unsigned char *)bytes + i, length - i, &taken,
				       &is_short);

		if ((cut && is_short) || !put(to, &used, c))
			break;
	}
	to[used] = '\0';
}
