/* SPDX-License-Identifier: MIT */
/*
 * pythons.h - the processes of this system that look like Python.
 */
#ifndef GILSCOPE_PYTHON_PROCESS_PYTHONS_H
#define GILSCOPE_PYTHON_PROCESS_PYTHONS_H

#include <sys/types.h>

#define PYTHONS_CMDLINE_MAX 1024

/*
 * Calls `found` for every process whose executable, or whose first argument (a process may change
 * it), has the name of a Python or of a server that is written in it. Nothing but names in /proc is
 * read: whether it is a CPython is for target_open() to say. `cmdline` is hostile, see
 * proc_cmdline(). Ends when `found` returns another value than 0, and returns that; or -errno.
 */
int pythons_each(int (*found)(void *ctx, pid_t pid, const char *cmdline), void *ctx);

/* The name of a server in a command line: "uvicorn"; NULL: none that is known. */
const char *pythons_server(const char *cmdline);

#endif
