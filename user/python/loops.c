/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "python/interpreter/asyncio.h"
#include "python/loops.h"
#include "python/runners.h"
#include "python/process/memory.h"
#include "python/interpreter/objects.h"
#include "python/process/pages.h"
#include "python/private.h"
#include "python/interpreter/version.h"

enum { NAME_BYTES = 128 };

/* 3.8 to 3.11: an object that holds the loop, and the pid of the process that set it: after a
 * fork() it does not count. */
static int holder_read(const struct objects *objects, const struct threads *threads,
		       uint64_t holder, uint64_t *ret_loop)
{
	char name[NAME_BYTES];
	uint32_t pid;
	int err = object_type_name(objects, holder, name, sizeof(name));

	if (!err && !strstr(name, "_RunningLoopHolder"))
		err = -EINVAL;
	if (!err)
		err = memory_read_u32(objects->pid, holder + objects->layout->holder_pid, &pid);
	if (err)
		return err;
	if (threads->nspid && pid != threads->nspid) {
		*ret_loop = 0;
		return 0;
	}
	return memory_read_u64(objects->pid, holder + objects->layout->holder_loop, ret_loop);
}

/* Up to 3.12. No dict, or no such key in it: no loop ever ran in this thread. */
static int from_dict(const struct objects *objects, const struct target *target,
		     const struct threads *threads, uint64_t state, uint64_t *ret_loop)
{
	uint64_t dict, value;
	int err = memory_read_u64(objects->pid, state + target->layout.tstate_dict, &dict);

	if (!err && !dict)
		err = -ENOENT;
	if (!err)
		err = object_dict_get(objects, dict, "__asyncio_running_event_loop__", &value);
	if (err == -ENOENT) {
		*ret_loop = 0;
		return 0;
	}
	if (err)
		return err;
	if (objects->layout->holder_loop != LAYOUT_NONE)
		return holder_read(objects, threads, value, ret_loop);
	*ret_loop = value;
	return 0;
}

/* The loop object that runs in a thread state, 0: none. */
static int running_loop(const struct objects *objects, const struct target *target,
			const struct threads *threads, uint64_t state, uint64_t *ret_loop)
{
	char name[NAME_BYTES];
	int err;

	if (target->layout.tstate_dict != LAYOUT_NONE)
		err = from_dict(objects, target, threads, state, ret_loop);
	else if (target->private->tstate_loop)
		err = memory_read_u64(objects->pid, state + target->private->tstate_loop, ret_loop);
	else
		return -ENOTSUP;
	if (err || !*ret_loop)
		return err;
	err = object_type_name(objects, *ret_loop, name, sizeof(name));
	if (!err && strcmp(name, "NoneType") == 0)
		*ret_loop = 0;
	return err;
}

/* Cython's types have full names, Python's own only the class's. Applications derive loops of their
 * own from both. */
static int kind_of_name(void *ctx, const char *name)
{
	uint32_t *kind = ctx;

	if (strncmp(name, "uvloop.", 7) == 0)
		*kind = LOOP_UVLOOP;
	else if (strcmp(name, "BaseSelectorEventLoop") == 0)
		*kind = LOOP_ASYNCIO;
	return *kind != LOOP_UNKNOWN;
}

/* What a thread state runs: asyncio's loop, or trio's. */
static int state_runs(const struct target *target, const struct threads *threads, uint64_t state,
		      bool *ret_runs, uint32_t *ret_kind)
{
	struct objects objects = objects_of(target);
	uint64_t loop = 0;
	int err = running_loop(&objects, target, threads, state, &loop);

	*ret_runs = !err && loop;
	*ret_kind = LOOP_UNKNOWN;
	if (!err && loop)
		(void)object_type_visit(&objects, loop, kind_of_name, ret_kind);
	if (err || loop)
		return err;
	err = trio_runs(target, state, ret_runs);
	*ret_kind = !err && *ret_runs ? LOOP_TRIO : LOOP_UNKNOWN;
	return err == -ENOTSUP ? 0 : err;
}

/* A thread runs a loop when it does so in one of its interpreters; it does not when that is known
 * of all. Otherwise it is unknown, and nothing is emitted. */
static int emit_runs_loop(struct target *target, const struct threads *threads,
			  const struct target_thread *thread, const struct stream_sink *sink)
{
	union event event = {.runs_loop = {.hdr = {.type = EV_RUNS_LOOP, .tid = thread->tid}}};
	uint64_t before = clock_now_ns();
	bool runs = false;
	int states = 0;

	if (!thread->python && !threads->whole)
		return 0;
	for (uint32_t i = thread->first; i && !runs; i = threads->python[i - 1].next)
		if (++states > STATES_OF_THREAD_MAX ||
		    state_runs(target, threads, threads->python[i - 1].state, &runs,
			       &event.runs_loop.kind))
			return 0;
	event.hdr.ts = clock_now_ns();
	event.runs_loop.span_ns = event.hdr.ts - before < UINT32_MAX
					  ? (uint32_t)(event.hdr.ts - before)
					  : UINT32_MAX;
	event.hdr.flags = runs ? EVF_RUNS_LOOP_YES : 0;
	return sink_event(sink, &event);
}

int loops_emit_all(struct target *target, const struct threads *threads,
		   const struct stream_sink *sink)
{
	int err = 0;

	if (!target->stack.runtime)
		return 0;
	asyncio_examine_modules(target);
	for (uint32_t i = 0; !err && i < threads->count && !pages_over(); i++)
		err = emit_runs_loop(target, threads, &threads->list[i], sink);
	return err;
}

/* Reads the threads within the time limit of a request. 1: they are read; 0: nothing can be said of
 * their loops; -ENOMEM. */
static int read_threads(struct target *target, struct threads *threads)
{
	int err;

	if (!target->stack.runtime)
		return 0;
	pages_allow(PAGES_ALLOW_NS);
	err = threads_read(target, threads);
	if (err == -ENOMEM)
		return err;
	return err == 0;
}

int target_describe_loop(struct target *target, uint32_t tid, const struct stream_sink *sink)
{
	_cleanup_(threads_done) struct threads threads = {0};
	const struct target_thread *thread;
	int read = read_threads(target, &threads);

	if (read <= 0)
		return read;
	asyncio_examine_modules(target);
	thread = threads_find(&threads, tid);
	return thread ? emit_runs_loop(target, &threads, thread, sink) : 0;
}

int target_describe_loops(struct target *target, const struct stream_sink *sink)
{
	_cleanup_(threads_done) struct threads threads = {0};
	int read = read_threads(target, &threads);

	return read > 0 ? loops_emit_all(target, &threads, sink) : read;
}
