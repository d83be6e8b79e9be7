/* SPDX-License-Identifier: MIT */
#include "words/text_buffer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/escape.h"
#include "base/utf8.h"

void text_add(struct text_buffer *text, const char *format, ...)
{
	size_t room = sizeof(text->bytes) - text->length;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text->bytes + text->length, room, format, args);
	va_end(args);
	if (length < 0)
		return;
	if ((size_t)length < room) {
		text->length += (size_t)length;
		return;
	}
	text->length = sizeof(text->bytes) - 1;
	/* half a character would not be UTF-8 */
	while (text->length && ((unsigned char)text->bytes[text->length - 1] & 0xc0) == 0x80)
		text->length--;
	if (text->length && (unsigned char)text->bytes[text->length - 1] >= 0xc0)
		text->length--;
	text->bytes[text->length] = '\0';
}

void text_separate(struct text_buffer *text, const char *separator)
{
	if (text->length)
		text_add(text, "%s", separator);
}

void text_add_duration(struct text_buffer *text, uint64_t ns)
{
	char duration[DURATION_TEXT_MAX], *unit;

	duration_text(ns, duration);
	unit = strchr(duration, ' ');
	if (unit)
		text_add(text, "%.*s" NBSP "%s", (int)(unit - duration), duration, unit + 1);
	else
		text_add(text, "%s", duration);
}

void text_add_share(struct text_buffer *text, uint64_t part, uint64_t whole)
{
	double share = whole ? 100.0 * (double)part / (double)whole : 0;

	if (!part || part == whole)
		text_add(text, "%d" NBSP "%%", part ? 100 : 0);
	else if (share < 0.1)
		text_add(text, "<0.1" NBSP "%%");
	else if (share < 9.95)
		text_add(text, "%.1f" NBSP "%%", share);
	else if (share < 99.5)
		text_add(text, "%.0f" NBSP "%%", share);
	else
		text_add(text, "%.1f" NBSP "%%", share > 99.9 ? 99.9 : share);
}

void text_add_count(struct text_buffer *text, uint64_t count)
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, count);

	for (int i = 0; i < length; i++)
		text_add(text, "%s%c", i && (length - i) % 3 == 0 ? NBSP : "", digits[i]);
}

void text_add_number_of(struct text_buffer *text, uint64_t count, const char *one, const char *many)
{
	text_add_count(text, count);
	text_add(text, NBSP "%s", count == 1 ? one : many);
}

/* Returns the length of the character at `bytes`, which are UTF-8: escape_text() or we made them.
 */
static size_t decode(const char *bytes, uint32_t *ret_value)
{
	size_t length = utf8_decode(bytes, SIZE_MAX, ret_value);

	if (length)
		return length;
	*ret_value = UTF8_REPLACEMENT;
	return 1;
}

/* wcwidth() needs a locale; the blocks that matter for names are few (Unicode, EastAsianWidth.txt).
 */
static unsigned character_width(uint32_t value)
{
	static const struct {
		uint32_t first, last;
		unsigned width;
	} blocks[] = {
		{0x0300, 0x036f, 0},   {0x200b, 0x200f, 0},   {0x20d0, 0x20ff, 0},
		{0xfe00, 0xfe0f, 0},   {0x1100, 0x115f, 2},   {0x2e80, 0xa4cf, 2},
		{0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},   {0xfe30, 0xfe6f, 2},
		{0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2},   {0x1f300, 0x1f64f, 2},
		{0x1f680, 0x1f6ff, 2}, {0x1f900, 0x1f9ff, 2}, {0x20000, 0x3fffd, 2},
	};

	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		if (value >= blocks[i].first && value <= blocks[i].last)
			return blocks[i].width;
	return 1;
}

unsigned text_width(const char *bytes)
{
	unsigned width = 0;
	uint32_t value;

	while (*bytes) {
		bytes += decode(bytes, &value);
		width += character_width(value);
	}
	return width;
}

/* Bytes of the longest beginning that takes at most `columns`. */
static size_t beginning(const char *bytes, unsigned columns)
{
	unsigned width = 0;
	uint32_t value;
	size_t used = 0;

	while (bytes[used]) {
		size_t length = decode(bytes + used, &value);

		width += character_width(value);
		if (width > columns)
			break;
		used += length;
	}
	return used;
}

void text_add_cut(struct text_buffer *text, const char *escaped, unsigned columns)
{
	if (text_width(escaped) <= columns)
		text_add(text, "%s", escaped);
	else
		text_add(text, "%.*s…", (int)beginning(escaped, columns - 1), escaped);
}

void text_add_name(struct text_buffer *text, const char *name, unsigned columns)
{
	char shown[4 * 1024 + 1];

	text_add_cut(text, escape_text(shown, sizeof(shown), name, strlen(name)), columns);
}

void text_add_path(struct text_buffer *text, const char *path, unsigned columns)
{
	char shown[4 * 1024 + 1];
	const char *rest = shown;

	escape_text(shown, sizeof(shown), path, strlen(path));
	if (text_width(shown) <= columns) {
		text_add(text, "%s", shown);
		return;
	}
	while (*rest && text_width(rest) + 1 > columns) {
		const char *slash = strchr(rest + 1, '/');

		if (!slash)
			break;
		rest = slash;
	}
	/* the file's name alone is too long: its end says more than its beginning */
	while (text_width(rest) + 1 > columns) {
		uint32_t value;

		rest += decode(rest, &value);
	}
	text_add(text, "…%s", rest);
}
