/* SPDX-License-Identifier: MIT */
#include "stream/who.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream/who_state.h"

#define NAMES_MAX 32768 /* of tasks that are nobody's thread */
#define RIVAL_WAITS                                                                                \
	64 /* who waits so often on another loop's descriptor runs that one (the model's rule,     \
	      without its time) */

/* Finds the entry with this key, or makes one. NULL when memory is short. */
#define ENTRY(table, field, value)                                                                 \
	({                                                                                         \
		__typeof__(table) entry_;                                                          \
		__typeof__((table)->field) value_ = (value);                                       \
                                                                                                   \
		HASH_FIND(hh, table, &value_, sizeof(value_), entry_);                             \
		if (!entry_ && (entry_ = calloc(1, sizeof(*entry_)))) {                            \
			entry_->field = value_;                                                    \
			HASH_ADD(hh, table, field, sizeof(value_), entry_);                        \
			if (HASH_FAILED(entry_)) {                                                 \
				free(entry_);                                                      \
				entry_ = NULL;                                                     \
			}                                                                          \
		}                                                                                  \
		entry_;                                                                            \
	})

#define DROP_WHERE(table, entry, condition)                                                        \
	do {                                                                                       \
		__typeof__(table) entry, next_;                                                    \
		HASH_ITER(hh, table, entry, next_)                                                 \
		{                                                                                  \
			if (!(condition))                                                          \
				continue;                                                          \
			HASH_DEL(table, entry);                                                    \
			free(entry);                                                               \
		}                                                                                  \
	} while (0)

struct who *who_new(bool partial)
{
	struct who *who = calloc(1, sizeof(*who));

	if (who)
		who->partial = partial;
	return who;
}

void who_free(struct who *who)
{
	if (!who)
		return;
	DROP_WHERE(who->threads, entry, true);
	DROP_WHERE(who->gils, entry, true);
	DROP_WHERE(who->descriptors, entry, true);
	DROP_WHERE(who->processes, entry, true);
	DROP_WHERE(who->names, entry, true);
	free(who);
}

/* ── who is who ──────────────────────────────────────────────────────────── */

static struct who_thread *thread_of(const struct who *who, uint32_t tid)
{
	struct who_thread *thread;

	HASH_FIND(hh, who->threads, &tid, sizeof(tid), thread);
	return thread;
}

static struct who_gil *gil_of(const struct who *who, uint16_t index)
{
	struct who_gil *gil;

	HASH_FIND(hh, who->gils, &index, sizeof(index), gil);
	return gil;
}

int who_process(struct who *who, const struct process_info *info)
{
	struct who_process *process = ENTRY(who->processes, pid, info->pid);

	if (!process)
		return -ENOMEM;
	process->info = *info;
	return 0;
}

static bool has_exited(const struct who *who, uint32_t tid)
{
	uint32_t count = who->exited_count < EXITED_MAX ? who->exited_count : EXITED_MAX;

	for (uint32_t i = 0; i < count; i++)
		if (who->exited[i] == tid)
			return true;
	return false;
}

static void thread_exit(struct who *who, uint32_t tid)
{
	struct who_thread *thread = thread_of(who, tid);

	who->exited[who->exited_count++ % EXITED_MAX] = tid;
	if (!thread)
		return;
	for (struct who_gil *gil = who->gils; gil; gil = gil->hh.next)
		gil->known = gil->known && gil->holder != tid;
	HASH_DEL(who->threads, thread);
	free(thread);
}

static void process_exit(struct who *who, uint32_t pid)
{
	struct who_thread *thread, *next;

	HASH_ITER(hh, who->threads, thread, next)
	if (thread->thread.pid == pid)
		thread_exit(who, thread->tid);
	DROP_WHERE(who->gils, entry, entry->gil.hdr.tid == pid);
	DROP_WHERE(who->descriptors, entry, entry->key.pid == pid);
	DROP_WHERE(who->processes, entry, entry->pid == pid);
}

/* A fact among others that are missing proves nothing. */
static bool counts(const struct who *who, const union event *event)
{
	return !who->lost.hdr.type || event->hdr.ts > who->lost.last_ts;
}

/*
 * One that was there already, but is known to have exited, was read before that exit. And one that
 * Python did not know may have come to Python unseen, so while events are missing it is none yet.
 */
static int fold_thread(struct who *who, const struct ev_thread *event)
{
	bool is_new = event->hdr.flags & EVF_THREAD_NEW,
	     python = event->hdr.flags & EVF_THREAD_PYTHON;
	struct who_thread *thread = thread_of(who, event->hdr.tid);

	if (!is_new && !thread && has_exited(who, event->hdr.tid))
		return 0;
	if (!python && !thread && !counts(who, (const union event *)event))
		return 0;
	for (uint32_t i = 0; i < EXITED_MAX && is_new; i++)
		who->exited[i] = who->exited[i] == event->hdr.tid ? 0 : who->exited[i];
	thread = ENTRY(who->threads, tid, event->hdr.tid);
	if (!thread)
		return -ENOMEM;
	if (is_new || thread->thread.pid != event->pid)
		*thread = (struct who_thread){.tid = thread->tid, .hh = thread->hh};
	python = thread->thread.hdr.flags & EVF_THREAD_PYTHON;
	thread->thread = *event;
	thread->thread.hdr.flags = (wire_u8)((event->hdr.flags & ~EVF_THREAD_NEW) |
					     (python ? EVF_THREAD_PYTHON : 0));
	return 0;
}

static int fold_comm(struct who *who, const struct ev_comm *event)
{
	struct who_thread *thread = thread_of(who, event->hdr.tid);
	struct who_name *name;

	if (thread) {
		thread->comm = *event;
		return 0;
	}
	if (HASH_COUNT(who->names) >= NAMES_MAX) {
		name = who->names; /* the oldest */
		HASH_DEL(who->names, name);
		free(name);
	}
	name = ENTRY(who->names, tid, event->hdr.tid);
	if (!name)
		return -ENOMEM;
	name->comm = *event;
	return 0;
}

static int fold_gil(struct who *who, const struct ev_gil *event)
{
	struct who_gil *gil = ENTRY(who->gils, index, event->hdr.aux);

	if (!gil)
		return -ENOMEM;
	if (gil->gil.address != event->address || gil->gil.hdr.tid != event->hdr.tid)
		gil->known = false;
	gil->gil = *event;
	return 0;
}

static int fold_descriptor(struct who *who, const struct ev_epoll *event)
{
	struct who_descriptor *descriptor;
	__typeof__(descriptor->key) key = {event->hdr.tid, event->epfd};

	descriptor = ENTRY(who->descriptors, key, key);
	if (!descriptor)
		return -ENOMEM;
	descriptor->epoll = *event;
	return 0;
}

static bool is_of_loop(const struct who *who, uint32_t pid, uint32_t epfd)
{
	struct who_descriptor *descriptor;
	__typeof__(descriptor->key) key = {pid, epfd};

	HASH_FIND(hh, who->descriptors, &key, sizeof(key), descriptor);
	return descriptor && descriptor->epoll.hdr.flags & EVF_EPOLL_WAKEUP;
}

/* ── what they do ────────────────────────────────────────────────────────── */

static void forget(struct who_thread *thread)
{
	thread->sched = SCHED_UNKNOWN;
	thread->place = PLACE_UNKNOWN;
	thread->relation = RELATION_UNKNOWN;
	thread->stack.hdr.type = thread->wait_stack.hdr.type = 0;
}

static void fold_lost(struct who *who, const struct ev_lost *event)
{
	DROP_WHERE(who->threads, entry, !(entry->thread.hdr.flags & EVF_THREAD_PYTHON));
	who_forget(who);
	who->exited_count = 0;
	if (!who->lost.hdr.type || event->last_ts > who->lost.last_ts)
		who->lost = *event;
	if (event->hdr.ts > who->lost.last_ts)
		who->lost.last_ts = event->hdr.ts;
}

/* It does something, so it is on a CPU: on which one is known if that was told. */
static void act(struct who_thread *thread)
{
	if (thread->sched != SCHED_RUNNING)
		thread->sched = SCHED_UNKNOWN;
	thread->stack.hdr.type = 0;
}

static void fold_gil_fact(struct who *who, struct who_thread *thread, const union event *event)
{
	struct who_gil *gil = gil_of(who, event->hdr.aux);
	unsigned int type = event->hdr.type;

	thread->thread.hdr.flags |= EVF_THREAD_PYTHON;
	thread->place = PLACE_OUTSIDE;
	act(thread);
	if (type == EV_WAIT || (type == EV_WAIT_END && event->hdr.flags & EVF_WAIT_END_LOCKED)) {
		thread->relation = RELATION_WAITS;
		thread->wait = (struct ev_wait){
			.hdr = {.type = EV_WAIT, .tid = thread->tid, .aux = event->hdr.aux}};
	} else {
		/* it takes a GIL that is free in a moment, unless that was switched off */
		thread->relation = type == EV_WAIT_END && !(event->hdr.flags & EVF_WAIT_END_OFF)
					   ? RELATION_UNKNOWN
					   : RELATION_OTHER;
		thread->wait_stack.hdr.type = 0;
	}
	if (gil)
		gil->off = false;
	if (!gil || who->partial || (type != EV_TAKE && type != EV_DROP))
		return;
	gil->known = true;
	gil->holder = type == EV_TAKE ? thread->tid : 0;
}

/* Of looks, only those count that show a GIL which no fact may ever tell of. */
static void fold_observe(struct who *who, const struct ev_observe *event)
{
	struct who_gil *gil = gil_of(who, event->hdr.aux);

	if (!gil || who->partial || !(event->hdr.flags & EVF_OBSERVE_OFF) ||
	    (gil->known && gil->holder))
		return;
	if (who->lost.hdr.type && event->hdr.ts - event->span_ns <= who->lost.last_ts)
		return;
	gil->known = gil->off = true;
	gil->holder = 0;
}

/* Asleep on a futex of a GIL's own: as the model's relation_sleep() has it. */
static void fold_gil_sleep(struct who *who, struct who_thread *thread,
			   const struct ev_switch_out *event)
{
	const struct who_gil *gil = gil_of(who, (uint16_t)event->gil);

	if (thread->relation != RELATION_OTHER || (gil && gil->known && gil->holder == thread->tid))
		return;
	thread->in_handover = event->hdr.flags & EVF_SWITCH_OUT_HANDOVER;
	thread->relation = RELATION_UNKNOWN;
	if (thread->in_handover || !gil || !gil->known || who->partial)
		return;
	thread->relation = RELATION_WAITS;
	thread->wait = (struct ev_wait){
		.hdr = {.type = EV_WAIT, .tid = thread->tid, .aux = gil->index}};
	thread->wait_stack = thread->stack;
	thread->wait_stack.hdr.flags = EVF_STACK_WAIT;
}

static void fold_sched(struct who *who, struct who_thread *thread, const union event *event)
{
	switch (event->hdr.type) {
	case EV_SWITCH_OUT:
		thread->sched = event->hdr.flags & EVF_SWITCH_OUT_RUNNABLE ? SCHED_READY
									   : SCHED_ASLEEP;
		thread->switched = *event;
		if (thread->stack.hdr.ts != event->hdr.ts)
			thread->stack.hdr.type = 0;
		if (event->hdr.flags & (EVF_SWITCH_OUT_GIL_MUTEX | EVF_SWITCH_OUT_HANDOVER))
			fold_gil_sleep(who, thread, &event->switch_out);
		break;
	case EV_WAKE:
		if (thread->sched != SCHED_ASLEEP)
			break;
		thread->sched = SCHED_READY;
		thread->switched = (union event){
			.switch_out = {.hdr = {.type = EV_SWITCH_OUT,
					       .tid = thread->tid,
					       .aux = event->hdr.aux,
					       .flags = EVF_SWITCH_OUT_RUNNABLE}}};
		if (event->hdr.flags & EVF_WAKE_THROTTLED)
			thread->switched.hdr.flags |= EVF_SWITCH_OUT_THROTTLED;
		break;
	case EV_MIGRATE:
		if (thread->sched == SCHED_READY)
			thread->switched.hdr.aux = event->hdr.aux;
		break;
	default: /* SWITCH_IN, GAP */
		thread->sched = SCHED_RUNNING;
		thread->switched = (union event){
			.hdr = {.type = EV_SWITCH_IN, .tid = thread->tid, .aux = event->hdr.aux}};
		thread->stack.hdr.type = 0;
		if (thread->in_handover && thread->relation == RELATION_UNKNOWN)
			thread->relation = RELATION_OTHER;
		thread->in_handover = false;
	}
}

static void fold_epoll(const struct who *who, struct who_thread *thread, const union event *event)
{
	const struct ev_epoll_enter *enter = &event->epoll_enter;

	act(thread);
	thread->relation = RELATION_OTHER;
	thread->place = event->hdr.type == EV_EPOLL_ENTER ? PLACE_INSIDE : PLACE_OUTSIDE;
	if (thread->place == PLACE_OUTSIDE)
		return;
	thread->epfd = enter->epfd;
	if (!is_of_loop(who, thread->thread.pid, enter->epfd) ||
	    (thread->runs.hdr.type && !(thread->runs.hdr.flags & EVF_RUNS_LOOP_YES)))
		return;
	if (thread->loop_wait.hdr.type && thread->loop_wait.epfd != enter->epfd &&
	    ++thread->rival_waits < RIVAL_WAITS)
		return;
	thread->loop_wait = *enter;
	thread->rival_waits = 0;
}

/* No loop waits on it any more, and its number may come to mean another file. */
static void fold_close(struct who *who, struct who_thread *thread,
		       const struct ev_epoll_close *event)
{
	uint32_t pid = thread->thread.pid;

	act(thread);
	thread->relation = RELATION_OTHER;
	thread->place = PLACE_OUTSIDE;
	DROP_WHERE(who->descriptors, entry,
		   entry->key.pid == pid && entry->key.epfd == event->epfd);
	for (struct who_thread *other = who->threads; other; other = other->hh.next)
		if (other->thread.pid == pid && other->loop_wait.hdr.type &&
		    other->loop_wait.epfd == event->epfd)
			other->loop_wait.hdr.type = other->runs.hdr.type = 0;
}

static void fold_stack(struct who_thread *thread, const struct ev_stack *event)
{
	unsigned int flags = event->hdr.flags;

	if (flags & EVF_STACK_HOLDER)
		return;
	thread->thread.hdr.flags |= EVF_THREAD_PYTHON;
	act(thread);
	if (flags & EVF_STACK_WAIT)
		thread->wait_stack = *event;
	else if (flags & (EVF_STACK_SLEEP | EVF_STACK_PREEMPT))
		thread->stack = *event;
}

static void fold_runs(struct who_thread *thread, const struct ev_runs_loop *event)
{
	thread->runs = *event;
	if (event->hdr.flags & EVF_RUNS_LOOP_YES)
		thread->thread.hdr.flags |= EVF_THREAD_PYTHON;
	else
		thread->loop_wait.hdr.type = 0;
}

static void fold_of_thread(struct who *who, struct who_thread *thread, const union event *event)
{
	switch (event->hdr.type) {
	case EV_TAKE:
	case EV_DROP:
	case EV_WAIT:
	case EV_WAIT_END:
		fold_gil_fact(who, thread, event);
		break;
	case EV_SWITCH_IN:
	case EV_SWITCH_OUT:
	case EV_WAKE:
	case EV_MIGRATE:
	case EV_GAP:
		fold_sched(who, thread, event);
		break;
	case EV_EPOLL_ENTER:
	case EV_EPOLL_EXIT:
		fold_epoll(who, thread, event);
		break;
	case EV_EPOLL_CLOSE:
		fold_close(who, thread, &event->epoll_close);
		break;
	case EV_STACK:
		fold_stack(thread, &event->stack);
		break;
	case EV_GC_BEGIN:
	case EV_GC_END:
		act(thread);
		thread->place = PLACE_OUTSIDE;
		break;
	case EV_UNKNOWN_GIL: /* it may have a GIL that is not known */
		act(thread);
		thread->relation = RELATION_UNKNOWN;
		break;
	case EV_RUNS_LOOP:
		fold_runs(thread, &event->runs_loop);
		break;
	case EV_PYTHON_NAME:
		thread->name = event->python_name;
		thread->thread.hdr.flags |= EVF_THREAD_PYTHON;
		break;
	default:
		break;
	}
}

/* Who passes a GIL site is a thread of that GIL's process, declared or not. */
static struct who_thread *thread_of_event(struct who *who, const union event *event)
{
	struct who_thread *thread = thread_of(who, event->hdr.tid);
	const struct who_gil *gil;

	if (thread || event->hdr.type > EV_WAIT_END || !(gil = gil_of(who, event->hdr.aux)))
		return thread;
	thread = ENTRY(who->threads, tid, event->hdr.tid);
	if (thread)
		thread->thread = (struct ev_thread){.hdr = {.type = EV_THREAD, .tid = thread->tid},
						    .pid = gil->gil.hdr.tid};
	return thread;
}

void who_forget(struct who *who)
{
	for (struct who_thread *thread = who->threads; thread; thread = thread->hh.next)
		forget(thread);
	for (struct who_gil *gil = who->gils; gil; gil = gil->hh.next)
		gil->known = gil->off = false;
}

int who_event(struct who *who, const union event *event)
{
	struct who_thread *thread;

	switch (event->hdr.type) {
	case EV_THREAD:
		return fold_thread(who, &event->thread);
	case EV_COMM:
		return fold_comm(who, &event->comm);
	case EV_GIL:
		return fold_gil(who, &event->gil);
	case EV_EPOLL:
		return fold_descriptor(who, &event->epoll);
	case EV_OBSERVE:
		fold_observe(who, &event->observe);
		return 0;
	case EV_THREAD_EXIT:
		thread_exit(who, event->hdr.tid);
		return 0;
	case EV_PROCESS_EXIT:
		process_exit(who, event->hdr.tid);
		return 0;
	case EV_LOST:
		fold_lost(who, &event->lost);
		return 0;
	default:
		thread = thread_of_event(who, event);
		if (thread)
			fold_of_thread(who, thread, event);
		if (thread && !counts(who, event))
			who_forget(who);
		return 0;
	}
}
