/* SPDX-License-Identifier: MIT */
/*
 * breakdown.h - adds up where the time of a stall went (struct breakdown of report.h). Internal to the room.
 *
 * The working breakdown of a turn is emptied for every turn and allocates nothing once it has grown. The lists stay short whatever a stream says:
 * blockers are bounded by the threads, system calls and occupants of CPUs by BREAKDOWN_MAX.
 */
#ifndef GILSCOPE_ANALYSIS_BREAKDOWN_H
#define GILSCOPE_ANALYSIS_BREAKDOWN_H

#include "analysis/report.h"

#define BREAKDOWN_MAX 256

/* Each adds `ns` to its entry. 0 or -ENOMEM. */
int breakdown_add_blocker(struct breakdown *what, const struct thread *thread, enum thread_state state, uint64_t ns);
/* With BREAKDOWN_MAX others already there the call counts as SYSNO_UNKNOWN, and the task as TID_OTHERS. */
int breakdown_add_syscall(struct breakdown *what, int32_t sysno, uint64_t ns);
int breakdown_add_occupant(struct breakdown *what, uint32_t tid, uint32_t pid, uint64_t ns);

/* Adds all of `from` to `what`. */
int breakdown_merge(struct breakdown *what, const struct breakdown *from);
/* A sorted copy with memory of its own. */
int breakdown_copy(const struct breakdown *from, struct breakdown *ret_copy);
/* Brings every list into the order most first; equal ones by number, so that a report is always the same. */
void breakdown_sort(struct breakdown *what);

/* Empties it and keeps the memory. */
void breakdown_reset(struct breakdown *what);
void breakdown_done(struct breakdown *what);

#endif
