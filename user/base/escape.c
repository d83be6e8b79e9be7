/* SPDX-License-Identifier: MIT */
#include "base/escape.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Controls, format characters (including the bidirectional ones, with which a name could rewrite
 * the line that it appears in), line and paragraph separators. */
static bool is_unseen(uint32_t character)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
#include "base/unseen.inc"
	};
	size_t low = 0, high = sizeof(ranges) / sizeof(ranges[0]);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (character > ranges[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	return low < sizeof(ranges) / sizeof(ranges[0]) && character >= ranges[low].first;
}

/* Length of the UTF-8 character at `p`; 0 when that is not one. */
static size_t character_length(const char *p, size_t left, uint32_t *ret_character)
{
	size_t length = utf8_decode(p, left, ret_character);

	return length <= left && length && utf8_is_character(*ret_character) ? length : 0;
}

/* The same of a character that can be shown as it is. */
static size_t plain_length(const char *p, size_t left)
{
	uint32_t character = 0;
	size_t length = character_length(p, left, &character);

	return character == '\\' || is_unseen(character) ? 0 : length;
}

char *escape_text(char *to, size_t size, const char *from, size_t length)
{
	size_t used = 0;

	if (!size)
		return to;
	for (size_t i = 0; i < length && from[i];) {
		size_t whole = plain_length(from + i, length - i);

		if (used + (whole ? whole : 4) >= size)
			break;
		if (whole) {
			memcpy(to + used, from + i, whole);
			used += whole;
			i += whole;
		} else {
			used += (size_t)snprintf(to + used, size - used, "\\x%02x",
						 (unsigned char)from[i++]);
		}
	}
	to[used] = '\0';
	return to;
}

static int hex_value(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

int unescape_text(char *to, size_t size, const char *from)
{
	size_t used = 0;

	for (const char *p = from; *p && used < size; p++) {
		if (*p != '\\') {
			to[used++] = *p;
			continue;
		}
		if (p[1] != 'x' || hex_value(p[2]) < 0 || hex_value(p[3]) < 0)
			return -EINVAL;
		to[used++] = (char)(hex_value(p[2]) << 4 | hex_value(p[3]));
		p += 3;
	}
	return (int)used;
}

/* Writes the invisible character as JSON has it: above U+FFFF as a pair of surrogates. */
static void put_unseen(FILE *file, uint32_t character)
{
	if (character > 0xffff)
		fprintf(file, "\\u%04x\\u%04x", 0xd7c0 + (character >> 10),
			0xdc00 | (character & 0x3ff));
	else
		fprintf(file, "\\u%04x", character);
}

int escape_json(FILE *file, const char *json, size_t length)
{
	size_t written = 0, whole;

	for (size_t i = 0; i < length; i += whole) {
		uint32_t character = 0;

		whole = character_length(json + i, length - i, &character);
		if (!whole)
			return -EINVAL;
		if (character < 0x7f || !is_unseen(character))
			continue;
		fwrite(json + written, 1, i - written, file);
		put_unseen(file, character);
		written = i + whole;
	}
	fwrite(json + written, 1, length - written, file);
	return ferror(file) ? -EIO : 0;
}
