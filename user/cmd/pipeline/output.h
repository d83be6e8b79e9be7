/* SPDX-License-Identifier: MIT */
/*
 * output.h - the files that commands write. A file is written as NAME.partial in its directory and
 * renamed when it is complete. An existing file NAME stays until then, and stays if anything fails.
 *
 * Nothing is written through a symbolic link: otherwise anyone who can create one in the directory
 * could choose what root overwrites. Only links of /dev and /proc are followed, unless they lead to
 * a file. What is not a regular file (a pipe, a device, the standard output) is written directly. A
 * file written by root is readable by root only (0600), because a recording contains command lines
 * and paths of other users. NAME.partial is locked while it is written, so that there is only one
 * writer.
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
	const char *path; /* where it belongs */
	/* its name in the same folder until it is complete; "": it is written directly */
	char temporary[NAME_MAX + 1];
	/* descriptor of that folder, open while `temporary` is set: the path may not be accessible
	 * any more once privileges have been dropped */
	int folder;
	bool fresh; /* must not replace anything */
};

/*
 * `path` must stay valid; "-" or NULL is the standard output. `input` is the file that is read at
 * the same time, which the output must not replace; NULL: none. A NAME.partial left by a process
 * that was killed is removed. Unless the caller has handlers of its own, SIGINT, SIGTERM and SIGHUP
 * remove NAME.partial and then end the process. 0, or -errno with a diag: -EBUSY if another process
 * is writing it.
 */
int output_begin(struct output *output, const char *path, const char *input, struct diag *diag);
/* The same for a file that must not exist yet; -EEXIST if and only if it does. */
int output_begin_fresh(struct output *output, const char *path, struct diag *diag);
/* Moves the complete file to its place. 0, or -errno with a diag; then NAME is what it was before.
 */
int output_end(struct output *output, struct diag *diag);
/* Keeps an incomplete file as NAME.partial. Returns that name, or NULL if there is no such file. */
const char *output_keep(struct output *output);
/* To be called last, in any case. Removes a file that is neither complete nor kept. */
void output_done(struct output *output);

#endif
