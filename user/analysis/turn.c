/* SPDX-License-Identifier: MIT */
#include "analysis/turn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fold.h"

void turn_stacks_begin(struct turn_stacks *turn)
{
	turn->shares.entry_bytes = sizeof(struct turn_share);
	table_reset(&turn->shares);
	turn->parts.count = turn->parts.current = turn->parts.unknown = 0;
}

void turn_done(struct turn_stacks *turn)
{
	table_done(&turn->shares);
}

/* ── parts ───────────────────────────────────────────────────────────────── */

/* Returns the part's number, from 1. When the list is full, the last part takes in the rest and
 * loses its handler. */
static uint32_t parts_append(struct turn_parts *parts, const struct turn_part *part)
{
	struct turn_part *last = &parts->list[TURN_PARTS_MAX - 1];

	if (parts->count < TURN_PARTS_MAX) {
		parts->list[parts->count++] = *part;
	} else {
		last->handler = (struct handler){0};
		last->root = last->task = 0;
	}
	return parts->count;
}

/*
 * The number of the part that a stretch belongs to: the current part if handler and root are the
 * same, else a new one. An unknown stack, or one that does not show what ran, does not end the
 * current part: it belongs to it if the same coroutine runs, else all such time of a turn shares
 * one part.
 */
static uint32_t part_of(const struct report_builder *builder, struct turn_parts *parts,
			const struct stack_ref *ref, uint64_t start)
{
	struct turn_part part = {
		.start = start, .end = start, .root = ref->root, .task = ref->task};
	const struct turn_part *current = parts->current ? &parts->list[parts->current - 1] : NULL;

	if (!ref->stack || handler_unsure_of(builder, ref->stack)) {
		if (ref->stack && ref->root && current && current->root == ref->root)
			return parts->current;
		if (!parts->unknown)
			parts->unknown = parts_append(
				parts, &(struct turn_part){.start = start, .end = start});
		return parts->unknown;
	}
	part.handler = handler_of(builder, ref->stack);
	if (!current || current->handler.frame.function != part.handler.frame.function ||
	    current->root != part.root)
		parts->current = parts_append(parts, &part);
	return parts->current;
}

static uint32_t parts_add(const struct report_builder *builder, struct turn_parts *parts,
			  const struct stack_ref *ref, uint64_t start, uint64_t end)
{
	uint32_t number = part_of(builder, parts, ref, start);
	struct turn_part *part = &parts->list[number - 1];

	if (start < part->start)
		part->start = start;
	if (end > part->end)
		part->end = end;
	return number - 1;
}

/* ── shares ──────────────────────────────────────────────────────────────── */

TABLE_OF(shares, struct turn_share, key)

static struct turn_share *share_of(struct turn_stacks *turn, uint32_t part,
				   const struct stack_ref *ref)
{
	struct turn_share key = {
		.key = {.part = part, .stack = ref->stack, .task = ref->task, .root = ref->root}};
	struct turn_share *share;

	turn->shares.limit = TURN_SHARES_MAX;
	if (shares_get(&turn->shares, &key.key, &share) == -ENOSPC) {
		turn->shares.limit = TURN_SHARES_MAX + TURN_PARTS_MAX;
		key.key.stack = key.key.task = 0;
		key.key.root = 0;
		shares_get(&turn->shares, &key.key, &share);
	}
	return share;
}

static int part_add_stretch(const struct report_builder *builder, struct turn_stacks *turn,
			    const struct stretch *stretch, const struct stretch_part *part)
{
	uint32_t number = parts_add(builder, &turn->parts, stretch->ref, stretch->start,
				    stretch->end);
	struct turn_share *share = share_of(turn, number, stretch->ref);

	if (!share)
		return -ENOMEM;
	share->states.ns[part->state] += part->ns;
	share->gc_ns += part->gc_ns;
	if (stretch->interval && thread_state_sleeps(part->state) && part->ns > share->sleep_ns) {
		share->sysno = stretch->interval->sysno;
		share->file = stretch->interval->file;
		share->sleep_ns = part->ns;
	}
	native_add(share->natives, stretch->ref, part->state, part->ns);
	return 0;
}

int turn_add(const struct report_builder *builder, struct turn_stacks *turn,
	     const struct stretch *stretch)
{
	int err = 0;

	for (uint32_t n = 0; n < stretch->part_count && !err; n++)
		err = part_add_stretch(builder, turn, stretch, &stretch->parts[n]);
	return err;
}

/* ── the end ─────────────────────────────────────────────────────────────── */

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_stack(const void *a, const void *b)
{
	const struct turn_share *x = a, *y = b;
	int order = compare(x->key.stack, y->key.stack);

	order = order ? order : compare(x->key.task, y->key.task);
	return order ? order : compare(x->key.root, y->key.root);
}

static int by_part(const void *a, const void *b)
{
	const struct turn_share *x = a, *y = b;
	int order = compare(x->key.part, y->key.part);

	return order ? order : compare(x->key.stack, y->key.stack);
}

static int by_start(const void *a, const void *b)
{
	const struct turn_part *x = a, *y = b;
	int order = compare(x->start, y->start);

	return order ? order : compare(x->end, y->end);
}

/* A copy of all shares plus those of the turn's time not attributed yet. The caller frees it. NULL
 * when memory is short. */
static struct turn_share *shares_so_far(const struct report_builder *builder,
					const struct turn_stacks *turn, struct thread *thread,
					struct turn_parts *parts, uint32_t *ret_count)
{
	struct turn_share *shares = reallocarray(NULL, turn->shares.count + STRETCH_PARTS_MAX,
						 sizeof(*shares));
	struct stretch_part pieces[STRETCH_PARTS_MAX];
	uint32_t count = turn->shares.count;
	struct stack_ref ref;
	struct stretch rest;

	if (!shares)
		return NULL;
	if (count)
		memcpy(shares, turn->shares.entries, count * sizeof(*shares));
	*ret_count = count;
	if (!attribution_turn_rest(builder->attribution, thread, &rest, &ref, pieces))
		return shares;
	for (uint32_t n = 0; n < rest.part_count; n++) {
		struct turn_share *share = &shares[count++];

		*share = (struct turn_share){.key = {.stack = rest.ref->stack,
						     .task = rest.ref->task,
						     .root = rest.ref->root},
					     .gc_ns = pieces[n].gc_ns};
		share->key.part = parts_add(builder, parts, rest.ref, rest.start, rest.end);
		share->states.ns[pieces[n].state] = pieces[n].ns;
		native_add(share->natives, rest.ref, pieces[n].state, pieces[n].ns);
	}
	*ret_count = count;
	return shares;
}

/* Sets each part's sums and its stack with the most time. Sorts `shares` and the parts. */
static void fill_parts(struct turn_parts *parts, struct turn_share *shares, uint32_t count)
{
	uint64_t most[TURN_PARTS_MAX] = {0}, ns = 0;

	qsort(shares, count, sizeof(*shares), by_part);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t part = shares[i].key.part;

		if (!i || by_part(&shares[i - 1], &shares[i]))
			ns = 0;
		ns += state_sums_total(&shares[i].states);
		state_sums_add(&parts->list[part].states, &shares[i].states);
		if (shares[i].key.stack && ns > most[part]) {
			most[part] = ns;
			parts->list[part].stack = shares[i].key.stack;
		}
	}
	qsort(parts->list, parts->count, sizeof(parts->list[0]), by_start);
}

/* Merges the shares of all parts by stack, task and root, and returns the number of entries.
 * *ret_largest: the stack with the most time over all its tasks and runs. */
static uint32_t fill_stacks(struct stack_share *stacks, uint32_t *ret_largest,
			    struct turn_share *shares, uint32_t count)
{
	uint64_t most = 0, ns = 0;
	uint32_t n = 0;

	qsort(shares, count, sizeof(*shares), by_stack);
	for (uint32_t i = 0; i < count; i++) {
		const struct turn_share *share = &shares[i];

		if (!i || by_stack(&shares[i - 1], share))
			stacks[n++] = (struct stack_share){.stack = share->key.stack,
							   .task = share->key.task,
							   .root = share->key.root,
							   .sysno = SYSNO_UNKNOWN};
		state_sums_add(&stacks[n - 1].states, &share->states);
		stacks[n - 1].gc_ns += share->gc_ns;
		if (share->sleep_ns > stacks[n - 1].sleep_ns) {
			stacks[n - 1].sysno = share->sysno;
			stacks[n - 1].file = share->file;
			stacks[n - 1].sleep_ns = share->sleep_ns;
		}
		natives_add(stacks[n - 1].natives, share->natives);
		ns = (i && shares[i - 1].key.stack == share->key.stack ? ns : 0) +
		     state_sums_total(&share->states);
		if (share->key.stack && ns > most) {
			most = ns;
			*ret_largest = share->key.stack;
		}
	}
	return n;
}

int turn_fill(struct report_builder *builder, const struct turn_stacks *turn, struct thread *thread,
	      struct stall *stall)
{
	struct turn_parts parts = turn->parts;
	struct breakdown *what = &stall->what;
	uint32_t count = 0;
	struct turn_share *shares = shares_so_far(builder, turn, thread, &parts, &count);

	if (!shares)
		return -ENOMEM;
	what->stacks = reallocarray(NULL, count + 1, sizeof(*what->stacks));
	stall->parts = reallocarray(NULL, parts.count + 1, sizeof(*stall->parts));
	if (!what->stacks || !stall->parts) {
		free(shares);
		return -ENOMEM;
	}
	if (count) {
		fill_parts(&parts, shares, count);
		what->stack_room = count + 1;
		what->stack_count = fill_stacks(what->stacks, &stall->stack, shares, count);
	}
	free(shares);
	memcpy(stall->parts, parts.list, parts.count * sizeof(*stall->parts));
	stall->part_count = parts.count;
	what->gc_sampled = thread->process->info.gc == GC_SAMPLES;
	if (what->gc_sampled)
		for (uint32_t i = 0; i < what->stack_count; i++)
			what->gc_ns += what->stacks[i].gc_ns;
	return handler_most(builder, what->stacks, what->stack_count, &stall->handler);
}
