/* SPDX-License-Identifier: MIT */
/*
 * spawn.h - starts the command of `gilscope record -- COMMAND` and waits until it is a Python
 * process that can be observed.
 *
 * The command's parent is a keeper, a small process that holds one end of a socket. When the other
 * end is closed, by spawn_end() or because gilscope has died for whatever reason, it terminates the
 * command and everything that the command started (SIGTERM, after five seconds SIGKILL). Processes
 * that lose their parent become children of the keeper (PR_SET_CHILD_SUBREAPER), so none escapes.
 * The command stays in gilscope's session and process group, so it gets the terminal's signals.
 *
 * The command has the capabilities, signals and limits that gilscope was started with.
 */
#ifndef GILSCOPE_CMD_PIPELINE_SPAWN_H
#define GILSCOPE_CMD_PIPELINE_SPAWN_H

#include <sys/types.h>

struct diag;

/* A command that was started. All zero: none. */
struct spawned {
	pid_t pid; /* the command's */
	pid_t keeper;
	int line; /* to the keeper */
};

/*
 * Starts the command and returns when its process is a CPython whose interpreter runs. What it does
 * before that is not observed. 0, or -errno with a diag, after the command has been terminated: it
 * cannot be started, it exited early, or its process has not become Python within twenty seconds
 * (a wrapper that starts Python as a child is not followed).
 */
int spawn_python(char **argv, struct diag *diag, struct spawned *ret_spawned);

/* Terminates the command and its descendants and waits for the keeper. Does nothing if there is
 * none. */
void spawn_end(struct spawned *spawned);

#endif
