/* SPDX-License-Identifier: MIT */
/*
 * announce.h - announces stalls on stderr: the tick of the live commands.
 *
 * Every stall has one line when it has ended. One that lasts has more before: after 1 s, 2 s, 4 s …
 * so that an hour's hang takes a dozen lines; one that has begun before the observation also at
 * once. A process that was killed or crashed has a line as well.
 */
#ifndef GILSCOPE_CMD_PIPELINE_ANNOUNCE_H
#define GILSCOPE_CMD_PIPELINE_ANNOUNCE_H

#include <stdbool.h>
#include "cmd/pipeline/pipeline.h"

struct announced_stall;

struct announcer {
	struct pipeline *pipeline; /* with a fold; its stalls and worst_ns are kept up to date */
	bool forget; /* there will be no report, so stalls are dropped once they are announced */
	struct announced_stall *ongoing;
	uint64_t ts_death; /* of the last process that died */
};

/* For struct observation; `ctx` is the announcer. 0 or -ENOMEM. */
int announcer_tick(void *ctx, uint64_t ts_known);
/* After the observation: what has ended since the last tick, or with it. 0 or -ENOMEM. */
int announcer_finish(struct announcer *announcer);
void announcer_done(struct announcer *announcer);

#endif
