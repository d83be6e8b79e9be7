/* SPDX-License-Identifier: MIT */
/*
 * suggest.h - "did you mean …?" for mistyped commands and options.
 */
#ifndef GILSCOPE_CMD_SUGGEST_H
#define GILSCOPE_CMD_SUGGEST_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

#include "cmd/cmd.h"

/* The word that `typed` was probably meant to be; NULL: none is near. `word` returns the ith word,
 * NULL after the last. */
const char *suggest(const char *typed, const char *(*word)(const void *ctx, size_t i),
		    const void *ctx);

/* An argument of the command line that looks like a long option but is not one, with
 * getopt_long()'s rules: abbreviations, arguments of options, --. NULL: there is none. */
const char *suggest_unknown(const struct argp_option *options, size_t count, bool takes_command,
			    char *const argv[]);

#endif
