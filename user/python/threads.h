/* SPDX-License-Identifier: MIT */
/*
 * threads.h - the threads of a process, and which of them a PyThreadState belongs to.
 *
 * From 3.11 on the thread state holds gettid() (after a fork() too). Before that it holds
 * pthread_self(), the address of libc's own structure, which has gettid() at an offset that differs
 * between libcs. The offset is found by comparison with the kernel's list of threads, and used only
 * if it is unambiguous. The only state of a process with one thread is that thread's.
 */
#ifndef GILSCOPE_PYTHON_THREADS_H
#define GILSCOPE_PYTHON_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "python/interpreter/runtime.h"

enum { STATES_OF_THREAD_MAX = 64 }; /* more are a list that goes round in circles */

struct target_thread {
	uint32_t tid;	      /* in the PID namespace of gilscope's /proc */
	uint32_t nstid;	      /* in the process's own PID namespace; 0: unknown */
	bool python;	      /* it has a PyThreadState */
	uint32_t first, last; /* its entries in threads.python, counted from 1; 0: none */
};

/* A PyThreadState and the thread it belongs to; a thread has one per interpreter that it runs. */
struct python_thread {
	uint64_t state; /* address */
	uint64_t ident; /* threading.get_ident() */
	uint32_t tid;
	uint32_t next; /* entry of the same thread, counted from 1; 0: none */
};

struct threads {
	struct target_thread *list; /* by nstid */
	uint32_t count;
	struct python_thread
		*python; /* those whose thread is certain; the main interpreter's first */
	uint32_t python_count;
	bool whole;	     /* all of Python's states were read, and the thread of each is known:
				threads without one are not Python's */
	uint32_t nspid;	     /* the process's pid in its own namespace; 0: unknown */
	int32_t pthread_tid; /* offset of gettid() in what pthread_self() points to; -1: unknown
				or not needed */
};

struct target;

/*
 * Lists the threads of a target and marks Python's. 0 or -errno. A thread that starts or exits
 * during the call may be missing; Python's part is left out when its memory cannot be read.
 * -EINTR: the user has asked to stop before all were read (pages_over()).
 */
int threads_read(const struct target *target, struct threads *ret_threads);
/* The kernel's list of a process's threads only, of any process. 0 or -errno (-ESRCH: gone). */
int threads_list(pid_t pid, struct threads *ret_threads);
void threads_done(struct threads *threads);

/* The thread with this tid, or NULL. */
const struct target_thread *threads_find(const struct threads *threads, uint32_t tid);

/* Reads the PyThreadState at an address and returns its thread; NULL unless that is certain. */
const struct target_thread *threads_of_state(const struct threads *threads,
					     const struct target *target, uint64_t address);

#endif
