/* SPDX-License-Identifier: MIT */
/*
 * completion.h - what a shell can complete, made from the same tables as --help: commands, options,
 * and what they take.
 */
#ifndef GILSCOPE_CMD_COMPLETION_COMPLETION_H
#define GILSCOPE_CMD_COMPLETION_COMPLETION_H

#include <stdio.h>
#include "cmd/cmd.h"

/* Writes the completion script of "bash", "zsh" or "fish". Returns the exit status: EXIT_USAGE for
 * another shell. */
int completion_write(FILE *file, const char *shell, const struct command *const commands[],
		     size_t count);

/*
 * Writes a line for each Python process that can be seen: its PID, a tab, its command line with
 * control characters escaped. The scripts call this. It is a suggestion: by the name of the
 * program, so that it needs no right to look into other people's processes.
 */
void completion_pids(FILE *file);

#endif
