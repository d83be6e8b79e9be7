/* SPDX-License-Identifier: MIT */
#include "analysis/attribution.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/refers/attribution_state.h"

#define CLOCK_PERIODS_VALID 4

static const struct stack_ref NOT_KNOWN = {0};

/* ── threads ─────────────────────────────────────────────────────────────── */

static int attribution_reserve(struct attribution *a, uint32_t index)
{
	uint32_t room = a->room ? a->room : 16;
	struct thread_attribution **grown;

	while (room <= index)
		room *= 2;
	grown = reallocarray(a->threads, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	memset(grown + a->room, 0, (room - a->room) * sizeof(*grown));
	a->threads = grown;
	a->room = room;
	return 0;
}

static const struct thread_attribution *find(const struct attribution *a,
					     const struct thread *thread)
{
	return thread->index < a->room ? a->threads[thread->index] : NULL;
}

static struct thread_attribution *create(struct attribution *a, struct thread *thread)
{
	struct thread_attribution *made = calloc(1, sizeof(*made));

	if (!made || (thread->index >= a->room && attribution_reserve(a, thread->index) < 0)) {
		free(made);
		a->error = -ENOMEM;
		return NULL;
	}
	made->thread = thread;
	return a->threads[thread->index] = made;
}

/* Made when first needed; NULL when memory is short. */
static inline struct thread_attribution *get(struct attribution *a, struct thread *thread)
{
	if (thread->index < a->room && a->threads[thread->index])
		return a->threads[thread->index];
	return create(a, thread);
}

/* ── stretches ───────────────────────────────────────────────────────────── */

static inline bool is_wanted(const struct attribution *a, enum attribution_policy policy)
{
	return a->policies & ATTRIBUTION_BIT(policy);
}

static inline void stretch_emit(const struct attribution *a, const struct stretch *stretch)
{
	for (const struct stretch_sink *sink = a->sinks; sink < a->sinks_end; sink++)
		if (sink->policies & ATTRIBUTION_BIT(stretch->policy))
			sink->stretch(sink->ctx, stretch);
}

static void emit_interval(const struct attribution *a, enum attribution_policy policy,
			  const struct interval *i, const struct stack_ref *ref)
{
	uint64_t ns = i->end - i->start;
	const struct stretch_part part = {
		.state = i->state,
		.in_turn = i->in_turn,
		.ns = ns,
		.gc_ns = gc_share(i->thread->process, i->gc, ref, i->state, ns)};

	stretch_emit(a, &(struct stretch){.policy = policy,
					  .thread = i->thread,
					  .start = i->start,
					  .end = i->end,
					  .ref = ref,
					  .parts = &part,
					  .part_count = 1,
					  .interval = i});
}

static bool is_empty(const struct cpu_time *time)
{
	return time->start == time->end;
}

static inline unsigned int part_number(const struct interval *i)
{
	return (i->state == TS_NATIVE ? 2 : 0) + i->in_turn;
}

static inline void add_interval(struct cpu_time *time, const struct interval *i)
{
	uint64_t ns = i->end - i->start;
	unsigned int part = part_number(i);

	if (is_empty(time))
		time->start = i->start;
	time->end = i->end;
	time->part[part].ns += ns;
	if (i->gc)
		time->part[part].gc_ns += ns;
}

static uint64_t time_ns(const struct cpu_time *time)
{
	return time->part[0].ns + time->part[1].ns + time->part[2].ns + time->part[3].ns;
}

/* Whose the pending time is under a bounded policy, if the sample that stands for it is `ref`. */
static struct stack_ref bounded(const struct attribution *a, const struct cpu_time *time,
				const struct stack_ref *ref)
{
	return time_ns(time) <= a->valid_ns ? *ref : NOT_KNOWN;
}

/* The same at the end of what the policy looks at: the last sample stands for the rest. */
static struct stack_ref bounded_last(const struct attribution *a, const struct cpu_time *time,
				     const struct pending *pending)
{
	return pending->sampled ? bounded(a, time, &pending->last) : NOT_KNOWN;
}

/* The time as a stretch that is at `ref`. `now` is the part that the sample itself counts
 * in; NULL: it does not count. */
static struct stretch time_stretch(const struct cpu_time *time, struct thread *thread,
				   const struct stack_ref *ref, enum attribution_policy policy,
				   const struct stretch_part *now,
				   struct stretch_part parts[STRETCH_PARTS_MAX])
{
	struct stretch stretch = {.policy = policy,
				  .thread = thread,
				  .start = time->start,
				  .end = time->end,
				  .ref = ref,
				  .parts = parts};

	for (int n = 0; n < STRETCH_PARTS_MAX; n++) {
		struct stretch_part part = {.state = n / 2 ? TS_NATIVE : TS_PYTHON,
					    .in_turn = n % 2,
					    .ns = time->part[n].ns,
					    .gc_ns = time->part[n].gc_ns};

		part.samples = now && now->state == part.state && now->in_turn == part.in_turn;
		if (!part.ns && !part.samples)
			continue;
		if (!part.gc_ns)
			part.gc_ns = gc_share(thread->process, false, ref, part.state, part.ns);
		parts[stretch.part_count++] = part;
	}
	return stretch;
}

static void settle(const struct attribution *a, struct pending *pending, struct thread *thread,
		   const struct stack_ref *ref, enum attribution_policy policy,
		   const struct stretch_part *now)
{
	struct stretch_part parts[STRETCH_PARTS_MAX];
	struct stretch stretch = time_stretch(&pending->time, thread, ref, policy, now, parts);

	stretch_emit(a, &stretch);
	pending->time = (struct cpu_time){0};
}

/* ── the policies ────────────────────────────────────────────────────────── */

/* Of the bounded policies, for which a sample of any kind counts. */
static void bounded_sample(const struct attribution *a, struct pending *pending,
			   struct thread *thread, const struct stack_ref *ref,
			   enum attribution_policy policy)
{
	struct stack_ref whose;

	if (!is_empty(&pending->time)) {
		whose = bounded(a, &pending->time, ref);
		settle(a, pending, thread, &whose, policy, NULL);
	}
	pending->last = *ref;
	pending->sampled = true;
}

/* The thread leaves the CPU, or the recording ends. */
static void lane_end(const struct attribution *a, struct thread_attribution *thread)
{
	struct pending *lane = &thread->lane;
	struct stack_ref whose;

	if (!is_empty(&lane->time)) {
		whose = bounded_last(a, &lane->time, lane);
		settle(a, lane, thread->thread, &whose, ATTRIBUTION_LANE, NULL);
	}
	lane->sampled = false;
}

/* Also with no time to stand for: where the samples were taken counts, too. */
static void clock_sample(const struct attribution *a, struct pending *clock, struct thread *thread,
			 const struct stack_ref *ref, uint64_t ts)
{
	const struct stretch_part now = {.state = thread->state,
					 .in_turn = thread->loop && thread->loop->in_turn};

	if (is_empty(&clock->time))
		clock->time.start = ts;
	clock->time.end = ts;
	settle(a, clock, thread, ref, ATTRIBUTION_CLOCK, &now);
}

static void hold_remember(struct attribution *a, struct thread_attribution *holder,
			  const struct interval *i)
{
	struct interval *last = holder->early_count ? &holder->early[holder->early_count - 1]
						    : NULL;

	if (last && last->end == i->start && last->state == i->state && last->gc == i->gc)
		last->end = i->end;
	else if (!holder->early &&
		 !(holder->early = calloc(ATTRIBUTION_EARLY_MAX, sizeof(*holder->early))))
		a->error = -ENOMEM;
	else if (holder->early_count < ATTRIBUTION_EARLY_MAX)
		holder->early[holder->early_count++] = *i;
}

static void hold_interval(struct attribution *a, struct thread_attribution *holder,
			  const struct interval *i)
{
	bool stopped = sysno_is_stop(i->sysno); /* then it is nothing that its code does */

	emit_interval(a, ATTRIBUTION_HOLD, i,
		      holder->hold_sampled && !stopped ? &holder->hold : &NOT_KNOWN);
	if (!holder->hold_sampled && !stopped && is_wanted(a, ATTRIBUTION_HOLD_EARLIER))
		hold_remember(a, holder, i);
}

static void hold_sample(const struct attribution *a, struct thread_attribution *holder,
			const struct stack_ref *ref)
{
	for (uint32_t n = 0; n < holder->early_count; n++)
		emit_interval(a, ATTRIBUTION_HOLD_EARLIER, &holder->early[n], ref);
	holder->early_count = 0;
	holder->hold_sampled = true;
	holder->hold = *ref;
}

/* ── from the model ──────────────────────────────────────────────────────── */

#define PASS(a, callback, ...)                                                                     \
	do {                                                                                       \
		for (const struct stretch_sink *sink_ = (a)->sinks; sink_ < (a)->sinks_end;        \
		     sink_++)                                                                      \
			if (sink_->model.callback)                                                 \
				sink_->model.callback(sink_->model.ctx, __VA_ARGS__);              \
	} while (0)

static void still_interval(const struct attribution *a, struct thread_attribution *thread,
			   const struct interval *i)
{
	if (is_wanted(a, ATTRIBUTION_LANE))
		lane_end(a, thread);
	if (i->state == TS_UNKNOWN && !i->still)
		thread->still = NOT_KNOWN;
	if (is_wanted(a, ATTRIBUTION_STILL))
		emit_interval(a, ATTRIBUTION_STILL, i,
			      sysno_is_stop(i->sysno) ? &NOT_KNOWN : &thread->still);
}

static void cpu_interval(const struct attribution *a, struct thread_attribution *thread,
			 const struct interval *i)
{
	if (is_wanted(a, ATTRIBUTION_CLOCK))
		add_interval(&thread->clock.time, i);
	if (is_wanted(a, ATTRIBUTION_LANE))
		add_interval(&thread->lane.time, i);
	if (i->in_turn && thread->loop)
		add_interval(&thread->turn.time, i);
	thread->still = NOT_KNOWN;
}

static void on_interval(void *ctx, const struct interval *i)
{
	struct attribution *a = ctx;
	struct thread_attribution *thread = get(a, i->thread);

	PASS(a, interval, i);
	if (!thread)
		return;
	if (!i->gil || i->state == TS_GIL_WAIT) { /* no hold lasts beyond this */
		thread->hold_sampled = false;
		thread->early_count = 0;
	}
	if (thread_state_runs(i->state))
		cpu_interval(a, thread, i);
	else
		still_interval(a, thread, i);
	/* a holder is a holder, also while it is unknown what it does */
	if (interval_holds(i) && i->gil->waiters)
		hold_interval(a, thread, i);
}

static void on_sample(void *ctx, const struct sample *sample)
{
	const unsigned int stays = EVF_STACK_SLEEP | EVF_STACK_PREEMPT | EVF_STACK_WAIT;
	struct attribution *a = ctx;
	struct thread *now = sample->thread;
	struct thread_attribution *thread = get(a, now);
	struct stack_ref ref = NOT_KNOWN; /* without a stack all else means nothing, too */

	PASS(a, sample, sample);
	if (!thread)
		return;
	if (sample->stack)
		ref = (struct stack_ref){.stack = sample->stack,
					 .task = sample->task,
					 .native = sample->native,
					 .root = sample->root,
					 .gc = sample->flags & EVF_STACK_GC};
	/* a waiter sees where the holder is in Python only: as long as that is the same place, so
	 * is the machine code that the clock has seen there, as far as anybody knows */
	if (sample->flags & EVF_STACK_HOLDER && thread->hold_sampled &&
	    thread->hold.stack == ref.stack && thread->hold.root == ref.root)
		ref.native = thread->hold.native;
	if (now->gil && gil_last_holder(now->gil) == now)
		hold_sample(a, thread, &ref);
	if (thread->loop && thread->loop == now->loop)
		bounded_sample(a, &thread->turn, now, &ref, ATTRIBUTION_TURN);
	if (is_wanted(a, ATTRIBUTION_LANE))
		bounded_sample(a, &thread->lane, now, &ref, ATTRIBUTION_LANE);
	if (sample->flags & EVF_STACK_HOLDER)
		return;
	if (sample->flags & EVF_STACK_CLOCK && is_wanted(a, ATTRIBUTION_CLOCK))
		clock_sample(a, &thread->clock, now, &ref, sample->ts);
	/* who waits for the GIL stands where it began to wait, whatever it does meanwhile */
	if (sample->flags & stays && (now->state != TS_GIL_WAIT || !thread->still.stack))
		thread->still = ref;
}

static void on_turn_begin(void *ctx, struct loop *loop)
{
	struct attribution *a = ctx;
	struct thread_attribution *thread = get(a, loop->thread);

	PASS(a, turn_begin, loop);
	if (!thread)
		return;
	thread->turn = (struct pending){0};
	thread->loop = loop;
}

static void turn_end(struct attribution *a, const struct loop *loop)
{
	struct thread_attribution *thread = get(a, loop->thread);

	if (thread && thread->loop == loop)
		thread->loop = NULL;
}

/* The folds may still ask for the rest of the turn, so it ends after their callbacks. */
static void on_turn(void *ctx, const struct turn *turn)
{
	PASS((struct attribution *)ctx, turn, turn);
	turn_end(ctx, turn->loop);
}

static void on_turn_cancel(void *ctx, struct loop *loop)
{
	PASS((struct attribution *)ctx, turn_cancel, loop);
	turn_end(ctx, loop);
}

#define FORWARD(callback, type)                                                                    \
	static void on_##callback(void *ctx, type *what)                                           \
	{                                                                                          \
		PASS((struct attribution *)ctx, callback, what);                                   \
	}

FORWARD(thread, struct thread)
FORWARD(loop, struct loop)
FORWARD(hold, const struct hold)
FORWARD(wait, const struct gil_wait)
FORWARD(contention, const struct contention)
FORWARD(loss, const struct loss)
FORWARD(run, const struct run)
FORWARD(release, const struct release)

static void on_state(void *ctx, const struct thread *thread, uint64_t ts)
{
	PASS((struct attribution *)ctx, state, thread, ts);
}

static void on_native(void *ctx, const struct thread *thread, uint32_t function)
{
	PASS((struct attribution *)ctx, native, thread, function);
}

static void on_waiters(void *ctx, const struct gil *gil, uint64_t ts)
{
	PASS((struct attribution *)ctx, waiters, gil, ts);
}

static bool on_choose(void *ctx, const struct world *world, struct world_ended ended)
{
	const struct attribution *a = ctx;
	bool any = false;

	for (const struct stretch_sink *sink = a->sinks; sink < a->sinks_end; sink++)
		any |= sink->model.choose && sink->model.choose(sink->model.ctx, world, ended);
	return any;
}

static void attribution_drop(struct attribution *a, uint32_t index)
{
	free(a->threads[index]->early);
	free(a->threads[index]);
	a->threads[index] = NULL;
}

/* The folds may still ask, so the threads are forgotten after their callbacks. */
static void on_forget(void *ctx, const struct world *world)
{
	struct attribution *a = ctx;

	PASS(a, forget, world);
	for (uint32_t n = 0; n < a->room; n++)
		if (a->threads[n] && a->threads[n]->thread->leaves)
			attribution_drop(a, n);
}

/* The model need not emit what no fold receives. */
#define PASS_IF_WANTED(a, sink, callback)                                                          \
	do {                                                                                       \
		for (const struct stretch_sink *sink_ = (a)->sinks; sink_ < (a)->sinks_end;        \
		     sink_++)                                                                      \
			if (sink_->model.callback)                                                 \
				(sink)->callback = on_##callback;                                  \
	} while (0)

struct model_sink attribution_sink(struct attribution *attribution)
{
	struct model_sink sink = {.interval = on_interval,
				  .sample = on_sample,
				  .turn_begin = on_turn_begin,
				  .turn = on_turn,
				  .turn_cancel = on_turn_cancel,
				  .forget = on_forget,
				  .ctx = attribution};

	PASS_IF_WANTED(attribution, &sink, choose);
	PASS_IF_WANTED(attribution, &sink, thread);
	PASS_IF_WANTED(attribution, &sink, loop);
	PASS_IF_WANTED(attribution, &sink, state);
	PASS_IF_WANTED(attribution, &sink, hold);
	PASS_IF_WANTED(attribution, &sink, wait);
	PASS_IF_WANTED(attribution, &sink, contention);
	PASS_IF_WANTED(attribution, &sink, waiters);
	PASS_IF_WANTED(attribution, &sink, loss);
	PASS_IF_WANTED(attribution, &sink, run);
	PASS_IF_WANTED(attribution, &sink, release);
	PASS_IF_WANTED(attribution, &sink, native);
	return sink;
}

/* ── begin, questions, end ───────────────────────────────────────────────── */

struct attribution *attribution_new(uint32_t rate_hz)
{
	struct attribution *a = calloc(1, sizeof(*a));

	if (a && rate_hz)
		a->valid_ns = CLOCK_PERIODS_VALID * UINT64_C(1000000000) / rate_hz;
	return a;
}

void attribution_free(struct attribution *attribution)
{
	if (!attribution)
		return;
	for (uint32_t n = 0; n < attribution->room; n++)
		if (attribution->threads[n])
			attribution_drop(attribution, n);
	free(attribution->threads);
	free(attribution->sinks);
	free(attribution);
}

int attribution_add(struct attribution *attribution, struct stretch_sink sink)
{
	size_t count = (size_t)(attribution->sinks_end - attribution->sinks);
	struct stretch_sink *grown = reallocarray(attribution->sinks, count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	grown[count] = sink;
	attribution->sinks = grown;
	attribution->sinks_end = grown + count + 1;
	attribution->policies |= sink.policies;
	return 0;
}

int attribution_error(const struct attribution *attribution)
{
	return attribution->error;
}

void attribution_finish(struct attribution *attribution)
{
	for (uint32_t n = 0; n < attribution->room; n++) {
		struct thread_attribution *thread = attribution->threads[n];

		if (thread)
			lane_end(attribution, thread);
	}
}

struct stack_ref attribution_still(const struct attribution *attribution,
				   const struct thread *thread)
{
	const struct thread_attribution *found = find(attribution, thread);

	return found ? found->still : NOT_KNOWN;
}

struct stack_ref attribution_hold(const struct attribution *attribution,
				  const struct thread *thread)
{
	const struct thread_attribution *found = find(attribution, thread);

	return found && found->hold_sampled ? found->hold : NOT_KNOWN;
}

struct stack_ref attribution_turn_latest(const struct attribution *attribution,
					 const struct thread *thread)
{
	const struct thread_attribution *found = find(attribution, thread);

	return found ? bounded_last(attribution, &found->turn.time, &found->turn) : NOT_KNOWN;
}

bool attribution_turn_rest(const struct attribution *attribution, struct thread *thread,
			   struct stretch *ret_stretch, struct stack_ref *ref,
			   struct stretch_part parts[STRETCH_PARTS_MAX])
{
	const struct thread_attribution *found = find(attribution, thread);
	const struct cpu_time *time = found ? &found->turn.time : NULL;

	if (!time || is_empty(time))
		return false;
	*ref = bounded_last(attribution, time, &found->turn);
	*ret_stretch = time_stretch(time, thread, ref, ATTRIBUTION_TURN, NULL, parts);
	return true;
}
