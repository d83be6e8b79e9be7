/* SPDX-License-Identifier: MIT */
/*
 * Where in Python the time was spent: the rules of docs/evidence/accuracy.md, one small stream
 * each.
 */
#include "tests/sim/named.h"

/* ── a turn ──────────────────────────────────────────────────────────────── */

static void time_off_the_cpu_is_the_stacks_that_was_taken_when_it_began(void **state)
{
	const struct stall *stall;

	begin_names();
	take(11 * MS, A);
	stack(15 * MS, A, SLEEP, IN_ALPHA);
	out(15 * MS, A, READ);
	wake(45 * MS, A, 0);
	in(46 * MS, A, 0);
	stack(48 * MS, A, PREEMPT, IN_BETA);
	preempt(48 * MS, A, 0);
	in(58 * MS, A, 0);
	drop(59 * MS, A);
	out(60 * MS, A, READ); /* after this, nothing is known */
	wake(65 * MS, A, 0);
	in(66 * MS, A, 0);
	stall = stall_until(67 * MS);
	assert_int_equal(SHARE(&stall->what, IN_ALPHA, TS_HELD_BLOCKED), 30 * MS);
	assert_int_equal(SHARE(&stall->what, IN_ALPHA, TS_HELD_RUNNABLE), MS);
	assert_int_equal(SHARE(&stall->what, IN_BETA, TS_HELD_RUNNABLE), 10 * MS);
	assert_int_equal(SHARE(&stall->what, 0, TS_BLOCKED), 5 * MS);
	assert_int_equal(SHARE(&stall->what, 0, TS_RUNNABLE), MS);
	assert_int_equal(stall->stack, IN_ALPHA);
	assert_int_equal(stall->handler.frame.function, ALPHA);
	assert_int_equal(flame_ns(A, IN_ALPHA, TS_HELD_BLOCKED, true), 30 * MS);
	assert_int_equal(flame_ns(A, IN_BETA, TS_HELD_RUNNABLE, true), 10 * MS);
	assert_int_equal(flame_ns(A, 0, TS_BLOCKED, true), 5 * MS);
}

static void time_on_a_cpu_is_the_next_samples_and_the_last_ones_at_the_end(void **state)
{
	const struct stall *stall;

	begin_names();
	take(12 * MS, A); /* 2 ms without the GIL, before the first sample */
	stack(14 * MS, A, CLOCK, IN_ALPHA);
	stack(24 * MS, A, CLOCK, IN_ALPHA_DUMPS);
	stack(44 * MS, A, CLOCK, IN_BETA);  /* just close enough */
	stack(65 * MS, A, CLOCK, IN_ALPHA); /* too far from the sample before */
	stall = stall_until(70 * MS);
	assert_int_equal(SHARE(&stall->what, IN_ALPHA, TS_NATIVE), 2 * MS);
	assert_int_equal(SHARE(&stall->what, IN_ALPHA, TS_PYTHON), (2 + 5) * MS);
	assert_int_equal(SHARE(&stall->what, IN_ALPHA_DUMPS, TS_PYTHON), 10 * MS);
	assert_int_equal(SHARE(&stall->what, IN_BETA, TS_PYTHON), 20 * MS);
	assert_int_equal(SHARE(&stall->what, 0, TS_PYTHON), 21 * MS);
	assert_int_equal(stall->stack, IN_BETA); /* a single stack */
	assert_int_equal(stall->handler.frame.function, BETA);
}

static void without_a_clock_only_time_off_the_cpu_has_a_stack(void **state)
{
	const struct stall *stall;

	begin_at(0, GC_PROBES);
	stack(15 * MS, A, SLEEP, IN_ALPHA);
	out(15 * MS, A, READ);
	wake(45 * MS, A, 0);
	in(46 * MS, A, 0);
	stall = stall_until(67 * MS);
	assert_int_equal(SHARE(&stall->what, IN_ALPHA, TS_BLOCKED), 30 * MS);
	assert_int_equal(SHARE(&stall->what, IN_ALPHA, TS_NATIVE), 0);
	assert_int_equal(SHARE(&stall->what, 0, TS_NATIVE), 26 * MS);
}

static void a_turn_without_samples_has_no_stack(void **state)
{
	const struct stall *stall;

	begin_names();
	/* late for the instant at 10: counted at 10, before the iteration */
	stack(9 * MS + MS / 2, A, CLOCK, IN_SELECT);
	stall = stall_until(67 * MS);
	assert_int_equal(stall->stack, 0);
	assert_int_equal(stall->handler.role, HANDLER_NONE);
	assert_int_equal(stall->part_count, 1);
}

static void tasks_that_run_one_after_the_other_are_parts(void **state)
{
	const struct stall *stall;

	begin_names();
	take(10 * MS + 1, A);
	for (uint64_t n = 0; n < 10; n++) {
		sample((14 + n * 12) * MS, A, CLOCK, IN_ALPHA, 7 + (uint32_t)n, 1000 + n);
		sample((18 + n * 12) * MS, A, CLOCK, IN_ALPHA_DUMPS, 7 + (uint32_t)n, 1000 + n);
		/* one stack could not be read */
		sample((22 + n * 12) * MS, A, CLOCK, n == 4 ? 0 : IN_ALPHA, 7 + (uint32_t)n,
		       1000 + n);
	}
	stall = stall_until(130 * MS);
	assert_int_equal(stall->part_count, 11);
	for (uint32_t n = 0, i = 0; i < 11; i++) {
		const struct turn_part *part = &stall->parts[i];

		if (!part->handler.role) {
			assert_int_equal(part->start, (18 + 4 * 12) * MS);
			assert_int_equal(part->states.ns[TS_PYTHON], 4 * MS);
			continue;
		}
		assert_int_equal(part->handler.frame.function, ALPHA);
		assert_int_equal(part->root, 1000 + n);
		assert_int_equal(part->task, 7 + n);
		assert_int_equal(state_sums_total(&part->states), n == 4 ? 8 * MS : 12 * MS);
		assert_int_equal(part->start, (10 + n * 12) * MS);
		assert_int_equal(part->stack, IN_ALPHA);
		n++;
	}
	assert_int_equal(stall->handler.frame.function, ALPHA);
	assert_int_equal(stall->what.stacks[0].root != 0, true);
}

static void what_is_between_keeps_a_handlers_runs_apart_unless_it_is_not_known(void **state)
{
	const struct stall *stall;

	begin_names();
	stack(20 * MS, A, CLOCK, IN_ALPHA);
	stack(30 * MS, A, CLOCK, 0);
	stack(40 * MS, A, CLOCK, IN_ALPHA_DUMPS);
	stack(50 * MS, A, CLOCK, IN_SELECT);
	stack(60 * MS, A, CLOCK, IN_ALPHA);
	stall = stall_until(70 * MS);
	assert_int_equal(stall->part_count, 4);
	assert_int_equal(stall->parts[0].start, 10 * MS);
	assert_int_equal(stall->parts[0].end, 40 * MS);
	assert_int_equal(state_sums_total(&stall->parts[0].states), 20 * MS);
	assert_int_equal(stall->parts[1].start, 20 * MS);
	assert_int_equal(stall->parts[1].handler.role, HANDLER_NONE);
	assert_int_equal(stall->parts[2].stack, IN_SELECT);
	assert_int_equal(stall->parts[3].end, 70 * MS);
	assert_int_equal(state_sums_total(&stall->parts[3].states), 20 * MS);
}

static void parts_and_stacks_stay_bounded(void **state)
{
	const struct stall *stall;

	begin_names();
	for (uint64_t n = 0; n < 3000; n++)
		sample((11 + n) * MS, A, CLOCK, n % 2 ? IN_ALPHA : IN_BETA, 0, n);
	stall = stall_until(3011 * MS);
	assert_int_equal(stall->part_count, TURN_PARTS_MAX);
	assert_int_equal(stall->parts[TURN_PARTS_MAX - 1].handler.role, HANDLER_NONE);
	assert_int_equal(stall->parts[TURN_PARTS_MAX - 1].states.ns[TS_NATIVE],
			 (3001 - (TURN_PARTS_MAX - 1)) * MS);
	assert_true(stall->what.stack_count <= 1100);
	assert_true(SHARE(&stall->what, 0, TS_NATIVE) > 1900 * MS);
}

/* ── waiting for the GIL ─────────────────────────────────────────────────── */

/* A waits from 20 to 80, B holds until 70, C from 71 to 79. */
static void make_wait(bool samples)
{
	take(15 * MS, B);
	stack(20 * MS, A, WAITS, IN_SELECT);
	if (samples)
		sample(20 * MS, A, HOLDER, IN_JOB, 3, 4);
	wait(20 * MS, A);
	stack(21 * MS, A, SLEEP, IN_BETA); /* the stack in which it began to wait */
	out(21 * MS, A, FUTEX);
	if (samples) {
		stack(40 * MS, B, CLOCK, IN_JOB_LATER);
		stack(60 * MS, B, SLEEP, IN_JOB_LATER);
	}
	out(60 * MS, B, READ);
	wake(65 * MS, B, 1);
	in(66 * MS, B, 1);
	drop(70 * MS, B);
	take(71 * MS, C);
	if (samples)
		stack(75 * MS, C, CLOCK, IN_ALPHA);
	drop(79 * MS, C);
	wake(79 * MS, A, 0);
	in(80 * MS, A, 0);
	take(80 * MS, A);
}

static void holders_stacks_say_who_made_the_loop_wait(void **state)
{
	const struct stall *stall;
	const struct blocker *blocker;

	begin_names();
	make_wait(true);
	stack(82 * MS, A, CLOCK, IN_BETA);
	stall = stall_until(85 * MS);
	assert_int_equal(stall->cause, TS_GIL_WAIT);
	assert_int_equal(SHARE(&stall->what, IN_SELECT, TS_GIL_WAIT), 60 * MS);
	assert_int_equal(stall->handler.role, HANDLER_NONE); /* the loop itself waited */
	blocker = &stall->what.blockers[0];
	assert_int_equal(blocker->thread->tid, B);
	assert_int_equal(SHARE(blocker, IN_JOB, TS_PYTHON), 20 * MS);
	assert_int_equal(SHARE(blocker, IN_JOB_LATER, TS_PYTHON), 20 * MS + 4 * MS);
	assert_int_equal(SHARE(blocker, IN_JOB_LATER, TS_HELD_BLOCKED), 5 * MS);
	assert_int_equal(blocker->handler.frame.function, JOB);
	blocker = &stall->what.blockers[1];
	assert_int_equal(blocker->thread->tid, C);
	/* including the time before its first sample */
	assert_int_equal(SHARE(blocker, IN_ALPHA, TS_PYTHON), 8 * MS);
	assert_int_equal(blocker->handler.frame.function, ALPHA);
	assert_int_equal(flame_ns(A, IN_SELECT, TS_GIL_WAIT, true), 60 * MS);
}

static void a_stall_of_waiting_is_charged_to_who_held_the_gil(void **state)
{
	uint64_t nobody = 0;

	begin_names();
	make_wait(true);
	stack(82 * MS, A, CLOCK, IN_BETA);
	stall_until(85 * MS);
	assert_int_equal(blame_of(JOB)->stalls, 1);
	assert_int_equal(blame_of(JOB)->stall_ns, 75 * MS);
	assert_int_equal(blame_of(JOB)->worst_ns, 75 * MS);
	assert_int_equal(blame_of(JOB)->ts_worst, 10 * MS);
	assert_int_equal(blame_of(JOB)->made_loops_wait_ns, 50 * MS);
	assert_int_equal(blame_of(JOB)->made_wait_ns, 50 * MS);
	assert_int_equal(blame_of(JOB)->handler.frame.line, 5);
	assert_int_equal(blame_of(ALPHA)->made_loops_wait_ns, 8 * MS);
	assert_int_equal(blame_of(ALPHA)->stalls + blame_of(BETA)->stalls, 0);
	assert_ptr_equal(blame_of(JOB), &found->blame[0]);
	assert_null(blame_of(SELECT));
	for (uint32_t i = 0; i < found->wait_flame_count; i++)
		if (found->wait_flames[i].waiter->tid == A && !found->wait_flames[i].holder) {
			assert_int_equal(found->wait_flames[i].waiter_stack, IN_SELECT);
			nobody += found->wait_flames[i].ns;
		}
	assert_int_equal(nobody, 2 * MS);
}

static void holders_without_samples_have_no_stack(void **state)
{
	const struct stall *stall;

	begin_names();
	stack(14 * MS, B, CLOCK, IN_JOB); /* from an earlier hold */
	make_wait(false);
	stall = stall_until(85 * MS);
	assert_int_equal(SHARE(&stall->what.blockers[0], 0, TS_PYTHON), 44 * MS);
	assert_int_equal(stall->what.blockers[0].handler.role, HANDLER_NONE);
	assert_int_equal(blame_of(JOB) ? blame_of(JOB)->stalls : 0, 0);
}

static void a_holders_first_sample_counts_back_to_the_waits_begin_only(void **state)
{
	const struct stall *stall;

	begin_names();
	take(15 * MS, B);
	wait(20 * MS, A);
	wait(22 * MS, C);
	gc_begin(24 * MS, B, 2);
	preempt(25 * MS, B, 1);
	in(26 * MS, B, 1);
	stack(30 * MS, B, CLOCK, IN_JOB);
	gc_end(40 * MS, B);
	drop(80 * MS, B);
	take(81 * MS, A);
	stall = stall_until(85 * MS);
	assert_int_equal(stall->what.blockers[0].stack_count >= 1, true);
	assert_int_equal(SHARE(&stall->what.blockers[0], IN_JOB, TS_PYTHON), 59 * MS);
	assert_int_equal(SHARE(&stall->what.blockers[0], IN_JOB, TS_HELD_RUNNABLE), MS);
	assert_int_equal(SHARE(&stall->what.blockers[0], 0, TS_PYTHON), 0);
	assert_int_equal(stall->what.blockers[0].gc_ns, 16 * MS);
	assert_int_equal(blame_of(JOB)->made_loops_wait_ns, 60 * MS);
	assert_int_equal(blame_of(JOB)->made_wait_ns, (60 + 58) * MS);
}

static void a_sample_is_of_its_own_hold_only(void **state)
{
	const struct stall *stall;
	const struct blocker *blocker;

	begin_names();
	take(15 * MS, B);
	wait(20 * MS, A);
	drop(30 * MS, B); /* without a stack */
	take(31 * MS, B);
	stack(40 * MS, B, CLOCK, IN_JOB);
	drop(50 * MS, B);
	stack(51 * MS, B, WAITS, IN_JOB_LATER); /* the wait has not begun */
	take(51 * MS, B);
	drop(70 * MS, B);
	take(71 * MS, A);
	stall = stall_until(80 * MS);
	blocker = &stall->what.blockers[0];
	assert_int_equal(SHARE(blocker, 0, TS_PYTHON), (10 + 19) * MS);
	assert_int_equal(SHARE(blocker, IN_JOB, TS_PYTHON), 19 * MS);
}

static void what_a_thread_did_unseen_has_no_stack(void **state)
{
	const struct stall *stall;

	begin_names();
	stack(15 * MS, A, SLEEP, IN_ALPHA);
	out(15 * MS, A, READ);
	FEED(GAP, gap, 60 * MS, A, 0, 0, .since = 40 * MS);
	stall = stall_until(65 * MS);
	assert_int_equal(SHARE(&stall->what, IN_ALPHA, TS_BLOCKED), 25 * MS);
	assert_int_equal(SHARE(&stall->what, 0, TS_UNKNOWN), 20 * MS);
}

/* ── over the window ─────────────────────────────────────────────────────── */

static void over_the_window_the_clock_alone_says_what_ran(void **state)
{
	begin_names();
	take(12 * MS, A);
	stack(14 * MS, A, CLOCK, IN_ALPHA);
	stack(18 * MS, A, SLEEP, IN_BETA);
	out(18 * MS, A, READ);
	wake(20 * MS, A, 0);
	in(21 * MS, A, 0);
	stack(64 * MS, A, CLOCK, IN_BETA); /* however long the stretch is */
	stack(70 * MS, B, CLOCK, IN_JOB);
	stall_until(70 * MS);
	assert_int_equal(flame_ns(A, IN_ALPHA, TS_PYTHON, true), 2 * MS);
	assert_int_equal(flame_ns(A, IN_ALPHA, TS_NATIVE, true), 2 * MS);
	assert_int_equal(flame_ns(A, IN_BETA, TS_PYTHON, true), (4 + 43) * MS);
	assert_int_equal(flame_ns(A, IN_BETA, TS_HELD_BLOCKED, true), 2 * MS);
	assert_int_equal(flame_ns(A, 0, TS_PYTHON, true), 6 * MS); /* since the sample before */
	assert_int_equal(blame_of(ALPHA)->samples, 1);
	assert_int_equal(blame_of(BETA)->loop.ns[TS_PYTHON], 47 * MS);
	assert_int_equal(blame_of(BETA)->loop.ns[TS_HELD_BLOCKED], 2 * MS);
	assert_int_equal(blame_of(BETA)->stalls, 1);
	assert_true(blame_of(JOB)->elsewhere.ns[TS_NATIVE] > 69 * MS);
	assert_int_equal(state_sums_total(&blame_of(JOB)->loop), 0);
	assert_int_equal(found->blame[0].handler.frame.function, BETA);
	assert_int_equal(found->blame[1].handler.frame.function, ALPHA);
	assert_int_equal(found->blame[2].handler.frame.function, JOB);
}

/* What a function cost stays what it was; the sums of threads are checked in every report. */
static void when_stacks_are_forgotten_their_functions_are_not(void **state)
{
	struct blame before[8];
	uint32_t count;

	begin_names();
	make_wait(true);
	stack(82 * MS, A, CLOCK, IN_BETA);
	stall_until(85 * MS);
	count = found->blame_count;
	assert_int_equal(count, 3);
	memcpy(before, found->blame, count * sizeof(*before));
	assert_true(flame_ns(A, IN_SELECT, TS_GIL_WAIT, true));
	report_builder_names_leave(builder, NULL); /* all of them */
	finish();
	assert_int_equal(found->blame_count, count);
	assert_memory_equal(found->blame, before, count * sizeof(*before));
	for (uint32_t i = 0; i < found->flame_count; i++)
		assert_int_equal(found->flames[i].stack, 0);
	for (uint32_t i = 0; i < found->wait_flame_count; i++)
		assert_int_equal(
			found->wait_flames[i].waiter_stack + found->wait_flames[i].holder_stack, 0);
}

static void sleeping_elsewhere_is_nobodys_fault(void **state)
{
	begin_names();
	stack(20 * MS, B, SLEEP, IN_JOB);
	out(20 * MS, B, READ);
	take(30 * MS, C);
	stack(31 * MS, C, SLEEP, IN_BETA);
	out(31 * MS, C, READ);
	stall_until(70 * MS);
	assert_int_equal(flame_ns(B, IN_JOB, TS_BLOCKED, false), 51 * MS);
	assert_null(blame_of(JOB));
	assert_int_equal(blame_of(BETA)->elsewhere.ns[TS_HELD_BLOCKED], 40 * MS);
}

static void what_was_taken_is_counted(void **state)
{
	begin_names();
	stack(20 * MS, A, CLOCK, IN_ALPHA);
	stack(21 * MS, A, CLOCK, 0);
	stack(22 * MS, A, CLOCK | EVF_STACK_TORN, IN_ALPHA);
	stall_until(70 * MS);
	assert_int_equal(found->stack_evidence.taken, 3);
	assert_int_equal(found->stack_evidence.missing, 1);
	assert_int_equal(found->stack_evidence.torn, 1);
	assert_int_equal(found->stack_evidence.distinct, IN_DUMPS);
	assert_false(found->stack_evidence.full);
}

/* ── the garbage collector ───────────────────────────────────────────────── */

static void collections_are_separated_by_their_begins_and_ends(void **state)
{
	const struct stall *stall;

	begin_names();
	take(12 * MS, A);
	stack(15 * MS, A, CLOCK | EVF_STACK_GC, IN_ALPHA); /* works without the flag as well */
	gc_begin(20 * MS, A, 2);
	stack(25 * MS, A, SLEEP, IN_BETA);
	out(25 * MS, A, READ);
	wake(30 * MS, A, 0);
	in(31 * MS, A, 0);
	gc_end(36 * MS, A);
	stack(40 * MS, A, CLOCK, IN_BETA);
	stall = stall_until(70 * MS);
	assert_int_equal(stall->what.gc_ns, 16 * MS);
	assert_false(stall->what.gc_sampled);
	assert_int_equal(blame_of(BETA)->gc_ns, 16 * MS);
	assert_int_equal(blame_of(ALPHA)->gc_ns, 0);
}

static void collections_may_be_seen_by_samples_alone(void **state)
{
	const struct stall *stall;

	begin_at(200, GC_SAMPLES);
	take(12 * MS, A);
	stack(22 * MS, A, CLOCK | EVF_STACK_GC, IN_ALPHA);
	stack(30 * MS, A, CLOCK, IN_ALPHA);
	stack(40 * MS, A, CLOCK | EVF_STACK_GC, IN_ALPHA);
	drop(41 * MS, A);
	take(42 * MS, B);
	stack(45 * MS, A, WAITS, IN_ALPHA);
	sample(45 * MS, A, HOLDER | EVF_STACK_GC, IN_JOB, 0, 0);
	wait(45 * MS, A);
	drop(69 * MS, B);
	take(70 * MS, A);
	stall = stall_until(71 * MS);
	assert_true(stall->what.gc_sampled);
	assert_int_equal(stall->what.gc_ns, (10 + 10) * MS);
	assert_int_equal(stall->what.blockers[0].gc_ns, 24 * MS);
	/* it had the GIL briefly before the iteration */
	assert_int_equal(blame_of(ALPHA)->gc_ns, 20 * MS + 1);
}

/* ── while feeding goes on ───────────────────────────────────────────────── */

static void looking_on_changes_nothing(void **state)
{
	for (int look = 0; look < 2; look++) {
		const struct stall *stall;

		begin_names();
		take(12 * MS, A);
		for (uint64_t ms = 15; ms < 150; ms += 4) {
			if (ms % 3)
				sample(ms * MS, A, CLOCK, ms % 5 ? IN_ALPHA : IN_BETA, 0, ms / 40);
			if (!look)
				continue;
			world_cut(world, (ms + 1) * MS);
			finish();
			assert_int_equal(found->processes[0].loops[0].stall_count, ms + 1 >= 60);
		}
		stall = stall_until(151 * MS);
		assert_int_equal(SHARE(&stall->what, IN_ALPHA, TS_PYTHON), 115 * MS);
		assert_int_equal(SHARE(&stall->what, IN_BETA, TS_PYTHON), 24 * MS);
		assert_int_equal(stall->part_count, 11);
		assert_int_equal(blame_of(ALPHA)->stalls, 1);
		if (!look)
			teardown(NULL);
	}
}

static void a_loop_that_was_none_is_not_shown(void **state)
{
	begin_names();
	enter(11 * MS, A, EPFD);
	leave(12 * MS, A, EPFD);
	enter(20 * MS, B, EPFD);
	runs(30 * MS, B, 0, false, LOOP_UNKNOWN);
	window(40 * MS, true);
	finish();
	assert_int_equal(found->processes[0].loop_count, 1);
	assert_int_equal(found->processes[0].loops[0].loop->thread->tid, A);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		TEST(time_off_the_cpu_is_the_stacks_that_was_taken_when_it_began),
		TEST(time_on_a_cpu_is_the_next_samples_and_the_last_ones_at_the_end),
		TEST(without_a_clock_only_time_off_the_cpu_has_a_stack),
		TEST(a_turn_without_samples_has_no_stack),
		TEST(tasks_that_run_one_after_the_other_are_parts),
		TEST(what_is_between_keeps_a_handlers_runs_apart_unless_it_is_not_known),
		TEST(parts_and_stacks_stay_bounded),
		TEST(holders_stacks_say_who_made_the_loop_wait),
		TEST(a_stall_of_waiting_is_charged_to_who_held_the_gil),
		TEST(holders_without_samples_have_no_stack),
		TEST(a_holders_first_sample_counts_back_to_the_waits_begin_only),
		TEST(a_sample_is_of_its_own_hold_only),
		TEST(what_a_thread_did_unseen_has_no_stack),
		TEST(over_the_window_the_clock_alone_says_what_ran),
		TEST(when_stacks_are_forgotten_their_functions_are_not),
		TEST(sleeping_elsewhere_is_nobodys_fault),
		TEST(what_was_taken_is_counted),
		TEST(collections_are_separated_by_their_begins_and_ends),
		TEST(collections_may_be_seen_by_samples_alone),
		TEST(looking_on_changes_nothing),
		TEST(a_loop_that_was_none_is_not_shown),
	};

	return cmocka_run_group_tests_name("analysis_names", tests, NULL, NULL);
}
