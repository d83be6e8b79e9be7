/* SPDX-License-Identifier: MIT */
/*
 * The model's rules about stacks, garbage collections, and the names and loops read from Python's
 * state.
 */
#include "tests/sim/emitted.h"

/* ── stacks ──────────────────────────────────────────────────────────────── */

static void a_stack_is_emitted_after_its_threads_time_up_to_then(void **state)
{
	begin();
	in(110, A, 0);
	take(120, A);
	stack(130, A, EVF_STACK_CLOCK, 4);
	drop(140, A);
	expect(150, "1",
	       "100-120 1 unknown\n"
	       "120-130 1 python cpu0\n"
	       "sample 130 1 stack4 task7 root8 flags16\n"
	       "130-140 1 python cpu0\n"
	       "hold 120-140 1 whole\n"
	       "140-150 1 native cpu0\n");
}

static void a_stack_at_the_instant_of_a_switch_contradicts_nothing(void **state)
{
	begin();
	in(110, A, 0);
	take(120, A);
	stack(130, A, EVF_STACK_SLEEP, 4);
	out(130, A, FUTEX);
	stack(130, A, EVF_STACK_SLEEP, 4); /* in either order */
	wake(140, A, 0);
	in(150, A, 0);
	stack(160, A, EVF_STACK_PREEMPT, 5);
	preempt(160, A, 0);
	assert_int_equal(world_window(world).contradictions, 0);
	expect(170, "1",
	       "100-120 1 unknown\n"
	       "120-130 1 python cpu0\n"
	       "sample 130 1 stack4 task7 root8 flags1\n"
	       "sample 130 1 stack4 task7 root8 flags1\n"
	       "130-140 1 held_blocked sys202\n"
	       "140-150 1 held_runnable cpu0\n"
	       "150-160 1 python cpu0\n"
	       "sample 160 1 stack5 task7 root8 flags2\n"
	       "160-170 1 held_runnable cpu0\n"
	       "hold 120-170 1\n");
}

static void a_stack_proves_that_its_thread_has_a_cpu(void **state)
{
	begin();
	in(101, A, 0);
	take(102, A);
	drop(103, A);
	out(110, A, READ);
	stack(120, A, EVF_STACK_CLOCK, 4);
	assert_int_equal(world_window(world).contradictions, 1);
	expect(130, "1",
	       "100-102 1 unknown\n"
	       "102-103 1 python cpu0\n"
	       "hold 102-103 1 whole\n"
	       "103-110 1 native cpu0\n"
	       "110-120 1 unknown\n"
	       "sample 120 1 stack4 task7 root8 flags16\n"
	       "120-130 1 native\n");
}

static void a_holders_stack_is_attributed_to_a_certain_holder_only(void **state)
{
	begin();
	in(101, A, 0);
	stack(105, B, EVF_STACK_HOLDER, 3); /* no certain holder */
	take(110, A);
	stack(120, B, EVF_STACK_WAIT, 4);
	stack(120, B, EVF_STACK_HOLDER, 5);
	wait(120, B);
	stack(125, A, EVF_STACK_HOLDER, 6); /* itself */
	stack(130, B, EVF_STACK_HOLDER, 7);
	wait(130, B);
	drop(140, A);
	stack(145, B, EVF_STACK_HOLDER, 8); /* the GIL is free */
	assert_int_equal(violations() + world_window(world).contradictions, 0);
	expect(150, "12",
	       "100-110 1 unknown\n"
	       "100-120 2 unknown\n"
	       "sample 120 2 stack4 task7 root8 flags4 gil\n"
	       "110-120 1 python cpu0\n"
	       "sample 120 1 stack5 task7 root8 flags8 by2 gil\n"
	       "120-130 1 python cpu0\n"
	       "sample 130 1 stack7 task7 root8 flags8 by2 gil\n"
	       "130-140 1 python cpu0\n"
	       "hold 110-140 1 whole\n"
	       "120-150 2 gil_wait\n"
	       "140-150 1 native cpu0\n"
	       "wait 120-150 2\n"
	       "contention 120-150\n");
}

static void a_waiters_stack_comes_behind_what_its_holder_did(void **state)
{
	begin();
	in(101, A, 0);
	take(110, A);
	in(111, B, 1);
	wait(120, B);
	stack(130, B, EVF_STACK_CLOCK, 4);
	expect(140, "12",
	       "100-110 1 unknown\n"
	       "100-120 2 unknown\n"
	       "110-130 1 python cpu0\n"
	       "120-130 2 gil_wait\n"
	       "sample 130 2 stack4 task7 root8 flags16\n"
	       "130-140 1 python cpu0\n"
	       "130-140 2 gil_wait\n"
	       "hold 110-140 1\n"
	       "wait 120-140 2\n"
	       "contention 120-140\n");
}

static void stacks_are_emitted_only_where_facts_count(void **state)
{
	const struct model_sink sink = {.interval = on_interval, .sample = on_sample};

	emitted[0] = '\0';
	world = world_new(sink, MODE_EXACT);
	thread(0, A, EVF_THREAD_PYTHON);
	stack(50, A, EVF_STACK_CLOCK, 1);
	window(100, false);
	stack(110, C, EVF_STACK_CLOCK, 2); /* an unknown thread */
	lost(120, 140);
	stack(130, A, EVF_STACK_CLOCK, 3);
	stack(140, A, EVF_STACK_CLOCK, 4);
	stack(150, A, EVF_STACK_CLOCK, 5);
	expect(160, "13",
	       "100-120 1 unknown\n"
	       "120-150 1 unknown\n"
	       "sample 150 1 stack5 task7 root8 flags16\n"
	       "150-160 1 unknown\n");
}

/* ── the garbage collector ───────────────────────────────────────────────── */

static void collections_cut_intervals_and_are_named_by_generation(void **state)
{
	begin();
	in(101, A, 0);
	take(110, A);
	gc_begin(120, A, 2);
	gc_begin(125, A, 0); /* requested by a finalizer */
	gc_end(127, A);
	preempt(130, A, 0);
	in(140, A, 0);
	gc_end(150, A);
	gc_end(155, A); /* without a begin */
	gc_begin(160, A, 65535);
	expect(170, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 python cpu0\n"
	       "120-130 1 python cpu0 gc2\n"
	       "130-140 1 held_runnable cpu0 gc2\n"
	       "140-150 1 python cpu0 gc2\n"
	       "150-160 1 python cpu0\n"
	       "160-170 1 python cpu0 gc255\n"
	       "hold 110-170 1\n");
}

static void a_collection_ends_with_the_evidence_and_at_the_loops_own_wait(void **state)
{
	begin();
	in(101, A, 0);
	take(102, A);
	gc_begin(110, A, 1);
	lost(120, 130);
	in(140, A, 0);
	take(141, A);
	gc_begin(150, A, 1);
	drop(155, A);
	enter(160, A, EPFD); /* the event of its end is missing */
	expect(170, "1",
	       "100-102 1 unknown\n"
	       "102-110 1 python cpu0\n"
	       "110-120 1 python cpu0 gc1\n"
	       "hold 102-120 1\n"
	       "120-141 1 unknown\n"
	       "141-150 1 python cpu0\n"
	       "150-155 1 python cpu0 gc1\n"
	       "hold 141-155 1 whole\n"
	       "155-160 1 native cpu0 gc1\n"
	       "160-170 1 native cpu0\n");
}

/* ── who runs a loop ─────────────────────────────────────────────────────── */

static const struct loop *loop_of(uint32_t tid)
{
	return world_thread(world, tid)->loop;
}

static void finish(void)
{
	world_free(world);
	world = NULL;
}

static void what_python_says_is_no_guess(void **state)
{
	begin();
	in(101, A, 0);
	enter(110, A, EPFD);
	assert_true(loop_of(A)->by_behaviour);
	assert_int_equal(loop_of(A)->kind, LOOP_UVLOOP);
	runs(120, A, 5, true, LOOP_ASYNCIO);
	assert_false(loop_of(A)->by_behaviour);
	assert_int_equal(loop_of(A)->kind, LOOP_ASYNCIO);
	descriptor(130, EPFD); /* Python's own state overrides it */
	assert_int_equal(loop_of(A)->kind, LOOP_ASYNCIO);
	runs(140, A, 5, true, LOOP_UNKNOWN);
	assert_int_equal(loop_of(A)->kind, LOOP_ASYNCIO);
	finish();
}

static void a_thread_that_python_says_runs_a_loop_runs_the_one_it_waits_on(void **state)
{
	begin();
	in(101, A, 0);
	runs(105, A, 1, true, LOOP_UNKNOWN);
	assert_int_equal(loop_of(A)->epfd, EPFD_UNKNOWN);
	enter(110, A, OTHER); /* not a loop's descriptor */
	assert_int_equal(loop_of(A)->epfd, EPFD_UNKNOWN);
	leave(111, A, OTHER);
	enter(112, A, EPFD);
	assert_int_equal(loop_of(A)->epfd, EPFD);
	assert_int_equal(loop_of(A)->kind, LOOP_UVLOOP); /* the kind of the descriptor's loop */
	assert_false(loop_of(A)->by_behaviour);
	finish();
}

static void a_thread_that_waits_like_a_loop_but_runs_none_is_no_loop(void **state)
{
	begin();
	in(101, A, 0);
	take(102, A);
	drop(103, A);
	enter(110, A, EPFD);
	out(111, A, EPOLL_WAIT);
	runs(120, A, 5, false, LOOP_UNKNOWN);
	assert_null(loop_of(A));
	wake(130, A, 0);
	in(131, A, 0);
	leave(132, A, EPFD);
	enter(140, A, EPFD);
	descriptor(141, EPFD);
	assert_null(loop_of(A));
	runs(150, A, 5, true, LOOP_ASYNCIO); /* now it does, and waits right now */
	assert_false(loop_of(A)->by_behaviour);
	expect(160, "1",
	       "100-102 1 unknown\n"
	       "102-103 1 python cpu0\n"
	       "hold 102-103 1 whole\n"
	       "103-111 1 native cpu0\n"
	       "111-120 1 idle sys232\n"
	       "120-130 1 blocked sys232\n"
	       "130-131 1 runnable cpu0\n"
	       "131-160 1 native cpu0\n");
}

/* Python's own state decides once one thread of the process has been read. */
static void a_thread_that_was_asked_runs_no_loop_by_behaviour(void **state)
{
	begin();
	in(101, A, 0);
	runs(105, A, 1, false, LOOP_UNKNOWN);
	enter(110, A, EPFD);
	assert_null(loop_of(A));
	runs(130, A, 10, true, LOOP_ASYNCIO);
	assert_false(loop_of(A)->by_behaviour);
	finish();
}

static void a_loop_that_stops_ends_its_turn_and_may_come_again(void **state)
{
	const struct loop *loop;

	begin();
	in(101, A, 0);
	take(102, A);
	drop(103, A);
	enter(110, A, EPFD);
	runs(111, A, 0, true, LOOP_ASYNCIO);
	loop = loop_of(A);
	leave(120, A, EPFD);
	runs(130, A, 0, false, LOOP_UNKNOWN);
	assert_null(loop_of(A));
	enter(140, A, EPFD);
	assert_ptr_equal(loop_of(A), loop);
	assert_true(loop->by_behaviour);
	runs(141, A, 0, true, LOOP_ASYNCIO);
	assert_false(loop->by_behaviour);
	expect(150, "1",
	       "100-102 1 unknown\n"
	       "102-103 1 python cpu0\n"
	       "hold 102-103 1 whole\n"
	       "103-120 1 native cpu0\n"
	       "begin 120 1\n"
	       "120-130 1 native cpu0 turn\n"
	       "cancel 1\n"
	       "130-150 1 native cpu0\n");
}

static void an_answer_that_may_be_older_than_the_last_one_is_ignored(void **state)
{
	begin();
	in(101, A, 0);
	enter(110, A, EPFD);
	runs(120, A, 0, true, LOOP_ASYNCIO);
	runs(121, A, 5, false, LOOP_UNKNOWN);
	assert_false(loop_of(A)->by_behaviour);
	finish();
}

/* No event says that one loop ended and another began. The model infers it from many waits on the
 * other descriptor. */
static void a_second_loop_wins_by_behaviour_and_the_first_is_back_at_once(void **state)
{
	const struct loop *first;
	uint64_t ts = 120;

	begin();
	descriptor(100, OTHER);
	in(101, A, 0);
	enter(110, A, EPFD);
	runs(111, A, 0, true, LOOP_ASYNCIO);
	first = loop_of(A);
	leave(115, A, EPFD);
	for (int i = 0; i < 64; i++) {
		assert_ptr_equal(loop_of(A), first);
		enter(ts, A, OTHER);
		leave(ts + 1000, A, OTHER);
		ts += 20 * 1000 * 1000;
	}
	assert_int_equal(loop_of(A)->epfd, OTHER);
	assert_true(loop_of(A)->by_behaviour);
	enter(ts, A, EPFD);
	assert_ptr_equal(loop_of(A), first);
	finish();
}

/* ── names ───────────────────────────────────────────────────────────────── */

static void threads_have_the_name_that_python_gave_them_last(void **state)
{
	begin();
	FEED(PYTHON_NAME, python_name, 110, X, 0, 0, .text = 3);
	FEED(PYTHON_NAME, python_name, 111, X, 0, 0, .text = 4);
	FEED(PYTHON_NAME, python_name, 112, 12345, 0, 0, .text = 5);
	assert_int_equal(world_thread(world, X)->python_name, 4);
	assert_true(world_thread(world, X)->python);
	assert_int_equal(world_thread(world, A)->python_name, 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stack_is_emitted_after_its_threads_time_up_to_then),
		cmocka_unit_test(a_stack_at_the_instant_of_a_switch_contradicts_nothing),
		cmocka_unit_test(a_stack_proves_that_its_thread_has_a_cpu),
		cmocka_unit_test(a_holders_stack_is_attributed_to_a_certain_holder_only),
		cmocka_unit_test(a_waiters_stack_comes_behind_what_its_holder_did),
		cmocka_unit_test(stacks_are_emitted_only_where_facts_count),
		cmocka_unit_test(collections_cut_intervals_and_are_named_by_generation),
		cmocka_unit_test(a_collection_ends_with_the_evidence_and_at_the_loops_own_wait),
		cmocka_unit_test(what_python_says_is_no_guess),
		cmocka_unit_test(a_thread_that_python_says_runs_a_loop_runs_the_one_it_waits_on),
		cmocka_unit_test(a_thread_that_waits_like_a_loop_but_runs_none_is_no_loop),
		cmocka_unit_test(a_thread_that_was_asked_runs_no_loop_by_behaviour),
		cmocka_unit_test(a_loop_that_stops_ends_its_turn_and_may_come_again),
		cmocka_unit_test(an_answer_that_may_be_older_than_the_last_one_is_ignored),
		cmocka_unit_test(a_second_loop_wins_by_behaviour_and_the_first_is_back_at_once),
		cmocka_unit_test(threads_have_the_name_that_python_gave_them_last),
	};

	return cmocka_run_group_tests_name("model_names", tests, NULL, NULL);
}
