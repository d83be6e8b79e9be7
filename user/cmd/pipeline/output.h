/* SPDX-License-Identifier: MIT */
/*
 * output.h - every file that a command writes: it is written beside its place, as NAME.partial, and
 * renamed when it is whole. What was under its name before stays until then, and stays when
 * anything fails.
 *
 * Nothing is written through a symbolic link, for whoever can put one into a directory would choose
 * what root overwrites; only the links of /dev and /proc are followed, and not to files. What is no
 * regular file (a pipe, a device, the standard output) is written as it comes. Written by root, a
 * file is root's alone (0600): a recording has command lines and paths of other users. NAME.partial
 * is locked while it is written, so that there is one writer.
 */
#ifndef GILSCOPE_CMD_PIPELINE_OUTPUT_H
#define GILSCOPE_CMD_PIPELINE_OUTPUT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/diag.h"

#define OUTPUT_PARTIAL ".partial"

struct output {
	FILE *file;
	const char *name; /* for messages */
	const char *path; /* where it belongs … */
	char temporary[NAME_MAX +
		       1]; /* … and its name beside that until it is whole; "" = there already */
	int folder; /* of both, open while there is such a name: it may not be found again with the
		       rights that are left in the end */
	bool fresh; /* it must not replace anything */
};

/*
 * `path` is kept; "-" or NULL is the standard output. `input` is the file that is read meanwhile,
 * which the output must not replace; NULL: none. A file that a killed process left as NAME.partial
 * is removed. Unless the caller has handlers of its own, SIGINT, SIGTERM and SIGHUP remove
 * NAME.partial and then end the process. 0, or -errno with a diag: -EBUSY when another process
 * writes it, -EEXIST (no other case) with `fresh` when it is there.
 */
int output_begin(struct output *output, const char *path, const char *input, struct diag *diag);
int output_begin_fresh(struct output *output, const char *path, struct diag *diag);
/* All has been written: puts the file in its place. 0 or -errno with a diag; then nothing is under
 * its name that was not there before. */
int output_end(struct output *output, struct diag *diag);
/* What has been written is worth keeping although it is not whole: it stays as NAME.partial.
 * Returns that name, or NULL when there is no such file. */
const char *output_keep(struct output *output);
/* Removes what is not in its place, unless it is kept; in any case, and last. */
void output_done(struct output *output);

#endif
