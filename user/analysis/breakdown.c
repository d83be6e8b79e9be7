/* SPDX-License-Identifier: MIT */
#include "analysis/breakdown.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint64_t state_sums_total(const struct state_sums *sums)
{
	uint64_t total = 0;

	for (int i = 0; i < TS_COUNT; i++)
		total += sums->ns[i];
	return total;
}

enum thread_state state_sums_largest(const struct state_sums *sums)
{
	enum thread_state largest = TS_UNKNOWN;

	for (int i = TS_COUNT - 1; i >= 0; i--)
		if (sums->ns[i] && sums->ns[i] >= sums->ns[largest])
			largest = (enum thread_state)i;
	return largest;
}

static void state_sums_add(struct state_sums *sums, const struct state_sums *from)
{
	for (int i = 0; i < TS_COUNT; i++)
		sums->ns[i] += from->ns[i];
}

/* Makes room for one entry more. */
static int grow(void *entries, uint32_t count, uint32_t *room, size_t size)
{
	uint32_t wanted = *room ? *room * 2 : 4;
	void *old, *grown;

	if (count < *room)
		return 0;
	memcpy(&old, entries, sizeof(old));
	grown = reallocarray(old, wanted, size);
	if (!grown)
		return -ENOMEM;
	memcpy(entries, &grown, sizeof(grown));
	*room = wanted;
	return 0;
}

/* Finds or makes the entry. The latest are looked at first: neighbouring intervals are mostly the same thread's. */
static struct blocker *blocker_of(struct breakdown *what, const struct thread *thread)
{
	for (uint32_t i = what->blocker_count; i-- > 0;)
		if (what->blockers[i].thread == thread)
			return &what->blockers[i];
	if (grow(&what->blockers, what->blocker_count, &what->blocker_room, sizeof(*what->blockers)) < 0)
		return NULL;
	what->blockers[what->blocker_count] = (struct blocker){.thread = thread};
	return &what->blockers[what->blocker_count++];
}

int breakdown_add_blocker(struct breakdown *what, const struct thread *thread, enum thread_state state, uint64_t ns)
{
	struct blocker *blocker = blocker_of(what, thread);

	if (!blocker)
		return -ENOMEM;
	blocker->states.ns[state] += ns;
	return 0;
}

int breakdown_add_syscall(struct breakdown *what, int32_t sysno, uint64_t ns)
{
	for (uint32_t i = what->syscall_count; i-- > 0;)
		if (what->syscalls[i].sysno == sysno) {
			what->syscalls[i].ns += ns;
			return 0;
		}
	if (what->syscall_count >= BREAKDOWN_MAX && sysno != SYSNO_UNKNOWN)
		return breakdown_add_syscall(what, SYSNO_UNKNOWN, ns);
	if (grow(&what->syscalls, what->syscall_count, &what->syscall_room, sizeof(*what->syscalls)) < 0)
		return -ENOMEM;
	what->syscalls[what->syscall_count++] = (struct syscall_share){.sysno = sysno, .ns = ns};
	return 0;
}

int breakdown_add_occupant(struct breakdown *what, uint32_t tid, uint32_t pid, uint64_t ns)
{
	/* threads of one process are one neighbour; what has no process (the idle CPU, the others) is told apart by its tid */
	for (uint32_t i = what->preempted_by_count; i-- > 0;)
		if (what->preempted_by[i].pid == pid && (pid || what->preempted_by[i].tid == tid)) {
			what->preempted_by[i].ns += ns;
			return 0;
		}
	if (what->preempted_by_count >= BREAKDOWN_MAX && tid != TID_OTHERS)
		return breakdown_add_occupant(what, TID_OTHERS, 0, ns);
	if (grow(&what->preempted_by, what->preempted_by_count, &what->preempted_by_room, sizeof(*what->preempted_by)) < 0)
		return -ENOMEM;
	what->preempted_by[what->preempted_by_count++] = (struct cpu_share){.tid = tid, .pid = pid, .ns = ns};
	return 0;
}

int breakdown_merge(struct breakdown *what, const struct breakdown *from)
{
	int r = 0;

	state_sums_add(&what->states, &from->states);
	what->throttled_ns += from->throttled_ns;
	for (uint32_t i = 0; i < from->blocker_count && !r; i++) {
		struct blocker *blocker = blocker_of(what, from->blockers[i].thread);

		if (!blocker)
			return -ENOMEM;
		state_sums_add(&blocker->states, &from->blockers[i].states);
	}
	for (uint32_t i = 0; i < from->syscall_count && !r; i++)
		r = breakdown_add_syscall(what, from->syscalls[i].sysno, from->syscalls[i].ns);
	for (uint32_t i = 0; i < from->preempted_by_count && !r; i++)
		r = breakdown_add_occupant(what, from->preempted_by[i].tid, from->preempted_by[i].pid, from->preempted_by[i].ns);
	return r;
}

int breakdown_copy(const struct breakdown *from, struct breakdown *ret_copy)
{
	struct breakdown copy = {0};

	if (breakdown_merge(&copy, from) < 0) {
		breakdown_done(&copy);
		return -ENOMEM;
	}
	breakdown_sort(&copy);
	*ret_copy = copy;
	return 0;
}

static int descending(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static int blocker_compare(const void *a, const void *b)
{
	const struct blocker *x = a, *y = b;
	int order = descending(state_sums_total(&x->states), state_sums_total(&y->states));

	return order ? order : (x->thread->tid > y->thread->tid) - (x->thread->tid < y->thread->tid);
}

static int syscall_compare(const void *a, const void *b)
{
	const struct syscall_share *x = a, *y = b;
	int order = descending(x->ns, y->ns);

	return order ? order : (x->sysno > y->sysno) - (x->sysno < y->sysno);
}

static int occupant_compare(const void *a, const void *b)
{
	const struct cpu_share *x = a, *y = b;
	int order = descending(x->ns, y->ns);

	return order ? order : (x->tid > y->tid) - (x->tid < y->tid);
}

void breakdown_sort(struct breakdown *what)
{
	/* qsort() of nothing must not be given NULL */
	if (what->blocker_count)
		qsort(what->blockers, what->blocker_count, sizeof(*what->blockers), blocker_compare);
	if (what->syscall_count)
		qsort(what->syscalls, what->syscall_count, sizeof(*what->syscalls), syscall_compare);
	if (what->preempted_by_count)
		qsort(what->preempted_by, what->preempted_by_count, sizeof(*what->preempted_by), occupant_compare);
}

void breakdown_reset(struct breakdown *what)
{
	what->states = (struct state_sums){0};
	what->throttled_ns = 0;
	what->blocker_count = what->syscall_count = what->preempted_by_count = 0;
}

void breakdown_done(struct breakdown *what)
{
	free(what->blockers);
	free(what->syscalls);
	free(what->preempted_by);
	*what = (struct breakdown){0};
}
