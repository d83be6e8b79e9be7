/* SPDX-License-Identifier: MIT */
/*
 * The model's rules, one small sequence of events each. What was told is written as lines of text in the order of the calls: times in ns, threads by
 * tid. docs/model.md has the rules in words; model_sim.c holds the whole against simulated worlds.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "model/model.h"

/* ── what was told, as text ──────────────────────────────────────────────────────────────────────────────────────── */

static char told[8192];

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	size_t length = strlen(told);
	va_list args;

	va_start(args, format);
	vsnprintf(told + length, sizeof(told) - length, format, args);
	va_end(args);
}

#define SPAN(x) (unsigned long long)(x)->start, (unsigned long long)(x)->end

static void on_interval(void *ctx, const struct interval *i)
{
	say("%llu-%llu %u %s", SPAN(i), i->thread->tid, thread_state_name(i->state));
	if (i->cpu != CPU_NONE)
		say(" cpu%u", i->cpu);
	if (i->state == TS_BLOCKED || i->state == TS_HELD_BLOCKED || i->state == TS_IDLE)
		say(" sys%d", i->sysno);
	say("%s%s%s\n", i->throttled ? " throttled" : "", i->sampled ? " sampled" : "", i->in_turn ? " turn" : "");
}

static void on_hold(void *ctx, const struct hold *h)
{
	say("hold %llu-%llu %u%s%s%s\n", SPAN(h), h->thread->tid, h->whole ? " whole" : "", h->requested ? " requested" : "", h->handoff ? " handoff" : "");
}

static void on_wait(void *ctx, const struct gil_wait *wait)
{
	say("wait %llu-%llu %u%s\n", SPAN(wait), wait->thread->tid, wait->whole ? " whole" : "");
}

static void on_contention(void *ctx, const struct contention *c)
{
	say("contention %llu-%llu\n", SPAN(c));
}

static void on_run(void *ctx, const struct run *run)
{
	say("run %llu-%llu cpu%u %u/%u\n", SPAN(run), run->cpu, run->pid, run->tid);
}

static void on_turn_begin(void *ctx, struct loop *loop)
{
	say("begin %llu %u%s\n", (unsigned long long)loop->ts_turn, loop->thread->tid, loop->possible ? " possible" : "");
}

static void on_turn_cancel(void *ctx, struct loop *loop)
{
	say("cancel %u\n", loop->thread->tid);
}

static void on_turn(void *ctx, const struct turn *turn)
{
	say("turn %llu-%llu %u%s%s\n", SPAN(turn), turn->loop->thread->tid, turn->whole ? " whole" : "", turn->ongoing ? " ongoing" : "");
}

/* ── events, as short as can be ──────────────────────────────────────────────────────────────────────────────────── */

static struct world *world;

#define FEED(type_, name, ts_, tid_, aux_, flags_, ...)                                                                                              \
	assert_int_equal(world_feed(world, &(union event){.name = {.hdr = {.ts = (ts_), .tid = (tid_), .type = EV_##type_, .aux = (aux_),            \
									   .flags = (flags_)},                                                       \
								   ##__VA_ARGS__}}),                                                                 \
			 0)

enum { PID = 1, A = 1, B = 2, C = 3, X = 9 /* not Python */, EPFD = 5, OTHER = 6, FUTEX = 202, READ = 0, EPOLL_WAIT = 232 };

#define EVENT_FUNCTION(function, parameters, ...)                                                                                                     \
	static void function parameters                                                                                                              \
	{                                                                                                                                            \
		FEED(__VA_ARGS__);                                                                                                                   \
	}
EVENT_FUNCTION(take, (uint64_t ts, uint32_t tid), TAKE, take, ts, tid, 0, 0)
EVENT_FUNCTION(drop, (uint64_t ts, uint32_t tid), DROP, drop, ts, tid, 0, 0)
EVENT_FUNCTION(wait, (uint64_t ts, uint32_t tid), WAIT, wait, ts, tid, 0, 0)
EVENT_FUNCTION(wait_end, (uint64_t ts, uint32_t tid, bool locked), WAIT_END, wait_end, ts, tid, 0, locked ? EVF_WAIT_END_LOCKED : 0)
EVENT_FUNCTION(in, (uint64_t ts, uint32_t tid, uint16_t cpu), SWITCH_IN, switch_in, ts, tid, cpu, 0)
EVENT_FUNCTION(preempt, (uint64_t ts, uint32_t tid, uint16_t cpu), SWITCH_OUT, switch_out, ts, tid, cpu, EVF_SWITCH_OUT_RUNNABLE)
EVENT_FUNCTION(out, (uint64_t ts, uint32_t tid, int32_t sysno), SWITCH_OUT, switch_out, ts, tid, 0, EVF_SWITCH_OUT_SYSCALL, .sysno = sysno)
EVENT_FUNCTION(wake, (uint64_t ts, uint32_t tid, uint16_t cpu), WAKE, wake, ts, tid, cpu, 0)
EVENT_FUNCTION(migrate, (uint64_t ts, uint32_t tid, uint16_t cpu), MIGRATE, migrate, ts, tid, cpu, 0)
EVENT_FUNCTION(enter, (uint64_t ts, uint32_t tid, uint32_t epfd), EPOLL_ENTER, epoll_enter, ts, tid, 0, 0, .epfd = epfd)
EVENT_FUNCTION(leave, (uint64_t ts, uint32_t tid, uint32_t epfd), EPOLL_EXIT, epoll_exit, ts, tid, 0, 0, .epfd = epfd)
EVENT_FUNCTION(lost, (uint64_t ts, uint64_t last_ts), LOST, lost, ts, 0, 0, 0, .count = 1, .last_ts = last_ts)
EVENT_FUNCTION(run, (uint64_t ts, uint16_t cpu, uint32_t tid), RUN, run, ts, tid, cpu, 0, .pid = tid)
EVENT_FUNCTION(run_end, (uint64_t ts, uint16_t cpu), RUN, run, ts, 0, cpu, EVF_RUN_END)
EVENT_FUNCTION(observe, (uint64_t ts, uint32_t observer, uint32_t holder, uint32_t span_ns, uint8_t flags), OBSERVE, observe, ts, observer, 0,
	       (uint8_t)(flags | (holder ? EVF_OBSERVE_LOCKED : 0)), .holder = holder, .span_ns = span_ns)
EVENT_FUNCTION(asleep, (uint64_t ts, uint32_t tid, uint32_t span_ns, uint8_t flags), STATE, state, ts, tid, 0, (uint8_t)(EVF_STATE_ASLEEP | flags),
	       .span_ns = span_ns, .sysno = READ, .epfd = EPFD)
EVENT_FUNCTION(thread, (uint64_t ts, uint32_t tid, uint8_t flags), THREAD, thread, ts, tid, 0, flags, .pid = PID)
EVENT_FUNCTION(thread_gone, (uint64_t ts, uint32_t tid), THREAD_EXIT, thread_exit, ts, tid, 0, 0)
EVENT_FUNCTION(process_gone, (uint64_t ts), PROCESS_EXIT, process_exit, ts, PID, 0, 0)
EVENT_FUNCTION(descriptor, (uint64_t ts, uint32_t epfd), EPOLL, epoll, ts, PID, 0, EVF_EPOLL_WAKEUP, .epfd = epfd, .kind = LOOP_UVLOOP)
EVENT_FUNCTION(window, (uint64_t ts, bool end), WINDOW, window, ts, 0, 0, end ? EVF_WINDOW_END : 0)

/* A process with a GIL and a loop's descriptor, Python threads A and B, and X that Python does not know; the window begins at 100. */
static void begin_as(bool partial)
{
	const struct model_sink sink = {.interval = on_interval,
					.hold = on_hold,
					.wait = on_wait,
					.contention = on_contention,
					.run = on_run,
					.turn_begin = on_turn_begin,
					.turn_cancel = on_turn_cancel,
					.turn = on_turn};

	told[0] = '\0';
	world = world_new(sink, partial);
	assert_non_null(world);
	FEED(GIL, gil, 0, PID, 0, 0, .address = 0x1000);
	descriptor(0, EPFD);
	thread(0, A, EVF_THREAD_PYTHON);
	thread(0, B, EVF_THREAD_PYTHON);
	thread(0, X, 0);
	window(100, false);
}

static void begin(void)
{
	begin_as(false);
}

static uint64_t violations(void)
{
	uint32_t position = 0;

	return world_next_gil(world, &position)->violations;
}

/* Ends the world at `ts`: these lines have been told of the threads that are asked for (a string of digits), and of no thread. */
static void expect(uint64_t ts, const char *threads, const char *expected)
{
	char kept[sizeof(told)] = "", *line, *rest = told;
	unsigned int tid;

	window(ts, true);
	while ((line = strsep(&rest, "\n"))) {
		bool one = sscanf(line, "%*[0-9-] %u", &tid) == 1 || sscanf(line, "%*s %*[0-9-] %u", &tid) == 1 || sscanf(line, "cancel %u", &tid) == 1;

		if (*line && (!one || strchr(threads, '0' + (int)tid))) {
			strcat(kept, line);
			strcat(kept, "\n");
		}
	}
	world_free(world);
	world = NULL;
	assert_string_equal(kept, expected);
}

/* ── the GIL ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_thread_is_python_between_take_and_drop(void **state)
{
	begin();
	in(110, A, 2);
	take(120, A);
	drop(130, A);
	out(140, A, READ);
	wake(150, A, 3);
	expect(160, "1", "100-120 1 unknown\n"
	       "120-130 1 python cpu2\n"
	       "hold 120-130 1 whole\n"
	       "130-140 1 native cpu2\n"
	       "140-150 1 blocked sys0\n"
	       "150-160 1 runnable cpu3\n");
}

static void a_wait_lasts_from_the_first_wait_to_the_take(void **state)
{
	begin();
	take(110, A);
	drop(111, A);
	take(112, B);
	wait(120, A);
	out(121, A, FUTEX);
	wake(130, A, 0);
	in(131, A, 0);
	wait_end(132, A, true);
	wait(133, A);
	FEED(DROP, drop, 140, B, 0, EVF_DROP_REQUESTED);
	wait_end(150, A, false);
	take(151, A);
	assert_int_equal(violations(), 0);
	expect(160, "12", "100-110 1 unknown\n"
	       "110-111 1 python\n"
	       "hold 110-111 1 whole\n"
	       "100-112 2 unknown\n"
	       "111-120 1 native\n"
	       "112-140 2 python\n"
	       "hold 112-140 2 whole requested handoff\n"
	       "120-151 1 gil_wait\n"
	       "wait 120-151 1 whole\n"
	       "contention 120-151\n"
	       "151-160 1 python cpu0\n"
	       "140-160 2 native\n"
	       "hold 151-160 1 handoff\n");
}

static void a_holder_off_cpu_is_held_blocked_or_held_runnable(void **state)
{
	begin();
	take(110, A);
	out(120, A, READ);
	wake(130, A, 1);
	in(140, A, 1);
	preempt(150, A, 1);
	expect(160, "1", "100-110 1 unknown\n"
	       "110-120 1 python\n"
	       "120-130 1 held_blocked sys0\n"
	       "130-140 1 held_runnable cpu1\n"
	       "140-150 1 python cpu1\n"
	       "150-160 1 held_runnable cpu1\n"
	       "hold 110-160 1\n");
}

static void a_wait_that_may_have_begun_earlier_is_not_whole(void **state)
{
	begin();
	wait(110, A);
	take(120, A);
	expect(130, "1", "100-110 1 unknown\n"
	       "110-120 1 gil_wait\n"
	       "wait 110-120 1\n"
	       "contention 110-120\n"
	       "120-130 1 python\n"
	       "hold 120-130 1\n");
}

static void a_take_while_another_holds_is_a_violation(void **state)
{
	begin();
	take(110, A);
	take(120, B);
	assert_int_equal(violations(), 1);
	drop(130, B);
	assert_int_equal(violations(), 1);
	expect(140, "12", "100-110 1 unknown\n"
	       "100-120 2 unknown\n"
	       "hold 110-120 1\n"
	       "120-130 2 python\n"
	       "hold 120-130 2 whole\n"
	       "130-140 2 native\n"
	       "110-140 1 unknown\n");
}

static void a_drop_settles_an_unknown_gil_and_claims_nothing_backwards(void **state)
{
	begin();
	in(110, A, 0);
	drop(120, A);
	take(130, B);
	assert_int_equal(violations(), 0);
	expect(140, "12", "100-120 1 unknown\n"
	       "100-130 2 unknown\n"
	       "130-140 2 python\n"
	       "120-140 1 native cpu0\n"
	       "hold 130-140 2 handoff\n");
}

static void a_wait_for_a_free_gil_is_a_violation(void **state)
{
	begin();
	drop(110, A);
	wait(120, B);
	assert_int_equal(violations(), 1);
	expect(130, "2", "100-120 2 unknown\n"
	       "120-130 2 gil_wait\n"
	       "wait 120-130 2\n"
	       "contention 120-130\n");
}

static void an_observation_names_the_holder_and_settles_who_sleeps(void **state)
{
	begin();
	asleep(150, B, 20, EVF_STATE_SYSCALL);
	observe(160, 0, A, 20, 0);
	in(170, A, 0);
	expect(180, "12", "100-160 2 unknown\n"
	       "100-170 1 unknown\n"
	       "170-180 1 python cpu0\n"
	       "160-180 2 blocked sys0\n"
	       "hold 160-180 1\n");
}

static void an_observation_from_before_a_transition_is_not_used(void **state)
{
	begin();
	take(110, A);
	drop(120, A);
	observe(125, 0, A, 20, 0);
	observe(126, 0, A, 20, EVF_OBSERVE_DEFINITE);
	assert_int_equal(violations(), 0);
	observe(130, 0, A, 0, 0); /* may run ahead of a TAKE */
	assert_int_equal(violations(), 0);
	observe(140, 0, A, 0, EVF_OBSERVE_DEFINITE);
	assert_int_equal(violations(), 1);
	expect(150, "1", "100-110 1 unknown\n"
	       "110-120 1 python\n"
	       "hold 110-120 1 whole\n"
	       "120-150 1 native\n");
}

static void a_holder_seen_in_the_act_of_taking_is_no_violation(void **state)
{
	begin();
	observe(110, 0, A, 0, 0);
	take(111, A);
	drop(120, A);
	assert_int_equal(violations(), 0);
	expect(130, "1", "100-111 1 unknown\n"
	       "111-120 1 python\n"
	       "hold 111-120 1 whole\n"
	       "120-130 1 native\n");
}

static void a_thread_that_waits_in_a_snapshot_waits_since_then(void **state)
{
	begin();
	asleep(120, A, 10, EVF_STATE_GIL_WAIT);
	take(150, B);
	expect(160, "1", "100-120 1 unknown\n"
	       "120-160 1 gil_wait\n"
	       "wait 120-160 1\n"
	       "contention 120-160\n");
}

static void two_gils_must_both_be_certain_before_a_sleeper_has_none(void **state)
{
	begin();
	FEED(GIL, gil, 100, PID, 1, 0, .address = 0x2000);
	asleep(120, A, 10, EVF_STATE_SYSCALL);
	take(130, B);
	FEED(OBSERVE, observe, 140, 0, 1, 0);
	expect(150, "1", "100-140 1 unknown\n"
	       "140-150 1 blocked sys0\n");
}

static void a_gil_declared_late_makes_doubtful_who_seemed_to_have_none(void **state)
{
	begin();
	take(110, A);
	drop(120, A);
	FEED(UNKNOWN_GIL, unknown_gil, 130, B, 0, 0, .address = 0x2000);
	assert_int_equal(world_window(world).foreign, 1);
	FEED(GIL, gil, 140, PID, 1, 0, .address = 0x2000);
	assert_int_equal(world_window(world).foreign, 0);
	expect(150, "1", "100-110 1 unknown\n"
	       "110-120 1 python\n"
	       "hold 110-120 1 whole\n"
	       "120-140 1 native\n"
	       "140-150 1 unknown\n");
}

/* ── scheduling ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_thread_that_python_does_not_know_has_no_gil(void **state)
{
	begin();
	in(110, X, 0);
	take(120, X);
	expect(130, "9", "100-110 9 unknown\n"
	       "110-120 9 native cpu0\n"
	       "120-130 9 python cpu0\n"
	       "hold 120-130 9\n");
}

static void a_wake_up_of_a_running_thread_means_nothing(void **state)
{
	begin();
	in(110, X, 0);
	wake(120, X, 1);
	migrate(125, X, 1);
	out(130, X, READ);
	migrate(135, X, 1);
	wake(140, X, 1);
	migrate(150, X, 2);
	expect(160, "9", "100-110 9 unknown\n"
	       "110-130 9 native cpu0\n"
	       "130-140 9 blocked sys0\n"
	       "140-150 9 runnable cpu1\n"
	       "150-160 9 runnable cpu2\n");
}

static void a_wake_up_of_a_thread_in_an_unknown_state_settles_nothing(void **state)
{
	begin();
	wake(110, X, 1);
	in(120, X, 1);
	expect(130, "9", "100-120 9 unknown\n"
	       "120-130 9 native cpu1\n");
}

static void a_throttled_thread_is_marked(void **state)
{
	begin();
	in(110, X, 0);
	FEED(SWITCH_OUT, switch_out, 120, X, 0, EVF_SWITCH_OUT_RUNNABLE | EVF_SWITCH_OUT_THROTTLED);
	expect(130, "9", "100-110 9 unknown\n"
	       "110-120 9 native cpu0\n"
	       "120-130 9 runnable cpu0 throttled\n");
}

static void who_acts_is_on_a_cpu_and_a_missed_fact_makes_its_time_unknown(void **state)
{
	begin();
	in(110, A, 0);
	take(120, A);
	out(130, A, READ);
	drop(140, A);
	assert_int_equal(world_window(world).contradictions, 1);
	expect(150, "1", "100-120 1 unknown\n"
	       "120-130 1 python cpu0\n"
	       "130-140 1 unknown\n"
	       "hold 120-140 1 whole\n"
	       "140-150 1 native\n");
}

static void who_has_the_cpu_is_told_before_the_thread_that_waited_for_it(void **state)
{
	begin();
	in(110, X, 0);
	run(120, 0, 77);
	preempt(120, X, 0);
	run(130, 0, 0);
	run_end(150, 0);
	in(150, X, 0);
	expect(160, "9", "100-110 9 unknown\n"
	       "110-120 9 native cpu0\n"
	       "run 120-130 cpu0 77/77\n"
	       "run 130-150 cpu0 0/0\n"
	       "120-150 9 runnable cpu0\n"
	       "150-160 9 native cpu0\n");
}

static void a_snapshot_older_than_a_fact_is_not_used(void **state)
{
	begin();
	in(120, X, 0);
	asleep(130, X, 10, 0);
	asleep(140, B, 50, 0); /* may be from before the window */
	expect(150, "29", "100-120 9 unknown\n"
	       "120-150 9 native cpu0\n"
	       "100-150 2 unknown\n");
}

/* ── loops ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* A runs the loop, out of its wait, without the GIL, from 110 on. */
static void begin_loop(void)
{
	begin();
	in(101, A, 0);
	take(102, A);
	drop(103, A);
	enter(104, A, EPFD);
	leave(110, A, EPFD);
	told[0] = '\0';
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
	expect(160, "1", "110-120 1 native cpu0 turn\n"
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
	expect(160, "1", "110-120 1 native cpu0 turn\n"
	       "turn 110-120 1 whole\n"
	       "120-121 1 native cpu0\n"
	       "121-130 1 idle sys232\n"
	       "begin 130 1\n"
	       "130-131 1 runnable cpu0 turn\n"
	       "131-132 1 native cpu0 turn\n"
	       "cancel 1\n"
	       "132-160 1 idle sys232\n");
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
	expect(150, "1", "110-121 1 native cpu0 turn\n"
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
	expect(150, "1", "100-120 1 unknown\n"
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
	expect(150, "1", "100-111 1 unknown\n"
	       "111-112 1 python cpu0\n"
	       "hold 111-112 1 whole\n"
	       "112-121 1 native cpu0\n"
	       "121-130 1 blocked sys232\n"
	       "130-140 1 idle sys232\n"
	       "begin 140 1\n"
	       "140-150 1 runnable cpu0 turn\n"
	       "turn 140-150 1 ongoing\n");
}

static void a_turn_is_ongoing_at_the_end(void **state)
{
	begin_loop();
	expect(150, "1", "110-150 1 native cpu0 turn\n"
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
	told[0] = '\0';
	enter(ts, A, OTHER);
	expect(ts, "1", "1380001120-1400000120 1 native cpu0 turn\n"
	       "turn 1380001120-1400000120 1 whole\n");
}

/* ── losses ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_loss_makes_everything_unknown_over_its_span(void **state)
{
	begin();
	in(110, A, 0);
	take(120, A);
	lost(130, 150);
	in(140, A, 0);	/* true then, but what followed may be missing */
	drop(150, A);	/* the missing one may come behind it */
	in(160, A, 0);
	take(170, A);
	assert_int_equal(violations(), 0);
	expect(180, "1", "100-120 1 unknown\n"
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
	expect(170, "9", "100-110 9 unknown\n"
	       "110-120 9 native cpu0\n"
	       "120-130 9 unknown\n"
	       "130-161 9 unknown\n"
	       "161-170 9 native cpu0\n");
}

static void a_thread_unknown_to_python_may_have_passed_a_site_in_a_loss(void **state)
{
	begin();
	in(110, X, 0);
	lost(120, 130);
	in(140, X, 0);
	expect(150, "9", "100-110 9 unknown\n"
	       "110-120 9 native cpu0\n"
	       "120-150 9 unknown\n");
}

static void a_turn_is_cut_by_a_loss_and_goes_on_as_a_lower_bound(void **state)
{
	begin_loop();
	lost(120, 130);
	in(140, A, 0);
	take(150, A);
	drop(155, A);
	enter(160, A, EPFD);
	expect(170, "1", "110-120 1 native cpu0 turn\n"
	       "turn 110-120 1\n"
	       "120-131 1 unknown\n"
	       "begin 131 1 possible\n"
	       "131-150 1 unknown turn\n"
	       "150-155 1 python cpu0 turn\n"
	       "hold 150-155 1 whole\n"
	       "155-160 1 native cpu0 turn\n"
	       "turn 131-160 1\n"
	       "160-170 1 native cpu0\n");
}

static void a_possible_turn_is_none_when_the_loop_proves_to_have_waited(void **state)
{
	begin_loop();
	lost(120, 130);
	in(140, A, 0);
	leave(150, A, EPFD);
	enter(160, A, EPFD);
	expect(170, "1", "110-120 1 native cpu0 turn\n"
	       "turn 110-120 1\n"
	       "120-131 1 unknown\n"
	       "begin 131 1 possible\n"
	       "131-150 1 unknown turn\n"
	       "cancel 1\n"
	       "begin 150 1\n"
	       "150-160 1 unknown turn\n"
	       "turn 150-160 1\n"
	       "160-170 1 unknown\n");
}

/* ── lives ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_thread_that_is_born_is_told_from_then_on_and_until_its_exit(void **state)
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
	expect(160, "3", "110-111 3 unknown\n"
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
	expect(130, "12", "100-110 1 unknown\n"
	       "100-111 2 unknown\n"
	       "110-120 1 python\n"
	       "111-120 2 gil_wait\n"
	       "wait 111-120 2\n"
	       "contention 111-120\n"
	       "hold 110-120 1\n");
}

static void nothing_is_told_before_the_window(void **state)
{
	begin();
	window(110, false); /* it has begun already */
	world_cut(world, 120);
	world_cut(world, 120);
	expect(130, "1", "100-120 1 unknown\n"
	       "120-130 1 unknown\n");
}

static void events_from_the_past_count_now(void **state)
{
	begin();
	in(150, X, 0);
	out(140, X, READ);
	expect(160, "9", "100-150 9 unknown\n"
	       "150-160 9 blocked sys0\n");
}

static void names_are_kept_for_threads_and_strangers(void **state)
{
	uint32_t position = 0;

	begin();
	FEED(COMM, comm, 110, A, 0, 0, .pid = PID, .comm = {"0123456789abcdef"});
	FEED(COMM, comm, 110, 777, 0, 0, .pid = 77, .comm = {"stranger"});
	assert_string_equal(world_thread(world, A)->comm, "0123456789abcdef");
	assert_string_equal(world_comm(world, 777), "stranger");
	assert_string_equal(world_comm(world, 778), "");
	assert_int_equal(world_next_thread(world, &position)->tid, A);
	assert_int_equal(world_next_thread(world, &position)->tid, B);
	expect(120, "", "");
}

/* ── partial GILs ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void an_acquisition_is_certain_only_while_somebody_waits(void **state)
{
	begin_as(true);
	wait(110, A);
	wait(111, B);
	wait_end(120, A, false); /* B waits: A's DROP would be seen */
	drop(130, A);
	wait_end(140, B, false); /* nobody waits */
	expect(150, "12", "100-110 1 unknown\n"
	       "100-111 2 unknown\n"
	       "110-120 1 gil_wait\n"
	       "wait 110-120 1\n"
	       "120-130 1 python\n"
	       "hold 120-130 1 whole\n"
	       "111-140 2 gil_wait\n"
	       "wait 111-140 2\n"
	       "contention 110-140\n"
	       "140-150 2 python sampled\n"
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
	expect(190, "1", "100-110 1 unknown\n"
	       "110-120 1 python cpu0 sampled\n"
	       "120-130 1 held_blocked sys0\n"
	       "130-140 1 held_runnable cpu0\n"
	       "hold 120-140 1\n"
	       "140-150 1 python cpu0 sampled\n"
	       "150-160 1 native cpu0 sampled\n"
	       "160-170 1 blocked sys0\n"
	       "170-180 1 runnable cpu0\n"
	       "180-190 1 native cpu0 sampled\n");
}

static void a_sleep_without_a_look_is_unknown(void **state)
{
	begin_as(true);
	in(110, A, 0);
	observe(110, A, A, 0, 0);
	out(120, A, READ);
	expect(130, "1", "100-110 1 unknown\n"
	       "110-120 1 python cpu0 sampled\n"
	       "120-130 1 unknown\n");
}

static void a_definite_look_of_a_waiter_makes_the_holder_certain(void **state)
{
	begin_as(true);
	in(110, A, 0);
	wait(120, B);
	observe(120, B, A, 0, EVF_OBSERVE_DEFINITE);
	preempt(130, A, 0);
	in(140, A, 0);
	drop(150, A);
	wait_end(160, B, false);
	assert_int_equal(violations(), 0);
	expect(170, "12", "100-120 2 unknown\n"
	       "100-120 1 unknown\n"
	       "120-130 1 python cpu0\n"
	       "130-140 1 held_runnable cpu0\n"
	       "140-150 1 python cpu0\n"
	       "hold 120-150 1\n"
	       "120-160 2 gil_wait\n"
	       "wait 120-160 2\n"
	       "contention 120-160\n"
	       "160-170 2 python sampled\n"
	       "150-170 1 native cpu0 sampled\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_is_python_between_take_and_drop),
		cmocka_unit_test(a_wait_lasts_from_the_first_wait_to_the_take),
		cmocka_unit_test(a_holder_off_cpu_is_held_blocked_or_held_runnable),
		cmocka_unit_test(a_wait_that_may_have_begun_earlier_is_not_whole),
		cmocka_unit_test(a_take_while_another_holds_is_a_violation),
		cmocka_unit_test(a_drop_settles_an_unknown_gil_and_claims_nothing_backwards),
		cmocka_unit_test(a_wait_for_a_free_gil_is_a_violation),
		cmocka_unit_test(an_observation_names_the_holder_and_settles_who_sleeps),
		cmocka_unit_test(an_observation_from_before_a_transition_is_not_used),
		cmocka_unit_test(a_holder_seen_in_the_act_of_taking_is_no_violation),
		cmocka_unit_test(a_thread_that_waits_in_a_snapshot_waits_since_then),
		cmocka_unit_test(two_gils_must_both_be_certain_before_a_sleeper_has_none),
		cmocka_unit_test(a_gil_declared_late_makes_doubtful_who_seemed_to_have_none),
		cmocka_unit_test(a_thread_that_python_does_not_know_has_no_gil),
		cmocka_unit_test(a_wake_up_of_a_running_thread_means_nothing),
		cmocka_unit_test(a_wake_up_of_a_thread_in_an_unknown_state_settles_nothing),
		cmocka_unit_test(a_throttled_thread_is_marked),
		cmocka_unit_test(who_acts_is_on_a_cpu_and_a_missed_fact_makes_its_time_unknown),
		cmocka_unit_test(who_has_the_cpu_is_told_before_the_thread_that_waited_for_it),
		cmocka_unit_test(a_snapshot_older_than_a_fact_is_not_used),
		cmocka_unit_test(a_turn_begins_with_the_wake_up_and_ends_at_the_next_wait),
		cmocka_unit_test(a_spurious_wake_up_is_no_turn),
		cmocka_unit_test(a_wait_on_another_descriptor_neither_begins_nor_ends_a_turn),
		cmocka_unit_test(a_loop_asleep_in_a_snapshot_is_idle_and_its_first_turn_is_whole),
		cmocka_unit_test(a_descriptor_declared_during_the_wait_makes_the_loop_at_once),
		cmocka_unit_test(a_turn_is_ongoing_at_the_end),
		cmocka_unit_test(a_loop_that_waits_elsewhere_long_enough_runs_there),
		cmocka_unit_test(a_loss_makes_everything_unknown_over_its_span),
		cmocka_unit_test(losses_overlap),
		cmocka_unit_test(a_thread_unknown_to_python_may_have_passed_a_site_in_a_loss),
		cmocka_unit_test(a_turn_is_cut_by_a_loss_and_goes_on_as_a_lower_bound),
		cmocka_unit_test(a_possible_turn_is_none_when_the_loop_proves_to_have_waited),
		cmocka_unit_test(a_thread_that_is_born_is_told_from_then_on_and_until_its_exit),
		cmocka_unit_test(a_process_that_exits_ends_its_threads),
		cmocka_unit_test(nothing_is_told_before_the_window),
		cmocka_unit_test(events_from_the_past_count_now),
		cmocka_unit_test(names_are_kept_for_threads_and_strangers),
		cmocka_unit_test(an_acquisition_is_certain_only_while_somebody_waits),
		cmocka_unit_test(a_look_at_the_switch_holds_for_the_whole_sleep),
		cmocka_unit_test(a_sleep_without_a_look_is_unknown),
		cmocka_unit_test(a_definite_look_of_a_waiter_makes_the_holder_certain),
	};

	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
