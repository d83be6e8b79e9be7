/* SPDX-License-Identifier: MIT */
#include "analysis/spans.h"

#include <errno.h>
#include <stdlib.h>

/* Pending spans of one thread, not emitted yet. Zero-length spans are never emitted. */
struct thread_spans {
	struct interval state;
	struct stack_span stack;
};

struct spans {
	struct span_sink sink;
	struct attribution *attribution;
	struct thread_spans **threads; /* by thread.index; NULL: not seen yet */
	uint32_t room;
	struct hold *holds; /* by gil.index: of GILs whose holds are not traced; not emitted yet */
	uint32_t hold_room;
	int error;
};

static int spans_reserve(struct spans *spans, uint32_t index)
{
	uint32_t room = spans->room ? spans->room : 16;
	struct thread_spans **grown;

	if (index < spans->room)
		return 0;
	while (room <= index)
		room *= 2;
	grown = reallocarray(spans->threads, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	for (uint32_t i = spans->room; i < room; i++)
		grown[i] = NULL;
	spans->threads = grown;
	spans->room = room;
	return 0;
}

static struct thread_spans *spans_create(struct spans *spans, const struct thread *thread)
{
	struct thread_spans *made = calloc(1, sizeof(*made));

	if (!made || spans_reserve(spans, thread->index) < 0) {
		free(made);
		spans->error = -ENOMEM;
		return NULL;
	}
	return spans->threads[thread->index] = made;
}

/* Created on first use; NULL when memory is short. */
static inline struct thread_spans *spans_get(struct spans *spans, const struct thread *thread)
{
	if (thread->index < spans->room && spans->threads[thread->index])
		return spans->threads[thread->index];
	return spans_create(spans, thread);
}

/* ── holds ───────────────────────────────────────────────────────────────── */

static void emit_hold(const struct spans *spans, const struct hold *hold)
{
	if (hold->start < hold->end && spans->sink.hold)
		spans->sink.hold(spans->sink.ctx, hold);
}

static struct hold *hold_of(struct spans *spans, uint32_t index)
{
	uint32_t room = index + 8;
	struct hold *grown;

	if (index < spans->hold_room)
		return &spans->holds[index];
	grown = reallocarray(spans->holds, room, sizeof(*grown));
	if (!grown) {
		spans->error = -ENOMEM;
		return NULL;
	}
	for (uint32_t i = spans->hold_room; i < room; i++)
		grown[i] = (struct hold){0};
	spans->holds = grown;
	spans->hold_room = room;
	return &spans->holds[index];
}

/* Where only the drops that somebody waits for are traced, a hold is the time for which a thread
 * has the GIL, as far as that is known. */
static void add_hold(struct spans *spans, const struct interval *i)
{
	struct hold *open = hold_of(spans, i->gil->index);

	if (!open)
		return;
	if (open->thread == i->thread && open->gil == i->gil && open->end == i->start) {
		open->end = i->end;
		return;
	}
	emit_hold(spans, open);
	*open = (struct hold){.gil = i->gil, .thread = i->thread, .start = i->start, .end = i->end};
}

/* ── states ──────────────────────────────────────────────────────────────── */

static bool same_state(const struct interval *a, const struct interval *b)
{
	return a->state == b->state && a->gil == b->gil && a->sysno == b->sysno &&
	       a->cpu == b->cpu && a->throttled == b->throttled && a->sampled == b->sampled &&
	       a->gc == b->gc && a->generation == b->generation;
}

static void emit_state(const struct spans *spans, const struct interval *span)
{
	if (span->start < span->end && spans->sink.state)
		spans->sink.state(spans->sink.ctx, span);
}

static void on_interval(void *ctx, const struct interval *i)
{
	struct spans *spans = ctx;
	struct thread_spans *thread = spans_get(spans, i->thread);
	struct interval *open;

	if (!thread)
		return;
	if (interval_holds(i) && mode_is_cheap(i->gil->mode))
		add_hold(spans, i);
	open = &thread->state;
	if (open->thread && open->end == i->start && same_state(open, i)) {
		open->end = i->end;
		return;
	}
	emit_state(spans, open);
	*open = *i;
}

/* ── stacks ──────────────────────────────────────────────────────────────── */

static void emit_stack(const struct spans *spans, const struct stack_span *span)
{
	if (span->start < span->end && spans->sink.stack)
		spans->sink.stack(spans->sink.ctx, span);
}

static void add_stack(const struct spans *spans, struct thread_spans *thread,
		      const struct stack_span *span)
{
	struct stack_span *open = &thread->stack;

	if (span->start == span->end)
		return;
	if (open->thread && open->end == span->start && open->stack == span->stack &&
	    open->task == span->task && open->sampled == span->sampled) {
		open->end = span->end;
		return;
	}
	emit_stack(spans, open);
	*open = *span;
}

static void on_stretch(void *ctx, const struct stretch *stretch)
{
	struct spans *spans = ctx;
	struct thread_spans *thread = spans_get(spans, stretch->thread);
	const struct stack_span span = {.thread = stretch->thread,
					.start = stretch->start,
					.end = stretch->end,
					.stack = stretch->ref->stack,
					.task = stretch->ref->task,
					.sampled = stretch->policy != ATTRIBUTION_STILL};

	if (!thread)
		return;
	if (stretch->policy == ATTRIBUTION_STILL || stretch->policy == ATTRIBUTION_LANE)
		add_stack(spans, thread, &span);
	else if (stretch->policy == ATTRIBUTION_CLOCK && spans->sink.clock)
		spans->sink.clock(spans->sink.ctx, &span);
}

/* ── passed on unchanged ─────────────────────────────────────────────────── */

static void on_hold(void *ctx, const struct hold *hold)
{
	if (!mode_is_cheap(hold->gil->mode))
		emit_hold(ctx, hold);
}

static void on_wait(void *ctx, const struct gil_wait *wait)
{
	const struct spans *spans = ctx;

	if (wait->start < wait->end && spans->sink.wait)
		spans->sink.wait(spans->sink.ctx, wait);
}

static void on_turn(void *ctx, const struct turn *turn)
{
	const struct spans *spans = ctx;

	if (turn->start < turn->end && spans->sink.turn)
		spans->sink.turn(spans->sink.ctx, turn);
}

static void on_waiters(void *ctx, const struct gil *gil, uint64_t ts)
{
	const struct spans *spans = ctx;

	if (spans->sink.waiters)
		spans->sink.waiters(spans->sink.ctx, gil, ts);
}

static void on_loss(void *ctx, const struct loss *loss)
{
	const struct spans *spans = ctx;

	if (spans->sink.loss)
		spans->sink.loss(spans->sink.ctx, loss);
}

/* What is held back of a thread that leaves is not drawn any more. One that stays had that GIL
 * before: what follows is another span anyway. */
static void forget_thread(struct spans *spans, struct thread_spans **thread)
{
	struct interval *open = &(*thread)->state;

	if (open->thread && open->thread->leaves) {
		free(*thread);
		*thread = NULL;
	} else if (open->thread && open->gil && open->gil->leaves) {
		emit_state(spans, open);
		*open = (struct interval){
			.thread = open->thread, .start = open->end, .end = open->end};
	}
}

static void on_forget(void *ctx, const struct world *world)
{
	struct spans *spans = ctx;

	for (uint32_t i = 0; i < spans->room; i++)
		if (spans->threads[i])
			forget_thread(spans, &spans->threads[i]);
	for (uint32_t i = 0; i < spans->hold_room; i++) {
		struct hold *open = &spans->holds[i];

		if (!open->thread || !(open->thread->leaves || open->gil->leaves))
			continue;
		if (!open->thread->leaves)
			emit_hold(spans, open);
		*open = (struct hold){0};
	}
	if (spans->sink.forget)
		spans->sink.forget(spans->sink.ctx, world);
}

/* ── begin and end ───────────────────────────────────────────────────────── */

static struct stretch_sink stretches(struct spans *spans)
{
	return (struct stretch_sink){.model = {.interval = on_interval,
					       .hold = on_hold,
					       .wait = on_wait,
					       .turn = on_turn,
					       .waiters = on_waiters,
					       .loss = on_loss,
					       .forget = on_forget,
					       .ctx = spans},
				     .stretch = on_stretch,
				     .policies = ATTRIBUTION_BIT(ATTRIBUTION_STILL) |
						 ATTRIBUTION_BIT(ATTRIBUTION_LANE) |
						 ATTRIBUTION_BIT(ATTRIBUTION_CLOCK),
				     .ctx = spans};
}

struct spans *spans_new(struct span_sink sink, struct attribution *attribution)
{
	struct spans *spans = calloc(1, sizeof(*spans));

	if (!spans)
		return NULL;
	spans->sink = sink;
	spans->attribution = attribution;
	if (attribution_add(attribution, stretches(spans)) < 0) {
		free(spans);
		return NULL;
	}
	return spans;
}

void spans_free(struct spans *spans)
{
	if (!spans)
		return;
	for (uint32_t i = 0; i < spans->room; i++)
		free(spans->threads[i]);
	free(spans->threads);
	free(spans->holds);
	free(spans);
}

int spans_finish(struct spans *spans)
{
	attribution_finish(spans->attribution);
	for (uint32_t i = 0; i < spans->room; i++) {
		struct thread_spans *thread = spans->threads[i];

		if (!thread)
			continue;
		emit_stack(spans, &thread->stack);
		emit_state(spans, &thread->state);
		thread->stack = (struct stack_span){0};
		thread->state = (struct interval){0};
	}
	for (uint32_t i = 0; i < spans->hold_room; i++)
		emit_hold(spans, &spans->holds[i]);
	return spans->error ? spans->error : attribution_error(spans->attribution);
}
