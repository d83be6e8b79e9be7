/* SPDX-License-Identifier: MIT */
/* The model's rules about special sleeps: on the GIL's own futexes, and of threads stopped from
 * outside. */
#include "tests/sim/emitted.h"

static void out_as(uint64_t ts, uint32_t tid, uint8_t flags)
{
	FEED(SWITCH_OUT, switch_out, ts, tid, 0, flags,
	     .sysno = flags & EVF_SWITCH_OUT_SYSCALL ? FUTEX : 0);
}

#define ON_MUTEX    (EVF_SWITCH_OUT_SYSCALL | EVF_SWITCH_OUT_GIL_MUTEX)
#define ON_HANDOVER (EVF_SWITCH_OUT_SYSCALL | EVF_SWITCH_OUT_HANDOVER)

static void a_sleeper_on_the_gils_mutex_waits_for_the_gil_from_there_on(void **state)
{
	begin();
	take(110, A);
	drop(120, A);
	take(125, B);
	out_as(130, A, ON_MUTEX);
	wake(140, A, 0);
	in(150, A, 0);
	wait(160, A);
	drop(170, B);
	wait_end(180, A, false);
	take(190, A);
	expect(200, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 python\n"
	       "hold 110-120 1 whole\n"
	       "120-130 1 native\n"
	       "130-180 1 gil_wait\n"
	       "wait 130-180 1 whole\n"
	       "contention 130-180\n"
	       "180-200 1 python cpu0\n"
	       "hold 180-200 1 handoff\n");
}

static void on(uint64_t ts, uint32_t tid, uint32_t text)
{
	FEED(SLEEPS_ON, sleeps_on, ts, tid, 0, 0, .text = text);
}

/* SLEEPS_ON counts for the sleep that began at the same instant, and for no other. */
static void what_a_thread_sleeps_on_counts_until_it_is_woken(void **state)
{
	begin();
	take(110, A);
	drop(120, A);
	out(130, A, READ);
	on(130, A, 7);
	on(135, A, 9);
	wake(140, A, 0);
	in(150, A, 0);
	on(150, A, 8);
	out(160, A, READ);
	expect(180, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 python\n"
	       "hold 110-120 1 whole\n"
	       "120-130 1 native\n"
	       "130-140 1 blocked sys0 on7\n"
	       "140-150 1 runnable cpu0\n"
	       "150-160 1 native cpu0\n"
	       "160-180 1 blocked sys0\n");
}

/* Read from outside, it counts only if the thread had no event since reading began. */
static void what_a_sleeper_is_found_to_sleep_on(void **state)
{
	begin();
	take(102, B);
	FEED(STATE, state, 110, A, 0, EVF_STATE_ASLEEP | EVF_STATE_SYSCALL, .sysno = READ,
	     .span_ns = 5);
	FEED(SLEEPS_ON, sleeps_on, 120, A, 0, 0, .text = 7, .span_ns = 5);
	wake(140, A, 0);
	in(150, A, 0);
	FEED(SLEEPS_ON, sleeps_on, 155, A, 0, 0, .text = 8, .span_ns = 3);
	out(160, A, READ);
	FEED(SLEEPS_ON, sleeps_on, 162, A, 0, 0, .text = 9, .span_ns = 5);
	expect(180, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 blocked sys0\n"
	       "120-140 1 blocked sys0 on7\n"
	       "140-150 1 runnable cpu0\n"
	       "150-160 1 native cpu0\n"
	       "160-180 1 blocked sys0\n");
}

static void in_the_handover_a_thread_waits_only_while_it_sleeps(void **state)
{
	begin();
	take(110, A);
	drop(120, A);
	out_as(130, A, ON_HANDOVER);
	take(140, B);
	wake(150, A, 0);
	in(160, A, 0);
	out(170, A, READ);
	expect(180, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 python\n"
	       "hold 110-120 1 whole\n"
	       "120-130 1 native\n"
	       "130-160 1 gil_wait\n"
	       "wait 130-160 1 whole\n"
	       "contention 130-160\n"
	       "160-170 1 native cpu0\n"
	       "170-180 1 blocked sys0\n");
}

static void a_holder_on_the_gils_mutex_is_asleep_with_the_gil_not_in_a_system_call(void **state)
{
	begin();
	take(110, A);
	out_as(120, A, ON_MUTEX);
	wake(130, A, 0);
	in(130, A, 0);
	drop(140, A);
	expect(150, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 python\n"
	       "120-130 1 held_blocked sys-6\n"
	       "130-140 1 python cpu0\n"
	       "hold 110-140 1 whole\n"
	       "140-150 1 native cpu0\n");
}

static void a_thread_found_on_the_gils_mutex_may_be_waiting_or_holding(void **state)
{
	begin();
	asleep(110, A, 5, EVF_STATE_SYSCALL | EVF_STATE_GIL_MUTEX);
	observe(120, 0, 0, 5, 0);
	expect(130, "1",
	       "100-110 1 unknown\n"
	       "110-130 1 unknown\n");
}

static void a_stop_from_outside_is_not_a_system_call(void **state)
{
	begin();
	take(110, A);
	out_as(120, A, EVF_SWITCH_OUT_STOPPED);
	wake(130, A, 0);
	in(130, A, 0);
	drop(140, A);
	out_as(150, A, EVF_SWITCH_OUT_SYSCALL | EVF_SWITCH_OUT_TRACED);
	wake(160, A, 0);
	in(160, A, 0);
	out_as(170, A, EVF_SWITCH_OUT_FROZEN);
	expect(180, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 python\n"
	       "120-130 1 held_blocked sys-3\n"
	       "130-140 1 python cpu0\n"
	       "hold 110-140 1 whole\n"
	       "140-150 1 native cpu0\n"
	       "150-160 1 blocked sys-4\n"
	       "160-170 1 native cpu0\n"
	       "170-180 1 blocked sys-5\n");
}

static void a_thread_that_is_stopped_when_first_seen_is_stopped(void **state)
{
	begin();
	asleep(110, A, 5, EVF_STATE_STOPPED);
	observe(120, 0, A, 5, 0);
	expect(130, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 unknown\n"
	       "120-130 1 held_blocked sys-3\n"
	       "hold 120-130 1\n");
}

/* It need not have waited long enough to emit WAIT: it may wait for the GIL's mutex (A), or not
 * wait at all (B). */
static void a_sleeper_that_finds_the_gil_switched_off_continues_without_it(void **state)
{
	begin();
	in(101, A, 0);
	take(110, A);
	drop(111, A);
	in(101, B, 1);
	take(112, B);
	FEED(SWITCH_OUT, switch_out, 120, A, 0, EVF_SWITCH_OUT_SYSCALL | EVF_SWITCH_OUT_GIL_MUTEX,
	     .sysno = 202, .gil = 0);
	drop(130, B);
	FEED(WAIT_END, wait_end, 131, B, 0, EVF_WAIT_END_OFF);
	wake(132, A, 0);
	in(133, A, 0);
	FEED(WAIT_END, wait_end, 135, A, 0, EVF_WAIT_END_OFF);
	assert_int_equal(violations(), 0);
	expect(150, "1",
	       "100-110 1 unknown\n"
	       "110-111 1 python cpu0\n"
	       "hold 110-111 1 whole\n"
	       "111-120 1 native cpu0\n"
	       "120-135 1 gil_wait\n"
	       "wait 120-135 1 whole\n"
	       "contention 120-135\n"
	       "135-150 1 native cpu0\n");
}

/* A sleeps inside drop_gil on the mutex of the condition variable that it signals, and later on a
 * lock of Python's. */
static void a_sleeper_at_the_end_of_drop_gil_may_sleep_on_a_lock_next(void **state)
{
	begin();
	in(101, A, 0);
	take(110, A);
	drop(111, A);
	out_as(112, A, ON_MUTEX);
	wake(116, A, 0);
	in(117, A, 0);
	out_as(118, A, EVF_SWITCH_OUT_SYSCALL);
	assert_int_equal(violations(), 0);
	expect(150, "1",
	       "100-110 1 unknown\n"
	       "110-111 1 python cpu0\n"
	       "hold 110-111 1 whole\n"
	       "111-112 1 native cpu0\n"
	       "112-118 1 gil_wait\n"
	       "wait 112-118 1 whole\n"
	       "contention 112-118\n"
	       "118-150 1 blocked sys202\n");
}

/* The same, and then in a system call that is no futex (230). */
static void a_sleeper_at_the_end_of_drop_gil_does_not_wait_for_it(void **state)
{
	begin();
	in(101, A, 0);
	take(110, A);
	drop(111, A);
	FEED(SWITCH_OUT, switch_out, 112, A, 0, ON_MUTEX, .sysno = 202, .gil = 0);
	wake(116, A, 0);
	in(117, A, 0);
	FEED(SWITCH_OUT, switch_out, 118, A, 0, EVF_SWITCH_OUT_SYSCALL, .sysno = 230);
	assert_int_equal(violations(), 0);
	expect(150, "1",
	       "100-110 1 unknown\n"
	       "110-111 1 python cpu0\n"
	       "hold 110-111 1 whole\n"
	       "111-112 1 native cpu0\n"
	       "112-118 1 gil_wait\n"
	       "wait 112-118 1 whole\n"
	       "contention 112-118\n"
	       "118-150 1 blocked sys230\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sleeper_on_the_gils_mutex_waits_for_the_gil_from_there_on),
		cmocka_unit_test(what_a_thread_sleeps_on_counts_until_it_is_woken),
		cmocka_unit_test(what_a_sleeper_is_found_to_sleep_on),
		cmocka_unit_test(in_the_handover_a_thread_waits_only_while_it_sleeps),
		cmocka_unit_test(
			a_holder_on_the_gils_mutex_is_asleep_with_the_gil_not_in_a_system_call),
		cmocka_unit_test(a_thread_found_on_the_gils_mutex_may_be_waiting_or_holding),
		cmocka_unit_test(a_sleeper_at_the_end_of_drop_gil_does_not_wait_for_it),
		cmocka_unit_test(a_sleeper_at_the_end_of_drop_gil_may_sleep_on_a_lock_next),
		cmocka_unit_test(a_sleeper_that_finds_the_gil_switched_off_continues_without_it),
		cmocka_unit_test(a_stop_from_outside_is_not_a_system_call),
		cmocka_unit_test(a_thread_that_is_stopped_when_first_seen_is_stopped),
	};

	return cmocka_run_group_tests_name("model asleep", tests, NULL, NULL);
}
