/* SPDX-License-Identifier: MIT */
/* names.c - what threads do in Python: stacks, runs of the garbage collector, names. */
#include "model/loss.h"
#include "model/turn.h"

/* The thread does something on a CPU at `ts`. That proves wrong an earlier sleep, but not one that
 * begins at this very instant. */
static void prove_running(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (t->ts_fact < ts || t->sched == SCHED_UNKNOWN)
		sched_prove(w, t, ts);
	t->ts_fact = ts;
}

static void stack_emit(struct world *w, const struct ev_stack *event, struct thread_machine *t,
		       struct thread_machine *seen_by, struct gil *gil, uint64_t ts)
{
	struct sample sample = {
		.thread = &t->pub,
		.seen_by = seen_by ? &seen_by->pub : NULL,
		.gil = gil,
		.ts = ts,
		.root = event->root,
		.stack = event->stack,
		.task = event->task,
		.native = event->native,
		.flags = event->hdr.flags,
	};

	thread_cut(w, t, ts);
	if (w->sink.sample)
		w->sink.sample(w->sink.ctx, &sample);
}

/* The event's GIL, if it belongs to the thread's process. */
static struct gil *stack_gil(const struct fact *fact)
{
	struct gil_machine *g = fact->gil;

	return g && g->pub.process == fact->thread->pub.process ? &g->pub : NULL;
}

/* The certain holder at this instant. */
static struct thread *holder_at(const struct gil *gil, uint64_t ts)
{
	const struct gil_machine *g = container_of(gil, struct gil_machine, pub);

	return gil->holder || g->ts_read == ts ? gil_last_holder(gil) : NULL;
}

void stack_feed(struct world *w, const struct fact *fact)
{
	const struct ev_stack *event = &fact->event->stack;
	struct thread_machine *t = fact->thread;
	unsigned int flags = event->hdr.flags;
	uint64_t ts = fact->ts;
	struct thread *holder;
	struct gil *gil;

	if (!t || !facts_count(w, process_of(t), ts))
		return;
	gil = flags & (EVF_STACK_HOLDER | EVF_STACK_WAIT) ? stack_gil(fact) : NULL;
	if (flags & EVF_STACK_HOLDER) {
		holder = gil ? holder_at(gil, ts) : NULL;
		if (holder && holder != &t->pub)
			stack_emit(w, event, machine_of(holder), t, gil, ts);
		return;
	}
	t->pub.python = true; /* only threads that Python knows have a stack */
	if (flags & EVF_STACK_WAKES) {
		t->wakes_stack = event->stack;
		t->ts_wakes = event->hdr.ts;
	}
	if (flags & EVF_STACK_CLOCK)
		w->sample = (struct crash){.ts = event->hdr.ts,
					   .tid = t->pub.tid,
					   .stack = event->stack,
					   .native = event->native};
	if (flags & EVF_STACK_WAIT)
		t->wait_stack = *event;
	else if (flags & (EVF_STACK_SLEEP | EVF_STACK_PREEMPT))
		t->off_stack = *event;
	if (flags & (EVF_STACK_SLEEP | EVF_STACK_PREEMPT | EVF_STACK_WAIT | EVF_STACK_CLOCK |
		     EVF_STACK_WAKES)) {
		prove_running(w, t, ts);
		threads_derive(w, ts); /* the intervals come before the sample */
	}
	stack_emit(w, event, t, NULL, gil, ts);
	sites_stack(w, fact);
}

void crash_feed(struct world *w, const struct fact *fact)
{
	const struct thread_machine *t = fact->thread;
	struct crash crash = {.ts = fact->ts};

	if (!t)
		return;
	if (w->sample.ts == fact->event->hdr.ts && w->sample.tid == t->pub.tid)
		crash = w->sample;
	crash.tid = t->pub.tid;
	crash.signal = fact->event->hdr.aux;
	t->pub.process->crash = crash;
}

void native_feed(struct world *w, const struct fact *fact)
{
	struct thread_machine *t = fact->thread;

	if (!t || !facts_count(w, process_of(t), fact->ts))
		return;
	prove_running(w, t, fact->ts);
	if (w->sink.native)
		w->sink.native(w->sink.ctx, &t->pub, fact->event->native.native);
}

/* As with STATE: it counts only if the thread had no fact since the read began, and does not change
 * what is known already. */
void still_feed(struct world *w, const struct fact *fact)
{
	const struct ev_still *event = &fact->event->still;
	uint64_t since = fact_since(fact, event->span_ns);
	struct thread_machine *t = fact->thread;

	if (!t || !snapshot_counts(w, t, since) || t->sched != SCHED_ASLEEP ||
	    t->off_stack.hdr.type)
		return;
	t->pub.python = true;
	t->off_stack = (struct ev_stack){
		.hdr = {.type = EV_STACK, .tid = t->pub.tid, .flags = EVF_STACK_SLEEP},
		.stack = event->stack,
		.task = event->task,
		.root = event->root};
	stack_emit(w, &t->off_stack, t, NULL, NULL, fact->ts);
}

void gc_set(struct world *w, struct thread_machine *t, uint32_t depth, uint8_t generation)
{
	if (t->gc_depth != depth || t->generation != generation)
		thread_moved(w, t);
	t->gc_depth = depth;
	t->generation = generation;
}

void gc_feed(struct world *w, const struct fact *fact)
{
	const struct event_hdr *hdr = &fact->event->hdr;
	struct thread_machine *t = fact->thread;

	if (!t || !facts_count(w, process_of(t), fact->ts))
		return;
	prove_running(w, t, fact->ts);
	loop_prove_outside(w, t, fact->ts);
	if (hdr->type == EV_GC_BEGIN && !t->gc_depth)
		gc_set(w, t, 1,
		       hdr->aux < GC_GENERATION_UNKNOWN ? (uint8_t)hdr->aux
							: GC_GENERATION_UNKNOWN);
	else if (hdr->type == EV_GC_BEGIN)
		t->gc_depth++;
	else if (t->gc_depth == 1)
		gc_set(w, t, 0, GC_GENERATION_UNKNOWN);
	else if (t->gc_depth)
		t->gc_depth--;
}

void name_feed(struct world *w, const struct fact *fact)
{
	if (!fact->thread)
		return;
	fact->thread->pub.python = true;
	fact->thread->pub.python_name = fact->event->python_name.text;
	fact->thread->pub.pool_limit = fact->event->python_name.limit;
	thread_tell(w, fact->thread, fact->ts);
}
