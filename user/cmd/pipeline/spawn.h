/* SPDX-License-Identifier: MIT */
/*
 * spawn.h - starts the command of `gilscope record -- COMMAND` and waits until there is a Python in
 * it to observe.
 *
 * Between gilscope and the command stands a keeper, a small process of its own that gilscope cannot
 * forget to tell: it holds one end of a socket, and when the other one is closed, by spawn_end() or
 * because gilscope is gone, however it went, it ends the command and everything that the command
 * started (SIGTERM, after five seconds SIGKILL). Processes that lose their parent become the
 * keeper's (PR_SET_CHILD_SUBREAPER), so none gets away. The command stays in gilscope's session and
 * process group: keys of the terminal reach it as ever.
 *
 * The command is what it would be without gilscope: its capabilities, signals and limits are those
 * gilscope was started with.
 */
#ifndef GILSCOPE_CMD_PIPELINE_SPAWN_H
#define GILSCOPE_CMD_PIPELINE_SPAWN_H

#include <sys/types.h>

struct diag;

/* A command that was started; all zero: none. */
struct spawned {
	pid_t pid; /* the command's */
	pid_t keeper;
	int line; /* to the keeper */
};

/*
 * Starts the command and returns when its process is a CPython whose interpreter is up. What it
 * does before that is not observed. 0, or -errno with a diag: it cannot be started, it exited
 * early, or no Python has shown up in its own process for twenty seconds (a wrapper that starts
 * Python as a child is not followed); then it has been stopped.
 */
int spawn_python(char **argv, struct diag *diag, struct spawned *ret_spawned);

/* Ends what still runs of the command and waits for that. Does nothing when there is none. */
void spawn_end(struct spawned *spawned);

#endif
