/* SPDX-License-Identifier: MIT */
/* The Python stacks of threads that sleep, read from outside. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "python/interpreter/asyncio.h"
#include "python/interpreter/objects.h"
#include "python/process/pages.h"
#include "python/process/memory.h"
#include "python/process/proc.h"
#include "python/process/sleep.h"
#include "python/threads.h"

enum { STATUS_BYTES = 16384 };

/* How long stacks are read, their code objects included; threads beyond have none. */
#define STILLS_NS (500 * NS_PER_MS)

/* How often a thread has left a CPU, and what it did then (fs/proc/array.c). */
struct rest {
	uint64_t voluntary, involuntary;
	char state;
};

static const char *line_after(const char *text, const char *key)
{
	const char *line = strstr(text, key);

	return line ? line + strlen(key) : NULL;
}

static bool rest_read(const struct target *target, uint32_t tid, struct rest *ret_rest)
{
	char path[64], text[STATUS_BYTES];
	const char *state, *voluntary, *involuntary;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/status", target->info.pid, tid);
	if (proc_read(path, text, sizeof(text)) <= 0)
		return false;
	/* the name comes first, and its newlines are escaped */
	state = line_after(text, "\nState:\t");
	voluntary = line_after(text, "\nvoluntary_ctxt_switches:\t");
	involuntary = line_after(text, "\nnonvoluntary_ctxt_switches:\t");
	if (!state || !voluntary || !involuntary)
		return false;
	ret_rest->state = *state;
	ret_rest->voluntary = strtoull(voluntary, NULL, 10);
	ret_rest->involuntary = strtoull(involuntary, NULL, 10);
	return true;
}

/* Stopped or asleep at both ends, and never on a CPU between them. */
static bool was_still(const struct rest *before, const struct rest *after)
{
	return strchr("SDTt", before->state) && strchr("SDTt", after->state) &&
	       before->voluntary == after->voluntary && before->involuntary == after->involuntary;
}

/* The running task's name; "" if there is none, or it is unknown. A task that was given no name
 * has a number until its name is asked for (Modules/_asynciomodule.c). */
static void task_read(const struct target *target, uint64_t state, char *to, size_t size)
{
	struct objects objects = objects_of(target);
	uint64_t task, name, number;

	*to = 0;
	if (target->stack.tstate_task == STACK_NONE ||
	    memory_read_u64(objects.pid, state + target->stack.tstate_task, &task) || !task ||
	    memory_read_u64(objects.pid, task + target->stack.task_name, &name))
		return;
	if (object_int(&objects, name, &number) == 0)
		snprintf(to, size, "Task-%" PRIu64, number);
	else if (object_text(&objects, name, to, size))
		*to = 0;
}

/* Of the states of a thread, one per interpreter that it has been in, the one that counts. Up to
 * 3.11 none says so. */
static bool is_current(const struct target *target, uint64_t state)
{
	uint32_t bit = target->layout.tstate_bound;
	uint8_t byte;

	return bit == LAYOUT_NONE ||
	       (memory_read((pid_t)target->info.pid, state + bit / 8, &byte, sizeof(byte)) == 0 &&
		byte >> bit % 8 & 1);
}

/* Up to 3.11 of that which has frames. */
static bool stack_read(const struct target *target, const struct threads *threads,
		       const struct target_thread *thread, struct still_stack *still)
{
	bool found = false;

	for (uint32_t i = thread->first, n = 0; i && n < STATES_OF_THREAD_MAX;
	     i = threads->python[i - 1].next, n++) {
		uint64_t state = threads->python[i - 1].state;

		if (!is_current(target, state) ||
		    !frames_read((pid_t)target->info.pid, &target->stack, state, &still->frames))
			continue;
		found = true;
		task_read(target, state, still->task, sizeof(still->task));
		if (still->frames.count)
			break;
	}
	return found;
}

static bool still_read(const struct target *target, const struct threads *threads,
		       const struct target_thread *thread, struct still_stack *still)
{
	uint64_t begin = clock_now_ns();
	struct rest before, after;

	if (!rest_read(target, thread->tid, &before) || !strchr("SDTt", before.state) ||
	    !stack_read(target, threads, thread, still))
		return false;
	sleep_file_read((pid_t)target->info.pid, thread->tid, &still->file);
	if (!rest_read(target, thread->tid, &after) || !was_still(&before, &after))
		return false;
	still->tid = thread->tid;
	still->ts = clock_now_ns();
	still->span_ns = still->ts - begin < UINT32_MAX ? (uint32_t)(still->ts - begin)
							: UINT32_MAX;
	return true;
}

int target_stills(struct target *target, int (*still)(void *ctx, const struct still_stack *stack),
		  void *ctx)
{
	_cleanup_(threads_done) struct threads threads = {0};
	_cleanup_(freep) struct still_stack *stack = NULL;
	uint64_t end = clock_now_ns() + STILLS_NS;
	int err;

	if (!target->stack.runtime)
		return 0;
	stack = calloc(1, sizeof(*stack));
	if (!stack)
		return -ENOMEM;
	pages_allow(PAGES_ALLOW_NS);
	err = threads_read(target, &threads);
	for (uint32_t i = 0; !err && i < threads.count && clock_now_ns() < end; i++) {
		if (!threads.list[i].python)
			continue;
		if (pages_over())
			return -EINTR;
		pages_allow(PAGES_ALLOW_NS);
		if (still_read(target, &threads, &threads.list[i], stack))
			err = still(ctx, stack);
	}
	return err;
}
