/* SPDX-License-Identifier: MIT */
/*
 * emitted.h - small sequences of events, and the model's output as lines of text in the order of
 * the calls: times in ns, threads by tid.
 */
#ifndef TESTS_SIM_EMITTED_H
#define TESTS_SIM_EMITTED_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "model/model.h"

/* ── output as text ──────────────────────────────────────────────────────── */

static char emitted[8192];

static inline void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void say(const char *format, ...)
{
	size_t length = strlen(emitted);
	va_list args;

	va_start(args, format);
	vsnprintf(emitted + length, sizeof(emitted) - length, format, args);
	va_end(args);
}

#define SPAN(x) (unsigned long long)(x)->start, (unsigned long long)(x)->end

static inline void on_interval(void *ctx, const struct interval *i)
{
	say("%llu-%llu %u %s", SPAN(i), i->thread->tid, thread_state_name(i->state));
	if (i->state == TS_UNKNOWN && interval_holds(i))
		say(" holds");
	if (i->cpu != CPU_NONE)
		say(" cpu%u", i->cpu);
	if (i->state == TS_BLOCKED || i->state == TS_HELD_BLOCKED || i->state == TS_IDLE)
		say(" sys%d", i->sysno);
	if (i->file)
		say(" on%u", i->file);
	if (i->gc)
		say(" gc%u", i->generation);
	say("%s%s%s\n", i->throttled ? " throttled" : "", i->sampled ? " sampled" : "",
	    i->in_turn ? " turn" : "");
}

static inline void on_sample(void *ctx, const struct sample *s)
{
	say("sample %llu %u stack%u task%u root%llu flags%u", (unsigned long long)s->ts,
	    s->thread->tid, s->stack, s->task, (unsigned long long)s->root, s->flags);
	if (s->seen_by)
		say(" by%u", s->seen_by->tid);
	say("%s\n", s->gil ? " gil" : "");
}

static inline void on_hold(void *ctx, const struct hold *h)
{
	say("hold %llu-%llu %u%s%s%s\n", SPAN(h), h->thread->tid, h->whole ? " whole" : "",
	    h->requested ? " requested" : "", h->handoff ? " handoff" : "");
}

static inline void on_wait(void *ctx, const struct gil_wait *wait)
{
	say("wait %llu-%llu %u%s\n", SPAN(wait), wait->thread->tid, wait->whole ? " whole" : "");
}

static inline void on_contention(void *ctx, const struct contention *c)
{
	say("contention %llu-%llu\n", SPAN(c));
}

static inline void on_run(void *ctx, const struct run *run)
{
	say("run %llu-%llu cpu%u %u/%u\n", SPAN(run), run->cpu, run->pid, run->tid);
}

static inline void on_release(void *ctx, const struct release *release)
{
	static const char *const kinds[] = {
		[LOCK_UNKNOWN] = "lock",	[LOCK_MUTEX] = "mutex",
		[LOCK_SEMAPHORE] = "semaphore", [LOCK_PARKED] = "parked",
		[LOCK_PYMUTEX] = "pymutex",	[LOCK_CRITICAL] = "critical",
		[LOCK_WORLD] = "world"};

	say("release %llu-%llu %u by %u %s stack%u\n", SPAN(release), release->thread->tid,
	    release->by->tid, kinds[release->kind], release->stack);
}

static inline void on_turn_begin(void *ctx, struct loop *loop)
{
	say("begin %llu %u%s\n", (unsigned long long)loop->ts_turn, loop->thread->tid,
	    loop->possible ? " possible" : "");
}

static inline void on_turn_cancel(void *ctx, struct loop *loop)
{
	say("cancel %u\n", loop->thread->tid);
}

static inline void on_turn(void *ctx, const struct turn *turn)
{
	say("turn %llu-%llu %u%s%s%s\n", SPAN(turn), turn->loop->thread->tid,
	    turn->whole ? " whole" : "", turn->earlier ? " earlier" : "",
	    turn->ongoing ? " ongoing" : "");
}

/* ── short event functions ───────────────────────────────────────────────── */

static struct world *world;

#define FEED(type_, name, ts_, tid_, aux_, flags_, ...)                                            \
	assert_int_equal(world_feed(world, &(union event){.name = {.hdr = {.ts = (ts_),            \
									   .tid = (tid_),          \
									   .type = EV_##type_,     \
									   .aux = (aux_),          \
									   .flags = (flags_)},     \
								   ##__VA_ARGS__}}),               \
			 0)

enum {
	PID = 1,
	A = 1,
	B = 2,
	C = 3,
	X = 9 /* not Python */,
	EPFD = 5,
	OTHER = 6,
	FUTEX = 202,
	READ = 0,
	EPOLL_WAIT = 232
};

#define EVENT_FUNCTION(function, parameters, ...)                                                  \
	static inline void function parameters                                                     \
	{                                                                                          \
		FEED(__VA_ARGS__);                                                                 \
	}
EVENT_FUNCTION(take, (uint64_t ts, uint32_t tid), TAKE, take, ts, tid, 0, 0)
EVENT_FUNCTION(drop, (uint64_t ts, uint32_t tid), DROP, drop, ts, tid, 0, 0)
EVENT_FUNCTION(wait, (uint64_t ts, uint32_t tid), WAIT, wait, ts, tid, 0, 0)
EVENT_FUNCTION(wait_end, (uint64_t ts, uint32_t tid, bool locked), WAIT_END, wait_end, ts, tid, 0,
	       locked ? EVF_WAIT_END_LOCKED : 0)
EVENT_FUNCTION(in, (uint64_t ts, uint32_t tid, uint16_t cpu), SWITCH_IN, switch_in, ts, tid, cpu, 0)
EVENT_FUNCTION(preempt, (uint64_t ts, uint32_t tid, uint16_t cpu), SWITCH_OUT, switch_out, ts, tid,
	       cpu, EVF_SWITCH_OUT_RUNNABLE)
EVENT_FUNCTION(out, (uint64_t ts, uint32_t tid, int32_t sysno), SWITCH_OUT, switch_out, ts, tid, 0,
	       EVF_SWITCH_OUT_SYSCALL, .sysno = sysno)
EVENT_FUNCTION(wake, (uint64_t ts, uint32_t tid, uint16_t cpu), WAKE, wake, ts, tid, cpu, 0)
EVENT_FUNCTION(migrate, (uint64_t ts, uint32_t tid, uint16_t cpu), MIGRATE, migrate, ts, tid, cpu,
	       0)
EVENT_FUNCTION(enter, (uint64_t ts, uint32_t tid, uint32_t epfd), EPOLL_ENTER, epoll_enter, ts, tid,
	       0, 0, .epfd = epfd)
EVENT_FUNCTION(leave, (uint64_t ts, uint32_t tid, uint32_t epfd), EPOLL_EXIT, epoll_exit, ts, tid,
	       0, 0, .epfd = epfd)
EVENT_FUNCTION(close_epoll, (uint64_t ts, uint32_t tid, uint32_t epfd), EPOLL_CLOSE, epoll_close,
	       ts, tid, 0, 0, .epfd = epfd)
EVENT_FUNCTION(lost, (uint64_t ts, uint64_t last_ts), LOST, lost, ts, 0, 0, 0, .count = 1,
	       .last_ts = last_ts)
EVENT_FUNCTION(run, (uint64_t ts, uint16_t cpu, uint32_t tid), RUN, run, ts, tid, cpu, 0,
	       .pid = tid)
EVENT_FUNCTION(run_end, (uint64_t ts, uint16_t cpu), RUN, run, ts, 0, cpu, EVF_RUN_END)
EVENT_FUNCTION(observe,
	       (uint64_t ts, uint32_t observer, uint32_t holder, uint32_t span_ns, uint8_t flags),
	       OBSERVE, observe, ts, observer, 0,
	       (uint8_t)(flags | (holder ? EVF_OBSERVE_LOCKED : 0)), .holder = holder,
	       .span_ns = span_ns)
EVENT_FUNCTION(asleep, (uint64_t ts, uint32_t tid, uint32_t span_ns, uint8_t flags), STATE, state,
	       ts, tid, 0, (uint8_t)(EVF_STATE_ASLEEP | flags), .span_ns = span_ns, .sysno = READ,
	       .epfd = EPFD)
EVENT_FUNCTION(thread, (uint64_t ts, uint32_t tid, uint8_t flags), THREAD, thread, ts, tid, 0,
	       flags, .pid = PID)
EVENT_FUNCTION(thread_gone, (uint64_t ts, uint32_t tid), THREAD_EXIT, thread_exit, ts, tid, 0, 0)
EVENT_FUNCTION(process_gone, (uint64_t ts), PROCESS_EXIT, process_exit, ts, PID, 0, 0)
EVENT_FUNCTION(descriptor, (uint64_t ts, uint32_t epfd), EPOLL, epoll, ts, PID, 0, EVF_EPOLL_WAKEUP,
	       .epfd = epfd, .kind = LOOP_UVLOOP)
EVENT_FUNCTION(stack, (uint64_t ts, uint32_t tid, uint8_t flags, uint32_t id), STACK, stack, ts,
	       tid, 0, flags, .stack = id, .task = 7, .root = 8)
EVENT_FUNCTION(gc_begin, (uint64_t ts, uint32_t tid, uint16_t generation), GC_BEGIN, gc_begin, ts,
	       tid, generation, 0)
EVENT_FUNCTION(gc_end, (uint64_t ts, uint32_t tid), GC_END, gc_end, ts, tid, 0, 0)
EVENT_FUNCTION(runs, (uint64_t ts, uint32_t tid, uint32_t span_ns, bool yes, uint32_t kind),
	       RUNS_LOOP, runs_loop, ts, tid, 0, yes ? EVF_RUNS_LOOP_YES : 0, .kind = kind,
	       .span_ns = span_ns)
EVENT_FUNCTION(on_futex,
	       (uint64_t ts, uint32_t tid, uint64_t address, uint8_t flags, uint32_t other), FUTEX,
	       futex, ts, tid, 0, flags, .address = address, .other = other)
EVENT_FUNCTION(window, (uint64_t ts, bool end), WINDOW, window, ts, 0, 0, end ? EVF_WINDOW_END : 0)

static const struct model_sink text_sink = {.interval = on_interval,
					    .sample = on_sample,
					    .hold = on_hold,
					    .wait = on_wait,
					    .contention = on_contention,
					    .run = on_run,
					    .release = on_release,
					    .turn_begin = on_turn_begin,
					    .turn_cancel = on_turn_cancel,
					    .turn = on_turn};

/* A process with a GIL and a loop's descriptor, the Python threads A and B, and X, which is not a
 * Python thread. */
static inline void declare_mode(enum evidence_mode mode)
{
	emitted[0] = '\0';
	world = world_new(text_sink, mode);
	assert_non_null(world);
	FEED(GIL, gil, 0, PID, 0, 0, .address = 0x1000);
	descriptor(0, EPFD);
	thread(0, A, EVF_THREAD_PYTHON);
	thread(0, B, EVF_THREAD_PYTHON);
	thread(0, X, 0);
}

static inline void declare_as(bool partial)
{
	declare_mode(partial ? MODE_EDGES : MODE_EXACT);
}

/* The same, and the window begins at 100. */
static inline void begin_mode(enum evidence_mode mode)
{
	declare_mode(mode);
	window(100, false);
}

static inline void begin_as(bool partial)
{
	begin_mode(partial ? MODE_EDGES : MODE_EXACT);
}

static inline void begin(void)
{
	begin_as(false);
}

static inline uint64_t violations(void)
{
	uint32_t position = 0;

	return world_next_gil(world, &position)->violations;
}

/* Ends the world at `ts`, and asserts that these lines were emitted about the threads in `threads`
 * (a string of digits), and about no thread. */
static inline void expect(uint64_t ts, const char *threads, const char *expected)
{
	char kept[sizeof(emitted)] = "", *line, *rest = emitted;
	unsigned int tid;

	window(ts, true);
	while ((line = strsep(&rest, "\n"))) {
		bool one = sscanf(line, "%*[0-9-] %u", &tid) == 1 ||
			   sscanf(line, "%*s %*[0-9-] %u", &tid) == 1 ||
			   sscanf(line, "cancel %u", &tid) == 1;

		if (*line && (!one || strchr(threads, '0' + (int)tid))) {
			strcat(kept, line);
			strcat(kept, "\n");
		}
	}
	world_free(world);
	world = NULL;
	assert_string_equal(kept, expected);
}

#endif
