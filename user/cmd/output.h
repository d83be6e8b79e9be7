/* SPDX-License-Identifier: MIT */
/*
 * output.h - a file that appears under its name when it is whole: until then it has another name beside it. What is no regular file (a pipe, a device, the
 * standard output) is written as it comes.
 */
#ifndef GILSCOPE_CMD_OUTPUT_H
#define GILSCOPE_CMD_OUTPUT_H

#include <limits.h>
#include <stdint.h>
#include <stdio.h>

#include "base/diag.h"

struct output {
	FILE *file;
	const char *name;	   /* for messages */
	char path[PATH_MAX];	   /* where it belongs … */
	char temporary[PATH_MAX]; /* … and where it is until it is whole; "" = there already */
};

/* `path` is kept; "-" or NULL is the standard output. 0 or -errno with a diag. */
int output_begin(struct output *output, const char *path, struct diag *diag);
/* All has been written: puts the file in its place. 0 or -errno with a diag; then nothing is under its name that was not there before. */
int output_end(struct output *output, struct diag *diag);
/* Removes what is not in its place; in any case, and last. */
void output_done(struct output *output);

#endif
