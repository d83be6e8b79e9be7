/* SPDX-License-Identifier: MIT */
#include "analysis/dump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is followed of a thread. */
struct track {
	struct interval last; /* the latest; thread NULL: none so far */
	struct dump_since since, held;
	bool holds;
	bool runs;	 /* it executes code, since … */
	uint64_t ts_ran; /* … then; waiting for the GIL or a CPU in between does not count */
	struct stack_ref sample;
	uint64_t ts_sample; /* the thread was there then */
	bool stays;	    /* the sample was taken when it began to wait for the GIL or a CPU */
	struct state_sums states;
};

struct dump {
	const struct dictionary *names;
	struct handler_finder *finder;
	const struct attribution *attribution;
	struct track *tracks; /* by thread.index */
	uint32_t room;
	int error;
	struct dump_list list;
	bool taken;
};

struct dump *dump_new(const struct dictionary *names, struct handler_finder *finder)
{
	struct dump *dump = calloc(1, sizeof(*dump));

	if (dump) {
		dump->names = names;
		dump->finder = finder;
	}
	return dump;
}

void dump_free(struct dump *dump)
{
	if (!dump)
		return;
	free(dump->tracks);
	free(dump->list.threads);
	free(dump->list.gils);
	free(dump->list.entries);
	free(dump);
}

/* ── following the threads ───────────────────────────────────────────────── */

/* NULL when memory is short. */
static struct track *track_of(struct dump *dump, const struct thread *thread)
{
	uint32_t room = dump->room ? dump->room : 16;
	struct track *grown;

	if (thread->index < dump->room)
		return &dump->tracks[thread->index];
	while (room <= thread->index)
		room *= 2;
	grown = reallocarray(dump->tracks, room, sizeof(*grown));
	if (!grown) {
		dump->error = -ENOMEM;
		return NULL;
	}
	memset(grown + dump->room, 0, (room - dump->room) * sizeof(*grown));
	dump->tracks = grown;
	dump->room = room;
	return &grown[thread->index];
}

/* What a thread does is known from here on. Has it perhaps done so before? */
static bool is_first_known(const struct track *track)
{
	return !track->last.thread || track->last.state == TS_UNKNOWN;
}

static void follow_hold(struct track *track, const struct interval *i)
{
	if (!interval_holds(i)) {
		track->holds = false;
		return;
	}
	if (!track->holds)
		track->held = (struct dump_since){i->start, is_first_known(track)};
	track->holds = true;
}

/* While it waits for the GIL or a CPU, a thread is still where it was when that began. */
static void follow_run(struct track *track, const struct interval *i)
{
	bool waits = i->state == TS_GIL_WAIT || i->state == TS_RUNNABLE ||
		     i->state == TS_HELD_RUNNABLE;

	if (waits && track->stays)
		track->ts_sample = i->end;
	if (thread_state_runs(i->state) && !track->runs)
		track->ts_ran = i->start;
	if (!waits)
		track->runs = thread_state_runs(i->state);
}

static void on_interval(void *ctx, const struct interval *i)
{
	struct track *track = track_of(ctx, i->thread);

	if (!track)
		return;
	track->states.ns[i->state] += i->end - i->start;
	/* between two sleeps, say, it has run */
	if (!track->last.thread || track->last.state != i->state)
		track->since = (struct dump_since){i->start, is_first_known(track)};
	follow_hold(track, i);
	follow_run(track, i);
	track->last = *i;
}

static void on_sample(void *ctx, const struct sample *sample)
{
	const unsigned int stays = EVF_STACK_PREEMPT | EVF_STACK_WAIT;
	struct track *track = track_of(ctx, sample->thread);

	if (!track || !sample->stack)
		return;
	track->sample = (struct stack_ref){
		.stack = sample->stack, .task = sample->task, .root = sample->root};
	track->ts_sample = sample->ts;
	track->stays = sample->flags & stays;
}

static void on_forget(void *ctx, const struct world *world)
{
	struct dump *dump = ctx;

	(void)world;
	for (uint32_t i = 0; i < dump->room; i++) {
		struct interval *last = &dump->tracks[i].last;

		if (!last->thread || last->thread->leaves)
			dump->tracks[i] = (struct track){0};
		else if (last->gil && last->gil->leaves)
			last->gil = NULL;
	}
}

struct stretch_sink dump_sink(struct dump *dump, const struct attribution *attribution)
{
	dump->attribution = attribution;
	return (struct stretch_sink){.model = {.interval = on_interval,
					       .sample = on_sample,
					       .forget = on_forget,
					       .ctx = dump}};
}

/* ── the list ────────────────────────────────────────────────────────────── */

static void fill_stack(const struct dump *dump, const struct track *track,
		       struct dump_thread *entry)
{
	if (!thread_state_runs(entry->state))
		entry->ref = attribution_still(dump->attribution, entry->thread);
	if (entry->ref.stack) {
		entry->how = DUMP_STACK_EXACT;
		entry->ts_stack = dump->list.ts;
	} else if (track->runs && track->sample.stack && track->ts_sample >= track->ts_ran) {
		entry->ref = track->sample;
		entry->how = DUMP_STACK_SAMPLED;
		entry->ts_stack = track->ts_sample;
	}
	if (dump->finder)
		entry->handler = handler_find(dump->finder, dump->names, entry->ref.stack);
}

static void fill_loop(struct dump_thread *entry)
{
	const struct loop *loop = entry->thread->loop;

	entry->loop = loop;
	if (!loop)
		return;
	if (loop->in_turn && !loop->possible) {
		entry->place = DUMP_LOOP_IN_TURN;
		entry->turn = (struct dump_since){loop->ts_turn, loop->earlier};
	} else {
		entry->place = entry->state == TS_IDLE ? DUMP_LOOP_IDLE : DUMP_LOOP_UNKNOWN;
	}
}

/* A thread that sleeps on a futex has a lock; one that waits for the GIL may have had one before.
 */
static void fill_waits_for(struct dump_thread *entry, uint64_t ts)
{
	if (entry->state == TS_GIL_WAIT && entry->gil)
		entry->waits_for = entry->gil->holder;
	if (!thread_state_sleeps(entry->state))
		return;
	entry->lock = entry->thread->lock;
	entry->waits_for = entry->lock.owner;
	entry->had_ns = lock_had_ns(entry->thread, ts);
}

static void fill_thread(struct dump *dump, const struct thread *thread, struct dump_thread *entry)
{
	const struct track *track = track_of(dump, thread);

	*entry = (struct dump_thread){.thread = thread, .state = TS_UNKNOWN, .sysno = SYSNO_NONE};
	if (!track || !track->last.thread)
		return;
	entry->state = track->last.state;
	entry->sysno = track->last.sysno;
	entry->file = track->last.file;
	entry->gil = track->last.gil;
	entry->gc = track->last.gc;
	entry->off = track->last.still;
	entry->since = track->since;
	entry->holds = entry->gil && entry->gil->holder == thread;
	entry->held = track->held;
	entry->states = track->states;
	fill_waits_for(entry, dump->list.ts);
	fill_stack(dump, track, entry);
	fill_loop(entry);
}

static int rank(const struct dump_thread *entry)
{
	if (!entry->thread->python && !entry->loop)
		return 9;
	if (entry->holds)
		return 0;
	if (entry->loop)
		return 1;
	switch (entry->state) {
	case TS_GIL_WAIT:
		return 2;
	case TS_PYTHON:
	case TS_HELD_BLOCKED:
	case TS_HELD_RUNNABLE:
		return 3;
	case TS_NATIVE:
	case TS_RUNNABLE:
		return 4;
	case TS_BLOCKED:
	case TS_IDLE:
	default:
		return 5;
	}
}

static int in_order(const void *a, const void *b)
{
	const struct dump_thread *x = a, *y = b;
	int by_rank = rank(x) - rank(y);

	if (x->thread->process != y->thread->process)
		return x->thread->process->index < y->thread->process->index ? -1 : 1;
	if (by_rank)
		return by_rank;
	if (x->state == TS_GIL_WAIT && y->state == TS_GIL_WAIT && x->since.ts != y->since.ts)
		return x->since.ts < y->since.ts ? -1 : 1;
	return (x->thread->tid > y->thread->tid) - (x->thread->tid < y->thread->tid);
}

static void take_threads(struct dump *dump, const struct world *world)
{
	struct dump_list *list = &dump->list;
	struct thread *thread;
	uint32_t position = 0;

	while ((thread = world_next_thread(world, &position)))
		if (!thread->gone)
			fill_thread(dump, thread, &list->threads[list->thread_count++]);
	qsort(list->threads, list->thread_count, sizeof(*list->threads), in_order);
	for (uint32_t i = 0; i < list->thread_count; i++)
		list->entries[list->threads[i].thread->index] = i + 1;
}

static void take_gils(struct dump_list *list, const struct world *world)
{
	uint32_t position = 0;
	struct gil *gil;

	while ((gil = world_next_gil(world, &position)))
		if (!gil->process->gone)
			list->gils[list->gil_count++] = (struct dump_gil){.gil = gil,
									  .holder = gil->holder,
									  .free = gil->free,
									  .waiters = gil->waiters};
}

int dump_take(struct dump *dump, struct world *world, uint64_t ts)
{
	struct dump_list *list = &dump->list;
	uint32_t threads = 0, gils = 0, position;

	world_cut(world, ts);
	for (position = 0; world_next_thread(world, &position);)
		threads++;
	for (position = 0; world_next_gil(world, &position);)
		gils++;
	free(list->threads);
	free(list->gils);
	free(list->entries);
	*list = (struct dump_list){.ts = ts,
				   .threads = calloc(threads + 1, sizeof(*list->threads)),
				   .gils = calloc(gils + 1, sizeof(*list->gils)),
				   .entries = calloc(threads + 1, sizeof(*list->entries))};
	if (dump->error || !list->threads || !list->gils || !list->entries)
		return -ENOMEM;
	take_threads(dump, world);
	take_gils(list, world);
	dump->taken = true;
	return dump->error;
}

const struct dump_list *dump_list(const struct dump *dump)
{
	return dump->taken ? &dump->list : NULL;
}

bool dump_is_complete(const struct dump_list *list, bool stacks)
{
	for (uint32_t i = 0; i < list->thread_count; i++) {
		const struct dump_thread *entry = &list->threads[i];

		if (!entry->thread->python)
			continue;
		if (entry->state == TS_UNKNOWN)
			return false;
		if (stacks && !thread_state_sleeps(entry->state) && !entry->ref.stack)
			return false;
		if (entry->state == TS_GIL_WAIT && !entry->waits_for && !entry->gil->free)
			return false;
	}
	return true;
}

const struct dump_thread *dump_find(const struct dump_list *list, const struct thread *thread)
{
	uint32_t entry = thread ? list->entries[thread->index] : 0;

	return entry ? &list->threads[entry - 1] : NULL;
}

uint32_t dump_deadlock(const struct dump_list *list, const struct dump_thread *entry)
{
	const struct dump_thread *at = entry;

	for (uint32_t length = 1; length <= DUMP_CIRCLE_MAX; length++) {
		at = at->had_ns ? NULL : dump_find(list, at->waits_for);
		if (at == entry)
			return length;
		if (!at || at < entry)
			return 0;
	}
	return 0; /* it waits for a circle that it is not part of, say */
}
