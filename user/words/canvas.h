/* SPDX-License-Identifier: MIT */
/*
 * canvas.h - draws text on a terminal or into a file: wrapped paragraphs, cells of a given width,
 * bars of states.
 *
 * Widths are terminal columns (text_width()). A no-break space in a text is printed as a blank, at
 * which no line is broken. Errors of the file are left to the caller: ferror() at the end.
 */
#ifndef GILSCOPE_WORDS_CANVAS_H
#define GILSCOPE_WORDS_CANVAS_H

#include <stdbool.h>
#include <stdio.h>

#include "analysis/report.h"
#include "words/text_buffer.h"

struct canvas {
	FILE *file;
	unsigned columns; /* where paragraphs are wrapped */
	bool colour;	  /* escape sequences may be printed */
};

/* Prints the text wrapped: the first line after `first` (already as wide as `indent`), the others
 * after `indent` blanks. */
void canvas_paragraph(const struct canvas *canvas, const char *first, unsigned indent,
		      const struct text_buffer *text);
void canvas_heading(const struct canvas *canvas, const struct text_buffer *text);
/* "·" for no time, in a column of figures. */
void text_add_duration_or_dot(struct text_buffer *text, uint64_t ns);
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
