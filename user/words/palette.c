/* SPDX-License-Identifier: MIT */
#include "words/palette.h"

static const struct palette PALETTE[TS_COUNT] = {
#define LOOK(NAME, letter_, ansi_, dark_, hex_, pattern, column_, label_, doing_)                  \
	[TS_##NAME] = {.letter = letter_,                                                          \
		       .ansi = ansi_,                                                              \
		       .dark = dark_,                                                              \
		       .hex = hex_,                                                                \
		       .column = column_,                                                          \
		       .label = label_,                                                            \
		       .doing = doing_},
#include "words/palette.def"
};
#define LOOK(NAME, letter_, ansi_, dark_, hex_, pattern, column_, label_, doing_) +1
_Static_assert(0
#include "words/palette.def"
		       == TS_COUNT,
	       "every state has a look");

const struct palette *palette_of(enum thread_state state)
{
	return &PALETTE[state < TS_COUNT ? state : TS_UNKNOWN];
}
