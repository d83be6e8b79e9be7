/* SPDX-License-Identifier: MIT */
/* The processes below a process, as far as they are Pythons that run event loops. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "python/process/proc.h"
#include "python/target.h"
#include "python/threads.h"

enum {
	DEPTH_MAX = 3,	   /* a launcher, the supervisor, its workers */
	EXAMINED_MAX = 16, /* each takes some 30 ms */
	LIST_BYTES = 4096,
};

struct search {
	uint32_t examined;
	int (*child)(void *ctx, uint32_t pid, const char *cmdline);
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

/* One that is no Python, or has ended, is no error. */
static int examine(struct search *search, pid_t pid)
{
	_cleanup_(target_freep) struct target *target = NULL;
	bool runs = false;
	struct stream_sink sink = {.process = ignore_process, .event = note_loop, .ctx = &runs};
	struct diag diag = {0};

	if (search->examined == EXAMINED_MAX || target_open(pid, &diag, &target))
		return 0;
	search->examined++;
	(void)target_describe_loops(target, &sink);
	return runs ? search->child(search->ctx, (uint32_t)pid, target->info.cmdline) : 0;
}

static int walk(struct search *search, pid_t pid, int depth);

/* The children that one of a process's threads has made (/proc/PID/task/TID/children). */
static int walk_list(struct search *search, char *list, int depth)
{
	char *rest = list, *end;
	int err = 0;

	for (long pid; !err && (pid = strtol(rest, &end, 10)) > 0 && end != rest; rest = end) {
		err = examine(search, (pid_t)pid);
		if (!err && depth < DEPTH_MAX)
			err = walk(search, (pid_t)pid, depth + 1);
	}
	return err;
}

static int walk(struct search *search, pid_t pid, int depth)
{
	_cleanup_(threads_done) struct threads threads = {0};
	char path[64], list[LIST_BYTES];
	int err = threads_list(pid, &threads);

	if (err)
		return err == -ENOMEM ? err : 0;
	for (uint32_t i = 0; !err && i < threads.count && search->examined < EXAMINED_MAX; i++) {
		snprintf(path, sizeof(path), "/proc/%d/task/%u/children", pid, threads.list[i].tid);
		if (proc_read(path, list, sizeof(list)) > 0)
			err = walk_list(search, list, depth);
	}
	return err;
}

int target_children(const struct target *target,
		    int (*child)(void *ctx, uint32_t pid, const char *cmdline), void *ctx)
{
	struct search search = {.child = child, .ctx = ctx};

	return walk(&search, (pid_t)target->info.pid, 1);
}
