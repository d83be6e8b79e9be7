/* SPDX-License-Identifier: MIT */
#include "analysis/sums/breakdown.h"

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

void state_sums_add(struct state_sums *sums, const struct state_sums *from)
{
	for (int i = 0; i < TS_COUNT; i++)
		sums->ns[i] += from->ns[i];
}

/* With no room for another function, the one with the least time has to go if it has less. */
static void add_to_room(struct native_share *natives, int room, const struct native_share *share)
{
	struct native_share *least = natives;

	if (!share->function || !share->ns)
		return;
	for (int i = 0; i < room; i++) {
		if (natives[i].function == share->function && natives[i].state == share->state) {
			natives[i].ns += share->ns;
			return;
		}
		if (natives[i].ns < least->ns)
			least = &natives[i];
	}
	if (share->ns > least->ns)
		*least = *share;
}

void native_add(struct native_share natives[NATIVES_MAX_OF_SHARE], const struct stack_ref *ref,
		enum thread_state state, uint64_t ns)
{
	if (thread_state_runs(state) && !ref->gc)
		add_to_room(
			natives, NATIVES_MAX_OF_SHARE,
			&(struct native_share){.function = ref->native, .state = state, .ns = ns});
}

void natives_add(struct native_share natives[NATIVES_MAX_OF_SHARE],
		 const struct native_share from[NATIVES_MAX_OF_SHARE])
{
	for (int i = 0; i < NATIVES_MAX_OF_SHARE; i++)
		add_to_room(natives, NATIVES_MAX_OF_SHARE, &from[i]);
}

#define NATIVES_COUNTED 64

/* The same code may be called from several places. */
struct native_share natives_largest(const struct stack_share *shares, uint32_t count)
{
	struct native_share sums[NATIVES_COUNTED] = {0}, most = {0};

	for (uint32_t i = 0; i < count; i++)
		for (int n = 0; n < NATIVES_MAX_OF_SHARE; n++)
			add_to_room(
				sums, NATIVES_COUNTED,
				&(struct native_share){.function = shares[i].natives[n].function,
						       .ns = shares[i].natives[n].ns});
	for (int i = 0; i < NATIVES_COUNTED; i++)
		if (sums[i].ns > most.ns)
			most = sums[i];
	return most;
}

uint64_t breakdown_stopped_ns(const struct breakdown *what)
{
	return what->stop_ns[STOP_SIGNAL] + what->stop_ns[STOP_TRACER] +
	       what->stop_ns[STOP_FREEZER];
}

bool breakdown_is_stopped(const struct breakdown *what, enum stop_kind *ret_kind)
{
	enum stop_kind kind = STOP_SIGNAL;

	for (int i = STOP_TRACER; i < STOP_KINDS; i++)
		kind = what->stop_ns[i] > what->stop_ns[kind] ? (enum stop_kind)i : kind;
	*ret_kind = kind;
	return breakdown_stopped_ns(what) * 2 > state_sums_total(&what->states);
}

bool blocker_is_stopped(const struct blocker *blocker, enum stop_kind *ret_kind)
{
	struct breakdown what = {.states = blocker->states};

	memcpy(what.stop_ns, blocker->stop_ns, sizeof(what.stop_ns));
	return breakdown_is_stopped(&what, ret_kind);
}

bool breakdown_holders_known(const struct breakdown *what)
{
	uint64_t known = 0;

	for (uint32_t i = 0; i < what->blocker_count; i++)
		known += state_sums_total(&what->blockers[i].states);
	return what->blocker_count && known * 2 >= what->states.ns[TS_GIL_WAIT];
}

int breakdown_grow(void *entries, uint32_t count, uint32_t *room, size_t size)
{
	uint32_t wanted = *room ? *room * 2 : 4;
	char *old, *grown;

	if (count < *room)
		return 0;
	memcpy(&old, entries, sizeof(old));
	grown = reallocarray(old, wanted, size);
	if (!grown)
		return -ENOMEM;
	memset(grown + *room * size, 0, (wanted - *room) * size);
	memcpy(entries, &grown, sizeof(grown));
	*room = wanted;
	return 0;
}

/* ── blockers and their stacks ───────────────────────────────────────────── */

#define LINEAR_MAX 16 /* up to here blockers are searched one by one, then by blocker_index */

/* An entry of blocker_index, which has all blockers or, after they were sorted, none. */
struct blocker_place {
	const struct thread *thread;
	uint32_t number; /* 1 + its index in blockers; 0: it is not there yet */
};
TABLE_OF(places, struct blocker_place, thread)

/* 0, -ENOMEM, or -ENOSPC: it is not there, and there are `max` others. */
static int place_of(struct breakdown *what, const struct thread *thread, uint32_t max,
		    struct blocker_place **ret_place)
{
	struct table *index = &what->blocker_index;
	struct blocker_place *place;

	index->entry_bytes = sizeof(*place);
	index->limit = BLOCKERS_MAX;
	while (index->count < what->blocker_count) {
		if (places_get(index, &what->blockers[index->count].thread, &place) < 0)
			return -ENOMEM;
		place->number = index->count;
	}
	index->limit = max;
	return places_get(index, &thread, ret_place);
}

/* The entry behind the last one. NULL when memory is short. */
static struct blocker *blocker_append(struct breakdown *what, const struct thread *thread)
{
	struct blocker *blocker;

	if (breakdown_grow(&what->blockers, what->blocker_count, &what->blocker_room,
			   sizeof(*what->blockers)) < 0)
		return NULL;
	/* it may have been used before, and its list of stacks with it */
	blocker = &what->blockers[what->blocker_count++];
	*blocker = (struct blocker){
		.thread = thread, .stacks = blocker->stacks, .stack_room = blocker->stack_room};
	return blocker;
}

/* Finds or makes the entry: 0, -ENOMEM, or -ENOSPC. The latest is looked at first: neighbouring
 * intervals are mostly the same thread's. */
static int blocker_of(struct breakdown *what, const struct thread *thread,
		      struct blocker **ret_blocker)
{
	uint32_t max = what->blocker_max ? what->blocker_max : BLOCKERS_MAX;
	uint32_t number = what->blocker_count;
	struct blocker_place *place = NULL;

	if (number > LINEAR_MAX && what->blockers[number - 1].thread != thread) {
		int err = place_of(what, thread, max, &place);

		what->more_blockers |= err == -ENOSPC;
		if (err)
			return err;
		number = place->number;
	}
	while (!place && number && what->blockers[number - 1].thread != thread)
		number--;
	if (number) {
		*ret_blocker = &what->blockers[number - 1];
		return 0;
	}
	if (what->blocker_count >= max) {
		what->more_blockers = true;
		return -ENOSPC;
	}
	*ret_blocker = blocker_append(what, thread);
	if (*ret_blocker && place)
		place->number = what->blocker_count;
	return *ret_blocker ? 0 : -ENOMEM;
}

/* Where time of this stack goes: with `max` others there, to stack 0. NULL when memory is short. */
static struct stack_share *share_of(struct stack_share **shares, uint32_t *count, uint32_t *room,
				    uint32_t max, const struct stack_ref *ref)
{
	const struct stack_ref none = {0};

	for (uint32_t i = *count; i-- > 0;)
		if ((*shares)[i].stack == ref->stack && (*shares)[i].task == ref->task &&
		    (*shares)[i].root == ref->root)
			return &(*shares)[i];
	if (*count >= max && (ref->stack || ref->task || ref->root))
		return share_of(shares, count, room, max, &none);
	if (breakdown_grow(shares, *count, room, sizeof(**shares)) < 0)
		return NULL;
	(*shares)[*count] = (struct stack_share){
		.stack = ref->stack, .task = ref->task, .root = ref->root};
	return &(*shares)[(*count)++];
}

static struct stack_share *blocker_share(struct breakdown *what, struct blocker *blocker,
					 const struct stack_ref *ref)
{
	bool full = what->blocker_stacks_max && what->blocker_stacks >= what->blocker_stacks_max;
	uint32_t before = blocker->stack_count;
	struct stack_share *share = share_of(&blocker->stacks, &blocker->stack_count,
					     &blocker->stack_room, full ? 0 : BREAKDOWN_MAX, ref);

	what->blocker_stacks += blocker->stack_count - before;
	return share;
}

int breakdown_add_blocker(struct breakdown *what, const struct thread *thread,
			  enum thread_state state, uint64_t ns, uint64_t gc_ns,
			  const struct stack_ref *ref)
{
	struct stack_share *share = NULL;
	struct blocker *blocker;
	int err = blocker_of(what, thread, &blocker);

	if (err < 0)
		return err == -ENOSPC ? 0 : err;
	if (ref && !(share = blocker_share(what, blocker, ref)))
		return -ENOMEM;
	blocker->states.ns[state] += ns;
	blocker->gc_ns += gc_ns;
	if (share) {
		share->states.ns[state] += ns;
		share->gc_ns += gc_ns;
		native_add(share->natives, ref, state, ns);
	}
	return 0;
}

int breakdown_move_blocker(struct breakdown *what, const struct thread *thread,
			   enum thread_state state, uint64_t ns, uint64_t old_gc_ns, uint64_t gc_ns,
			   const struct stack_ref *ref)
{
	struct stack_share *share;
	struct blocker *blocker;
	int err = blocker_of(what, thread, &blocker);

	if (err < 0)
		return err == -ENOSPC ? 0 : err;
	share = blocker_share(what, blocker, &(struct stack_ref){0});
	if (!share)
		return -ENOMEM;
	/* it was not among those that the time was added to (WAITERS_MAX) */
	if (share->states.ns[state] < ns)
		return 0;
	share->states.ns[state] -= ns;
	share->gc_ns -= old_gc_ns;
	blocker->states.ns[state] -= ns;
	blocker->gc_ns -= old_gc_ns;
	return breakdown_add_blocker(what, thread, state, ns, gc_ns, ref);
}

int breakdown_add_stop(struct breakdown *what, const struct thread *thread, enum stop_kind kind,
		       uint64_t ns)
{
	struct blocker *blocker;
	int err = blocker_of(what, thread, &blocker);

	if (err < 0)
		return err == -ENOSPC ? 0 : err;
	blocker->stop_ns[kind] += ns;
	return 0;
}

/* Lists over many turns are by stack alone: a task or a run of a coroutine is in few of them. */
static int merge_shares(struct stack_share **shares, uint32_t *count, uint32_t *room,
			const struct stack_share *from, uint32_t from_count)
{
	for (uint32_t i = 0; i < from_count; i++) {
		struct stack_share *share = share_of(shares, count, room, BREAKDOWN_MAX,
						     &(struct stack_ref){.stack = from[i].stack});

		if (!share)
			return -ENOMEM;
		state_sums_add(&share->states, &from[i].states);
		share->gc_ns += from[i].gc_ns;
		natives_add(share->natives, from[i].natives);
	}
	return 0;
}

static int merge_blocker(struct breakdown *what, const struct blocker *from)
{
	struct blocker *blocker;
	int err = blocker_of(what, from->thread, &blocker);

	if (err < 0)
		return err == -ENOSPC ? 0 : err;
	state_sums_add(&blocker->states, &from->states);
	for (int i = 0; i < STOP_KINDS; i++)
		blocker->stop_ns[i] += from->stop_ns[i];
	blocker->gc_ns += from->gc_ns;
	return merge_shares(&blocker->stacks, &blocker->stack_count, &blocker->stack_room,
			    from->stacks, from->stack_count);
}

/* ── the others ──────────────────────────────────────────────────────────── */

int breakdown_add_syscall(struct breakdown *what, int32_t sysno, uint64_t ns)
{
	for (uint32_t i = what->syscall_count; i-- > 0;)
		if (what->syscalls[i].sysno == sysno) {
			what->syscalls[i].ns += ns;
			return 0;
		}
	if (what->syscall_count >= BREAKDOWN_MAX && sysno != SYSNO_UNKNOWN)
		return breakdown_add_syscall(what, SYSNO_UNKNOWN, ns);
	if (breakdown_grow(&what->syscalls, what->syscall_count, &what->syscall_room,
			   sizeof(*what->syscalls)) < 0)
		return -ENOMEM;
	what->syscalls[what->syscall_count++] = (struct syscall_share){.sysno = sysno, .ns = ns};
	return 0;
}

int breakdown_add_occupant(struct breakdown *what, uint32_t tid, uint32_t pid, uint64_t ns)
{
	/* threads of one process are one neighbour; what has no process (the idle CPU, the others)
	 * is identified by its tid */
	for (uint32_t i = what->preempted_by_count; i-- > 0;)
		if (what->preempted_by[i].pid == pid && (pid || what->preempted_by[i].tid == tid)) {
			what->preempted_by[i].ns += ns;
			return 0;
		}
	if (what->preempted_by_count >= BREAKDOWN_MAX && tid != TID_OTHERS)
		return breakdown_add_occupant(what, TID_OTHERS, 0, ns);
	if (breakdown_grow(&what->preempted_by, what->preempted_by_count, &what->preempted_by_room,
			   sizeof(*what->preempted_by)) < 0)
		return -ENOMEM;
	what->preempted_by[what->preempted_by_count++] = (struct cpu_share){
		.tid = tid, .pid = pid, .ns = ns};
	return 0;
}

/* ── whole breakdowns ────────────────────────────────────────────────────── */

int breakdown_merge(struct breakdown *what, const struct breakdown *from)
{
	int err = 0;

	state_sums_add(&what->states, &from->states);
	what->throttled_ns += from->throttled_ns;
	for (int i = 0; i < STOP_KINDS; i++)
		what->stop_ns[i] += from->stop_ns[i];
	what->gc_ns += from->gc_ns;
	what->gc_sampled |= from->gc_sampled;
	for (uint32_t i = 0; i < from->blocker_count && !err; i++)
		err = merge_blocker(what, &from->blockers[i]);
	for (uint32_t i = 0; i < from->syscall_count && !err; i++)
		err = breakdown_add_syscall(what, from->syscalls[i].sysno, from->syscalls[i].ns);
	for (uint32_t i = 0; i < from->preempted_by_count && !err; i++)
		err = breakdown_add_occupant(what, from->preempted_by[i].tid,
					     from->preempted_by[i].pid, from->preempted_by[i].ns);
	if (!err)
		err = breakdown_merge_locks(what, from);
	return err ? err
		   : merge_shares(&what->stacks, &what->stack_count, &what->stack_room,
				  from->stacks, from->stack_count);
}

/* NULL for an empty list, and when memory is short, which *ok remembers. */
static void *duplicate(const void *entries, uint32_t count, size_t size, bool *ok)
{
	void *copy = count ? reallocarray(NULL, count, size) : NULL;

	if (copy)
		memcpy(copy, entries, count * size);
	*ok = *ok && (copy || !count);
	return copy;
}

size_t breakdown_bytes(const struct breakdown *copy)
{
	size_t bytes = copy->syscall_count * sizeof(*copy->syscalls) +
		       copy->preempted_by_count * sizeof(*copy->preempted_by) +
		       copy->stack_count * sizeof(*copy->stacks) +
		       copy->lock_count * sizeof(*copy->locks) +
		       copy->helper_count * sizeof(*copy->helpers) +
		       copy->blocker_count * sizeof(*copy->blockers);

	for (uint32_t i = 0; i < copy->blocker_count; i++)
		bytes += copy->blockers[i].stack_count * sizeof(*copy->blockers[i].stacks);
	return bytes;
}

int breakdown_copy(const struct breakdown *from, struct breakdown *ret_copy)
{
	struct breakdown copy = *from;
	bool ok = true;

	/* to the end in any case: afterwards it owns all that it points to */
	copy.syscalls = duplicate(from->syscalls, from->syscall_count, sizeof(*from->syscalls),
				  &ok);
	copy.preempted_by = duplicate(from->preempted_by, from->preempted_by_count,
				      sizeof(*from->preempted_by), &ok);
	copy.stacks = duplicate(from->stacks, from->stack_count, sizeof(*from->stacks), &ok);
	copy.blockers = duplicate(from->blockers, from->blocker_count, sizeof(*from->blockers),
				  &ok);
	copy.locks = duplicate(from->locks, from->lock_count, sizeof(*from->locks), &ok);
	copy.helpers = duplicate(from->helpers, from->helper_count, sizeof(*from->helpers), &ok);
	copy.lock_room = copy.lock_count;
	copy.helper_room = copy.helper_count;
	copy.blocker_index = (struct table){0};
	copy.syscall_room = copy.syscall_count;
	copy.preempted_by_room = copy.preempted_by_count;
	copy.stack_room = copy.stack_count;
	copy.blocker_room = copy.blockers ? copy.blocker_count : 0;
	for (uint32_t i = 0; i < copy.blocker_room; i++) {
		struct blocker *blocker = &copy.blockers[i];

		blocker->stacks = duplicate(blocker->stacks, blocker->stack_count,
					    sizeof(*blocker->stacks), &ok);
		blocker->stack_room = blocker->stack_count;
	}
	if (!ok) {
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

	return order ? order
		     : (x->thread->tid > y->thread->tid) - (x->thread->tid < y->thread->tid);
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

static int stack_compare(const void *a, const void *b)
{
	const struct stack_share *x = a, *y = b;
	int order = descending(state_sums_total(&x->states), state_sums_total(&y->states));

	order = order ? order : (x->stack > y->stack) - (x->stack < y->stack);
	order = order ? order : (x->task > y->task) - (x->task < y->task);
	return order ? order : (x->root > y->root) - (x->root < y->root);
}

void breakdown_sort(struct breakdown *what)
{
	table_reset(&what->blocker_index);
	for (uint32_t i = 0; i < what->blocker_count; i++)
		if (what->blockers[i].stack_count)
			qsort(what->blockers[i].stacks, what->blockers[i].stack_count,
			      sizeof(*what->stacks), stack_compare);
	if (what->stack_count)
		qsort(what->stacks, what->stack_count, sizeof(*what->stacks), stack_compare);
	/* qsort() of nothing must not be given NULL */
	if (what->blocker_count)
		qsort(what->blockers, what->blocker_count, sizeof(*what->blockers),
		      blocker_compare);
	if (what->syscall_count)
		qsort(what->syscalls, what->syscall_count, sizeof(*what->syscalls),
		      syscall_compare);
	if (what->preempted_by_count)
		qsort(what->preempted_by, what->preempted_by_count, sizeof(*what->preempted_by),
		      occupant_compare);
	breakdown_sort_locks(what);
}

void breakdown_reset(struct breakdown *what)
{
	what->states = (struct state_sums){0};
	what->throttled_ns = what->gc_ns = what->helped_ns = what->helped_longest_ns = 0;
	what->helped_stack = what->lock_count = what->helper_count = 0;
	memset(what->stop_ns, 0, sizeof(what->stop_ns));
	table_reset(&what->blocker_index);
	what->more_blockers = false;
	what->blocker_stacks = 0;
	what->blocker_count = what->syscall_count = what->preempted_by_count = what->stack_count =
		0;
}

void breakdown_done(struct breakdown *what)
{
	for (uint32_t i = 0; i < what->blocker_room; i++)
		free(what->blockers[i].stacks);
	free(what->blockers);
	table_done(&what->blocker_index);
	free(what->syscalls);
	free(what->preempted_by);
	free(what->stacks);
	free(what->locks);
	free(what->helpers);
	*what = (struct breakdown){0};
}
