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
	bool only_futex;    /* uprobes are missing and nothing else, so --mode futex is needed */
	bool has_target;
	uint32_t pid;
	struct target *target;
	struct diag diag; /* why there is no target, or status 0 */
	struct census census;
	uint32_t children[SUPERVISED_MAX]; /* serve, and the process is their supervisor */
	uint32_t child_count;
};

/* The modes, as text and JSON explain them. */
struct mode_about {
	enum evidence_mode mode;
	const char *what; /* it shows, and costs */
};
#define DOCTOR_MODES 3
extern const struct mode_about doctor_modes[DOCTOR_MODES];
static inline bool doctor_mode_works(const struct findings *findings, enum evidence_mode mode)
{
	return !findings->system.status && (!findings->only_futex || mode == MODE_FUTEX);
}

/* What the findings come to. */
enum exit_status doctor_verdict(const struct findings *findings);

void doctor_print_text(const struct findings *findings, bool coloured);
/* 0, or -EIO. */
int doctor_print_json(const struct findings *findings);

#endif
