/* SPDX-License-Identifier: MIT */
/* Growth reports: what came since the report before, and what a live view makes of it: pools, long
 * waits for the GIL, and who had it. */
#include "tests/sim/named.h"

#include <stdlib.h>

#include "analysis/live/live.h"

#define S (1000 * MS)

enum { RUN = DUMPS + 1, WORKER, WORK_ITEM };
enum { AT_WORK = IN_DUMPS + 1, IDLE_WORKER };

static struct live *live;
static struct live_view view;

static void define_pool(void)
{
	struct stack_frame frames[] = {{JOB, 6}, {WORK_ITEM, 58}, {WORKER, 83}, {RUN, 975}};
	struct definition definition = {
		.kind = DEFINE_STACK, .id = AT_WORK, .stack = {.frames = frames, .count = 4}};

	define_function(RUN, "Thread.run", "/usr/lib/python3.11/threading.py", 970);
	define_function(WORKER, "_worker", "/usr/lib/python3.11/concurrent/futures/thread.py", 70);
	define_function(WORK_ITEM, "_WorkItem.run",
			"/usr/lib/python3.11/concurrent/futures/thread.py", 50);
	assert_int_equal(dictionary_define(names, &definition), 0);
	definition.id = IDLE_WORKER;
	definition.stack.frames = frames + 2;
	definition.stack.count = 2;
	assert_int_equal(dictionary_define(names, &definition), 0);
}

static void begin_growth(void)
{
	begin_names();
	define_pool();
	report_builder_growth(builder);
	live = live_new();
	assert_non_null(live);
}

static int end(void **state)
{
	live_view_done(&view);
	live_free(live);
	live = NULL;
	return teardown(state);
}

/* The next report, and the view with it. */
static void grow(uint64_t ts)
{
	world_cut(world, ts);
	assert_int_equal(report_builder_finish(builder, world, false, &found), 0);
	assert_int_equal(live_update(live, found), 0);
	live_view_done(&view);
	assert_int_equal(live_view_make(live, &view), 0);
}

/* ── pools ───────────────────────────────────────────────────────────────── */

static void sleep_in(uint64_t ts, uint32_t tid, uint32_t id)
{
	stack(ts, tid, SLEEP, id);
	out(ts, tid, READ);
}

static void wake_up(uint64_t ts, uint32_t tid, uint32_t cpu)
{
	wake(ts, tid, cpu);
	in(ts, tid, cpu);
}

#define ASSERT_POOL(pool, busy, full, worst)                                                       \
	do {                                                                                       \
		assert_int_equal((pool)->busy_ns, (busy) * MS);                                    \
		assert_int_equal((pool)->full_ns, (full) * MS);                                    \
		assert_int_equal((pool)->full_worst_ns, (worst) * MS);                             \
	} while (0)

/* B has a job from 20 to 80 ms, C from 30 to 90 ms. */
static void begin_jobs(void)
{
	begin_growth();
	sleep_in(11 * MS, B, IDLE_WORKER);
	sleep_in(11 * MS, C, IDLE_WORKER);
	wake_up(20 * MS, B, 1);
	sleep_in(20 * MS, B, AT_WORK);
	wake_up(30 * MS, C, 2);
	sleep_in(30 * MS, C, AT_WORK);
}

static void a_pool_has_what_its_threads_did_since_the_report_before(void **state)
{
	begin_jobs();
	grow(40 * MS);
	assert_int_equal(found->pool_count, 1);
	ASSERT_POOL(&found->pools[0], 20 + 10, 10, 10);
	assert_int_equal(found->pools[0].function_count, 1);
	assert_int_equal(found->pools[0].functions[0].ns, 30 * MS);
	grow(60 * MS);
	ASSERT_POOL(&found->pools[0], 40, 20, 30); /* the longest goes on */
	assert_int_equal(found->pools[0].functions[0].ns, 40 * MS);
	assert_int_equal(found->pools[0].busy_max, 2);
	wake_up(80 * MS, B, 1);
	sleep_in(80 * MS, B, IDLE_WORKER);
	wake_up(90 * MS, C, 2);
	sleep_in(90 * MS, C, IDLE_WORKER);
	grow(95 * MS);
	ASSERT_POOL(&found->pools[0], 20 + 30, 20, 50);
	grow(99 * MS);
	ASSERT_POOL(&found->pools[0], 0, 0, 0);
	assert_int_equal(found->pools[0].function_count, 0);
	assert_int_equal(found->pools[0].busy_max, 0);
	assert_int_equal(found->pools[0].threads, 2);
}

static void a_view_has_the_pools_of_its_window(void **state)
{
	struct live_report made;

	begin_jobs();
	grow(40 * MS);
	grow(60 * MS);
	wake_up(80 * MS, B, 1);
	sleep_in(80 * MS, B, IDLE_WORKER);
	wake_up(90 * MS, C, 2);
	sleep_in(90 * MS, C, IDLE_WORKER);
	grow(95 * MS);
	assert_int_equal(view.pool_count, 1);
	ASSERT_POOL(&view.pools[0], 60 + 60, 50, 50);
	assert_int_equal(view.pools[0].threads, 2);
	assert_int_equal(view.pools[0].busy_max, 2);
	assert_int_equal(view.pools[0].function_count, 1);
	assert_int_equal(view.pools[0].functions[0].ns, 120 * MS);
	assert_int_equal(view.pools[0].functions[0].stack, AT_WORK);
	assert_int_equal(view.pools[0].functions[0].handler.frame.function, JOB);
	assert_int_equal(live_report_make(&view, &made), 0);
	assert_int_equal(made.report.pool_count, 1);
	live_report_done(&made);
	grow(70 * S); /* they are older than the window */
	ASSERT_POOL(&view.pools[0], 0, 0, 0);
	assert_int_equal(view.pools[0].function_count, 0);
}

/* It could grow, so it was not full before. */
static void a_pool_that_has_grown_was_not_full_before(void **state)
{
	begin_growth();
	sleep_in(20 * MS, B, AT_WORK);
	grow(40 * MS);
	ASSERT_POOL(&view.pools[0], 20, 20, 20);
	sleep_in(50 * MS, C, AT_WORK);
	grow(60 * MS);
	ASSERT_POOL(&found->pools[0], 20 + 10, 10, 10);
	ASSERT_POOL(&view.pools[0], 20 + 30, 10, 10);
	grow(80 * MS);
	ASSERT_POOL(&view.pools[0], 20 + 70, 30, 30);
}

/* ── long waits ──────────────────────────────────────────────────────────── */

/* B has the GIL from 11 to 2000 ms, C wants it from 20 ms. */
static void begin_wait(void)
{
	begin_growth();
	take(11 * MS, B);
	stack(12 * MS, B, CLOCK, IN_JOB);
	stack(20 * MS, C, WAITS, IN_BETA);
	wait(20 * MS, C);
}

static void end_wait(void)
{
	drop(2000 * MS, B);
	take(2000 * MS, C);
	drop(2001 * MS, C);
}

static const struct thread_report *report_of(const struct process_report *process, uint32_t tid)
{
	for (uint32_t i = 0; i < process->thread_count; i++)
		if (process->threads[i].thread->tid == tid)
			return &process->threads[i];
	fail();
	return NULL;
}

static void a_long_wait_is_reported_while_it_lasts_and_once_when_it_is_over(void **state)
{
	const struct thread_report *waiter;

	begin_wait();
	grow(900 * MS);
	assert_null(report_of(&found->processes[0], C)->waiting); /* not yet */
	grow(1520 * MS);
	waiter = report_of(&found->processes[0], C);
	assert_int_equal(waiter->starved.count, 0);
	assert_int_equal(waiter->waiting->count, 1);
	assert_int_equal(waiter->waiting->ns, 1500 * MS);
	assert_int_equal(waiter->waiting->stack, IN_BETA);
	assert_false(waiter->waiting->whole);
	assert_int_equal(waiter->waiting->what.blockers[0].thread->tid, B);
	assert_int_equal(view.starved_count, 1);
	assert_int_equal(view.starved[0].starved.ns, 1500 * MS);
	end_wait();
	grow(2100 * MS);
	waiter = report_of(&found->processes[0], C);
	assert_null(waiter->waiting);
	assert_int_equal(waiter->starved.count, 1);
	assert_int_equal(waiter->starved.ns, 1980 * MS);
	assert_true(waiter->starved.whole);
	assert_int_equal(view.starved[0].starved.count, 1);
	grow(2200 * MS);
	assert_int_equal(report_of(&found->processes[0], C)->starved.count, 0);
	assert_int_equal(view.starved_count, 1);
	assert_int_equal(view.starved[0].thread->tid, C);
	assert_int_equal(view.starved[0].starved.ns, 1980 * MS);
	assert_int_equal(view.starved[0].starved.what.blockers[0].thread->tid, B);
	grow(70 * S);
	assert_int_equal(view.starved_count, 0);
}

/* Their count and sum are of all, the rest of the longest. */
static void long_waits_of_one_thread_add_up(void **state)
{
	const struct starvation *starved;

	begin_wait();
	end_wait();
	grow(2100 * MS);
	take(2200 * MS, A);
	wait(2300 * MS, C);
	grow(3400 * MS);
	starved = &view.starved[0].starved;
	assert_int_equal(view.starved_count, 1);
	assert_int_equal(starved->count, 2);
	assert_int_equal(starved->ns, (1980 + 1100) * MS);
	assert_int_equal(starved->start, 20 * MS);
	assert_int_equal(starved->what.blockers[0].thread->tid, B);
	grow(5000 * MS);
	starved = &view.starved[0].starved;
	assert_int_equal(starved->ns, (1980 + 2700) * MS);
	assert_int_equal(starved->start, 2300 * MS);
	assert_int_equal(starved->what.blockers[0].thread->tid, A);
}

/* How much of a wait is kept does not depend on how many were reported before. */
static void reported_waits_make_room_for_others(void **state)
{
	begin_growth();
	for (uint64_t ts = 11 * MS; ts < 600 * S; ts += 3 * S) {
		const struct starvation *starved;

		take(ts, B);
		wait(ts + MS, C);
		drop(ts + 2 * S, B);
		take(ts + 2 * S, C);
		drop(ts + 2 * S + MS, C);
		world_cut(world, ts + 2 * S + MS);
		assert_int_equal(report_builder_finish(builder, world, false, &found), 0);
		starved = &report_of(&found->processes[0], C)->starved;
		assert_int_equal(starved->count, 1);
		assert_int_equal(starved->what.blocker_max, 128);
	}
}

static const struct wait_flame *wait_of(const struct wait_flame *waits, uint32_t count,
					uint32_t holder)
{
	for (uint32_t i = 0; i < count; i++)
		if (waits[i].waiter->tid == C && waits[i].holder && waits[i].holder->tid == holder)
			return &waits[i];
	return NULL;
}

static void waits_by_holder_are_of_their_step(void **state)
{
	const struct wait_flame *wait;

	begin_wait();
	grow(1520 * MS);
	wait = wait_of(found->wait_flames, found->wait_flame_count, B);
	assert_non_null(wait);
	assert_int_equal(wait->ns, 1500 * MS);
	assert_int_equal(found->processes[0].gils[0].longest_wait_ns, 0);
	assert_int_equal(view.gils[0].longest_wait_ns, 1500 * MS);
	assert_true(view.gils[0].longest_wait_cut);
	end_wait();
	grow(2100 * MS);
	assert_int_equal(wait_of(found->wait_flames, found->wait_flame_count, B)->ns, 480 * MS);
	assert_int_equal(found->processes[0].gils[0].longest_wait_ns, 1980 * MS);
	assert_int_equal(view.gils[0].longest_wait_ns, 1980 * MS);
	assert_false(view.gils[0].longest_wait_cut);
	grow(2200 * MS);
	assert_int_equal(found->wait_flame_count, 0);
	assert_int_equal(found->processes[0].gils[0].longest_wait_ns, 0);
	assert_int_equal(view.gils[0].longest_wait_ns, 1980 * MS);
}

static void a_gil_has_what_is_in_progress(void **state)
{
	/* three holds of 1 ns came before */
	begin_wait();
	grow(520 * MS);
	assert_int_equal(found->processes[0].gils[0].held_ns, 509 * MS + 3);
	assert_int_equal(found->processes[0].gils[0].contended_ns, 500 * MS);
	assert_int_equal(view.gils[0].held_ns, 509 * MS + 3);
	assert_int_equal(view.gils[0].contended_ns, 500 * MS);
	grow(1520 * MS);
	assert_int_equal(view.gils[0].held_ns, 1509 * MS + 3);
	assert_int_equal(view.gils[0].while_held_ns, 1509 * MS + 3);
	end_wait();
	grow(2100 * MS);
	assert_int_equal(found->processes[0].gils[0].held_ns, 1990 * MS + 3);
	assert_int_equal(view.gils[0].held_ns, 1990 * MS + 3);
	assert_int_equal(view.gils[0].contended_ns, 1980 * MS);
}

/* A loop's process is judged by its stalls. */
static void only_processes_without_loops_have_waits_in_a_view(void **state)
{
	const struct wait_flame *wait;
	struct live_report made;

	begin_wait();
	grow(1520 * MS);
	assert_int_equal(found->processes[0].loop_count, 1);
	assert_int_equal(view.wait_count, 0);
	found->processes[0].loop_count = 0;
	assert_int_equal(live_update(live, found), 0);
	found->processes[0].loop_count = 1;
	live_view_done(&view);
	assert_int_equal(live_view_make(live, &view), 0);
	wait = wait_of(view.waits, view.wait_count, B);
	assert_non_null(wait);
	assert_int_equal(wait->ns, 1500 * MS);
	assert_int_equal(wait->holder_stack, IN_JOB);
	assert_int_equal(live_report_make(&view, &made), 0);
	assert_int_equal(made.report.wait_flame_count, view.wait_count);
	assert_int_equal(made.report.processes[0].states.ns[TS_GIL_WAIT], 1500 * MS);
	assert_int_equal(made.report.processes[0].gils[0].longest_wait_ns, 1500 * MS);
	live_report_done(&made);
}

/* ── the window as a report ──────────────────────────────────────────────── */

static void a_thread_that_was_starved_is_in_the_report_of_the_window(void **state)
{
	struct live_report made;

	begin_wait();
	grow(1520 * MS);
	end_wait();
	grow(2100 * MS);
	thread_gone(2200 * MS, C);
	grow(3 * S);
	grow(30 * S);
	assert_int_equal(live_report_make(&view, &made), 0);
	assert_int_equal(made.report.process_count, 1);
	assert_int_equal(report_of(&made.report.processes[0], C)->starved.ns, 1980 * MS);
	assert_int_equal(report_of(&made.report.processes[0], A)->starved.count, 0);
	live_report_done(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_pool_has_what_its_threads_did_since_the_report_before,
					  end),
		cmocka_unit_test_teardown(a_view_has_the_pools_of_its_window, end),
		cmocka_unit_test_teardown(a_pool_that_has_grown_was_not_full_before, end),
		cmocka_unit_test_teardown(
			a_long_wait_is_reported_while_it_lasts_and_once_when_it_is_over, end),
		cmocka_unit_test_teardown(long_waits_of_one_thread_add_up, end),
		cmocka_unit_test_teardown(reported_waits_make_room_for_others, end),
		cmocka_unit_test_teardown(waits_by_holder_are_of_their_step, end),
		cmocka_unit_test_teardown(a_gil_has_what_is_in_progress, end),
		cmocka_unit_test_teardown(only_processes_without_loops_have_waits_in_a_view, end),
		cmocka_unit_test_teardown(a_thread_that_was_starved_is_in_the_report_of_the_window,
					  end),
	};

	return cmocka_run_group_tests_name("analysis_growth", tests, NULL, NULL);
}
