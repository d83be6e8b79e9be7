/* SPDX-License-Identifier: MIT */
/*
 * tui_terminal.h - whether there is a terminal to draw on, and how to restore it quickly.
 */
#ifndef GILSCOPE_VIEW_TUI_TUI_TERMINAL_H
#define GILSCOPE_VIEW_TUI_TUI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

#include "base/diag.h"

/* Whether the terminal can be drawn on. `kind` NULL: $TERM. 0, or -ENOTTY with a diag that says
 * what it lacks. */
int terminal_check(const char *kind, FILE *in, FILE *out, bool is_standard, struct diag *diag);
/* Saves what tui_restore() needs: before ncurses changes the terminal … */
void terminal_save_modes(FILE *in);
/* … and after it has. From now on tui_restore() restores it. */
void terminal_taken(FILE *out);
/* tui_restore() does nothing from now on. */
void terminal_given_back(void);

#endif
