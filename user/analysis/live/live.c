/* SPDX-License-Identifier: MIT */
#include "analysis/live/live_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/cleanup.h"

#define OBJECTS_MAX (1u << 20)

struct live *live_new(void)
{
	struct live *live = calloc(1, sizeof(*live));

	if (!live)
		return NULL;
	live->threads = TABLE(struct live_thread, OBJECTS_MAX);
	live->gils = TABLE(struct live_gil, OBJECTS_MAX);
	live->loops = TABLE(struct loop_sums, OBJECTS_MAX);
	live->blame = TABLE(struct handler_entry, DEFINE_FUNCTIONS_MAX + 1);
	live->process_sums = TABLE(struct process_sums, OBJECTS_MAX);
	live->step_blame = TABLE(struct handler_entry, LIVE_HANDLERS_MAX + 1);
	return live;
}

struct live_stall *live_stall_get(struct live_stall *stall)
{
	stall->users++;
	return stall;
}

void live_stall_put(struct live_stall *stall)
{
	if (!stall || --stall->users)
		return;
	DL_DELETE(*stall->all, stall);
	stall_done(&stall->stall);
	free(stall);
}

static void step_forget_moment(struct step *step)
{
	free(step->threads);
	step->threads = NULL;
	step->thread_count = 0;
}

static void step_done(struct step *step)
{
	step_forget_moment(step);
	for (uint32_t i = 0; i < step->loop_count; i++)
		dist_growth_done(&step->loops[i].turn);
	free(step->gils);
	free(step->loops);
	free(step->blame);
	live_step_growth_done(step);
	*step = (struct step){0};
}

void live_free(struct live *live)
{
	if (!live)
		return;
	for (uint32_t i = 0; i < live->step_count; i++)
		step_done(&live->steps[i]);
	for (uint32_t i = 0; i < live->stall_count; i++)
		live_stall_put(live->stalls[i]);
	for (uint32_t i = 0; i < live->loops.count; i++) {
		struct loop_sums *loop = table_at(&live->loops, i);

		dist_done(&loop->turn);
		live_stall_put(loop->ongoing);
	}
	table_done(&live->threads);
	table_done(&live->gils);
	table_done(&live->loops);
	table_done(&live->blame);
	table_done(&live->step_blame);
	table_done(&live->process_sums);
	live_starved_free(live->waiting, live->waiting_count);
	free(live->processes);
	free(live);
}

/* ── threads and GILs ────────────────────────────────────────────────────── */

/* Deltas use unsigned wrap-around: a negative delta in one step cancels the positive one in the
 * step that first counted the time. */
static bool sums_since(struct state_sums *sums, const struct state_sums *before)
{
	bool any = false;

	for (int i = 0; i < TS_COUNT; i++) {
		sums->ns[i] -= before->ns[i];
		any |= sums->ns[i] != 0;
	}
	return any;
}

static int step_thread(struct live *live, struct step *step, const struct thread_report *report)
{
	struct live_thread sums = {.thread = report->thread,
				   .gil = report->thread->gil,
				   .states = report->states,
				   .held_ns = report->held_ns,
				   .waits = report->waits,
				   .forced_drops = report->forced_drops,
				   .now = report->thread->state,
				   .ts_now = report->thread->ts_state,
				   .gone = report->thread->gone};
	struct live_thread *before, delta = sums;
	int err = live_threads_get(&live->threads, &sums.thread, &before);

	if (err < 0)
		return err;
	delta.held_ns -= before->held_ns;
	delta.waits -= before->waits;
	delta.forced_drops -= before->forced_drops;
	if (sums_since(&delta.states, &before->states))
		step->threads[step->thread_count++] = delta;
	*before = sums;
	return 0;
}

static int step_gil(struct live *live, struct step *step, const struct gil_report *report)
{
	const struct gil *gil = report->gil;
	struct live_gil sums = {.gil = gil,
				.held_ns = report->held_ns,
				.contended_ns = report->contended_ns,
				.handoffs = report->handoffs,
				.forced = report->forced,
				.longest_wait_ns = report->longest_wait_ns,
				.longest_wait_cut = report->longest_wait_cut,
				.holder = gil->holder,
				.free = gil->free,
				.waiters = gil->waiters};
	struct live_gil *before, delta = sums;
	int err = live_gils_get(&live->gils, &sums.gil, &before);

	if (err < 0)
		return err;
	delta.held_ns -= before->held_ns;
	delta.contended_ns -= before->contended_ns;
	delta.handoffs -= before->handoffs;
	delta.forced -= before->forced;
	step->gils[step->gil_count++] = delta;
	*before = sums;
	return 0;
}

/* ── loops and their stalls ──────────────────────────────────────────────── */

void *live_duplicate(const void *list, uint32_t count, size_t size)
{
	void *copy = count ? reallocarray(NULL, count, size) : NULL;

	if (copy)
		memcpy(copy, list, count * size);
	return copy;
}

static int stall_copy(struct live *live, const struct stall *from, const struct loop *loop,
		      uint64_t ts_step, struct live_stall **ret_copy)
{
	struct live_stall *copy = calloc(1, sizeof(*copy));
	bool ok;

	if (!copy)
		return -ENOMEM;
	*copy = (struct live_stall){
		.loop = loop, .stall = *from, .ts_step = ts_step, .users = 1, .all = &live->all};
	DL_APPEND(live->all, copy);
	copy->ongoing = (struct ongoing){.state = from->cause, .sysno = SYSNO_UNKNOWN};
	copy->stall.parts = live_duplicate(from->parts, from->part_count, sizeof(*from->parts));
	copy->stall.chain = live_duplicate(from->chain, from->chain_count, sizeof(*from->chain));
	ok = (copy->stall.parts || !from->part_count) && (copy->stall.chain || !from->chain_count);
	if (breakdown_copy(&from->what, &copy->stall.what) < 0) {
		copy->stall.what = (struct breakdown){0};
		ok = false;
	}
	if (!ok) {
		live_stall_put(copy);
		return -ENOMEM;
	}
	*ret_copy = copy;
	return 0;
}

int live_ongoing(void *ctx, const struct ongoing *ongoing)
{
	struct live *live = ctx;
	struct loop_sums *loop;
	int err = live_loops_get(&live->loops, &ongoing->loop, &loop);

	if (err < 0)
		return err;
	if (!loop->ongoing || loop->ongoing->stall.start != ongoing->stall.start)
		return 0;
	loop->ongoing->ongoing = *ongoing;
	loop->ongoing->ongoing.report = NULL;
	loop->ongoing->ongoing.loop = NULL;
	loop->ongoing->ongoing.stall = (struct stall){0};
	return 0;
}

/* The oldest makes room. */
static void keep(struct live *live, struct live_stall *stall)
{
	if (live->stall_count == LIVE_STALLS_MAX) {
		live_stall_put(live->stalls[0]);
		memmove(live->stalls, live->stalls + 1,
			(LIVE_STALLS_MAX - 1) * sizeof(struct live_stall *));
		live->stall_count--;
	}
	live->stalls[live->stall_count++] = stall;
}

struct blame *live_blame_of(struct table *blame, const struct handler *handler)
{
	const uint32_t others = 0;
	struct handler_entry *entry;
	/* first, so that there is room for it when it is needed */
	int err = handlers_get(blame, &others, &entry);

	if (err == 0)
		err = handlers_get(blame, &handler->frame.function, &entry);
	if (err == -ENOSPC)
		err = handlers_get(blame, &others, &entry);
	if (err < 0)
		return NULL;
	if (entry->function)
		entry->blame.handler = *handler;
	return &entry->blame;
}

int live_charge(struct table *blame, const struct stall *stall)
{
	uint64_t dur = stall->end - stall->start;
	struct blame *entry;

	if (!stall->culprit.role)
		return 0;
	entry = live_blame_of(blame, &stall->culprit);
	if (!entry)
		return -ENOMEM;
	entry->stalls++;
	entry->stall_ns += dur;
	if (dur > entry->worst_ns) {
		entry->worst_ns = dur;
		entry->ts_worst = stall->start;
	}
	return 0;
}

static int step_stall(struct live *live, struct step *step, struct loop_step *loop,
		      const struct stall *stall)
{
	uint64_t dur = stall->end - stall->start;
	struct live_stall *copy;
	int err = stall_copy(live, stall, loop->loop, step->end, &copy);

	if (err < 0)
		return err;
	keep(live, copy);
	loop->stalls++;
	loop->stall_ns += dur;
	loop->worst_ns = dur > loop->worst_ns ? dur : loop->worst_ns;
	state_sums_add(&loop->stalled, &stall->what.states);
	return live_charge(&live->step_blame, stall);
}

/* The stalls that ended since the last step, and the one in progress. (One that was cut by the end
 * of the window stays in progress.) */
static int step_stalls(struct live *live, struct step *step, struct loop_sums *sums,
		       struct loop_step *loop, const struct loop_report *report)
{
	uint64_t ts_last = sums->ts_stalls;
	uint32_t first = report->stall_count;
	int err = 0;

	live_stall_put(sums->ongoing);
	sums->ongoing = NULL;
	while (first && report->stalls[first - 1].end > ts_last)
		first--;
	for (uint32_t i = first; i < report->stall_count && err == 0; i++) {
		const struct stall *stall = &report->stalls[i];

		if (stall->ongoing) {
			live_stall_put(STEAL(sums->ongoing, NULL));
			err = stall_copy(live, stall, loop->loop, step->end, &sums->ongoing);
			continue;
		}
		err = step_stall(live, step, loop, stall);
		sums->ts_stalls = stall->end;
	}
	return err;
}

static int step_loop(struct live *live, struct step *step, const struct loop_report *report)
{
	struct loop_step *loop = &step->loops[step->loop_count];
	struct loop_sums *sums;
	int err = live_loops_get(&live->loops, &report->loop, &sums);

	if (err < 0)
		return err;
	sums->present = true;
	*loop = (struct loop_step){.loop = report->loop,
				   .longest_ns = report->recent_ns,
				   .unknown_ns = report->unknown_ns - sums->unknown_ns};
	sums->unknown_ns = report->unknown_ns;
	err = dist_grown(&sums->turn, &report->turn, &loop->turn);
	if (err < 0)
		return err;
	step->loop_count++;
	return step_stalls(live, step, sums, loop, report);
}

/* ── handlers ────────────────────────────────────────────────────────────── */

static bool blame_since(struct blame *blame, const struct blame *before)
{
	bool any = sums_since(&blame->loop, &before->loop);

	any |= sums_since(&blame->elsewhere, &before->elsewhere);
	blame->made_loops_wait_ns -= before->made_loops_wait_ns;
	blame->made_wait_ns -= before->made_wait_ns;
	blame->gc_ns -= before->gc_ns;
	blame->samples -= before->samples;
	return any || blame->made_loops_wait_ns || blame->made_wait_ns || blame->gc_ns ||
	       blame->samples;
}

/* Stalls are charged one by one: a report's own count can move a stall in progress from one culprit
 * to another. */
static int step_handler(struct live *live, const struct blame *report)
{
	struct handler_entry *before;
	struct blame delta = *report, *entry;
	int err = handlers_get(&live->blame, &report->handler.frame.function, &before);

	if (err < 0)
		return err;
	if (blame_since(&delta, &before->blame)) {
		entry = live_blame_of(&live->step_blame, &report->handler);
		if (!entry)
			return -ENOMEM;
		state_sums_add(&entry->loop, &delta.loop);
		state_sums_add(&entry->elsewhere, &delta.elsewhere);
		entry->made_loops_wait_ns += delta.made_loops_wait_ns;
		entry->made_wait_ns += delta.made_wait_ns;
		entry->gc_ns += delta.gc_ns;
		entry->samples += delta.samples;
	}
	before->blame = *report;
	return 0;
}

static int step_blame(struct live *live, struct step *step, const struct report *report)
{
	int err = 0;

	for (uint32_t i = 0; i < report->blame_count && err == 0; i++)
		err = step_handler(live, &report->blame[i]);
	if (err == 0 && live->step_blame.count) {
		step->blame = reallocarray(NULL, live->step_blame.count, sizeof(*step->blame));
		err = step->blame ? 0 : -ENOMEM;
	}
	if (step->blame) {
		step->blame_count = live->step_blame.count;
		memcpy(step->blame, live->step_blame.entries,
		       step->blame_count * sizeof(*step->blame));
	}
	return err;
}

/* ── steps ───────────────────────────────────────────────────────────────── */

/* Drops the steps that are older than the window, with their stalls. */
static void forget(struct live *live, uint64_t now)
{
	uint32_t gone = 0, stalls = 0;

	while (gone < live->step_count && (live->step_count - gone == LIVE_STEPS ||
					   live->steps[gone].end + LIVE_WHILE_NS <= now))
		step_done(&live->steps[gone++]);
	live->step_count -= gone;
	memmove(live->steps, live->steps + gone, live->step_count * sizeof(*live->steps));
	for (uint32_t i = 0; i < live->step_count && live->steps[i].end + LIVE_MOMENT_NS <= now;
	     i++)
		step_forget_moment(&live->steps[i]);
	while (stalls < live->stall_count &&
	       (!live->step_count || live->stalls[stalls]->ts_step < live->steps[0].end))
		live_stall_put(live->stalls[stalls++]);
	live->stall_count -= stalls;
	memmove(live->stalls, live->stalls + stalls,
		live->stall_count * sizeof(struct live_stall *));
}

static int take_about(struct live *live, const struct report *report)
{
	const struct process **processes = reallocarray(NULL, report->process_count + 1,
							sizeof(*processes));

	if (!processes)
		return -ENOMEM;
	for (uint32_t i = 0; i < report->process_count; i++)
		processes[i] = report->processes[i].process;
	free(live->processes);
	live->processes = processes;
	live->process_count = report->process_count;
	live->about = *report;
	live->about.processes = NULL;
	live->about.blame = NULL;
	live->about.flames = NULL;
	live->about.wait_flames = NULL;
	live->about.pools = NULL;
	live->about.process_count = live->about.blame_count = live->about.flame_count =
		live->about.wait_flame_count = live->about.pool_count = 0;
	return 0;
}

static int step_allocate(struct step *step, const struct report *report)
{
	uint32_t threads = 0, gils = 0, loops = 0;

	for (uint32_t i = 0; i < report->process_count; i++) {
		threads += report->processes[i].thread_count;
		gils += report->processes[i].gil_count;
		loops += report->processes[i].loop_count;
	}
	step->threads = reallocarray(NULL, threads + 1, sizeof(*step->threads));
	step->gils = reallocarray(NULL, gils + 1, sizeof(*step->gils));
	step->loops = reallocarray(NULL, loops + 1, sizeof(*step->loops));
	return step->threads && step->gils && step->loops ? 0 : -ENOMEM;
}

static int step_fill(struct live *live, struct step *step, const struct report *report)
{
	int err = step_allocate(step, report);

	for (uint32_t i = 0; i < live->loops.count; i++)
		((struct loop_sums *)table_at(&live->loops, i))->present = false;
	for (uint32_t p = 0; p < report->process_count && err == 0; p++) {
		const struct process_report *process = &report->processes[p];

		for (uint32_t i = 0; i < process->thread_count && err == 0; i++)
			err = step_thread(live, step, &process->threads[i]);
		for (uint32_t i = 0; i < process->gil_count && err == 0; i++)
			err = step_gil(live, step, &process->gils[i]);
		for (uint32_t i = 0; i < process->loop_count && err == 0; i++)
			err = step_loop(live, step, &process->loops[i]);
	}
	if (err == 0)
		err = step_blame(live, step, report);
	if (err == 0)
		err = live_step_growth(live, step, report);
	table_reset(&live->step_blame);
	return err;
}

int live_update(struct live *live, const struct report *report)
{
	struct step *step;
	int err;

	if (live->error)
		return live->error;
	forget(live, report->window.end);
	step = &live->steps[live->step_count++];
	*step = (struct step){.start = live->about.window.end ? live->about.window.end
							      : report->window.start,
			      .end = report->window.end,
			      .lost = report->window.lost - live->about.window.lost,
			      .unknown_ns = report->unknown_ns - live->about.unknown_ns,
			      .thread_ns = report->thread_ns - live->about.thread_ns};
	err = step_fill(live, step, report);
	return err < 0 ? err : take_about(live, report);
}
