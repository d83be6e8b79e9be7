/* SPDX-License-Identifier: MIT */
#include "words/palette.h"

static const struct palette PALETTE[TS_COUNT] = {
	[TS_PYTHON] = {'P', 214, false, "#e69f00", "running Python, or C code that keeps the GIL"},
	[TS_NATIVE] = {'N', 74, false, "#56b4e9", "running C code or system calls without the GIL"},
	[TS_GIL_WAIT] = {'W', 166, true, "#d55e00", "waiting for the GIL"},
	[TS_HELD_BLOCKED] = {'H', 175, false, "#cc79a7", "asleep while holding the GIL"},
	[TS_HELD_RUNNABLE] = {'Q', 227, false, "#f0e442", "holding the GIL but waiting for a CPU"},
	[TS_BLOCKED] = {'B', 25, true, "#0072b2", "blocked in system calls"},
	[TS_RUNNABLE] = {'R', 36, false, "#009e73", "waiting for a CPU"},
	[TS_IDLE] = {'.', 252, false, "#d0d0d0", "idle in its own wait"},
	[TS_UNKNOWN] = {'?', 240, true, "#585858",
			"in a state that is not known, because evidence is missing"},
};

const struct palette *palette_of(enum thread_state state)
{
	return &PALETTE[state < TS_COUNT ? state : TS_UNKNOWN];
}
