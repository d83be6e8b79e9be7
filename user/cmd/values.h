/* SPDX-License-Identifier: MIT */
/*
 * values.h - the values of options and arguments. Each function takes the text and returns the
 * value; an invalid one is a usage error, which ends the process (argp_error()).
 */
#ifndef GILSCOPE_CMD_VALUES_H
#define GILSCOPE_CMD_VALUES_H

#include <argp.h>
#include <stdint.h>
#include "cmd/options.h"

uint64_t value_duration(const char *text, struct argp_state *state);
uint64_t value_seconds(const char *text, struct argp_state *state); /* a unit is not needed */
/* What a text means. Supervisors are left out of `pids`, and known if workers of theirs are in. */
struct found_pids {
	uint32_t pids[OBSERVE_PIDS_MAX], supervisors[OBSERVE_PIDS_MAX];
	uint32_t count, supervisor_count;
};
/* A PID, or the processes of one service, by ":8000" or a pattern for the command line
 * (processes.h): at least one, and at most `most`, and their supervisors. A PID that no process
 * has here is one inside a container, if it is there. */
void value_processes(const char *text, uint32_t most, struct found_pids *ret_found,
		     struct argp_state *state);
/* All processes with such a command line, and their supervisors; at least one. */
void value_matching(const char *text, struct found_pids *ret_found, struct argp_state *state);
/* The process that has this PID inside a container; a usage error if there is none, or several. */
void value_inside(const char *text, struct found_pids *ret_found, struct argp_state *state);
/* A usage error: lists the processes that could be given, and exits. */
void value_no_process(struct argp_state *state) __attribute__((noreturn));
struct cut_point value_point(const char *text, struct argp_state *state); /* --from, --to */
uint32_t value_hertz(const char *text, uint32_t most, struct argp_state *state);
uint16_t value_port(const char *text, struct argp_state *state);      /* 1 to 65535 */
uint32_t value_mebibytes(const char *text, struct argp_state *state); /* returns bytes */
const char *value_listen(const char *text, struct argp_state *state); /* a port, or a path */
uint64_t value_disk(const char *text, struct argp_state *state);      /* MiB; returns bytes */
int value_ready_fd(const char *text, struct argp_state *state);
enum colour value_colour(const char *text, struct argp_state *state);
enum evidence_mode value_mode(const char *text, struct argp_state *state);
/* "sleep,wait": bits of EVF_STACK_*. Modifies `text`. */
uint32_t value_stack_kinds(char *text, struct argp_state *state);
/* "python,gil_wait": bits, as in view_options */
unsigned int value_states(const char *text, struct argp_state *state);
unsigned int value_direction(const char *text, struct argp_state *state);

#endif
