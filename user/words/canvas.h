/* SPDX-License-Identifier: MIT */
/*
 * canvas.h - what the text view draws with: wrapped paragraphs, cells of a given width, bars of
 * states. Internal to the room.
 *
 * Widths are columns of a terminal. In texts a no-break space keeps a number and its unit on one
 * line; it is printed as a blank.
 */
#ifndef GILSCOPE_WORDS_CANVAS_H
#define GILSCOPE_WORDS_CANVAS_H

#include <stdbool.h>
#include <stdio.h>

#include "analysis/report.h"

#define NBSP "\xc2\xa0"

struct canvas {
	FILE *file;
	unsigned columns;
	bool colour;
};

/* A text under construction; cut at a whole character when it is too long. */
struct text_buffer {
	char bytes[4096];
	size_t length;
};

void text_add(struct text_buffer *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Adds `separator` unless the text is empty. */
void text_separate(struct text_buffer *text, const char *separator);
/* A length of time as duration_text() has it. */
void text_add_duration(struct text_buffer *text, uint64_t ns);
/* "91 %", "0.4 %", "<0.1 %"; never "100 %" of what is not all, "0 %" for nothing of nothing. */
void text_add_share(struct text_buffer *text, uint64_t part, uint64_t whole);
/* "182 344" */
void text_add_count(struct text_buffer *text, uint64_t count);
/* "1 stall", "6 stalls" */
void text_add_number_of(struct text_buffer *text, uint64_t count, const char *one,
			const char *many);
/* A name from the target, escaped, cut with an ellipsis to at most `columns`. */
void text_add_name(struct text_buffer *text, const char *name, unsigned columns);
/* The same with a name that is escaped already. */
void text_add_cut(struct text_buffer *text, const char *escaped, unsigned columns);
/* A path from the target, escaped, shortened from the left to at most `columns`, where there is a
 * slash if that can be. */
void text_add_path(struct text_buffer *text, const char *path, unsigned columns);

/* Columns a text takes: two for East Asian wide characters, none for combining ones. */
unsigned text_width(const char *bytes);

/* Prints the text wrapped: the first line behind `first` (already as wide as `indent`), the others
 * behind `indent` blanks. */
void canvas_paragraph(const struct canvas *canvas, const char *first, unsigned indent,
		      const struct text_buffer *text);
void canvas_heading(const struct canvas *canvas, const struct text_buffer *text);
/* Prints the text in `columns` columns, on the right when `right`. */
void canvas_cell(const struct canvas *canvas, const char *bytes, unsigned columns, bool right);
/* The same on the left, in bold type. */
void canvas_strong(const struct canvas *canvas, const char *bytes, unsigned columns);
/*
 * A bar of `columns` cells for `whole` ns: each state gets its share in its letter and colour, in
 * the order of the enum; what is left over is blank.
 */
void canvas_bar(const struct canvas *canvas, const struct state_sums *sums, uint64_t whole,
		unsigned columns);
/* One letter of the bar's legend. */
void canvas_letter(const struct canvas *canvas, enum thread_state state, unsigned times);

#endif
