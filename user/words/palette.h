/* SPDX-License-Identifier: MIT */
/*
 * palette.h - how a thread state looks everywhere: its letter, its colour on a terminal and on a
 * page, and its words.
 *
 * The hues are those of Okabe and Ito's set, which colour-blind readers can tell apart. States with
 * the GIL are warm, states without it cold; to wait for the GIL, what this tool is about, has the
 * strongest one. Colour never stands alone: on a terminal every cell carries the letter.
 */
#ifndef GILSCOPE_WORDS_PALETTE_H
#define GILSCOPE_WORDS_PALETTE_H

#include "model/model.h"

struct palette {
	char letter;
	unsigned char ansi; /* index of the terminal's 256 colours, the nearest to `hex` */
	bool dark;	    /* text on it is white; else black */
	const char *hex;    /* "#rrggbb" */
	const char *doing;  /* "waiting for the GIL": completes "most of the time it was …" */
};

/* Never NULL. */
const struct palette *palette_of(enum thread_state state);

#endif
