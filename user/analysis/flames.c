/* SPDX-License-Identifier: MIT */
/*
 * flames.c - time by thread, state and stack, and GIL waits by waiter and holder. Only time with a
 * known stack or holder is stored; the report adds the remainder of each thread's states, so the
 * sums equal the threads' states exactly.
 */
#include <errno.h>
#include <stdlib.h>

#include "analysis/refers/refers.h"

void flame_entry_add(struct flame_entry *to, const struct flame_entry *from)
{
	to->time.ns += from->time.ns;
	to->time.gc_ns += from->time.gc_ns;
	to->samples += from->samples;
	to->reported += from->reported;
}

static void add_wait_time(struct wait_time *to, const struct wait_time *from)
{
	to->ns += from->ns;
	to->asleep_ns += from->asleep_ns;
	to->no_cpu_ns += from->no_cpu_ns;
}

void wait_entry_add(struct wait_entry *to, const struct wait_entry *from)
{
	add_wait_time(&to->time, &from->time);
	add_wait_time(&to->reported, &from->reported);
}

/* When the table is full, and stacks may be forgotten, all that it has are. -ENOSPC: that has not
 * helped. */
static int flame_get(struct report_builder *builder, const struct flame_entry *key,
		     struct flame_entry **ret_entry)
{
	int err = flames_get(&builder->flames, &key->key, ret_entry);

	if (err != -ENOSPC || !builder->forgets)
		return err;
	builder->forgets = false;
	err = flames_leave(builder, NULL);
	builder->forgets = builder->flames.count <= FLAMES_MAX / 2;
	return err ? err : flames_get(&builder->flames, &key->key, ret_entry);
}

static void flame_add(struct report_builder *builder, struct thread_fold *thread, uint32_t stack,
		      const struct stretch_part *part)
{
	struct flame_entry key = {.key = {.thread = thread->report.thread,
					  .stack = stack,
					  .state = (uint16_t)part->state,
					  .in_turn = part->in_turn}},
			   *entry;
	int err;

	if (!part->ns && !part->samples)
		return;
	err = flame_get(builder, &key, &entry);
	if (err) {
		/* Table full: the time counts as without a stack. */
		check(builder, err == -ENOSPC ? 0 : err);
		return;
	}
	entry->time.ns += part->ns;
	entry->time.gc_ns += part->gc_ns;
	entry->samples += part->samples;
	thread->attributed_ns[part->state][part->in_turn] += part->ns;
}

void flames_add(struct report_builder *builder, struct thread_fold *thread,
		const struct stretch *stretch)
{
	for (uint32_t n = 0; n < stretch->part_count && stretch->ref->stack; n++)
		flame_add(builder, thread, stretch->ref->stack, &stretch->parts[n]);
}

/* The remainder; 0 if `part` exceeds `total`, which the model's order of calls rules out. */
static uint64_t rest(uint64_t total, uint64_t part)
{
	return total > part ? total - part : 0;
}

static uint64_t rest_of(const struct thread_fold *thread, unsigned int state, bool in_turn)
{
	uint64_t total = in_turn ? thread->turn_ns[state]
				 : thread->report.states.ns[state] - thread->turn_ns[state];

	return rest(total, thread->attributed_ns[state][in_turn]);
}

static uint32_t thread_count(const struct report_builder *builder)
{
	uint32_t count = 0;

	for (const struct thread_fold *thread = builder->threads; thread; thread = thread->next)
		count++;
	return count;
}

static int fill_flames(struct report_builder *builder, size_t threads)
{
	struct report *report = &builder->report;

	report->flames = reallocarray(NULL, builder->flames.count + threads * TS_COUNT * 2 + 1,
				      sizeof(*report->flames));
	if (!report->flames)
		return -ENOMEM;
	for (uint32_t n = 0; n < builder->flames.count; n++) {
		const struct flame_entry *entry = table_at(&builder->flames, n);

		if (entry->time.ns)
			report->flames[report->flame_count++] = (struct flame){
				.thread = entry->key.thread,
				.stack = entry->key.stack,
				.state = (enum thread_state)entry->key.state,
				.in_turn = entry->key.in_turn,
				.ns = entry->time.ns,
				.samples = entry->samples};
	}
	for (const struct thread_fold *thread = builder->threads; thread; thread = thread->next)
		for (unsigned int n = 0; n < TS_COUNT * 2; n++) {
			uint64_t ns = rest_of(thread, n / 2, n % 2);

			if (ns)
				report->flames[report->flame_count++] = (struct flame){
					.thread = thread->report.thread,
					.state = (enum thread_state)(n / 2),
					.in_turn = n % 2,
					.ns = ns};
		}
	return 0;
}

static struct wait_time since(const struct wait_time *now, const struct wait_time *before)
{
	return (struct wait_time){.ns = now->ns - before->ns,
				  .asleep_ns = now->asleep_ns - before->asleep_ns,
				  .no_cpu_ns = now->no_cpu_ns - before->no_cpu_ns};
}

static int fill_waits(struct report_builder *builder, size_t threads)
{
	struct report *report = &builder->report;

	report->wait_flames = reallocarray(NULL, builder->waits.count + threads + 1,
					   sizeof(*report->wait_flames));
	if (!report->wait_flames)
		return -ENOMEM;
	for (uint32_t n = 0; n < builder->waits.count; n++) {
		struct wait_entry *entry = table_at(&builder->waits, n);
		struct wait_time time = entry->time, growth = since(&time, &entry->reported);

		if (builder->growth) {
			entry->reported = time;
			time = growth;
		}
		/* a growth may be of one part only, when time was found to be another's */
		if (time.ns || time.asleep_ns || time.no_cpu_ns)
			report->wait_flames[report->wait_flame_count++] = (struct wait_flame){
				.waiter = entry->key.waiter,
				.holder = entry->key.holder,
				.waiter_stack = entry->key.waiter_stack,
				.holder_stack = entry->key.holder_stack,
				.ns = time.ns,
				.asleep_ns = time.asleep_ns,
				.no_cpu_ns = time.no_cpu_ns};
	}
	for (struct thread_fold *thread = builder->threads; thread; thread = thread->next) {
		uint64_t ns = rest(thread->report.states.ns[TS_GIL_WAIT],
				   thread->wait_attributed_ns);

		if (builder->growth) {
			ns -= thread->wait_rest_reported;
			thread->wait_rest_reported += ns;
		}
		if (ns)
			report->wait_flames[report->wait_flame_count++] = (struct wait_flame){
				.waiter = thread->report.thread, .ns = ns};
	}
	return 0;
}

int report_flames(struct report_builder *builder)
{
	uint32_t threads = thread_count(builder);
	int err = builder->growth ? 0 : fill_flames(builder, threads);

	return err ? err : fill_waits(builder, threads);
}
