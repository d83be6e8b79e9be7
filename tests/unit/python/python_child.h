/* SPDX-License-Identifier: MIT */
/* python_child.h - processes as the truth for the tests of the python room: starts Pythons, reads
 * what they print about themselves, takes snapshots. */
#ifndef GILSCOPE_TESTS_TARGET_CHILD_H
#define GILSCOPE_TESTS_TARGET_CHILD_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/duration.h"
#include "python/interpreter/version.h"
#include "python/target.h"

#define DEBIAN_PYTHON "/usr/bin/python3"

/* A child process and the pipes to it; killed at the end of the scope. */
struct child {
	pid_t pid;
	FILE *from;
	int to;
};

static inline void child_kill(struct child *child)
{
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	fclose(child->from);
	close(child->to);
}

static inline struct child spawn(const char *program, char *const argv[], const char *python_home)
{
	struct child child;
	int from[2], to[2];

	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* the child must not outlive a failed test */
		dup2(to[0], 0);
		dup2(from[1], 1);
		if (python_home)
			setenv("PYTHONHOME", python_home, 1);
		execv(program, argv);
		_exit(127);
	}
	close(from[1]);
	close(to[0]);
	child.from = fdopen(from[0], "r");
	child.to = to[1];
	return child;
}

static inline struct child python(const char *program, const char *script)
{
	return spawn(program, (char *[]){(char *)program, "-c", (char *)script, NULL}, NULL);
}

/* The next line that the child prints; fails the test if it has exited. */
static const char *line_of(struct child *child)
{
	static char line[256];

	assert_non_null(fgets(line, sizeof(line), child->from));
	line[strcspn(line, "\n")] = 0;
	return line;
}

static inline struct target *open_target(pid_t pid)
{
	struct diag diag = {0};
	struct target *target = NULL;

	if (target_open(pid, &diag, &target))
		fail_msg("%s", diag.what);
	return target;
}

static inline void target_freep(struct target **target)
{
	target_free(*target);
}

/* Calls `test` for each Python whose minor version is in the range, installed or built by
 * tests/matrix/run. */
static inline void for_each_python(int minor_min, int minor_max, void (*test)(const char *program))
{
	static const char *const patterns[] = {DEBIAN_PYTHON, "~/.pyenv/versions/3.*/bin/python3",
					       "build/matrix/built-*/bin/python3"};
	int tested = 0;

	for (size_t p = 0; p < sizeof(patterns) / sizeof(patterns[0]); p++) {
		glob_t found;

		if (glob(patterns[p], GLOB_TILDE, NULL, &found))
			continue;
		for (size_t i = 0; i < found.gl_pathc; i++) {
			_cleanup_(child_kill) struct child child = python(
				found.gl_pathv[i], "import sys; print(sys.version_info[1])");
			int minor = atoi(line_of(&child));

			if (minor < minor_min || minor > minor_max)
				continue;
			print_message("           %s (3.%d)\n", found.gl_pathv[i], minor);
			test(found.gl_pathv[i]);
			tested++;
		}
		globfree(&found);
	}
	if (!tested) {
		print_message("           no Python from 3.%d to 3.%d is installed\n", minor_min,
			      minor_max);
		skip();
	}
}

/* Events of a snapshot; their order is checked as they arrive. */
struct events {
	union event list[512];
	uint32_t count;
	uint64_t ts_begin;
};

static inline int event_keep(void *ctx, const union event *event)
{
	struct events *events = ctx;

	assert_true(events->count < 512);
	assert_true(event->hdr.ts >=
		    (events->count ? events->list[events->count - 1].hdr.ts : events->ts_begin));
	assert_true(event->hdr.ts <= clock_now_ns());
	events->list[events->count++] = *event;
	return 0;
}

/* more than any of these processes has */
static const uint16_t gil_numbers[] = {40, 41, 42, 43};

static inline int snapshot(struct target *target, struct events *events)
{
	struct stream_sink sink = {.event = event_keep, .ctx = events};

	events->count = 0;
	events->ts_begin = clock_now_ns();
	return target_snapshot(target, gil_numbers, &sink);
}

static inline const union event *event_of(const struct events *events, unsigned int type,
					  uint32_t tid)
{
	for (uint32_t i = 0; i < events->count; i++)
		if (events->list[i].hdr.type == type && events->list[i].hdr.tid == tid)
			return &events->list[i];
	return NULL;
}

static inline const union event *epoll_of(const struct events *events, uint32_t epfd)
{
	for (uint32_t i = 0; i < events->count; i++)
		if (events->list[i].hdr.type == EV_EPOLL && events->list[i].epoll.epfd == epfd)
			return &events->list[i];
	return NULL;
}

/* Probes of somebody who observes this file meanwhile are none of the file's code. */
static inline void without_probes(uint8_t *in_memory, const uint8_t *in_file, size_t size)
{
	static const uint8_t breakpoint = 0xcc; /* of x86-64 */

	for (size_t i = 0; i < size; i++)
		if (in_memory[i] == breakpoint)
			in_memory[i] = in_file[i];
}

#endif
