/* SPDX-License-Identifier: MIT */
/*
 * script.h - the text script: the lossless line-by-line form of a trace, for reading, bug reports
 * and golden tests.
 *
 *   # comment
 *   gilscope-script 1 {"version": "0.1.0", "mode": "exact", …}        head (JSON)
 *   process {"pid": 4711, "cmdline": "uvicorn app:app", "python": "3.11.2", …}
 *   function 1 line=12 name=Handler.get file=/srv/my\x20app.py
 *   stack 1 1:15 0:0
 *   text 1 text=Task-7
 *   1000.000000000 4711 take gil=0
 *   1000.000120000 4711 switch_out cpu=1 syscall sysno=230
 *   1000.000130000 4712 comm pid=4711 comm=AnyIO\x20worker
 *
 * A line consists of seconds.nanoseconds, tid and event name; then, in any order, flag names,
 * key=value for hdr.aux (under its name in events.def, or "aux" if it has none), flags= (the bits
 * without a name) and the fields. Whatever is omitted is 0. Unsigned numbers are decimal or
 * 0x-hexadecimal. Texts use \xHH for blanks, control characters and backslash. Comments and empty
 * lines may appear anywhere, even before the head. JSON is as in describe.h.
 *
 * A definition's number is the next of its kind, from 1. A function may have line=, name= and
 * file=, a text has text=; a stack has `cut` if there are more frames outside, then FUNCTION:LINE
 * for every frame, innermost first.
 */
#ifndef GILSCOPE_STREAM_SCRIPT_SCRIPT_H
#define GILSCOPE_STREAM_SCRIPT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "stream/stream.h"

struct diag;

/* Maximal length of a line, newline included: the longest process description and the longest
 * definition fit. */
#define SCRIPT_LINE_MAX 16384

/* Writing: head first, then the sink's calls in order. Write errors surface through ferror(file)
 * and the sink's return value. */
int script_write_head(FILE *file, const struct stream_head *head);
struct stream_sink script_sink(FILE *file);

/*
 * Reads to the end of the file. `head` may be NULL. -EINVAL for input that is not a script: the
 * diag names the line, and the hint says what was expected. If `head` or the sink fails, its error
 * is returned, and the diag is filled if it was left empty. Does not sort: put a reorder stage
 * after it.
 */
int script_read(FILE *file, int (*head)(void *ctx, const struct stream_head *), void *head_ctx,
		struct stream_sink sink, struct diag *diag);

/* Whether the first bytes (15 suffice) are those of a script: its head, or a comment. Lets every
 * command accept either form of a recording. */
bool script_recognise(const char *bytes, size_t length);

#endif
