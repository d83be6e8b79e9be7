/* SPDX-License-Identifier: MIT */
/* The processes below a process, as far as they are Pythons that serve. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/duration.h"
#include "python/process/epoll.h"
#include "python/process/pages.h"
#include "python/process/proc.h"
#include "python/runners.h"
#include "python/target.h"
#include "python/threads.h"

enum {
	DEPTH_MAX = 3,	   /* a launcher, the supervisor, its workers */
	BELOW_MAX = 16,	   /* generations */
	EXAMINED_MAX = 16, /* each takes some 30 ms */
	LIST_BYTES = 4096,
};

struct search {
	uint32_t examined;
	uint8_t flags; /* of every child */
	int (*child)(void *ctx, uint32_t pid, uint8_t flags, const char *cmdline);
	void *ctx;
};

static void target_freep(struct target **target)
{
	target_free(*target);
}

static int ignore_process(void *ctx, const struct process_info *info)
{
	return 0;
}

static int note_loop(void *ctx, const union event *event)
{
	bool *runs = ctx;

	*runs |= event->hdr.type == EV_RUNS_LOOP && event->hdr.flags & EVF_RUNS_LOOP_YES;
	return 0;
}

/* Whether that can be said of one of its Python threads. */
typedef int thread_question(const struct target *target, uint64_t state, bool *ret_runs);

/* 1, 0, or -EAGAIN: a thread's frames changed while they were read. */
static int ask_threads(const struct target *target, thread_question *runs)
{
	_cleanup_(threads_done) struct threads threads = {0};
	bool any = false, again = false;

	pages_allow(PAGES_ALLOW_NS);
	if (threads_read(target, &threads))
		return 0;
	for (uint32_t i = 0; i < threads.python_count && !any && !pages_over(); i++) {
		int err = runs(target, threads.python[i].state, &any);

		any &= !err;
		again |= err == -EAGAIN;
	}
	return any ? 1 : again ? -EAGAIN : 0;
}

static bool any_thread(const struct target *target, thread_question *runs)
{
	enum { ASKED_MAX = 5 };
	int answer = -EAGAIN;

	for (int i = 0; i < ASKED_MAX && answer == -EAGAIN; i++) {
		if (i)
			nanosleep(&(struct timespec){.tv_nsec = 2 * NS_PER_MS}, NULL);
		answer = ask_threads(target, runs);
	}
	return answer == 1;
}

/* That it has a listening socket proves nothing: children inherit that. */
static bool works(const struct target *target)
{
	return any_thread(target, worker_runs) || epoll_accepts((pid_t)target->info.pid);
}

/* One that is no Python, or has ended, is no error. */
static int examine(void *ctx, pid_t pid)
{
	struct search *search = ctx;
	_cleanup_(target_freep) struct target *target = NULL;
	bool loop = false;
	struct stream_sink sink = {.process = ignore_process, .event = note_loop, .ctx = &loop};
	struct diag diag = {0};

	if (search->examined == EXAMINED_MAX || target_open(pid, &diag, &target))
		return 0;
	search->examined++;
	(void)target_describe_loops(target, &sink);
	if (!loop && !works(target))
		return 0;
	return search->child(search->ctx, (uint32_t)pid,
			     search->flags | (loop ? 0 : EVF_CHILD_WORKER), target->info.cmdline);
}

/* Visits the processes below one. `visit`: 0 to go on. */
struct descent {
	int (*visit)(void *ctx, pid_t pid);
	void *ctx;
	int depth;
};

static int walk(const struct descent *descent, pid_t pid, int depth);

/* The children that one of a process's threads has made (/proc/PID/task/TID/children). */
static int walk_list(const struct descent *descent, char *list, int depth)
{
	char *rest = list, *end;
	int err = 0;

	for (long pid; !err && (pid = strtol(rest, &end, 10)) > 0 && end != rest; rest = end) {
		err = descent->visit(descent->ctx, (pid_t)pid);
		if (!err && depth < descent->depth)
			err = walk(descent, (pid_t)pid, depth + 1);
	}
	return err;
}

static int walk(const struct descent *descent, pid_t pid, int depth)
{
	_cleanup_(threads_done) struct threads threads = {0};
	char path[64], list[LIST_BYTES];
	int err = threads_list(pid, &threads);

	if (err)
		return err == -ENOMEM ? err : 0;
	for (uint32_t i = 0; !err && i < threads.count; i++) {
		snprintf(path, sizeof(path), "/proc/%d/task/%u/children", pid, threads.list[i].tid);
		if (proc_read(path, list, sizeof(list)) > 0)
			err = walk_list(descent, list, depth);
	}
	return err;
}

bool target_supervises(const struct target *target)
{
	return any_thread(target, supervisor_runs);
}

int target_children(const struct target *target,
		    int (*child)(void *ctx, uint32_t pid, uint8_t flags, const char *cmdline),
		    void *ctx)
{
	struct search search = {.child = child, .ctx = ctx};

	if (target_supervises(target))
		search.flags = EVF_CHILD_SUPERVISED;
	return walk(&(struct descent){examine, &search, DEPTH_MAX}, (pid_t)target->info.pid, 1);
}

struct below {
	int (*child)(void *ctx, uint32_t pid);
	void *ctx;
};

static int visit_below(void *ctx, pid_t pid)
{
	const struct below *below = ctx;

	return below->child(below->ctx, (uint32_t)pid);
}

int target_below(const struct target *target, int (*child)(void *ctx, uint32_t pid), void *ctx)
{
	struct below below = {child, ctx};

	return walk(&(struct descent){visit_below, &below, BELOW_MAX}, (pid_t)target->info.pid, 1);
}
