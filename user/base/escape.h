/* SPDX-License-Identifier: MIT */
/*
 * escape.h - text from a target (names, command lines) made harmless for a terminal or a line of a script.
 */
#ifndef GILSCOPE_BASE_ESCAPE_H
#define GILSCOPE_BASE_ESCAPE_H

#include <stddef.h>

/*
 * Copies at most `length` bytes of `from` (stopping at NUL) to `to`: valid UTF-8 stays as it is, control characters (C0, DEL, C1), backslashes and
 * bytes that are not UTF-8 become \xHH. The result is always terminated and cut at a whole character when `size` is too small. Returns `to`.
 */
char *escape_text(char *to, size_t size, const char *from, size_t length);

/* The reverse: \xHH becomes a byte, all else is copied. Returns the number of bytes written (at most `size`), or -EINVAL for a bad escape. */
int unescape_text(char *to, size_t size, const char *from);

#endif
