/* SPDX-License-Identifier: MIT */
/*
 * defaults.h - which files are written and read when the command line names none. A default name
 * never overwrites a file: gilscope.gsc, gilscope-2.gsc, gilscope-3.gsc …
 */
#ifndef GILSCOPE_CMD_FILES_DEFAULTS_H
#define GILSCOPE_CMD_FILES_DEFAULTS_H

#include "cmd/options.h"
#include "cmd/pipeline/output.h"

/* output_begin() of options->output if that was given, or else of a new file that is named like it;
 * then options->output is changed to its name. `input` as there. 0, or -errno with a diag. */
int defaults_begin(struct output *output, struct options *options, const char *input,
		   struct diag *diag);

/* The newest recording in the current directory whose name is that of one written by default, by
 * record or by top; DEFAULT_FILE if there is none. If there are several, stderr says which one is
 * read. */
const char *defaults_recording(void);

#endif
