/* SPDX-License-Identifier: MIT */
/*
 * Spans compared with the report of the same simulated world: no gaps, merged, and the same time
 * for every thread, state and stack.
 *
 * SPANS_SEED=n runs one seed, SPANS_SEEDS=n that many of each kind.
 */
#include "tests/sim/spanned.h"

#include <stdlib.h>
#include <string.h>

enum { THREADS = 256, STACKS = SIM_PID + SIM_TIDS, GILS = 8, LOOPS = 64 };

/* The spans, and a digest of them in order. */
static struct output {
	struct {
		SIM_VECTOR(struct interval) states;
		SIM_VECTOR(struct stack_span) stacks;
	} threads[THREADS];
	struct {
		const struct gil *gil;
		uint64_t held_ns, end,
			digest; /* of its own: other spans may come before or after */
	} gils[GILS];
	struct {
		const struct loop *loop;
		uint64_t count, longest, end;
	} loops[LOOPS];
	uint64_t waits[THREADS], clocks, digest;
} output;

static struct totals {
	uint64_t off_cpu, on_cpu, clocks, turns;
} totals;

static uint64_t mixed(uint64_t digest, uint64_t word)
{
	digest = (digest ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return digest ^ digest >> 29;
}

static uint64_t mix(uint64_t word)
{
	return output.digest = mixed(output.digest, word);
}

static uint32_t index_of_gil(const struct gil *gil)
{
	uint32_t i = 0;

	while (output.gils[i].gil && output.gils[i].gil != gil)
		assert_true(++i < GILS);
	output.gils[i].gil = gil;
	return i;
}

static void on_state(void *ctx, const struct interval *span)
{
	assert_true(span->thread->index < THREADS);
	SIM_PUSH(output.threads[span->thread->index].states, *span);
}

static void on_stack(void *ctx, const struct stack_span *span)
{
	SIM_PUSH(output.threads[span->thread->index].stacks, *span);
}

static void on_clock(void *ctx, const struct stack_span *span)
{
	assert_true(span->sampled && span->start <= span->end);
	output.clocks++;
}

static void on_hold(void *ctx, const struct hold *hold)
{
	uint32_t i = index_of_gil(hold->gil);

	assert_true(hold->start < hold->end && hold->start >= output.gils[i].end);
	output.gils[i].end = hold->end;
	output.gils[i].held_ns += hold->end - hold->start;
	output.gils[i].digest = mixed(mixed(output.gils[i].digest, hold->start),
				      hold->end ^ hold->thread->tid);
}

static void on_wait(void *ctx, const struct gil_wait *wait)
{
	assert_true(wait->start < wait->end);
	output.waits[wait->thread->index] += wait->end - wait->start;
}

static void on_turn(void *ctx, const struct turn *turn)
{
	uint32_t i = 0;

	while (output.loops[i].loop && output.loops[i].loop != turn->loop)
		assert_true(++i < LOOPS);
	output.loops[i].loop = turn->loop;
	assert_true(turn->start < turn->end && turn->start >= output.loops[i].end);
	output.loops[i].end = turn->end;
	output.loops[i].count += turn->whole && !turn->ongoing;
	if (turn->end - turn->start > output.loops[i].longest)
		output.loops[i].longest = turn->end - turn->start;
}

static const struct span_sink SINK = {.state = on_state,
				      .stack = on_stack,
				      .clock = on_clock,
				      .hold = on_hold,
				      .wait = on_wait,
				      .turn = on_turn};

static void forget(void)
{
	for (uint32_t i = 0; i < THREADS; i++) {
		free(output.threads[i].states.at);
		free(output.threads[i].stacks.at);
	}
	memset(&output, 0, sizeof(output));
}

/* ── one thread ──────────────────────────────────────────────────────────── */

static bool on_cpu(enum thread_state state)
{
	return state == TS_PYTHON || state == TS_NATIVE;
}

static void check_states(uint32_t index, const struct sim *sim)
{
	const struct interval *at = output.threads[index].states.at;
	uint32_t count = output.threads[index].states.count;

	for (uint32_t i = 0; i < count; i++) {
		assert_true(at[i].start < at[i].end);
		mix(at[i].start);
		mix(at[i].state ^ (uint64_t)at[i].cpu << 8 ^ (uint64_t)(uint32_t)at[i].sysno << 32);
		if (!i)
			continue;
		assert_int_equal(at[i].start, at[i - 1].end);
		assert_false(at[i].state == at[i - 1].state && at[i].gil == at[i - 1].gil &&
			     at[i].sysno == at[i - 1].sysno && at[i].cpu == at[i - 1].cpu &&
			     at[i].throttled == at[i - 1].throttled &&
			     at[i].sampled == at[i - 1].sampled && at[i].gc == at[i - 1].gc &&
			     at[i].generation == at[i - 1].generation);
	}
	if (!count)
		return;
	assert_true(at[0].start >= sim->begin);
	assert_true(at[count - 1].end == sim->end ||
		    (at[0].thread->gone && at[count - 1].end < sim->end));
}

static void check_stacks(uint32_t index)
{
	const struct stack_span *at = output.threads[index].stacks.at;
	uint32_t count = output.threads[index].stacks.count,
		 states = output.threads[index].states.count;

	assert_int_equal(count > 0, states > 0);
	for (uint32_t i = 0; i < count; i++) {
		assert_true(at[i].start < at[i].end);
		mix(at[i].end);
		mix(at[i].stack ^ (uint64_t)at[i].task << 32);
		if (!i)
			continue;
		assert_int_equal(at[i].start, at[i - 1].end);
		assert_false(at[i].stack == at[i - 1].stack && at[i].task == at[i - 1].task &&
			     at[i].sampled == at[i - 1].sampled);
	}
	if (!count)
		return;
	assert_int_equal(at[0].start, output.threads[index].states.at[0].start);
	assert_int_equal(at[count - 1].end, output.threads[index].states.at[states - 1].end);
}

/* The time of every state and stack: the overlap of states and stacks, compared with the flames. */
static void check_sums(const struct spanned *s, const struct thread_report *report)
{
	static uint64_t ns[TS_COUNT][STACKS], flames[TS_COUNT][STACKS];
	uint32_t index = report->thread->index, i = 0, k = 0;
	uint64_t on = 0;

	memset(ns, 0, sizeof(ns));
	memset(flames, 0, sizeof(flames));
	while (i < output.threads[index].states.count && k < output.threads[index].stacks.count) {
		const struct interval *state = &output.threads[index].states.at[i];
		const struct stack_span *stack = &output.threads[index].stacks.at[k];
		uint64_t from = state->start > stack->start ? state->start : stack->start,
			 to = state->end < stack->end ? state->end : stack->end;

		assert_int_equal(stack->sampled, on_cpu(state->state));
		ns[state->state][stack->stack] += to - from;
		i += state->end == to;
		k += stack->end == to;
	}
	for (uint32_t f = 0; f < s->report->flame_count; f++)
		if (s->report->flames[f].thread == report->thread)
			flames[s->report->flames[f].state][s->report->flames[f].stack] +=
				s->report->flames[f].ns;
	for (int state = 0; state < TS_COUNT; state++) {
		struct state_sums sums = {0};

		for (uint32_t stack = 0; stack < STACKS; stack++) {
			sums.ns[state] += ns[state][stack];
			if (on_cpu((enum thread_state)state))
				on += stack ? ns[state][stack] : 0;
			else if (ns[state][stack] != flames[state][stack])
				fail_msg("thread %u, %s, stack %u: spans have %llu ns, the report "
					 "%llu",
					 report->thread->tid,
					 thread_state_name((enum thread_state)state), stack,
					 (unsigned long long)ns[state][stack],
					 (unsigned long long)flames[state][stack]);
			totals.off_cpu += stack && !on_cpu((enum thread_state)state)
						  ? ns[state][stack]
						  : 0;
		}
		assert_int_equal(sums.ns[state], report->states.ns[state]);
	}
	assert_int_equal(output.waits[index], report->states.ns[TS_GIL_WAIT]);
	totals.on_cpu += on;
}

/* ── one world ───────────────────────────────────────────────────────────── */

static void check_gils_and_loops(const struct process_report *process)
{
	for (uint32_t g = 0; g < process->gil_count; g++)
		for (uint32_t i = 0; i < GILS; i++)
			if (output.gils[i].gil == process->gils[g].gil)
				assert_int_equal(output.gils[i].held_ns, process->gils[g].held_ns);
	for (uint32_t l = 0; l < process->loop_count; l++) {
		uint32_t i = 0;

		while (i < LOOPS && output.loops[i].loop &&
		       output.loops[i].loop != process->loops[l].loop)
			i++;
		assert_int_equal(output.loops[i].count, process->loops[l].turn.count);
		assert_int_equal(output.loops[i].longest, process->loops[l].longest_ns);
		totals.turns += output.loops[i].count;
	}
}

static uint64_t run_once(const struct sim *sim, bool partial, uint32_t looks)
{
	struct spanned s;
	uint64_t digest;

	forget();
	spanned_names(&s);
	spanned_begin(&s, SINK, partial);
	spanned_feed(&s, sim, looks);
	for (uint32_t i = 0; i < THREADS; i++) {
		check_states(i, sim);
		check_stacks(i);
	}
	for (uint32_t i = 0; i < s.report->processes[0].thread_count; i++)
		check_sums(&s, &s.report->processes[0].threads[i]);
	check_gils_and_loops(&s.report->processes[0]);
	assert_int_equal(output.clocks, s.clocks);
	totals.clocks += s.clocks;
	for (uint32_t i = 0; i < GILS; i++)
		mix(output.gils[i].digest);
	digest = output.digest;
	spanned_done(&s);
	return digest;
}

static void run_seeds(bool partial, uint32_t losses)
{
	static struct sim sim;
	const struct sim_seeds seeds = sim_seeds("SPANS_SEED", "SPANS_SEEDS", 60);

	memset(&totals, 0, sizeof(totals));
	for (uint64_t seed = seeds.first; seed < seeds.first + seeds.count; seed++) {
		uint64_t digest;

		sim_init(&sim, seed, partial);
		/* whether a wait goes on is known later (edges.c): a cut changes that */
		sim.aside = !partial || seed % 4 == 0;
		sim_run(&sim, 1200, 30);
		sim_lose(&sim, losses ? sim_random(&sim, losses) : 0);
		digest = run_once(&sim, partial, 0);
		if (run_once(&sim, partial, 37) != digest && !(partial && sim.aside))
			fail_msg("SPANS_SEED=%llu: cuts have changed the spans",
				 (unsigned long long)seed);
		sim_done(&sim);
	}
	forget();
	if (seeds.single)
		return;
	assert_true(totals.off_cpu > seeds.count && totals.on_cpu > seeds.count &&
		    totals.clocks > seeds.count && totals.turns > seeds.count);
}

static void spans_equal_the_report(void **state)
{
	run_seeds(false, 0);
}

static void spans_equal_the_report_with_losses(void **state)
{
	run_seeds(false, 12);
}

static void spans_equal_the_report_with_contended_transitions_alone(void **state)
{
	run_seeds(true, 12);
}

/* ── by hand ─────────────────────────────────────────────────────────────── */

static struct process process;
static struct thread thread = {.process = &process};
static char shown[1024];

static void show_stack(void *ctx, const struct stack_span *span)
{
	size_t length = strlen(shown);

	snprintf(shown + length, sizeof(shown) - length, "%llu-%llu %u.%u%s\n",
		 (unsigned long long)span->start, (unsigned long long)span->end, span->stack,
		 span->task, span->sampled ? " sampled" : "");
}

static void ran(const struct model_sink *sink, uint64_t start, uint64_t end,
		enum thread_state state)
{
	sink->interval(
		sink->ctx,
		&(struct interval){.thread = &thread, .state = state, .start = start, .end = end});
	thread.state = state;
}

static void seen(const struct model_sink *sink, uint64_t ts, uint32_t stack, uint8_t flags)
{
	sink->sample(
		sink->ctx,
		&(struct sample){
			.thread = &thread, .ts = ts, .stack = stack, .task = 9, .flags = flags});
}

static void stretches_belong_to_the_next_sample(void **state)
{
	/* a sample is valid for 40 ns */
	struct attribution *stage = attribution_new(100000000);
	struct spans *spans = spans_new((struct span_sink){.stack = show_stack}, stage);
	const struct model_sink sink = attribution_sink(stage);

	shown[0] = '\0';
	ran(&sink, 0, 10, TS_PYTHON);
	seen(&sink, 10, 1, EVF_STACK_CLOCK);
	ran(&sink, 10, 20, TS_PYTHON);
	ran(&sink, 20, 30, TS_NATIVE);
	seen(&sink, 30, 2, EVF_STACK_CLOCK);
	ran(&sink, 30, 35, TS_NATIVE);	 /* same state as at the sample before */
	ran(&sink, 35, 40, TS_RUNNABLE); /* no sample covers it */
	ran(&sink, 40, 100, TS_PYTHON);	 /* too long for one sample */
	seen(&sink, 100, 3, EVF_STACK_SLEEP);
	ran(&sink, 100, 150, TS_BLOCKED);
	ran(&sink, 150, 160, TS_RUNNABLE);
	ran(&sink, 160, 170, TS_PYTHON); /* the sample from before its sleep does not count */
	ran(&sink, 170, 180, TS_UNKNOWN);
	ran(&sink, 180, 190, TS_BLOCKED); /* the earlier stack does not count after UNKNOWN */
	ran(&sink, 190, 200, TS_PYTHON);
	seen(&sink, 200, 0, EVF_STACK_CLOCK); /* could not be read, so its task is ignored */
	assert_int_equal(spans_finish(spans), 0);
	assert_string_equal(shown, "0-10 1.9 sampled\n10-35 2.9 sampled\n35-40 0.0\n40-100 0.0 "
				   "sampled\n100-160 3.9\n160-170 0.0 sampled\n170-190 0.0\n"
				   "190-200 0.0 sampled\n");
	spans_free(spans);
	attribution_free(stage);
}

/* Over the window, a clock sample stands for all time on a CPU since the previous one, however long
 * that is. Other samples do not count. */
static void a_clock_sample_stands_for_the_time_since_the_previous_one(void **state)
{
	struct attribution *stage = attribution_new(100000000);
	struct spans *spans = spans_new((struct span_sink){.clock = show_stack}, stage);
	const struct model_sink sink = attribution_sink(stage);

	shown[0] = '\0';
	ran(&sink, 0, 10, TS_PYTHON);
	seen(&sink, 10, 1, EVF_STACK_CLOCK);
	ran(&sink, 10, 20, TS_PYTHON);
	seen(&sink, 20, 2, EVF_STACK_SLEEP);
	ran(&sink, 20, 30, TS_BLOCKED);
	ran(&sink, 30, 40, TS_NATIVE);
	seen(&sink, 40, 3, EVF_STACK_CLOCK);
	seen(&sink, 40, 4, EVF_STACK_CLOCK);
	ran(&sink, 40, 200, TS_PYTHON);
	seen(&sink, 200, 5, EVF_STACK_HOLDER | EVF_STACK_CLOCK); /* taken by another thread */
	seen(&sink, 200, 6, EVF_STACK_CLOCK);
	assert_int_equal(spans_finish(spans), 0);
	assert_string_equal(shown, "0-10 1.9 sampled\n10-40 3.9 sampled\n40-40 4.9 sampled\n"
				   "40-200 6.9 sampled\n");
	spans_free(spans);
	attribution_free(stage);
}

/* The stack that a waiter reads of the holder does not say where the holder will sleep. A sample
 * during a wait does not change the stack of the wait. */
static void a_sleeping_thread_keeps_its_stack(void **state)
{
	struct attribution *stage = attribution_new(100000000);
	struct spans *spans = spans_new((struct span_sink){.stack = show_stack}, stage);
	const struct model_sink sink = attribution_sink(stage);

	shown[0] = '\0';
	ran(&sink, 0, 10, TS_PYTHON);
	seen(&sink, 10, 1, EVF_STACK_SLEEP);
	seen(&sink, 10, 2, EVF_STACK_HOLDER);
	ran(&sink, 10, 20, TS_BLOCKED);
	ran(&sink, 20, 30, TS_PYTHON);
	seen(&sink, 30, 3, EVF_STACK_WAIT);
	ran(&sink, 30, 40, TS_GIL_WAIT);
	seen(&sink, 40, 4, EVF_STACK_SLEEP);
	ran(&sink, 40, 50, TS_GIL_WAIT);
	assert_int_equal(spans_finish(spans), 0);
	assert_string_equal(shown, "0-10 1.9 sampled\n10-20 1.9\n20-30 3.9 sampled\n30-50 3.9\n");
	spans_free(spans);
	attribution_free(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_equal_the_report),
		cmocka_unit_test(spans_equal_the_report_with_losses),
		cmocka_unit_test(spans_equal_the_report_with_contended_transitions_alone),
		cmocka_unit_test(stretches_belong_to_the_next_sample),
		cmocka_unit_test(a_clock_sample_stands_for_the_time_since_the_previous_one),
		cmocka_unit_test(a_sleeping_thread_keeps_its_stack),
	};

	return cmocka_run_group_tests_name("analysis_spans", tests, NULL, NULL);
}
