/* SPDX-License-Identifier: MIT */
#include "words/palette.h"

static const struct palette PALETTE[TS_COUNT] = {
#define LOOK(NAME, letter, ansi, dark, hex, pattern, doing)                                        \
	[TS_##NAME] = {letter, ansi, dark, hex, doing},
#include "words/palette.def"
};
#define LOOK(NAME, letter, ansi, dark, hex, pattern, doing) +1
_Static_assert(0
#include "words/palette.def"
		       == TS_COUNT,
	       "every state has a look");

const struct palette *palette_of(enum thread_state state)
{
	return &PALETTE[state < TS_COUNT ? state : TS_UNKNOWN];
}
