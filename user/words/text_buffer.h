/* SPDX-License-Identifier: MIT */
/*
 * text_buffer.h - builds a sentence or a cell: plain UTF-8 in a buffer of fixed size. Start with
 * `struct text_buffer text = {0};`. Adding never fails: what does not fit is cut off at a whole
 * character.
 *
 * Between a number and its unit stands NBSP, so that they stay on one line when canvas_paragraph()
 * wraps the text.
 */
#ifndef GILSCOPE_WORDS_TEXT_BUFFER_H
#define GILSCOPE_WORDS_TEXT_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#define NBSP "\xc2\xa0"

struct text_buffer {
	char bytes[4096]; /* terminated */
	size_t length;
};

void text_add(struct text_buffer *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Adds `separator` unless the text is empty. */
void text_separate(struct text_buffer *text, const char *separator);
/* A duration as duration_text() prints it: "1.20 ms". */
void text_add_duration(struct text_buffer *text, uint64_t ns);
/* "91 %", "0.4 %", "<0.1 %". "100 %" and "0 %" mean exactly all and nothing; part 0 of 0 is "0 %".
 */
void text_add_share(struct text_buffer *text, uint64_t part, uint64_t whole);
/* "182 344" */
void text_add_count(struct text_buffer *text, uint64_t count);
/* "1 stall", "6 stalls" */
void text_add_number_of(struct text_buffer *text, uint64_t count, const char *one,
			const char *many);
/* A name from the target: escaped (escape_text()), cut with an ellipsis to `columns`. */
void text_add_name(struct text_buffer *text, const char *name, unsigned columns);
/* The same for a name that is escaped already. */
void text_add_cut(struct text_buffer *text, const char *escaped, unsigned columns);
/* A path from the target: escaped, and shortened to `columns` from the left, at a slash if
 * possible. */
void text_add_path(struct text_buffer *text, const char *path, unsigned columns);

/* Terminal columns of the text: two for East Asian wide characters, none for combining ones. */
unsigned text_width(const char *bytes);

#endif
