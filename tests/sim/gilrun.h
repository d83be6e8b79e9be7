/* SPDX-License-Identifier: MIT */
/*
 * gilrun.h - runs the simulated world of gilsim.h: attaching, snapshots, a number of steps, losses.
 */
#ifndef TESTS_SIM_GILRUN_H
#define TESTS_SIM_GILRUN_H

#include "tests/sim/gilsim.h"

/* ── seeds ───────────────────────────────────────────────────────────────── */

struct sim_seeds {
	uint64_t first, count;
	bool single; /* chosen by a person: totals are not checked */
};

/* The seeds of a test: the environment variable `one` selects a single seed, `many` sets their
 * number. By default there are `count`, from 1 on. */
static inline struct sim_seeds sim_seeds(const char *one, const char *many, uint64_t count)
{
	const char *seed = getenv(one), *number = getenv(many);

	if (seed)
		return (struct sim_seeds){strtoull(seed, NULL, 0), 1, true};
	return (struct sim_seeds){1, number ? strtoull(number, NULL, 0) : count, false};
}

/* ── births and deaths ───────────────────────────────────────────────────── */

/* The process of that GIL, and of its threads. Of the second one, none is its first thread. */
static inline uint32_t sim_pid(const struct sim *s, uint8_t gil)
{
	return s->apart && gil ? SIM_PID + SIM_TIDS : SIM_PID;
}

static inline void sim_emit_thread(struct sim *s, const struct sim_thread *t, unsigned int flags)
{
	sim_emit_at(s, s->now, EV_THREAD, t->tid, 0,
		    (uint8_t)(flags | (t->python ? EVF_THREAD_PYTHON : 0)),
		    (union event){.thread = {.pid = sim_pid(s, t->gil)}}, true);
}

static inline void sim_birth(struct sim *s, struct sim_thread *t)
{
	uint32_t index = (uint32_t)(t - s->threads);

	t->alive = true;
	t->python = index % 4 != 3;
	t->told = s->recording;
	t->inside = t->in_turn = t->woken = t->taking = t->wants_wait = t->gc = false;
	t->relation = SIM_NONE;
	t->sched = SIM_SLEEPS;
	t->cpu = CPU_NONE;
	t->sysno = SYSNO_NONE;
	t->gil = (uint8_t)(index % s->gils_used);
	t->own_epfd = index % 3 == 0 ? 10 + index : 0;
	sim_emit_thread(s, t, EVF_THREAD_NEW);
	sim_log(s, t);
	s->now += 1 + sim_random(s, 3);
	sim_wake(s, t, true);
}

static inline void sim_death(struct sim *s, struct sim_thread *t)
{
	if (t->sched != SIM_RUNS || t->relation != SIM_NONE || t->inside || t->taking)
		return;
	if (t->in_turn)
		SIM_PUSH(s->turns, (struct sim_span){.start = t->ts_turn,
						     .end = s->now,
						     .tid = t->tid,
						     .handoff = true});
	t->alive = false;
	if (s->gils[t->gil].previous == t - s->threads)
		s->gils[t->gil].previous =
			SIM_TIDS; /* the next thread with this tid is another one */
	sim_emit(s, EV_THREAD_EXIT, t->tid, 0, 0);
	sim_occupy(s, t->cpu, SIM_FOREIGN + t->cpu);
	sim_change_run(s, t->cpu);
}

/* ── snapshots ───────────────────────────────────────────────────────────── */

static inline void sim_emit_loop(struct sim *s, const struct sim_thread *t)
{
	if (t->own_epfd)
		sim_emit_at(s, s->now, EV_EPOLL, sim_pid(s, t->gil), 0,
			    s->tracing == SIM_TRACED ? EVF_EPOLL_WAKEUP
						     : EVF_EPOLL_WAKEUP | EVF_EPOLL_ALONE,
			    (union event){.epoll = {.epfd = t->own_epfd, .kind = LOOP_ASYNCIO}},
			    true);
}

static inline void sim_snapshot(struct sim *s, const struct sim_thread *t)
{
	uint32_t late = sim_random(s, 200), span = late + sim_random(s, 200);
	bool asleep = t->sched == SIM_SLEEPS;
	unsigned int flags = asleep ? EVF_STATE_ASLEEP : 0;
	union event event = {.state = {.span_ns = span, .sysno = t->sysno, .epfd = t->epfd}};

	if (asleep && t->sysno >= 0)
		flags |= EVF_STATE_SYSCALL;
	flags |= asleep && t->sysno == SYSNO_STOPPED  ? EVF_STATE_STOPPED
		 : asleep && t->sysno == SYSNO_TRACED ? EVF_STATE_TRACED
						      : 0;
	if (asleep && t->inside)
		flags |= EVF_STATE_EPOLL;
	else if (asleep && (t->in_handover || t->mutex || t->by_mutex))
		flags |= EVF_STATE_GIL_MUTEX;
	else if (asleep && t->relation == SIM_WAITS)
		flags |= EVF_STATE_GIL_WAIT;
	sim_emit_at(s, s->now + late, EV_STATE, t->tid, t->gil, (uint8_t)flags, event, true);
}

/* A full snapshot, as on attaching and after losses. */
static inline void sim_snapshot_all(struct sim *s)
{
	for (uint32_t i = 0; i < s->threads_used; i++) {
		if (!s->threads[i].alive)
			continue;
		sim_emit_thread(s, &s->threads[i], 0);
		sim_snapshot(s, &s->threads[i]);
	}
	for (uint32_t g = 0; g < s->gils_used; g++) {
		uint32_t late = sim_random(s, 200);

		sim_observe(s, (uint8_t)g, 0, false, late, late + sim_random(s, 200));
	}
}

/* ── running ─────────────────────────────────────────────────────────────── */

/* Takes, drops or waits, depending on the true state. */
static inline void sim_gil_step(struct sim *s, struct sim_thread *t)
{
	bool free = s->gils[t->gil].holder < 0 && s->gils[t->gil].taker < 0;

	if (t->relation == SIM_HOLDS)
		sim_drop(s, t);
	else if (free &&
		 ((!t->wants_wait && t->relation == SIM_NONE) || (s->partial && t->by_mutex)))
		t->wants_wait = false, sim_take(s, t);
	else if (s->gils[t->gil].holder >= 0 && s->gils[t->gil].taker < 0 &&
		 (t->relation == SIM_NONE || t->wants_wait))
		sim_wait(s, t);
	else if (t->relation == SIM_WAITS && !t->wants_wait && s->gils[t->gil].taker < 0)
		sim_wait_end(s, t);
	/* its wait did not time out: it holds the mutex, so nobody can have dropped; wait again */
	else if (t->wants_wait && free)
		t->wants_wait = false;
}

static inline void sim_run_step(struct sim *s, struct sim_thread *t)
{
	uint32_t dice = sim_random(s, 100);

	if (dice < 5)
		sim_leave(s, t, false);
	else if (t->taking)
		sim_say_taken(s, t);
	else if (t->signalled && !t->wants_wait && dice < 50)
		sim_gil_step(s, t);
	else if (!t->signalled && (dice < 20 || (t->inside && dice < 50) ||
				   (t->relation == SIM_WAITS && !t->wants_wait && dice < 50)))
		sim_leave(s, t, true);
	else if (dice < 22)
		sim_sleep_oddly(s, t);
	else if (dice < 23)
		sim_emit(s, EV_WAKE, t->tid, t->cpu, 0); /* no effect */
	else if (dice < 27)
		sim_stack(s, t, t, EVF_STACK_CLOCK);
	else if (dice < 30 && !t->inside && t->relation == SIM_HOLDS)
		sim_gc(s, t);
	else if (t->inside)
		sim_epoll(s, t);
	else if (dice < 40 && t->relation != SIM_WAITS &&
		 (t->relation == SIM_NONE || sim_chance(s, 10)))
		sim_epoll(s, t);
	else if (t->python || sim_chance(s, 2))
		t->python = true, sim_gil_step(s, t);
}

static inline void sim_cpu_step(struct sim *s, uint16_t cpu)
{
	struct sim_cpu *c = &s->cpus[cpu];

	if (c->occupant == 0 || c->occupant >= SIM_FOREIGN)
		sim_switch(s, cpu, NULL, NULL, c->occupant ? 0 : SIM_FOREIGN + cpu, false);
}

static inline void sim_ready_step(struct sim *s, struct sim_thread *t)
{
	uint16_t cpu = (uint16_t)sim_random(s, s->cpus_used);

	if (sim_chance(s, 15)) {
		s->cpus[t->cpu].waiting--;
		sim_queue(s, t, cpu);
		sim_emit(s, EV_MIGRATE, t->tid, cpu, 0);
	} else if (s->cpus[t->cpu].occupant == 0 || s->cpus[t->cpu].occupant >= SIM_FOREIGN) {
		sim_switch(s, t->cpu, NULL, t, 0, false);
	}
}

static inline void sim_step(struct sim *s)
{
	struct sim_thread *t = &s->threads[sim_random(s, s->threads_used)];

	for (int i = 0; i < 2 && t->alive && t->sched != SIM_RUNS;
	     i++) /* threads that run act more often */
		t = &s->threads[sim_random(s, s->threads_used)];
	s->now += 1 + sim_random(s, sim_chance(s, 5) ? 2000 : 40);
	if (sim_chance(s, 5))
		sim_cpu_step(s, (uint16_t)sim_random(s, s->cpus_used));
	else if (!t->alive && t != s->threads)
		sim_birth(s, t);
	else if (t->sched == SIM_RUNS && sim_chance(s, 1) && t != s->threads)
		sim_death(s, t);
	else if (t->sched == SIM_RUNS)
		sim_run_step(s, t);
	else if (t->sched == SIM_READY)
		sim_ready_step(s, t);
	else if (sim_chance(s, 40))
		sim_wake(s, t, false);
	if (s->partial && sim_chance(s, 5)) /* any reading, or the sampling clock's */
		sim_observe(s, t->gil, t->tid, false, 0, 0);
	if (s->partial && t->sched == SIM_RUNS && sim_chance(s, 5) && s->events.count &&
	    s->events.at[s->events.count - 1].event.hdr.type == EV_OBSERVE &&
	    s->events.at[s->events.count - 1].event.hdr.tid == t->tid)
		s->events.at[s->events.count - 1].event.hdr.flags |= EVF_OBSERVE_CLOCK;
	sim_log(s, t);
}

static inline int sim_compare(const void *a, const void *b)
{
	const struct sim_event *x = a, *y = b;

	return x->event.hdr.ts < y->event.hdr.ts ? -1 : x->event.hdr.ts > y->event.hdr.ts;
}

/* A stable sort: events of one instant keep their order. */
static inline void sim_sort(struct sim *s)
{
	for (uint32_t i = 1; i < s->events.count; i++) {
		struct sim_event event = s->events.at[i];
		uint32_t k = i;

		for (; k > 0 && sim_compare(&s->events.at[k - 1], &event) > 0; k--)
			s->events.at[k] = s->events.at[k - 1];
		s->events.at[k] = event;
	}
}

static inline void sim_attach(struct sim *s, bool snapshot)
{
	s->now++;
	s->recording = true;
	for (uint32_t g = 0; g < s->gils_used; g++)
		sim_emit_at(s, s->now, EV_GIL, sim_pid(s, (uint8_t)g), (uint16_t)g, 0,
			    (union event){.gil = {.address = 0x1000 + g}}, true);
	for (uint32_t i = 0; i < s->threads_used; i++) {
		if (s->threads[i].alive)
			sim_emit_thread(s, &s->threads[i], 0);
		if (!s->loops_late)
			sim_emit_loop(s, &s->threads[i]);
	}
	sim_emit_at(s, s->now, EV_WINDOW, 0, 0, 0, (union event){0}, true);
	s->begin = s->now;
	s->now += 500; /* a snapshot's span lies within the window */
	if (snapshot)
		sim_snapshot_all(s);
}

static inline void sim_init(struct sim *s, uint64_t seed, bool partial)
{
	memset(s, 0, sizeof(*s));
	s->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	s->now = 1000000;
	s->partial = partial;
	s->aside = true;
	s->threads_used = 2 + sim_random(s, SIM_TIDS - 1);
	s->gils_used = sim_chance(s, 25) ? 2 : 1;
	s->cpus_used = 1 + sim_random(s, SIM_CPUS);
	s->loops_late = sim_chance(s, 30);
	s->looks_first = sim_chance(s, 30);
	for (uint32_t i = 0; i < SIM_GILS; i++)
		s->gils[i].holder = s->gils[i].taker = s->gils[i].previous = -1;
	for (uint32_t i = 0; i < s->threads_used; i++) {
		s->threads[i].tid = SIM_PID + i;
		s->threads[i].cpu = CPU_NONE;
	}
	sim_birth(s, &s->threads[0]);
	sim_log(s, &s->threads[0]);
	for (uint32_t i = 1; i < s->threads_used; i++)
		sim_log(s, &s->threads[i]);
}

/* Runs some steps before observation begins, then the window. `snapshots`: per mille of steps that
 * are followed by part of a snapshot. */
static inline void sim_run(struct sim *s, uint32_t steps, uint32_t snapshots)
{
	for (uint32_t i = sim_random(s, 300); i > 0; i--)
		sim_step(s);
	sim_attach(s, snapshots && sim_chance(s, 70));
	for (uint32_t i = 0; i < steps; i++) {
		sim_step(s);
		if (s->loops_late && i % 64 == 63)
			sim_emit_loop(s, &s->threads[i / 64 % s->threads_used]);
		if (sim_random(s, 1000) >= snapshots)
			continue;
		if (sim_chance(s, 20))
			sim_snapshot_all(s);
		else
			sim_snapshot(s, &s->threads[sim_random(s, s->threads_used)]);
	}
	s->end = s->now + 500;
	s->now = s->end;
	sim_emit_at(s, s->end, EV_WINDOW, 0, 0, EVF_WINDOW_END, (union event){0}, true);
	sim_sort(s);
}

/* ── losses ──────────────────────────────────────────────────────────────── */

enum { SIM_OF_ALL, SIM_OF_RUNS }; /* or of a process, by its PID */

static inline bool sim_is_of(const struct sim *s, const struct sim_event *event, uint32_t whose)
{
	uint32_t tid = event->event.hdr.tid;
	bool run = event->event.hdr.type == EV_RUN;

	if (event->fixed || whose == SIM_OF_ALL)
		return !event->fixed;
	if (whose == SIM_OF_RUNS || run)
		return run && whose == SIM_OF_RUNS;
	return tid >= SIM_PID && tid < SIM_PID + SIM_TIDS &&
	       sim_pid(s, s->threads[tid - SIM_PID].gil) == whose;
}

/* How a LOST names them: a process may be named by any thread of it. */
static inline union event sim_loss(struct sim *s, uint32_t whose)
{
	const struct sim_thread *t = &s->threads[sim_random(s, s->threads_used)];
	union event event = {.lost = {.hdr = {.type = EV_LOST}}};

	if (whose == SIM_OF_RUNS)
		event.hdr.flags = EVF_LOST_RUNS;
	else if (whose != SIM_OF_ALL)
		event.hdr.tid = t->alive && sim_pid(s, t->gil) == whose ? t->tid : whose;
	return event;
}

/* Drops runs of such events, all or some, and adds LOST events. */
static inline void sim_lose_of(struct sim *s, uint32_t losses, uint32_t whose)
{
	while (losses-- > 0) {
		uint32_t first = sim_random(s, s->events.count), length = 1 + sim_random(s, 40),
			 last = first, k = 0, percent = 10 + sim_random(s, 91);
		union event loss = sim_loss(s, whose);

		while (first < s->events.count && !sim_is_of(s, &s->events.at[first], whose))
			first++;
		if (first == s->events.count || s->events.at[first].event.hdr.ts < s->begin)
			continue;
		for (uint32_t i = first; i < s->events.count && i < first + length; i++)
			if (sim_is_of(s, &s->events.at[i], whose))
				last = i;
		loss.hdr.ts = s->events.at[first].event.hdr.ts;
		loss.lost.last_ts = s->events.at[last].event.hdr.ts;
		for (uint32_t i = first; i <= last; i++)
			if (!sim_is_of(s, &s->events.at[i], whose) ||
			    (i != first && i != last && !sim_chance(s, percent)))
				s->events.at[first + k++] = s->events.at[i];
			else
				loss.lost.count++;
		memmove(&s->events.at[first + k], &s->events.at[last + 1],
			(s->events.count - last - 1) * sizeof(s->events.at[0]));
		s->events.count -= last + 1 - first - k;
		SIM_PUSH(s->events, (struct sim_event){.event = loss, .fixed = true});
		memmove(&s->events.at[first + 1], &s->events.at[first],
			(s->events.count - first - 1) * sizeof(s->events.at[0]));
		s->events.at[first] = (struct sim_event){.event = loss, .fixed = true};
	}
	sim_sort(s);
}

/* The same, of all, of a process, or of what only says who has the CPUs. */
static inline void sim_lose(struct sim *s, uint32_t losses)
{
	while (losses-- > 0)
		switch (sim_random(s, 4)) {
		case 0:
			sim_lose_of(s, 1, SIM_OF_RUNS);
			break;
		case 1:
			sim_lose_of(s, 1, SIM_OF_ALL);
			break;
		default:
			sim_lose_of(s, 1, sim_pid(s, (uint8_t)sim_random(s, s->gils_used)));
		}
}

/* Closes all spans at the end of the world. */
static inline void sim_finish(struct sim *s)
{
	for (uint32_t i = 0; i < s->threads_used; i++) {
		struct sim_thread *t = &s->threads[i];

		if (t->relation == SIM_HOLDS)
			SIM_PUSH(s->holds, (struct sim_span){.start = t->ts_hold,
							     .end = s->end + 1,
							     .tid = t->tid,
							     .gil = t->gil,
							     .handoff = t->hold_handoff,
							     .take_ns = t->take_ns});
		if (t->relation == SIM_WAITS)
			SIM_PUSH(s->waits, (struct sim_span){.start = t->ts_wait,
							     .end = s->end + 1,
							     .tid = t->tid,
							     .gil = t->gil});
		if (t->in_turn ||
		    (t->inside && t->epfd == t->own_epfd &&
		     (t->woken || (s->tracing == SIM_ALONE && t->sched != SIM_SLEEPS))))
			SIM_PUSH(s->turns, (struct sim_span){.start = t->ts_turn,
							     .end = s->end + 1,
							     .tid = t->tid,
							     .handoff = true});
	}
}

static inline void sim_done(struct sim *s)
{
	for (uint32_t i = 0; i < SIM_TIDS; i++)
		free(s->threads[i].log.at);
	for (uint32_t i = 0; i < SIM_CPUS; i++) {
		free(s->cpus[i].log.at);
		free(s->cpus[i].reporting.at);
	}
	for (uint32_t i = 0; i < SIM_GILS; i++)
		free(s->gils[i].waiting.at);
	free(s->events.at);
	free(s->holds.at);
	free(s->waits.at);
	free(s->turns.at);
}

/* The kernel's own notes of a wake-up that it did not report: before the SWITCH_IN that follows,
 * instead of the thread's migrations until then. */
static inline void sim_note_wake(struct sim *sim, uint32_t at, const union event *wake)
{
	for (uint32_t i = at; i < sim->events.count; i++) {
		struct sim_event *event = &sim->events.at[i];

		if (event->event.hdr.tid != wake->hdr.tid)
			continue;
		if (event->event.hdr.type == EV_SWITCH_OUT ||
		    event->event.hdr.type == EV_THREAD_EXIT)
			return; /* it ran */
		if (event->event.hdr.type == EV_MIGRATE)
			event->event.hdr.type = 0;
		if (event->event.hdr.type != EV_SWITCH_IN)
			continue;
		SIM_PUSH(sim->events, (struct sim_event){0});
		event = &sim->events.at[i];
		memmove(event + 1, event, (sim->events.count - 1 - i) * sizeof(*event));
		event->event = (union event){
			.queued = {.hdr = event->event.hdr, .since = wake->hdr.ts}};
		event->event.hdr.type = EV_QUEUED;
		return;
	}
}

/* Removes one in so many wake-ups. `noted`: the kernel's own notes say when they were. */
static inline void sim_drop_wakes(struct sim *sim, uint32_t in, bool noted)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < sim->events.count; i++) {
		union event event = sim->events.at[i].event;

		if (!event.hdr.type)
			continue;
		if (event.hdr.type != EV_WAKE || event.hdr.flags & EVF_WAKE_NEW ||
		    sim_random(sim, in))
			sim->events.at[kept++] = sim->events.at[i];
		else if (noted)
			sim_note_wake(sim, i + 1, &event);
	}
	sim->events.count = kept;
}

#endif
