/* SPDX-License-Identifier: MIT */
/*
 * runtime.h - walks CPython's runtime in a process's memory: interpreters, their GILs, their thread
 * states. The lists change while they are read and may be forged; every walk is bounded, and a
 * broken link ends it.
 */
#ifndef GILSCOPE_PYTHON_INTERPRETER_RUNTIME_H
#define GILSCOPE_PYTHON_INTERPRETER_RUNTIME_H

#include "python/versions/layout.h"

enum { INTERPRETERS_MAX = 1024, THREAD_STATES_MAX = 1 << 16 };

struct interpreter {
	uint64_t address, gil;
	uint32_t id;
};

/* Fills at most INTERPRETERS_MAX entries of `list`, the main interpreter first. Not `ret_whole`:
 * there may be others. Returns their number or -errno; -EAGAIN: the main interpreter or its GIL
 * does not exist yet. */
int runtime_interpreters(pid_t pid, const struct python_layout *layout, uint64_t runtime,
			 struct interpreter *list, bool *ret_whole);

struct python_thread_state {
	uint64_t address;
	uint64_t thread_id;	   /* pthread_self() */
	uint64_t native_thread_id; /* gettid() in the process's PID namespace; 0: this version does
				      not store it */
};

/* All thread states of all interpreters. The list is the caller's to free. Not `ret_whole`: a list
 * had no end, or a state of it could not be read, so there may be others. Returns their number or
 * -errno. */
int runtime_thread_states(pid_t pid, const struct python_layout *layout, uint64_t runtime,
			  struct python_thread_state **ret_list, bool *ret_whole);
int runtime_thread_state(pid_t pid, const struct python_layout *layout, uint64_t address,
			 struct python_thread_state *ret_state);

/* Whether the memory at the main GIL's address confirms the layout. */
enum gil_verdict {
	GIL_WRONG,     /* this is not the GIL: the layout is wrong */
	GIL_ABSENT,    /* not created yet: the interpreter is starting */
	GIL_PLAUSIBLE, /* it may be, but this could be coincidence (its switch interval was
			  changed, its last holder is gone) */
	GIL_PROVEN,    /* the one place in _PyRuntime that looks like a GIL */
};

/*
 * The calibration: looks through _PyRuntime for the one place where a default switch interval (5000
 * µs), a thread state with a plausible interpreter, a lock word and a switch number lie as in
 * struct _gil_runtime_state. Independent of the layout's offsets.
 */
int runtime_calibrate(pid_t pid, uint64_t runtime, uint64_t runtime_size, uint64_t gil,
		      const struct python_layout *layout, enum gil_verdict *ret_verdict);

#endif
