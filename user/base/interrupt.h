/* SPDX-License-Identifier: MIT */
/*
 * interrupt.h - whether the user wants the program to end (SIGINT, SIGTERM, SIGHUP). Raised by a
 * signal handler, polled by long loops. A global flag, because signals belong to the process.
 */
#ifndef GILSCOPE_BASE_INTERRUPT_H
#define GILSCOPE_BASE_INTERRUPT_H

#include <stdbool.h>

/* Async-signal-safe. Never reset. */
void interrupt_raise(void);
bool interrupted(void);

/* For a child, which must not inherit our handlers. Signals that were ignored stay ignored. */
void interrupt_forget_handlers(void);

#endif
