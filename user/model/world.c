/* SPDX-License-Identifier: MIT */
/* world.c - feeding: which machines get an event, when evidence begins and ends, and the order in
 * which the sink is called. */
#include "model/edges.h"
#include "model/loss.h"
#include "model/turn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ── the queue ───────────────────────────────────────────────────────────── */

static void sink_emit(const struct model_sink *sink, const struct emission *emission)
{
	switch (emission->kind) {
	case EMIT_HOLD:
		if (sink->hold)
			sink->hold(sink->ctx, &emission->hold);
		break;
	case EMIT_WAIT:
		if (sink->wait)
			sink->wait(sink->ctx, &emission->wait);
		break;
	case EMIT_CONTENTION:
		if (sink->contention)
			sink->contention(sink->ctx, &emission->contention);
		break;
	case EMIT_TURN:
		if (sink->turn)
			sink->turn(sink->ctx, &emission->turn);
		break;
	case EMIT_TURN_BEGIN:
		if (sink->turn_begin)
			sink->turn_begin(sink->ctx, emission->loop);
		break;
	case EMIT_TURN_CANCEL:
		if (sink->turn_cancel)
			sink->turn_cancel(sink->ctx, emission->loop);
		break;
	}
}

/* All about GILs before all about turns. */
static void flush(struct world *w)
{
	uint32_t count = w->queue_count;

	w->queue_count = 0;
	if (count == 1) {
		sink_emit(&w->sink, w->queue);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		if (w->queue[i].kind <= EMIT_CONTENTION)
			sink_emit(&w->sink, &w->queue[i]);
	for (uint32_t i = 0; i < count; i++)
		if (w->queue[i].kind > EMIT_CONTENTION)
			sink_emit(&w->sink, &w->queue[i]);
}

void world_settle(struct world *w, uint64_t ts)
{
	if (w->moved.count)
		threads_derive(w, ts);
	if (w->queue_count)
		flush(w);
}

/* ── the whole world ─────────────────────────────────────────────────────── */

static void for_holders(struct world *w, uint64_t ts,
			void (*act)(struct world *w, struct thread_machine *t, uint64_t ts))
{
	for (uint32_t i = 0; i < w->gils.count; i++)
		if (gil_at(w, i)->pub.holder)
			act(w, machine_of(gil_at(w, i)->pub.holder), ts);
}

static void for_threads(struct world *w, uint64_t ts,
			void (*act)(struct world *w, struct thread_machine *t, uint64_t ts))
{
	for (uint32_t i = 0; i < w->processes.count; i++)
		for (struct thread_machine *t = process_at(w, i)->threads; t; t = t->sibling)
			act(w, t, ts);
}

static void refresh(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (!is_blind(w, process_of(t))) /* otherwise the end of the loss is still unknown */
		loop_refresh(w, t);
}

static void cut(struct world *w, uint64_t ts)
{
	loops_settle_kinds(w);
	for_threads(w, ts, refresh);
	cpu_cut_touched(w, ts);
	for_holders(w, ts, thread_cut);
	for_threads(w, ts, thread_cut);
	for (uint32_t i = 0; i < w->gils.count; i++)
		gil_cut(w, gil_at(w, i), ts);
}

static void open_at(struct world *w, struct thread_machine *t, uint64_t ts)
{
	t->open.start = ts;
	t->pub.ts_state = ts;
	loop_await(w, t);
}

static void window_begin(struct world *w, uint64_t ts)
{
	if (w->begun)
		return;
	w->begun = true;
	w->ts_begin = ts;
	for_threads(w, ts, open_at);
	loss_before(w, ts);
}

void world_cut(struct world *w, uint64_t ts)
{
	if (ts > w->now)
		w->now = ts;
	for (uint32_t i = 0; i < w->processes.count; i++)
		evidence_settle(w, process_at(w, i));
	if (!w->ended)
		cut(w, w->now);
}

static void end_thread(struct world *w, struct thread_machine *t, uint64_t ts)
{
	if (t->relation == REL_WAITING)
		relation_leave(w, t, ts);
	retry_over(w, t);
	loop_break(w, t, ts, true);
}

void world_end(struct world *w, uint64_t ts)
{
	if (w->ended)
		return;
	world_cut(w, ts);
	for (uint32_t i = 0; i < w->gils.count; i++)
		gil_emit_open(w, gil_at(w, i), w->now);
	for_threads(w, w->now, end_thread);
	flush(w);
	w->ended = true;
}

/* ── lives of processes ──────────────────────────────────────────────────── */

/* There is one object more than the world takes in. What follows could be known only in part, so
 * the world ends here. */
static int end_when_full(struct world *w, int err)
{
	if (err != -ENOSPC)
		return err;
	world_end(w, w->now);
	return 0;
}

static int feed_process(void *ctx, const struct process_info *info)
{
	struct process_entry *process;
	struct world *w = ctx;
	int err = w->ended ? 0 : process_get(w, info->pid, &process);

	if (w->ended)
		return 0;
	if (err == 0) {
		process->pub.info = *info;
		process_adopt(w, process);
		process->described = true;
	}
	return end_when_full(w, err);
}

static void process_exit(struct world *w, struct process_entry *process, uint64_t ts)
{
	if (!process)
		return;
	for (const struct gil_machine *g = process->gil_list; g; g = g->next)
		if (g->pub.holder)
			thread_cut(w, machine_of(g->pub.holder), ts);
	while (process->threads)
		thread_exit(w, process->threads, ts);
	for (struct gil_machine *g = process->gil_list; g; g = g->next)
		gil_cut(w, g, ts);
	process->pub.gone = true;
	process->pub.ts_gone = ts;
	w->gone.processes++;
	w->gone.threads -= process->gone_threads;
	w->gone.gils -= process->gone_gils;
}

/* ── events of threads ───────────────────────────────────────────────────── */

static void feed_observe(struct world *w, const struct fact *fact)
{
	const struct ev_observe *event = &fact->event->observe;
	bool named = (event->hdr.flags & EVF_OBSERVE_LOCKED) && event->holder;
	struct process_entry *process = gil_process(fact->gil);
	struct thread_machine *holder;

	if (!facts_count(w, process, fact->ts))
		return;
	holder = named ? thread_in(w, process, event->holder) : NULL;
	(gil_is_partial(fact->gil) ? edges_observe : gil_observe)(w, fact, holder);
}

/* A thread that passes a GIL site belongs to that GIL's process, declared or not. */
static int feed_gil(struct world *w, struct fact *fact)
{
	struct gil_machine *g = fact->gil;
	struct thread_machine *t = fact->thread;
	int err;

	if (!g || g->pub.process->gone)
		return 0;
	if (!g->touched)
		gil_touch(w, g);
	if (fact->event->hdr.type == EV_OBSERVE) {
		feed_observe(w, fact);
		return 0;
	}
	if (!t || t->pub.process != g->pub.process) {
		err = thread_new(w, gil_process(g), fact->event->hdr.tid, fact->ts, &t);
		if (err < 0)
			return err;
		fact->thread = t;
	}
	t->pub.python = true;
	if (!facts_count(w, gil_process(g), fact->ts))
		return 0;
	t->ts_fact = fact->ts;
	if (t->sched != SCHED_RUNNING)
		sched_prove(w, t, fact->ts);
	/* it has been waiting since before evidence began, and not in epoll */
	if (fact->event->hdr.type == EV_WAIT_END && !(fact->event->hdr.flags & EVF_WAIT_END_OFF))
		t->doubted = false;
	if (t->place != PLACE_OUTSIDE)
		loop_prove_outside(w, t, fact->ts);
	(gil_is_partial(g) ? edges_feed : gil_feed)(w, fact);
	return 0;
}

/* The thread enters or leaves a system call, so it neither waits for the GIL nor is inside another
 * call. */
static void prove_in_syscall(struct world *w, struct thread_machine *t, uint64_t ts)
{
	t->ts_fact = ts;
	sched_prove(w, t, ts);
	if (t->relation == REL_WAITING) {
		w->contradictions++;
		thread_doubt(w, t);
		relation_leave(w, t, ts);
	}
	relation_not_waiting(w, t);
}

static void feed_close(struct world *w, const struct fact *fact)
{
	struct thread_machine *t = fact->thread;

	if (t && facts_count(w, process_of(t), fact->ts)) {
		prove_in_syscall(w, t, fact->ts);
		loop_prove_outside(w, t, fact->ts);
	}
	if (t)
		loop_close(w, t, fact->event->epoll_close.epfd, fact->ts);
}

static int feed_epoll(struct world *w, const struct fact *fact)
{
	bool enter = fact->event->hdr.type == EV_EPOLL_ENTER;
	uint32_t epfd = enter ? fact->event->epoll_enter.epfd : fact->event->epoll_exit.epfd;
	struct thread_machine *t = fact->thread;
	int err;

	if (!t)
		return 0;
	err = enter || loop_is_unbound(t) ? loop_wait_on(w, t, epfd, fact->ts) : 0;
	if (err < 0 || !facts_count(w, process_of(t), fact->ts))
		return err;
	prove_in_syscall(w, t, fact->ts);
	if (enter)
		loop_enter(w, t, &fact->event->epoll_enter, fact->ts);
	else
		loop_exit(w, t, epfd, fact->ts);
	return 0;
}

static int32_t sysno_of_state(const struct ev_state *event)
{
	unsigned int flags = event->hdr.flags;

	if (flags & EVF_STATE_STOPPED)
		return SYSNO_STOPPED;
	if (flags & EVF_STATE_TRACED)
		return SYSNO_TRACED;
	if (flags & EVF_STATE_GIL_MUTEX)
		return SYSNO_GIL;
	return (flags & EVF_STATE_SYSCALL) && event->sysno >= 0 ? event->sysno : SYSNO_UNKNOWN;
}

/* A snapshot counts only if the thread had no fact since the earliest instant that it can be from,
 * and it does not change what is known already. */
static int feed_state(struct world *w, const struct fact *fact)
{
	const struct ev_state *event = &fact->event->state;
	uint64_t since = fact_since(fact, event->span_ns);
	struct thread_machine *t = fact->thread;
	unsigned int flags = event->hdr.flags;
	int err;

	if (!t || !(flags & EVF_STATE_ASLEEP) || !snapshot_counts(w, t, since))
		return 0;
	if (t->sched != SCHED_UNKNOWN && t->sched != SCHED_ASLEEP)
		return 0;
	if ((flags & EVF_STATE_EPOLL) && t->place == PLACE_UNKNOWN) {
		err = loop_wait_on(w, t, event->epfd, fact->ts);
		if (err < 0)
			return err;
	}
	if (t->sched == SCHED_UNKNOWN) {
		t->sysno = sysno_of_state(event);
		t->file = 0;
		sched_set(w, t, SCHED_ASLEEP, CPU_NONE, fact->ts);
	}
	loop_snapshot(w, t, flags & EVF_STATE_EPOLL, event->epfd);
	if (!(flags & EVF_STATE_GIL_MUTEX)) /* otherwise it may be waiting or holding */
		relation_snapshot(w, t, fact->gil, flags & EVF_STATE_GIL_WAIT, fact->ts);
	return 0;
}

/* A site of an unknown GIL: from here on the thread may hold that one. */
static void feed_unknown_gil(struct world *w, const struct fact *fact)
{
	struct thread_machine *t = fact->thread;

	if (!t)
		return;
	foreign_count(w, t, fact->event->unknown_gil.address);
	if (!facts_count(w, process_of(t), fact->ts))
		return;
	t->ts_fact = fact->ts;
	sched_prove(w, t, fact->ts);
	if (t->relation == REL_NONE)
		relation_set(w, t, REL_UNKNOWN);
}

/* ── feeding ─────────────────────────────────────────────────────────────── */

static int feed_cpu(struct world *w, const struct fact *fact)
{
	unsigned int type = fact->event->hdr.type;
	int err = cpu_ensure(w, fact->event->hdr.aux);

	if (err < 0)
		return err;
	if (type == EV_RUN && w->begun && fact->ts >= w->any_loss.ts)
		cpu_run(w, &fact->event->run, fact->ts);
	else if (type != EV_RUN && fact->thread &&
		 facts_count(w, process_of(fact->thread), fact->ts))
		sched_feed(w, fact);
	else if (type == EV_SWITCH_IN)
		cpu_unknown(w, fact->event->hdr.aux, fact->ts);
	return 0;
}

static int dispatch_names(struct world *w, const struct fact *fact)
{
	switch (fact->event->hdr.type) {
	case EV_SIGNAL:
		signal_feed(w, fact);
		return 0;
	case EV_DEATH:
		death_feed(fact);
		return 0;
	case EV_CRASH:
		crash_feed(w, fact);
		return 0;
	case EV_BEGAN:
		thread_began(w, fact->thread, fact->event->began.since);
		return 0;
	case EV_STACK:
		stack_feed(w, fact);
		return 0;
	case EV_STILL:
		still_feed(w, fact);
		return 0;
	case EV_NATIVE:
		native_feed(w, fact);
		return 0;
	case EV_GC_BEGIN:
	case EV_GC_END:
		gc_feed(w, fact);
		return 0;
	case EV_RUNS_LOOP:
		return loop_feed_runs(w, fact);
	case EV_PYTHON_NAME:
		name_feed(w, fact);
		return 0;
	case EV_EPOLL_CLOSE:
		feed_close(w, fact);
		return 0;
	case EV_SLEEPS_ON:
		sched_sleeps_on(w, fact);
		return 0;
	case EV_FUTEX:
	case EV_PARK:
		lock_feed(w, fact);
		return 0;
	case EV_UNREAD:
		w->unread += fact->event->unread.count;
		return 0;
	case EV_UNSAMPLED:
		w->unsampled += fact->event->unsampled.count;
		return 0;
	default:
		return 0;
	}
}

static int dispatch(struct world *w, struct fact *fact)
{
	switch (fact->event->hdr.type) {
	case EV_TAKE:
	case EV_DROP:
	case EV_WAIT:
	case EV_WAIT_END:
	case EV_OBSERVE:
		return feed_gil(w, fact);
	case EV_SWITCH_IN:
	case EV_SWITCH_OUT:
	case EV_WAKE:
	case EV_MIGRATE:
	case EV_RUN:
	case EV_GAP:
	case EV_QUEUED:
		return feed_cpu(w, fact);
	case EV_EPOLL_ENTER:
	case EV_EPOLL_EXIT:
		return feed_epoll(w, fact);
	case EV_EPOLL:
		return loop_declare(w, fact);
	case EV_CHILD:
		return child_feed(w, fact);
	case EV_GIL:
		return gil_declare(w, fact);
	case EV_THREAD:
		return thread_feed(w, fact);
	case EV_COMM:
		return comm_feed(w, fact);
	case EV_THREAD_EXIT:
		if (fact->thread)
			thread_exit(w, fact->thread, fact->ts);
		return 0;
	case EV_PROCESS_EXIT:
		process_exit(w, fact->process, fact->ts);
		return 0;
	case EV_STATE:
		return feed_state(w, fact);
	case EV_LOST:
		loss_feed(w, fact);
		return 0;
	case EV_WINDOW:
		if (!(fact->event->hdr.flags & EVF_WINDOW_END))
			window_begin(w, fact->ts);
		else if (w->begun)
			world_end(w, fact->ts);
		return 0;
	case EV_UNKNOWN_GIL:
		feed_unknown_gil(w, fact);
		return 0;
	default:
		return dispatch_names(w, fact);
	}
}

/* Whom an event is about, by what events.def says of its hdr.aux and hdr.tid. */
enum { OF_THREAD = 1, OF_GIL = 2, OF_PROCESS = 4 };
#define IS(word, other) (__builtin_strcmp(word, other) == 0)
static const uint8_t SUBJECTS[EV_COUNT] = {
#define EVENT(id, NAME, name, aux, tid, doc)                                                       \
	[id] = (IS(#tid, "thread") || IS(#tid, "observer") || IS(#tid, "task") ? OF_THREAD : 0) |  \
	       (IS(#tid, "process") ? OF_PROCESS : 0) | (IS(#aux, "gil") ? OF_GIL : 0),
#include "bpf/events.def"
};

/* Before anything becomes known of it, evidence of its process begins. */
static inline struct process_entry *settled(struct world *w, struct process_entry *process)
{
	if (process && is_blind(w, process))
		evidence_settle(w, process);
	return process;
}

static inline struct fact fact_of(struct world *w, const union event *event)
{
	const struct event_hdr *hdr = &event->hdr;
	unsigned int of = hdr->type < EV_COUNT ? SUBJECTS[hdr->type] : 0;
	struct fact fact = {.event = event, .ts = w->now};

	if (of & OF_GIL)
		fact.gil = gil_find(w, hdr->aux);
	if (fact.gil)
		settled(w, gil_process(fact.gil));
	if (of & OF_PROCESS)
		fact.process = settled(w, process_find(w, hdr->tid));
	if (of & OF_THREAD)
		fact.thread = thread_find(w, hdr->tid);
	return fact;
}

int world_feed(struct world *w, const union event *event)
{
	struct fact fact;
	int err;

	if (w->ended)
		return 0;
	w->events++;
	if (event->hdr.ts > w->now)
		w->now = event->hdr.ts;
	fact = fact_of(w, event);
	err = end_when_full(w, dispatch(w, &fact));
	if (!w->ended)
		world_settle(w, w->now);
	return err;
}

static int feed_event(void *ctx, const union event *event)
{
	return world_feed(ctx, event);
}

struct stream_sink world_sink(struct world *world)
{
	return (struct stream_sink){.process = feed_process, .event = feed_event, .ctx = world};
}
