/* SPDX-License-Identifier: MIT */
/*
 * tell.h - tells stalls on stderr while they last: what every live command has in its tick.
 *
 * A line when a stall is seen first, that is when it has passed the threshold and lasts at a tick;
 * then after 1 s, 2 s, 4 s …, so that an hour's hang is told a dozen times; sooner when its cause
 * is another one; and when it is over. What begins and ends between two ticks is left to the
 * report.
 */
#ifndef GILSCOPE_CMD_PIPELINE_TELL_H
#define GILSCOPE_CMD_PIPELINE_TELL_H

#include <stdbool.h>
#include "cmd/pipeline/pipeline.h"

struct told_stall;

struct teller {
	struct pipeline *pipeline; /* with a fold */
	bool forget; /* nobody makes a report: finished stalls are forgotten when they have been
			told */
	struct told_stall *told; /* those that last */
};

/* What observe() calls; `ctx` is the teller. 0 or -ENOMEM. */
int teller_tick(void *ctx, uint64_t ts_known);
void teller_done(struct teller *teller);

#endif
