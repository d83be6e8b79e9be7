/* SPDX-License-Identifier: MIT */
/*
 * report_file.h - reads a recording and makes its report: what every command that takes a recording
 * begins with.
 */
#ifndef GILSCOPE_CMD_PIPELINE_REPORT_FILE_H
#define GILSCOPE_CMD_PIPELINE_REPORT_FILE_H

#include "cmd/pipeline/pipeline.h"

/*
 * Builds the pipeline, of which the caller sets only `names` and the drawing, and reads a recording
 * ("-" is stdin) through it. The report is valid until pipeline_done(). 0, or -errno with a diag.
 * If the recording is damaged, the report covers what precedes the damage: that is printed,
 * ret_damaged is set, and 0 returned.
 */
int report_of_file(struct pipeline *pipeline, const char *path, uint64_t stall_ns,
		   struct diag *diag, const struct report **ret_report, bool *ret_damaged);

#endif
