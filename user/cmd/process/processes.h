/* SPDX-License-Identifier: MIT */
/*
 * processes.h - finds the process that a command line means, and lists those that it could mean.
 *
 * /proc of every process is read, before any privilege is dropped. All of it is hostile: names are
 * escaped, and the number of processes, of examinations and their time are bounded.
 */
#ifndef GILSCOPE_CMD_PROCESS_PROCESSES_H
#define GILSCOPE_CMD_PROCESS_PROCESSES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/diag.h"

struct found_process;

struct found_processes {
	struct found_process *list; /* by PID */
	uint32_t count;
	bool by_port;
};

/*
 * The Python processes that `text` means: ":8000" is those that listen on that port, anything else
 * an extended regular expression for the command line (as of pgrep -f), NULL is all. A supervisor
 * is left out when a process below it is meant too and runs an event loop. 0 or -errno with a diag;
 * that there is none is no error.
 */
int processes_find(const char *text, struct diag *diag, struct found_processes *ret_found);
/* The same with all supervisors, for which no process need be examined. */
int processes_match(const char *text, struct diag *diag, struct found_processes *ret_found);
/* The Python processes that have this PID in a PID namespace below ours, as a container's. */
int processes_find_inside(uint32_t pid, struct diag *diag, struct found_processes *ret_found);
/* The container that it runs in; "": none, or unknown. */
#define PROCESSES_CONTAINER_MAX 64
void processes_container(const struct found_processes *found, uint32_t i,
			 char to[static PROCESSES_CONTAINER_MAX]);
uint32_t processes_pid(const struct found_processes *found, uint32_t i);
/* Its supervisor, which was left out for it; 0: none. */
uint32_t processes_supervisor(const struct found_processes *found, uint32_t i);
/* Are they one service: do all of them have the port that was asked for, or the same supervisor,
 * which was left out? */
bool processes_are_service(const struct found_processes *found);

#define PROCESSES_ROW_MAX 512
extern const char processes_heading[]; /* of the rows */
/* Examines all of them, and puts those first that are probably meant. Returns how many rows the
 * list has. */
uint32_t processes_examine(struct found_processes *found);
/* A row of the list, of any width. */
void processes_row(const struct found_processes *found, uint32_t i,
		   char to[static PROCESSES_ROW_MAX]);
/* Why it cannot be observed; NULL: it can. */
const char *processes_problem(const struct found_processes *found, uint32_t i);

/* Examines all of them, and prints a table: server, ports, event loop, whether gilscope can observe
 * it. `usage` is what a PID is appended to in the line after it: "gilscope attach". */
void processes_print(FILE *file, struct found_processes *found, const char *usage);

void processes_done(struct found_processes *found);

#endif
