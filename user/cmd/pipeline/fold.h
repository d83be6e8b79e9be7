/* SPDX-License-Identifier: MIT */
/*
 * fold.h - from a recording to a report.
 */
#ifndef GILSCOPE_CMD_PIPELINE_FOLD_H
#define GILSCOPE_CMD_PIPELINE_FOLD_H

#include "cmd/pipeline/pipeline.h"

/*
 * Reads a recording ("-" is stdin) through the whole pipeline, of which only `names` is set before;
 * the report lives until pipeline_done(). What was whole before some damage is worth a report: then
 * the damage has been printed, ret_damaged is set and 0 returned. Else 0, or -errno with a diag.
 */
int fold_file(struct pipeline *pipeline, const char *path, uint64_t stall_ns, struct diag *diag,
	      const struct report **ret_report, bool *ret_damaged);

#endif
