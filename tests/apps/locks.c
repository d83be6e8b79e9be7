/* SPDX-License-Identifier: MIT */
/*
 * locks.c - C code that keeps others waiting: threads that compute, and a mutex held while a pipe
 * is full.
 *
 * cc -shared -fPIC -pthread -o locks.so locks.c; called by ctypes, tests/live/stalls/test_locks.py.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Begins when whoever started it is asleep: before, its work holds nobody up. */
static void *compute(void *ns)
{
	uint64_t end;

	pthread_setname_np(pthread_self(), "blas");
	usleep(50000);
	end = now_ns(CLOCK_THREAD_CPUTIME_ID) + *(uint64_t *)ns;
	/* most of the time in here, not in the kernel's code that reads the clock */
	while (now_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		for (volatile int i = 0; i < 100000; i++)
			;
	return NULL;
}

/* As a BLAS does: this many threads compute for so long each, and the caller waits. */
void multiply(int threads, uint64_t ns)
{
	pthread_t thread[16];

	for (int i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, compute, &ns);
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, outer = PTHREAD_MUTEX_INITIALIZER;

/* Only glibc has this. In musl's mutexes of the usual kind nobody notes the owner. */
extern const char *gnu_get_libc_version(void) __attribute__((weak));

__attribute__((constructor)) static void note_owners(void)
{
	pthread_mutexattr_t kind;

	if (gnu_get_libc_version)
		return;
	pthread_mutexattr_init(&kind);
	pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&mutex, &kind);
	pthread_mutex_init(&outer, &kind);
}

void lock(void)
{
	pthread_mutex_lock(&mutex);
}

void unlock(void)
{
	pthread_mutex_unlock(&mutex);
}

void lock_outer(void)
{
	pthread_mutex_lock(&outer);
}

/* Waits for the other one with this one. */
void lock_both(void)
{
	lock_outer();
	lock();
}

/* Sleeps before it does so. */
void unlock_after(uint64_t ns)
{
	nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
	unlock();
}

/* Holds the mutex while it writes. Returns when it was released, by CLOCK_MONOTONIC. */
uint64_t log_line(int fd, const char *line, uint64_t length)
{
	uint64_t released;

	lock();
	if (write(fd, line, length) < 0)
		length = 0;
	released = now_ns(CLOCK_MONOTONIC);
	unlock();
	return released;
}
