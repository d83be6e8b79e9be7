/* SPDX-License-Identifier: MIT */
/*
 * spawn.h - starts the command of `gilscope record -- COMMAND` and waits until there is a Python in it to observe.
 */
#ifndef GILSCOPE_CMD_SPAWN_H
#define GILSCOPE_CMD_SPAWN_H

#include <sys/types.h>

struct diag;

/*
 * Starts the command and returns when its process is a CPython whose interpreter is up. What it does before that is not observed. 0, or -errno with
 * a diag: it cannot be started, it exited early, or no Python has shown up in its own process for ten seconds (a wrapper that starts Python as a
 * child is not followed); then it has been stopped.
 */
int spawn_python(char **argv, struct diag *diag, pid_t *ret_pid);

/* Ends the command if it still runs (SIGTERM, after five seconds SIGKILL) and collects it. */
void spawn_end(pid_t pid);

#endif
