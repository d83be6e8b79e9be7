/* SPDX-License-Identifier: MIT */
/* Losses of one process blind nobody else. */
#include "tests/sim/emitted.h"
#include "model/checkpoint/checkpoint.h"
#include "tests/sim/gilrun.h"

/* ── two processes ───────────────────────────────────────────────────────── */

/* Those of PID, and another process with a GIL and two threads. */
enum { THEIRS = 6, E = 6, F = 7, THEIR_GIL = 1 };

static void begin_two(void)
{
	begin();
	FEED(GIL, gil, 100, THEIRS, THEIR_GIL, 0, .address = 0x2000);
	FEED(THREAD, thread, 100, E, 0, EVF_THREAD_PYTHON, .pid = THEIRS);
	FEED(THREAD, thread, 100, F, 0, EVF_THREAD_PYTHON, .pid = THEIRS);
}

static void take_both(void)
{
	in(110, A, 0);
	take(110, A);
	in(110, E, 1);
	FEED(TAKE, take, 110, E, THEIR_GIL, 0);
}

static void lost_of(uint64_t ts, uint64_t last_ts, uint32_t tid, uint8_t flags)
{
	FEED(LOST, lost, ts, tid, 0, flags, .count = 2, .last_ts = last_ts);
}

static uint64_t lost_by(uint32_t pid)
{
	uint32_t position = 0;

	for (const struct process *p; (p = world_next_process(world, &position));)
		if (p->info.pid == pid)
			return p->lost;
	fail();
	return 0;
}

static void a_loss_of_another_process_takes_nothing(void **state)
{
	begin_two();
	take_both();
	lost_of(120, 140, THEIRS, 0);
	drop(130, A);
	preempt(150, A, 0);
	assert_int_equal(lost_by(PID), 0);
	assert_int_equal(lost_by(THEIRS), 2);
	assert_int_equal(world_window(world).lost, 2);
	assert_int_equal(world_window(world).lost_anywhere, 0);
	expect(160, "16",
	       "100-110 1 unknown\n"
	       "100-110 6 unknown\n"
	       "110-120 6 python cpu1\n"
	       "hold 110-120 6\n"
	       "110-130 1 python cpu0\n"
	       "hold 110-130 1 whole\n"
	       "130-150 1 native cpu0\n"
	       "150-160 1 runnable cpu0\n"
	       "120-160 6 unknown\n");
}

static void facts_of_the_process_count_again_behind_its_loss(void **state)
{
	begin_two();
	take_both();
	lost_of(120, 140, F, 0); /* named by a thread */
	FEED(DROP, drop, 140, E, THEIR_GIL, 0);
	FEED(TAKE, take, 141, E, THEIR_GIL, 0);
	assert_int_equal(lost_by(THEIRS), 2);
	expect(150, "6",
	       "100-110 6 unknown\n"
	       "110-120 6 python cpu1\n"
	       "hold 110-120 6\n"
	       "120-141 6 unknown\n"
	       "141-150 6 python\n"
	       "hold 141-150 6\n");
}

static void a_loss_of_nobody_knows_whom_is_everybodys(void **state)
{
	static const uint32_t nobodys[] = {0, 4711};

	for (size_t i = 0; i < 2; i++) {
		begin_two();
		take_both();
		lost_of(120, 140, nobodys[i], 0);
		assert_int_equal(lost_by(PID) + lost_by(THEIRS), 0);
		assert_int_equal(world_window(world).lost_anywhere, 2);
		expect(150, "16",
		       "100-110 1 unknown\n"
		       "100-110 6 unknown\n"
		       "110-120 1 python cpu0\n"
		       "110-120 6 python cpu1\n"
		       "hold 110-120 1\n"
		       "hold 110-120 6\n"
		       "120-150 1 unknown\n"
		       "120-150 6 unknown\n");
	}
}

/* The process's own is over first; that of all counts as well. */
static void losses_of_one_and_of_all_unite(void **state)
{
	begin_two();
	take_both();
	lost_of(115, 125, THEIRS, 0);
	lost_of(120, 140, 0, 0);
	FEED(TAKE, take, 130, E, THEIR_GIL, 0);
	lost_of(135, 160, THEIRS, 0);
	take(150, A);
	FEED(TAKE, take, 155, E, THEIR_GIL, 0);
	expect(170, "16",
	       "100-110 1 unknown\n"
	       "100-110 6 unknown\n"
	       "110-115 6 python cpu1\n"
	       "hold 110-115 6\n"
	       "110-120 1 python cpu0\n"
	       "hold 110-120 1\n"
	       "115-135 6 unknown\n"
	       "120-150 1 unknown\n"
	       "150-170 1 python\n"
	       "135-170 6 unknown\n"
	       "hold 150-170 1\n");
}

static void without_its_runs_only_the_occupant_of_a_cpu_is_unknown(void **state)
{
	begin_two();
	take_both();
	preempt(120, A, 0);
	run(120, 0, 9);
	lost_of(130, 140, 0, EVF_LOST_RUNS);
	run(135, 0, 8);
	run(150, 0, 7);
	in(160, A, 0);
	assert_int_equal(world_window(world).lost_runs, 2);
	assert_int_equal(world_window(world).lost_anywhere, 0);
	expect(170, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 python cpu0\n"
	       "run 120-130 cpu0 9/9\n"
	       "run 150-160 cpu0 7/7\n"
	       "120-160 1 held_runnable cpu0\n"
	       "160-170 1 python cpu0\n"
	       "hold 110-170 1\n");
}

/* The wait on cpu 0 is A's, who has the CPU is a matter of the other process. */
static void a_cpu_is_not_theirs_any_more_when_their_events_are_lost(void **state)
{
	begin_two();
	in(105, A, 0);
	take(105, A);
	preempt(110, A, 0);
	in(110, E, 0);
	lost_of(120, 140, THEIRS, 0);
	in(150, A, 0);
	expect(160, "1",
	       "100-105 1 unknown\n"
	       "105-110 1 python cpu0\n"
	       "run 110-120 cpu0 6/6\n"
	       "110-150 1 held_runnable cpu0\n"
	       "150-160 1 python cpu0\n"
	       "hold 105-160 1\n");
}

static struct world *other_world;

static int feed_other(void *ctx, const union event *event)
{
	return world_feed(other_world, event);
}

static int process_of_other(void *ctx, const struct process_info *info)
{
	return 0;
}

static void a_checkpoint_in_the_loss_carries_it(void **state)
{
	const struct stream_sink to = {.event = feed_other, .process = process_of_other};

	begin_two();
	take_both();
	lost_of(115, 150, THEIRS, 0);
	other_world = world_new(text_sink, MODE_EXACT);
	assert_int_equal(world_checkpoint(world, 120, &to), 0);
	world_free(world);
	world = other_world;
	emitted[0] = '\0';
	FEED(TAKE, take, 140, E, THEIR_GIL, 0);
	drop(140, A);
	assert_int_equal(lost_by(THEIRS), 2);
	assert_int_equal(world_window(world).lost_anywhere, 0);
	FEED(TAKE, take, 160, E, THEIR_GIL, 0);
	expect(170, "16",
	       "120-140 1 python cpu0\n"
	       "hold 120-140 1\n"
	       "120-160 6 unknown\n"
	       "160-170 6 python\n"
	       "140-170 1 native cpu0\n"
	       "hold 160-170 6\n");
}

/* ── simulated worlds ────────────────────────────────────────────────────── */

/* All that was emitted of the first process, and what is unknown of the other one. */
struct half {
	struct {
		uint64_t *at;
		uint32_t count, room;
	} words;
	uint64_t unknown_ns;
};

static void keep_words(struct half *half, const uint64_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		SIM_PUSH(half->words, words[i]);
}

#define KEEP(ctx, thread, ...)                                                                     \
	do {                                                                                       \
		if ((thread)->process->info.pid == SIM_PID)                                        \
			keep_words(ctx, (uint64_t[]){(thread)->tid, __VA_ARGS__},                  \
				   sizeof((uint64_t[]){0, __VA_ARGS__}) / sizeof(uint64_t));       \
	} while (0)

static void half_interval(void *ctx, const struct interval *i)
{
	struct half *half = ctx;

	if (i->thread->process->info.pid != SIM_PID && i->state == TS_UNKNOWN)
		half->unknown_ns += i->end - i->start;
	KEEP(ctx, i->thread, i->state, i->start, i->end, i->cpu, (uint64_t)i->sysno, i->in_turn,
	     i->sampled, i->still, i->gc, i->throttled, i->gil ? i->gil->index : 99);
}

static void half_hold(void *ctx, const struct hold *h)
{
	KEEP(ctx, h->thread, h->start, h->end, h->whole, h->requested, h->handoff);
}

static void half_wait(void *ctx, const struct gil_wait *w)
{
	KEEP(ctx, w->thread, w->start, w->end, w->whole);
}

static void half_turn(void *ctx, const struct turn *t)
{
	KEEP(ctx, t->loop->thread, t->start, t->end, t->whole, t->earlier, t->ongoing);
}

static void half_turn_begin(void *ctx, struct loop *loop)
{
	KEEP(ctx, loop->thread, loop->ts_turn, loop->possible);
}

static struct half feed_half(const struct sim *sim)
{
	struct half half = {0};
	const struct model_sink sink = {.interval = half_interval,
					.hold = half_hold,
					.wait = half_wait,
					.turn = half_turn,
					.turn_begin = half_turn_begin,
					.ctx = &half};

	world = world_new(sink, sim->partial ? MODE_EDGES : MODE_EXACT);
	for (uint32_t i = 0; i < sim->events.count; i++)
		assert_int_equal(world_feed(world, &sim->events.at[i].event), 0);
	return half;
}

/* What is emitted of a process is the same to the word, whatever is lost of another one. */
static void run_half(uint64_t seed, bool partial, uint64_t *unknown_ns)
{
	struct half whole, other;
	struct sim sim;

	sim_init(&sim, seed, partial);
	sim.apart = sim.gils_used == 2;
	if (sim.apart) {
		sim_run(&sim, 1200, 30);
		whole = feed_half(&sim);
		world_free(world);
		sim_lose_of(&sim, 6, SIM_PID + SIM_TIDS);
		sim_lose_of(&sim, 3, SIM_OF_RUNS);
		other = feed_half(&sim);
		assert_int_equal(lost_by(SIM_PID) + world_window(world).lost_anywhere, 0);
		assert_int_equal(lost_by(SIM_PID + SIM_TIDS) + world_window(world).lost_runs +
					 world_window(world).lost_anywhere,
				 world_window(world).lost);
		world_free(world);
		if (whole.words.count != other.words.count ||
		    memcmp(whole.words.at, other.words.at, whole.words.count * sizeof(uint64_t)) !=
			    0)
			fail_msg("seed %llu: a loss of another process has changed this one",
				 (unsigned long long)seed);
		assert_true(whole.words.count > 100);
		*unknown_ns += other.unknown_ns - whole.unknown_ns;
		free(whole.words.at);
		free(other.words.at);
	}
	sim_done(&sim);
}

static void what_is_emitted_of_a_process_is_the_same(void **state)
{
	uint64_t unknown_ns[2] = {0};

	for (uint64_t seed = 1; seed <= 600; seed++)
		run_half(seed, seed % 2, &unknown_ns[seed % 2]);
	assert_true(unknown_ns[0] > 100000 && unknown_ns[1] > 100000);
	world = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loss_of_another_process_takes_nothing),
		cmocka_unit_test(facts_of_the_process_count_again_behind_its_loss),
		cmocka_unit_test(a_loss_of_nobody_knows_whom_is_everybodys),
		cmocka_unit_test(losses_of_one_and_of_all_unite),
		cmocka_unit_test(without_its_runs_only_the_occupant_of_a_cpu_is_unknown),
		cmocka_unit_test(a_cpu_is_not_theirs_any_more_when_their_events_are_lost),
		cmocka_unit_test(a_checkpoint_in_the_loss_carries_it),
		cmocka_unit_test(what_is_emitted_of_a_process_is_the_same),
	};

	return cmocka_run_group_tests_name("model_losses", tests, NULL, NULL);
}
