/* SPDX-License-Identifier: MIT */
/*
 * utf8.h - UTF-8 by hand (RFC 3629): mbrtowc() and wcrtomb() depend on the locale, which may be
 * ASCII, and what they read may be hostile.
 */
#ifndef GILSCOPE_BASE_UTF8_H
#define GILSCOPE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xfffdu /* stands for what is not a character */

/* Neither a surrogate nor above U+10FFFF. */
static inline bool utf8_is_character(uint32_t value)
{
	return value < 0xd800 || (value >= 0xe000 && value <= 0x10ffff);
}

/*
 * Decodes the character at `bytes`, of which `left` (at least one) may be read; none behind a NUL
 * is. Returns its length; more than `left` when the text ends inside the character; 0 when this is
 * not UTF-8 (overlong forms are not). Values that utf8_is_character() refuses are returned.
 */
size_t utf8_decode(const char *bytes, size_t left, uint32_t *ret_value);

/* Encodes one character, U+FFFD for what is not one. Returns its length. */
size_t utf8_write(uint32_t value, char to[4]);

/*
 * Encodes `count` units of `unit_bytes` (1, 2 or 4), the native form of Python's str: Latin-1,
 * UCS-2 or UCS-4, where every unit is a character. What is not one becomes U+FFFD, as does NUL,
 * which would end the text. `to` is terminated, and cut at a whole character when `size` is too
 * small.
 */
void utf8_from_units(const void *units, unsigned unit_bytes, size_t count, char *to, size_t size);

/*
 * Copies `length` bytes that only claim to be UTF-8, and makes them so: what is not a character and
 * NUL become U+FFFD, one for each byte that cannot be decoded. With `cut`, a last character of
 * which bytes are missing is dropped instead. `to` as above.
 */
void utf8_clean(const char *bytes, size_t length, bool cut, char *to, size_t size);

#endif
