/* SPDX-License-Identifier: MIT */
/*
 * What began before the window: loops that are known before their first wait, and the stacks of
 * threads that sleep all the time.
 */
#include "tests/sim/emitted.h"

static struct loop *loop_of(uint32_t tid)
{
	return world_thread(world, tid)->loop;
}

/* Before the window, which begins at 100, Python's state showed that A runs a loop. */
static void begin_with_loop(void)
{
	declare_as(false);
	runs(50, A, 5, true, LOOP_ASYNCIO);
	window(100, false);
}

static void a_loop_that_sleeps_elsewhere_is_in_a_turn_since_before(void **state)
{
	begin_with_loop();
	observe(110, 0, 0, 5, 0);
	asleep(120, A, 5, EVF_STATE_SYSCALL);
	expect(150, "1",
	       "begin 100 1 possible\n"
	       "100-120 1 unknown turn\n"
	       "120-150 1 blocked sys0 turn\n"
	       "turn 100-150 1 earlier ongoing\n");
}

static void a_loop_that_has_the_gil_is_in_a_turn_since_before(void **state)
{
	begin_with_loop();
	observe(110, 0, A, 5, 0);
	assert_false(loop_of(A)->possible);
	expect(150, "1",
	       "begin 100 1 possible\n"
	       "100-110 1 unknown turn\n"
	       "110-150 1 unknown holds turn\n"
	       "hold 110-150 1\n"
	       "turn 100-150 1 earlier ongoing\n");
}

static void a_loop_that_wants_the_gil_is_in_a_turn_since_before(void **state)
{
	begin_with_loop();
	wait_end(110, A, true);
	assert_false(loop_of(A)->possible);
	expect(150, "1",
	       "begin 100 1 possible\n"
	       "100-110 1 unknown turn\n"
	       "110-150 1 gil_wait turn\n"
	       "wait 110-150 1\n"
	       "contention 110-150\n"
	       "turn 100-150 1 earlier ongoing\n");
}

static void such_a_turn_ends_at_the_first_wait_on_a_loops_descriptor(void **state)
{
	begin_with_loop();
	observe(110, 0, 0, 5, 0);
	asleep(120, A, 5, EVF_STATE_SYSCALL);
	wake(130, A, 0);
	in(131, A, 0);
	enter(135, A, OTHER);
	leave(136, A, OTHER);
	enter(140, A, EPFD);
	assert_int_equal(loop_of(A)->epfd, EPFD);
	out(141, A, EPOLL_WAIT);
	expect(150, "1",
	       "begin 100 1 possible\n"
	       "100-120 1 unknown turn\n"
	       "120-130 1 blocked sys0 turn\n"
	       "130-131 1 runnable cpu0 turn\n"
	       "131-140 1 native cpu0 turn\n"
	       "turn 100-140 1 earlier\n"
	       "140-141 1 native cpu0\n"
	       "141-150 1 idle sys232\n");
}

static void a_loop_that_is_in_its_wait_is_in_no_turn(void **state)
{
	begin_with_loop();
	asleep(120, A, 5, EVF_STATE_EPOLL | EVF_STATE_SYSCALL);
	assert_int_equal(loop_of(A)->epfd, EPFD);
	assert_false(loop_of(A)->in_turn);
	window(150, true);
	world_free(world);

	begin_with_loop();
	in(119, A, 0);
	leave(120, A, EPFD);
	assert_int_equal(loop_of(A)->epfd, EPFD);
	expect(150, "1",
	       "begin 100 1 possible\n"
	       "100-120 1 unknown turn\n"
	       "cancel 1\n"
	       "begin 120 1\n"
	       "120-150 1 unknown turn\n"
	       "turn 120-150 1 earlier ongoing\n");
}

static void what_is_not_known_of_it_is_not_shown(void **state)
{
	begin_with_loop();
	assert_false(loop_of(A)->in_turn); /* its first event is yet to come */
	in(110, X, 0);
	assert_true(loop_of(A)->possible);
	expect(150, "1",
	       "begin 100 1 possible\n"
	       "100-150 1 unknown turn\n"
	       "cancel 1\n");
}

static void a_loop_that_closes_its_descriptor_without_a_wait_is_over(void **state)
{
	begin_with_loop();
	observe(110, 0, A, 5, 0);
	close_epoll(120, A, EPFD);
	assert_null(loop_of(A));
	window(150, true);
	assert_non_null(strstr(emitted, "turn 100-120 1 earlier\n"));
	world_free(world);
}

static void a_loop_with_the_number_of_an_earlier_one_continues_as_that(void **state)
{
	const struct loop *first;

	begin();
	in(101, A, 0);
	runs(102, A, 1, true, LOOP_ASYNCIO);
	enter(104, A, EPFD);
	first = loop_of(A);
	leave(110, A, EPFD);
	close_epoll(115, A, EPFD);
	descriptor(117, EPFD);
	runs(120, A, 1, true, LOOP_ASYNCIO);
	assert_ptr_not_equal(loop_of(A), first);
	assert_true(loop_of(A)->in_turn);
	enter(130, A, EPFD);
	assert_ptr_equal(loop_of(A), first);
	window(150, true);
	assert_non_null(strstr(emitted, "turn 110-115 1 whole\n"));
	assert_non_null(strstr(emitted, "turn 120-130 1 earlier\n"));
	world_free(world);
}

static void a_loop_that_stopped_before_the_window_is_none(void **state)
{
	declare_as(false);
	runs(50, A, 5, true, LOOP_ASYNCIO);
	window(100, false);
	runs(120, A, 5, false, LOOP_UNKNOWN);
	assert_null(loop_of(A));
	expect(150, "1",
	       "begin 100 1 possible\n"
	       "100-120 1 unknown turn\n"
	       "cancel 1\n"
	       "120-150 1 unknown\n");
}

/* ── stacks ──────────────────────────────────────────────────────────────── */

EVENT_FUNCTION(still, (uint64_t ts, uint32_t tid, uint32_t span_ns), STILL, still, ts, tid, 0, 0,
	       .stack = 3, .span_ns = span_ns, .task = 7, .root = 8)

static void a_sleeper_stands_where_it_was_read(void **state)
{
	begin();
	observe(110, 0, 0, 5, 0);
	asleep(120, A, 5, EVF_STATE_SYSCALL);
	still(130, A, 9);
	expect(150, "1",
	       "100-120 1 unknown\n"
	       "120-130 1 blocked sys0\n"
	       "sample 130 1 stack3 task7 root8 flags1\n"
	       "130-150 1 blocked sys0\n");
}

static void a_stack_that_is_older_than_a_fact_does_not_count(void **state)
{
	begin();
	observe(110, 0, 0, 5, 0);
	still(115, A, 4); /* whether it sleeps is unknown */
	asleep(120, A, 5, EVF_STATE_SYSCALL);
	in(125, A, 0);
	out(126, A, READ);
	still(130, A, 9);  /* since 121 */
	still(131, A, 5);  /* since exactly the instant of its last event */
	still(135, A, 40); /* since before the window */
	window(150, true);
	assert_null(strstr(emitted, "sample"));
	world_free(world);
}

static void a_stack_that_the_probes_took_counts_first(void **state)
{
	begin();
	in(110, A, 0);
	stack(120, A, EVF_STACK_SLEEP, 4);
	out(120, A, READ);
	still(130, A, 5);
	window(150, true);
	assert_null(strstr(emitted, "stack3"));
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loop_that_sleeps_elsewhere_is_in_a_turn_since_before),
		cmocka_unit_test(a_loop_that_has_the_gil_is_in_a_turn_since_before),
		cmocka_unit_test(a_loop_that_wants_the_gil_is_in_a_turn_since_before),
		cmocka_unit_test(such_a_turn_ends_at_the_first_wait_on_a_loops_descriptor),
		cmocka_unit_test(a_loop_that_is_in_its_wait_is_in_no_turn),
		cmocka_unit_test(what_is_not_known_of_it_is_not_shown),
		cmocka_unit_test(a_loop_that_closes_its_descriptor_without_a_wait_is_over),
		cmocka_unit_test(a_loop_with_the_number_of_an_earlier_one_continues_as_that),
		cmocka_unit_test(a_loop_that_stopped_before_the_window_is_none),
		cmocka_unit_test(a_sleeper_stands_where_it_was_read),
		cmocka_unit_test(a_stack_that_is_older_than_a_fact_does_not_count),
		cmocka_unit_test(a_stack_that_the_probes_took_counts_first),
	};

	return cmocka_run_group_tests_name("model_before", tests, NULL, NULL);
}
