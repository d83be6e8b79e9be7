/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include <string.h>

size_t utf8_decode(const char *bytes, size_t left, uint32_t *ret_value)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)bytes;
	size_t length = p[0] < 0x80 ? 1 : 2 + (p[0] >= 0xe0) + (p[0] >= 0xf0);
	uint32_t value = length == 1 ? p[0] : p[0] & (0x7fu >> length);

	if (p[0] >= 0xf8 || (p[0] >= 0x80 && p[0] < 0xc0))
		return 0;
	for (size_t i = 1; i < length; i++) {
		if (i == left)
			return length;
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (p[i] & 0x3f);
	}
	if (value < least[length])
		return 0;
	*ret_value = value;
	return length;
}

size_t utf8_write(uint32_t value, char to[4])
{
	uint32_t c = utf8_is_character(value) ? value : UTF8_REPLACEMENT;
	size_t length = 1 + (c >= 0x80) + (c >= 0x800) + (c >= 0x10000);

	if (length == 1) {
		to[0] = (char)c;
		return 1;
	}
	for (size_t i = length - 1; i; i--, c >>= 6)
		to[i] = (char)(0x80 | (c & 0x3f));
	to[0] = (char)(0xf00u >> length | c);
	return length;
}

static uint32_t unit_at(const unsigned char *units, unsigned unit_bytes, size_t i)
{
	uint16_t narrow;
	uint32_t wide;

	if (unit_bytes == 1)
		return units[i];
	if (unit_bytes == 2) {
		memcpy(&narrow, units + i * 2, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, units + i * 4, sizeof(wide));
	return wide;
}

/* Appends a character if it fits with a terminator. */
static bool append(char *to, size_t size, size_t *used, uint32_t value)
{
	char character[4];
	size_t length = utf8_write(value ? value : UTF8_REPLACEMENT, character);

	if (*used + length >= size)
		return false;
	memcpy(to + *used, character, length);
	*used += length;
	return true;
}

void utf8_from_units(const void *units, unsigned unit_bytes, size_t count, char *to, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		if (!append(to, size, &used, unit_at(units, unit_bytes, i)))
			break;
	to[used] = '\0';
}

void utf8_clean(const char *bytes, size_t length, bool cut, char *to, size_t size)
{
	size_t used = 0, taken;

	for (size_t i = 0; i < length; i += taken) {
		uint32_t value = UTF8_REPLACEMENT;
		size_t left = length - i;

		taken = utf8_decode(bytes + i, left, &value);
		if (taken > left && cut)
			break;
		if (!taken)
			taken = 1;
		else if (taken > left)
			taken = left;
		if (!append(to, size, &used, value))
			break;
	}
	to[used] = '\0';
}
