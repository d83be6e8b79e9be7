/* SPDX-License-Identifier: MIT */
/*
 * The model's rules about GILs, one small sequence of events each. docs/model.md explains the
 * rules; model_sim.c checks the whole model against simulated worlds.
 */
#include "tests/sim/emitted.h"

/* ── the GIL ─────────────────────────────────────────────────────────────── */

static void a_thread_is_python_between_take_and_drop(void **state)
{
	begin();
	in(110, A, 2);
	take(120, A);
	drop(130, A);
	out(140, A, READ);
	wake(150, A, 3);
	expect(160, "1",
	       "100-120 1 unknown\n"
	       "120-130 1 python cpu2\n"
	       "hold 120-130 1 whole\n"
	       "130-140 1 native cpu2\n"
	       "140-150 1 blocked sys0\n"
	       "150-160 1 runnable cpu3\n");
}

static void a_wait_lasts_from_the_first_wait_to_the_end_that_finds_it_free(void **state)
{
	begin();
	take(110, A);
	drop(111, A);
	take(112, B);
	wait(120, A);
	out(121, A, FUTEX);
	wake(130, A, 0);
	in(131, A, 0);
	wait_end(132, A, true);
	wait(133, A);
	FEED(DROP, drop, 140, B, 0, EVF_DROP_REQUESTED);
	wait_end(150, A, false);
	take(151, A);
	assert_int_equal(violations(), 0);
	expect(160, "12",
	       "100-110 1 unknown\n"
	       "110-111 1 python\n"
	       "hold 110-111 1 whole\n"
	       "100-112 2 unknown\n"
	       "111-120 1 native\n"
	       "112-140 2 python\n"
	       "hold 112-140 2 whole requested handoff\n"
	       "120-150 1 gil_wait\n"
	       "wait 120-150 1 whole\n"
	       "contention 120-150\n"
	       "150-160 1 python cpu0\n"
	       "140-160 2 native\n"
	       "hold 150-160 1 handoff\n");
}

static void a_holder_off_cpu_is_held_blocked_or_held_runnable(void **state)
{
	begin();
	take(110, A);
	out(120, A, READ);
	wake(130, A, 1);
	in(140, A, 1);
	preempt(150, A, 1);
	expect(160, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 python\n"
	       "120-130 1 held_blocked sys0\n"
	       "130-140 1 held_runnable cpu1\n"
	       "140-150 1 python cpu1\n"
	       "150-160 1 held_runnable cpu1\n"
	       "hold 110-160 1\n");
}

static void a_wait_that_may_have_begun_earlier_is_not_whole(void **state)
{
	begin();
	wait(110, A);
	take(120, A);
	expect(130, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 gil_wait\n"
	       "wait 110-120 1\n"
	       "contention 110-120\n"
	       "120-130 1 python\n"
	       "hold 120-130 1\n");
}

static void a_take_while_another_holds_is_a_violation(void **state)
{
	begin();
	take(110, A);
	take(120, B);
	assert_int_equal(violations(), 1);
	drop(130, B);
	assert_int_equal(violations(), 1);
	expect(140, "12",
	       "100-110 1 unknown\n"
	       "100-120 2 unknown\n"
	       "hold 110-120 1\n"
	       "120-130 2 python\n"
	       "hold 120-130 2 whole\n"
	       "130-140 2 native\n"
	       "110-140 1 unknown\n");
}

static void a_drop_settles_an_unknown_gil_and_claims_nothing_backwards(void **state)
{
	begin();
	in(110, A, 0);
	drop(120, A);
	take(130, B);
	assert_int_equal(violations(), 0);
	expect(140, "12",
	       "100-120 1 unknown\n"
	       "100-130 2 unknown\n"
	       "130-140 2 python\n"
	       "120-140 1 native cpu0\n"
	       "hold 130-140 2 handoff\n");
}

static void a_wait_for_a_free_gil_is_a_violation(void **state)
{
	begin();
	drop(110, A);
	wait(120, B);
	assert_int_equal(violations(), 1);
	expect(130, "2",
	       "100-120 2 unknown\n"
	       "120-130 2 gil_wait\n"
	       "wait 120-130 2\n"
	       "contention 120-130\n");
}

static void an_observation_names_the_holder_and_settles_who_sleeps(void **state)
{
	begin();
	asleep(150, B, 20, EVF_STATE_SYSCALL);
	observe(160, 0, A, 20, 0);
	in(170, A, 0);
	expect(180, "12",
	       "100-150 2 unknown\n"
	       "100-160 1 unknown\n"
	       "150-160 2 unknown\n" /* asleep, with or without the GIL */
	       "160-170 1 unknown holds\n"
	       "170-180 1 python cpu0\n"
	       "160-180 2 blocked sys0\n"
	       "hold 160-180 1\n");
}

static void an_observation_from_before_a_transition_is_not_used(void **state)
{
	begin();
	take(110, A);
	drop(120, A);
	observe(125, 0, A, 20, 0);
	observe(126, 0, A, 20, EVF_OBSERVE_DEFINITE);
	assert_int_equal(violations(), 0);
	observe(130, 0, A, 0, 0); /* may be ahead of a TAKE */
	assert_int_equal(violations(), 0);
	observe(140, 0, A, 0, EVF_OBSERVE_DEFINITE);
	assert_int_equal(violations(), 1);
	expect(150, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 python\n"
	       "hold 110-120 1 whole\n"
	       "120-150 1 native\n");
}

static void a_holder_seen_in_the_act_of_taking_is_no_violation(void **state)
{
	begin();
	observe(110, 0, A, 0, 0);
	take(111, A);
	drop(120, A);
	assert_int_equal(violations(), 0);
	expect(130, "1",
	       "100-110 1 unknown\n"
	       "110-111 1 unknown holds\n"
	       "111-120 1 python\n"
	       "hold 111-120 1\n"
	       "120-130 1 native\n");
}

static void a_thread_that_waits_in_a_snapshot_waits_since_then(void **state)
{
	begin();
	asleep(120, A, 10, EVF_STATE_GIL_WAIT);
	take(150, B);
	expect(160, "1",
	       "100-120 1 unknown\n"
	       "120-160 1 gil_wait\n"
	       "wait 120-160 1\n"
	       "contention 120-160\n");
}

static void who_enters_an_epoll_wait_does_not_wait_for_the_gil(void **state)
{
	begin();
	enter(110, A, OTHER);
	take(120, B);
	expect(130, "1",
	       "100-120 1 unknown\n"
	       "120-130 1 native\n");
}

static void two_gils_must_both_be_certain_before_a_sleeper_has_none(void **state)
{
	begin();
	FEED(GIL, gil, 100, PID, 1, 0, .address = 0x2000);
	asleep(120, A, 10, EVF_STATE_SYSCALL);
	take(130, B);
	FEED(OBSERVE, observe, 140, 0, 1, 0);
	expect(150, "1",
	       "100-120 1 unknown\n"
	       "120-140 1 unknown\n"
	       "140-150 1 blocked sys0\n");
}

static void a_thread_holds_one_gil_at_a_time(void **state)
{
	begin();
	FEED(GIL, gil, 100, PID, 1, 0, .address = 0x2000);
	take(110, A);
	FEED(OBSERVE, observe, 120, 0, 1, EVF_OBSERVE_LOCKED, .holder = A);
	FEED(TAKE, take, 130, A, 1, 0);
	/* of the first thread; the second's TAKE is the contradiction */
	assert_int_equal(violations(), 0);
	expect(140, "1",
	       "100-110 1 unknown\n"
	       "110-130 1 unknown\n"
	       "hold 110-130 1\n"
	       "130-140 1 python\n"
	       "hold 130-140 1\n");
}

static void a_gil_declared_late_makes_doubtful_who_seemed_to_have_none(void **state)
{
	begin();
	take(110, A);
	drop(120, A);
	FEED(UNKNOWN_GIL, unknown_gil, 130, B, 0, 0, .address = 0x2000);
	assert_int_equal(world_window(world).foreign, 1);
	FEED(GIL, gil, 140, PID, 1, 0, .address = 0x2000);
	assert_int_equal(world_window(world).foreign, 0);
	expect(150, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 python\n"
	       "hold 110-120 1 whole\n"
	       "120-140 1 native\n"
	       "140-150 1 unknown\n");
}

static void a_gil_that_is_off_has_no_holder_until_it_is_switched_on(void **state)
{
	begin();
	in(110, A, 0);
	FEED(OBSERVE, observe, 120, 0, 0, EVF_OBSERVE_OFF);
	assert_int_equal(violations(), 0);
	take(130, B);
	wait(140, A);
	drop(150, B);
	wait_end(151, A, false);
	take(152, A);
	assert_int_equal(violations(), 0);
	expect(160, "1",
	       "100-120 1 unknown\n"
	       "120-140 1 native cpu0\n"
	       "140-151 1 gil_wait\n"
	       "wait 140-151 1 whole\n"
	       "contention 140-151\n"
	       "151-160 1 python cpu0\n"
	       "hold 151-160 1 handoff\n");
}

/* Observing one of two GILs says nothing about the other. */
static void a_gil_that_is_off_is_not_the_only_one(void **state)
{
	begin();
	FEED(GIL, gil, 105, PID, 1, 0, .address = 0x2000);
	in(110, A, 0);
	FEED(OBSERVE, observe, 120, 0, 0, EVF_OBSERVE_OFF);
	FEED(OBSERVE, observe, 130, 0, 1, EVF_OBSERVE_OFF);
	expect(140, "1",
	       "100-130 1 unknown\n"
	       "130-140 1 native cpu0\n");
}

static void a_waiter_for_a_gil_that_is_switched_off_continues_without_it(void **state)
{
	begin();
	take(110, A);
	drop(111, A);
	take(112, B);
	wait(120, A);
	drop(130, B);
	FEED(WAIT_END, wait_end, 131, A, 0, EVF_WAIT_END_OFF);
	take(140, B);
	assert_int_equal(violations(), 0);
	expect(150, "1",
	       "100-110 1 unknown\n"
	       "110-111 1 python\n"
	       "hold 110-111 1 whole\n"
	       "111-120 1 native\n"
	       "120-131 1 gil_wait\n"
	       "wait 120-131 1 whole\n"
	       "contention 120-131\n"
	       "131-150 1 native\n");
}

/* An interpreter has ended, and another one's GIL has got its address. */
static void a_gil_of_a_later_interpreter_is_another_one(void **state)
{
	begin_as(false);
	in(105, A, 0);
	take(110, A);
	FEED(GIL, gil, 120, PID, 0, 0, .address = 0x1000, .interpreter = 5);
	drop(130, A);
	take(140, A);
	assert_int_equal(violations(), 0);
	expect(150, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 python cpu0\n"
	       "hold 110-120 1\n"
	       "120-130 1 unknown\n"
	       "130-140 1 native cpu0\n"
	       "140-150 1 python cpu0\n"
	       "hold 140-150 1\n");
}

/* Its interpreter has ended. Who seems to wait for it is unknown, and its index means none. */
static void a_gil_that_is_gone_has_no_waiters(void **state)
{
	begin_as(false);
	FEED(GIL, gil, 101, PID, 1, 0, .address = 0x2000, .interpreter = 4);
	FEED(TAKE, take, 110, A, 1, 0);
	FEED(WAIT, wait, 120, B, 1, 0);
	FEED(GIL, gil, 125, PID, 1, EVF_GIL_GONE, .address = 0x3000); /* another one's */
	FEED(GIL, gil, 130, PID, 1, EVF_GIL_GONE, .address = 0x2000, .interpreter = 4);
	FEED(TAKE, take, 135, B, 1, 0);
	FEED(GIL, gil, 140, PID, 1, 0, .address = 0x3000, .interpreter = 5);
	FEED(TAKE, take, 150, B, 1, 0);
	assert_int_equal(violations(), 0);
	expect(160, "12",
	       "100-110 1 unknown\n"
	       "100-120 2 unknown\n"
	       "110-130 1 python\n"
	       "120-130 2 gil_wait\n"
	       "hold 110-130 1\n"
	       "wait 120-130 2\n"
	       "contention 120-130\n"
	       "130-150 2 unknown\n"
	       "150-160 2 python\n"
	       "130-160 1 unknown\n"
	       "hold 150-160 2\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_is_python_between_take_and_drop),
		cmocka_unit_test(a_wait_lasts_from_the_first_wait_to_the_end_that_finds_it_free),
		cmocka_unit_test(a_holder_off_cpu_is_held_blocked_or_held_runnable),
		cmocka_unit_test(a_wait_that_may_have_begun_earlier_is_not_whole),
		cmocka_unit_test(a_take_while_another_holds_is_a_violation),
		cmocka_unit_test(a_drop_settles_an_unknown_gil_and_claims_nothing_backwards),
		cmocka_unit_test(a_wait_for_a_free_gil_is_a_violation),
		cmocka_unit_test(an_observation_names_the_holder_and_settles_who_sleeps),
		cmocka_unit_test(an_observation_from_before_a_transition_is_not_used),
		cmocka_unit_test(a_holder_seen_in_the_act_of_taking_is_no_violation),
		cmocka_unit_test(a_thread_that_waits_in_a_snapshot_waits_since_then),
		cmocka_unit_test(who_enters_an_epoll_wait_does_not_wait_for_the_gil),
		cmocka_unit_test(two_gils_must_both_be_certain_before_a_sleeper_has_none),
		cmocka_unit_test(a_thread_holds_one_gil_at_a_time),
		cmocka_unit_test(a_gil_declared_late_makes_doubtful_who_seemed_to_have_none),
		cmocka_unit_test(a_gil_that_is_off_has_no_holder_until_it_is_switched_on),
		cmocka_unit_test(a_gil_that_is_off_is_not_the_only_one),
		cmocka_unit_test(a_waiter_for_a_gil_that_is_switched_off_continues_without_it),
		cmocka_unit_test(a_gil_of_a_later_interpreter_is_another_one),
		cmocka_unit_test(a_gil_that_is_gone_has_no_waiters),
	};

	return cmocka_run_group_tests_name("model_gil", tests, NULL, NULL);
}
