/* SPDX-License-Identifier: MIT */
/*
 * The model's rules about waits of loops whose return is not traced (EPOLL_ENTER `alone`), one
 * small sequence of events each.
 */
#include "tests/sim/emitted.h"

static void enter_as(uint64_t ts, uint32_t epfd, uint8_t flags)
{
	FEED(EPOLL_ENTER, epoll_enter, ts, A, 0, EVF_EPOLL_ENTER_ALONE | flags, .epfd = epfd);
}

/* A runs the loop and enters its wait at 110. */
static void begin_loop(void)
{
	begin();
	in(101, A, 0);
	take(102, A);
	drop(103, A);
	enter_as(110, EPFD, 0);
	emitted[0] = '\0';
}

static void no_contradiction(void)
{
	assert_int_equal(world_window(world).contradictions, 0);
}

static void a_wait_that_slept_ends_with_its_wake_up(void **state)
{
	begin_loop();
	out(111, A, EPOLL_WAIT);
	wake(130, A, 0);
	in(131, A, 0);
	take(132, A);
	drop(139, A);
	enter_as(140, EPFD, 0);
	out(141, A, EPOLL_WAIT);
	no_contradiction();
	expect(150, "1",
	       "110-111 1 native cpu0 turn\n"
	       "cancel 1\n"
	       "111-130 1 idle sys232\n"
	       "begin 130 1\n"
	       "130-131 1 runnable cpu0 turn\n"
	       "131-132 1 native cpu0 turn\n"
	       "132-139 1 python cpu0 turn\n"
	       "hold 132-139 1 whole\n"
	       "139-140 1 native cpu0 turn\n"
	       "turn 130-140 1 whole\n"
	       "begin 140 1\n"
	       "140-141 1 native cpu0 turn\n"
	       "cancel 1\n"
	       "141-150 1 idle sys232\n");
}

static void a_wait_that_did_not_sleep_ends_where_it_began(void **state)
{
	begin_loop();
	take(112, A);
	drop(119, A);
	enter_as(120, EPFD, 0); /* nothing of it shows that it has returned */
	enter_as(140, EPFD, 0);
	no_contradiction();
	expect(150, "1",
	       "110-112 1 native cpu0 turn\n"
	       "112-119 1 python cpu0 turn\n"
	       "hold 112-119 1 whole\n"
	       "119-120 1 native cpu0 turn\n"
	       "turn 110-120 1 whole\n"
	       "begin 120 1\n"
	       "120-140 1 native cpu0 turn\n"
	       "turn 120-140 1 whole\n"
	       "begin 140 1\n"
	       "140-150 1 native cpu0 turn\n"
	       "turn 140-150 1 ongoing\n");
}

static void asleep_again_it_is_in_the_same_wait(void **state)
{
	begin_loop();
	out(111, A, EPOLL_WAIT);
	wake(130, A, 0);
	in(131, A, 0);
	out(132, A, EPOLL_WAIT);
	no_contradiction();
	expect(150, "1",
	       "110-111 1 native cpu0 turn\n"
	       "cancel 1\n"
	       "111-130 1 idle sys232\n"
	       "begin 130 1\n"
	       "130-131 1 runnable cpu0 turn\n"
	       "131-132 1 native cpu0 turn\n"
	       "cancel 1\n"
	       "132-150 1 idle sys232\n");
}

static void a_sleep_in_another_call_is_a_blocking_call(void **state)
{
	begin_loop();
	out(111, A, EPOLL_WAIT);
	wake(130, A, 0);
	in(131, A, 0);
	out(132, A, READ);
	wake(142, A, 0);
	in(143, A, 0);
	enter_as(144, EPFD, 0);
	no_contradiction();
	expect(145, "1",
	       "110-111 1 native cpu0 turn\n"
	       "cancel 1\n"
	       "111-130 1 idle sys232\n"
	       "begin 130 1\n"
	       "130-131 1 runnable cpu0 turn\n"
	       "131-132 1 native cpu0 turn\n"
	       "132-142 1 blocked sys0 turn\n"
	       "142-143 1 runnable cpu0 turn\n"
	       "143-144 1 native cpu0 turn\n"
	       "turn 130-144 1 whole\n"
	       "begin 144 1\n"
	       "144-145 1 native cpu0 turn\n"
	       "turn 144-145 1 ongoing\n");
}

static void a_nested_wait_on_another_descriptor_is_in_the_turn(void **state)
{
	begin_loop();
	take(111, A);
	drop(112, A);
	enter_as(120, OTHER, 0);
	out(121, A, EPOLL_WAIT);
	wake(130, A, 0);
	in(131, A, 0);
	enter_as(140, EPFD, 0);
	no_contradiction();
	expect(141, "1",
	       "110-111 1 native cpu0 turn\n"
	       "111-112 1 python cpu0 turn\n"
	       "hold 111-112 1 whole\n"
	       "112-121 1 native cpu0 turn\n"
	       "121-130 1 blocked sys232 turn\n"
	       "130-131 1 runnable cpu0 turn\n"
	       "131-140 1 native cpu0 turn\n"
	       "turn 110-140 1 whole\n"
	       "begin 140 1\n"
	       "140-141 1 native cpu0 turn\n"
	       "turn 140-141 1 ongoing\n");
}

/* As with a system call that is made without the C library. */
static void waits_that_are_seen_asleep_only_are_idle_and_have_no_turns(void **state)
{
	begin();
	in(101, A, 0);
	take(102, A);
	drop(103, A);
	enter_as(110, EPFD, EVF_EPOLL_ENTER_ASLEEP);
	out(110, A, EPOLL_WAIT);
	wake(130, A, 0);
	in(131, A, 0);
	take(132, A);
	drop(139, A);
	enter_as(140, EPFD, EVF_EPOLL_ENTER_ASLEEP);
	out(140, A, EPOLL_WAIT);
	no_contradiction();
	expect(150, "1",
	       "100-102 1 unknown\n"
	       "102-103 1 python cpu0\n"
	       "hold 102-103 1 whole\n"
	       "103-110 1 native cpu0\n"
	       "110-130 1 idle sys232\n"
	       "130-131 1 runnable cpu0\n"
	       "131-132 1 native cpu0\n"
	       "132-139 1 python cpu0\n"
	       "hold 132-139 1 whole\n"
	       "139-140 1 native cpu0\n"
	       "140-150 1 idle sys232\n");
}

static void stopped_on_its_way_out_it_is_in_a_turn(void **state)
{
	begin_loop();
	out(111, A, EPOLL_WAIT);
	wake(130, A, 0);
	in(131, A, 0);
	FEED(SWITCH_OUT, switch_out, 132, A, 0, EVF_SWITCH_OUT_STOPPED);
	wake(140, A, 0);
	in(141, A, 0);
	enter_as(142, EPFD, 0);
	out(143, A, EPOLL_WAIT);
	no_contradiction();
	expect(143, "1",
	       "110-111 1 native cpu0 turn\n"
	       "cancel 1\n"
	       "111-130 1 idle sys232\n"
	       "begin 130 1\n"
	       "130-131 1 runnable cpu0 turn\n"
	       "131-132 1 native cpu0 turn\n"
	       "132-140 1 blocked sys-3 turn\n"
	       "140-141 1 runnable cpu0 turn\n"
	       "141-142 1 native cpu0 turn\n"
	       "turn 130-142 1 whole\n"
	       "begin 142 1\n"
	       "142-143 1 native cpu0 turn\n"
	       "cancel 1\n");
}

/* After a loss it may have been asleep in its wait, and its return is not traced. */
static void the_turn_after_a_loss_begins_when_the_thread_is_outside(void **state)
{
	begin_loop();
	out(111, A, EPOLL_WAIT);
	lost(120, 125);
	wake(130, A, 0);
	in(135, A, 0);
	take(140, A);
	drop(141, A);
	enter_as(150, EPFD, 0);
	no_contradiction();
	expect(151, "1",
	       "110-111 1 native cpu0 turn\n"
	       "cancel 1\n"
	       "111-120 1 idle sys232\n"
	       "120-126 1 unknown\n"
	       "begin 126 1 possible\n"
	       "126-140 1 unknown turn\n"
	       "cancel 1\n"
	       "begin 140 1\n"
	       "140-141 1 python cpu0 turn\n"
	       "hold 140-141 1 whole\n"
	       "141-150 1 native cpu0 turn\n"
	       "turn 140-150 1 earlier\n"
	       "begin 150 1\n"
	       "150-151 1 native cpu0 turn\n"
	       "turn 150-151 1 ongoing\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wait_that_slept_ends_with_its_wake_up),
		cmocka_unit_test(a_wait_that_did_not_sleep_ends_where_it_began),
		cmocka_unit_test(asleep_again_it_is_in_the_same_wait),
		cmocka_unit_test(a_sleep_in_another_call_is_a_blocking_call),
		cmocka_unit_test(a_nested_wait_on_another_descriptor_is_in_the_turn),
		cmocka_unit_test(waits_that_are_seen_asleep_only_are_idle_and_have_no_turns),
		cmocka_unit_test(stopped_on_its_way_out_it_is_in_a_turn),
		cmocka_unit_test(the_turn_after_a_loss_begins_when_the_thread_is_outside),
	};

	return cmocka_run_group_tests_name("model_alone", tests, NULL, NULL);
}
