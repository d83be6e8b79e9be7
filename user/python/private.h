/* SPDX-License-Identifier: MIT */
/*
 * private.h - what the files of this room share of a target and nobody else needs.
 */
#ifndef GILSCOPE_PYTHON_PRIVATE_H
#define GILSCOPE_PYTHON_PRIVATE_H

#include "python/target.h"

struct target_private {
	uint64_t runtime_size;
	uint32_t tstate_loop; /* 3.13 on: _PyThreadStateImpl.asyncio_running_loop; 0: not known, or
				 not known yet (asyncio.h) */
};

/* target_open()'s work, wherever it is done. */
int target_examine(pid_t pid, struct diag *diag, struct target **ret_target);

#endif
