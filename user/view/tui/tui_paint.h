/* SPDX-License-Identifier: MIT */
/*
 * tui_paint.h - what the live view is drawn with: cells of text, bars, sparklines. Only this and
 * tui.c use ncurses.
 *
 * Nothing is ever drawn outside the given columns, whatever a text contains. Texts are UTF-8 and
 * already escaped; on a terminal that has only ASCII our own signs are replaced by similar ones and
 * everything else by '?'.
 */
#ifndef GILSCOPE_VIEW_TUI_TUI_PAINT_H
#define GILSCOPE_VIEW_TUI_TUI_PAINT_H

#include <stdbool.h>

#include "analysis/report.h"

enum tui_style {
	TUI_PLAIN,
	TUI_STRONG,
	TUI_FAINT,
	TUI_TITLE,   /* reversed */
	TUI_ALARM,   /* something is wrong now */
	TUI_WARNING, /* something was wrong */
	TUI_GOOD,
	TUI_STATES,			     /* + enum thread_state: a cell of that colour */
	TUI_THREADS = TUI_STATES + TS_COUNT, /* + 0 … TUI_THREAD_COLOURS - 1 */
};
#define TUI_THREAD_COLOURS 8

struct tui_paint {
	bool utf8;
	int colours; /* 0, 8, 256 */
	int rows, columns;
};

/* Paints at most `columns` of the text, with a sign where it was cut; returns how many were
 * used. */
int tui_put(const struct tui_paint *paint, int y, int x, int columns, int style, const char *text);
/* The same, right-aligned. */
void tui_put_right(const struct tui_paint *paint, int y, int x, int columns, int style,
		   const char *text);
/* The same in lines of whole words, at most `rows`; returns how many were used. */
int tui_put_wrapped(const struct tui_paint *paint, int y, int x, int columns, int rows, int style,
		    const char *text);
/* The width of the text in columns. */
int tui_width(const struct tui_paint *paint, const char *text);
/* One letter, repeated. */
void tui_repeat(const struct tui_paint *paint, int y, int x, int columns, int style, char letter);
/* A letter and its meaning; returns where the next one goes. What does not fit is not drawn. */
int tui_legend(const struct tui_paint *paint, int y, int x, int style, char letter,
	       const char *words);
/* As canvas_bar(). */
void tui_bar(const struct tui_paint *paint, int y, int x, int columns,
	     const struct state_sums *sums, uint64_t whole);
/*
 * A value as one of eight heights, on two logarithmic scales: the lower four are below the
 * threshold, the upper four are not; nothing for 0.
 */
void tui_height(const struct tui_paint *paint, int y, int x, uint64_t value, uint64_t threshold);

#endif
