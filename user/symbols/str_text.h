/* SPDX-License-Identifier: MIT */
/*
 * str_text.h - a target's strings as valid UTF-8: Python's str objects in its memory, and bytes
 * that only claim to be text.
 *
 * What is no character (lone surrogates, which surrogateescape leaves in file names; values above
 * U+10FFFF; bytes that are not UTF-8; NUL, which would end the text) becomes U+FFFD. Texts are cut
 * to DEFINE_TEXT_MAX bytes at a whole character. Control characters stay: views escape what they
 * show.
 */
#ifndef GILSCOPE_SYMBOLS_STR_TEXT_H
#define GILSCOPE_SYMBOLS_STR_TEXT_H

#include "stream/stream.h"
#include "python/target.h"

/*
 * The str object at `address` (CPython's Include/cpython/unicodeobject.h). 0; -EBADMSG: that is no
 * compact str (subclasses of str and the legacy strings before 3.12 are not compact, and no name of
 * a code object is one of them); or the error of the read.
 */
int str_read(pid_t pid, const struct code_layout *layout, uint64_t address,
	     char to[DEFINE_TEXT_MAX]);

/* `count` characters as a str has them, `kind` bytes each: 1 (Latin-1), 2 or 4. */
void str_decode(const void *characters, unsigned int kind, size_t count, char to[DEFINE_TEXT_MAX]);

/* `bytes` made valid; with `cut` a last character of which bytes are missing is dropped. */
void text_clean(const char *bytes, size_t length, bool cut, char to[DEFINE_TEXT_MAX]);

#endif
