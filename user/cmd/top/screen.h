/* SPDX-License-Identifier: MIT */
/*
 * screen.h - the terminal while top draws on it. Messages on stderr would garble it, so they are
 * kept and printed when it is closed; a signal that ends the process restores the terminal first.
 */
#ifndef GILSCOPE_CMD_TOP_SCREEN_H
#define GILSCOPE_CMD_TOP_SCREEN_H

#include <stdbool.h>

#include "base/diag.h"
#include "view/tui/tui.h"

struct screen {
	struct tui *tui; /* NULL: it is not open */
	int stderr_fd;	 /* the real one while messages are kept; else -1 */
	int messages;	 /* where they are kept */
};

/* To be called first: sets the character set that the environment names. */
void screen_character_set(void);
/* Takes over the terminal. `plain`: without colours. 0, or -errno with a diag. */
int screen_open(struct screen *screen, bool plain, struct diag *diag);
/* Restores the terminal, and prints the messages. Does nothing if it is not open. */
void screen_close(struct screen *screen);

#endif
