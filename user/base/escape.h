/* SPDX-License-Identifier: MIT */
/*
 * escape.h - makes text from a target (names, command lines) harmless for a terminal or a line of a
 * script.
 */
#ifndef GILSCOPE_BASE_ESCAPE_H
#define GILSCOPE_BASE_ESCAPE_H

#include <stddef.h>
#include <stdio.h>

/*
 * Copies at most `length` bytes of `from` (stopping at NUL) to `to`. Valid UTF-8 stays as it is;
 * bytes that are not UTF-8, backslashes, and characters that are invisible or change their
 * surroundings (Unicode categories Cc, Cf, Zl and Zp: unseen.inc) become \xHH, byte by byte. The
 * result is always terminated, and cut at a whole character if `size` is too small. Returns `to`.
 */
char *escape_text(char *to, size_t size, const char *from, size_t length);

/* The reverse: \xHH becomes a byte, everything else is copied. Returns the number of bytes written
 * (at most `size`), or -EINVAL for a malformed escape. */
int unescape_text(char *to, size_t size, const char *from);

/*
 * Writes JSON that a library made, with \uXXXX for the same characters: JSON requires that for C0
 * only, and such JSON never has those unescaped in strings. 0, -EIO, or -EINVAL if it is not UTF-8.
 */
int escape_json(FILE *file, const char *json, size_t length);

#endif
