/* SPDX-License-Identifier: MIT */
/*
 * threads.h - the threads of a process, and which of them a PyThreadState belongs to.
 *
 * From 3.11 on the thread state holds gettid() (after a fork() too). Before that it holds
 * pthread_self(), the address of libc's own structure, which has gettid() in a place that differs
 * between libcs: the place is found by comparison with the threads the kernel shows, and used only
 * if there is no doubt.
 */
#ifndef GILSCOPE_PYTHON_THREADS_H
#define GILSCOPE_PYTHON_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "python/interpreter/runtime.h"

struct target_thread {
	uint32_t tid;	      /* as our /proc shows it */
	uint32_t nstid;	      /* in the process's own PID namespace; 0: not known */
	bool python;	      /* some PyThreadState is this thread's */
	uint32_t first, last; /* of those, in `python`, from 1; 0: none */
};

/* A PyThreadState and the thread it belongs to; a thread has one per interpreter that it runs. */
struct python_thread {
	uint64_t state; /* address */
	uint64_t ident; /* threading.get_ident() */
	uint32_t tid;
	uint32_t next; /* of the same thread, from 1; 0: none */
};

struct threads {
	struct target_thread *list; /* by nstid */
	uint32_t count;
	struct python_thread
		*python; /* those whose thread is certain, of the main interpreter first */
	uint32_t python_count;
	uint32_t nspid;	     /* the pid as the process itself sees it; 0: not known */
	int32_t pthread_tid; /* offset of gettid() in what pthread_self() points to; -1: not known,
				or not needed */
};

struct target;

/*
 * Lists the threads of a target and marks those that Python knows. 0 or -errno. A thread that comes
 * or goes meanwhile may be missing; Python's part is left out when its memory cannot be read.
 * -EINTR: the user wants to end, and there was no time for all (pages_over()).
 */
int threads_read(const struct target *target, struct threads *ret_threads);
void threads_done(struct threads *threads);

/* The thread of this number; NULL. */
const struct target_thread *threads_find(const struct threads *threads, uint32_t tid);

/* The thread of a PyThreadState at an address, read now; NULL unless it is certain. */
const struct target_thread *threads_of_state(const struct threads *threads,
					     const struct target *target, uint64_t address);

#endif
