/* SPDX-License-Identifier: MIT */
/*
 * The model's rules about a wait for a partial GIL (mode edges) that goes on although the thread
 * was woken: it slept on the GIL's mutex, and found it taken again.
 */
#include "tests/sim/emitted.h"

static void mutex(uint64_t ts, uint32_t tid, bool waits)
{
	FEED(OBSERVE, observe, ts, tid, 0, waits ? EVF_OBSERVE_WAITS : 0);
	FEED(SWITCH_OUT, switch_out, ts, tid, 0, EVF_SWITCH_OUT_SYSCALL | EVF_SWITCH_OUT_GIL_MUTEX,
	     .sysno = FUTEX);
}

/* A has no GIL, sleeps on the mutex at 110, and runs from 121 on. */
static void begin_and_be_woken(void)
{
	begin_as(true);
	in(101, A, 0);
	observe(102, A, 0, 0, 0);
	out(102, A, READ);
	wake(105, A, 0);
	in(106, A, 0);
	mutex(110, A, false);
	wake(120, A, 0);
	in(121, A, 0);
}

#define BEFORE                                                                                     \
	"100-102 1 unknown\n"                                                                      \
	"102-105 1 blocked sys0\n"                                                                 \
	"105-106 1 runnable cpu0\n"                                                                \
	"106-110 1 unknown\n"                                                                      \
	"110-121 1 gil_wait\n"                                                                     \
	"contention 110-121\n"

static void a_wait_goes_on_over_two_sleeps_and_a_wait(void **state)
{
	begin_and_be_woken();
	mutex(125, A, true);
	wake(130, A, 0);
	in(131, A, 0);
	FEED(WAIT, wait, 135, A, 0, EVF_WAIT_WAITED);
	wait_end(140, A, false);
	assert_int_equal(violations(), 0);
	expect(150, "1",
	       BEFORE "contention 121-125\n"
		      "121-131 1 gil_wait\n"
		      "contention 125-131\n"
		      "contention 131-135\n"
		      "131-140 1 gil_wait\n"
		      "wait 110-140 1 whole\n"
		      "contention 135-140\n"
		      "140-150 1 python cpu0 sampled\n");
}

/* It may have had the GIL. */
static void without_that_it_is_another_wait(void **state)
{
	begin_and_be_woken();
	mutex(125, A, false);
	wake(130, A, 0);
	in(131, A, 0);
	observe(132, A, 0, 0, 0);
	out(132, A, READ);
	assert_int_equal(violations(), 0);
	expect(150, "1",
	       BEFORE "121-125 1 unknown\n"
		      "wait 110-121 1 whole\n"
		      "125-131 1 gil_wait\n"
		      "contention 125-131\n"
		      "131-132 1 unknown\n"
		      "wait 125-131 1 whole\n"
		      "132-150 1 blocked sys0\n");
}

/* The live view has been told already; it was one wait all the same. */
static void what_was_emitted_is_not_taken_back(void **state)
{
	begin_and_be_woken();
	world_cut(world, 123);
	mutex(125, A, true);
	expect(130, "1",
	       BEFORE "121-123 1 unknown\n"
		      "contention 121-125\n"
		      "123-130 1 gil_wait\n"
		      "wait 110-130 1\n"
		      "contention 125-130\n");
}

/* Another thread waits meanwhile, so the GIL is contended all the time, and once. */
static void contention_goes_on_with_the_wait(void **state)
{
	begin_and_be_woken();
	in(122, B, 1);
	wait(123, B);
	mutex(125, A, true);
	assert_int_equal(violations(), 0);
	expect(140, "1",
	       BEFORE "121-140 1 gil_wait\n"
		      "wait 110-140 1\n"
		      "contention 121-140\n");
}

/* It loses its CPU before anything shows whether it has taken the GIL. */
static void preempted_after_the_sleep_it_may_wait_still(void **state)
{
	begin_and_be_woken();
	observe(125, A, 0, 0, 0);
	preempt(125, A, 0);
	in(130, A, 0);
	observe(131, A, 0, 0, 0);
	out(131, A, READ);
	expect(140, "1",
	       BEFORE "121-125 1 unknown\n"
		      "125-130 1 unknown\n"
		      "130-131 1 unknown\n"
		      "wait 110-121 1 whole\n"
		      "131-140 1 blocked sys0\n");
}

/* It loses its CPU on the way to its next sleep on the mutex. */
static void preempted_after_the_sleep_it_has_waited_all_the_time(void **state)
{
	begin_and_be_woken();
	preempt(122, A, 0);
	in(124, A, 0);
	mutex(125, A, true);
	expect(130, "1",
	       BEFORE "121-122 1 unknown\n"
		      "122-124 1 unknown\n"
		      "contention 121-125\n"
		      "124-130 1 gil_wait\n"
		      "wait 110-130 1\n"
		      "contention 125-130\n");
}

/* What another GIL's lock word says is not about this one; nor does it count after a loss. */
static void what_does_not_fit_is_ignored(void **state)
{
	begin_and_be_woken();
	FEED(GIL, gil, 122, PID, 1, 0, .address = 0x2000);
	FEED(OBSERVE, observe, 124, A, 1, EVF_OBSERVE_WAITS);
	FEED(LOST, lost, 126, 0, 0, 0, .count = 1, .last_ts = 127);
	mutex(129, A, true);
	expect(140, "1",
	       BEFORE "121-124 1 unknown\n"
		      "124-126 1 native cpu0 sampled\n"
		      "wait 110-121 1 whole\n"
		      "126-129 1 unknown\n"
		      "129-140 1 unknown\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wait_goes_on_over_two_sleeps_and_a_wait),
		cmocka_unit_test(without_that_it_is_another_wait),
		cmocka_unit_test(what_was_emitted_is_not_taken_back),
		cmocka_unit_test(contention_goes_on_with_the_wait),
		cmocka_unit_test(preempted_after_the_sleep_it_may_wait_still),
		cmocka_unit_test(preempted_after_the_sleep_it_has_waited_all_the_time),
		cmocka_unit_test(what_does_not_fit_is_ignored),
	};

	return cmocka_run_group_tests_name("model_retry", tests, NULL, NULL);
}
