/* SPDX-License-Identifier: MIT */
/*
 * completion_shells.h - shared by the three writers of completion scripts (completion_bash.c,
 * completion_zsh.c, completion_fish.c).
 */
#ifndef GILSCOPE_CMD_COMPLETION_COMPLETION_SHELLS_H
#define GILSCOPE_CMD_COMPLETION_COMPLETION_SHELLS_H

#include <stdio.h>
#include "cmd/cmd.h"

struct completion_kind {
	const char *argument; /* its name in the table of options and in --help */
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

/* The kind of an option's argument, by its name; NULL: unknown. */
const struct completion_kind *completion_kind(const char *argument);
/* The kind of a command's arguments other than options. */
const struct completion_kind *completion_rest(const struct command *command);

/* Calls `put` for every option that is in --help. `kind` is COMPLETE_NOTHING if it has no argument.
 */
typedef void completion_option_fn(FILE *file, const struct command *command,
				  const struct argp_option *option,
				  const struct completion_kind *kind);
void completion_options(const struct command *command, completion_option_fn *put, FILE *file);

/* The option's short form; 0: none. */
char completion_letter(const struct argp_option *option);

/* Writes the words of a kind, separated by blanks. */
void completion_words(FILE *file, const struct completion_kind *kind);

/* Writes a description for use inside single quotes, up to its first semicolon; the characters in
 * `escaped` get a backslash. */
void completion_text(FILE *file, const char *text, const char *escaped);

void completion_bash(FILE *file, const struct command *const commands[], size_t count);
void completion_zsh(FILE *file, const struct command *const commands[], size_t count);
void completion_fish(FILE *file, const struct command *const commands[], size_t count);

#endif
