/* SPDX-License-Identifier: MIT */
/*
 * The fold, driven by hand-made calls of the model. Fixed objects stand in for the model's world,
 * so any order of calls can be made, including orders that the model rarely produces.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/report.h"
#include "analysis/sums/breakdown.h"

#define MS 1000000u

static struct process process;
static struct gil gil, other_gil;
static struct thread loop_thread, worker, second_worker, stranger;
static struct loop loop;
static struct world_window window;

struct world_window world_window(const struct world *world)
{
	return window;
}

struct process *world_next_process(const struct world *world, uint32_t *position)
{
	return (*position)++ ? NULL : &process;
}

struct thread *world_next_thread(const struct world *world, uint32_t *position)
{
	static struct thread *const threads[] = {&loop_thread, &worker, &second_worker, &stranger,
						 NULL};

	return threads[(*position)++];
}

struct gil *world_next_gil(const struct world *world, uint32_t *position)
{
	static struct gil *const gils[] = {&gil, &other_gil, NULL};

	return gils[(*position)++];
}

const char *world_comm(const struct world *world, uint32_t tid)
{
	return tid == 99 ? "neighbour" : "";
}

static struct report_builder *builder;
static struct model_sink sink;

static int setup(void **state)
{
	static const struct stream_head head = {.version = "0.1.0", .mode = MODE_EXACT};

	process = (struct process){.info = {.pid = 10}};
	gil = (struct gil){.process = &process};
	other_gil = (struct gil){.process = &process, .index = 1};
	loop_thread = (struct thread){.process = &process,
				      .tid = 10,
				      .python = true,
				      .gil = &gil,
				      .loop = &loop,
				      .cpu = CPU_NONE};
	worker = (struct thread){.process = &process,
				 .tid = 11,
				 .index = 1,
				 .python = true,
				 .gil = &gil,
				 .cpu = CPU_NONE};
	second_worker = (struct thread){.process = &process,
					.tid = 12,
					.index = 2,
					.python = true,
					.gil = &gil,
					.cpu = CPU_NONE};
	stranger = (struct thread){.process = &process, .tid = 13, .index = 3, .cpu = CPU_NONE};
	loop = (struct loop){.thread = &loop_thread, .epfd = 3};
	window = (struct world_window){.start = 0, .end = 1000 * MS};
	builder = report_builder_new(50 * MS, &head, NULL, NULL);
	assert_non_null(builder);
	sink = report_builder_sink(builder);
	sink.loop(sink.ctx, &loop);
	return 0;
}

static int teardown(void **state)
{
	report_builder_free(builder);
	return 0;
}

/* When each thread's open interval began, by tid. As in the model, cutting an interval does not
 * change ts_state. */
static uint64_t opened[100];

static void set_waiting(struct thread *thread, bool waits)
{
	struct thread **link = &thread->gil->waiting;

	while (*link && *link != thread)
		link = &(*link)->next_waiting;
	if (waits == (*link != NULL))
		return;
	thread->gil->waiters += waits ? 1 : -1u;
	if (!waits) {
		*link = thread->next_waiting;
		return;
	}
	thread->next_waiting = thread->gil->waiting;
	thread->gil->waiting = thread;
}

/* Puts the thread into a state at a time. */
static void enter(struct thread *thread, enum thread_state state, uint64_t ts)
{
	if (thread->gil)
		set_waiting(thread, state == TS_GIL_WAIT);
	if (thread->state != state)
		thread->ts_state = ts;
	thread->state = state;
	opened[thread->tid] = ts;
	if (thread_state_holds(state))
		thread->gil->holder = thread;
	else if (state != TS_UNKNOWN && thread->gil && thread->gil->holder == thread)
		thread->gil->holder = NULL;
}

static int32_t in_syscall = SYSNO_NONE; /* of the next interval */
static void emit_interval(struct thread *thread, enum thread_state state, uint64_t start,
			  uint64_t end)
{
	struct interval interval = {.thread = thread,
				    .state = state,
				    .start = start,
				    .end = end,
				    .sysno = in_syscall,
				    .cpu = CPU_NONE};

	if (thread_state_holds(state) || state == TS_GIL_WAIT ||
	    (thread->gil && thread->gil->holder == thread))
		interval.gil = thread->gil;
	interval.in_turn = thread->loop && thread->loop->in_turn;
	in_syscall = SYSNO_NONE;
	sink.interval(sink.ctx, &interval);
}

/* Ends the open interval and begins the next one. */
static void change(struct thread *thread, enum thread_state to, uint64_t ts)
{
	if (ts > opened[thread->tid])
		emit_interval(thread, thread->state, opened[thread->tid], ts);
	enter(thread, to, ts);
}

static void turn_begins(uint64_t ts)
{
	loop.in_turn = true;
	loop.ts_turn = ts;
	sink.turn_begin(sink.ctx, &loop);
}

static void turn_ends(uint64_t ts, bool whole, bool ongoing)
{
	struct turn turn = {.loop = &loop,
			    .start = loop.ts_turn,
			    .end = ts,
			    .whole = whole,
			    .ongoing = ongoing};

	loop.in_turn = false;
	sink.turn(sink.ctx, &turn);
}

static const struct report *report(void)
{
	const struct report *found;

	assert_int_equal(report_builder_finish(builder, NULL, false, &found), 0);
	for (uint32_t i = 0; i < found->processes[0].loop_count; i++)
		for (uint32_t n = 0; n < found->processes[0].loops[i].stall_count; n++) {
			const struct stall *stall = &found->processes[0].loops[i].stalls[n];

			assert_int_equal(state_sums_total(&stall->what.states),
					 stall->end - stall->start);
		}
	return found;
}

static const struct loop_report *loop_report(void)
{
	return &report()->processes[0].loops[0];
}

static void a_turn_below_the_threshold_is_no_stall_and_one_at_it_is(void **state)
{
	enter(&loop_thread, TS_PYTHON, 0);
	turn_begins(0);
	change(&loop_thread, TS_IDLE, 50 * MS - 1);
	turn_ends(50 * MS - 1, true, false);
	assert_int_equal(loop_report()->stall_count, 0);
	change(&loop_thread, TS_PYTHON, 60 * MS);
	turn_begins(60 * MS);
	change(&loop_thread, TS_IDLE, 110 * MS);
	turn_ends(110 * MS, true, false);
	assert_int_equal(loop_report()->stall_count, 1);
	assert_int_equal(loop_report()->stalls[0].cause, TS_PYTHON);
	assert_int_equal(loop_report()->stalls[0].start, 60 * MS);
	assert_int_equal(loop_report()->turn.count, 2);
	assert_int_equal(loop_report()->longest_ns, 50 * MS);
}

/* An iteration from `ts` on, after which the thread is in the state `then`. */
static uint64_t turn(uint64_t ts, uint64_t dur, enum thread_state then)
{
	change(&loop_thread, TS_PYTHON, ts);
	turn_begins(ts);
	change(&loop_thread, then, ts + dur);
	turn_ends(ts + dur, true, false);
	return ts + dur;
}

static void stalls_without_a_pause_between_them_are_a_freeze(void **state)
{
	const struct loop_report *found;
	uint64_t ts = turn(10 * MS, 60 * MS, TS_NATIVE), end;

	ts = turn(ts + 1 * MS, 30 * MS, TS_NATIVE); /* short iterations do not end a freeze */
	end = turn(ts + 1 * MS, 70 * MS, TS_IDLE);
	found = loop_report();
	assert_int_equal(found->freezes, 1);
	assert_int_equal(found->freeze.stalls, 2);
	assert_int_equal(found->freeze.start, 10 * MS);
	assert_int_equal(found->freeze.end, end);
	ts = turn(end + 1 * MS, 60 * MS, TS_UNKNOWN); /* it slept before this one … */
	ts = turn(ts + 1 * MS, 60 * MS, TS_NATIVE);   /* … and may have slept before this one */
	ts = turn(ts + 1 * MS, 49 * MS, TS_NATIVE);
	ts = turn(ts, 60 * MS, TS_NATIVE); /* 50 ms after the latest stall: not the same run */
	assert_int_equal(loop_report()->freezes, 1);
	assert_int_equal(loop_report()->freeze.stalls, 2);
	assert_int_equal(loop_report()->freeze.end, end);
	change(&loop_thread, TS_PYTHON, ts + 1 * MS);
	turn_begins(ts + 1 * MS);
	change(&loop_thread, TS_NATIVE, ts + 201 * MS); /* an ongoing stall */
	for (int again = 0; again < 2; again++) {
		found = loop_report();
		assert_int_equal(found->freezes, 2);
		assert_int_equal(found->freeze.stalls, 2);
		assert_int_equal(found->freeze.end, ts + 201 * MS);
	}
}

static void what_computes_for_a_sleeping_loop_is_sampled(void **state)
{
	const struct breakdown *what;

	strcpy(process.info.machine, "x86_64");
	enter(&stranger, TS_NATIVE, 0);
	enter(&loop_thread, TS_PYTHON, 0);
	turn_begins(0);
	change(&loop_thread, TS_BLOCKED, 10 * MS);
	sink.native(sink.ctx, &stranger, 7);
	sink.native(sink.ctx, &stranger, 0);
	sink.native(sink.ctx, &worker, 9); /* Python knows that one */
	change(&stranger, TS_BLOCKED, 90 * MS);
	in_syscall = 202; /* futex */
	change(&loop_thread, TS_IDLE, 100 * MS);
	turn_ends(100 * MS, true, false);
	what = &loop_report()->stalls[0].what;
	assert_int_equal(what->helper_count, 1);
	assert_int_equal(what->helpers[0].sampled_ns, 2); /* without a rate they are counted */
	assert_int_equal(what->helpers[0].natives[0].function, 7);
}

static void a_turn_that_is_taken_back_ends_a_freeze(void **state)
{
	uint64_t ts = turn(10 * MS, 60 * MS, TS_NATIVE);

	turn_begins(ts);
	loop.in_turn = false;
	sink.turn_cancel(sink.ctx, &loop);
	turn(ts + 1 * MS, 60 * MS, TS_NATIVE);
	assert_int_equal(loop_report()->freezes, 0);
	assert_int_equal(loop_report()->freeze.stalls, 0);
}

static void blockers_are_the_holders_while_the_loop_waited(void **state)
{
	const struct stall *stall;

	enter(&worker, TS_PYTHON, 0);
	enter(&loop_thread, TS_NATIVE, 5 * MS);
	turn_begins(5 * MS);
	change(&loop_thread, TS_GIL_WAIT, 10 * MS);
	change(&worker, TS_HELD_BLOCKED, 40 * MS);
	change(&worker, TS_BLOCKED, 70 * MS);
	/* between the drop and the next take nobody is blamed */
	enter(&second_worker, TS_PYTHON, 75 * MS);
	change(&second_worker, TS_NATIVE, 100 * MS);
	change(&loop_thread, TS_PYTHON, 101 * MS);
	change(&loop_thread, TS_IDLE, 110 * MS);
	turn_ends(110 * MS, true, false);
	stall = &loop_report()->stalls[0];
	assert_int_equal(stall->cause, TS_GIL_WAIT);
	assert_int_equal(stall->what.states.ns[TS_GIL_WAIT], 91 * MS);
	assert_int_equal(stall->what.blocker_count, 2);
	assert_ptr_equal(stall->what.blockers[0].thread, &worker);
	assert_int_equal(stall->what.blockers[0].states.ns[TS_PYTHON], 30 * MS);
	assert_int_equal(stall->what.blockers[0].states.ns[TS_HELD_BLOCKED], 30 * MS);
	assert_ptr_equal(stall->what.blockers[1].thread, &second_worker);
	assert_int_equal(stall->what.blockers[1].states.ns[TS_PYTHON], 25 * MS);
}

static void cutting_intervals_changes_no_blame(void **state)
{
	const struct breakdown *what;

	enter(&worker, TS_PYTHON, 0);
	enter(&loop_thread, TS_GIL_WAIT, 10 * MS);
	turn_begins(10 * MS);
	change(&worker, TS_PYTHON, 30 * MS); /* both are cut */
	change(&loop_thread, TS_GIL_WAIT, 30 * MS);
	change(&loop_thread, TS_GIL_WAIT, 35 * MS); /* only the wait is cut */
	change(&worker, TS_PYTHON, 50 * MS);	    /* only the holder's interval is cut */
	change(&worker, TS_NATIVE, 70 * MS);
	change(&loop_thread, TS_PYTHON, 70 * MS);
	change(&loop_thread, TS_IDLE, 71 * MS);
	turn_ends(71 * MS, true, false);
	what = &loop_report()->stalls[0].what;
	assert_int_equal(what->blocker_count, 1);
	assert_int_equal(what->blockers[0].states.ns[TS_PYTHON], 60 * MS);
}

static void a_holder_whose_own_state_is_unknown_is_a_blocker_nevertheless(void **state)
{
	const struct breakdown *what;

	enter(&worker, TS_PYTHON, 0);
	enter(&loop_thread, TS_GIL_WAIT, 10 * MS);
	turn_begins(10 * MS);
	change(&worker, TS_UNKNOWN, 20 * MS);
	change(&worker, TS_NATIVE, 70 * MS);
	change(&loop_thread, TS_IDLE, 70 * MS);
	turn_ends(70 * MS, true, false);
	what = &loop_report()->stalls[0].what;
	assert_int_equal(what->blocker_count, 1);
	assert_int_equal(what->blockers[0].states.ns[TS_PYTHON], 10 * MS);
	assert_int_equal(what->blockers[0].states.ns[TS_UNKNOWN], 50 * MS);
}

static void holders_of_another_gil_and_outside_of_turns_are_not_blamed(void **state)
{
	const struct breakdown *what;

	worker.gil = &other_gil;
	enter(&worker, TS_PYTHON, 0);
	enter(&second_worker, TS_PYTHON, 0);
	enter(&loop_thread, TS_GIL_WAIT, 0);
	change(&second_worker, TS_NATIVE, 5 * MS); /* no turn yet */
	change(&second_worker, TS_PYTHON, 5 * MS);
	change(&loop_thread, TS_GIL_WAIT, 6 * MS);
	turn_begins(6 * MS);
	change(&second_worker, TS_NATIVE, 7 * MS); /* of this, 1 ms is inside the turn */
	change(&worker, TS_NATIVE, 60 * MS);
	change(&loop_thread, TS_IDLE, 66 * MS);
	turn_ends(66 * MS, true, false);
	what = &loop_report()->stalls[0].what;
	assert_int_equal(what->blocker_count, 1);
	assert_ptr_equal(what->blockers[0].thread, &second_worker);
	assert_int_equal(what->blockers[0].states.ns[TS_PYTHON], MS);
}

static void occupants_of_the_cpu_are_named_while_the_loop_was_ready(void **state)
{
	struct run runs[] = {
		{.cpu = 3, .tid = 77, .pid = 77, .start = 0, .end = 40 * MS}, /* another CPU */
		{.cpu = 2, .tid = 99, .pid = 98, .start = 0, .end = 40 * MS},
		{.cpu = 2, .tid = 0, .pid = 0, .start = 40 * MS, .end = 45 * MS},
		{.cpu = 2,
		 .tid = 97,
		 .pid = 98,
		 .start = 45 * MS,
		 .end = 60 * MS}, /* another thread of the same neighbour */
		{.cpu = 2,
		 .tid = 55,
		 .pid = 55,
		 .start = 50 * MS,
		 .end = 60 * MS}, /* impossible, so ignored */
	};
	struct interval ready = {
		.thread = &loop_thread,
		.state = TS_RUNNABLE,
		.start = 10 * MS,
		.end = 60 * MS,
		.cpu = 2,
		.throttled = true,
		.in_turn = true,
	};
	const struct breakdown *what;

	loop_thread.cpu = 2;
	enter(&loop_thread, TS_NATIVE, 5 * MS);
	turn_begins(5 * MS);
	change(&loop_thread, TS_RUNNABLE, 10 * MS);
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		runs[i].queued = runs[i].cpu == loop_thread.cpu ? &loop_thread : NULL;
		sink.run(sink.ctx, &runs[i]);
	}
	sink.interval(sink.ctx, &ready);
	enter(&loop_thread, TS_NATIVE, 60 * MS);
	change(&loop_thread, TS_IDLE, 61 * MS);
	turn_ends(61 * MS, true, false);
	what = &loop_report()->stalls[0].what;
	assert_int_equal(what->preempted_by_count, 2);
	assert_int_equal(what->preempted_by[0].ns, 45 * MS);
	assert_int_equal(what->preempted_by[0].pid, 98);
	assert_string_equal(what->preempted_by[0].comm, "neighbour");
	assert_int_equal(what->preempted_by[1].tid, 0);
	assert_int_equal(what->preempted_by[1].ns, 5 * MS);
	assert_int_equal(what->throttled_ns, 50 * MS);
}

static void system_calls_add_up_by_number_and_stay_bounded(void **state)
{
	const struct breakdown *what;
	uint64_t sum = 0, ts = 0;

	turn_begins(0);
	for (int i = 0; i < 1000; i++, ts += MS) {
		struct interval asleep = {
			.thread = &loop_thread, .start = ts, .end = ts + MS, .in_turn = true};

		asleep.state = i % 2 ? TS_BLOCKED : TS_HELD_BLOCKED;
		asleep.sysno = i < 300 ? 7 : i;
		sink.interval(sink.ctx, &asleep);
	}
	turn_ends(ts, true, false);
	what = &loop_report()->stalls[0].what;
	assert_int_equal(what->syscalls[0].sysno, SYSNO_UNKNOWN);
	assert_int_equal(what->syscalls[1].sysno, 7);
	assert_int_equal(what->syscalls[1].ns, 300 * MS);
	assert_true(what->syscall_count < 300);
	for (uint32_t i = 0; i < what->syscall_count; i++)
		sum += what->syscalls[i].ns;
	assert_int_equal(sum, ts);
}

static void add_blockers(struct breakdown *what, const struct thread *threads, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(
			breakdown_add_blocker(what, &threads[i], TS_PYTHON, i + 1, 0, NULL), 0);
}

/* A few blockers are searched linearly, many through an index. The index must also work after a
 * breakdown was sorted or emptied. At the limit only existing blockers are added to. */
static void every_blocker_has_its_own_time_however_many_there_are(void **state)
{
	static struct thread threads[200];
	const uint32_t many = sizeof(threads) / sizeof(threads[0]), max = 150;
	struct breakdown what = {.blocker_max = max};

	for (uint32_t i = 0; i < many; i++)
		threads[i] = (struct thread){.tid = i, .index = i};
	for (uint32_t turn = 0; turn < 3; turn++) {
		for (uint32_t round = 0; round < 3; round++) {
			add_blockers(&what, threads, many);
			add_blockers(&what, threads, many);
			breakdown_sort(&what);
		}
		assert_int_equal(what.blocker_count, max);
		for (uint32_t i = 0; i < max; i++) {
			assert_ptr_equal(what.blockers[i].thread, &threads[max - 1 - i]);
			assert_int_equal(what.blockers[i].states.ns[TS_PYTHON], 6 * (max - i));
		}
		add_blockers(&what, threads, many);
		breakdown_reset(&what);
	}
	breakdown_done(&what);
}

static void a_cancelled_turn_leaves_nothing_behind(void **state)
{
	enter(&loop_thread, TS_PYTHON, 0);
	turn_begins(0);
	change(&loop_thread, TS_IDLE, 60 * MS);
	loop.in_turn = false;
	sink.turn_cancel(sink.ctx, &loop);
	assert_int_equal(loop_report()->stall_count, 0);
	change(&loop_thread, TS_PYTHON, 100 * MS);
	turn_begins(100 * MS);
	change(&loop_thread, TS_IDLE, 160 * MS);
	turn_ends(160 * MS, true, false);
	assert_int_equal(loop_report()->turn.count, 1);
	assert_int_equal(loop_report()->stall_count, 1);
}

static void a_stall_is_reported_while_it_lasts_and_once_when_it_is_over(void **state)
{
	const struct stall *stall;

	enter(&worker, TS_PYTHON, 0);
	enter(&loop_thread, TS_GIL_WAIT, 0);
	turn_begins(0);
	for (unsigned ms = 20; ms <= 100; ms += 20) {
		change(&worker, TS_PYTHON, ms * MS);
		change(&loop_thread, TS_GIL_WAIT, ms * MS);
		assert_int_equal(loop_report()->stall_count, ms >= 50);
	}
	stall = &loop_report()->stalls[0];
	assert_true(stall->ongoing);
	assert_int_equal(stall->end, 100 * MS);
	assert_int_equal(stall->what.blockers[0].states.ns[TS_PYTHON], 100 * MS);
	assert_int_equal(state_sums_total(&loop_report()->stalled.states), 100 * MS);
	turn_ends(100 * MS, false, true);
	assert_int_equal(loop_report()->stall_count, 1);
	assert_true(loop_report()->stalls[0].ongoing);
	assert_false(loop_report()->stalls[0].whole);
	assert_int_equal(state_sums_total(&loop_report()->stalled.states), 100 * MS);
	assert_int_equal(loop_report()->turn.count, 0);
}

static void holds_and_waits_are_counted_and_only_whole_ones_are_measured(void **state)
{
	struct hold hold = {.gil = &gil,
			    .thread = &worker,
			    .start = 0,
			    .end = 10 * MS,
			    .whole = true,
			    .requested = true,
			    .handoff = true};
	struct hold half = {.gil = &gil, .thread = &worker, .start = 20 * MS, .end = 50 * MS};
	struct gil_wait wait = {
		.gil = &gil, .thread = &second_worker, .start = 0, .end = 9 * MS, .whole = true};
	struct contention contention = {.gil = &gil, .start = 0, .end = 9 * MS};
	const struct process_report *found;

	sink.hold(sink.ctx, &hold);
	sink.hold(sink.ctx, &half);
	sink.wait(sink.ctx, &wait);
	sink.contention(sink.ctx, &contention);
	found = &report()->processes[0];
	assert_int_equal(found->gil_count, 2);
	assert_int_equal(found->gils[0].held_ns, 40 * MS);
	assert_int_equal(found->gils[0].contended_ns, 9 * MS);
	assert_int_equal(found->gils[0].handoffs, 1);
	assert_int_equal(found->gils[0].forced, 1);
	assert_int_equal(found->gils[0].hold.count, 1);
	assert_int_equal(found->gils[0].hold.max_ns, 10 * MS);
	assert_int_equal(found->gils[0].wait.count, 1);
	assert_int_equal(found->gils[1].held_ns, 0);
	assert_int_equal(found->thread_count, 3); /* the unknown thread is not a Python thread */
	assert_int_equal(found->threads[1].holds, 2);
	assert_int_equal(found->threads[1].forced_drops, 1);
	assert_int_equal(found->threads[2].waits, 1);
}

static void a_report_is_partial_when_losses_made_more_than_a_thousandth_unknown(void **state)
{
	enter(&worker, TS_NATIVE, 0);
	change(&worker, TS_UNKNOWN, 999 * MS);
	change(&worker, TS_NATIVE, 1000 * MS);
	assert_false(report_partial(report()));
	window.lost = 1;
	assert_false(report_partial(report())); /* exactly a thousandth */
	emit_interval(&worker, TS_UNKNOWN, 1000 * MS, 1001 * MS);
	assert_true(report_partial(report()));
	window.lost = 0;
	assert_false(report_partial(report()));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_turn_below_the_threshold_is_no_stall_and_one_at_it_is),
		TEST(stalls_without_a_pause_between_them_are_a_freeze),
		TEST(what_computes_for_a_sleeping_loop_is_sampled),
		TEST(a_turn_that_is_taken_back_ends_a_freeze),
		TEST(blockers_are_the_holders_while_the_loop_waited),
		TEST(cutting_intervals_changes_no_blame),
		TEST(a_holder_whose_own_state_is_unknown_is_a_blocker_nevertheless),
		TEST(holders_of_another_gil_and_outside_of_turns_are_not_blamed),
		TEST(occupants_of_the_cpu_are_named_while_the_loop_was_ready),
		TEST(system_calls_add_up_by_number_and_stay_bounded),
		TEST(every_blocker_has_its_own_time_however_many_there_are),
		TEST(a_cancelled_turn_leaves_nothing_behind),
		TEST(a_stall_is_reported_while_it_lasts_and_once_when_it_is_over),
		TEST(holds_and_waits_are_counted_and_only_whole_ones_are_measured),
		TEST(a_report_is_partial_when_losses_made_more_than_a_thousandth_unknown),
	};

	return cmocka_run_group_tests_name("analysis_fold", tests, NULL, NULL);
}
