/* SPDX-License-Identifier: MIT */
/* breakdown_locks.c - the part of a breakdown that says who released locks, and who ran meanwhile.
 */
#include "analysis/sums/breakdown.h"

#include <errno.h>
#include <stdlib.h>

static bool same_lock(const struct lock_wait *a, const struct lock_wait *b)
{
	return a->thread == b->thread && a->by == b->by && a->kind == b->kind &&
	       a->parked == b->parked && a->with_gil == b->with_gil && a->stack == b->stack &&
	       a->by_stack == b->by_stack;
}

int breakdown_add_lock(struct breakdown *what, const struct lock_wait *wait)
{
	struct lock_wait *entry;
	uint32_t n = 0;

	while (n < what->lock_count && !same_lock(&what->locks[n], wait))
		n++;
	if (n >= BREAKDOWN_MAX)
		return 0;
	if (n == what->lock_count) {
		if (breakdown_grow(&what->locks, n, &what->lock_room, sizeof(*what->locks)) < 0)
			return -ENOMEM;
		what->locks[what->lock_count++] = *wait;
		return 0;
	}
	entry = &what->locks[n];
	entry->ns += wait->ns;
	if (wait->by_slept_ns > entry->by_slept_ns) {
		entry->by_sysno = wait->by_sysno;
		entry->by_slept = wait->by_slept;
		entry->by_slept_ns = wait->by_slept_ns;
	}
	return 0;
}

/* Finds or makes the entry: 0, -ENOMEM, or -ENOSPC. */
static int helper_of(struct breakdown *what, const struct thread *thread,
		     struct helper **ret_helper)
{
	uint32_t n = 0;

	while (n < what->helper_count && what->helpers[n].thread != thread)
		n++;
	if (n >= BREAKDOWN_MAX)
		return -ENOSPC;
	if (n == what->helper_count) {
		if (breakdown_grow(&what->helpers, n, &what->helper_room, sizeof(*what->helpers)) <
		    0)
			return -ENOMEM;
		what->helpers[what->helper_count++] = (struct helper){.thread = thread};
	}
	*ret_helper = &what->helpers[n];
	return 0;
}

int breakdown_add_helper(struct breakdown *what, const struct thread *thread,
			 enum thread_state state, uint64_t from, uint64_t to)
{
	struct helper *helper;
	int err = helper_of(what, thread, &helper);

	if (err < 0)
		return err == -ENOSPC ? 0 : err;
	from = helper->to > from ? helper->to : from;
	if (from >= to)
		return 0;
	*(state == TS_NATIVE ? &helper->ns : &helper->ready_ns) += to - from;
	helper->to = to;
	return 0;
}

int breakdown_add_helper_sample(struct breakdown *what, const struct thread *thread,
				uint32_t function, uint64_t ns)
{
	struct native_share sample[NATIVES_MAX_OF_SHARE] = {
		{.function = function, .state = TS_NATIVE, .ns = ns}};
	struct helper *helper;
	int err = helper_of(what, thread, &helper);

	if (err < 0)
		return err == -ENOSPC ? 0 : err;
	helper->sampled_ns += ns;
	natives_add(helper->natives, sample);
	return 0;
}

int breakdown_merge_locks(struct breakdown *what, const struct breakdown *from)
{
	int err = 0;

	for (uint32_t i = 0; i < from->lock_count && !err; i++)
		err = breakdown_add_lock(what, &from->locks[i]);
	for (uint32_t i = 0; i < from->helper_count && !err; i++) {
		struct helper *helper;

		err = helper_of(what, from->helpers[i].thread, &helper);
		if (err == -ENOSPC)
			err = 0;
		else if (!err) {
			helper->ns += from->helpers[i].ns;
			helper->ready_ns += from->helpers[i].ready_ns;
			helper->sampled_ns += from->helpers[i].sampled_ns;
			natives_add(helper->natives, from->helpers[i].natives);
		}
	}
	what->helped_ns += from->helped_ns;
	if (from->helped_longest_ns > what->helped_longest_ns) {
		what->helped_longest_ns = from->helped_longest_ns;
		what->helped_stack = from->helped_stack;
	}
	return err;
}

static int longest_first_ns(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static int lock_compare(const void *a, const void *b)
{
	const struct lock_wait *x = a, *y = b;
	int order = longest_first_ns(x->ns, y->ns);

	order = order ? order : (x->by->tid > y->by->tid) - (x->by->tid < y->by->tid);
	order = order ? order : (x->stack > y->stack) - (x->stack < y->stack);
	return order ? order : (x->by_stack > y->by_stack) - (x->by_stack < y->by_stack);
}

static int helper_compare(const void *a, const void *b)
{
	const struct helper *x = a, *y = b;
	int order = longest_first_ns(x->ns, y->ns);

	return order ? order
		     : (x->thread->tid > y->thread->tid) - (x->thread->tid < y->thread->tid);
}

void breakdown_sort_locks(struct breakdown *what)
{
	if (what->lock_count)
		qsort(what->locks, what->lock_count, sizeof(*what->locks), lock_compare);
	if (what->helper_count)
		qsort(what->helpers, what->helper_count, sizeof(*what->helpers), helper_compare);
}
