/* SPDX-License-Identifier: MIT */
/*
 * doctor.h - what doctor finds out, and how it is shown.
 */
#ifndef GILSCOPE_CMD_DOCTOR_DOCTOR_H
#define GILSCOPE_CMD_DOCTOR_DOCTOR_H

#include "capture/kernel/features.h"
#include "cmd/cmd.h"
#include "model/model.h"
#include "python/target.h"

/* Counted in a snapshot of the target. */
struct census {
	unsigned int threads, python, loop_waits, loop_descriptors, loops, unnamed_holders;
	unsigned int kinds[LOOP_KINDS]; /* of `loops` */
};

/* Everything that doctor finds out, for text and JSON. */
struct findings {
	struct features features;
	struct diag system; /* the required feature that is missing, or status 0 */
	bool has_target;
	uint32_t pid;
	struct target *target;
	struct diag diag; /* why there is no target, or status 0 */
	struct census census;
	uint32_t children[SUPERVISED_MAX]; /* serve, and the process is their supervisor */
	uint32_t child_count;
};

/* What the findings come to. */
enum exit_status doctor_verdict(const struct findings *findings);

void doctor_print_text(const struct findings *findings, bool coloured);
/* 0, or -EIO. */
int doctor_print_json(const struct findings *findings);

#endif
