/* SPDX-License-Identifier: MIT */
/*
 * The model's promise, "right or unknown, never wrong", held against simulated worlds whose truth
 * is known (tests/sim/gilsim.h).
 *
 * MODEL_SIM_SEED=n runs one seed, MODEL_SIM_SEEDS=n so many of each kind. A failure names its seed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "stream/keep.h"
#include "tests/sim/gilrun.h"

struct check {
	struct sim *sim;
	struct world *world;
	uint64_t seed, now;
	bool lossless, untold; /* untold: wake-ups are missing, and nobody says so */
	struct told_thread {
		const struct thread *thread;
		bool told, turn, possible;
		uint64_t begin, end, loop_known,
			evidence[3]; /* of scheduling, of the relation, of the place */
		uint64_t ts_turn, turn_ns, turn_end;
		uint32_t segment;
		uint64_t gc_known; /* the first begin or end of a run of the collector in the window
				    */
	} threads[4096];
	uint32_t thread_count;
	uint64_t hold_told[SIM_GILS], wait_told[SIM_GILS], ready_told[SIM_CPUS], run_end[SIM_CPUS];
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

static struct told_thread *told_of(struct check *c, const struct thread *thread)
{
	return thread->data;
}

static void on_thread(void *ctx, struct thread *thread)
{
	struct check *c = ctx;
	struct told_thread *told = &c->threads[c->thread_count++];

	assert_true(c->thread_count <= 4096);
	told->thread = thread;
	told->begin = told->end = c->now > c->sim->begin ? c->now : c->sim->begin;
	thread->data = told;
}

static void on_loop(void *ctx, struct loop *loop)
{
	struct check *c = ctx;

	told_of(c, loop->thread)->loop_known = c->now;
}

/* ── intervals ───────────────────────────────────────────────────────────── */

static bool agrees(const struct check *c, const struct interval *i, const struct sim_segment *truth,
		   const struct told_thread *told)
{
	bool holds = thread_state_holds((enum thread_state)truth->state);

	if (interval_holds(i) && !i->sampled && (!holds || i->gil->index != truth->gil))
		return false;
	/* who holds the GIL is known whatever is not known of the scheduling */
	if (c->untold && holds && told->evidence[1] && told->evidence[1] <= i->start &&
	    !interval_holds(i))
		return false;
	if (i->state == TS_UNKNOWN || c->untold)
		return true;
	if (i->sampled)
		return (i->state == TS_PYTHON || i->state == TS_NATIVE) &&
		       (truth->state == TS_PYTHON || truth->state == TS_NATIVE) &&
		       (i->cpu == CPU_NONE || i->cpu == truth->cpu);
	/* until a loop is known to be one, its wait is a system call like others */
	if (truth->state == TS_IDLE && i->state == TS_BLOCKED)
		return !i->thread->loop || told->loop_known >= i->end;
	if (i->state != truth->state)
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

static void compare_truth(struct check *c, const struct interval *i, struct told_thread *told)
{
	const struct sim_thread *t = &c->sim->threads[i->thread->tid - SIM_PID];
	uint32_t n = told->segment;

	while (n + 1 < t->log.count && t->log.at[n + 1].ts <= i->start)
		n++;
	told->segment = n;
	for (; n < t->log.count && t->log.at[n].ts < i->end; n++) {
		const struct sim_segment *truth = &t->log.at[n];

		EXPECT(c, agrees(c, i, truth, told),
		       "thread %u [%llu, %llu] is told %s gil %d cpu %d sysno %d, at %llu it is %s "
		       "gil %d cpu %d sysno %d",
		       i->thread->tid, (unsigned long long)i->start, (unsigned long long)i->end,
		       thread_state_name(i->state), i->gil ? i->gil->index : -1, i->cpu, i->sysno,
		       (unsigned long long)truth->ts,
		       truth->state == SIM_GONE ? "gone" : thread_state_name(truth->state),
		       truth->gil, truth->cpu, truth->sysno);
		EXPECT(c,
		       i->gc ? truth->gc
			     : !truth->gc || !c->lossless || i->start < told->gc_known ||
				       !told->gc_known,
		       "thread %u collects garbage: %d, not %d", i->thread->tid, truth->gc, i->gc);
	}
}

/* Without loss, nothing is unknown once every machine of the thread has seen its first fact. */
static void compare_evidence(struct check *c, const struct interval *i,
			     const struct told_thread *told)
{
	if (!c->lossless || c->sim->partial || i->state != TS_UNKNOWN)
		return;
	for (int n = 0; n < 3; n++)
		if (!told->evidence[n] || told->evidence[n] >= i->end)
			return;
	EXPECT(c, false, "thread %u is unknown in [%llu, %llu] with evidence since %llu %llu %llu",
	       i->thread->tid, (unsigned long long)i->start, (unsigned long long)i->end,
	       (unsigned long long)told->evidence[0], (unsigned long long)told->evidence[1],
	       (unsigned long long)told->evidence[2]);
}

/* What a closed interval needs to be explained has been told before. */
static void compare_order(struct check *c, const struct interval *i)
{
	if (thread_state_holds(i->state)) {
		EXPECT(c, i->start >= c->hold_told[i->gil->index],
		       "two holders: one from %llu, another until %llu",
		       (unsigned long long)i->start,
		       (unsigned long long)c->hold_told[i->gil->index]);
		c->hold_told[i->gil->index] = i->end;
		EXPECT(c, i->start >= c->wait_told[i->gil->index],
		       "a hold from %llu is told after a wait that ended at %llu",
		       (unsigned long long)i->start,
		       (unsigned long long)c->wait_told[i->gil->index]);
	}
	if (i->state == TS_GIL_WAIT && i->end > c->wait_told[i->gil->index])
		c->wait_told[i->gil->index] = i->end;
	if ((i->state == TS_RUNNABLE || i->state == TS_HELD_RUNNABLE) &&
	    i->end > c->ready_told[i->cpu])
		c->ready_told[i->cpu] = i->end;
}

/* At the end of an interval in which a thread was ready, who had the CPU has been told until then,
 * if it was told at all. */
static void compare_runs(struct check *c, const struct interval *i)
{
	const struct sim_cpu *cpu;
	bool telling = false;

	if (!c->lossless || (i->state != TS_RUNNABLE && i->state != TS_HELD_RUNNABLE))
		return;
	cpu = &c->sim->cpus[i->cpu];
	for (uint32_t n = 0; n < cpu->telling.count && cpu->telling.at[n].ts < i->end; n++)
		telling = cpu->telling.at[n].value;
	EXPECT(c, !telling || c->run_end[i->cpu] == i->end,
	       "thread %u was ready for cpu %u until %llu, its runs are told until %llu",
	       i->thread->tid, i->cpu, (unsigned long long)i->end,
	       (unsigned long long)c->run_end[i->cpu]);
}

static void on_interval(void *ctx, const struct interval *i)
{
	struct check *c = ctx;
	struct told_thread *told = told_of(c, i->thread);

	EXPECT(c, i->start < i->end && i->end <= c->now, "an interval [%llu, %llu]",
	       (unsigned long long)i->start, (unsigned long long)i->end);
	EXPECT(c, i->start == told->end, "a gap: thread %u was told until %llu, now from %llu",
	       i->thread->tid, (unsigned long long)told->end, (unsigned long long)i->start);
	EXPECT(c, i->state == i->thread->state, "the thread's state is still the interval's");
	told->end = i->end;
	told->told = true;
	c->ns[i->state] += i->end - i->start;
	c->sampled_ns += i->sampled ? i->end - i->start : 0;
	c->gc_ns += i->gc ? i->end - i->start : 0;
	if (i->in_turn && told->turn)
		told->turn_ns += i->end - i->start;
	if (i->in_turn && !told->turn)
		EXPECT(c, false,
		       "thread %u: an interval of a turn that has not begun, [%llu, %llu]",
		       i->thread->tid, (unsigned long long)i->start, (unsigned long long)i->end);
	compare_order(c, i);
	compare_runs(c, i);
	compare_truth(c, i, told);
	compare_evidence(c, i, told);
}

/* It is the stack of the thread that it is told of, of which all has been told up to then. */
static void on_sample(void *ctx, const struct sample *sample)
{
	struct check *c = ctx;

	EXPECT(c, sample->stack == sample->thread->tid, "a stack of thread %u is told of %u",
	       sample->stack, sample->thread->tid);
	EXPECT(c, told_of(c, sample->thread)->end == sample->ts && sample->ts == c->now,
	       "a stack of %llu when all is told until %llu", (unsigned long long)sample->ts,
	       (unsigned long long)told_of(c, sample->thread)->end);
	EXPECT(c, !sample->seen_by || (sample->gil && sample->gil->holder == sample->thread),
	       "not the holder");
	c->samples++;
}

/* ── holds, waits, contention, runs ──────────────────────────────────────── */

/* The true span that holds this one; a whole one is equal to it. */
static const struct sim_span *find_span(struct check *c, struct sim_spans *spans, uint32_t tid,
					uint8_t gil, uint64_t start, uint64_t end, bool whole)
{
	for (uint32_t n = 0; n < spans->count; n++) {
		struct sim_span *span = &spans->at[n];

		if (span->tid != tid || span->gil != gil)
			continue;
		if (whole ? span->start != start || span->end != end
			  : span->start > start || end > span->end)
			continue;
		EXPECT(c, !whole || !span->told, "told twice");
		span->told |= whole;
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

/* The first instant of the window at which nobody waits: from then on all waits are known from
 * their begin. */
static uint64_t first_calm(const struct sim *s, uint32_t g)
{
	const struct sim_change *change = s->gils[g].waiting.at;
	uint32_t n = 0, count = s->gils[g].waiting.count;

	while (n < count && (change[n].value || (n + 1 < count && change[n + 1].ts <= s->begin)))
		n++;
	return n < count && change[n].ts > s->begin ? change[n].ts
	       : n < count			    ? s->begin
						    : UINT64_MAX;
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

static void on_run(void *ctx, const struct run *run)
{
	struct check *c = ctx;
	const struct sim_cpu *cpu = &c->sim->cpus[run->cpu];
	uint32_t n = 0;

	EXPECT(c, run->start < run->end && run->start >= c->run_end[run->cpu], "runs overlap");
	EXPECT(c, run->start >= c->ready_told[run->cpu], "a run is told after who was ready");
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
	struct told_thread *told = told_of(c, loop->thread);

	EXPECT(c, !told->turn, "a turn in a turn");
	told->turn = true;
	told->ts_turn = loop->ts_turn;
	told->turn_ns = 0;
	EXPECT(c, told->end == loop->ts_turn,
	       "the interval before the turn ends at %llu, the turn begins at %llu",
	       (unsigned long long)told->end, (unsigned long long)loop->ts_turn);
}

static void on_turn_cancel(void *ctx, struct loop *loop)
{
	struct told_thread *told = told_of(ctx, loop->thread);

	EXPECT((struct check *)ctx, told->turn, "no turn to cancel");
	told->turn = false;
}

static void on_turn(void *ctx, const struct turn *turn)
{
	struct check *c = ctx;
	struct told_thread *told = told_of(c, turn->loop->thread);

	EXPECT(c, told->turn && told->ts_turn == turn->start, "a turn that has not begun");
	EXPECT(c, told->turn_ns == turn->end - turn->start, "its intervals add up to %llu of %llu",
	       (unsigned long long)told->turn_ns, (unsigned long long)(turn->end - turn->start));
	EXPECT(c,
	       turn->ongoing == (turn->ongoing && turn->end == c->sim->end) &&
		       !(turn->ongoing && turn->whole),
	       "ongoing");
	find_span(c, &c->sim->turns, turn->loop->thread->tid, 0, turn->start, turn->end,
		  turn->whole);
	told->turn = false;
	c->whole_turns += turn->whole;
}

/* ── feeding ─────────────────────────────────────────────────────────────── */

/* Notes what the event proves about the machines of its thread. */
static void note_evidence(struct check *c, const union event *event)
{
	const struct thread *thread = world_thread(c->world, event->hdr.tid);
	struct told_thread *told = thread ? thread->data : NULL;
	bool gil = event->hdr.type >= EV_TAKE && event->hdr.type <= EV_WAIT_END,
	     epoll = event->hdr.type == EV_EPOLL_ENTER || event->hdr.type == EV_EPOLL_EXIT;
	bool sched = event->hdr.type == EV_SWITCH_IN || event->hdr.type == EV_SWITCH_OUT;

	if (!told)
		return;
	if ((event->hdr.type == EV_GC_BEGIN || event->hdr.type == EV_GC_END) && !told->gc_known)
		told->gc_known = c->now;
	if ((gil || epoll || sched) && !told->evidence[0])
		told->evidence[0] = c->now;
	if (gil && !told->evidence[1])
		told->evidence[1] = c->now;
	if ((gil || epoll) && !told->evidence[2])
		told->evidence[2] = c->now;
}

/* The thread whose life covers the span, and since when that kind of span is known of it; 0: not
 * known. */
static uint64_t known_since(const struct check *c, const struct sim_span *span, bool is_turn)
{
	for (uint32_t i = 0; i < c->thread_count; i++) {
		const struct told_thread *told = &c->threads[i];

		if (told->thread->tid == span->tid && told->begin <= span->start &&
		    span->end <= told->end)
			return is_turn ? told->loop_known : told->evidence[1];
	}
	return 0;
}

static void expect_all_told(struct check *c, const struct sim_spans *spans, bool is_turn)
{
	for (uint32_t n = 0; n < spans->count; n++) {
		const struct sim_span *span = &spans->at[n];
		uint64_t since = known_since(c, span, is_turn);

		if (span->end > c->sim->end || !since || since >= span->start ||
		    (is_turn && span->handoff))
			continue;
		EXPECT(c, span->told, "not told: thread %u [%llu, %llu]", span->tid,
		       (unsigned long long)span->start, (unsigned long long)span->end);
	}
}

static struct totals {
	uint64_t ns[TS_COUNT], sampled_ns, holds, waits, turns, runs, samples, gc_ns, events,
		contradictions;
} totals;

/* All that the window saw whole has been told whole. */
static void compare_totals(struct check *c)
{
	struct sim *s = c->sim;
	uint32_t position = 0;

	for (const struct gil *gil; (gil = world_next_gil(c->world, &position));)
		EXPECT(c, !gil->violations, "%llu violations", (unsigned long long)gil->violations);
	EXPECT(c, c->untold || !world_window(c->world).contradictions, "%llu contradictions",
	       (unsigned long long)world_window(c->world).contradictions);
	for (uint32_t i = 0; i < c->thread_count; i++)
		EXPECT(c, c->threads[i].thread->gone || c->threads[i].end == s->end,
		       "thread %u is told until %llu only", c->threads[i].thread->tid,
		       (unsigned long long)c->threads[i].end);
	totals.contradictions += world_window(c->world).contradictions;
	if (c->untold)
		expect_all_told(c, &s->holds, false);
	if (!c->lossless)
		return;
	for (uint32_t g = 0; g < s->gils_used; g++)
		EXPECT(c, c->contention_ns[g] == true_contention(s, g),
		       "contended for %llu, not %llu", (unsigned long long)c->contention_ns[g],
		       (unsigned long long)true_contention(s, g));
	expect_all_told(c, &s->waits, false);
	expect_all_told(c, &s->turns, true);
	if (!s->partial)
		expect_all_told(c, &s->holds, false);
}

/* ── the last while of it ────────────────────────────────────────────────── */

static int push_process(void *ctx, const struct process_info *info)
{
	return 0;
}

static int push_event(void *ctx, const union event *event)
{
	struct sim *sim = ctx;

	SIM_PUSH(sim->events, (struct sim_event){*event, true});
	return 0;
}

/* The simulation's events become those of a recording of its last while. */
static void keep_last(struct sim *sim)
{
	const struct stream_sink to = {.process = push_process, .event = push_event, .ctx = sim};
	struct keep *keep = keep_new(sim_random(sim, (uint32_t)(sim->end - sim->begin)), 0,
				     sim->partial);
	struct stream_sink sink;

	assert_non_null(keep);
	sink = keep_sink(keep);
	for (uint32_t i = 0; i < sim->events.count; i++)
		assert_int_equal(sink_event(&sink, &sim->events.at[i].event), 0);
	sim->events.count = 0;
	assert_int_equal(keep_write(keep, NULL, &to), 0);
	assert_true(keep_begin(keep) >= sim->begin);
	sim->begin = keep_begin(keep);
	keep_free(keep);
}

static void run_seed(uint64_t seed, bool partial, uint32_t losses, uint32_t snapshots, bool kept,
		     bool untold)
{
	static struct sim sim;
	static struct check c;
	const struct model_sink sink = {.thread = on_thread,
					.loop = on_loop,
					.interval = on_interval,
					.sample = on_sample,
					.hold = on_hold,
					.wait = on_wait,
					.contention = on_contention,
					.run = on_run,
					.turn_begin = on_turn_begin,
					.turn_cancel = on_turn_cancel,
					.turn = on_turn,
					.ctx = &c};

	sim_init(&sim, seed, partial);
	sim_run(&sim, kept ? 3000 : 1200, snapshots);
	sim_lose(&sim, losses ? sim_random(&sim, losses) : 0);
	sim_finish(&sim);
	if (kept)
		keep_last(&sim);
	if (untold)
		sim_drop_wakes(&sim, 8);
	memset(&c, 0, sizeof(c));
	c = (struct check){.sim = &sim,
			   .seed = seed,
			   .lossless = !losses && !kept && !untold,
			   .untold = untold,
			   .world = world_new(sink, partial)};
	assert_non_null(c.world);
	for (uint32_t i = 0; i < sim.events.count; i++) {
		c.now = sim.events.at[i].event.hdr.ts;
		assert_int_equal(world_feed(c.world, &sim.events.at[i].event), 0);
		note_evidence(&c, &sim.events.at[i].event);
		if (i % 97 == 96)
			world_cut(c.world, c.now);
	}
	compare_totals(&c);
	for (int n = 0; n < TS_COUNT; n++)
		totals.ns[n] += c.ns[n];
	totals.sampled_ns += c.sampled_ns;
	totals.holds += c.whole_holds;
	totals.waits += c.whole_waits;
	totals.turns += c.whole_turns;
	totals.runs += c.runs;
	totals.samples += c.samples;
	totals.gc_ns += c.gc_ns;
	totals.events += sim.events.count;
	world_free(c.world);
	sim_done(&sim);
}

/* Runs the seeds and proves that the worlds were worth it: every state, and whole holds, waits,
 * turns and runs, were told. */
static void run_seeds_of(bool partial, uint32_t losses, uint32_t snapshots, bool kept, bool untold)
{
	const char *one = getenv("MODEL_SIM_SEED"), *many = getenv("MODEL_SIM_SEEDS");
	uint64_t first = one ? strtoull(one, NULL, 0) : 1, count = one	  ? 1
								   : many ? strtoull(many, NULL, 0)
									  : 500;

	memset(&totals, 0, sizeof(totals));
	for (uint64_t seed = first; seed < first + count; seed++)
		run_seed(seed, partial, losses, snapshots, kept, untold);
	if (getenv("MODEL_SIM_VERBOSE")) {
		for (int n = 0; n < TS_COUNT; n++)
			fprintf(stderr, "%s %llu\n", thread_state_name((enum thread_state)n),
				(unsigned long long)totals.ns[n]);
		fprintf(stderr,
			"sampled %llu\nholds %llu\nwaits %llu\nturns %llu\nruns %llu\nevents "
			"%llu\n",
			(unsigned long long)totals.sampled_ns, (unsigned long long)totals.holds,
			(unsigned long long)totals.waits, (unsigned long long)totals.turns,
			(unsigned long long)totals.runs, (unsigned long long)totals.events);
	}
	if (one)
		return;
	for (int n = 0; n < TS_COUNT; n++)
		assert_true(totals.ns[n] > 0);
	assert_true(partial == (totals.sampled_ns > 0));
	assert_true(totals.holds > count && totals.waits > count && totals.turns > count &&
		    totals.runs > count);
	assert_true(totals.samples > count && totals.gc_ns > count);
	assert_true(untold == (totals.contradictions > count));
}

static void run_seeds(bool partial, uint32_t losses, uint32_t snapshots, bool kept)
{
	run_seeds_of(partial, losses, snapshots, kept, false);
}

static uint64_t totals_ns(void)
{
	uint64_t ns = 0;

	for (int n = 0; n < TS_COUNT; n++)
		ns += totals.ns[n];
	return ns;
}

static void without_loss_all_is_right_and_known_from_the_first_fact_on(void **state)
{
	run_seeds(false, 0, 0, false);
}

static void with_snapshots_all_is_right(void **state)
{
	run_seeds(false, 0, 30, false);
}

static void with_losses_all_is_right_or_unknown(void **state)
{
	run_seeds(false, 12, 0, false);
}

static void with_losses_and_snapshots_all_is_right_or_unknown(void **state)
{
	run_seeds(false, 12, 30, false);
}

static void with_untold_wake_ups_holders_and_turns_are_right(void **state)
{
	run_seeds_of(false, 0, 0, false, true);
}

static void contended_transitions_and_looks_alone_are_right_or_unknown_or_sampled(void **state)
{
	run_seeds(true, 0, 30, false);
}

static void contended_transitions_and_looks_alone_with_losses_too(void **state)
{
	run_seeds(true, 12, 30, false);
}

/* All of it is the same as before, only later; what it begins with is as right as what was told
 * then. */
static void the_last_while_is_right_and_its_begin_is_known(void **state)
{
	run_seeds(false, 0, 30, true);
	assert_true(totals.ns[TS_UNKNOWN] < totals_ns() / 30);
}

static void the_last_while_with_losses_is_right_or_unknown(void **state)
{
	run_seeds(false, 12, 30, true);
}

static void the_last_while_of_contended_transitions_and_looks_alone(void **state)
{
	run_seeds(true, 12, 30, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_loss_all_is_right_and_known_from_the_first_fact_on),
		cmocka_unit_test(with_snapshots_all_is_right),
		cmocka_unit_test(with_losses_all_is_right_or_unknown),
		cmocka_unit_test(with_losses_and_snapshots_all_is_right_or_unknown),
		cmocka_unit_test(with_untold_wake_ups_holders_and_turns_are_right),
		cmocka_unit_test(
			contended_transitions_and_looks_alone_are_right_or_unknown_or_sampled),
		cmocka_unit_test(contended_transitions_and_looks_alone_with_losses_too),
		cmocka_unit_test(the_last_while_is_right_and_its_begin_is_known),
		cmocka_unit_test(the_last_while_with_losses_is_right_or_unknown),
		cmocka_unit_test(the_last_while_of_contended_transitions_and_looks_alone),
	};

	return cmocka_run_group_tests_name("model_sim", tests, NULL, NULL);
}
