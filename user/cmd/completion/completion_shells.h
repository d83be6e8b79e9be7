/* SPDX-License-Identifier: MIT */
/*
 * completion_shells.h - what the three writers of completion scripts (completion_bash.c,
 * completion_zsh.c, completion_fish.c) share.
 */
#ifndef GILSCOPE_CMD_COMPLETION_COMPLETION_SHELLS_H
#define GILSCOPE_CMD_COMPLETION_COMPLETION_SHELLS_H

#include <stdio.h>
#include "cmd/cmd.h"

struct completion_kind {
	const char *argument; /* as the option's table and --help have it */
	enum {
		COMPLETE_NOTHING,
		COMPLETE_FILE,
		COMPLETE_PID,
		COMPLETE_COMMAND,
		COMPLETE_WORD,
		COMPLETE_WORDS
	} what;				     /* WORDS: separated by commas */
	const char *(*word)(unsigned int i); /* of WORD and WORDS: the ith, NULL after the last */
};

/* What an option's argument is; NULL when it is not known. */
const struct completion_kind *completion_kind(const char *argument);
/* What the command takes besides options. */
const struct completion_kind *completion_rest(const struct command *command);

/* Calls `put` for every option that --help has. `kind` is COMPLETE_NOTHING without an argument. */
typedef void completion_option_fn(FILE *file, const struct command *command,
				  const struct argp_option *option,
				  const struct completion_kind *kind);
void completion_options(const struct command *command, completion_option_fn *put, FILE *file);

/* The option's letter, 0 without one. */
char completion_letter(const struct argp_option *option);

/* The words of a kind, with blanks between. */
void completion_words(FILE *file, const struct completion_kind *kind);

/* A description inside single quotes, up to its first semicolon; `escaped` are characters that take
 * a backslash there. */
void completion_text(FILE *file, const char *text, const char *escaped);

void completion_bash(FILE *file, const struct command *const commands[], size_t count);
void completion_zsh(FILE *file, const struct command *const commands[], size_t count);
void completion_fish(FILE *file, const struct command *const commands[], size_t count);

#endif
