/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "python/process/epoll.h"
#include "python/process/futex.h"
#include "python/interpreter/gil.h"
#include "python/loops.h"
#include "python/process/memory.h"
#include "python/process/pages.h"
#include "python/private.h"
#include "python/process/proc.h"
#include "python/threads.h"

struct snapshot {
	struct target *target;
	const uint16_t *gil_index;
	const struct stream_sink *sink;
	struct threads threads;
};

static uint32_t span(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns - from_ns < UINT32_MAX ? (uint32_t)(to_ns - from_ns) : UINT32_MAX;
}

static int emit_thread(const struct snapshot *snapshot, const struct target_thread *thread)
{
	uint32_t pid = snapshot->target->info.pid;
	union event event = {.thread = {.hdr = {.type = EV_THREAD,
						.tid = thread->tid,
						.flags = thread->python ? EVF_THREAD_PYTHON : 0},
					.pid = pid,
					.nstid = thread->nstid}};
	char path[64], name[sizeof(event.comm.comm.text) + 2];
	ssize_t length;
	int err;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/comm", pid, thread->tid);
	length = proc_read(path, name, sizeof(name));
	if (length <= 0)
		return 0; /* gone */
	event.hdr.ts = clock_now_ns();
	err = sink_event(snapshot->sink, &event);
	if (err)
		return err;
	event = (union event){
		.comm = {.hdr = {.type = EV_COMM, .tid = thread->tid, .ts = event.hdr.ts},
			 .pid = pid}};
	length -= name[length - 1] == '\n';
	memcpy(event.comm.comm.text, name,
	       (size_t)length < sizeof(event.comm.comm.text) ? (size_t)length
							     : sizeof(event.comm.comm.text));
	return sink_event(snapshot->sink, &event);
}

static bool is_futex_wait(uint64_t operation)
{
	uint64_t command = operation & FUTEX_CMD_MASK;

	return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
}

/* Asleep on the condition variable of one of the GILs, or on another futex of its own? */
static uint8_t gil_futex(const struct snapshot *snapshot, uint64_t futex, uint64_t operation,
			 uint16_t *ret_gil)
{
	const struct target *target = snapshot->target;
	const struct gil_layout *layout = &target->layout.gil;

	if (!is_futex_wait(operation))
		return 0;
	for (uint32_t i = 0; i < target->gil_count; i++) {
		uint64_t offset = gil_futex_offset((pid_t)target->info.pid, layout,
						   target->gils[i].address, futex);

		if (offset >= layout->size)
			continue;
		*ret_gil = snapshot->gil_index[i];
		return offset >= layout->cond && offset < layout->mutex ? EVF_STATE_GIL_WAIT
									: EVF_STATE_GIL_MUTEX;
	}
	return 0;
}

/*
 * /proc/PID/task/TID/syscall is one consistent reading (fs/proc/base.c, proc_pid_syscall;
 * lib/syscall.c): "running", or for a thread that sleeps and keeps sleeping the number and
 * arguments of its system call, or -1 when it sleeps outside of one. True if it sleeps on a futex
 * that is not a GIL's.
 */
static bool state_parse(const struct snapshot *snapshot, const char *text, struct ev_state *state,
			uint64_t argument[2])
{
	int64_t sysno;

	if (strncmp(text, "running", 7) == 0)
		return false;
	state->hdr.flags = EVF_STATE_ASLEEP;
	if (sscanf(text, "%" SCNd64 " 0x%" SCNx64 " 0x%" SCNx64, &sysno, &argument[0],
		   &argument[1]) != 3 ||
	    sysno < 0 || sysno > INT32_MAX)
		return false;
	state->hdr.flags |= EVF_STATE_SYSCALL;
	state->sysno = (int32_t)sysno;
	if (is_wait_in_epoll(sysno)) {
		state->hdr.flags |= EVF_STATE_EPOLL;
		state->epfd = (uint32_t)argument[0];
	} else if (sysno == SYS_futex) {
		state->hdr.flags |= gil_futex(snapshot, argument[0], argument[1], &state->hdr.aux);
		return is_futex_wait(argument[1]) &&
		       !(state->hdr.flags & (EVF_STATE_GIL_WAIT | EVF_STATE_GIL_MUTEX));
	}
	return false;
}

/* What a thread sleeps on, if that is a futex. Its lock may be given to it meanwhile; then it has
 * run, and the event does not count. */
static int emit_lock(const struct snapshot *snapshot, uint32_t tid)
{
	union event event = {.futex = {.hdr = {.type = EV_FUTEX, .tid = tid}}};
	uint32_t pid = snapshot->target->info.pid;
	uint64_t before = clock_now_ns(), argument[2];
	struct ev_state state = {0};
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/%u/task/%u/syscall", pid, tid);
	if (proc_read(path, text, sizeof(text)) <= 0 ||
	    !state_parse(snapshot, text, &state, argument))
		return 0;
	futex_look((pid_t)pid, argument[0], argument[1],
		   snapshot->target->layout.gil.waiters != GIL_NO_FIELD, &event.futex);
	event.hdr.ts = clock_now_ns();
	event.futex.span_ns = span(before, event.hdr.ts);
	return sink_event(snapshot->sink, &event);
}

static int emit_locks(const struct snapshot *snapshot)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < snapshot->threads.count && !pages_over(); i++)
		err = emit_lock(snapshot, snapshot->threads.list[i].tid);
	return err;
}

static int emit_state(const struct snapshot *snapshot, const struct target_thread *thread)
{
	union event event = {.state = {.hdr = {.type = EV_STATE, .tid = thread->tid}}};
	uint32_t pid = snapshot->target->info.pid;
	uint64_t before = clock_now_ns(), argument[2];
	struct proc_stat stat;
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/%u/task/%u/stat", pid, thread->tid);
	if (proc_stat_read(path, &stat) || strchr("ZXx", stat.state))
		return 0;
	snprintf(path, sizeof(path), "/proc/%u/task/%u/syscall", pid, thread->tid);
	/* the system call shown is one that is over, or is begun again */
	if (stat.state == 'T' || stat.state == 't')
		event.hdr.flags = EVF_STATE_ASLEEP |
				  (stat.state == 'T' ? EVF_STATE_STOPPED : EVF_STATE_TRACED);
	else if (proc_read(path, text, sizeof(text)) > 0)
		state_parse(snapshot, text, &event.state, argument);
	else /* not permitted, or a kernel without it: still asleep or not */
		event.hdr.flags = stat.state == 'R' ? 0 : EVF_STATE_ASLEEP;
	event.hdr.ts = clock_now_ns();
	event.state.span_ns = span(before, event.hdr.ts);
	return sink_event(snapshot->sink, &event);
}

static bool words_same(const struct gil_words *a, const struct gil_words *b)
{
	return a->last_holder == b->last_holder && a->locked == b->locked &&
	       a->switch_number == b->switch_number;
}

/*
 * Reads a GIL. take_gil sets `locked` before `last_holder`, both with the mutex held, so the holder
 * is named only when two readings, with the naming between them, show the same and a free mutex;
 * some tries are enough unless the GIL is handed on all the time.
 *
 * A GIL that is switched off is dropped right after (_PyEval_DisableGIL), and before one is
 * switched on the world is stopped.
 */
static int emit_observe(const struct snapshot *snapshot, uint32_t index)
{
	enum { TRIES = 16 };
	union event event = {
		.observe = {.hdr = {.type = EV_OBSERVE, .aux = snapshot->gil_index[index]}}};
	const struct target *target = snapshot->target;
	uint64_t address = target->gils[index].address, before = clock_now_ns();
	const struct gil_layout *layout = &target->layout.gil;
	struct gil_words first, again = {.enabled = 1};

	/* nobody has the GIL of an interpreter that has ended */
	for (int try = 0; try < TRIES && !target->gils[index].gone; try++) {
		const struct target_thread *holder;

		before = clock_now_ns();
		if (gil_words_read((pid_t)target->info.pid, layout, address, &first) ||
		    first.locked < 0)
			return 0; /* its interpreter is gone, or not there yet */
		again = first;
		if (!first.locked)
			break;
		holder = threads_of_state(&snapshot->threads, target, first.last_holder);
		if (gil_words_read((pid_t)target->info.pid, layout, address, &again))
			return 0;
		if (first.mutex || again.mutex || !words_same(&first, &again))
			continue;
		event.observe.holder = holder ? holder->tid : 0;
		break;
	}
	event.hdr.flags = again.locked == 1 ? EVF_OBSERVE_LOCKED
			  : !again.enabled  ? EVF_OBSERVE_OFF
					    : 0;
	event.hdr.ts = clock_now_ns();
	event.observe.span_ns = span(before, event.hdr.ts);
	return sink_event(snapshot->sink, &event);
}

static int emit_all(const struct snapshot *snapshot)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < snapshot->threads.count && !pages_over(); i++)
		err = emit_thread(snapshot, &snapshot->threads.list[i]);
	for (uint32_t i = 0; !err && i < snapshot->threads.count && !pages_over(); i++)
		err = emit_state(snapshot, &snapshot->threads.list[i]);
	for (uint32_t i = 0; !err && i < snapshot->target->gil_count && !pages_over(); i++)
		err = emit_observe(snapshot, i);
	/* after all that: who was asleep by then has the mutex still (lock_is_certain()) */
	if (!err)
		err = emit_locks(snapshot);
	if (!err)
		err = epoll_emit_all(snapshot->target, snapshot->sink);
	return err ? err : loops_emit_all(snapshot->target, &snapshot->threads, snapshot->sink);
}

int target_locks(struct target *target, const uint16_t *gil_index, const struct stream_sink *sink)
{
	struct snapshot snapshot = {.target = target, .gil_index = gil_index, .sink = sink};
	int err;

	if (!target_alive(target))
		return -ESRCH;
	pages_allow(PAGES_ALLOW_NS);
	err = threads_list((pid_t)target->info.pid, &snapshot.threads);
	if (!err)
		err = emit_locks(&snapshot);
	threads_done(&snapshot.threads);
	return err;
}

int target_snapshot(struct target *target, const uint16_t *gil_index,
		    const struct stream_sink *sink)
{
	struct snapshot snapshot = {.target = target, .gil_index = gil_index, .sink = sink};
	int err;

	if (!target_alive(target))
		return -ESRCH;
	pages_allow(PAGES_ALLOW_NS);
	err = threads_read(target, &snapshot.threads);
	if (err)
		return err;
	err = emit_all(&snapshot);
	threads_done(&snapshot.threads);
	if (!err && !target_alive(target))
		err = -ESRCH;
	return err;
}

int target_states(struct target *target, target_state_found *state, void *ctx)
{
	struct threads threads;
	int err = threads_read(target, &threads);

	if (err)
		return err;
	for (uint32_t i = 0; i < threads.python_count && !err; i++)
		err = state(ctx, threads.python[i].state, threads.python[i].ident,
			    threads.python[i].tid);
	threads_done(&threads);
	return err;
}
