/* SPDX-License-Identifier: MIT */
#include "simulation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"

#define THREADS	      20
#define COMPUTING     4 /* the last ones */
#define CPUS	      32
#define NEIGHBOUR_PID 900
#define INTERVAL_NS   (5 * NS_PER_MS) /* sys.getswitchinterval() */
#define EPFD	      5

enum { SYS_FUTEX = 202, SYS_EPOLL_WAIT = 232 };

/* A thread's next step. */
enum step { WAKE, GO_OUT, SWITCH_IN, POLLED, WANT, QUEUE, WAIT_OVER, PREEMPT, DROP, SLEEP };

struct thread {
	enum step step, resume; /* `resume`: after SWITCH_IN */
	uint64_t ts;		/* of `step` */
	uint64_t ts_deadline;	/* of the wait for the GIL */
	uint64_t left_ns;	/* the rest of a bytecode stretch that a drop request cut short */
	unsigned int stretches; /* bytecode stretches until it sleeps again */
	int32_t sysno;		/* the system call it sleeps in */
	uint16_t cpu;
	bool signalled, crowded; /* crowded: a neighbour occupies its CPU */
};

struct simulation {
	struct stream_sink sink;
	uint64_t random, left, now;
	struct thread threads[THREADS];
	unsigned int waiters[THREADS], waiter_count; /* in the order of arrival */
	int holder;				     /* -1: free */
	bool request;
	int err;
};

/* ── random numbers ──────────────────────────────────────────────────────── */

static uint64_t chance(struct simulation *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	return s->random ^= s->random << 17;
}

static bool one_in(struct simulation *s, uint64_t n)
{
	return chance(s) % n == 0;
}

/* Nearly log-normal, like the lengths of things that programs do: within about a factor of four of
 * the median. */
static uint64_t about(struct simulation *s, double median_ns)
{
	double sum = 0;

	for (int i = 0; i < 4; i++)
		sum += (double)(chance(s) >> 40) / (1 << 24);
	return 1 + (uint64_t)(median_ns * exp((sum - 2) * 2.4));
}

/* ── events ──────────────────────────────────────────────────────────────── */

static uint32_t tid_of(const struct simulation *s, const struct thread *t)
{
	return SIMULATION_PID + (uint32_t)(t - s->threads);
}

static void send(struct simulation *s, const union event *event)
{
	if (s->left <= 1 || s->err)
		return;
	s->left--;
	s->err = sink_event(&s->sink, event);
}

static union event made(const struct simulation *s, unsigned int type, uint32_t tid,
			unsigned int flags, unsigned int aux)
{
	union event event = {0};

	event.hdr = (struct event_hdr){s->now, tid, (wire_u8)type, (wire_u8)flags, (wire_u16)aux};
	return event;
}

static void emit(struct simulation *s, const struct thread *t, unsigned int type,
		 unsigned int flags, unsigned int aux)
{
	union event event = made(s, type, tid_of(s, t), flags, aux);

	send(s, &event);
}

static void emit_run(struct simulation *s, const struct thread *t, bool end)
{
	union event event = made(s, EV_RUN, end ? tid_of(s, t) : NEIGHBOUR_PID,
				 end ? EVF_RUN_END : 0, t->cpu);

	event.run.pid = end ? SIMULATION_PID : NEIGHBOUR_PID;
	send(s, &event);
}

static void emit_switch_out(struct simulation *s, const struct thread *t, unsigned int flags,
			    int32_t sysno)
{
	union event event = made(s, EV_SWITCH_OUT, tid_of(s, t), flags, t->cpu);

	event.switch_out.sysno = sysno;
	send(s, &event);
}

static void emit_epoll(struct simulation *s, const struct thread *t, unsigned int type,
		       int32_t last)
{
	union event event = made(s, type, tid_of(s, t), 0, 0);

	event.epoll_enter.epfd = EPFD;
	event.epoll_enter.timeout_ms = last; /* the same member as epoll_exit.ret */
	send(s, &event);
}

/* ── threads ─────────────────────────────────────────────────────────────── */

static bool is_loop(const struct simulation *s, const struct thread *t)
{
	return t == s->threads;
}

static bool computes(const struct simulation *s, const struct thread *t)
{
	return t >= s->threads + THREADS - COMPUTING;
}

static void next(struct simulation *s, struct thread *t, enum step step, uint64_t after_ns)
{
	t->step = step;
	t->ts = s->now + after_ns;
}

/* In one of 16 cases the CPU is taken. */
static void wake(struct simulation *s, struct thread *t)
{
	t->crowded = one_in(s, 16);
	if (one_in(s, 4))
		t->cpu = (uint16_t)(chance(s) % CPUS);
	if (t->crowded)
		emit_run(s, t, false);
	emit(s, t, EV_WAKE, 0, t->cpu);
	next(s, t, SWITCH_IN, about(s, t->crowded ? 300e3 : 3e3));
}

static void switch_in(struct simulation *s, struct thread *t)
{
	if (t->crowded)
		emit_run(s, t, true);
	t->crowded = false;
	emit(s, t, EV_SWITCH_IN, 0, t->cpu);
	next(s, t, t->resume, about(s, 2e3));
}

/* Work for the loop: some handlers, each with some calls that release the GIL. */
static void polled(struct simulation *s, struct thread *t)
{
	emit_epoll(s, t, EV_EPOLL_EXIT, (int32_t)(1 + chance(s) % 3));
	t->stretches = 3 + (unsigned int)(chance(s) % 24);
	next(s, t, WANT, about(s, 1e3));
}

static uint64_t stretch(struct simulation *s, const struct thread *t)
{
	return about(s, computes(s, t) ? 40e3 : one_in(s, 8) ? 60e3 : 3e3);
}

static void take(struct simulation *s, struct thread *t)
{
	uint64_t dur_ns = t->left_ns ? t->left_ns : stretch(s, t);

	emit(s, t, EV_TAKE, 0, 0);
	s->holder = (int)(t - s->threads);
	t->left_ns = 0;
	next(s, t, one_in(s, 200) ? PREEMPT : DROP, dur_ns);
}

static void start_wait(struct simulation *s, struct thread *t)
{
	emit(s, t, EV_WAIT, 0, 0);
	t->ts_deadline = s->now + INTERVAL_NS;
	t->signalled = false;
	s->waiters[s->waiter_count++] = (unsigned int)(t - s->threads);
	next(s, t, QUEUE, 1500);
}

static void want(struct simulation *s, struct thread *t)
{
	(s->holder < 0 ? take : start_wait)(s, t);
}

/* Asleep until signalled or until the interval has passed. */
static void queue(struct simulation *s, struct thread *t)
{
	emit_switch_out(s, t, EVF_SWITCH_OUT_SYSCALL, SYS_FUTEX);
	t->resume = WAIT_OVER;
	next(s, t, WAKE, t->signalled ? 4000 : t->ts_deadline - s->now);
}

static void leave_queue(struct simulation *s, const struct thread *t)
{
	unsigned int i = 0;

	while (s->waiters[i] != (unsigned int)(t - s->threads))
		i++;
	memmove(&s->waiters[i], &s->waiters[i + 1],
		(--s->waiter_count - i) * sizeof(s->waiters[0]));
}

/* The holder checks for a drop request between two bytecodes. */
static void ask_holder(struct simulation *s)
{
	struct thread *holder = &s->threads[s->holder];

	s->request = true;
	if (holder->step != DROP || holder->ts <= s->now + 1000)
		return;
	holder->left_ns = holder->ts - s->now;
	holder->ts = s->now + 1000;
}

static void wait_over(struct simulation *s, struct thread *t)
{
	leave_queue(s, t);
	emit(s, t, EV_WAIT_END, s->holder >= 0 ? EVF_WAIT_END_LOCKED : 0, 0);
	if (s->holder < 0) {
		take(s, t);
		return;
	}
	if (!t->signalled)
		ask_holder(s);
	start_wait(s, t);
}

/* One waiter is signalled; it may find the GIL taken again. */
static void signal_waiter(struct simulation *s)
{
	for (unsigned int i = 0; i < s->waiter_count; i++) {
		struct thread *t = &s->threads[s->waiters[i]];

		if (t->signalled || (t->step != QUEUE && t->step != WAKE))
			continue;
		t->signalled = true;
		if (t->step == WAKE)
			t->ts = s->now + about(s, 4e3);
		return;
	}
}

static void preempt(struct simulation *s, struct thread *t)
{
	emit_run(s, t, false);
	emit_switch_out(s, t, EVF_SWITCH_OUT_RUNNABLE, 0);
	t->crowded = true;
	t->resume = DROP;
	next(s, t, SWITCH_IN, about(s, 500e3));
}

static void drop(struct simulation *s, struct thread *t)
{
	bool forced = s->request && t->left_ns;

	emit(s, t, EV_DROP, s->request ? EVF_DROP_REQUESTED : 0, 0);
	s->holder = -1;
	s->request = false;
	signal_waiter(s);
	if (!forced && t->stretches)
		t->stretches--;
	if (forced)
		next(s, t, WANT, about(s, 60e3)); /* CPython lets another thread take it first */
	else if (t->stretches)
		next(s, t, WANT, about(s, computes(s, t) ? 20e3 : 1500));
	else
		next(s, t, SLEEP, about(s, 1e3));
}

/* Long enough that threads are asleep most of the time, like a server at half load. */
static void fall_asleep(struct simulation *s, struct thread *t)
{
	static const int32_t calls[] = {0, 1, 44, 45, SYS_FUTEX, 230};

	if (is_loop(s, t)) {
		emit_epoll(s, t, EV_EPOLL_ENTER, -1);
		if (one_in(s, 3)) {
			next(s, t, POLLED, 900);
			return;
		}
		t->resume = POLLED;
	} else {
		t->sysno = calls[chance(s) % 6];
		t->resume = WANT;
		t->stretches = 1 + (unsigned int)(chance(s) % (computes(s, t) ? 1000 : 12));
	}
	next(s, t, GO_OUT, about(s, 800));
}

static void switch_out(struct simulation *s, struct thread *t)
{
	emit_switch_out(s, t, EVF_SWITCH_OUT_SYSCALL, is_loop(s, t) ? SYS_EPOLL_WAIT : t->sysno);
	next(s, t, WAKE, about(s, is_loop(s, t) ? 200e3 : computes(s, t) ? 1e9 : 12e6));
}

static void act(struct simulation *s, struct thread *t)
{
	static void (*const acts[])(struct simulation *, struct thread *) = {
		[WAKE] = wake, [GO_OUT] = switch_out, [SWITCH_IN] = switch_in, [POLLED] = polled,
		[WANT] = want, [QUEUE] = queue,	      [WAIT_OVER] = wait_over, [PREEMPT] = preempt,
		[DROP] = drop, [SLEEP] = fall_asleep,
	};

	s->now = t->ts;
	acts[t->step](s, t);
}

/* ── the simulation ──────────────────────────────────────────────────────── */

static int declare_process(const struct simulation *s)
{
	struct process_info info = {.pid = SIMULATION_PID,
				    .cmdline = "a simulation",
				    .python = "3.11.2",
				    .gil_enabled = true,
				    .method = METHOD_SCAN,
				    .confidence = CONFIDENCE_EXACT,
				    .take = 2,
				    .drop = 6,
				    .wait = 1,
				    .image = "/usr/bin/python3.11",
				    .machine = "x86_64"};

	return sink_process(&s->sink, &info);
}

static void declare_thread(struct simulation *s, const struct thread *t)
{
	union event thread = made(s, EV_THREAD, tid_of(s, t), EVF_THREAD_PYTHON, 0),
		    comm = made(s, EV_COMM, tid_of(s, t), 0, 0);

	thread.thread.pid = comm.comm.pid = SIMULATION_PID;
	thread.thread.nstid = tid_of(s, t);
	snprintf(comm.comm.comm.text, sizeof(comm.comm.comm.text), "%s %u",
		 is_loop(s, t)	  ? "loop"
		 : computes(s, t) ? "compute"
				  : "worker",
		 (unsigned int)(t - s->threads));
	send(s, &thread);
	send(s, &comm);
}

static void declare(struct simulation *s)
{
	union event gil = made(s, EV_GIL, SIMULATION_PID, 0, 0),
		    epoll = made(s, EV_EPOLL, SIMULATION_PID, EVF_EPOLL_WAKEUP, 0);
	union event comm = made(s, EV_COMM, NEIGHBOUR_PID, 0, 0),
		    window = made(s, EV_WINDOW, 0, 0, 0);

	gil.gil.address = 0xa5b8a8;
	epoll.epoll.epfd = EPFD;
	epoll.epoll.kind = LOOP_ASYNCIO;
	comm.comm.pid = NEIGHBOUR_PID;
	snprintf(comm.comm.comm.text, sizeof(comm.comm.comm.text), "neighbour");
	send(s, &gil);
	for (int i = 0; i < THREADS; i++)
		declare_thread(s, &s->threads[i]);
	send(s, &epoll);
	send(s, &comm);
	send(s, &window);
}

/* All threads are asleep at first; gilscope has taken its snapshot. */
static void look_around(struct simulation *s)
{
	union event observe = made(s, EV_OBSERVE, SIMULATION_PID, EVF_OBSERVE_DEFINITE, 0);

	for (int i = 0; i < THREADS; i++) {
		struct thread *t = &s->threads[i];
		union event state = made(s, EV_STATE, tid_of(s, t),
					 EVF_STATE_ASLEEP | EVF_STATE_SYSCALL, 0);

		if (is_loop(s, t)) {
			state.hdr.flags |= EVF_STATE_EPOLL;
			state.state.epfd = EPFD;
		}
		state.state.sysno = is_loop(s, t) ? SYS_EPOLL_WAIT : t->sysno;
		send(s, &state);
	}
	send(s, &observe);
}

static void begin(struct simulation *s)
{
	for (int i = 0; i < THREADS; i++) {
		struct thread *t = &s->threads[i];

		*t = (struct thread){.stretches = 1,
				     .sysno = 45,
				     .cpu = (uint16_t)(i % CPUS),
				     .resume = is_loop(s, t) ? POLLED : WANT};
		next(s, t, WAKE, 1000 + about(s, 1e6));
	}
	declare(s);
	s->now++;
	look_around(s);
}

int simulate(uint64_t events, struct stream_sink sink)
{
	struct simulation s = {.sink = sink,
			       .random = 88172645463325252u,
			       .left = events,
			       .now = 1000 * NS_PER_S,
			       .holder = -1};
	union event window;

	s.err = declare_process(&s);
	begin(&s);
	while (s.left > 1 && !s.err) {
		struct thread *first = &s.threads[0];

		for (int i = 1; i < THREADS; i++)
			if (s.threads[i].ts < first->ts)
				first = &s.threads[i];
		act(&s, first);
	}
	window = made(&s, EV_WINDOW, 0, EVF_WINDOW_END, 0);
	return s.err ? s.err : sink_event(&sink, &window);
}
