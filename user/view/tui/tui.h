/* SPDX-License-Identifier: MIT */
/*
 * tui.h - the live view on a terminal: draws a live_view, and translates keys to requests to the
 * command. It owns the terminal while it exists.
 *
 * Works from 80×24 up (smaller terminals show what fits), with 256, 8 or no colours, in UTF-8, or
 * in ASCII if the locale has nothing else. Colour is never the only sign.
 */
#ifndef GILSCOPE_VIEW_TUI_TUI_H
#define GILSCOPE_VIEW_TUI_TUI_H

#include <stdbool.h>
#include <stdio.h>

#include "analysis/live/live.h"
#include "base/diag.h"

struct tui;

struct tui_options {
	FILE *in, *out;	  /* a terminal; NULL: standard input and output */
	const char *term; /* its type; NULL: $TERM */
	bool plain;	  /* no colours, even if the terminal has them */
};

/* Messages that the command shows with the view. */
struct tui_status {
	bool paused;
	const char *ended; /* the observation has ended, and why; NULL: it is running */
};

/* Whether tui_new() could draw on standard output. 0, or -ENOTTY with a diag. */
int tui_check(struct diag *diag);

/*
 * Takes over the terminal. 0, or -errno with a diag: -ENOTTY if there is no terminal, or none that
 * can be drawn on. Call setlocale() before.
 */
int tui_new(const struct tui_options *options, struct diag *diag, struct tui **ret_tui);
/* Restores the terminal. Accepts NULL. */
void tui_free(struct tui *tui);

/*
 * Restores the terminal at once, for the signal handler of a process that then exits. Does nothing
 * if no tui has a terminal.
 */
void tui_restore(void);

/* Sets the view to be shown; the tui takes ownership. */
void tui_take(struct tui *tui, struct live_view *view);
/* A message for the status line, until the next key. */
void tui_message(struct tui *tui, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Draws everything. */
void tui_draw(struct tui *tui, const struct tui_status *status);

enum tui_action {
	TUI_IDLE, /* no key was waiting */
	TUI_DRAW, /* only the screen has changed: draw it */
	TUI_QUIT,
	TUI_PAUSE, /* or resume */
	TUI_THRESHOLD_UP,
	TUI_THRESHOLD_DOWN,
	TUI_OPEN,
	TUI_BACK,
	TUI_OTHER,  /* show another process */
	TUI_RECORD, /* write the history window to a file */
};

/* Lines to choose from. */
struct tui_list {
	const char *title, *heading;
	const char *rows; /* `count` texts, each in `row_bytes` bytes */
	size_t row_bytes;
	uint32_t count;
	uint32_t selected, top; /* `top` is the first one on the screen */
	const char *message;	/* NULL, or shown until the next key */
};

/* Draws the list instead of a view, and handles the next key. TUI_OPEN: an entry was chosen;
 * TUI_BACK: Esc; TUI_QUIT. */
enum tui_action tui_choose(struct tui *tui, struct tui_list *list, int wait_ms);

/* The next key, waiting at most `wait_ms` for one. */
enum tui_action tui_key(struct tui *tui, int wait_ms);

#endif
