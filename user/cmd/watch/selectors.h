/* SPDX-License-Identifier: MIT */
/*
 * selectors.h - the processes that are watched, by what was given: PIDs, ports (":8000") and
 * patterns of command lines. What a port or a pattern means is found again after a restart.
 */
#ifndef GILSCOPE_CMD_WATCH_SELECTORS_H
#define GILSCOPE_CMD_WATCH_SELECTORS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

#define SELECTORS_MAX 32

struct selectors {
	const char *list[SELECTORS_MAX];
	uint32_t count;
};

/* 0, or -errno with a diag for a text that means nothing, or one too many. */
int selectors_add(struct selectors *selectors, const char *text, struct diag *diag);
/* Is there one that may mean other processes later? */
bool selectors_last(const struct selectors *selectors);
/* Those that were given as PIDs, whether they are there or not. To be asked once: a PID can be
 * another process's later. Each once, at most `most`; returns how many. */
uint32_t selectors_given(const struct selectors *selectors, uint32_t *pids, uint32_t most);
/* Those that the others mean now, supervisors included, likewise. */
uint32_t selectors_find(const struct selectors *selectors, uint32_t *pids, uint32_t most);

#endif
