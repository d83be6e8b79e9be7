/* SPDX-License-Identifier: MIT */
/* futex.h - what a thread sleeps on when that is a futex, read from outside. */
#ifndef GILSCOPE_PYTHON_PROCESS_FUTEX_H
#define GILSCOPE_PYTHON_PROCESS_FUTEX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/wire.h"

/*
 * Fills in address, other, and the flags `mutex` and `semaphore` of a FUTEX event about a thread of
 * the process that sleeps on the futex at `address` by this operation (the call's second argument).
 * `musl`: that is the process's C library, and not glibc. What cannot be read is left 0.
 */
void futex_look(pid_t pid, uint64_t address, uint64_t operation, bool musl, struct ev_futex *event);

#endif
