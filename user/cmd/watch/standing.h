/* SPDX-License-Identifier: MIT */
/*
 * standing.h - the findings of the last minute, as they come and go. One that is there longer is
 * the same one as in a report (finding_key_of()), and is over when several looks have not seen it.
 */
#ifndef GILSCOPE_CMD_WATCH_STANDING_H
#define GILSCOPE_CMD_WATCH_STANDING_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/report.h"
#include "view/event.h"

#define STANDING_MAX 256 /* at a time; the least of the others are not told */

struct standing_finding;

struct standing {
	struct standing_finding *list;
	uint32_t count;
	/* Is told when one comes, and when it has gone. 0 or -errno. */
	int (*tell)(void *ctx, const struct told_event *event);
	void *ctx;
};

/* `report` is that of the last minute (live_report_make()), `ts` its end. 0, or -errno. */
int standing_update(struct standing *standing, const struct report *report, uint64_t ts);
/* The observation ends: all of them have gone. `report` is for the time of day. */
int standing_finish(struct standing *standing, const struct report *report, uint64_t ts);
void standing_done(struct standing *standing);

#endif
