/* SPDX-License-Identifier: MIT */
/*
 * The model's promise, "right or unknown, never wrong", tested on simulated worlds whose truth is
 * known (tests/sim/gilsim.h).
 *
 * MODEL_SIM_SEED=n runs one seed, MODEL_SIM_SEEDS=n that many of each kind. A failure prints its
 * seed.
 */
#include "model/checkpoint/checkpoint.h"
#include "stream/keep.h"
#include "tests/unit/model/model_truth.h"

/* ── feeding ─────────────────────────────────────────────────────────────── */

/* Notes which machines of the thread know their state since this event. */
static void note_evidence(struct check *c, const union event *event)
{
	const struct thread *thread = world_thread(c->world, event->hdr.tid);
	struct checked_thread *checked = thread ? thread->data : NULL;
	bool gil = event->hdr.type >= EV_TAKE && event->hdr.type <= EV_WAIT_END,
	     epoll = event->hdr.type == EV_EPOLL_ENTER || event->hdr.type == EV_EPOLL_EXIT;
	bool sched = event->hdr.type == EV_SWITCH_IN || event->hdr.type == EV_SWITCH_OUT;

	if (!checked)
		return;
	if ((event->hdr.type == EV_GC_BEGIN || event->hdr.type == EV_GC_END) && !checked->gc_known)
		checked->gc_known = c->now;
	if ((gil || epoll || sched) && !checked->evidence[0])
		checked->evidence[0] = c->now;
	if (gil && !checked->evidence[1])
		checked->evidence[1] = c->now;
	if ((gil || epoll) && !checked->evidence[2])
		checked->evidence[2] = c->now;
}

/* Since when that kind of span is known of the thread whose life covers the span; 0: it is
 * unknown. */
static uint64_t known_since(const struct check *c, const struct sim_span *span, bool is_turn)
{
	for (uint32_t i = 0; i < c->thread_count; i++) {
		const struct checked_thread *checked = &c->threads[i];

		if (checked->thread->tid == span->tid && checked->begin <= span->start &&
		    span->end <= checked->end)
			return is_turn ? checked->loop_known : checked->evidence[1];
	}
	return 0;
}

static void expect_all_emitted(struct check *c, const struct sim_spans *spans, bool is_turn)
{
	for (uint32_t n = 0; n < spans->count; n++) {
		const struct sim_span *span = &spans->at[n];
		const struct sim *s = c->sim;
		uint64_t since = known_since(c, span, is_turn);

		if (span->end > c->sim->end || !since || since >= span->start ||
		    (is_turn && span->handoff) ||
		    (spans == &s->waits && s->partial &&
		     s->threads[span->tid - SIM_PID].waits_oddly))
			continue;
		EXPECT(c, span->emitted, "not emitted: thread %u [%llu, %llu]", span->tid,
		       (unsigned long long)span->start, (unsigned long long)span->end);
	}
}

static struct totals {
	uint64_t ns[TS_COUNT], sampled_ns, holds, waits, turns, runs, samples, gc_ns, events,
		contradictions;
} totals;

/* All spans that lie wholly in the window have been emitted as whole. */
static void compare_totals(struct check *c)
{
	struct sim *s = c->sim;
	uint32_t position = 0;

	for (const struct gil *gil; (gil = world_next_gil(c->world, &position));)
		EXPECT(c, !gil->violations, "%llu violations", (unsigned long long)gil->violations);
	EXPECT(c, c->unreported || !world_window(c->world).contradictions, "%llu contradictions",
	       (unsigned long long)world_window(c->world).contradictions);
	for (uint32_t i = 0; i < c->thread_count; i++)
		EXPECT(c, c->threads[i].thread->gone || c->threads[i].end == s->end,
		       "thread %u is emitted until %llu only", c->threads[i].thread->tid,
		       (unsigned long long)c->threads[i].end);
	totals.contradictions += world_window(c->world).contradictions;
	if (c->unreported)
		expect_all_emitted(c, &s->holds, false);
	if (!c->lossless)
		return;
	for (uint32_t g = 0; g < s->gils_used; g++)
		/* without returns from epoll it may be known later that a thread does not wait;
		   and see find_span() */
		EXPECT(c,
		       s->tracing == SIM_TRACED && !s->partial
			       ? c->contention_ns[g] == true_contention(s, g)
			       : c->contention_ns[g] <= true_contention(s, g),
		       "contended for %llu, not %llu", (unsigned long long)c->contention_ns[g],
		       (unsigned long long)true_contention(s, g));
	expect_all_emitted(c, &s->waits, false);
	if (s->tracing != SIM_ASLEEP && !c->noted)
		expect_all_emitted(c, &s->turns, true);
	if (!s->partial)
		expect_all_emitted(c, &s->holds, false);
}

/* ── the history window ──────────────────────────────────────────────────── */

static int push_process(void *ctx, const struct process_info *info)
{
	return 0;
}

static int push_event(void *ctx, const union event *event)
{
	struct sim *sim = ctx;

	/* a traced thread has a CPU by its SWITCH_IN */
	if (event->hdr.type == EV_RUN)
		assert_true(!event->hdr.tid || event->hdr.tid >= SIM_FOREIGN);
	SIM_PUSH(sim->events, (struct sim_event){*event, true});
	return 0;
}

/* Replaces the simulation's events by those of a recording of its history window. */
static void keep_last(struct sim *sim)
{
	const struct stream_sink to = {.process = push_process, .event = push_event, .ctx = sim};
	struct keep *keep = keep_new(sim_random(sim, (uint32_t)(sim->end - sim->begin)), 0,
				     checkpoint_state(sim->partial ? MODE_EDGES : MODE_EXACT),
				     NULL);
	struct stream_sink sink;

	assert_non_null(keep);
	sink = keep_sink(keep);
	for (uint32_t i = 0; i < sim->events.count; i++)
		assert_int_equal(sink_event(&sink, &sim->events.at[i].event), 0);
	sim->events.count = 0;
	assert_int_equal(keep_write(keep, &to), 0);
	assert_true(keep_begin(keep) >= sim->begin);
	sim->begin = keep_begin(keep);
	keep_free(keep);
}

/* How the waits of loops are traced in the worlds that follow. */
static enum sim_tracing tracing;

enum wakes { REPORTED, UNREPORTED, NOTED };

static void run_seed(uint64_t seed, bool partial, uint32_t losses, uint32_t snapshots, bool kept,
		     enum wakes wakes)
{
	bool unreported = wakes == UNREPORTED;
	static struct sim sim;
	static struct check c;
	const struct model_sink sink = {.thread = on_thread,
					.loop = on_loop,
					.interval = on_interval,
					.sample = on_sample,
					.hold = on_hold,
					.wait = on_wait,
					.contention = on_contention,
					.waiters = on_waiters,
					.run = on_run,
					.turn_begin = on_turn_begin,
					.turn_cancel = on_turn_cancel,
					.turn = on_turn,
					.ctx = &c};

	sim_init(&sim, seed, partial);
	sim.tracing = tracing;
	sim.apart = sim.gils_used == 2 && seed % 2;
	sim_run(&sim, kept ? 3000 : 1200, snapshots);
	sim_lose(&sim, losses ? sim_random(&sim, losses) : 0);
	sim_finish(&sim);
	if (kept)
		keep_last(&sim);
	if (wakes != REPORTED)
		sim_drop_wakes(&sim, 8, wakes == NOTED);
	memset(&c, 0, sizeof(c));
	c = (struct check){.sim = &sim,
			   .seed = seed,
			   .lossless = !losses && !kept && !unreported,
			   .unreported = unreported,
			   .noted = wakes == NOTED,
			   .world = world_new(sink, partial ? MODE_EDGES : MODE_EXACT)};
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

/* Runs the seeds, and checks that the worlds were worth it: every state, and whole holds, waits,
 * turns and runs, were emitted. */
static void run_seeds_of(bool partial, uint32_t losses, uint32_t snapshots, bool kept,
			 enum wakes wakes)
{
	const struct sim_seeds seeds = sim_seeds("MODEL_SIM_SEED", "MODEL_SIM_SEEDS", 500);

	memset(&totals, 0, sizeof(totals));
	for (uint64_t seed = seeds.first; seed < seeds.first + seeds.count; seed++)
		run_seed(seed, partial, losses, snapshots, kept, wakes);
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
	if (seeds.single)
		return;
	for (int n = 0; n < TS_COUNT; n++)
		assert_true(totals.ns[n] > 0);
	assert_true(partial == (totals.sampled_ns > 0));
	/* partial: whole holds are those that some thread slept through */
	assert_true(totals.holds > seeds.count / (partial ? 4 : 1) && totals.waits > seeds.count &&
		    (totals.turns > seeds.count || tracing == SIM_ASLEEP) &&
		    totals.runs > seeds.count);
	assert_true(totals.samples > seeds.count && totals.gc_ns > seeds.count);
	assert_true((wakes == UNREPORTED) == (totals.contradictions > seeds.count));
}

static void run_seeds(bool partial, uint32_t losses, uint32_t snapshots, bool kept)
{
	run_seeds_of(partial, losses, snapshots, kept, REPORTED);
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

static void with_missing_wake_ups_holders_and_turns_are_right(void **state)
{
	run_seeds_of(false, 0, 0, false, UNREPORTED);
}

static void with_wake_ups_that_the_kernel_only_noted_all_is_right(void **state)
{
	/* of partial GILs, a wake-up that is not reported may be that by which a drop is seen */
	run_seeds_of(false, 0, 0, false, NOTED);
}

static void contended_transitions_and_snapshots_alone_are_right_or_unknown_or_sampled(void **state)
{
	run_seeds(true, 0, 30, false);
}

static void contended_transitions_and_snapshots_alone_with_losses_too(void **state)
{
	run_seeds(true, 12, 30, false);
}

/* The same as above, for a window that begins with a checkpoint. */
static void the_history_window_is_right_and_its_begin_is_known(void **state)
{
	run_seeds(false, 0, 30, true);
	assert_true(totals.ns[TS_UNKNOWN] < totals_ns() / 30);
}

static void the_history_window_with_losses_is_right_or_unknown(void **state)
{
	run_seeds(false, 12, 30, true);
}

static void the_history_window_of_contended_transitions_and_snapshots_alone(void **state)
{
	run_seeds(true, 12, 30, true);
}

/* All of the above, with other evidence of the loops' waits. */
static void run_traced(enum sim_tracing as)
{
	tracing = as;
	run_seeds(false, 0, 0, false);
	run_seeds(false, 0, 30, false);
	run_seeds(false, 12, 30, false);
	run_seeds_of(false, 0, 0, false, UNREPORTED);
	run_seeds(true, 0, 30, false);
	run_seeds(true, 12, 30, false);
	run_seeds(false, 12, 30, true);
	run_seeds(true, 12, 30, true);
	tracing = SIM_TRACED;
}

static void waits_whose_return_is_not_traced_are_as_good(void **state)
{
	run_traced(SIM_ALONE);
}

static void waits_that_are_seen_asleep_only_have_no_turns(void **state)
{
	run_traced(SIM_ASLEEP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_loss_all_is_right_and_known_from_the_first_fact_on),
		cmocka_unit_test(with_snapshots_all_is_right),
		cmocka_unit_test(with_losses_all_is_right_or_unknown),
		cmocka_unit_test(with_losses_and_snapshots_all_is_right_or_unknown),
		cmocka_unit_test(with_missing_wake_ups_holders_and_turns_are_right),
		cmocka_unit_test(with_wake_ups_that_the_kernel_only_noted_all_is_right),
		cmocka_unit_test(
			contended_transitions_and_snapshots_alone_are_right_or_unknown_or_sampled),
		cmocka_unit_test(contended_transitions_and_snapshots_alone_with_losses_too),
		cmocka_unit_test(the_history_window_is_right_and_its_begin_is_known),
		cmocka_unit_test(the_history_window_with_losses_is_right_or_unknown),
		cmocka_unit_test(the_history_window_of_contended_transitions_and_snapshots_alone),
		cmocka_unit_test(waits_whose_return_is_not_traced_are_as_good),
		cmocka_unit_test(waits_that_are_seen_asleep_only_have_no_turns),
	};

	return cmocka_run_group_tests_name("model_sim", tests, NULL, NULL);
}
