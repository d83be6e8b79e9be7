/* SPDX-License-Identifier: MIT */
/*
 * private.h - the part of a target that only the files of this room use.
 */
#ifndef GILSCOPE_PYTHON_PRIVATE_H
#define GILSCOPE_PYTHON_PRIVATE_H

#include <sys/syscall.h>

#include "python/elf/elf_image.h"
#include "python/target.h"

struct target_private {
	uint64_t runtime_size;
	struct elf_budget native_budget; /* of target_native() */
	uint32_t tstate_loop; /* 3.13 on: _PyThreadStateImpl.asyncio_running_loop; 0: unknown, or
				 unknown so far (asyncio.h) */
};

/* Is this system call one that event loops wait in? */
static inline bool is_wait_in_epoll(int64_t sysno)
{
#ifdef SYS_epoll_wait
	if (sysno == SYS_epoll_wait)
		return true;
#endif
#ifdef SYS_epoll_pwait2
	if (sysno == SYS_epoll_pwait2)
		return true;
#endif
	return sysno == SYS_epoll_pwait;
}

/* target_open()'s work, wherever it is done. */
int target_examine(pid_t pid, struct diag *diag, struct target **ret_target);

#endif
