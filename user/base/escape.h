/* SPDX-License-Identifier: MIT */
/*
 * escape.h - text from a target (names, command lines) made harmless for a terminal or a line of a
 * script.
 */
#ifndef GILSCOPE_BASE_ESCAPE_H
#define GILSCOPE_BASE_ESCAPE_H

#include <stddef.h>
#include <stdio.h>

/*
 * Copies at most `length` bytes of `from` (stopping at NUL) to `to`: valid UTF-8 stays as it is;
 * bytes that are not UTF-8, backslashes, and characters that are not seen or change what is beside
 * them (Unicode's categories Cc, Cf, Zl and Zp: unseen.inc) become \xHH, byte by byte. The result
 * is always terminated and cut at a whole character when `size` is too small. Returns `to`.
 */
char *escape_text(char *to, size_t size, const char *from, size_t length);

/* The reverse: \xHH becomes a byte, all else is copied. Returns the number of bytes written (at
 * most `size`), or -EINVAL for a bad escape. */
int unescape_text(char *to, size_t size, const char *from);

/*
 * Writes JSON, as a library made it, with \uXXXX for the same characters: JSON itself requires that
 * for C0 only, which in such JSON are never raw inside of a string. 0, -EIO, or -EINVAL when it is
 * not UTF-8.
 */
int escape_json(FILE *file, const char *json, size_t length);

#endif
