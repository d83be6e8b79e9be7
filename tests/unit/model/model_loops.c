/* SPDX-License-Identifier: MIT */
/*
 * The model's rules about loops, losses and lives, one small sequence of events each.
 */
#include "tests/sim/emitted.h"

/* ── loops ───────────────────────────────────────────────────────────────── */

/* A runs the loop, out of its wait, without the GIL, from 110 on. */
static void begin_loop(void)
{
	begin();
	in(101, A, 0);
	take(102, A);
	drop(103, A);
	enter(104, A, EPFD);
	leave(110, A, EPFD);
	emitted[0] = '\0';
}

static void a_turn_begins_with_the_wake_up_and_ends_at_the_next_wait(void **state)
{
	begin_loop();
	enter(120, A, EPFD);
	out(121, A, EPOLL_WAIT);
	wake(130, A, 0);
	in(131, A, 0);
	leave(132, A, EPFD);
	enter(140, A, EPFD);
	leave(141, A, EPFD); /* without sleeping */
	enter(150, A, EPFD);
	expect(160, "1",
	       "110-120 1 native cpu0 turn\n"
	       "turn 110-120 1 whole\n"
	       "120-121 1 native cpu0\n"
	       "121-130 1 idle sys232\n"
	       "begin 130 1\n"
	       "130-131 1 runnable cpu0 turn\n"
	       "131-140 1 native cpu0 turn\n"
	       "turn 130-140 1 whole\n"
	       "140-141 1 native cpu0\n"
	       "begin 141 1\n"
	       "141-150 1 native cpu0 turn\n"
	       "turn 141-150 1 whole\n"
	       "150-160 1 native cpu0\n");
}

static void a_spurious_wake_up_is_no_turn(void **state)
{
	begin_loop();
	enter(120, A, EPFD);
	out(121, A, EPOLL_WAIT);
	wake(130, A, 0);
	in(131, A, 0);
	out(132, A, EPOLL_WAIT);
	expect(160, "1",
	       "110-120 1 native cpu0 turn\n"
	       "turn 110-120 1 whole\n"
	       "120-121 1 native cpu0\n"
	       "121-130 1 idle sys232\n"
	       "begin 130 1\n"
	       "130-131 1 runnable cpu0 turn\n"
	       "131-132 1 native cpu0 turn\n"
	       "cancel 1\n"
	       "132-160 1 idle sys232\n");
}

static void a_missing_wake_up_begins_a_turn_that_is_not_whole(void **state)
{
	begin_loop();
	enter(120, A, EPFD);
	out(121, A, EPOLL_WAIT);
	FEED(GAP, gap, 140, A, 0, 0, .since = 135);
	leave(140, A, EPFD);
	enter(153, A, EPFD);
	assert_int_equal(world_window(world).contradictions, 0);
	expect(160, "1",
	       "110-120 1 native cpu0 turn\n"
	       "turn 110-120 1 whole\n"
	       "120-121 1 native cpu0\n"
	       "121-135 1 idle sys232\n"
	       "135-140 1 unknown\n"
	       "begin 140 1\n"
	       "140-153 1 native cpu0 turn\n"
	       "turn 140-153 1 earlier\n"
	       "153-160 1 native cpu0\n");
}

static void a_wait_on_another_descriptor_neither_begins_nor_ends_a_turn(void **state)
{
	begin_loop();
	enter(120, A, OTHER);
	out(121, A, EPOLL_WAIT);
	wake(130, A, 0);
	in(131, A, 0);
	leave(132, A, OTHER);
	enter(140, A, EPFD);
	expect(150, "1",
	       "110-121 1 native cpu0 turn\n"
	       "121-130 1 blocked sys232 turn\n"
	       "130-131 1 runnable cpu0 turn\n"
	       "131-140 1 native cpu0 turn\n"
	       "turn 110-140 1 whole\n"
	       "140-150 1 native cpu0\n");
}

static void a_loop_asleep_in_a_snapshot_is_idle_and_its_first_turn_is_whole(void **state)
{
	begin();
	observe(110, 0, B, 5, 0);
	asleep(120, A, 10, EVF_STATE_EPOLL | EVF_STATE_SYSCALL);
	wake(130, A, 0);
	in(131, A, 0);
	leave(132, A, EPFD);
	enter(140, A, EPFD);
	expect(150, "1",
	       "100-120 1 unknown\n"
	       "120-130 1 idle sys0\n"
	       "begin 130 1\n"
	       "130-131 1 runnable cpu0 turn\n"
	       "131-140 1 native cpu0 turn\n"
	       "turn 130-140 1 whole\n"
	       "140-150 1 native cpu0\n");
}

static void a_descriptor_declared_during_the_wait_makes_the_loop_at_once(void **state)
{
	begin();
	in(110, A, 0);
	take(111, A);
	drop(112, A);
	enter(120, A, OTHER);
	out(121, A, EPOLL_WAIT);
	descriptor(130, OTHER);
	wake(140, A, 0);
	expect(150, "1",
	       "100-111 1 unknown\n"
	       "111-112 1 python cpu0\n"
	       "hold 111-112 1 whole\n"
	       "112-121 1 native cpu0\n"
	       "121-130 1 blocked sys232\n"
	       "130-140 1 idle sys232\n"
	       "begin 140 1\n"
	       "140-150 1 runnable cpu0 turn\n"
	       "turn 140-150 1 ongoing\n");
}

/* asyncio uses its descriptor before it runs the first callback, so only inside the first turn does
 * it become known that the descriptor is a loop's. */
static void the_first_turn_of_a_new_loop_begins_where_the_loop_is_known(void **state)
{
	begin();
	take(110, A);
	drop(120, A);
	enter(121, A, OTHER);
	leave(122, A, OTHER);
	descriptor(125, OTHER);
	runs(130, A, 2, true, LOOP_ASYNCIO);
	out(140, A, READ);
	wake(150, A, 0);
	in(151, A, 0);
	enter(160, A, OTHER);
	expect(170, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 python\n"
	       "hold 110-120 1 whole\n"
	       "120-130 1 native\n"
	       "begin 130 1\n"
	       "130-140 1 native turn\n"
	       "140-150 1 blocked sys0 turn\n"
	       "150-151 1 runnable cpu0 turn\n"
	       "151-160 1 native cpu0 turn\n"
	       "turn 130-160 1 earlier\n"
	       "160-170 1 native cpu0\n");
}

static void the_last_turn_ends_when_the_descriptor_is_closed(void **state)
{
	begin_loop();
	close_epoll(120, A, EPFD);
	out(130, A, READ);
	wake(140, A, 0);
	in(141, A, 0);
	expect(150, "1",
	       "110-120 1 native cpu0 turn\n"
	       "turn 110-120 1 whole\n"
	       "120-130 1 native cpu0\n"
	       "130-140 1 blocked sys0\n"
	       "140-141 1 runnable cpu0\n"
	       "141-150 1 native cpu0\n");
}

static uint64_t own_ns;

static void add_own_turns(void *ctx, const struct interval *i)
{
	own_ns += i->in_turn && i->thread->loop ? i->end - i->start : 0;
}

/* A fold finds the loop of a turn through the interval's thread. */
static void the_last_turns_intervals_still_have_their_loop(void **state)
{
	own_ns = 0;
	world = world_new((struct model_sink){.interval = add_own_turns}, MODE_EXACT);
	assert_non_null(world);
	descriptor(0, EPFD);
	thread(0, A, EVF_THREAD_PYTHON);
	window(100, false);
	in(101, A, 0);
	enter(104, A, EPFD);
	leave(110, A, EPFD);
	close_epoll(120, A, EPFD);
	world_end(world, 130);
	world_free(world);
	assert_int_equal(own_ns, 10);
}

/* Nor does it belong to the new loop before that is known to be one. */
static void a_closed_descriptors_number_may_mean_another_file(void **state)
{
	begin_loop();
	close_epoll(120, A, EPFD);
	runs(125, A, 10, true, LOOP_ASYNCIO); /* read before it was closed */
	enter(130, A, EPFD);
	leave(131, A, EPFD);
	enter(140, A, EPFD);
	assert_null(world_thread(world, A)->loop);
	runs(144, A, 1, true, LOOP_ASYNCIO);
	descriptor(145, EPFD);
	leave(150, A, EPFD);
	close_epoll(160, A, EPFD);
	expect(170, "1",
	       "110-120 1 native cpu0 turn\n"
	       "turn 110-120 1 whole\n"
	       "120-150 1 native cpu0\n"
	       "begin 150 1\n"
	       "150-160 1 native cpu0 turn\n"
	       "turn 150-160 1 whole\n"
	       "160-170 1 native cpu0\n");
}

/* Closed by another thread: what the loop does at that time is unknown. In a loss only the meaning
 * of the number counts. */
static void any_thread_that_closes_the_descriptor_ends_the_loop(void **state)
{
	begin_loop();
	enter(115, A, EPFD);
	out(116, A, EPOLL_WAIT);
	wake(118, A, 0);
	close_epoll(120, B, EPFD);
	in(121, A, 0);
	leave(122, A, EPFD);
	lost(130, 140);
	descriptor(131, OTHER);
	close_epoll(135, A, OTHER);
	enter(150, A, OTHER);
	assert_null(world_thread(world, A)->loop);
	expect(160, "1",
	       "110-115 1 native cpu0 turn\n"
	       "turn 110-115 1 whole\n"
	       "115-116 1 native cpu0\n"
	       "116-118 1 idle sys232\n"
	       "begin 118 1\n"
	       "118-120 1 runnable cpu0 turn\n"
	       "cancel 1\n"
	       "120-121 1 runnable cpu0\n"
	       "121-130 1 native cpu0\n"
	       "130-160 1 unknown\n");
}

static void a_turn_is_ongoing_at_the_end(void **state)
{
	begin_loop();
	expect(150, "1",
	       "110-150 1 native cpu0 turn\n"
	       "turn 110-150 1 ongoing\n");
}

static void a_loop_that_waits_elsewhere_long_enough_runs_there(void **state)
{
	uint64_t ts = 120;

	begin_loop();
	descriptor(115, OTHER);
	for (int i = 0; i < 70; i++) {
		enter(ts, A, OTHER);
		assert_int_equal(world_thread(world, A)->loop->epfd, i < 63 ? EPFD : OTHER);
		leave(ts + 1000, A, OTHER);
		ts += 20 * 1000 * 1000;
	}
	emitted[0] = '\0';
	enter(ts, A, OTHER);
	expect(ts, "1",
	       "1380001120-1400000120 1 native cpu0 turn\n"
	       "turn 1380001120-1400000120 1 whole\n");
}

/* ── losses ──────────────────────────────────────────────────────────────── */

static void a_loss_makes_everything_unknown_over_its_span(void **state)
{
	begin();
	in(110, A, 0);
	take(120, A);
	lost(130, 150);
	in(140, A, 0); /* true at that time, but later events may be missing */
	drop(150, A);  /* the missing event may be later */
	in(160, A, 0);
	take(170, A);
	assert_int_equal(violations(), 0);
	expect(180, "1",
	       "100-120 1 unknown\n"
	       "120-130 1 python cpu0\n"
	       "hold 120-130 1\n"
	       "130-170 1 unknown\n"
	       "170-180 1 python cpu0\n"
	       "hold 170-180 1\n");
}

static void losses_overlap(void **state)
{
	begin();
	in(110, X, 0);
	lost(120, 150);
	lost(130, 140);
	in(145, X, 0);
	thread(160, X, 0);
	in(161, X, 0);
	expect(170, "9",
	       "100-110 9 unknown\n"
	       "110-120 9 native cpu0\n"
	       "120-161 9 unknown\n"
	       "161-170 9 native cpu0\n");
}

static void a_thread_unknown_to_python_may_have_passed_a_site_in_a_loss(void **state)
{
	begin();
	in(110, X, 0);
	lost(120, 130);
	in(140, X, 0);
	expect(150, "9",
	       "100-110 9 unknown\n"
	       "110-120 9 native cpu0\n"
	       "120-150 9 unknown\n");
}

static void a_turn_is_cut_by_a_loss_and_continues_as_a_lower_bound(void **state)
{
	begin_loop();
	lost(120, 130);
	in(140, A, 0);
	take(150, A);
	drop(155, A);
	enter(160, A, EPFD);
	expect(170, "1",
	       "110-120 1 native cpu0 turn\n"
	       "turn 110-120 1\n"
	       "120-131 1 unknown\n"
	       "begin 131 1 possible\n"
	       "131-150 1 unknown turn\n"
	       "150-155 1 python cpu0 turn\n"
	       "hold 150-155 1 whole\n"
	       "155-160 1 native cpu0 turn\n"
	       "turn 131-160 1 earlier\n"
	       "160-170 1 native cpu0\n");
}

static void a_possible_turn_is_none_when_the_loop_proves_to_have_waited(void **state)
{
	begin_loop();
	lost(120, 130);
	in(140, A, 0);
	leave(150, A, EPFD);
	enter(160, A, EPFD);
	expect(170, "1",
	       "110-120 1 native cpu0 turn\n"
	       "turn 110-120 1\n"
	       "120-131 1 unknown\n"
	       "begin 131 1 possible\n"
	       "131-150 1 unknown turn\n"
	       "cancel 1\n"
	       "begin 150 1\n"
	       "150-160 1 unknown turn\n"
	       "turn 150-160 1 earlier\n"
	       "160-170 1 unknown\n");
}

/* ── lives ───────────────────────────────────────────────────────────────── */

static void a_thread_exists_from_its_birth_to_its_exit(void **state)
{
	begin();
	thread(110, C, EVF_THREAD_NEW);
	FEED(WAKE, wake, 111, C, 0, EVF_WAKE_NEW);
	in(112, C, 0);
	take(120, C);
	thread_gone(130, C);
	assert_null(world_thread(world, C));
	thread(135, C, 0); /* read before its exit */
	assert_null(world_thread(world, C));
	thread(140, C, EVF_THREAD_NEW);
	in(150, C, 1);
	expect(160, "3",
	       "110-111 3 unknown\n"
	       "111-112 3 runnable cpu0\n"
	       "112-120 3 native cpu0\n"
	       "120-130 3 python cpu0\n"
	       "hold 120-130 3\n"
	       "140-150 3 unknown\n"
	       "150-160 3 native cpu1\n");
}

static void a_process_that_exits_ends_its_threads(void **state)
{
	begin();
	take(110, A);
	wait(111, B);
	process_gone(120);
	assert_null(world_thread(world, A));
	expect(130, "12",
	       "100-110 1 unknown\n"
	       "100-111 2 unknown\n"
	       "110-120 1 python\n"
	       "111-120 2 gil_wait\n"
	       "wait 111-120 2\n"
	       "contention 111-120\n"
	       "hold 110-120 1\n");
}

static void nothing_is_emitted_before_the_window(void **state)
{
	begin();
	window(110, false); /* it has begun already */
	world_cut(world, 120);
	world_cut(world, 120);
	expect(130, "1",
	       "100-120 1 unknown\n"
	       "120-130 1 unknown\n");
}

static void events_from_the_past_count_now(void **state)
{
	begin();
	in(150, X, 0);
	out(140, X, READ);
	expect(160, "9",
	       "100-150 9 unknown\n"
	       "150-160 9 blocked sys0\n");
}

static void names_are_kept_for_threads_and_strangers(void **state)
{
	uint32_t position = 0;

	begin();
	/* the kernel terminates a name with a zero, a recording may not */
	FEED(COMM, comm, 110, A, 0, 0, .pid = PID,
	     .comm = {{'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e',
		       'f'}});
	FEED(COMM, comm, 110, 777, 0, 0, .pid = 77, .comm = {"stranger"});
	assert_string_equal(world_thread(world, A)->comm, "0123456789abcdef");
	assert_string_equal(world_comm(world, 777), "stranger");
	assert_string_equal(world_comm(world, 778), "");
	assert_int_equal(world_next_thread(world, &position)->tid, A);
	assert_int_equal(world_next_thread(world, &position)->tid, B);
	expect(120, "", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_turn_begins_with_the_wake_up_and_ends_at_the_next_wait),
		cmocka_unit_test(a_spurious_wake_up_is_no_turn),
		cmocka_unit_test(a_missing_wake_up_begins_a_turn_that_is_not_whole),
		cmocka_unit_test(a_wait_on_another_descriptor_neither_begins_nor_ends_a_turn),
		cmocka_unit_test(a_loop_asleep_in_a_snapshot_is_idle_and_its_first_turn_is_whole),
		cmocka_unit_test(a_descriptor_declared_during_the_wait_makes_the_loop_at_once),
		cmocka_unit_test(the_first_turn_of_a_new_loop_begins_where_the_loop_is_known),
		cmocka_unit_test(the_last_turn_ends_when_the_descriptor_is_closed),
		cmocka_unit_test(the_last_turns_intervals_still_have_their_loop),
		cmocka_unit_test(a_closed_descriptors_number_may_mean_another_file),
		cmocka_unit_test(any_thread_that_closes_the_descriptor_ends_the_loop),
		cmocka_unit_test(a_turn_is_ongoing_at_the_end),
		cmocka_unit_test(a_loop_that_waits_elsewhere_long_enough_runs_there),
		cmocka_unit_test(a_loss_makes_everything_unknown_over_its_span),
		cmocka_unit_test(losses_overlap),
		cmocka_unit_test(a_thread_unknown_to_python_may_have_passed_a_site_in_a_loss),
		cmocka_unit_test(a_turn_is_cut_by_a_loss_and_continues_as_a_lower_bound),
		cmocka_unit_test(a_possible_turn_is_none_when_the_loop_proves_to_have_waited),
		cmocka_unit_test(a_thread_exists_from_its_birth_to_its_exit),
		cmocka_unit_test(a_process_that_exits_ends_its_threads),
		cmocka_unit_test(nothing_is_emitted_before_the_window),
		cmocka_unit_test(events_from_the_past_count_now),
		cmocka_unit_test(names_are_kept_for_threads_and_strangers),
	};

	return cmocka_run_group_tests_name("model_loops", tests, NULL, NULL);
}
