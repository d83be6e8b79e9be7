/* SPDX-License-Identifier: MIT */
/*
 * gilsim.h - a small simulated world whose truth is known: threads, GILs, a scheduler with CPUs,
 * event loops, and the events that probes would make.
 *
 * It keeps its own records (true state of every tid at every instant, true holds, waits, turns,
 * occupants of CPUs) and shares nothing with the model. Everything follows from the seed. Every
 * fact has a distinct time; only the events of one context switch share one.
 */
#ifndef TESTS_SIM_GILSIM_H
#define TESTS_SIM_GILSIM_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "model/model.h"

enum {
	SIM_TIDS = 10,
	SIM_CPUS = 3,
	SIM_GILS = 2,
	SIM_PID = 100,
	SIM_FOREIGN = 9000,
	SIM_GONE = TS_COUNT
};

#define SIM_VECTOR(type)                                                                           \
	struct {                                                                                   \
		type *at;                                                                          \
		uint32_t count, room;                                                              \
	}
#define SIM_PUSH(vector, ...)                                                                      \
	do {                                                                                       \
		if ((vector).count == (vector).room) {                                             \
			(vector).room = (vector).room ? (vector).room * 2 : 64;                    \
			(vector).at = realloc((vector).at, (vector).room * sizeof(*(vector).at));  \
			assert((vector).at);                                                       \
		}                                                                                  \
		(vector).at[(vector).count++] = (__VA_ARGS__);                                     \
	} while (0)

/* from `ts` until the next segment of the log */
struct sim_segment {
	uint64_t ts;
	uint8_t state; /* enum thread_state or SIM_GONE */
	uint8_t gil;
	uint16_t cpu;
	int32_t sysno;
	bool gc;
	bool retries; /* it waits, has slept on the mutex, and has a CPU */
};
struct sim_span {
	uint64_t start, end; /* 0: not over yet */
	uint32_t tid;
	uint8_t gil;
	bool handoff;	  /* of a hold; of a turn: the thread died in it */
	bool emitted;	  /* for tests that look for it in the model's output */
	uint32_t take_ns; /* of a hold: so much later its TAKE said so */
};
struct sim_spans {
	struct sim_span *at;
	uint32_t count, room;
};
struct sim_change {
	uint64_t ts;
	uint32_t value;
};

enum sim_sched { SIM_RUNS, SIM_READY, SIM_SLEEPS };
enum sim_relation { SIM_NONE, SIM_WAITS, SIM_HOLDS };

/* How the waits in epoll are traced: begin and end; the begin alone; not at all, but for sleeps. */
enum sim_tracing { SIM_TRACED, SIM_ALONE, SIM_ASLEEP };

struct sim_thread {
	uint32_t tid;
	bool alive, python, taking; /* taking: it has seen the GIL free and holds the GIL's mutex */
	bool inside, woken;	    /* in an epoll wait; woken in it and not asleep again since */
	uint32_t epfd, own_epfd;    /* own_epfd 0: runs no loop */
	enum sim_sched sched;
	enum sim_relation relation;
	uint8_t gil;
	uint16_t cpu;
	int32_t sysno;
	uint64_t ts_turn, ts_hold, ts_wait;
	uint32_t take_ns;
	bool in_turn, hold_handoff, wants_wait, gc;
	bool in_handover; /* it waits for the GIL while it sleeps */
	bool mutex;	  /* it sleeps on the GIL's mutex */
	bool by_mutex;	  /* it waits, and has not come to the condition variable yet */
	bool retries;	  /* the same, and it has been woken there */
	bool told;	  /* a fact in the window says how it stands to the GIL */
	bool waits_oddly; /* or has: on another futex than the condition variable */
	bool signalled; /* by a drop: it does not go to sleep before it has looked at the lock word
			 */
	unsigned int sleeps_as; /* EVF_SWITCH_OUT_… of its next sleep */
	SIM_VECTOR(struct sim_segment) log;
};

struct sim_cpu {
	uint32_t occupant; /* 0: idle */
	uint32_t waiting;
	bool reported;
	SIM_VECTOR(struct sim_change) log, reporting;
};

struct sim_event {
	union event event;
	bool fixed; /* never lost */
};

struct sim {
	uint64_t random, now, begin, end;
	bool partial, recording, loops_late,
		looks_first, /* at a switch: read before that is emitted */
		aside;	     /* threads sleep on the GIL's other futexes, too */
	bool apart;	     /* the GILs, and with them their threads, are those of two processes */
	enum sim_tracing tracing;
	uint32_t threads_used, gils_used, cpus_used;
	struct sim_thread threads[SIM_TIDS];
	struct sim_cpu cpus[SIM_CPUS];
	struct {
		int32_t holder; /* index of a thread, or -1 */
		int32_t taker;	/* has the mutex, is about to say that it has taken it */
		uint64_t known; /* the first fact of it in the window, or the last wait of a thread
				   of which nothing is known; 0: none */
		int32_t previous;
		uint32_t waiters;
		SIM_VECTOR(struct sim_change) waiting;
	} gils[SIM_GILS];
	SIM_VECTOR(struct sim_event) events;
	struct sim_spans holds, waits, turns;
};

static inline uint32_t sim_random(struct sim *s, uint32_t below)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return (uint32_t)((s->random * UINT64_C(2685821657736338717)) >> 33) % below;
}

static inline bool sim_chance(struct sim *s, uint32_t percent)
{
	return sim_random(s, 100) < percent;
}

static inline void sim_emit_at(struct sim *s, uint64_t ts, uint8_t type, uint32_t tid, uint16_t aux,
			       uint8_t flags, union event event, bool fixed)
{
	if (!s->recording)
		return;
	event.hdr = (struct event_hdr){
		.ts = ts, .type = type, .tid = tid, .aux = aux, .flags = flags};
	SIM_PUSH(s->events, (struct sim_event){event, fixed});
}

static inline void sim_emit(struct sim *s, uint8_t type, uint32_t tid, uint16_t aux,
			    unsigned int flags)
{
	if (type <= EV_WAIT_END && s->recording) {
		s->threads[tid - SIM_PID].told = true;
		if (!s->gils[aux].known)
			s->gils[aux].known = s->now;
	}
	sim_emit_at(s, s->now, type, tid, aux, (uint8_t)flags, (union event){0}, false);
}

/* An observation at the instant `at`, emitted `late` ns later. */
static inline void sim_observe(struct sim *s, uint8_t gil, uint32_t observer, bool definite,
			       uint32_t late, uint32_t span)
{
	int32_t holder = s->gils[gil].holder;
	union event event = {
		.observe = {.holder = holder < 0 ? 0 : s->threads[holder].tid, .span_ns = span}};

	bool other = false;

	if (holder >= 0 && !definite && sim_chance(s, 10)) {
		event.observe.holder = 0; /* holder unknown */
	} else if (holder >= 0 && observer && event.observe.holder != observer &&
		   sim_chance(s, 50)) {
		event.observe.holder = 0;
		other = true;
	}
	sim_emit_at(s, s->now + late, EV_OBSERVE, observer, gil,
		    (uint8_t)((holder >= 0 ? EVF_OBSERVE_LOCKED : 0) |
			      (other ? EVF_OBSERVE_OTHER : 0) |
			      (definite ? EVF_OBSERVE_DEFINITE : 0)),
		    event, !observer);
}

/* What BPF adds in mode "edges" when it is called anyway. */
static inline void sim_look(struct sim *s, const struct sim_thread *t, bool definite)
{
	if (s->partial && !sim_chance(s, 10))
		sim_observe(s, t->gil, t->tid, definite, 0, 0);
}

/* What it has just read of the GIL itself says that it has waited since it was woken. */
static inline void sim_look_waits(struct sim *s, const struct sim_thread *t)
{
	union event *event = s->events.count ? &s->events.at[s->events.count - 1].event : NULL;

	if (event && t->retries && event->hdr.type == EV_OBSERVE && event->hdr.tid == t->tid &&
	    event->hdr.ts == s->now && sim_chance(s, 80))
		event->hdr.flags |= EVF_OBSERVE_WAITS;
}

/* A stack, numbered like the thread that it belongs to. */
static inline void sim_stack(struct sim *s, const struct sim_thread *t, const struct sim_thread *of,
			     unsigned int flags)
{
	if (t->python && sim_chance(s, 80))
		sim_emit_at(s, s->now, EV_STACK, t->tid, t->gil, (uint8_t)flags,
			    (union event){.stack = {.stack = of->tid,
						    .task = sim_random(s, 2),
						    .root = sim_random(s, 3)}},
			    false);
}

/* ── truth ───────────────────────────────────────────────────────────────── */

static inline enum thread_state sim_state(const struct sim_thread *t)
{
	bool holds = t->relation == SIM_HOLDS;

	if (!t->alive)
		return (enum thread_state)SIM_GONE;
	if (t->relation == SIM_WAITS)
		return TS_GIL_WAIT;
	if (t->sched == SIM_RUNS)
		return holds ? TS_PYTHON : TS_NATIVE;
	if (t->sched == SIM_READY)
		return holds ? TS_HELD_RUNNABLE : TS_RUNNABLE;
	if (holds)
		return TS_HELD_BLOCKED;
	return t->inside && t->epfd == t->own_epfd ? TS_IDLE : TS_BLOCKED;
}

static inline void sim_log(struct sim *s, struct sim_thread *t)
{
	struct sim_segment now = {s->now,
				  (uint8_t)sim_state(t),
				  t->gil,
				  t->cpu,
				  t->sysno,
				  t->gc,
				  t->by_mutex && t->sched == SIM_RUNS};
	const struct sim_segment *last = t->log.count ? &t->log.at[t->log.count - 1] : NULL;

	if (!last || last->state != now.state || last->cpu != now.cpu || last->sysno != now.sysno ||
	    last->gil != now.gil || last->gc != now.gc || last->retries != now.retries)
		SIM_PUSH(t->log, now);
}

static inline void sim_occupy(struct sim *s, uint16_t cpu, uint32_t occupant)
{
	s->cpus[cpu].occupant = occupant;
	SIM_PUSH(s->cpus[cpu].log, (struct sim_change){s->now, occupant});
}

/* ── the scheduler, with occupants emitted as by sched.bpf.c ─────────────── */

/* Whether it can be known from now on who has the CPU. */
static inline void sim_tell(struct sim *s, uint16_t cpu, bool known)
{
	if (s->recording)
		SIM_PUSH(s->cpus[cpu].reporting, (struct sim_change){s->now, known});
}

static inline void sim_emit_run(struct sim *s, uint16_t cpu, bool end)
{
	s->cpus[cpu].reported = !end;
	sim_tell(s, cpu, !end);
	sim_emit_at(s, s->now, EV_RUN, s->cpus[cpu].occupant, cpu, end ? EVF_RUN_END : 0,
		    (union event){.run = {.pid = s->cpus[cpu].occupant}}, false);
}

/* A traced thread has the CPU since its SWITCH_IN, or it is idle or another task's. */
static inline void sim_change_run(struct sim *s, uint16_t cpu)
{
	struct sim_cpu *c = &s->cpus[cpu];
	bool traced = c->occupant && c->occupant < SIM_FOREIGN;

	if (!traced && (c->waiting || c->reported)) {
		sim_emit_run(s, cpu, !c->waiting);
		return;
	}
	c->reported = false;
	sim_tell(s, cpu, traced);
}

static inline void sim_queue(struct sim *s, struct sim_thread *t, uint16_t cpu)
{
	t->sched = SIM_READY;
	t->cpu = cpu;
	s->cpus[cpu].waiting++;
	if (!s->cpus[cpu].reported && s->cpus[cpu].occupant >= SIM_FOREIGN)
		sim_emit_run(s, cpu, false);
}

enum { SIM_STOPS = EVF_SWITCH_OUT_STOPPED | EVF_SWITCH_OUT_TRACED | EVF_SWITCH_OUT_FROZEN };

static inline int32_t sim_stop(unsigned int flags)
{
	return flags & EVF_SWITCH_OUT_STOPPED  ? SYSNO_STOPPED
	       : flags & EVF_SWITCH_OUT_TRACED ? SYSNO_TRACED
					       : SYSNO_FROZEN;
}

static inline void sim_begin_wait(struct sim *s, struct sim_thread *t)
{
	t->relation = SIM_WAITS;
	t->ts_wait = s->now;
	if (s->gils[t->gil].waiters++ == 0)
		SIM_PUSH(s->gils[t->gil].waiting, (struct sim_change){s->now, 1});
}

static inline void sim_handed_over(struct sim *s, struct sim_thread *t)
{
	SIM_PUSH(s->waits,
		 (struct sim_span){
			 .start = t->ts_wait, .end = s->now, .tid = t->tid, .gil = t->gil});
	t->in_handover = false;
	t->relation = SIM_NONE;
	if (--s->gils[t->gil].waiters == 0)
		SIM_PUSH(s->gils[t->gil].waiting, (struct sim_change){s->now, 0});
}

/* The system call in which the thread goes to sleep: epoll_wait, futex, or some other. */
static inline int32_t sim_sysno(struct sim *s, const struct sim_thread *t)
{
	if (t->sleeps_as & SIM_STOPS)
		return sim_stop(t->sleeps_as);
	if (t->inside)
		return 232;
	if (t->relation == SIM_WAITS)
		return 202;
	return sim_chance(s, 20) ? SYSNO_NONE : (int32_t)sim_random(s, 3);
}

/* What is traced of a wait's begin, its end, and a sleep in it (`asleep`). */
static inline void sim_emit_epoll(struct sim *s, const struct sim_thread *t, bool asleep)
{
	unsigned int flags = s->tracing == SIM_TRACED ? 0 : EVF_EPOLL_ENTER_ALONE;

	if (asleep != (s->tracing == SIM_ASLEEP) || (s->tracing != SIM_TRACED && !t->inside))
		return;
	sim_emit_at(s, s->now, t->inside ? EV_EPOLL_ENTER : EV_EPOLL_EXIT, t->tid, 0,
		    (uint8_t)(flags | (asleep ? EVF_EPOLL_ENTER_ASLEEP : 0)),
		    (union event){.epoll_enter = {.epfd = t->epfd}}, false);
}

static inline void sim_switch(struct sim *s, uint16_t cpu, struct sim_thread *out,
			      struct sim_thread *in, uint32_t foreign, bool sleeps)
{
	sim_occupy(s, cpu, in ? in->tid : foreign);
	if (in)
		s->cpus[cpu].waiting--;
	sim_change_run(s, cpu);
	if (out) {
		union event event = {0};

		if (sleeps && out->relation == SIM_WAITS && !out->sleeps_as && !out->by_mutex &&
		    !out->in_handover)
			out->sleeps_as = EVF_SWITCH_OUT_GIL_MUTEX | EVF_SWITCH_OUT_HANDOVER;
		out->sysno = sim_sysno(s, out);
		event.switch_out.sysno = out->sysno < 0 ? 0 : out->sysno;
		event.switch_out.gil = out->gil;
		if (s->looks_first)
			sim_look(s, out, false);
		if (s->looks_first && sleeps)
			sim_look_waits(s, out);
		sim_stack(s, out, out, sleeps ? EVF_STACK_SLEEP : EVF_STACK_PREEMPT);
		if (sleeps && out->inside)
			sim_emit_epoll(s, out, true);
		sim_emit_at(s, s->now, EV_SWITCH_OUT, out->tid, cpu,
			    (uint8_t)((sleeps ? 0 : EVF_SWITCH_OUT_RUNNABLE) |
				      (out->sysno >= 0 ? EVF_SWITCH_OUT_SYSCALL : 0) |
				      out->sleeps_as),
			    event, false);
		if (out->relation == SIM_HOLDS && out->sleeps_as & EVF_SWITCH_OUT_GIL_MUTEX)
			out->sysno = SYSNO_GIL;
		out->mutex = out->sleeps_as == EVF_SWITCH_OUT_GIL_MUTEX;
		out->sleeps_as = 0;
		if (!s->looks_first)
			sim_look(s, out, false);
		if (sleeps) {
			out->sched = SIM_SLEEPS;
			out->cpu = CPU_NONE;
			if (out->inside && out->epfd == out->own_epfd)
				out->woken = false;
		} else {
			sim_queue(s, out, cpu);
		}
	}
	if (in) {
		in->sched = SIM_RUNS;
		in->retries = in->by_mutex;
		if (in->in_handover)
			sim_handed_over(s, in);
		sim_emit(s, EV_SWITCH_IN, in->tid, cpu, 0);
		sim_look(s, in, false);
	}
}

/* ── what a thread on a CPU may do ───────────────────────────────────────── */

static inline void sim_acquire(struct sim *s, struct sim_thread *t)
{
	int32_t me = (int32_t)(t - s->threads);

	if (t->relation == SIM_WAITS) {
		SIM_PUSH(s->waits,
			 (struct sim_span){
				 .start = t->ts_wait, .end = s->now, .tid = t->tid, .gil = t->gil});
		if (--s->gils[t->gil].waiters == 0)
			SIM_PUSH(s->gils[t->gil].waiting, (struct sim_change){s->now, 0});
	}
	t->relation = SIM_HOLDS;
	t->by_mutex = t->retries = t->signalled = false;
	t->ts_hold = s->now;
	t->take_ns = 0;
	t->hold_handoff = s->gils[t->gil].previous != me;
	s->gils[t->gil].holder = s->gils[t->gil].previous = me;
}

/* Until it has said so, it has the mutex. */
static inline void sim_say_taken(struct sim *s, struct sim_thread *t)
{
	t->taking = false;
	t->take_ns = (uint32_t)(s->now - t->ts_hold);
	s->gils[t->gil].taker = -1;
	sim_emit(s, EV_TAKE, t->tid, t->gil, 0);
}

static inline void sim_take(struct sim *s, struct sim_thread *t)
{
	sim_acquire(s, t);
	if (!s->partial)
		sim_say_taken(s, t);
}

/*
 * Mode "edges": a drop wakes one of the threads that sleep on the condition variable, or none if
 * one that is about to sleep there, or has timed out, gets the signal.
 */
static inline bool sim_drop_is_seen(struct sim *s, uint8_t gil)
{
	struct sim_thread *asleep = NULL, *awake = NULL;

	for (uint32_t i = 0; i < s->threads_used; i++) {
		struct sim_thread *t = &s->threads[i];

		if (!t->alive || t->relation != SIM_WAITS || t->gil != gil || t->in_handover ||
		    t->by_mutex)
			continue;
		if (t->sched == SIM_SLEEPS && !t->mutex && !sysno_is_stop(t->sysno))
			asleep = t;
		else
			awake = t;
	}
	if (asleep && (!awake || sim_chance(s, 50)))
		return true;
	if (awake)
		awake->signalled = true;
	return false;
}

static inline void sim_drop(struct sim *s, struct sim_thread *t)
{
	SIM_PUSH(s->holds, (struct sim_span){.start = t->ts_hold,
					     .end = s->now,
					     .tid = t->tid,
					     .gil = t->gil,
					     .handoff = t->hold_handoff,
					     .take_ns = t->take_ns});
	t->relation = SIM_NONE;
	s->gils[t->gil].holder = -1;
	if (!s->partial || sim_drop_is_seen(s, t->gil))
		sim_emit(s, EV_DROP, t->tid, t->gil, sim_chance(s, 50) ? EVF_DROP_REQUESTED : 0);
}

static inline void sim_wait(struct sim *s, struct sim_thread *t)
{
	if (t->relation != SIM_WAITS)
		sim_begin_wait(s, t);
	if (s->partial) {
		sim_emit(s, EV_WAIT, t->tid, t->gil,
			 t->retries && sim_chance(s, 80) ? EVF_WAIT_WAITED : 0);
		sim_look(s, t, true);
	}
	t->wants_wait = t->by_mutex = t->retries = t->signalled = false;
	sim_stack(s, t, t, EVF_STACK_WAIT);
	sim_stack(s, t, &s->threads[s->gils[t->gil].holder], EVF_STACK_HOLDER);
	if (!s->partial)
		sim_emit(s, EV_WAIT, t->tid, t->gil, 0);
}

static inline void sim_wait_end(struct sim *s, struct sim_thread *t)
{
	bool locked = s->gils[t->gil].holder >= 0;

	sim_emit(s, EV_WAIT_END, t->tid, t->gil, locked ? EVF_WAIT_END_LOCKED : 0);
	if (!s->partial || locked)
		sim_look(s, t, true);
	if (locked) {
		t->wants_wait = true;
		return;
	}
	sim_acquire(s, t); /* in this order it counts as the acquisition */
	if (s->partial)
		return;
	t->taking = true;
	s->gils[t->gil].taker = (int32_t)(t - s->threads);
}

static inline void sim_epoll(struct sim *s, struct sim_thread *t)
{
	if (!t->inside) {
		t->epfd = t->own_epfd && !t->gc && t->relation != SIM_HOLDS && sim_chance(s, 70)
				  ? t->own_epfd
				  : 50 + sim_random(s, 2);
		if (t->in_turn && t->epfd == t->own_epfd) {
			SIM_PUSH(s->turns, (struct sim_span){.start = t->ts_turn,
							     .end = s->now,
							     .tid = t->tid});
			t->in_turn = false;
		}
		t->woken = false;
		if (s->tracing == SIM_ALONE && t->epfd == t->own_epfd)
			t->ts_turn = s->now; /* if it does not sleep */
	} else if (t->epfd == t->own_epfd && !t->woken && s->tracing == SIM_TRACED) {
		t->ts_turn = s->now;
	}
	t->inside = !t->inside;
	if (!t->inside && t->epfd == t->own_epfd)
		t->in_turn = true;
	sim_emit_epoll(s, t, false);
	sim_look(s, t, false);
}

/* Gives the CPU of `out` to a thread that is ready for it, to a foreign task, or to nobody. */
static inline void sim_leave(struct sim *s, struct sim_thread *out, bool sleeps)
{
	struct sim_thread *in = &s->threads[sim_random(s, s->threads_used)];
	uint16_t cpu = out->cpu;

	/* before its first WAIT take_gil sleeps on the mutex only */
	if (sleeps && out->by_mutex && !out->sleeps_as)
		out->sleeps_as = EVF_SWITCH_OUT_GIL_MUTEX;
	if (in == out || !in->alive || in->sched != SIM_READY || in->cpu != cpu)
		in = NULL;
	sim_switch(s, cpu, out, in, sim_chance(s, 30) ? SIM_FOREIGN + cpu : 0, sleeps);
	if (in)
		sim_log(s, in);
}

static inline void sim_gc(struct sim *s, struct sim_thread *t)
{
	t->gc = !t->gc;
	sim_emit(s, t->gc ? EV_GC_BEGIN : EV_GC_END, t->tid, 2, 0);
}

/* Goes to sleep on a futex of the GIL itself, or is stopped from outside. */
static inline void sim_sleep_oddly(struct sim *s, struct sim_thread *t)
{
	/* a thread that is stopped has left its system call */
	if (t->inside && s->tracing != SIM_TRACED)
		return;
	if (!s->aside || t->inside || t->taking || sim_chance(s, 40)) {
		t->sleeps_as = EVF_SWITCH_OUT_STOPPED << sim_random(s, 3);
	} else if (t->relation == SIM_HOLDS || t->relation == SIM_WAITS) {
		t->sleeps_as = EVF_SWITCH_OUT_GIL_MUTEX;
	} else if (t->python) {
		t->in_handover = sim_chance(s, 50);
		t->wants_wait = t->by_mutex = !t->in_handover;
		t->waits_oddly = true;
		t->sleeps_as = t->in_handover ? EVF_SWITCH_OUT_HANDOVER : EVF_SWITCH_OUT_GIL_MUTEX;
		sim_begin_wait(s, t);
		if (s->recording && !t->told)
			s->gils[t->gil].known = s->now;
	}
	sim_leave(s, t, true);
}

static inline void sim_wake(struct sim *s, struct sim_thread *t, bool first)
{
	if (t->inside && t->epfd == t->own_epfd) {
		t->woken = true;
		t->ts_turn = s->now;
	}
	sim_queue(s, t, (uint16_t)sim_random(s, s->cpus_used));
	sim_emit(s, EV_WAKE, t->tid, t->cpu, first ? EVF_WAKE_NEW : 0);
}

#endif
