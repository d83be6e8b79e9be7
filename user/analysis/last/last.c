/* SPDX-License-Identifier: MIT */
#include "analysis/last/last.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* ── while it runs ───────────────────────────────────────────────────────── */

/* The parts from the next one up to this one begin empty. */
static void advance(struct last *last, uint64_t newest)
{
	uint64_t from = last->newest + 1;

	if (from + LAST_PARTS <= newest)
		from = newest - LAST_PARTS + 1;
	for (uint64_t part = from; part <= newest; part++) {
		memset(last->ns[part % LAST_PARTS], 0, sizeof(last->ns[0]));
		last->held_ns[part % LAST_PARTS] = 0;
	}
	last->newest = newest;
}

static uint64_t begin_of(uint64_t part)
{
	return part << LAST_PART_SHIFT;
}

static void add(struct last *last, const struct interval *i)
{
	uint64_t part = i->start >> LAST_PART_SHIFT, newest = (i->end - 1) >> LAST_PART_SHIFT;

	if (newest > last->newest)
		advance(last, newest);
	last->end = i->end;
	if (part + LAST_PARTS <= last->newest)
		part = last->newest - LAST_PARTS + 1;
	for (; part <= newest; part++) {
		uint64_t from = later(i->start, begin_of(part)), to = begin_of(part + 1);
		uint32_t ns = (uint32_t)((i->end < to ? i->end : to) - from);

		last->ns[part % LAST_PARTS][i->state] += ns;
		last->held_ns[part % LAST_PARTS] += interval_holds(i) ? ns : 0;
	}
}

void last_free(struct report_builder *builder, struct thread_fold *thread)
{
	if (!thread->last)
		return;
	DL_DELETE(builder->lasts, thread->last);
	builder->last_count--;
	free(thread->last);
	thread->last = NULL;
}

/* Beyond the limit, that of the thread which had nothing new for the longest time goes. What is not
 * known of a thread is unknown: before this instant, all of its life so far. */
static struct last *begin(struct report_builder *builder, struct thread_fold *thread, uint64_t ts)
{
	const uint64_t life_ns = state_sums_total(&thread->report.states);
	const struct interval before = {.state = TS_UNKNOWN, .start = ts - life_ns, .end = ts};
	struct last *last;

	if (builder->last_count >= LAST_THREADS_AT_ONCE)
		last_free(builder, builder->lasts->prev->of);
	last = calloc(1, sizeof(*last));
	if (!last) {
		check(builder, -ENOMEM);
		return NULL;
	}
	last->of = thread;
	DL_PREPEND(builder->lasts, last);
	builder->last_count++;
	if (life_ns)
		add(last, &before);
	return thread->last = last;
}

void last_interval(struct report_builder *builder, struct thread_fold *thread,
		   const struct interval *i)
{
	struct last *last = thread->last;
	uint64_t newest;

	if (!last && i->state == TS_UNKNOWN && !i->gil)
		return;
	if (!last && !(last = begin(builder, thread, i->start)))
		return;
	newest = last->newest;
	add(last, i);
	if (last->newest == newest || last == builder->lasts)
		return;
	DL_DELETE(builder->lasts, last);
	DL_PREPEND(builder->lasts, last);
}

void last_sample(struct report_builder *builder, struct thread_fold *thread,
		 const struct sample *sample)
{
	struct last *last = thread->last;

	if (!sample->stack || (!last && !(last = begin(builder, thread, sample->ts))))
		return;
	last->stack = sample->stack;
	last->native = sample->native;
	last->ts_stack = sample->ts;
}

/* ── when it has ended ───────────────────────────────────────────────────── */

static struct last_moments *moments_of(const struct report *report, const struct thread *thread)
{
	return thread->stands_for ? NULL : report->processes[thread->process->index].last;
}

/* What Python does not know, and runs no loop, is not reported. */
static bool counts(const struct thread_fold *fold)
{
	return fold->report.thread->python || fold->had_loop;
}

static uint64_t end_of(const struct thread_fold *fold)
{
	return fold->last ? fold->last->end : fold->report.thread->ts_state;
}

/* Parts of one that has some, from the oldest that lies in the moments. */
static void sum_parts(const struct last *last, uint64_t oldest, struct last_thread *entry)
{
	for (uint64_t part = oldest; part <= last->newest; part++) {
		for (int state = 0; state < TS_COUNT; state++)
			entry->states.ns[state] += last->ns[part % LAST_PARTS][state];
		entry->held_ns += last->held_ns[part % LAST_PARTS];
	}
	entry->stack = last->stack;
	entry->native = last->native;
	entry->ts_stack = last->ts_stack;
}

static struct last_thread sum_up(const struct thread_fold *fold, const struct last_moments *moments)
{
	struct last_thread entry = {.thread = fold->report.thread, .loop = fold->had_loop};
	uint64_t newest = (moments->end - 1) >> LAST_PART_SHIFT,
		 oldest = newest < LAST_PARTS ? 0 : newest - LAST_PARTS + 1, end = end_of(fold),
		 life_ns = state_sums_total(&fold->report.states);

	if (fold->last)
		sum_parts(fold->last, oldest, &entry);
	else if (end > begin_of(oldest)) /* all of it is unknown */
		entry.states.ns[TS_UNKNOWN] = end - later(end - life_ns, begin_of(oldest));
	return entry;
}

static uint64_t active_ns(const struct last_thread *entry)
{
	const uint64_t *ns = entry->states.ns;

	return state_sums_total(&entry->states) - ns[TS_BLOCKED] - ns[TS_IDLE] - ns[TS_UNKNOWN];
}

/* The loop's thread first, then who had the GIL longest, then who did most. */
static bool comes_before(const struct last_thread *a, const struct last_thread *b)
{
	if (a->loop != b->loop)
		return a->loop;
	if (a->held_ns != b->held_ns)
		return a->held_ns > b->held_ns;
	return active_ns(a) > active_ns(b);
}

static void leave_out(struct last_moments *moments, const struct last_thread *entry)
{
	moments->others++;
	state_sums_add(&moments->other_states, &entry->states);
}

static void insert(struct last_moments *moments, const struct last_thread *entry)
{
	uint32_t place = moments->count;

	if (moments->count == LAST_THREADS_MAX) {
		if (!comes_before(entry, &moments->threads[--place])) {
			leave_out(moments, entry);
			return;
		}
		leave_out(moments, &moments->threads[place]);
	} else {
		moments->count++;
	}
	for (; place && comes_before(entry, &moments->threads[place - 1]); place--)
		moments->threads[place] = moments->threads[place - 1];
	moments->threads[place] = *entry;
}

/* The time that is covered, which is less than a second where the process was not observed for
 * longer. */
static void add_thread(struct last_moments *moments, const struct thread_fold *fold)
{
	const uint64_t whole = (uint64_t)LAST_PARTS << LAST_PART_SHIFT;
	struct last_thread entry = sum_up(fold, moments);
	uint64_t total = state_sums_total(&entry.states);

	if (!total)
		return;
	if (end_of(fold) - total < moments->start)
		moments->start = end_of(fold) - total;
	if (entry.loop || entry.held_ns || active_ns(&entry) > whole / 100)
		insert(moments, &entry);
	else
		leave_out(moments, &entry);
}

/* Returns how many there are, with room for what is found; or -ENOMEM. */
static int find_dead(struct report *report)
{
	int count = 0;

	for (uint32_t i = 0; i < report->process_count; i++) {
		struct process_report *process = &report->processes[i];

		if (!process->process->gone || !process->process->death.known ||
		    process->process->stands_for)
			continue;
		process->last = calloc(1, sizeof(*process->last));
		if (!process->last)
			return -ENOMEM;
		count++;
	}
	return count;
}

int last_report(struct report_builder *builder)
{
	struct report *report = &builder->report;
	int dead = find_dead(report);

	if (dead <= 0)
		return dead;
	for (const struct thread_fold *fold = builder->threads; fold; fold = fold->next) {
		struct last_moments *moments = moments_of(report, fold->report.thread);

		if (moments && counts(fold))
			moments->end = moments->start = later(moments->end, end_of(fold));
	}
	for (const struct thread_fold *fold = builder->threads; fold; fold = fold->next) {
		struct last_moments *moments = moments_of(report, fold->report.thread);

		if (moments && counts(fold) && moments->end)
			add_thread(moments, fold);
	}
	for (uint32_t i = 0; i < report->process_count; i++) {
		struct last_moments *moments = report->processes[i].last;

		for (uint32_t n = 0; moments && n < moments->count; n++)
			moments->threads[n].handler = handler_of(builder,
								 moments->threads[n].stack);
	}
	return 0;
}
