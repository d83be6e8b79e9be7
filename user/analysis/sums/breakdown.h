/* SPDX-License-Identifier: MIT */
/*
 * breakdown.h - adds up where the time of a stall went (struct breakdown of report.h). Internal to
 * the room.
 *
 * The working breakdown of a turn is emptied for every turn and allocates nothing once it has
 * grown. The lists stay short whatever a stream says: blockers are bounded by BLOCKERS_MAX (what
 * others held up is charged to none), all others by BREAKDOWN_MAX. (Its own `stacks` a turn in
 * progress keeps elsewhere: stacks.h.)
 */
#ifndef GILSCOPE_ANALYSIS_SUMS_BREAKDOWN_H
#define GILSCOPE_ANALYSIS_SUMS_BREAKDOWN_H

#include <stddef.h>

#include "analysis/report.h"

#define BREAKDOWN_MAX  256
#define BLOCKERS_MAX   1024
#define BLOCKERS_MIN   16    /* … and that many, however many loops share … */
#define BLOCKERS_TOTAL 65536 /* … these, so that memory does not grow with loops times blockers */

void state_sums_add(struct state_sums *sums, const struct state_sums *from);
/* Machine code that time belongs to; nothing of time off the CPU, or in the garbage collector. */
void native_add(struct native_share natives[NATIVES_MAX_OF_SHARE], const struct stack_ref *ref,
		enum thread_state state, uint64_t ns);

/* Each adds `ns` to its entry. 0 or -ENOMEM. `ref` may be NULL: stacks are not kept. */
int breakdown_add_blocker(struct breakdown *what, const struct thread *thread,
			  enum thread_state state, uint64_t ns, uint64_t gc_ns,
			  const struct stack_ref *ref);
/* So much of what was added to the blocker it was stopped from outside. */
int breakdown_add_stop(struct breakdown *what, const struct thread *thread, enum stop_kind kind,
		       uint64_t ns);
/* With BREAKDOWN_MAX others already there the call counts as SYSNO_UNKNOWN, and the task as
 * TID_OTHERS. */
int breakdown_add_syscall(struct breakdown *what, int32_t sysno, uint64_t ns);
int breakdown_add_occupant(struct breakdown *what, uint32_t tid, uint32_t pid, uint64_t ns);

/* With BREAKDOWN_MAX others already there it is dropped. */
int breakdown_add_lock(struct breakdown *what, const struct lock_wait *wait);
/* The thread was in this state, native or runnable, from `from` to `to`; what was counted of it
 * already is not counted again. Dropped likewise. */
int breakdown_add_helper(struct breakdown *what, const struct thread *thread,
			 enum thread_state state, uint64_t from, uint64_t to);

/* A sample of it, which stands for so much time: the function, 0 = unknown. Dropped likewise. */
int breakdown_add_helper_sample(struct breakdown *what, const struct thread *thread,
				uint32_t function, uint64_t ns);

/* The stack of some of the blocker's time has become known: that much, added with `old_gc_ns`
 * before, moves from stack 0 there. */
int breakdown_move_blocker(struct breakdown *what, const struct thread *thread,
			   enum thread_state state, uint64_t ns, uint64_t old_gc_ns, uint64_t gc_ns,
			   const struct stack_ref *ref);

/* Adds all of `from` to `what`; of stacks, what differs by task or root only becomes one. */
int breakdown_merge(struct breakdown *what, const struct breakdown *from);
/* A sorted copy with memory of its own. */
int breakdown_copy(const struct breakdown *from, struct breakdown *ret_copy);
/* The memory that a copy points to. */
size_t breakdown_bytes(const struct breakdown *copy);
/* Brings every list into the order most first; equal ones by number, so that a report is always the
 * same. */
void breakdown_sort(struct breakdown *what);

/* For breakdown.c and breakdown_locks.c. Makes room for one entry more; what is new is zero. 0 or
 * -ENOMEM. */
int breakdown_grow(void *entries, uint32_t count, uint32_t *room, size_t size);
int breakdown_merge_locks(struct breakdown *what, const struct breakdown *from);
void breakdown_sort_locks(struct breakdown *what);

/* Empties it and keeps the memory. */
void breakdown_reset(struct breakdown *what);
void breakdown_done(struct breakdown *what);

#endif
