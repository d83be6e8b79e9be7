/* SPDX-License-Identifier: MIT */
/*
 * tui_terminal.h - is there a terminal to draw on, and how is it given back in a hurry. Internal to
 * the room.
 */
#ifndef GILSCOPE_VIEW_TUI_TUI_TERMINAL_H
#define GILSCOPE_VIEW_TUI_TUI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

#include "base/diag.h"

/* Can the terminal be drawn on? `kind` NULL: $TERM. 0, or -ENOTTY with a diag that says what it
 * lacks. */
int terminal_check(const char *kind, FILE *in, FILE *out, bool is_standard, struct diag *diag);
/* Keeps what tui_restore() needs: before ncurses changes the terminal … */
void terminal_save_modes(FILE *in);
/* … and when it has done so. From now on tui_restore() gives it back. */
void terminal_taken(FILE *out);
/* tui_restore() has nothing to do any more. */
void terminal_given_back(void);

#endif
