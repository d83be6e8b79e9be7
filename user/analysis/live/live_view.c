/* SPDX-License-Identifier: MIT */
/* Sums of the steps in the history window and in the last seconds, with what is in progress. */
#include "analysis/live/live_private.h"

#include <errno.h>
#include <stdlib.h>

/* What a table has gathered, as an array that is the caller's. */
static void *entries_of(struct table *table, uint32_t *ret_count)
{
	void *entries = table->entries;

	*ret_count = table->count;
	table->entries = NULL;
	table_done(table);
	return entries;
}

/* ── threads and GILs: the last seconds ──────────────────────────────────── */

static int by_appearance(const void *a, const void *b)
{
	const struct live_thread *x = a, *y = b;

	return (x->thread->index > y->thread->index) - (x->thread->index < y->thread->index);
}

static int by_index(const void *a, const void *b)
{
	const struct live_gil *x = a, *y = b;

	return (x->gil->index > y->gil->index) - (x->gil->index < y->gil->index);
}

static int add_thread(struct live *live, struct table *threads, const struct live_thread *delta)
{
	struct live_thread *latest, *entry;

	if (live_threads_get(&live->threads, &delta->thread, &latest) < 0 ||
	    live_threads_get(threads, &delta->thread, &entry) < 0)
		return -ENOMEM;
	entry->gil = latest->gil;
	entry->now = latest->now;
	entry->ts_now = latest->ts_now;
	entry->gone = latest->gone;
	state_sums_add(&entry->states, &delta->states);
	entry->held_ns += delta->held_ns;
	entry->waits += delta->waits;
	entry->forced_drops += delta->forced_drops;
	return 0;
}

static int add_gil(struct live *live, struct table *gils, const struct live_gil *delta)
{
	struct live_gil *latest, *entry;

	if (live_gils_get(&live->gils, &delta->gil, &latest) < 0 ||
	    live_gils_get(gils, &delta->gil, &entry) < 0)
		return -ENOMEM;
	entry->holder = latest->holder;
	entry->free = latest->free;
	entry->waiters = latest->waiters;
	entry->held_ns += delta->held_ns;
	entry->contended_ns += delta->contended_ns;
	entry->handoffs += delta->handoffs;
	entry->forced += delta->forced;
	return 0;
}

/* Of the whole window. A GIL that had nothing in the last seconds is there all the same. */
static int add_gil_while(struct table *gils, const struct live_gil *delta)
{
	struct live_gil *entry;

	if (live_gils_get(gils, &delta->gil, &entry) < 0)
		return -ENOMEM;
	entry->while_held_ns += delta->held_ns;
	if (delta->longest_wait_ns > entry->longest_wait_ns) {
		entry->longest_wait_ns = delta->longest_wait_ns;
		entry->longest_wait_cut = delta->longest_wait_cut;
	}
	return 0;
}

static int add_gil_waiting(const struct live *live, struct table *gils, uint64_t now)
{
	for (uint32_t i = 0; i < live->threads.count; i++) {
		const struct live_thread *thread = table_at(&live->threads, i);
		struct live_gil *entry;

		if (thread->now != TS_GIL_WAIT || thread->gone || !thread->gil)
			continue;
		if (live_gils_get(gils, &thread->gil, &entry) < 0)
			return -ENOMEM;
		if (now - thread->ts_now > entry->longest_wait_ns) {
			entry->longest_wait_ns = now - thread->ts_now;
			entry->longest_wait_cut = true;
		}
	}
	return 0;
}

static int add_moment(struct live *live, struct live_view *view)
{
	struct table threads = TABLE(struct live_thread, UINT32_MAX / 4),
		     gils = TABLE(struct live_gil, UINT32_MAX / 4);
	int err = 0;

	for (uint32_t n = 0; n < live->step_count && err == 0; n++) {
		const struct step *step = &live->steps[n];

		for (uint32_t i = 0; i < step->gil_count && err == 0; i++)
			err = add_gil_while(&gils, &step->gils[i]);
		if (step->end + LIVE_MOMENT_NS <= view->about.window.end)
			continue;
		view->moment_ns += step->end - step->start;
		for (uint32_t i = 0; i < step->thread_count && err == 0; i++)
			err = add_thread(live, &threads, &step->threads[i]);
		for (uint32_t i = 0; i < step->gil_count && err == 0; i++)
			err = add_gil(live, &gils, &step->gils[i]);
	}
	err = err ? err : add_gil_waiting(live, &gils, view->about.window.end);
	view->threads = entries_of(&threads, &view->thread_count);
	view->gils = entries_of(&gils, &view->gil_count);
	if (view->thread_count)
		qsort(view->threads, view->thread_count, sizeof(*view->threads), by_appearance);
	if (view->gil_count)
		qsort(view->gils, view->gil_count, sizeof(*view->gils), by_index);
	return err;
}

/* ── loops and handlers: the history window ──────────────────────────────── */

static int add_loop_step(struct live_loop *loop, uint32_t n, const struct loop_step *step)
{
	loop->longest_ns[n] = step->longest_ns;
	if (step->longest_ns > loop->turn.max_ns)
		loop->turn.max_ns = step->longest_ns;
	loop->stalls += step->stalls;
	loop->stall_ns += step->stall_ns;
	loop->unknown_ns += step->unknown_ns;
	loop->worst_ns = step->worst_ns > loop->worst_ns ? step->worst_ns : loop->worst_ns;
	state_sums_add(&loop->stalled, &step->stalled);
	return dist_add_growth(&loop->turn, &step->turn);
}

static int add_loop_steps(struct live *live, uint32_t n)
{
	int err = 0;

	for (uint32_t i = 0; i < live->steps[n].loop_count && err == 0; i++) {
		const struct loop_step *step = &live->steps[n].loops[i];
		struct loop_sums *sums;

		err = live_loops_get(&live->loops, &step->loop, &sums);
		if (sums && sums->shown)
			err = add_loop_step(sums->shown, n, step);
	}
	return err;
}

static void add_ongoing(struct live_loop *loop, const struct stall *stall)
{
	uint64_t dur = stall->end - stall->start;

	loop->ongoing = true;
	loop->stalls++;
	loop->stall_ns += dur;
	loop->worst_ns = dur > loop->worst_ns ? dur : loop->worst_ns;
	state_sums_add(&loop->stalled, &stall->what.states);
}

static int add_loops(struct live *live, struct live_view *view)
{
	int err = 0;

	view->loops = calloc(live->loops.count + 1, sizeof(*view->loops));
	if (!view->loops)
		return -ENOMEM;
	for (uint32_t i = 0; i < live->loops.count; i++) {
		struct loop_sums *sums = table_at(&live->loops, i);

		sums->shown = sums->present ? &view->loops[view->loop_count++] : NULL;
		if (sums->shown)
			sums->shown->loop = sums->loop;
	}
	for (uint32_t n = 0; n < live->step_count && err == 0; n++)
		err = add_loop_steps(live, n);
	for (uint32_t i = 0; i < live->loops.count; i++) {
		const struct loop_sums *sums = table_at(&live->loops, i);

		if (sums->shown && sums->ongoing)
			add_ongoing(sums->shown, &sums->ongoing->stall);
	}
	return err;
}

static bool has_time(const struct state_sums *sums)
{
	for (int i = 0; i < TS_COUNT; i++)
		if (sums->ns[i])
			return true;
	return false;
}

/* The entry of all others, when there are no others. */
static bool is_empty(const struct handler_entry *entry)
{
	const struct blame *blame = &entry->blame;

	return !entry->function && !has_time(&blame->loop) && !has_time(&blame->elsewhere) &&
	       !blame->made_loops_wait_ns && !blame->made_wait_ns && !blame->gc_ns &&
	       !blame->stalls && !blame->stall_ns && !blame->worst_ns && !blame->samples;
}

static int add_blame_step(struct table *table, const struct step *step)
{
	for (uint32_t i = 0; i < step->blame_count; i++) {
		const struct blame *from = &step->blame[i].blame;
		struct blame *entry;

		if (is_empty(&step->blame[i]))
			continue;
		entry = live_blame_of(table, &from->handler);
		if (!entry)
			return -ENOMEM;
		state_sums_add(&entry->loop, &from->loop);
		state_sums_add(&entry->elsewhere, &from->elsewhere);
		entry->made_loops_wait_ns += from->made_loops_wait_ns;
		entry->made_wait_ns += from->made_wait_ns;
		entry->gc_ns += from->gc_ns;
		entry->samples += from->samples;
		entry->stalls += from->stalls;
		entry->stall_ns += from->stall_ns;
		if (from->worst_ns > entry->worst_ns) {
			entry->worst_ns = from->worst_ns;
			entry->ts_worst = from->ts_worst;
		}
	}
	return 0;
}

/* At the line of its definition, as in a report: some of what is added up came with a stall, at the
 * line that ran. */
static void define(const struct live_view *view, struct handler *handler)
{
	const struct definition *function = view->about.names
						    ? dictionary_find(view->about.names,
								      DEFINE_FUNCTION,
								      handler->frame.function)
						    : NULL;

	handler->index = 0;
	handler->frame.line = function ? function->function.line : 0;
}

static int add_blame(const struct live *live, struct live_view *view)
{
	struct table table = TABLE(struct handler_entry, DEFINE_FUNCTIONS_MAX + 2);
	int err = 0;

	for (uint32_t n = 0; n < live->step_count && err == 0; n++)
		err = add_blame_step(&table, &live->steps[n]);
	for (uint32_t i = 0; i < live->loops.count && err == 0; i++) {
		const struct loop_sums *sums = table_at(&live->loops, i);

		if (sums->present && sums->ongoing)
			err = live_charge(&table, &sums->ongoing->stall);
	}
	view->blame = reallocarray(NULL, table.count + 1, sizeof(*view->blame));
	for (uint32_t i = 0; i < table.count && view->blame; i++) {
		struct blame *blame = &view->blame[view->blame_count];

		if (is_empty(table_at(&table, i)))
			continue;
		view->blame_count++;
		*blame = ((const struct handler_entry *)table_at(&table, i))->blame;
		define(view, &blame->handler);
		for (int s = 0; s < TS_COUNT; s++) {
			blame->loop.ns[s] = live_at_least_zero(blame->loop.ns[s]);
			blame->elsewhere.ns[s] = live_at_least_zero(blame->elsewhere.ns[s]);
		}
		blame->made_loops_wait_ns = live_at_least_zero(blame->made_loops_wait_ns);
		blame->made_wait_ns = live_at_least_zero(blame->made_wait_ns);
	}
	table_done(&table);
	if (!view->blame)
		return -ENOMEM;
	qsort(view->blame, view->blame_count, sizeof(*view->blame), blame_worst_first);
	return err;
}

/* ── stalls ──────────────────────────────────────────────────────────────── */

static void add_stall(struct live_view *view, struct live_stall *stall)
{
	view->stalls[view->stall_count++] = live_stall_get(stall);
}

static int earliest_first(const void *a, const void *b)
{
	const struct live_stall *x = *(struct live_stall *const *)a,
				*y = *(struct live_stall *const *)b;

	return (x->stall.start > y->stall.start) - (x->stall.start < y->stall.start);
}

static int add_stalls(const struct live *live, struct live_view *view)
{
	uint32_t counted = 0, ongoing;

	view->stalls = calloc(live->stall_count + live->loops.count + 1,
			      sizeof(struct live_stall *));
	if (!view->stalls)
		return -ENOMEM;
	for (uint32_t i = 0; i < live->loops.count; i++) {
		const struct loop_sums *sums = table_at(&live->loops, i);

		if (sums->present && sums->ongoing)
			add_stall(view, sums->ongoing);
	}
	ongoing = view->stall_count;
	if (ongoing)
		qsort(view->stalls, ongoing, sizeof(struct live_stall *), earliest_first);
	for (uint32_t i = live->stall_count; i-- > 0;)
		add_stall(view, live->stalls[i]);
	for (uint32_t n = 0; n < live->step_count; n++)
		for (uint32_t i = 0; i < live->steps[n].loop_count; i++)
			counted += live->steps[n].loops[i].stalls;
	view->stalls_left_out = counted - (view->stall_count - ongoing);
	return 0;
}

/* ── the view ────────────────────────────────────────────────────────────── */

static int add_about(const struct live *live, struct live_view *view)
{
	view->about = live->about;
	view->processes = reallocarray(NULL, live->process_count + 1, sizeof(*view->processes));
	if (!view->processes)
		return -ENOMEM;
	for (uint32_t i = 0; i < live->process_count; i++)
		view->processes[view->process_count++] = live->processes[i];
	for (uint32_t n = 0; n < live->step_count; n++) {
		view->step_ends[view->step_count++] = live->steps[n].end;
		view->while_ns += live->steps[n].end - live->steps[n].start;
		view->lost += live->steps[n].lost;
		view->unknown_ns += live->steps[n].unknown_ns;
		view->thread_ns += live->steps[n].thread_ns;
	}
	return 0;
}

int live_view_make(struct live *live, struct live_view *ret_view)
{
	struct live_view view = {0};
	int err = add_about(live, &view);

	err = err ? err : add_moment(live, &view);
	err = err ? err : add_loops(live, &view);
	err = err ? err : add_blame(live, &view);
	err = err ? err : add_stalls(live, &view);
	err = err ? err : live_view_growth(live, &view);
	if (err < 0)
		live_view_done(&view);
	else
		*ret_view = view;
	return err;
}

void live_view_done(struct live_view *view)
{
	for (uint32_t i = 0; i < view->stall_count; i++)
		live_stall_put(view->stalls[i]);
	for (uint32_t i = 0; i < view->loop_count; i++)
		dist_done(&view->loops[i].turn);
	live_pools_free(view->pools, view->pool_count);
	live_starved_free(view->starved, view->starved_count);
	free(view->waits);
	free(view->process_states);
	free(view->processes);
	free(view->threads);
	free(view->gils);
	free(view->loops);
	free(view->stalls);
	free(view->blame);
	*view = (struct live_view){0};
}
