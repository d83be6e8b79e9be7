/* SPDX-License-Identifier: MIT */
/*
 * Sums that must agree in every report, tested on simulated worlds (tests/sim/gilsim.h): stalls,
 * blockers, parts and flames by stack. Making reports while feeding continues must not change
 * anything.
 *
 * ANALYSIS_SEED=n runs one seed, ANALYSIS_SEEDS=n that many of each kind.
 */
#include "tests/sim/named.h"

#include "tests/sim/gilrun.h"

static struct totals {
	uint64_t stalls, parts, blockers, moved, stacks, waits, gc_ns, known_ns, blame;
	uint64_t ongoing, standing, holders, forgotten;
} totals;

/* Stacks have the numbers of threads; every other function is the application's. */
static void define_threads(void)
{
	names = dictionary_new();
	assert_non_null(names);
	for (uint32_t id = 1; id < SIM_PID + SIM_TIDS; id++) {
		define_function(id, "function", id % 2 ? "/srv/app.py" : "/usr/lib/python3/abc.py",
				id);
		define_stack(id, (struct stack_frame){id, id}, (struct stack_frame){0});
	}
}

/* For digests that do not depend on the order and number of intervals. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static uint64_t shares_digest(uint64_t seed, const struct stack_share *shares, uint32_t count)
{
	uint64_t digest = 0;

	for (uint32_t i = 0; i < count; i++)
		for (unsigned int n = 0; n < TS_COUNT; n++)
			digest += mix(mix(mix(mix(seed, shares[i].stack), shares[i].task),
					  shares[i].root),
				      n) *
				  shares[i].states.ns[n];
	return digest;
}

static uint64_t stall_digest(const struct stall *stall)
{
	uint64_t digest = mix(stall->start, stall->end) +
			  shares_digest(1, stall->what.stacks, stall->what.stack_count);

	for (uint32_t i = 0; i < stall->what.blocker_count; i++)
		digest += shares_digest(stall->what.blockers[i].thread->tid,
					stall->what.blockers[i].stacks,
					stall->what.blockers[i].stack_count);
	for (uint32_t i = 0; i < stall->part_count; i++) {
		const struct turn_part *part = &stall->parts[i];

		digest += mix(mix(mix(part->start, part->end), part->handler.frame.function),
			      part->stack) *
			  state_sums_total(&part->states);
	}
	return mix(mix(digest, stall->stack), stall->handler.frame.function);
}

/* Digests of growth reports add up to that of one report over all. */
static uint64_t waits_digest(const struct report *report)
{
	uint64_t digest = 0;

	for (uint32_t i = 0; i < report->wait_flame_count; i++) {
		const struct wait_flame *wait = &report->wait_flames[i];

		digest += mix(mix(mix(wait->waiter->tid, wait->holder ? wait->holder->tid : 0),
				  wait->waiter_stack),
			      wait->holder_stack) *
			  (wait->ns + 3 * wait->asleep_ns + 5 * wait->no_cpu_ns);
	}
	return digest;
}

/* A digest of the sums over the window, which must not depend on what is forgotten meanwhile. */
static uint64_t sums_digest(const struct report *report)
{
	uint64_t digest = 0;

	for (uint32_t i = 0; i < report->flame_count; i++) {
		const struct flame *flame = &report->flames[i];

		digest += mix(mix(mix(flame->thread->tid, flame->stack), flame->state),
			      flame->in_turn) *
			  (flame->ns + flame->samples);
	}
	digest += waits_digest(report);
	for (uint32_t l = 0; l < report->processes[0].loop_count; l++) {
		const struct loop_report *loop = &report->processes[0].loops[l];

		digest = mix(digest, state_sums_total(&loop->stalled.states) + loop->turn.count +
					     loop->longest_ns);
		digest += shares_digest(loop->loop->thread->tid, loop->stalled.stacks,
					loop->stalled.stack_count);
	}
	return digest;
}

static uint64_t digest_of(const struct report *report)
{
	uint64_t digest = 0;

	for (uint32_t l = 0; l < report->processes[0].loop_count; l++)
		for (uint32_t s = 0; s < report->processes[0].loops[l].stall_count; s++)
			digest += stall_digest(&report->processes[0].loops[l].stalls[s]);
	for (uint32_t i = 0; i < report->blame_count; i++)
		digest = mix(digest, report->blame[i].handler.frame.function) +
			 report->blame[i].stall_ns + report->blame[i].made_wait_ns;
	return digest;
}

static void count(const struct report *report)
{
	for (uint32_t l = 0; l < report->processes[0].loop_count; l++)
		for (uint32_t s = 0; s < report->processes[0].loops[l].stall_count; s++) {
			const struct stall *stall = &report->processes[0].loops[l].stalls[s];

			totals.stalls++;
			totals.parts += stall->part_count;
			totals.stacks += stall->what.stack_count;
			totals.gc_ns += stall->what.gc_ns;
			totals.blockers += stall->what.blocker_count;
			for (uint32_t i = 0; i < stall->what.blocker_count; i++)
				totals.moved += stall->what.blockers[i].stacks[0].stack != 0;
		}
	for (uint32_t i = 0; i < report->flame_count; i++)
		totals.known_ns += report->flames[i].stack ? report->flames[i].ns : 0;
	totals.waits += report->wait_flame_count;
	totals.blame += report->blame_count;
}

/* Handlers' totals are the sums of their flames and waits. */
static void check_blame(const struct report *report)
{
	uint64_t on_loop = 0, waits = 0, blamed = 0, blamed_waits = 0;

	for (uint32_t i = 0; i < report->flame_count; i++)
		on_loop += report->flames[i].in_turn &&
					   handler_find(NULL, names, report->flames[i].stack).role
				   ? report->flames[i].ns
				   : 0;
	for (uint32_t i = 0; i < report->wait_flame_count; i++)
		waits += handler_find(NULL, names, report->wait_flames[i].holder_stack).role
				 ? report->wait_flames[i].ns
				 : 0;
	for (uint32_t i = 0; i < report->blame_count; i++) {
		blamed += state_sums_total(&report->blame[i].loop);
		blamed_waits += report->blame[i].made_wait_ns;
	}
	assert_int_equal(on_loop, blamed);
	assert_int_equal(waits, blamed_waits);
}

/* An ongoing stall is reported as in a report made at that instant. */
static int on_ongoing(void *ctx, const struct ongoing *ongoing)
{
	const struct process_report *process = &found->processes[0];
	const struct thread *thread = ongoing->loop->thread;
	const struct stall *last = NULL;

	for (uint32_t l = 0; l < process->loop_count; l++)
		if (process->loops[l].loop == ongoing->loop && process->loops[l].stall_count)
			last = &process->loops[l].stalls[process->loops[l].stall_count - 1];
	assert_non_null(last);
	assert_true(last->ongoing && ongoing->stall.ongoing &&
		    ongoing->stall.end == *(uint64_t *)ctx);
	assert_int_equal(stall_digest(last), stall_digest(&ongoing->stall));
	assert_int_equal(last->cause, ongoing->stall.cause);
	assert_int_equal(ongoing->state, thread->state);
	assert_true(!ongoing->loop->possible &&
		    report_builder_stalled(builder, ongoing->stall.end));
	/* the numbers of stacks are those of their threads */
	assert_true(!ongoing->stack || ongoing->stack == thread->tid);
	assert_true(!ongoing->holder_stack || (ongoing->state == TS_GIL_WAIT &&
					       ongoing->holder_stack == ongoing->holder->tid));
	totals.ongoing++;
	totals.standing += ongoing->stack != 0;
	totals.holders += ongoing->holder_stack != 0;
	return 0;
}

enum looks { LOOK_NEVER, LOOK_OFTEN, LOOK_AND_FORGET, LOOK_AT_GROWTH };

struct digest {
	uint64_t sums, stalls, waits;
};

#define REMEMBERED_NS 2000

static void forget(uint64_t ts)
{
	const struct report *before = finish();
	uint64_t remembered = 0, left = 0;

	for (uint32_t l = 0; l < before->processes[0].loop_count; l++)
		for (uint32_t s = 0; s < before->processes[0].loops[l].stall_count; s++) {
			remembered += before->processes[0].loops[l].stalls[s].end >= ts;
			totals.forgotten += before->processes[0].loops[l].stalls[s].end < ts;
		}
	report_builder_forget(builder, ts);
	finish();
	for (uint32_t l = 0; l < found->processes[0].loop_count; l++)
		left += found->processes[0].loops[l].stall_count;
	assert_int_equal(left, remembered);
}

/* The waits since the report before. */
static uint64_t growth(void)
{
	assert_int_equal(report_builder_finish(builder, world, false, &found), 0);
	assert_int_equal(found->flame_count, 0);
	return waits_digest(found);
}

static void look(uint64_t ts, enum looks looks, struct digest *digest)
{
	world_cut(world, ts);
	if (looks == LOOK_AT_GROWTH) {
		digest->waits += growth();
		return;
	}
	finish();
	assert_int_equal(report_builder_ongoing(builder, world, on_ongoing, &ts), 0);
	if (looks == LOOK_AND_FORGET && ts > REMEMBERED_NS)
		forget(ts - REMEMBERED_NS);
}

/* Looks at instants up to which everything has been fed, like a live command. */
static struct digest run_once(struct sim *sim, bool partial, enum gc_evidence gc, enum looks looks)
{
	const struct stream_head head = {
		.version = "0.1.0", .mode = MODE_EXACT, .stacks = true, .rate_hz = 10000000};
	struct process_info info = {.pid = SIM_PID, .gil_enabled = true};
	struct stream_sink sink;
	struct digest digest = {0};
	uint64_t now = 0;

	define_threads();
	builder = report_builder_new(300, &head, names, (struct handler_finder *)names);
	assert_non_null(builder);
	if (looks == LOOK_AT_GROWTH)
		report_builder_growth(builder);
	world = world_new(report_builder_sink(builder), partial ? MODE_EDGES : MODE_EXACT);
	assert_non_null(world);
	sink = world_sink(world);
	info.gc = gc;
	assert_int_equal(sink_process(&sink, &info), 0);
	for (uint32_t i = 0; i < sim->events.count; i++) {
		const union event *event = &sim->events.at[i].event;

		if (looks != LOOK_NEVER && event->hdr.ts > now && sim_chance(sim, 5))
			look(now + 1 + sim_random(sim, (uint32_t)(event->hdr.ts - now)), looks,
			     &digest);
		now = event->hdr.ts > now ? event->hdr.ts : now;
		assert_int_equal(sink_event(&sink, event), 0);
	}
	if (looks == LOOK_AT_GROWTH) {
		digest.waits += growth();
	} else {
		finish();
		check_blame(found);
		count(found);
		digest = (struct digest){sums_digest(found), digest_of(found), waits_digest(found)};
	}
	teardown(NULL);
	return digest;
}

static void run_seeds(bool partial, uint32_t losses, enum gc_evidence gc)
{
	static struct sim sim;
	const struct sim_seeds seeds = sim_seeds("ANALYSIS_SEED", "ANALYSIS_SEEDS", 60);

	memset(&totals, 0, sizeof(totals));
	for (uint64_t seed = seeds.first; seed < seeds.first + seeds.count; seed++) {
		struct digest never, often, forgetful, growing;

		sim_init(&sim, seed, partial);
		/* whether a wait goes on is known later (edges.c): a look changes that */
		sim.aside = !partial || seed % 4 == 0;
		sim_run(&sim, 1200, 30);
		sim_lose(&sim, losses ? sim_random(&sim, losses) : 0);
		never = run_once(&sim, partial, gc, LOOK_NEVER);
		often = run_once(&sim, partial, gc, LOOK_OFTEN);
		forgetful = run_once(&sim, partial, gc, LOOK_AND_FORGET);
		growing = run_once(&sim, partial, gc, LOOK_AT_GROWTH);
		sim_done(&sim);
		if (partial && sim.aside)
			continue;
		if (never.sums != often.sums || never.stalls != often.stalls)
			fail_msg("ANALYSIS_SEED=%llu: looking on has changed the report",
				 (unsigned long long)seed);
		if (never.sums != forgetful.sums)
			fail_msg("ANALYSIS_SEED=%llu: forgetting has changed the sums",
				 (unsigned long long)seed);
		if (never.waits != growing.waits)
			fail_msg("ANALYSIS_SEED=%llu: the growths do not add up",
				 (unsigned long long)seed);
	}
	if (getenv("ANALYSIS_VERBOSE"))
		fprintf(stderr, "ongoing %llu standing %llu holders %llu forgotten %llu\n",
			(unsigned long long)totals.ongoing, (unsigned long long)totals.standing,
			(unsigned long long)totals.holders, (unsigned long long)totals.forgotten);
	if (getenv("ANALYSIS_VERBOSE"))
		fprintf(stderr,
			"stalls %llu parts %llu blockers %llu moved %llu stacks %llu waits %llu gc "
			"%llu known %llu blame %llu\n",
			(unsigned long long)totals.stalls, (unsigned long long)totals.parts,
			(unsigned long long)totals.blockers, (unsigned long long)totals.moved,
			(unsigned long long)totals.stacks, (unsigned long long)totals.waits,
			(unsigned long long)totals.gc_ns, (unsigned long long)totals.known_ns,
			(unsigned long long)totals.blame);
	if (seeds.single)
		return;
	assert_true(totals.stalls > seeds.count && totals.parts > totals.stalls &&
		    totals.stacks > totals.stalls && totals.waits > seeds.count);
	assert_true(totals.ongoing > seeds.count && totals.standing > seeds.count &&
		    totals.holders > 0 && totals.forgotten > seeds.count);
	assert_true(totals.blockers > seeds.count && totals.moved > seeds.count &&
		    totals.known_ns > seeds.count && totals.blame > seeds.count);
}

static void everything_adds_up(void **state)
{
	run_seeds(false, 0, GC_PROBES);
	assert_true(totals.gc_ns > 0);
}

static void everything_adds_up_with_losses(void **state)
{
	run_seeds(false, 12, GC_SAMPLES);
}

static void everything_adds_up_with_contended_transitions_alone(void **state)
{
	run_seeds(true, 12, GC_PROBES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(everything_adds_up, teardown),
		cmocka_unit_test_teardown(everything_adds_up_with_losses, teardown),
		cmocka_unit_test_teardown(everything_adds_up_with_contended_transitions_alone,
					  teardown),
	};

	return cmocka_run_group_tests_name("analysis_random", tests, NULL, NULL);
}
