/* SPDX-License-Identifier: MIT */
/* Which stacks: the options that all commands have which show flames. */
#include <string.h>

#include "cmd/cmd.h"

/* "python,gil_wait" */
static unsigned parse_states(const char *text, struct argp_state *state)
{
	unsigned states = 0;

	for (const char *word = text;; word += strcspn(word, ",") + 1) {
		size_t length = strcspn(word, ",");
		int i;

		for (i = 0; i < TS_COUNT; i++) {
			const char *name = thread_state_name((enum thread_state)i);

			if (strlen(name) == length && !strncmp(name, word, length))
				break;
		}
		if (i == TS_COUNT)
			argp_error(state,
				   "'%.*s' is not a state; the states are python, native, "
				   "gil_wait, held_blocked, held_runnable, blocked, runnable, idle "
				   "and unknown",
				   (int)length, word);
		states |= 1u << i;
		if (!word[length])
			return states;
	}
}

static const struct {
	const char *name;
	enum flame_direction direction;
} DIRECTIONS[] = {{"waiter", FLAME_WAITER}, {"holder", FLAME_HOLDER}};
#define DIRECTION_COUNT (sizeof(DIRECTIONS) / sizeof(DIRECTIONS[0]))

const char *flames_direction_name(unsigned int i)
{
	return i < DIRECTION_COUNT ? DIRECTIONS[i].name : NULL;
}

static unsigned parse_direction(const char *text, struct argp_state *state)
{
	for (size_t i = 0; i < DIRECTION_COUNT; i++)
		if (!strcmp(DIRECTIONS[i].name, text))
			return DIRECTIONS[i].direction;
	argp_error(state, "--by takes waiter or holder, not '%s'", text);
	return 0;
}

enum { OPTION_STATE = 256, OPTION_BY };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct flames_options *options = state->input;

	switch (key) {
	case OPTION_STATE:
		options->states = parse_states(arg, state);
		return 0;
	case OPTION_BY:
		options->directions = parse_direction(arg, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
	{"state", OPTION_STATE, "STATE,...", 0,
	 "Stacks of these states only: python, native, gil_wait, blocked, ... (all but idle; "
	 "flame: see above)",
	 0},
	{"by", OPTION_BY, "waiter|holder", 0,
	 "Whose stacks gil_wait shows: of those who waited, or of those who made them wait "
	 "(waiter; speedscope and the flame graph's page have both)",
	 0},
	{0},
};
const struct argp flames_argp = {OPTIONS, parse, NULL, NULL, NULL, NULL, NULL};
