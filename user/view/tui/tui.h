/* SPDX-License-Identifier: MIT */
/*
 * tui.h - the live view on a terminal: draws a live_view, and turns keys into what the command is
 * asked to do. It owns the terminal while it exists.
 *
 * Works from 80×24 up (smaller ones show what fits), with 256, 8 or no colours, in UTF-8 or in
 * ASCII where the locale has no more. Colour never stands alone.
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
	const char *term; /* what kind; NULL: $TERM */
	bool plain;	  /* no colours, also where there are some */
};

/* What the command has to say beside the view. */
struct tui_status {
	bool paused;
	const char *ended; /* the observation is over, and why; NULL: it goes on */
};

/* Could tui_new() draw on standard output? 0, or -ENOTTY with a diag. */
int tui_check(struct diag *diag);

/*
 * Takes over the terminal. 0, or -errno with a diag: -ENOTTY when there is no terminal, or none
 * that can be drawn on. setlocale() has been called.
 */
int tui_new(const struct tui_options *options, struct diag *diag, struct tui **ret_tui);
/* Gives the terminal back as it was. NULL is fine. */
void tui_free(struct tui *tui);

/*
 * Gives the terminal back at once, for a signal handler of a process that ends with it. Nothing
 * happens when no tui has a terminal.
 */
void tui_restore(void);

/* What is shown from now on; the view becomes the tui's. */
void tui_take(struct tui *tui, struct live_view *view);
/* A message for the status line, until the next key. */
void tui_tell(struct tui *tui, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Draws everything. */
void tui_draw(struct tui *tui, const struct tui_status *status);

enum tui_action {
	TUI_IDLE, /* no key was waiting */
	TUI_DRAW, /* something changed on the screen only: draw it */
	TUI_QUIT,
	TUI_PAUSE, /* or go on */
	TUI_THRESHOLD_UP,
	TUI_THRESHOLD_DOWN,
	TUI_RECORD, /* write the last while to a file */
};

/* The next key, waiting at most `wait_ms` for one. */
enum tui_action tui_key(struct tui *tui, int wait_ms);

#endif
