/* SPDX-License-Identifier: MIT */
#include "analysis/spans.h"

#include <errno.h>
#include <stdlib.h>

#include "analysis/breakdown.h"
#include "analysis/fold.h"

/* What of a thread is kept back. A span without length is none. */
struct thread_spans {
	struct interval state;
	struct stack_span stack;
	struct stack_span running; /* on a CPU since the last sample, its stack not known yet */
	struct stack_ref last;	   /* the latest sample since the thread came to a CPU … */
	bool sampled;		   /* … if there was one */
	struct stack_ref still;	   /* off the CPU, or waiting for the GIL: where it stands */
};

struct spans {
	struct span_sink sink;
	uint64_t valid_ns;
	struct thread_spans **threads; /* by thread.index; NULL where none was seen yet */
	uint32_t room;
	int error;
};

static int reserve(struct spans *spans, uint32_t index)
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

static struct thread_spans *thread_spans(struct spans *spans, const struct thread *thread)
{
	struct thread_spans **found = reserve(spans, thread->index) < 0
					      ? NULL
					      : &spans->threads[thread->index];

	if (found && !*found)
		*found = calloc(1, sizeof(**found));
	if (!found || !*found) {
		spans->error = -ENOMEM;
		return NULL;
	}
	return *found;
}

/* ── states ──────────────────────────────────────────────────────────────── */

static bool same_state(const struct interval *a, const struct interval *b)
{
	return a->state == b->state && a->gil == b->gil && a->sysno == b->sysno &&
	       a->cpu == b->cpu && a->throttled == b->throttled && a->sampled == b->sampled &&
	       a->gc == b->gc && a->generation == b->generation;
}

static void tell_state(const struct spans *spans, const struct interval *span)
{
	if (span->start < span->end && spans->sink.state)
		spans->sink.state(spans->sink.ctx, span);
}

static void add_state(const struct spans *spans, struct thread_spans *thread,
		      const struct interval *i)
{
	struct interval *open = &thread->state;

	if (open->thread && open->end == i->start && same_state(open, i)) {
		open->end = i->end;
		return;
	}
	tell_state(spans, open);
	*open = *i;
}

/* ── stacks ──────────────────────────────────────────────────────────────── */

static void tell_stack(const struct spans *spans, const struct stack_span *span)
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
	tell_stack(spans, open);
	*open = *span;
}

/* What ran without a stack so far was there; too much time for one sample is nobody's. */
static void settle(const struct spans *spans, struct thread_spans *thread,
		   const struct stack_ref *ref)
{
	struct stack_span *running = &thread->running;

	if (ref && running->end - running->start <= spans->valid_ns) {
		running->stack = ref->stack;
		running->task = ref->stack ? ref->task : 0;
	}
	add_stack(spans, thread, running);
	*running = (struct stack_span){0};
}

/* The thread leaves the CPU, or the recording ends. */
static void settle_rest(const struct spans *spans, struct thread_spans *thread)
{
	settle(spans, thread, thread->sampled ? &thread->last : NULL);
	thread->sampled = false;
}

static void on_interval(void *ctx, const struct interval *i)
{
	struct spans *spans = ctx;
	struct thread_spans *thread = thread_spans(spans, i->thread);
	struct stack_ref still;

	if (!thread)
		return;
	add_state(spans, thread, i);
	if (i->state == TS_PYTHON || i->state == TS_NATIVE) {
		if (!thread->running.thread || thread->running.end != i->start)
			thread->running = (struct stack_span){
				.thread = i->thread, .start = i->start, .sampled = true};
		thread->running.end = i->end;
		thread->still = (struct stack_ref){0};
		return;
	}
	settle_rest(spans, thread);
	if (i->state == TS_UNKNOWN && !i->still)
		thread->still = (struct stack_ref){0};
	still = thread->still;
	if (sysno_is_stop(i->sysno))
		still = (struct stack_ref){0};
	add_stack(
		spans, thread,
		&(struct stack_span){i->thread, i->start, i->end, still.stack, still.task, false});
}

/* The same rules as in stacks.c, so that a graph made of spans and one made of the report agree. */
static void on_sample(void *ctx, const struct sample *sample)
{
	const unsigned int stays = EVF_STACK_SLEEP | EVF_STACK_PREEMPT | EVF_STACK_WAIT;
	struct stack_ref ref = {.stack = sample->stack, .task = sample->stack ? sample->task : 0};
	struct spans *spans = ctx;
	struct thread_spans *thread = thread_spans(spans, sample->thread);

	if (!thread)
		return;
	settle(spans, thread, &ref);
	thread->last = ref;
	thread->sampled = true;
	if (sample->flags & EVF_STACK_HOLDER)
		return;
	if (sample->flags & EVF_STACK_CLOCK && spans->sink.clock)
		spans->sink.clock(spans->sink.ctx, sample);
	if (sample->flags & stays && (sample->thread->state != TS_GIL_WAIT || !thread->still.stack))
		thread->still = ref;
}

/* ── what passes as it is ────────────────────────────────────────────────── */

static void on_hold(void *ctx, const struct hold *hold)
{
	const struct spans *spans = ctx;

	if (hold->start < hold->end && spans->sink.hold)
		spans->sink.hold(spans->sink.ctx, hold);
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

struct model_sink spans_sink(struct spans *spans)
{
	return (struct model_sink){.interval = on_interval,
				   .sample = on_sample,
				   .hold = on_hold,
				   .wait = on_wait,
				   .turn = on_turn,
				   .waiters = on_waiters,
				   .loss = on_loss,
				   .ctx = spans};
}

/* ── begin and end ───────────────────────────────────────────────────────── */

struct spans *spans_new(struct span_sink sink, uint32_t rate_hz)
{
	struct spans *spans = calloc(1, sizeof(*spans));

	if (!spans)
		return NULL;
	spans->sink = sink;
	spans->valid_ns = sample_valid_ns(rate_hz);
	return spans;
}

void spans_free(struct spans *spans)
{
	if (!spans)
		return;
	for (uint32_t i = 0; i < spans->room; i++)
		free(spans->threads[i]);
	free(spans->threads);
	free(spans);
}

int spans_finish(struct spans *spans)
{
	for (uint32_t i = 0; i < spans->room; i++) {
		struct thread_spans *thread = spans->threads[i];

		if (!thread)
			continue;
		settle_rest(spans, thread);
		tell_stack(spans, &thread->stack);
		tell_state(spans, &thread->state);
		thread->stack = (struct stack_span){0};
		thread->state = (struct interval){0};
	}
	return spans->error;
}
