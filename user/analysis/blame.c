/* SPDX-License-Identifier: MIT */
/*
 * blame.c - finds the handler that caused each stall, and sums up the cost of every handler to the
 * loops over the window.
 */
#include <errno.h>
#include <stdlib.h>

#include "analysis/fold.h"

struct handler handler_of(const struct report_builder *builder, uint32_t stack)
{
	const struct report *report = &builder->report;

	if (!report->names || !report->finder || !stack)
		return (struct handler){0};
	return handler_find(report->finder, report->names, stack);
}

struct handler handler_of_key(const struct report_builder *builder, uint32_t stack,
			      const struct handler_key *of)
{
	if (stack || !of->function)
		return handler_of(builder, stack);
	return (struct handler){.role = (enum handler_role)of->role,
				.frame = {.function = of->function}};
}

bool handler_unsure_of(const struct report_builder *builder, uint32_t stack)
{
	const struct report *report = &builder->report;

	return report->names && report->finder && stack &&
	       handler_unsure(report->finder, report->names, stack);
}

/* The entry of the handler's function (0: no handler); NULL when memory is short. */
static struct blame *entry_of(struct report_builder *builder, const struct handler *handler)
{
	struct handler_entry *entry;

	if (handlers_get(&builder->handlers, &handler->frame.function, &entry))
		return NULL;
	/* A function may occur in several roles: keep the most specific one, the smallest other
	 * than 0. */
	if (handler->role &&
	    (!entry->blame.handler.role || handler->role < entry->blame.handler.role))
		entry->blame.handler = *handler;
	return &entry->blame;
}

/* ── of one stall ────────────────────────────────────────────────────────── */

static int count_shares(struct report_builder *builder, const struct stack_share *shares,
			uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct handler handler = handler_of(builder, shares[i].stack);
		bool known = shares[i].stack && (handler.role != HANDLER_NONE ||
						 !handler_unsure_of(builder, shares[i].stack));
		struct blame *entry = known ? entry_of(builder, &handler) : NULL;

		if (!known)
			continue;
		if (!entry)
			return -ENOMEM;
		state_sums_add(&entry->loop, &shares[i].states);
	}
	return 0;
}

/* The handler with the most counted time. Empties the table. */
static struct handler largest(struct report_builder *builder)
{
	const struct handler_entry *most = NULL;
	struct handler handler = {0};
	uint64_t most_ns = 0;

	for (uint32_t i = 0; i < builder->handlers.count; i++) {
		const struct handler_entry *entry = table_at(&builder->handlers, i);
		uint64_t ns = state_sums_total(&entry->blame.loop);

		if (ns < most_ns ||
		    (most && ns == most_ns &&
		     (!entry->function || (most->function && entry->function > most->function))))
			continue;
		most = entry;
		most_ns = ns;
	}
	if (most)
		handler = most->blame.handler;
	table_reset(&builder->handlers);
	return handler;
}

int handler_most(struct report_builder *builder, const struct stack_share *shares, uint32_t count,
		 struct handler *ret_handler)
{
	int err = count_shares(builder, shares, count);

	*ret_handler = largest(builder);
	return err;
}

int handlers_of_blockers(struct report_builder *builder, struct breakdown *what)
{
	int err = 0;

	for (uint32_t i = 0; i < what->blocker_count && !err; i++)
		err = handler_most(builder, what->blockers[i].stacks, what->blockers[i].stack_count,
				   &what->blockers[i].handler);
	return err;
}

/* For a GIL wait the culprit is the handler that held the GIL, not the one that waited. */
static int culprit(struct report_builder *builder, const struct stall *stall,
		   struct handler *ret_handler)
{
	enum stop_kind kind;
	int err = 0;

	*ret_handler = (struct handler){0};
	if (breakdown_is_stopped(&stall->what, &kind)) /* from outside: no handler */
		return 0;
	if (stall->cause != TS_GIL_WAIT)
		*ret_handler = stall->handler;
	if (stall->cause != TS_GIL_WAIT || !breakdown_holders_known(&stall->what) ||
	    blocker_is_stopped(&stall->what.blockers[0], &kind))
		return 0;
	for (uint32_t i = 0; i < stall->what.blocker_count && !err; i++)
		err = count_shares(builder, stall->what.blockers[i].stacks,
				   stall->what.blockers[i].stack_count);
	*ret_handler = largest(builder);
	return err;
}

/* ── over the window ─────────────────────────────────────────────────────── */

/* Finding a culprit needs an empty table of handlers, so all are found before any is charged. */
struct charge {
	struct handler handler;
	const struct stall *stall;
};

static uint32_t stall_count(const struct report *report)
{
	uint32_t count = 0;

	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t l = 0; l < report->processes[p].loop_count; l++)
			count += report->processes[p].loops[l].stall_count;
	return count;
}

static int find_culprits(struct report_builder *builder, struct charge *charges)
{
	const struct report *report = &builder->report;
	uint32_t count = 0;
	int err = 0;

	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t l = 0; l < report->processes[p].loop_count; l++)
			for (uint32_t s = 0; s < report->processes[p].loops[l].stall_count && !err;
			     s++, count++) {
				struct stall *stall = &report->processes[p].loops[l].stalls[s];

				err = culprit(builder, stall, &stall->culprit);
				charges[count] = (struct charge){stall->culprit, stall};
			}
	return err;
}

static void add_worst(struct blame *blame, uint64_t ns, uint64_t start)
{
	if (ns <= blame->worst_ns)
		return;
	blame->worst_ns = ns;
	blame->ts_worst = start;
}

int blame_left_out(struct report_builder *builder, const struct stall *stall)
{
	struct handler_entry *entry;
	struct handler handler;
	int err = culprit(builder, stall, &handler);

	if (err < 0 || !handler.role)
		return err;
	err = handlers_get(&builder->left_out, &handler.frame.function, &entry);
	if (err < 0)
		return err;
	entry->blame.handler = handler;
	entry->blame.stalls++;
	entry->blame.stall_ns += stall->end - stall->start;
	add_worst(&entry->blame, stall->end - stall->start, stall->start);
	return 0;
}

static int count_left_out(struct report_builder *builder)
{
	for (uint32_t i = 0; i < builder->left_out.count; i++) {
		const struct blame *from =
			&((const struct handler_entry *)table_at(&builder->left_out, i))->blame;
		struct blame *entry = entry_of(builder, &from->handler);

		if (!entry)
			return -ENOMEM;
		entry->stalls += from->stalls;
		entry->stall_ns += from->stall_ns;
		add_worst(entry, from->worst_ns, from->ts_worst);
	}
	return 0;
}

static int charge(struct report_builder *builder, const struct charge *charges, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct stall *stall = charges[i].stall;
		uint64_t ns = stall->end - stall->start;
		struct blame *entry;

		if (!charges[i].handler.role)
			continue;
		entry = entry_of(builder, &charges[i].handler);
		if (!entry)
			return -ENOMEM;
		entry->stalls++;
		entry->stall_ns += ns;
		add_worst(entry, ns, stall->start);
	}
	return 0;
}

static int count_flames(struct report_builder *builder)
{
	for (uint32_t n = 0; n < builder->flames.count; n++) {
		const struct flame_entry *flame = table_at(&builder->flames, n);
		struct handler handler = handler_of_key(builder, flame->key.stack, &flame->key.of);
		struct blame *entry;

		if (!handler.role || (!flame->key.in_turn && (flame->key.state == TS_BLOCKED ||
							      flame->key.state == TS_IDLE)))
			continue;
		entry = entry_of(builder, &handler);
		if (!entry)
			return -ENOMEM;
		(flame->key.in_turn ? &entry->loop : &entry->elsewhere)->ns[flame->key.state] +=
			flame->time.ns;
		entry->gc_ns += flame->time.gc_ns;
		entry->samples += flame->samples;
	}
	return 0;
}

static int count_waits(struct report_builder *builder)
{
	for (uint32_t n = 0; n < builder->waits.count; n++) {
		const struct wait_entry *wait = table_at(&builder->waits, n);
		struct handler handler = handler_of_key(builder, wait->key.holder_stack,
							&wait->key.of);
		const struct thread_fold *waiter = wait->key.waiter->data;
		struct blame *entry;

		if (!handler.role || !wait->time.ns)
			continue;
		entry = entry_of(builder, &handler);
		if (!entry)
			return -ENOMEM;
		entry->made_wait_ns += wait->time.ns;
		if (waiter->had_loop)
			entry->made_loops_wait_ns += wait->time.ns;
	}
	return 0;
}

/* Time it took from the loops: running or asleep in their turns, and making them wait for the GIL.
 * Its own waits for the GIL or a CPU are caused by others and do not count. */
static uint64_t cost(const struct blame *blame)
{
	const uint64_t *ns = blame->loop.ns;

	return ns[TS_PYTHON] + ns[TS_NATIVE] + ns[TS_HELD_BLOCKED] + ns[TS_BLOCKED] +
	       blame->made_loops_wait_ns;
}

int blame_worst_first(const void *a, const void *b)
{
	const struct blame *x = a, *y = b;
	/* of equal cost to the loops, as without a loop: by what other threads waited, and by the
	 * time that it took itself */
	const uint64_t keys[][2] = {
		{cost(x), cost(y)},
		{x->made_wait_ns, y->made_wait_ns},
		{state_sums_total(&x->loop), state_sums_total(&y->loop)},
		{x->elsewhere.ns[TS_PYTHON] + x->elsewhere.ns[TS_NATIVE],
		 y->elsewhere.ns[TS_PYTHON] + y->elsewhere.ns[TS_NATIVE]},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i][0] != keys[i][1])
			return keys[i][0] < keys[i][1] ? 1 : -1;
	return (x->handler.frame.function > y->handler.frame.function) -
	       (x->handler.frame.function < y->handler.frame.function);
}

static int collect(struct report_builder *builder)
{
	struct report *report = &builder->report;

	report->blame = reallocarray(NULL, builder->handlers.count + 1, sizeof(*report->blame));
	if (!report->blame)
		return -ENOMEM;
	for (uint32_t i = 0; i < builder->handlers.count; i++) {
		const struct handler_entry *entry = table_at(&builder->handlers, i);
		const struct definition *function = dictionary_find(report->names, DEFINE_FUNCTION,
								    entry->function);
		struct blame *blame = &report->blame[report->blame_count++];

		*blame = entry->blame;
		blame->handler.index = 0;
		blame->handler.frame.line = function ? function->function.line : 0;
	}
	qsort(report->blame, report->blame_count, sizeof(*report->blame), blame_worst_first);
	return 0;
}

int report_blame(struct report_builder *builder)
{
	uint32_t count = stall_count(&builder->report);
	struct charge *charges = calloc(count + 1, sizeof(*charges));
	int err = charges ? find_culprits(builder, charges) : -ENOMEM;

	err = err ? err : count_flames(builder);
	err = err ? err : count_waits(builder);
	err = err ? err : charge(builder, charges, count);
	err = err ? err : count_left_out(builder);
	err = err ? err : collect(builder);
	free(charges);
	table_reset(&builder->handlers);
	return err;
}
