/* SPDX-License-Identifier: MIT */
/*
 * announce.h - announces stalls on stderr while they last: the tick of the live commands.
 *
 * A line is written when a tick first finds a stall in progress, then after 1 s, 2 s, 4 s …, so
 * that an hour's hang takes a dozen lines, sooner if its cause changes, and once more when it has
 * ended. Stalls that begin and end between two ticks are left to the report.
 */
#ifndef GILSCOPE_CMD_PIPELINE_ANNOUNCE_H
#define GILSCOPE_CMD_PIPELINE_ANNOUNCE_H

#include <stdbool.h>
#include "cmd/pipeline/pipeline.h"

struct announced_stall;

struct announcer {
	struct pipeline *pipeline; /* with a fold */
	bool forget; /* there will be no report, so stalls are dropped once their end is announced
		      */
	struct announced_stall *ongoing;
};

/* For struct observation; `ctx` is the announcer. 0 or -ENOMEM. */
int announcer_tick(void *ctx, uint64_t ts_known);
void announcer_done(struct announcer *announcer);

#endif
