/* SPDX-License-Identifier: MIT */
/*
 * sleep.h - on what a thread sleeps, as /proc shows it: the file behind the descriptor of its
 * system call. No file of the target is opened or looked up, so nothing waits for a file system; a
 * regular file therefore looks like a named pipe, and both are left out.
 */
#ifndef GILSCOPE_PYTHON_PROCESS_SLEEP_H
#define GILSCOPE_PYTHON_PROCESS_SLEEP_H

#include "python/target.h"

/* The file that the thread sleeps on now; all 0 if it does not sleep in such a call. Whether it did
 * so all the time is for the caller to find out. */
void sleep_file_read(pid_t pid, uint32_t tid, struct sleep_file *ret_file);
/* The file behind a descriptor. */
void sleep_file_of(pid_t pid, uint32_t fd, struct sleep_file *ret_file);

#endif
