/* SPDX-License-Identifier: MIT */
/*
 * man.h - the manual pages, made from the same tables as --help, so that they cannot differ.
 */
#ifndef GILSCOPE_CMD_MAN_H
#define GILSCOPE_CMD_MAN_H

#include <stdio.h>
#include "cmd/cmd.h"

/* Writes gilscope(1), in troff's man macros. */
void man_write(FILE *file, const struct command *const commands[], size_t count);
/* Writes gilscope-COMMAND(1). */
void man_write_command(FILE *file, const struct command *command);

#endif
