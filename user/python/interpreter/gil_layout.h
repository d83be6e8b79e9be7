/* SPDX-License-Identifier: MIT */
/*
 * gil_layout.h - where the fields of a GIL are (struct _gil_runtime_state, CPython's
 * Include/internal/pycore_gil.h), and how a pending drop request is read. The layout differs
 * between targets: free-threaded builds have one field more, and the sizes in between are the C
 * library's (python/interpreter/gil.h makes it). The probes get it with every GIL. Shared with BPF,
 * so it includes nothing and has fixed types.
 */
#ifndef GILSCOPE_PYTHON_INTERPRETER_GIL_LAYOUT_H
#define GILSCOPE_PYTHON_INTERPRETER_GIL_LAYOUT_H

#define GIL_NO_FIELD 0xffffu

/* Offsets in bytes */
struct gil_layout {
	unsigned short enabled;	    /* int: 0 while it is switched off; GIL_NO_FIELD in a build that
				       always has a GIL */
	unsigned short interval;    /* unsigned long, µs */
	unsigned short last_holder; /* PyThreadState * */
	unsigned short locked;	    /* int: -1 before creation, 0, 1 */
	unsigned short switch_number; /* unsigned long */
	unsigned short cond;	      /* pthread_cond_t that waiters sleep on */
	unsigned short mutex;	      /* pthread_mutex_t of `cond` and of the fields above */
	unsigned short switch_cond;   /* pthread_cond_t of the forced hand-over */
	unsigned short size;	      /* of the whole */
	unsigned short waiters;	      /* musl: in a condition variable, the address of its newest
					 struct musl_waiter; GIL_NO_FIELD: another C library */
	unsigned short spare[2];
};

/*
 * A thread that waits for a condition variable of musl's, on its own stack
 * (src/thread/pthread_cond_timedwait.c, struct waiter). The futex that it sleeps on is `barrier`,
 * so none of the GIL's. It is in the list until it is signalled or leaves.
 */
struct musl_waiter {
	unsigned long long previous, next;
	unsigned int state;   /* MUSL_WAITING; another one once it is signalled, or leaves */
	unsigned int barrier; /* MUSL_BARRED until it is woken */
};

enum { MUSL_WAITING = 0, MUSL_BARRED = 2, MUSL_WAITERS_MAX = 64 }; /* that are looked through */

/* Where a pending drop request can be read when a DROP is seen (who asked: ceval_gil.h,
 * SET_GIL_DROP_REQUEST). */
enum drop_request_kind {
	DROP_REQUEST_UNKNOWN,
	DROP_REQUEST_ADDRESS, /* int at a fixed address (3.8: _PyRuntime; 3.9 to 3.11: main
				 interpreter) */
	DROP_REQUEST_INTERP,  /* int at tstate->interp + offset (3.12; correct for 3.9 to 3.11 too)
			       */
	DROP_REQUEST_TSTATE,  /* bit 0 of the word at tstate + offset (3.13 on) */
};

#endif
