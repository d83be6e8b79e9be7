/* SPDX-License-Identifier: MIT */
/*
 * successor.h - how top goes to another process. An observing gilscope has given up what attaching
 * needs (confine.h), so a process that has not waits beside it: it reads nothing from anybody, and
 * ends when the observing one ends. When it is asked to continue, it lets the user choose a process
 * and observes that, with a successor of its own; the one before only waits for its exit status.
 */
#ifndef GILSCOPE_CMD_TOP_SUCCESSOR_H
#define GILSCOPE_CMD_TOP_SUCCESSOR_H

#include <stdbool.h>
#include <sys/types.h>

struct successor {
	pid_t pid; /* -1: there is none */
	int line;  /* it waits for a byte from here */
};

/* Before signals are caught and privileges dropped. Returns true in the successor, when it is its
 * turn; false at once in the caller. `close_fd` is a descriptor that it must not keep; 0: none. */
bool successor_begin(struct successor *successor, int close_fd);
/* Lets it go on, and waits for its end. Returns its exit status. */
int successor_run(struct successor *successor);
/* It is not needed. */
void successor_dismiss(struct successor *successor);

#endif
