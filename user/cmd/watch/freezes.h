/* SPDX-License-Identifier: MIT */
/*
 * freezes.h - runs of stalls, each told once, when the loop has gone on: a client that waits sees
 * one interruption (struct freeze).
 */
#ifndef GILSCOPE_CMD_WATCH_FREEZES_H
#define GILSCOPE_CMD_WATCH_FREEZES_H

#include "analysis/report.h"
#include "view/event.h"

struct open_freeze;

struct freezes {
	struct open_freeze *list;
	uint32_t count;
	uint64_t gap_ns; /* as long as the next stall may be away: the threshold of stalls */
	/* 0 or -errno. */
	int (*tell)(void *ctx, const struct told_event *event);
	void *ctx;
};

/* A stall, in progress or ended. 0 or -ENOMEM. */
int freezes_add(struct freezes *freezes, const struct loop *loop, const struct stall *stall);
/* Tells those that are over; `ts` UINT64_MAX: all. 0 or -errno. */
int freezes_tick(struct freezes *freezes, const struct world *world, const struct report *report,
		 uint64_t ts);
void freezes_done(struct freezes *freezes);

#endif
