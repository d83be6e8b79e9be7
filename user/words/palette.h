/* SPDX-License-Identifier: MIT */
/*
 * palette.h - how a thread state looks everywhere: its letter, its colour on a terminal and on a
 * page, and what it is called; and whose a frame is (owners.def).
 *
 * The hues are those of Okabe and Ito's set, which colour-blind readers can distinguish. States
 * with the GIL are warm, states without it cold; waiting for the GIL, the subject of this tool, has
 * the strongest one. Colour is never the only sign: on a terminal every cell carries the letter.
 */
#ifndef GILSCOPE_WORDS_PALETTE_H
#define GILSCOPE_WORDS_PALETTE_H

#include "model/model.h"
#include "symbols/owner.h"

struct palette {
	char letter;
	unsigned char ansi; /* index of the terminal's 256 colours, the nearest to `hex` */
	bool dark;	    /* text on it is white; else black */
	const char *hex;    /* "#rrggbb" */
	/* What people read; the identifier of data is thread_state_name(). */
	const char *column; /* "GIL wait": of a thread, at the head of a column; at most 12 wide */
	const char *label;  /* "waiting for the GIL": as the cause of a stall, or in a legend */
	const char *doing;  /* the same in a sentence: completes "most of the time …" */
};

/* Never NULL. */
const struct palette *palette_of(enum thread_state state);

enum shown_owner {
#define OWNER(NAME, class, doc) SHOWN_##NAME,
#include "words/owners.def"
};

/* Of what handler_owner() returns. */
static inline enum shown_owner shown_owner(enum code_owner owner)
{
	return owner == OWNER_APPLICATION ? SHOWN_APPLICATION
	       : owner == OWNER_LIBRARY	  ? SHOWN_LIBRARY
					  : SHOWN_STDLIB;
}

#endif
