/* SPDX-License-Identifier: MIT */
/*
 * script.h - the text script: the lossless, line-by-line twin of a trace, for eyes, bug reports and
 * golden tests.
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
 * A line is: seconds.nanoseconds, tid, event name, then in any order flag names and key=value for
 * hdr.aux (under its name in events.def, or "aux" where it has none there), flags= (the bits
 * without a name) and the fields. What is not given is 0. Unsigned numbers are decimal or
 * 0x-hexadecimal. Texts use \xHH for blanks, control characters and backslash. Comments and empty
 * lines may stand anywhere, also before the head. JSON is as in describe.h.
 *
 * A definition's number is the next of its kind, from 1. A function may have line=, name= and
 * file=, a text has text=; a stack has `cut` when there are more frames outside, then FUNCTION:LINE
 * for every frame, innermost first.
 */
#ifndef GILSCOPE_STREAM_SCRIPT_SCRIPT_H
#define GILSCOPE_STREAM_SCRIPT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "stream/stream.h"

struct diag;

/* No line is longer, its end included: the longest description of a process fits, and the longest
 * definition. */
#define SCRIPT_LINE_MAX 16384

/* Writing: head first, then the sink's calls in order. Write errors surface through ferror(file)
 * and the sink's return value. */
int script_write_head(FILE *file, const struct stream_head *head);
struct stream_sink script_sink(FILE *file);

/*
 * Reading, to the end of the file. `head` may be NULL. -EINVAL for what is not a script: the diag
 * names the line and the hint says what was expected. When `head` or the sink fails, its error is
 * returned, and the diag is filled if they left it empty. Does not sort: put a reorder stage behind
 * it.
 */
int script_read(FILE *file, int (*head)(void *ctx, const struct stream_head *), void *head_ctx,
		struct stream_sink sink, struct diag *diag);

/* True when the first bytes are a script's (its head, or a comment), so that every command takes
 * either form of a recording. Needs 15 bytes. */
bool script_recognise(const char *bytes, size_t length);

#endif
