/* SPDX-License-Identifier: MIT */
/*
 * choose.h - the user chooses a Python process from the list that a command without a PID prints.
 */
#ifndef GILSCOPE_CMD_TOP_CHOOSE_H
#define GILSCOPE_CMD_TOP_CHOOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

enum chosen {
	CHOSEN_PROCESS,
	CHOSEN_NONE, /* the one before is to be shown again */
	CHOSEN_END,
};

/* Shows the list on the terminal. `pid` is the process that was shown before, and becomes the
 * chosen one. enum chosen, or -errno with a diag. */
int choose_process(bool plain, uint32_t *pid, struct diag *diag);

#endif
