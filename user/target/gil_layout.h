/* SPDX-License-Identifier: MIT */
/*
 * gil_layout.h - struct _gil_runtime_state (CPython's Include/internal/pycore_gil.h), the same from 3.8 to 3.15 with glibc on 64-bit machines; and
 * how a pending drop request is read. The probes share it with user space, so it includes nothing.
 */
#ifndef GILSCOPE_TARGET_GIL_LAYOUT_H
#define GILSCOPE_TARGET_GIL_LAYOUT_H

enum {
	GIL_INTERVAL = 0,      /* unsigned long, µs */
	GIL_LAST_HOLDER = 8,   /* PyThreadState * */
	GIL_LOCKED = 16,       /* int: -1 before creation, 0, 1 */
	GIL_SWITCH_NUMBER = 24,
	GIL_COND = 32,	       /* pthread_cond_t that waiters sleep on */
	GIL_MUTEX = 80,
	GIL_SWITCH_COND = 120, /* pthread_cond_t of the forced hand-over */
	GIL_SIZE = 208,
};

/* Where a pending drop request can be read when a DROP is seen (who asked: ceval_gil.h, SET_GIL_DROP_REQUEST). */
enum drop_request_kind {
	DROP_REQUEST_UNKNOWN,
	DROP_REQUEST_ADDRESS, /* int at a fixed address (3.8: _PyRuntime; 3.9 to 3.11: main interpreter) */
	DROP_REQUEST_INTERP,  /* int at tstate->interp + offset (3.12; correct for 3.9 to 3.11 too) */
	DROP_REQUEST_TSTATE,  /* bit 0 of the word at tstate + offset (3.13 on) */
};

#endif
