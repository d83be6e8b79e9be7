/* SPDX-License-Identifier: MIT */
/*
 * The model's rules about partial GILs (mode edges), one small sequence of events each: what an
 * observation of the lock word proves, and for how long.
 */
#include "tests/sim/emitted.h"

static void sleep_in_wait(uint64_t ts, uint32_t tid)
{
	FEED(SWITCH_OUT, switch_out, ts, tid, 0,
	     EVF_SWITCH_OUT_SYSCALL | EVF_SWITCH_OUT_GIL_MUTEX | EVF_SWITCH_OUT_HANDOVER,
	     .sysno = FUTEX);
}

/* The same happens in two processes. Only the GIL of the second is declared to have its contended
 * transitions traced and no others. */
static void the_mode_belongs_to_the_gil(void **state)
{
	const uint32_t other_pid = 200;

	begin_as(false);
	FEED(GIL, gil, 0, other_pid, 1, EVF_GIL_EDGES, .address = 0x2000);
	FEED(THREAD, thread, 100, C, 0, EVF_THREAD_PYTHON, .pid = other_pid);
	wait(110, A);
	FEED(WAIT, wait, 110, C, 1, 0);
	wait_end(120, A, false);
	take(120, A);
	FEED(WAIT_END, wait_end, 120, C, 1, 0);
	drop(140, A);
	FEED(DROP, drop, 140, C, 1, 0);
	expect(150, "13",
	       "100-110 1 unknown\n"
	       "100-110 3 unknown\n"
	       "110-120 1 gil_wait\n"
	       "wait 110-120 1\n"
	       "contention 110-120\n"
	       "110-120 3 gil_wait\n"
	       "wait 110-120 3\n"
	       "contention 110-120\n"
	       "120-140 1 python\n"
	       "hold 120-140 1 whole\n"
	       "120-140 3 python sampled\n"
	       "140-150 1 native\n"
	       "140-150 3 native sampled\n");
}

/* The process's only partial GIL is replaced by one whose every transition is traced. Both threads
 * run before and after that. */
static void a_process_is_partial_only_as_long_as_a_gil_of_it_is(void **state)
{
	begin_as(false);
	FEED(GIL, gil, 105, PID, 0, EVF_GIL_EDGES, .address = 0x2000);
	in(106, A, 0);
	in(106, B, 1);
	drop(107, B);
	FEED(GIL, gil, 110, PID, 0, 0, .address = 0x3000);
	take(120, A);
	drop(130, A);
	assert_int_equal(violations(), 0);
	expect(140, "12",
	       "100-107 2 unknown\n"
	       "107-110 2 native cpu1 sampled\n"
	       "100-120 1 unknown\n"
	       "110-120 2 unknown\n"
	       "120-130 1 python cpu0\n"
	       "hold 120-130 1 whole\n"
	       "120-140 2 native cpu1\n"
	       "130-140 1 native cpu0\n");
}

/* The same, but the index is reused for a GIL of another process. */
static void a_process_that_loses_its_partial_gil_is_not_partial(void **state)
{
	const uint32_t other_pid = 200;

	begin_as(false);
	FEED(GIL, gil, 105, PID, 1, EVF_GIL_EDGES, .address = 0x2000);
	in(106, A, 0);
	in(106, B, 1);
	FEED(DROP, drop, 107, B, 1, 0);
	FEED(GIL, gil, 110, other_pid, 1, 0, .address = 0x3000);
	take(120, A);
	drop(130, A);
	assert_int_equal(violations(), 0);
	expect(140, "12",
	       "100-107 2 unknown\n"
	       "107-110 2 native cpu1 sampled\n"
	       "100-120 1 unknown\n"
	       "110-120 2 unknown\n"
	       "120-130 1 python cpu0\n"
	       "hold 120-130 1 whole\n"
	       "120-140 2 native cpu1\n"
	       "130-140 1 native cpu0\n");
}

/* Another partial GIL remains, so the threads are still sampled. That the thread had the retired
 * GIL says nothing about what it holds now. */
static void a_thread_seen_with_a_retired_gil_is_unknown(void **state)
{
	begin_as(true);
	FEED(GIL, gil, 105, PID, 1, 0, .address = 0x2000);
	in(110, A, 0);
	observe(110, A, A, 0, 0);
	FEED(GIL, gil, 120, PID, 0, 0, .address = 0x3000);
	observe(130, A, A, 0, 0);
	FEED(GIL, gil, 140, PID, 0, 0, .address = 0x4000);
	observe(150, A, A, 0, 0);
	FEED(GIL, gil, 150, PID, 0, 0, .address = 0x5000);
	out(150, A, READ);
	assert_int_equal(violations(), 0);
	expect(160, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 python cpu0 sampled\n"
	       "120-130 1 unknown\n"
	       "130-140 1 python cpu0 sampled\n"
	       "140-150 1 unknown\n"
	       "150-160 1 unknown\n");
}

static void an_acquisition_is_certain_only_while_somebody_waits(void **state)
{
	begin_as(true);
	wait(110, A);
	wait(111, B);
	sleep_in_wait(112, B);
	wait_end(120, A, false); /* B sleeps: A's DROP would be seen */
	drop(130, A);
	wake(131, B, 0);
	in(132, B, 0);
	wait_end(140, B, false); /* nobody waits */
	expect(150, "12",
	       "100-110 1 unknown\n"
	       "100-111 2 unknown\n"
	       "110-120 1 gil_wait\n"
	       "wait 110-120 1\n"
	       "120-130 1 python\n"
	       "hold 120-130 1 whole\n"
	       "111-140 2 gil_wait\n"
	       "wait 111-140 2\n"
	       "contention 110-140\n"
	       "140-150 2 python cpu0 sampled\n"
	       "130-150 1 native sampled\n");
}

static void a_look_at_the_switch_holds_for_the_whole_sleep(void **state)
{
	begin_as(true);
	in(110, A, 0);
	observe(110, A, A, 0, 0);
	out(120, A, READ);
	observe(120, A, A, 0, 0);
	wake(130, A, 0);
	in(140, A, 0);
	observe(140, A, A, 0, 0);
	observe(150, A, 0, 0, 0);
	out(160, A, READ);
	observe(160, A, 0, 0, 0);
	wake(170, A, 0);
	in(180, A, 0);
	expect(190, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 python cpu0 sampled\n"
	       "120-130 1 held_blocked sys0\n"
	       "130-140 1 held_runnable cpu0\n"
	       "hold 120-140 1\n"
	       "140-150 1 python cpu0 sampled\n"
	       "150-160 1 native cpu0 sampled\n"
	       "160-170 1 blocked sys0\n"
	       "170-180 1 runnable cpu0\n"
	       "180-190 1 unknown\n");
}

static void a_sleep_without_a_look_is_unknown(void **state)
{
	begin_as(true);
	in(110, A, 0);
	observe(110, A, A, 0, 0);
	out(120, A, READ);
	expect(130, "1",
	       "100-110 1 unknown\n"
	       "110-120 1 python cpu0 sampled\n"
	       "120-130 1 unknown\n");
}

static void a_definite_look_of_a_waiter_makes_the_holder_certain(void **state)
{
	begin_as(true);
	in(110, A, 0);
	wait(120, B);
	observe(120, B, A, 0, EVF_OBSERVE_DEFINITE);
	sleep_in_wait(121, B); /* it would not sleep if A had dropped the GIL since */
	preempt(130, A, 0);
	in(140, A, 0);
	drop(150, A);
	wake(150, B, 1);
	in(155, B, 0);
	wait_end(160, B, false);
	assert_int_equal(violations(), 0);
	expect(170, "12",
	       "100-120 2 unknown\n"
	       "100-120 1 unknown\n"
	       "120-121 1 python cpu0 sampled\n"
	       "121-130 1 python cpu0\n"
	       "130-140 1 held_runnable cpu0\n"
	       "140-150 1 python cpu0\n"
	       "hold 121-150 1\n"
	       "120-160 2 gil_wait\n"
	       "wait 120-160 2\n"
	       "contention 120-160\n"
	       "160-170 2 python cpu0 sampled\n"
	       "150-170 1 native cpu0 sampled\n");
}

/* The only waiter has been woken by its time-out, and waits for a CPU: a drop wakes nobody. */
static void a_holder_is_not_certain_while_the_waiters_are_awake(void **state)
{
	begin_as(true);
	in(110, A, 0);
	wait(120, B);
	observe(120, B, A, 0, EVF_OBSERVE_DEFINITE);
	sleep_in_wait(121, B);
	wake(130, B, 1);
	observe(140, A, 0, 0, 0);
	out(140, A, READ); /* its own reading: it has not got the GIL any more */
	in(150, B, 0);
	wait_end(151, B, false);
	assert_int_equal(violations(), 0);
	expect(160, "12",
	       "100-120 2 unknown\n"
	       "100-120 1 unknown\n"
	       "120-121 1 python cpu0 sampled\n"
	       "121-130 1 python cpu0\n"
	       "hold 121-130 1\n"
	       "130-140 1 python cpu0 sampled\n"
	       "120-151 2 gil_wait\n"
	       "wait 120-151 2\n"
	       "contention 120-151\n"
	       "151-160 2 python cpu0 sampled\n"
	       "140-160 1 blocked sys0\n");
}

/* Two wait. The drop's signal may go to the one that is awake, and wakes nobody then. */
static void a_holder_is_not_certain_while_one_of_the_waiters_is_awake(void **state)
{
	begin_as(true);
	FEED(THREAD, thread, 100, C, 0, EVF_THREAD_PYTHON);
	in(110, A, 0);
	wait(112, C);
	sleep_in_wait(113, C);
	wait(120, B);
	observe(120, B, A, 0, EVF_OBSERVE_DEFINITE);
	sleep_in_wait(121, B);
	wake(130, C, 1);
	observe(140, A, 0, 0, 0);
	out(140, A, READ);
	assert_int_equal(violations(), 0);
	expect(150, "1",
	       "100-120 1 unknown\n"
	       "120-121 1 python cpu0 sampled\n"
	       "121-130 1 python cpu0\n"
	       "hold 121-130 1\n"
	       "130-140 1 python cpu0 sampled\n"
	       "140-150 1 blocked sys0\n"
	       "contention 112-150\n");
}

/* Its time-out wakes the only waiter, whose wake-up takes a while to reach a queue. */
static void a_waiter_is_awake_when_its_wake_up_begins(void **state)
{
	begin_as(true);
	in(110, A, 0);
	wait(120, B);
	observe(120, B, A, 0, EVF_OBSERVE_DEFINITE);
	sleep_in_wait(121, B);
	FEED(WAKE, wake, 130, B, 0, EVF_WAKE_BEGINS);
	observe(135, A, 0, 0, 0);
	out(135, A, READ);
	wake(140, B, 0);
	in(141, B, 0);
	wait_end(142, B, false);
	assert_int_equal(violations(), 0);
	expect(150, "12",
	       "100-120 2 unknown\n"
	       "100-120 1 unknown\n"
	       "120-121 1 python cpu0 sampled\n"
	       "121-130 1 python cpu0\n"
	       "hold 121-130 1\n"
	       "130-135 1 python cpu0 sampled\n"
	       "120-142 2 gil_wait\n"
	       "wait 120-142 2\n"
	       "contention 120-142\n"
	       "142-150 2 python cpu0 sampled\n"
	       "135-150 1 blocked sys0\n");
}

/* No uprobe: a wait is a sleep on the condition variable. */
static void without_uprobes_a_wait_lasts_as_long_as_its_sleep(void **state)
{
	begin_mode(MODE_FUTEX);
	in(101, A, 0);
	in(101, B, 1);
	observe(105, B, B, 1, EVF_OBSERVE_CLOCK);
	sleep_in_wait(110, A);
	observe(110, A, B, 0, 0);
	FEED(DROP, drop, 120, B, 0, EVF_DROP_REQUESTED);
	wake(121, A, 0);
	in(122, A, 0);
	assert_int_equal(violations(), 0);
	expect(130, "12",
	       "100-105 2 unknown\n"
	       "100-110 1 unknown\n"
	       "105-120 2 python cpu1 sampled\n"
	       "hold 120-120 2 requested\n"
	       "110-122 1 gil_wait\n"
	       "wait 110-122 1\n"
	       "contention 110-122\n"
	       "120-130 2 native cpu1 sampled\n"
	       "122-130 1 python cpu0 sampled\n");
}

/* A thread that slept without the GIL may take it at once, or not at all: what the clock saw it
 * doing last says which is likelier. */
static void after_a_sleep_the_clock_s_last_look_counts(void **state)
{
	begin_as(true);
	in(110, A, 0);
	observe(120, A, A, 0, EVF_OBSERVE_CLOCK);
	observe(130, A, 0, 0, 0);
	out(130, A, READ);
	wake(140, A, 0);
	in(141, A, 0);
	observe(150, A, 0, 0, EVF_OBSERVE_CLOCK);
	out(160, A, READ);
	observe(160, A, 0, 0, 0);
	wake(170, A, 0);
	in(171, A, 0);
	expect(180, "1",
	       "100-120 1 unknown\n"
	       "120-130 1 python cpu0 sampled\n"
	       "130-140 1 blocked sys0\n"
	       "140-141 1 runnable cpu0\n"
	       "141-150 1 python cpu0 sampled\n"
	       "150-160 1 native cpu0 sampled\n"
	       "160-170 1 blocked sys0\n"
	       "170-171 1 runnable cpu0\n"
	       "171-180 1 native cpu0 sampled\n");
}

/* No TAKE shows what it does then: it takes the GIL, unless a WAIT follows. */
static void a_wait_on_the_mutex_ends_with_its_sleep(void **state)
{
	begin_as(true);
	in(101, A, 0);
	observe(102, A, 0, 0, 0);
	out(102, A, READ);
	wake(105, A, 0);
	in(110, A, 0);
	observe(120, A, 0, 0, 0);
	FEED(SWITCH_OUT, switch_out, 120, A, 0, EVF_SWITCH_OUT_SYSCALL | EVF_SWITCH_OUT_GIL_MUTEX,
	     .sysno = FUTEX);
	wake(130, A, 0);
	in(131, A, 0);
	wait(132, A);
	assert_int_equal(violations(), 0);
	expect(140, "1",
	       "100-102 1 unknown\n"
	       "102-105 1 blocked sys0\n"
	       "105-110 1 runnable cpu0\n"
	       "110-120 1 unknown\n"
	       "120-131 1 gil_wait\n"
	       "contention 120-131\n"
	       "131-132 1 unknown\n"
	       "wait 120-131 1 whole\n"
	       "132-140 1 gil_wait\n"
	       "wait 132-140 1\n"
	       "contention 132-140\n");
}

static void sleep_on_mutex(void)
{
	in(101, A, 0);
	observe(102, A, 0, 0, 0);
	out(102, A, READ);
	wake(105, A, 0);
	in(106, A, 0);
	observe(110, A, 0, 0, 0);
	FEED(SWITCH_OUT, switch_out, 110, A, 0, EVF_SWITCH_OUT_SYSCALL | EVF_SWITCH_OUT_GIL_MUTEX,
	     .sysno = FUTEX);
}

/* A is woken, and the kernel does not report that it runs; B finds that it has the GIL. */
static void a_sleeper_on_the_mutex_that_is_found_with_the_gil_has_run(void **state)
{
	begin_as(true);
	sleep_on_mutex();
	wake(120, A, 0);
	in(125, B, 1);
	wait(130, B);
	observe(130, B, A, 0, EVF_OBSERVE_DEFINITE);
	expect(160, "1",
	       "100-102 1 unknown\n"
	       "102-105 1 blocked sys0\n"
	       "105-106 1 runnable cpu0\n"
	       "106-110 1 unknown\n"
	       "wait 110-130 1\n"
	       "110-160 1 unknown\n"
	       "contention 110-160\n");
}

/* The same, and A comes to a probe first. */
static void a_sleeper_on_the_mutex_that_acts_has_run(void **state)
{
	begin_as(true);
	sleep_on_mutex();
	wake(120, A, 0);
	FEED(GAP, gap, 140, A, 0, 0, .since = 125);
	observe(140, A, A, 0, EVF_OBSERVE_CLOCK);
	expect(160, "1",
	       "100-102 1 unknown\n"
	       "102-105 1 blocked sys0\n"
	       "105-106 1 runnable cpu0\n"
	       "106-110 1 unknown\n"
	       "110-125 1 gil_wait\n"
	       "125-140 1 unknown\n"
	       "contention 110-140\n"
	       "wait 110-140 1\n"
	       "140-160 1 python cpu0 sampled\n");
}

/* While it was believed to sleep, a drop would have been seen. */
static void a_noted_wake_up_of_the_waiter_ends_the_holders_certainty_when_it_is_known(void **state)
{
	begin_as(true);
	in(105, B, 1);
	in(106, A, 0);
	wait(110, A);
	observe(110, A, B, 0, EVF_OBSERVE_DEFINITE);
	sleep_in_wait(112, A);
	observe(115, B, B, 0, EVF_OBSERVE_CLOCK);
	world_cut(world, 130); /* for a report, say */
	FEED(QUEUED, queued, 140, A, 0, 0, .since = 120);
	in(140, A, 0);
	expect(150, "12",
	       "100-110 1 unknown\n"
	       "100-110 2 unknown\n"
	       "110-112 2 python cpu1 sampled\n"
	       "112-130 2 python cpu1\n"
	       "110-130 1 gil_wait\n"
	       "130-140 2 python cpu1\n"
	       "hold 112-140 2\n"
	       "140-150 2 python cpu1 sampled\n"
	       "130-150 1 gil_wait\n"
	       "wait 110-150 1\n"
	       "contention 110-150\n");
}

static void a_new_thread_that_has_not_run_yet_has_no_gil(void **state)
{
	begin_as(true);
	FEED(THREAD, thread, 110, C, 0, EVF_THREAD_NEW, .pid = PID);
	FEED(WAKE, wake, 111, C, 0, EVF_WAKE_NEW);
	in(130, C, 0);
	wait(131, C);
	expect(140, "3",
	       "110-111 3 unknown\n"
	       "111-130 3 runnable cpu0\n"
	       "130-131 3 native cpu0 sampled\n"
	       "131-140 3 gil_wait\n"
	       "wait 131-140 3\n"
	       "contention 131-140\n");
}

/* The thread sleeps on the mutex, so its wait is put aside until it says whether it goes on. To
 * have been seen with the GIL says that it does not. */
static void who_had_the_gil_since_has_not_waited_all_the_time(void **state)
{
	begin_as(true);
	sleep_on_mutex();
	wake(120, A, 0);
	in(121, A, 0);
	observe(122, A, A, 0, EVF_OBSERVE_CLOCK);
	drop(125, A);
	observe(126, A, 0, 0, 0);
	preempt(126, A, 0);
	expect(140, "1",
	       "100-102 1 unknown\n"
	       "102-105 1 blocked sys0\n"
	       "105-106 1 runnable cpu0\n"
	       "106-110 1 unknown\n"
	       "110-121 1 gil_wait\n"
	       "contention 110-121\n"
	       "121-122 1 unknown\n"
	       "wait 110-121 1 whole\n"
	       "122-125 1 python cpu0 sampled\n"
	       "125-126 1 native cpu0 sampled\n"
	       "126-140 1 runnable cpu0\n");
}

static void a_look_without_the_mutex_makes_no_holder_on_a_cpu_certain(void **state)
{
	begin_as(true);
	in(110, A, 0);
	wait(120, B);
	observe(130, 0, A, 5, 0);
	expect(140, "1",
	       "100-130 1 unknown\n"
	       "130-140 1 python cpu0 sampled\n"
	       "contention 120-140\n");
}

/* A waiter's time is attributed to what the holder did, so the holder's intervals are emitted
 * first. */
static void what_the_holder_did_comes_before_the_wait_that_ends_with_it(void **state)
{
	begin_as(true);
	in(110, A, 0);
	wait(120, B);
	observe(130, 0, A, 5, 0);
	wait_end(140, B, false);
	expect(150, "12",
	       "100-120 2 unknown\n"
	       "100-130 1 unknown\n"
	       "130-140 1 python cpu0 sampled\n"
	       "120-140 2 gil_wait\n"
	       "wait 120-140 2\n"
	       "contention 120-140\n"
	       "140-150 2 python sampled\n"
	       "140-150 1 native cpu0 sampled\n");
}

static void a_look_that_may_be_from_before_the_sleep_settles_nothing(void **state)
{
	begin_as(true);
	asleep(150, A, 20, EVF_STATE_SYSCALL);
	observe(155, 0, 0, 20, 0);
	observe(175, 0, 0, 20, 0);
	expect(180, "1",
	       "100-150 1 unknown\n"
	       "150-175 1 unknown\n"
	       "175-180 1 blocked sys0\n");
}

/* Two GILs: one reading of each since the thread fell asleep, or one of its own that says that it
 * can have no other one. */
static void with_several_gils_each_must_have_been_read(void **state)
{
	begin_as(true);
	FEED(GIL, gil, 105, PID, 1, 0, .address = 0x2000, .interpreter = 1);
	asleep(150, A, 20, EVF_STATE_SYSCALL);
	observe(175, 0, 0, 20, 0);
	FEED(OBSERVE, observe, 185, 0, 1, 0, .span_ns = 20);
	in(190, B, 1);
	FEED(OBSERVE, observe, 195, B, 1, EVF_OBSERVE_ONLY);
	FEED(SWITCH_OUT, switch_out, 195, B, 1, EVF_SWITCH_OUT_SYSCALL);
	expect(200, "12",
	       "100-150 1 unknown\n"
	       "150-185 1 unknown\n"
	       "100-195 2 unknown\n"
	       "195-200 2 blocked sys0\n"
	       "185-200 1 blocked sys0\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mode_belongs_to_the_gil),
		cmocka_unit_test(a_process_is_partial_only_as_long_as_a_gil_of_it_is),
		cmocka_unit_test(a_process_that_loses_its_partial_gil_is_not_partial),
		cmocka_unit_test(a_thread_seen_with_a_retired_gil_is_unknown),
		cmocka_unit_test(an_acquisition_is_certain_only_while_somebody_waits),
		cmocka_unit_test(a_look_at_the_switch_holds_for_the_whole_sleep),
		cmocka_unit_test(a_sleep_without_a_look_is_unknown),
		cmocka_unit_test(a_definite_look_of_a_waiter_makes_the_holder_certain),
		cmocka_unit_test(a_holder_is_not_certain_while_the_waiters_are_awake),
		cmocka_unit_test(a_holder_is_not_certain_while_one_of_the_waiters_is_awake),
		cmocka_unit_test(a_waiter_is_awake_when_its_wake_up_begins),
		cmocka_unit_test(without_uprobes_a_wait_lasts_as_long_as_its_sleep),
		cmocka_unit_test(after_a_sleep_the_clock_s_last_look_counts),
		cmocka_unit_test(a_wait_on_the_mutex_ends_with_its_sleep),
		cmocka_unit_test(a_sleeper_on_the_mutex_that_is_found_with_the_gil_has_run),
		cmocka_unit_test(a_sleeper_on_the_mutex_that_acts_has_run),
		cmocka_unit_test(
			a_noted_wake_up_of_the_waiter_ends_the_holders_certainty_when_it_is_known),
		cmocka_unit_test(a_new_thread_that_has_not_run_yet_has_no_gil),
		cmocka_unit_test(who_had_the_gil_since_has_not_waited_all_the_time),
		cmocka_unit_test(a_look_without_the_mutex_makes_no_holder_on_a_cpu_certain),
		cmocka_unit_test(what_the_holder_did_comes_before_the_wait_that_ends_with_it),
		cmocka_unit_test(a_look_that_may_be_from_before_the_sleep_settles_nothing),
		cmocka_unit_test(with_several_gils_each_must_have_been_read),
	};

	return cmocka_run_group_tests_name("model_edges", tests, NULL, NULL);
}
