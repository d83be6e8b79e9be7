/* SPDX-License-Identifier: MIT */
/*
 * Compares the model's output with the truth of a simulated world (tests/sim/gilsim.h): the
 * callbacks of a model_sink, for model_sim.c. Output that is neither right nor unknown fails the
 * test and prints the seed.
 */
#ifndef TESTS_MODEL_TRUTH_H
#define TESTS_MODEL_TRUTH_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "tests/sim/gilrun.h"

struct check {
	struct sim *sim;
	struct world *world;
	uint64_t seed, now;
	bool lossless, unreported; /* unreported: wake-ups are missing, without a LOST event */
	bool noted;		   /* … and the kernel's own notes say when they were (QUEUED) */
	struct checked_thread {
		const struct thread *thread;
		bool emitted, turn, possible;
		uint64_t begin, end, loop_known,
			evidence[3]; /* of scheduling, of the relation, of the place */
		uint64_t ts_turn, turn_ns, turn_end;
		uint32_t segment;
		uint64_t
			gc_known; /* the first begin or end of a garbage collection in the window */
	} threads[4096];
	uint32_t thread_count;
	uint64_t hold_end[SIM_GILS], wait_end[SIM_GILS], ts_waiters[SIM_GILS], ready_end[SIM_CPUS],
		run_end[SIM_CPUS];
	uint64_t ns[TS_COUNT], sampled_ns, whole_holds, whole_waits, whole_turns, runs,
		contention_ns[SIM_GILS], samples, gc_ns;
};

#define EXPECT(c, condition, ...)                                                                  \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr,                                                            \
				"MODEL_SIM_SEED=%llu: at %llu: ", (unsigned long long)(c)->seed,   \
				(unsigned long long)(c)->now);                                     \
			fprintf(stderr, __VA_ARGS__);                                              \
			fprintf(stderr, "\n");                                                     \
			fail_msg("%s", #condition);                                                \
		}                                                                                  \
	} while (0)

static struct checked_thread *checked_of(struct check *c, const struct thread *thread)
{
	return thread->data;
}

static void on_thread(void *ctx, struct thread *thread)
{
	struct check *c = ctx;
	struct checked_thread *checked = &c->threads[c->thread_count++];

	assert_true(c->thread_count <= 4096);
	checked->thread = thread;
	checked->begin = checked->end = c->now > c->sim->begin ? c->now : c->sim->begin;
	thread->data = checked;
}

static void on_loop(void *ctx, struct loop *loop)
{
	struct check *c = ctx;

	checked_of(c, loop->thread)->loop_known = c->now;
}

/* ── intervals ───────────────────────────────────────────────────────────── */

/* What was emitted before it was known that the thread had been woken. */
static bool is_late(const struct interval *i, const struct sim_segment *truth)
{
	return truth->state == TS_HELD_RUNNABLE
		       ? i->state == TS_HELD_BLOCKED
		       : truth->state == TS_RUNNABLE &&
				 (i->state == TS_BLOCKED || i->state == TS_IDLE);
}

static bool agrees(const struct check *c, const struct interval *i, const struct sim_segment *truth,
		   const struct checked_thread *checked)
{
	bool holds = thread_state_holds((enum thread_state)truth->state);

	if (interval_holds(i) && !i->sampled && (!holds || i->gil->index != truth->gil))
		return false;
	/* the holder of the GIL is known even where the scheduling is unknown */
	if (c->unreported && holds && checked->evidence[1] && checked->evidence[1] <= i->start &&
	    !interval_holds(i))
		return false;
	if (i->state == TS_UNKNOWN || c->unreported)
		return true;
	if (i->sampled)
		return (i->state == TS_PYTHON || i->state == TS_NATIVE) &&
		       (truth->state == TS_PYTHON || truth->state == TS_NATIVE || truth->retries) &&
		       (i->cpu == CPU_NONE || i->cpu == truth->cpu);
	/* until a loop is known to be one, its wait is an ordinary system call */
	if (truth->state == TS_IDLE && i->state == TS_BLOCKED)
		return !i->thread->loop || checked->loop_known >= i->end;
	if (i->state != truth->state && !(c->noted && is_late(i, truth)))
		return false;
	if ((thread_state_holds(i->state) || i->state == TS_GIL_WAIT) &&
	    (!i->gil || i->gil->index != truth->gil))
		return false;
	if (i->cpu != CPU_NONE && i->cpu != truth->cpu)
		return false;
	if (sysno_is_stop(i->sysno))
		return i->sysno == truth->sysno;
	return (i->state != TS_BLOCKED && i->state != TS_HELD_BLOCKED && i->state != TS_IDLE) ||
	       i->sysno == SYSNO_UNKNOWN || i->sysno == truth->sysno;
}

static void compare_truth(struct check *c, const struct interval *i, struct checked_thread *checked)
{
	const struct sim_thread *t = &c->sim->threads[i->thread->tid - SIM_PID];
	uint32_t n = checked->segment;

	while (n + 1 < t->log.count && t->log.at[n + 1].ts <= i->start)
		n++;
	checked->segment = n;
	for (; n < t->log.count && t->log.at[n].ts < i->end; n++) {
		const struct sim_segment *truth = &t->log.at[n];

		EXPECT(c, agrees(c, i, truth, checked),
		       "thread %u [%llu, %llu] is reported %s gil %d cpu %d sysno %d, at %llu it "
		       "is %s "
		       "gil %d cpu %d sysno %d",
		       i->thread->tid, (unsigned long long)i->start, (unsigned long long)i->end,
		       thread_state_name(i->state), i->gil ? i->gil->index : -1, i->cpu, i->sysno,
		       (unsigned long long)truth->ts,
		       truth->state == SIM_GONE ? "gone" : thread_state_name(truth->state),
		       truth->gil, truth->cpu, truth->sysno);
		EXPECT(c,
		       i->gc ? truth->gc
			     : !truth->gc || !c->lossless || i->start < checked->gc_known ||
				       !checked->gc_known,
		       "thread %u collects garbage: %d, not %d", i->thread->tid, truth->gc, i->gc);
	}
}

/* Without losses, nothing is unknown once every machine of the thread has had its first event. */
static void compare_evidence(struct check *c, const struct interval *i,
			     const struct checked_thread *checked)
{
	if (!c->lossless || c->sim->partial || i->state != TS_UNKNOWN)
		return;
	for (int n = 0; n < 3; n++)
		if (!checked->evidence[n] || checked->evidence[n] >= i->end)
			return;
	EXPECT(c, false, "thread %u is unknown in [%llu, %llu] with evidence since %llu %llu %llu",
	       i->thread->tid, (unsigned long long)i->start, (unsigned long long)i->end,
	       (unsigned long long)checked->evidence[0], (unsigned long long)checked->evidence[1],
	       (unsigned long long)checked->evidence[2]);
}

/* Everything that explains a closed interval has been emitted before it. */
static void compare_order(struct check *c, const struct interval *i)
{
	if (thread_state_holds(i->state)) {
		EXPECT(c, i->start >= c->hold_end[i->gil->index],
		       "two holders: one from %llu, another until %llu",
		       (unsigned long long)i->start,
		       (unsigned long long)c->hold_end[i->gil->index]);
		c->hold_end[i->gil->index] = i->end;
		EXPECT(c, i->start >= c->wait_end[i->gil->index],
		       "a hold from %llu is emitted after a wait that ended at %llu",
		       (unsigned long long)i->start,
		       (unsigned long long)c->wait_end[i->gil->index]);
	}
	if (i->state == TS_GIL_WAIT && i->end > c->wait_end[i->gil->index])
		c->wait_end[i->gil->index] = i->end;
	if ((i->state == TS_RUNNABLE || i->state == TS_HELD_RUNNABLE) && i->cpu != CPU_NONE &&
	    i->end > c->ready_end[i->cpu])
		c->ready_end[i->cpu] = i->end;
}

/* At the end of an interval in which a thread was ready, the occupant of the CPU has been emitted
 * until then, if it is reported at all. */
static void compare_runs(struct check *c, const struct interval *i)
{
	const struct sim_cpu *cpu;
	bool reporting = false;

	if (!c->lossless || c->noted || (i->state != TS_RUNNABLE && i->state != TS_HELD_RUNNABLE))
		return;
	cpu = &c->sim->cpus[i->cpu];
	for (uint32_t n = 0; n < cpu->reporting.count && cpu->reporting.at[n].ts < i->end; n++)
		reporting = cpu->reporting.at[n].value;
	EXPECT(c, !reporting || c->run_end[i->cpu] == i->end,
	       "thread %u was ready for cpu %u until %llu, its runs are emitted until %llu",
	       i->thread->tid, i->cpu, (unsigned long long)i->end,
	       (unsigned long long)c->run_end[i->cpu]);
}

static void on_interval(void *ctx, const struct interval *i)
{
	struct check *c = ctx;
	struct checked_thread *checked = checked_of(c, i->thread);

	EXPECT(c, i->start < i->end && i->end <= c->now, "an interval [%llu, %llu]",
	       (unsigned long long)i->start, (unsigned long long)i->end);
	EXPECT(c, i->start == checked->end,
	       "a gap: thread %u was emitted until %llu, now from %llu", i->thread->tid,
	       (unsigned long long)checked->end, (unsigned long long)i->start);
	EXPECT(c, i->state == i->thread->state, "the thread's state is still the interval's");
	checked->end = i->end;
	checked->emitted = true;
	c->ns[i->state] += i->end - i->start;
	c->sampled_ns += i->sampled ? i->end - i->start : 0;
	c->gc_ns += i->gc ? i->end - i->start : 0;
	if (i->in_turn && checked->turn)
		checked->turn_ns += i->end - i->start;
	if (i->in_turn && !checked->turn)
		EXPECT(c, false,
		       "thread %u: an interval of a turn that has not begun, [%llu, %llu]",
		       i->thread->tid, (unsigned long long)i->start, (unsigned long long)i->end);
	compare_order(c, i);
	compare_runs(c, i);
	compare_truth(c, i, checked);
	compare_evidence(c, i, checked);
}

/* A sample has the stack of its thread, and comes when the thread's time until then has been
 * emitted. */
static void on_sample(void *ctx, const struct sample *sample)
{
	struct check *c = ctx;

	EXPECT(c, sample->stack == sample->thread->tid, "a stack of thread %u is attributed to %u",
	       sample->stack, sample->thread->tid);
	EXPECT(c, checked_of(c, sample->thread)->end == sample->ts && sample->ts == c->now,
	       "a stack of %llu when all is emitted until %llu", (unsigned long long)sample->ts,
	       (unsigned long long)checked_of(c, sample->thread)->end);
	EXPECT(c,
	       !sample->seen_by || (sample->gil && gil_last_holder(sample->gil) == sample->thread),
	       "not the holder");
	c->samples++;
}

/* ── holds, waits, contention, runs ──────────────────────────────────────── */

/* The true span that contains this one; for a whole one, the equal span. */
static const struct sim_span *find_span(struct check *c, struct sim_spans *spans, uint32_t tid,
					uint8_t gil, uint64_t start, uint64_t end, bool whole)
{
	/* who has slept on the mutex seems to wait no longer when it has a CPU again */
	bool pieces = spans == &c->sim->waits && c->sim->partial &&
		      c->sim->threads[tid - SIM_PID].waits_oddly;

	for (uint32_t n = 0; n < spans->count; n++) {
		struct sim_span *span = &spans->at[n];

		if (span->tid != tid || span->gil != gil)
			continue;
		/* of a wait that ended before evidence began, only the TAKE is known */
		if (whole && !pieces
			    ? (span->start != start && span->start + span->take_ns != start) ||
				      span->end != end
			    : span->start > start || end > span->end)
			continue;
		EXPECT(c, !whole || pieces || !span->emitted, "emitted twice");
		span->emitted |= whole;
		return span;
	}
	EXPECT(c, false, "no such span of thread %u: [%llu, %llu] %s", tid,
	       (unsigned long long)start, (unsigned long long)end, whole ? "whole" : "not whole");
	return NULL;
}

static void on_hold(void *ctx, const struct hold *hold)
{
	struct check *c = ctx;
	const struct sim_span *truth = find_span(c, &c->sim->holds, hold->thread->tid,
						 (uint8_t)hold->gil->index, hold->start, hold->end,
						 hold->whole);

	EXPECT(c, !hold->handoff || !hold->whole || truth->handoff, "no handoff");
	c->whole_holds += hold->whole;
}

static void on_wait(void *ctx, const struct gil_wait *wait)
{
	struct check *c = ctx;

	find_span(c, &c->sim->waits, wait->thread->tid, (uint8_t)wait->gil->index, wait->start,
		  wait->end, wait->whole);
	c->whole_waits += wait->whole;
}

/* The first instant of the window at which nobody waits. From then on all waits are known from
 * their begin. */
static uint64_t first_calm(const struct sim *s, uint32_t g)
{
	const struct sim_change *change = s->gils[g].waiting.at;
	uint64_t since = s->gils[g].known > s->begin ? s->gils[g].known : s->begin;
	uint32_t n = 0, count = s->gils[g].waiting.count;

	while (n < count && (change[n].value || (n + 1 < count && change[n + 1].ts <= since)))
		n++;
	return n < count && change[n].ts > since ? change[n].ts : n < count ? since : UINT64_MAX;
}

static uint64_t true_contention(const struct sim *s, uint32_t g)
{
	const struct sim_change *change = s->gils[g].waiting.at;
	uint64_t ns = 0, calm = first_calm(s, g);

	for (uint32_t n = 0; n < s->gils[g].waiting.count; n++)
		if (change[n].value && change[n].ts >= calm)
			ns += (n + 1 < s->gils[g].waiting.count ? change[n + 1].ts : s->end) -
			      change[n].ts;
	return ns;
}

static void on_contention(void *ctx, const struct contention *contention)
{
	struct check *c = ctx;
	const uint32_t g = contention->gil->index;
	const struct sim_change *change = c->sim->gils[g].waiting.at;
	uint32_t n = 0;

	while (n + 1 < c->sim->gils[g].waiting.count && change[n + 1].ts <= contention->start)
		n++;
	EXPECT(c,
	       change[n].value && (n + 1 == c->sim->gils[g].waiting.count ||
				   change[n + 1].ts >= contention->end),
	       "not contended all the time");
	if (contention->start >= first_calm(c->sim, g))
		c->contention_ns[g] += contention->end - contention->start;
}

static void on_waiters(void *ctx, const struct gil *gil, uint64_t ts)
{
	struct check *c = ctx;

	EXPECT(c, ts >= c->ts_waiters[gil->index] && ts <= c->now, "waiters as of %llu",
	       (unsigned long long)ts);
	c->ts_waiters[gil->index] = ts;
}

static void on_run(void *ctx, const struct run *run)
{
	struct check *c = ctx;
	const struct sim_cpu *cpu = &c->sim->cpus[run->cpu];
	uint32_t n = 0;

	EXPECT(c, run->start < run->end && run->start >= c->run_end[run->cpu], "runs overlap");
	EXPECT(c, run->start >= c->ready_end[run->cpu],
	       "a run is emitted after the thread that was ready");
	c->run_end[run->cpu] = run->end;
	while (n + 1 < cpu->log.count && cpu->log.at[n + 1].ts <= run->start)
		n++;
	for (; n < cpu->log.count && cpu->log.at[n].ts < run->end; n++)
		EXPECT(c, cpu->log.at[n].value == run->tid, "cpu %u had %u, not %u", run->cpu,
		       cpu->log.at[n].value, run->tid);
	c->runs++;
}

/* ── turns ───────────────────────────────────────────────────────────────── */

static void on_turn_begin(void *ctx, struct loop *loop)
{
	struct check *c = ctx;
	struct checked_thread *checked = checked_of(c, loop->thread);

	EXPECT(c, !checked->turn, "a turn in a turn");
	checked->turn = true;
	checked->ts_turn = loop->ts_turn;
	checked->turn_ns = 0;
	EXPECT(c, checked->end == loop->ts_turn,
	       "the interval before the turn ends at %llu, the turn begins at %llu",
	       (unsigned long long)checked->end, (unsigned long long)loop->ts_turn);
}

static void on_turn_cancel(void *ctx, struct loop *loop)
{
	struct checked_thread *checked = checked_of(ctx, loop->thread);

	EXPECT((struct check *)ctx, checked->turn, "no turn to cancel");
	checked->turn = false;
}

static void on_turn(void *ctx, const struct turn *turn)
{
	struct check *c = ctx;
	struct checked_thread *checked = checked_of(c, turn->loop->thread);

	EXPECT(c, checked->turn && checked->ts_turn == turn->start, "a turn that has not begun");
	EXPECT(c, checked->turn_ns == turn->end - turn->start,
	       "its intervals add up to %llu of %llu", (unsigned long long)checked->turn_ns,
	       (unsigned long long)(turn->end - turn->start));
	EXPECT(c,
	       turn->ongoing == (turn->ongoing && turn->end == c->sim->end) &&
		       !(turn->ongoing && turn->whole),
	       "ongoing");
	/* before its first sleep there, nothing says that a thread's waits are not traced */
	if (c->sim->tracing != SIM_ASLEEP || !turn->earlier)
		find_span(c, &c->sim->turns, turn->loop->thread->tid, 0, turn->start, turn->end,
			  turn->whole);
	checked->turn = false;
	c->whole_turns += turn->whole;
}

#endif
