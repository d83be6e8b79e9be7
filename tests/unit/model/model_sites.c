/* SPDX-License-Identifier: MIT */
/*
 * The model's doubts about the GIL's sites: it reports what no CPython could do, and nothing that
 * one could.
 */
#include "tests/sim/emitted.h"

static enum sites_fault fault(void)
{
	uint32_t position = 0;

	return world_next_process(world, &position)->sites_fault;
}

static void finish(enum sites_fault expected)
{
	assert_int_equal(fault(), expected);
	window(1000, true);
	world_free(world);
	world = NULL;
}

/* `enabled`: the process has a GIL that is on. */
static void begin_with_process(bool enabled)
{
	begin();
	world_sink(world).process(world,
				  &(struct process_info){.pid = PID, .gil_enabled = enabled});
}

static void a_gil_that_is_dropped_and_never_taken(void **state)
{
	begin();
	in(101, A, 0);
	in(101, B, 1);
	drop(110, A);
	drop(120, B);
	assert_int_equal(fault(), SITES_SOUND);
	drop(130, A);
	assert_int_equal(fault(), SITES_NO_TAKE);
	take(140, A);
	observe(150, 0, 0, 5, 0);
	drop(160, A);
	expect(170, "1",
	       "100-110 1 unknown\n"
	       "110-170 1 unknown\n");
}

static void a_gil_that_is_waited_for_to_the_end_and_never_taken(void **state)
{
	begin();
	for (uint64_t ts = 110; ts < 140; ts += 10) {
		wait(ts, A);
		wait_end(ts + 5, A, false);
	}
	finish(SITES_NO_TAKE);
}

static void who_finds_the_gil_switched_off_does_not_take_it(void **state)
{
	begin();
	for (uint64_t ts = 110; ts < 160; ts += 10) {
		wait(ts, A);
		FEED(WAIT_END, wait_end, ts + 5, A, 0, EVF_WAIT_END_OFF);
	}
	finish(SITES_SOUND);
}

static void waiting_in_vain_contradicts_nothing(void **state)
{
	begin();
	take(105, B);
	for (uint64_t ts = 110; ts < 200; ts += 10) {
		wait(ts, A);
		wait_end(ts + 5, A, true);
	}
	finish(SITES_SOUND);
}

static void a_gil_that_is_taken_and_never_dropped(void **state)
{
	begin();
	take(110, A);
	take(120, B);
	assert_int_equal(fault(), SITES_SOUND);
	take(130, A);
	finish(SITES_NO_DROP);
}

static void what_was_lost_may_have_been_the_other_half(void **state)
{
	begin();
	drop(110, A);
	drop(120, B);
	lost(125, 126);
	drop(130, A);
	drop(140, B);
	finish(SITES_SOUND);
}

static void takes_and_drops_contradict_nothing(void **state)
{
	begin();
	for (uint64_t ts = 110; ts < 200; ts += 10) {
		take(ts, A);
		drop(ts + 5, A);
	}
	finish(SITES_SOUND);
}

/* Stacks of threads that move on prove that these threads ran Python. */
static void move(uint64_t ts, uint32_t threads)
{
	for (uint32_t i = 0; i < 8; i++)
		for (uint32_t tid = A; tid < A + threads; tid++)
			stack(ts + i, tid, EVF_STACK_CLOCK, i + 1);
}

static void threads_that_run_python_pass_a_site(void **state)
{
	begin_with_process(true);
	move(110, 2);
	finish(SITES_NO_HIT);
}

static void one_thread_may_run_python_without_passing_any(void **state)
{
	begin_with_process(true);
	move(110, 1);
	finish(SITES_SOUND);
}

static void threads_that_stay_where_they_are_need_not_run_python(void **state)
{
	begin_with_process(true);
	for (uint64_t ts = 110; ts < 150; ts++)
		for (uint32_t tid = A; tid <= B; tid++)
			stack(ts, tid, EVF_STACK_CLOCK, 5);
	finish(SITES_SOUND);
}

/* Such a stack may differ because it was read while the thread ran, not because the thread moved
 * on. */
static void torn_stacks_do_not_show_that_python_ran(void **state)
{
	begin_with_process(true);
	for (uint32_t i = 0; i < 8; i++)
		for (uint32_t tid = A; tid <= B; tid++)
			stack(110 + i, tid, EVF_STACK_CLOCK | EVF_STACK_TORN, i + 1);
	finish(SITES_SOUND);
}

static void without_a_gil_threads_pass_no_site(void **state)
{
	begin_with_process(false);
	move(110, 2);
	finish(SITES_SOUND);
}

static void with_two_gils_threads_need_not_hand_one_over(void **state)
{
	begin_with_process(true);
	FEED(GIL, gil, 101, PID, 1, 0, .address = 0x2000);
	move(110, 2);
	finish(SITES_SOUND);
}

static void a_site_that_was_passed_is_enough(void **state)
{
	begin_with_process(true);
	take(105, A);
	move(110, 2);
	finish(SITES_SOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gil_that_is_dropped_and_never_taken),
		cmocka_unit_test(a_gil_that_is_waited_for_to_the_end_and_never_taken),
		cmocka_unit_test(who_finds_the_gil_switched_off_does_not_take_it),
		cmocka_unit_test(waiting_in_vain_contradicts_nothing),
		cmocka_unit_test(a_gil_that_is_taken_and_never_dropped),
		cmocka_unit_test(what_was_lost_may_have_been_the_other_half),
		cmocka_unit_test(takes_and_drops_contradict_nothing),
		cmocka_unit_test(threads_that_run_python_pass_a_site),
		cmocka_unit_test(one_thread_may_run_python_without_passing_any),
		cmocka_unit_test(threads_that_stay_where_they_are_need_not_run_python),
		cmocka_unit_test(torn_stacks_do_not_show_that_python_ran),
		cmocka_unit_test(without_a_gil_threads_pass_no_site),
		cmocka_unit_test(with_two_gils_threads_need_not_hand_one_over),
		cmocka_unit_test(a_site_that_was_passed_is_enough),
	};

	return cmocka_run_group_tests_name("model_sites", tests, NULL, NULL);
}
