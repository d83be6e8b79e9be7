/* SPDX-License-Identifier: MIT */
/*
 * completion.h - shell completion of commands, options and their arguments, made from the same
 * tables as --help.
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
 * Writes a line for each process that is probably Python: its PID, a tab, its command line with
 * control characters escaped. For the completion scripts. Goes by the name of the program, which
 * needs no privileges.
 */
void completion_pids(FILE *file);

#endif
