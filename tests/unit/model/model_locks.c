/* SPDX-License-Identifier: MIT */
/* The model's rules about sleeps on futexes: who owns the mutex, and who wakes the sleeper. */
#include "tests/sim/emitted.h"

enum { ADDRESS = 0x700 };

/* `tid` emits FUTEX, and then goes to sleep. */
static void sleeps(uint64_t ts, uint32_t tid, uint8_t flags, uint32_t owner)
{
	take(ts - 2, tid);
	drop(ts - 1, tid);
	out(ts, tid, FUTEX);
	on_futex(ts, tid, ADDRESS, flags, owner);
}

static const struct lock *lock_of(uint32_t tid)
{
	return &world_thread(world, tid)->lock;
}

/* Asserts that these are all releases so far, one a line. */
static void released(const char *expected)
{
	char kept[sizeof(emitted)] = "", copy[sizeof(emitted)], *line, *rest = copy;

	memcpy(copy, emitted, sizeof(copy));
	while ((line = strsep(&rest, "\n")))
		if (strncmp(line, "release", 7) == 0)
			strcat(strcat(kept, line), "\n");
	assert_string_equal(kept, expected);
	expect(1000, "", "");
}

static void who_wakes_a_sleeper_has_released_what_it_waited_for(void **state)
{
	begin();
	sleeps(130, A, EVF_FUTEX_SEMAPHORE, 0);
	assert_int_equal(lock_of(A)->kind, LOCK_SEMAPHORE);
	stack(150, B, EVF_STACK_WAKES, 4);
	on_futex(150, A, ADDRESS, EVF_FUTEX_WOKEN, B);
	wake(151, A, 0);
	assert_int_equal(lock_of(A)->address, 0);
	released("release 130-150 1 by 2 semaphore stack4\n");
}

static void a_stack_of_another_instant_is_not_that_of_the_release(void **state)
{
	begin();
	sleeps(130, A, 0, 0);
	stack(140, B, EVF_STACK_WAKES, 4);
	on_futex(150, A, ADDRESS, EVF_FUTEX_WOKEN, B);
	released("release 130-150 1 by 2 lock stack0\n");
}

/* PARK says what the futex of this sleep is; and nothing of a thread that has left it. */
static void what_a_thread_waits_for_in_the_parking_lot(void **state)
{
	static const struct {
		uint8_t flags;
		enum lock_kind kind;
	} cases[] = {{0, LOCK_PARKED},
		     {EVF_PARK_MUTEX, LOCK_PYMUTEX},
		     {EVF_PARK_MUTEX | EVF_PARK_CRITICAL, LOCK_CRITICAL},
		     {EVF_PARK_SUSPENDED, LOCK_WORLD}};

	begin();
	for (uint32_t i = 0; i < 4; i++) {
		sleeps(130 + 20 * i, A, EVF_FUTEX_SEMAPHORE, 0);
		FEED(PARK, park, 130 + 20 * i, A, 0, cases[i].flags, .address = 0x900);
		assert_int_equal(lock_of(A)->kind, cases[i].kind);
		assert_int_equal(lock_of(A)->parked, 0x900);
		on_futex(140 + 20 * i, A, ADDRESS, EVF_FUTEX_WOKEN, B);
		wake(141 + 20 * i, A, 0);
		FEED(PARK, park, 141 + 20 * i, A, 0, cases[i].flags, .address = 0x900);
		assert_int_equal(lock_of(A)->parked, 0);
	}
	released("release 130-140 1 by 2 parked stack0\n"
		 "release 150-160 1 by 2 pymutex stack0\n"
		 "release 170-180 1 by 2 critical stack0\n"
		 "release 190-200 1 by 2 world stack0\n");
}

static void a_thread_that_wakes_another_one_has_a_cpu(void **state)
{
	begin();
	sleeps(130, A, 0, 0);
	take(140, B);
	drop(141, B);
	out(142, B, READ);
	stack(150, B, EVF_STACK_WAKES, 4);
	on_futex(150, A, ADDRESS, EVF_FUTEX_WOKEN, B);
	expect(160, "2",
	       "100-140 2 unknown\n"
	       "140-141 2 python\n"
	       "hold 140-141 2 whole handoff\n"
	       "141-142 2 native\n"
	       "142-150 2 unknown\n"
	       "sample 150 2 stack4 task7 root8 flags128\n"
	       "150-160 2 native\n");
}

static void no_other_wake_up_is_a_release(void **state)
{
	begin();
	sleeps(130, A, 0, 0);
	on_futex(140, A, ADDRESS + 8, EVF_FUTEX_WOKEN, B); /* another futex */
	on_futex(141, A, ADDRESS, EVF_FUTEX_WOKEN, 77);	   /* by an unknown thread */
	on_futex(142, B, ADDRESS, EVF_FUTEX_WOKEN, A);	   /* of a thread that does not sleep */
	FEED(THREAD, thread, 143, 55, 0, 0, .pid = 5);
	on_futex(144, A, ADDRESS, EVF_FUTEX_WOKEN, 55); /* by a thread of another process */
	wake(150, A, 0);
	on_futex(151, A, ADDRESS, EVF_FUTEX_WOKEN, B); /* too late */
	in(152, A, 0);
	out(160, A, FUTEX);
	on_futex(161, A, ADDRESS, 0, 0); /* not during this sleep */
	on_futex(170, A, ADDRESS, EVF_FUTEX_WOKEN, B);
	released("");
}

static void a_mutex_has_an_owner_by_the_number_that_the_process_knows(void **state)
{
	begin();
	FEED(THREAD, thread, 105, B, 0, EVF_THREAD_PYTHON, .pid = PID, .nstid = 42);
	sleeps(130, A, EVF_FUTEX_MUTEX, 42);
	assert_ptr_equal(lock_of(A)->owner, world_thread(world, B));
	assert_int_equal(lock_of(A)->kind, LOCK_MUTEX);
	wake(140, A, 0);
	in(141, A, 0);
	/* no thread has this number, so there is no mutex at the address */
	sleeps(150, A, EVF_FUTEX_MUTEX, 43);
	assert_null(lock_of(A)->owner);
	assert_int_equal(lock_of(A)->kind, LOCK_UNKNOWN);
	released("");
}

/* For threads born in the window only the tid is known. It is also their number inside the process
 * if the process is in the host's PID namespace. */
static void a_new_thread_is_found_by_its_tid_where_that_is_the_same(void **state)
{
	begin();
	FEED(THREAD, thread, 104, C, 0, EVF_THREAD_NEW, .pid = PID);
	FEED(THREAD, thread, 105, A, 0, EVF_THREAD_PYTHON, .pid = PID, .nstid = 7);
	sleeps(130, B, EVF_FUTEX_MUTEX, C);
	assert_null(lock_of(B)->owner); /* the process has a PID namespace of its own */
	wake(140, B, 0);
	in(141, B, 0);
	FEED(THREAD, thread, 142, A, 0, EVF_THREAD_PYTHON, .pid = PID, .nstid = A);
	sleeps(150, B, EVF_FUTEX_MUTEX, C);
	assert_ptr_equal(lock_of(B)->owner, world_thread(world, C));
	wake(160, B, 0);
	in(161, B, 0);
	FEED(THREAD, thread, 162, C, 0, 0, .pid = PID, .nstid = 9);
	sleeps(170, B, EVF_FUTEX_MUTEX, C);
	assert_null(lock_of(B)->owner); /* C has another number there */
	released("");
}

static void read_from_outside_it_counts_if_the_thread_slept_all_the_while(void **state)
{
	begin();
	asleep(110, A, 5, EVF_STATE_SYSCALL);
	FEED(FUTEX, futex, 112, A, 0, 0, .address = ADDRESS, .span_ns = 7);
	assert_int_equal(lock_of(A)->address, ADDRESS);
	asleep(110, B, 5, EVF_STATE_SYSCALL);
	out(120, B, FUTEX);
	FEED(FUTEX, futex, 125, B, 0, 0, .address = ADDRESS, .span_ns = 10);
	assert_int_equal(lock_of(B)->address, 0);
	on_futex(130, A, ADDRESS, EVF_FUTEX_WOKEN, B);
	released("release 110-130 1 by 2 lock stack0\n");
}

/* A FUTEX event of a snapshot. */
static void looked_at(uint64_t ts, uint32_t tid, uint64_t span, uint8_t flags, uint32_t owner)
{
	FEED(FUTEX, futex, ts, tid, 0, flags, .address = ADDRESS, .other = owner, .span_ns = span);
}

/* A sleeps on a mutex that B had by then. */
static void an_owner_is_certain_if_it_slept_already_when_it_was_read(void **state)
{
	begin();
	FEED(THREAD, thread, 105, B, 0, EVF_THREAD_PYTHON, .pid = PID, .nstid = B);
	take(110, B);
	sleeps(130, A, EVF_FUTEX_MUTEX, B);
	assert_int_equal(lock_had_ns(world_thread(world, A), 135), 5); /* B runs */
	drop(140, B);
	out(141, B, READ);
	assert_false(lock_is_certain(world_thread(world, A)));
	assert_int_equal(lock_had_ns(world_thread(world, A), 145), 15);
	looked_at(148, A, 8, EVF_FUTEX_MUTEX, B); /* perhaps read before B fell asleep */
	assert_false(lock_is_certain(world_thread(world, A)));
	looked_at(149, A, 8, EVF_FUTEX_MUTEX, B);
	assert_true(lock_is_certain(world_thread(world, A)));
	assert_int_equal(lock_had_ns(world_thread(world, A), 1000), 0);
	wake(150, B, 1);
	assert_false(lock_is_certain(world_thread(world, A)));
	in(151, B, 1);
	wait(160, B);
	looked_at(165, A, 5, EVF_FUTEX_MUTEX, B);
	out(170, B, FUTEX); /* it is in take_gil all the time */
	wake(180, B, 1);
	in(181, B, 1);
	assert_true(lock_is_certain(world_thread(world, A)));
	take(190, B);
	assert_false(lock_is_certain(world_thread(world, A)));
	expect(200, "", "contention 160-190\n");
}

static void read_again_a_mutex_may_have_another_owner_or_none(void **state)
{
	begin();
	FEED(THREAD, thread, 105, B, 0, EVF_THREAD_PYTHON, .pid = PID, .nstid = B);
	FEED(THREAD, thread, 105, C, 0, EVF_THREAD_PYTHON, .pid = PID, .nstid = C);
	sleeps(130, A, EVF_FUTEX_MUTEX, B);
	looked_at(140, A, 5, EVF_FUTEX_MUTEX, C);
	assert_ptr_equal(lock_of(A)->owner, world_thread(world, C));
	assert_int_equal(lock_of(A)->ts_owner, 135);
	looked_at(150, A, 5, 0, 0);
	assert_null(lock_of(A)->owner);
	assert_int_equal(lock_of(A)->kind, LOCK_MUTEX); /* a mutex remains a mutex */
	released("");
}

static void what_a_stopped_thread_would_sleep_on_does_not_count(void **state)
{
	begin();
	asleep(110, A, 5, EVF_STATE_STOPPED);
	looked_at(120, A, 5, EVF_FUTEX_MUTEX, B);
	assert_int_equal(lock_of(A)->address, 0);
	released("");
}

static void a_loss_ends_what_is_known_of_it(void **state)
{
	begin();
	sleeps(130, A, 0, 0);
	lost(140, 150);
	assert_int_equal(lock_of(A)->address, 0);
	on_futex(160, A, ADDRESS, EVF_FUTEX_WOKEN, B);
	released("");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_wakes_a_sleeper_has_released_what_it_waited_for),
		cmocka_unit_test(a_stack_of_another_instant_is_not_that_of_the_release),
		cmocka_unit_test(what_a_thread_waits_for_in_the_parking_lot),
		cmocka_unit_test(a_thread_that_wakes_another_one_has_a_cpu),
		cmocka_unit_test(no_other_wake_up_is_a_release),
		cmocka_unit_test(a_mutex_has_an_owner_by_the_number_that_the_process_knows),
		cmocka_unit_test(a_new_thread_is_found_by_its_tid_where_that_is_the_same),
		cmocka_unit_test(read_from_outside_it_counts_if_the_thread_slept_all_the_while),
		cmocka_unit_test(an_owner_is_certain_if_it_slept_already_when_it_was_read),
		cmocka_unit_test(read_again_a_mutex_may_have_another_owner_or_none),
		cmocka_unit_test(what_a_stopped_thread_would_sleep_on_does_not_count),
		cmocka_unit_test(a_loss_ends_what_is_known_of_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
