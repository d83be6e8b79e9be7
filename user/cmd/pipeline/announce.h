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
#include "words/text_buffer.h"

struct announced_stall;

struct announcer {
	struct pipeline *pipeline; /* with a fold; its stalls and worst_ns are kept up to date */
	bool forget;  /* there will be no report, so stalls are dropped once they are announced */
	bool at_once; /* those in progress, as soon as they are stalls */
	/* Instead of lines on stderr; 0 or -errno. NULL: lines. */
	int (*on_stall)(void *ctx, const struct report *report, const struct loop *loop,
			const struct stall *stall);
	/* of every process that has ended, not only of those with a line */
	int (*on_death)(void *ctx, const struct report *report, const struct process *process);
	void *ctx;
	struct announced_stall *ongoing;
	uint64_t ts_death; /* of the last process that died */
};

/* For struct observation; `ctx` is the announcer. 0 or -ENOMEM. */
int announcer_tick(void *ctx, uint64_t ts_known);
/* After the observation: what has ended since the last tick, or with it. 0 or -ENOMEM. */
int announcer_finish(struct announcer *announcer);
/* Are stalls those of several event loops? */
bool announcer_many_loops(const struct pipeline *pipeline);
/* Adds "14:03:05.120  process 4711 (gunicorn …) was killed by SIGKILL". */
void announcer_add_death(struct text_buffer *text, const struct report *report,
			 const struct process *process);
void announcer_done(struct announcer *announcer);

#endif
