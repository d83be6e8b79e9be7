/* SPDX-License-Identifier: MIT */
/* What a checkpoint carries over into a world that begins with it. That all of it is right is
 * tested in model_checkpoint_sim.c. */
#include "model/checkpoint/checkpoint.h"
#include "tests/sim/emitted.h"

enum { NANOSLEEP = 230, CPU = 2 };

/* Replaces `world` by one that has only the checkpoint as of `ts`. */
static void carry_on(uint64_t ts)
{
	struct world *before = world;
	struct stream_sink to;

	emitted[0] = '\0';
	world = world_new(text_sink, MODE_EXACT);
	assert_non_null(world);
	to = world_sink(world);
	assert_int_equal(world_checkpoint(before, ts, &to), 0);
	world_free(before);
}

static void a_sleeper_has_its_stack_and_its_system_call(void **state)
{
	begin();
	in(110, A, CPU);
	leave(120, A, OTHER);
	take(125, A);
	drop(126, A);
	stack(130, A, EVF_STACK_SLEEP, 5);
	out(130, A, NANOSLEEP);
	carry_on(1000);
	wake(1100, A, CPU);
	expect(1200, "1",
	       "sample 1000 1 stack5 task7 root8 flags1\n"
	       "1000-1001 1 unknown\n"
	       "1001-1100 1 blocked sys230\n"
	       "1100-1200 1 runnable cpu2\n");
}

static void what_a_sleeper_sleeps_on_and_who_has_it(void **state)
{
	begin();
	FEED(THREAD, thread, 105, B, 0, EVF_THREAD_PYTHON, .pid = PID, .nstid = 42);
	observe(110, 0, 0, 5, EVF_OBSERVE_DEFINITE);
	asleep(120, B, 5, EVF_STATE_SYSCALL);
	FEED(FUTEX, futex, 126, B, 0, EVF_FUTEX_SEMAPHORE, .address = 0x800, .span_ns = 6);
	out(130, A, FUTEX);
	on_futex(130, A, 0x700, EVF_FUTEX_MUTEX, 42);
	assert_true(lock_is_certain(world_thread(world, A)));
	carry_on(1000);
	/* emitted by any later event: what they sleep on comes two nanoseconds after the rest */
	in(1050, X, CPU);
	assert_true(lock_is_certain(world_thread(world, A)));
	assert_int_equal(world_thread(world, A)->lock.address, 0x700);
	assert_int_equal(world_thread(world, A)->lock.kind, LOCK_MUTEX);
	assert_ptr_equal(world_thread(world, A)->lock.owner, world_thread(world, B));
	assert_int_equal(world_thread(world, B)->lock.address, 0x800);
	assert_int_equal(world_thread(world, B)->lock.kind, LOCK_SEMAPHORE);
	on_futex(1100, A, 0x700, EVF_FUTEX_WOKEN, X);
	assert_non_null(strstr(emitted, "release 1000-1100 1 by 9 mutex stack0\n"));
	expect(1200, "", "");
}

/* It would seem to have the mutex at the checkpoint. */
static void who_may_have_released_a_mutex_is_not_its_owner(void **state)
{
	begin();
	FEED(THREAD, thread, 105, B, 0, EVF_THREAD_PYTHON, .pid = PID, .nstid = B);
	observe(110, 0, 0, 5, EVF_OBSERVE_DEFINITE);
	out(130, A, FUTEX);
	on_futex(130, A, 0x700, EVF_FUTEX_MUTEX, B);
	take(138, B);
	drop(139, B);
	out(140, B, FUTEX);
	assert_ptr_equal(world_thread(world, A)->lock.owner, world_thread(world, B));
	carry_on(1000);
	in(1050, X, CPU);
	assert_int_equal(world_thread(world, A)->lock.address, 0x700);
	assert_null(world_thread(world, A)->lock.owner);
	FEED(FUTEX, futex, 1060, A, 0, EVF_FUTEX_MUTEX, .address = 0x700, .other = B, .span_ns = 6);
	assert_true(lock_is_certain(world_thread(world, A)));
	expect(1200, "", "");
}

static void what_only_a_snapshot_showed_is_a_snapshot_again(void **state)
{
	begin();
	asleep(110, A, 5, EVF_STATE_SYSCALL);
	asleep(110, B, 5, EVF_STATE_GIL_WAIT | EVF_STATE_SYSCALL);
	thread(110, C, EVF_THREAD_PYTHON);
	observe(120, 0, C, 5, EVF_OBSERVE_DEFINITE);
	carry_on(1000);
	expect(1200, "12",
	       "1000-1001 1 unknown\n"
	       "1000-1001 2 unknown\n"
	       "1001-1200 2 gil_wait\n"
	       "1001-1200 1 blocked sys0\n"
	       "wait 1001-1200 2\n"
	       "contention 1001-1200\n");
}

static void a_holder_and_who_waits_for_it_with_its_stack(void **state)
{
	begin();
	in(110, B, 1);
	take(120, B);
	in(130, A, CPU);
	stack(140, A, EVF_STACK_WAIT, 5);
	wait(140, A);
	out(150, A, FUTEX);
	carry_on(1000);
	drop(1100, B);
	wake(1100, A, CPU);
	take(1200, A);
	expect(1300, "12",
	       "sample 1000 1 stack5 task7 root8 flags4 gil\n"
	       "1000-1100 2 python cpu1\n"
	       "hold 1000-1100 2\n"
	       "1000-1200 1 gil_wait\n"
	       "wait 1000-1200 1\n"
	       "contention 1000-1200\n"
	       "1200-1300 1 python\n"
	       "1100-1300 2 native cpu1\n"
	       "hold 1200-1300 1 handoff\n");
}

static void a_turn_in_progress_begins_there_and_the_next_is_whole(void **state)
{
	begin();
	runs(105, A, 0, true, LOOP_ASYNCIO);
	in(110, A, CPU);
	enter(110, A, EPFD);
	leave(120, A, EPFD);
	carry_on(1000);
	assert_false(world_thread(world, A)->loop->by_behaviour);
	assert_int_equal(world_thread(world, A)->loop->kind, LOOP_ASYNCIO);
	enter(1100, A, EPFD);
	leave(1200, A, EPFD);
	enter(1300, A, EPFD);
	expect(1400, "1",
	       "begin 1000 1 possible\n"
	       "cancel 1\n"
	       "begin 1000 1\n"
	       "1000-1100 1 unknown turn\n"
	       "turn 1000-1100 1 earlier\n"
	       "1100-1200 1 unknown\n"
	       "begin 1200 1\n"
	       "1200-1300 1 unknown turn\n"
	       "turn 1200-1300 1 whole\n"
	       "1300-1400 1 unknown\n");
}

static void a_loop_woken_in_its_wait_has_no_whole_turn(void **state)
{
	begin();
	in(110, A, CPU);
	enter(110, A, EPFD);
	out(120, A, EPOLL_WAIT);
	wake(900, A, CPU);
	carry_on(1000);
	assert_true(world_thread(world, A)->loop->by_behaviour);
	in(1100, A, CPU);
	leave(1200, A, EPFD);
	enter(1300, A, EPFD);
	expect(1400, "1",
	       "begin 1000 1 possible\n"
	       "1000-1100 1 unknown turn\n"
	       "1100-1200 1 unknown turn\n"
	       "cancel 1\n"
	       "begin 1200 1\n"
	       "1200-1300 1 unknown turn\n"
	       "turn 1200-1300 1 earlier\n"
	       "1300-1400 1 unknown\n");
}

static void who_runs_no_loop_runs_none_afterwards(void **state)
{
	begin();
	enter(110, A, EPFD);
	runs(120, A, 0, false, LOOP_UNKNOWN);
	enter(130, B, EPFD);
	runs(140, B, 0, false, LOOP_UNKNOWN);
	enter(150, B, OTHER); /* it waits on another one now */
	carry_on(1000);
	leave(1100, A, EPFD);
	enter(1200, A, EPFD);
	leave(1300, A, EPFD);
	leave(1300, B, OTHER);
	enter(1400, B, EPFD);
	assert_null(world_thread(world, A)->loop);
	assert_null(world_thread(world, B)->loop);
	expect(1500, "", "");
}

static void a_collection_continues(void **state)
{
	begin();
	in(110, A, CPU);
	take(120, A);
	gc_begin(130, A, 1);
	gc_begin(140, A, 2); /* requested by a finalizer */
	carry_on(1000);
	gc_end(1100, A);
	gc_end(1200, A);
	expect(1300, "1",
	       "1000-1200 1 python cpu2 gc1\n"
	       "1200-1300 1 python cpu2\n"
	       "hold 1000-1300 1\n");
}

static void names_and_processes(void **state)
{
	uint32_t position = 0;

	begin();
	FEED(COMM, comm, 110, A, 0, 0, .pid = PID, .comm = {"worker"});
	FEED(COMM, comm, 110, 77, 0, 0, .pid = 70, .comm = {"stranger"});
	FEED(PYTHON_NAME, python_name, 110, A, 0, 0, .text = 3);
	thread_gone(120, B);
	carry_on(1000);
	assert_string_equal(world_thread(world, A)->comm, "worker");
	assert_int_equal(world_thread(world, A)->python_name, 3);
	assert_true(world_thread(world, A)->python);
	assert_false(world_thread(world, X)->python);
	assert_string_equal(world_comm(world, 77), "stranger");
	assert_null(world_thread(world, B));
	assert_int_equal(world_next_gil(world, &position)->address, 0x1000);
	expect(1100, "", "");
}

/* Nobody waits. Takes and drops then prove less about a GIL of which only contended transitions are
 * traced. */
static void the_mode_of_a_gil(void **state)
{
	const uint32_t other_pid = 200;

	begin();
	FEED(GIL, gil, 0, other_pid, 1, EVF_GIL_EDGES, .address = 0x2000);
	FEED(THREAD, thread, 100, C, 0, EVF_THREAD_PYTHON, .pid = other_pid);
	carry_on(1000);
	in(1010, A, 0);
	in(1010, C, 1);
	take(1100, A);
	FEED(TAKE, take, 1100, C, 1, 0);
	drop(1150, A);
	FEED(DROP, drop, 1150, C, 1, 0);
	expect(1200, "13",
	       "1000-1100 1 unknown\n"
	       "1100-1150 1 python cpu0\n"
	       "hold 1100-1150 1 whole\n"
	       "1000-1150 3 unknown\n"
	       "1150-1200 1 native cpu0\n"
	       "1150-1200 3 native cpu1 sampled\n");
}

static void a_loss_continues_and_a_world_that_ended_is_unknown(void **state)
{
	begin();
	in(110, A, CPU);
	lost(500, 1500);
	carry_on(1000);
	in(1200, A, CPU);
	in(1600, A, CPU);
	assert_int_equal(world_window(world).lost, 1);
	take(1700, A);
	window(1800, true);
	carry_on(2000);
	expect(2100, "1", "2000-2100 1 unknown\n");
}

/* More threads come and go than a world can have at a time. */
static void a_state_outlives_all_limits(void **state)
{
	struct stream_state follower = checkpoint_state(MODE_EXACT);
	struct stream_sink to;

	begin();
	to = world_sink(world);
	assert_non_null(follower.sink.ctx);
#define PUSH(type_, name, ts_, tid_, flags_, ...)                                                  \
	assert_int_equal(                                                                          \
		sink_event(&follower.sink, &(union event){.name = {.hdr = {.ts = (ts_),            \
									   .tid = (tid_),          \
									   .type = EV_##type_,     \
									   .flags = (flags_)},     \
								   ##__VA_ARGS__}}),               \
		0)
	PUSH(GIL, gil, 0, PID, 0, .address = 0x1000);
	PUSH(THREAD, thread, 0, A, EVF_THREAD_PYTHON, .pid = PID);
	PUSH(WINDOW, window, 100, 0, 0);
	for (uint32_t n = 0; n < WORLD_THREADS_MAX + 1000; n++) {
		PUSH(THREAD, thread, 200 + n, 1000 + n, EVF_THREAD_NEW, .pid = PID);
		PUSH(THREAD_EXIT, thread_exit, 200 + n, 1000 + n, 0);
	}
	PUSH(SWITCH_IN, switch_in, 300000, A, 0);
	PUSH(TAKE, take, 300001, A, 0);
	world_free(world);
	emitted[0] = '\0';
	world = world_new((struct model_sink){.interval = on_interval, .hold = on_hold},
			  MODE_EXACT);
	to = world_sink(world);
	assert_int_equal(follower.write(follower.sink.ctx, 400000, &to), 0);
	follower.free(follower.sink.ctx);
	expect(500000, "1",
	       "400000-500000 1 python cpu0\n"
	       "hold 400000-500000 1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sleeper_has_its_stack_and_its_system_call),
		cmocka_unit_test(what_a_sleeper_sleeps_on_and_who_has_it),
		cmocka_unit_test(who_may_have_released_a_mutex_is_not_its_owner),
		cmocka_unit_test(what_only_a_snapshot_showed_is_a_snapshot_again),
		cmocka_unit_test(a_holder_and_who_waits_for_it_with_its_stack),
		cmocka_unit_test(a_turn_in_progress_begins_there_and_the_next_is_whole),
		cmocka_unit_test(a_loop_woken_in_its_wait_has_no_whole_turn),
		cmocka_unit_test(who_runs_no_loop_runs_none_afterwards),
		cmocka_unit_test(a_collection_continues),
		cmocka_unit_test(names_and_processes),
		cmocka_unit_test(the_mode_of_a_gil),
		cmocka_unit_test(a_loss_continues_and_a_world_that_ended_is_unknown),
		cmocka_unit_test(a_state_outlives_all_limits),
	};

	return cmocka_run_group_tests_name("model_checkpoint", tests, NULL, NULL);
}
