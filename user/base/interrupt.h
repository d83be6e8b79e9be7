/* SPDX-License-Identifier: MIT */
/*
 * interrupt.h - whether the user wants the program to end (SIGINT, SIGTERM, SIGHUP). Raised by a
 * signal handler, read by what loops for long: a flag of the process, because a signal is one.
 */
#ifndef GILSCOPE_BASE_INTERRUPT_H
#define GILSCOPE_BASE_INTERRUPT_H

#include <stdbool.h>

/* Async-signal-safe. Never taken back. */
void interrupt_raise(void);
bool interrupted(void);

/* In a child: our handlers are not its own. What was ignored stays so. */
void interrupt_forget_handlers(void);

#endif
