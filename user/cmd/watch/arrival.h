/* SPDX-License-Identifier: MIT */
/*
 * arrival.h - waits until there is something to observe, but no longer than it would be observed
 * (--duration).
 */
#ifndef GILSCOPE_CMD_WATCH_ARRIVAL_H
#define GILSCOPE_CMD_WATCH_ARRIVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "cmd/options.h"
#include "cmd/watch/notify.h"

struct arrival {
	struct options *options; /* whom to observe is put here */
	uint64_t start;
	bool said; /* that it waits */
	struct notify *notify;
};

/* 0, or -ESRCH with a diag: nothing has come. */
int arrival_wait(struct arrival *arrival, struct diag *diag);
/* What had come has gone again, or is not ready, as `diag` says. Pauses; false: time is up. */
bool arrival_again(struct arrival *arrival, const struct diag *diag);

#endif
