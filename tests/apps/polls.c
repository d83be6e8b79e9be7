/* SPDX-License-Identifier: MIT */
/*
 * polls.c - preloaded into an application, notes when it enters and leaves epoll waits: the very
 * edges of its event loop's turns, seen from inside.
 *
 * cc -shared -fPIC -o polls.so polls.c; LD_PRELOAD=polls.so python … loop_truth.py, which reads
 * `polls` and `polls_count`. Needs no symbol newer than glibc 2.17, so that one library serves
 * every root of the matrix. With POLLS_DIRECT in the environment the system calls are made without
 * the functions of the C library that are named after them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
__asm__(".symver dlsym, dlsym@GLIBC_2.2.5");
#else
__asm__(".symver dlsym, dlsym@GLIBC_2.17");
#endif

#define POLLS_MAX 65536

struct poll_note {
	uint64_t entered_ns, returned_ns;
};

struct poll_note polls[POLLS_MAX];
uint64_t polls_count;

typedef int pwait(int epfd, struct epoll_event *events, int room, int timeout,
		  const sigset_t *mask);
static pwait *pwait_of_libc;

__attribute__((constructor)) static void find_libc(void)
{
	if (!getenv("POLLS_DIRECT"))
		pwait_of_libc = (pwait *)dlsym(RTLD_NEXT, "epoll_pwait");
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int epoll_pwait(int epfd, struct epoll_event *events, int room, int timeout, const sigset_t *mask)
{
	struct poll_note note = {.entered_ns = now_ns()};
	int ready;

	if (pwait_of_libc)
		ready = pwait_of_libc(epfd, events, room, timeout, mask);
	else
		ready = (int)syscall(SYS_epoll_pwait, epfd, events, room, timeout, mask, _NSIG / 8);
	note.returned_ns = now_ns();
	/* threads may share a place and lose a note: only the loop's thread polls while it matters
	 */
	polls[polls_count++ % POLLS_MAX] = note;
	return ready;
}

int epoll_wait(int epfd, struct epoll_event *events, int room, int timeout)
{
	return epoll_pwait(epfd, events, room, timeout, NULL);
}
