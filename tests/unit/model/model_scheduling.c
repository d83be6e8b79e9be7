/* SPDX-License-Identifier: MIT */
/* The model's rules about scheduling, one small sequence of events each (docs/model.md). */
#include "tests/sim/emitted.h"

static void a_thread_that_python_does_not_know_has_no_gil(void **state)
{
	begin();
	in(110, X, 0);
	take(120, X);
	expect(130, "9",
	       "100-110 9 unknown\n"
	       "110-120 9 native cpu0\n"
	       "120-130 9 python cpu0\n"
	       "hold 120-130 9\n");
}

static void a_thread_that_python_does_not_know_has_no_gil_whatever_else_is_known(void **state)
{
	begin();
	lost(110, 120);
	in(130, X, 0);
	enter(140, X, EPFD + 1); /* so it does not wait for the GIL */
	leave(141, X, EPFD + 1);
	thread(150, X, 0);
	expect(160, "9",
	       "100-110 9 unknown\n"
	       "110-150 9 unknown\n"
	       "150-160 9 native cpu0\n");
}

static void a_wake_up_of_a_running_thread_means_nothing(void **state)
{
	begin();
	in(110, X, 0);
	wake(120, X, 1);
	migrate(125, X, 1);
	out(130, X, READ);
	migrate(135, X, 1);
	wake(140, X, 1);
	migrate(150, X, 2);
	expect(160, "9",
	       "100-110 9 unknown\n"
	       "110-130 9 native cpu0\n"
	       "130-140 9 blocked sys0\n"
	       "140-150 9 runnable cpu1\n"
	       "150-160 9 runnable cpu2\n");
}

static void a_wake_up_of_a_thread_in_an_unknown_state_settles_nothing(void **state)
{
	begin();
	wake(110, X, 1);
	in(120, X, 1);
	expect(130, "9",
	       "100-120 9 unknown\n"
	       "120-130 9 native cpu1\n");
}

static void a_throttled_thread_is_marked(void **state)
{
	begin();
	in(110, X, 0);
	FEED(SWITCH_OUT, switch_out, 120, X, 0, EVF_SWITCH_OUT_RUNNABLE | EVF_SWITCH_OUT_THROTTLED);
	expect(130, "9",
	       "100-110 9 unknown\n"
	       "110-120 9 native cpu0\n"
	       "120-130 9 runnable cpu0 throttled\n");
}

static void who_acts_is_on_a_cpu_and_a_missed_fact_makes_its_time_unknown(void **state)
{
	begin();
	in(110, A, 0);
	take(120, A);
	out(130, A, READ);
	drop(140, A);
	assert_int_equal(world_window(world).contradictions, 1);
	expect(150, "1",
	       "100-120 1 unknown\n"
	       "120-130 1 python cpu0\n"
	       "130-140 1 unknown holds\n"
	       "hold 120-140 1 whole\n"
	       "140-150 1 native\n");
}

static void a_missed_switch_makes_the_time_since_the_previous_one_unknown(void **state)
{
	begin();
	in(110, A, 0);
	take(120, A);
	out(130, A, READ);
	FEED(GAP, gap, 145, A, 1, 0, .since = 140);
	drop(150, A);
	assert_int_equal(world_window(world).gaps, 1);
	assert_int_equal(world_window(world).contradictions, 0);
	expect(160, "1",
	       "100-120 1 unknown\n"
	       "120-130 1 python cpu0\n"
	       "130-140 1 held_blocked sys0\n"
	       "140-145 1 unknown holds\n"
	       "145-150 1 python cpu1\n"
	       "hold 120-150 1 whole\n"
	       "150-160 1 native cpu1\n");
}

static void a_missed_wake_up_is_known_from_the_run_queue(void **state)
{
	begin();
	in(110, A, 0);
	take(120, A);
	out(130, A, READ);
	FEED(QUEUED, queued, 150, A, 1, 0, .since = 140);
	in(150, A, 1);
	drop(155, A);
	assert_int_equal(world_window(world).contradictions, 0);
	expect(160, "1",
	       "100-120 1 unknown\n"
	       "120-130 1 python cpu0\n"
	       "130-140 1 held_blocked sys0\n"
	       "140-150 1 held_runnable\n"
	       "150-155 1 python cpu1\n"
	       "hold 120-155 1 whole\n"
	       "155-160 1 native cpu1\n");
}

static void a_wake_up_before_the_sleep_is_not_the_missed_one(void **state)
{
	begin();
	in(110, A, 0);
	take(120, A);
	out(130, A, READ);
	FEED(QUEUED, queued, 150, A, 1, 0, .since = 125);
	in(150, A, 1);
	assert_int_equal(world_window(world).contradictions, 1);
	expect(160, "1",
	       "100-120 1 unknown\n"
	       "120-130 1 python cpu0\n"
	       "130-150 1 unknown holds\n"
	       "150-160 1 python cpu1\n"
	       "hold 120-160 1\n");
}

/* A process that began while the window was open, and was observed some time later. */
static void what_came_before_a_process_was_observed_is_unknown(void **state)
{
	begin();
	FEED(THREAD, thread, 150, 7, 0, EVF_THREAD_PYTHON, .pid = 7);
	FEED(BEGAN, began, 150, 7, 0, 0, .since = 120);
	in(160, 7, 1);
	out(170, 7, READ);
	expect(180, "7",
	       "120-170 7 unknown\n"
	       "170-180 7 unknown\n");
}

static void a_process_from_before_the_window_is_unknown_since_its_begin(void **state)
{
	begin();
	FEED(THREAD, thread, 150, 7, 0, EVF_THREAD_PYTHON, .pid = 7);
	FEED(BEGAN, began, 150, 7, 0, 0, .since = 1);
	expect(180, "7", "100-180 7 unknown\n");
}

static void a_begin_changes_nothing_that_is_known(void **state)
{
	begin();
	FEED(THREAD, thread, 110, 7, 0, EVF_THREAD_PYTHON, .pid = 7);
	in(115, 7, 0);
	FEED(BEGAN, began, 120, 7, 0, 0, .since = 105);
	FEED(BEGAN, began, 121, 99, 0, 0, .since = 105);
	expect(130, "7", "110-130 7 unknown\n");
}

static void a_missed_switch_does_not_end_a_wait_for_the_gil(void **state)
{
	begin();
	take(105, B);
	in(110, A, 0);
	wait(120, A);
	out(121, A, FUTEX);
	FEED(GAP, gap, 145, A, 1, 0, .since = 140);
	wait_end(146, A, true);
	expect(160, "1",
	       "100-120 1 unknown\n"
	       "120-160 1 gil_wait\n"
	       "wait 120-160 1\n"
	       "contention 120-160\n");
}

static void the_cpus_occupant_is_emitted_before_the_thread_that_waited_for_it(void **state)
{
	begin();
	in(110, X, 0);
	run(120, 0, 77);
	preempt(120, X, 0);
	run(130, 0, 0);
	run_end(150, 0);
	in(150, X, 0);
	expect(160, "9",
	       "100-110 9 unknown\n"
	       "110-120 9 native cpu0\n"
	       "run 120-130 cpu0 77/77\n"
	       "run 130-150 cpu0 0/0\n"
	       "120-150 9 runnable cpu0\n"
	       "150-160 9 native cpu0\n");
}

static void a_traced_thread_has_its_cpu_without_a_run(void **state)
{
	begin();
	in(110, B, 0);
	in(120, X, 1);
	FEED(SWITCH_OUT, switch_out, 130, X, 1, EVF_SWITCH_OUT_SYSCALL, .sysno = READ);
	wake(140, X, 0);
	run(150, 0, 77); /* before the SWITCH_OUT of the same instant */
	out(150, B, READ);
	in(160, X, 0);
	expect(170, "9",
	       "100-120 9 unknown\n"
	       "120-130 9 native cpu1\n"
	       "130-140 9 blocked sys0\n"
	       "run 140-150 cpu0 1/2\n"
	       "run 150-160 cpu0 77/77\n"
	       "140-160 9 runnable cpu0\n"
	       "160-170 9 native cpu0\n");
}

static void who_has_a_cpu_after_a_traced_thread_is_known_from_an_event_only(void **state)
{
	begin();
	in(110, X, 1);
	out(120, X, READ);
	in(130, B, 0);
	wake(140, X, 0);
	out(150, B, READ);
	in(152, B, 0);
	run(152, 0, 77); /* by another CPU, which knew it no better */
	out(154, B, READ);
	in(160, 99, 0); /* no thread of this world */
	in(170, X, 0);
	expect(180, "9",
	       "100-110 9 unknown\n"
	       "110-120 9 native cpu1\n"
	       "120-140 9 blocked sys0\n"
	       "run 140-150 cpu0 1/2\n"
	       "140-170 9 runnable cpu0\n"
	       "170-180 9 native cpu0\n");
}

static void a_snapshot_older_than_a_fact_is_not_used(void **state)
{
	begin();
	in(120, X, 0);
	asleep(130, X, 10, 0);
	asleep(140, B, 50, 0); /* may be from before the window */
	expect(150, "29",
	       "100-120 9 unknown\n"
	       "120-150 9 native cpu0\n"
	       "100-150 2 unknown\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_that_python_does_not_know_has_no_gil),
		cmocka_unit_test(
			a_thread_that_python_does_not_know_has_no_gil_whatever_else_is_known),
		cmocka_unit_test(a_wake_up_of_a_running_thread_means_nothing),
		cmocka_unit_test(a_wake_up_of_a_thread_in_an_unknown_state_settles_nothing),
		cmocka_unit_test(a_throttled_thread_is_marked),
		cmocka_unit_test(who_acts_is_on_a_cpu_and_a_missed_fact_makes_its_time_unknown),
		cmocka_unit_test(a_missed_switch_makes_the_time_since_the_previous_one_unknown),
		cmocka_unit_test(a_missed_wake_up_is_known_from_the_run_queue),
		cmocka_unit_test(a_wake_up_before_the_sleep_is_not_the_missed_one),
		cmocka_unit_test(what_came_before_a_process_was_observed_is_unknown),
		cmocka_unit_test(a_process_from_before_the_window_is_unknown_since_its_begin),
		cmocka_unit_test(a_begin_changes_nothing_that_is_known),
		cmocka_unit_test(a_missed_switch_does_not_end_a_wait_for_the_gil),
		cmocka_unit_test(the_cpus_occupant_is_emitted_before_the_thread_that_waited_for_it),
		cmocka_unit_test(a_traced_thread_has_its_cpu_without_a_run),
		cmocka_unit_test(who_has_a_cpu_after_a_traced_thread_is_known_from_an_event_only),
		cmocka_unit_test(a_snapshot_older_than_a_fact_is_not_used),
	};

	return cmocka_run_group_tests_name("model_scheduling", tests, NULL, NULL);
}
